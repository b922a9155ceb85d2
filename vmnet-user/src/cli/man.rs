//! `vmnet man`: the manual pages.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::CommandFactory as _;
use clap_mangen::Man;

use super::{Cli, output::print};

/// Print the manual page, or write those of all commands into DIR
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  vmnet man | man -l -\n  sudo vmnet man /usr/local/share/man/man1 && man vmnet-check"
)]
pub(super) struct Args {
    /// Directory for the pages; made if it is missing
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let Some(directory) = &args.directory else {
        let mut page = Vec::new();
        Man::new(Cli::command()).render(&mut page).context("making the manual page")?;
        print(&page)?;
        return Ok(ExitCode::SUCCESS);
    };
    let written = fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), directory));
    written.with_context(|| {
        format!("writing manual pages into {}; name another directory", directory.display())
    })?;
    Ok(ExitCode::SUCCESS)
}
