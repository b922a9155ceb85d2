//! `vmnet load`: the built-in traffic.

use std::process::ExitCode;

use anyhow::Result;

use crate::load::LoadArgs;

pub(super) fn run(args: LoadArgs) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(crate::load::run(args))?;
    Ok(ExitCode::SUCCESS)
}
