//! `vmnet load`: the built-in traffic.

use std::process::ExitCode;

use anyhow::Result;

use crate::{kernel::permissions, load::LoadArgs};

pub(super) fn run(args: LoadArgs) -> Result<ExitCode> {
    let listener = crate::load::listener(&args)?;
    // It talks to strangers.
    permissions::drop_all();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(crate::load::run(args, listener))?;
    Ok(ExitCode::SUCCESS)
}
