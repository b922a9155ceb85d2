//! Root only where the kernel asks for it: cargo builds as the caller, then this program starts itself again by sudo.

use std::env;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use testbed::command::{find, is_root};

use crate::exit::Outcome;

/// Tells the second start that it is one.
const SECOND_START: &str = "VMNET_XTASK_AS_ROOT";

/// Whether sudo started this process on behalf of another: what needs no root has been done then.
pub(crate) fn is_second_start() -> bool {
    env::var_os(SECOND_START).is_some()
}

/// Starts this program again with the same arguments by sudo, and waits for it. `None` if this process is root.
pub(crate) fn start_again_as_root() -> Result<Option<Outcome>> {
    if is_root() {
        return Ok(None);
    }
    if find("sudo").is_none() {
        bail!("network namespaces need root, and there is no sudo; run this as root");
    }
    let mut sudo = Command::new("sudo");
    sudo.arg("--preserve-env=PATH,CARGO_TARGET_DIR,CI,CARGO,RUSTUP_TOOLCHAIN");
    sudo.arg(format!("{SECOND_START}=1")).arg(env::current_exe()?).args(env::args_os().skip(1));
    Ok(Some(sudo.status().context("sudo could not be started")?.into()))
}
