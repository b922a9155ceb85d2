//! `vmnet completions`: what a shell needs to complete vmnet's words.

use std::process::ExitCode;

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, output::print};

/// Print a script with which a shell completes commands and options
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  vmnet completions bash > ~/.local/share/bash-completion/completions/vmnet\n  vmnet completions zsh > \
    ~/.zfunc/_vmnet\n  vmnet completions fish > ~/.config/fish/completions/vmnet.fish"
)]
pub(super) struct Args {
    /// For which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "vmnet", &mut script);
    print(&script)?;
    Ok(ExitCode::SUCCESS)
}
