//! The command line: one thin file a subcommand.

mod kernel;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Proves whether TCP segmentation offload (TSO) is really happening on a network interface.
#[derive(Debug, Parser)]
#[command(name = "vmnet", version, about, long_about = None, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Kernel(kernel::Args),
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    env_logger::Builder::from_default_env().format_timestamp(None).init();
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Kernel(args) => kernel::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("vmnet: {error:#}");
            ExitCode::from(1)
        }
    }
}
