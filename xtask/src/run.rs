//! `cargo xtask run`: `vmnet run` on an interface of this machine.

use std::env;
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Args;
use testbed::command::is_root;

use crate::build;
use crate::exit::Outcome;

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// IFACE [options] [-- COMMAND…], as for `vmnet run`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "IFACE")]
    arguments: Vec<String>,
}

/// Builds, then runs it, by sudo where this is not root. The exit code is vmnet's.
pub(crate) fn run(arguments: &RunArguments) -> Result<Outcome> {
    let vmnet = build::run()?;
    let mut command = if is_root() {
        Command::new(&vmnet)
    } else {
        let mut sudo = Command::new("sudo");
        // COMMAND is looked up as its caller would; vmnet itself drops root for it.
        sudo.arg("--preserve-env=PATH,HOME,TERM,COLUMNS,NO_COLOR").arg("--").arg(&vmnet);
        sudo
    };
    // Relative paths, `reports/` among them, are those of the caller.
    command.arg("run").args(&arguments.arguments).current_dir(env::current_dir()?);
    Ok(command.status().context("vmnet could not be started")?.into())
}
