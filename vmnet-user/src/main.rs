//! The `vmnet` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    vmnet::cli::main()
}
