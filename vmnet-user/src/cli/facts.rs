//! `vmnet facts`: what `doctor` and causes are worked out from, as JSON. For tests and for reports of faults.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Result;

use crate::{device::facts, session};

/// What device and machine say of themselves, as JSON
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The interface, such as ens4
    #[arg(value_name = "IFACE")]
    interface: String,
    /// Look into this network namespace
    #[arg(long, value_name = "NAME")]
    netns: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    if let Some(name) = &args.netns {
        session::enter_netns(name)?;
    }
    let machine = facts::read(&args.interface)?;
    let mut json = serde_json::to_vec_pretty(&machine)?;
    json.push(b'\n');
    match io::stdout().write_all(&json) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
