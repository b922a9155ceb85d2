//! Scenarios that this machine cannot run: skipped by name and reason, never silently.
//!
//! ```ignore
//! #[test]
//! fn tso_is_engaged_on_a_veth_pair() {
//!     testbed::skip_unless!(testbed::skip::root());
//!     …
//! }
//! ```

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::thread;

use crate::browser::Browser;
use crate::command::is_root;
use crate::{Build, Kernel, OvsDpdk, paths, setup};

/// Where skips are also written, one `name<tab>reason` a line, for the summary of `cargo xtask test`.
pub const SKIPS_FILE: &str = "VMNET_SKIPS_FILE";

/// Ends the test here, as skipped, where the condition (one of this module) gives a reason.
#[macro_export]
macro_rules! skip_unless {
    ($($condition:expr),+ $(,)?) => {
        $(if let Err(reason) = $condition {
            fn here() {}
            $crate::skip::say(::std::any::type_name_of_val(&here), &reason);
            return;
        })+
    };
}

/// Scenarios in namespaces need root.
pub fn root() -> Result<(), String> {
    if is_root() { Ok(()) } else { Err("needs root".to_owned()) }
}

/// Booting this kernel needs root, QEMU and the kernel, all of which `cargo xtask setup` brings.
pub fn vm(kernel: Kernel) -> Result<(), String> {
    root()?;
    setup::missing_for(kernel, Build::Cloud).map_or(Ok(()), Err)
}

/// The same of its build for any machine ([`Vm::model`](crate::Vm::model)).
pub fn generic_vm(kernel: Kernel) -> Result<(), String> {
    root()?;
    setup::missing_for(kernel, Build::Generic).map_or(Ok(()), Err)
}

/// A switch at the host's end (`HostEnd::OvsDpdk`) needs its programs.
pub fn ovs_dpdk() -> Result<(), String> {
    OvsDpdk::cached()
        .map(drop)
        .ok_or_else(|| "Open vSwitch with DPDK is not here (`cargo xtask setup` fetches it)".to_owned())
}

/// The programs that read configuration at boot, which `cargo xtask setup` fetches.
pub fn consumers() -> Result<(), String> {
    root()?;
    crate::consumers::cached().map(drop).ok_or_else(|| {
        "the programs that read configuration at boot are not here (`cargo xtask setup`)".to_owned()
    })
}

/// The binary `vmnet`, as `cargo xtask build` makes it.
pub fn vmnet() -> Result<(), String> {
    let binary = paths::vmnet();
    if binary.is_file() {
        Ok(())
    } else {
        Err(format!("{} is not built (`cargo xtask build`)", binary.display()))
    }
}

/// A release of Debian, which `cargo xtask setup` fetches.
pub fn debian_root(suite: &str) -> Result<(), String> {
    root()?;
    if crate::roots::is_cached(suite) {
        Ok(())
    } else {
        Err(format!("Debian {suite} is not here (`cargo xtask setup` fetches it)"))
    }
}

/// What is handed out, as `cargo xtask dist` makes it.
pub fn dist() -> Result<(), String> {
    let file = paths::dist();
    if file.is_file() { Ok(()) } else { Err(format!("{} is not built (`cargo xtask dist`)", file.display())) }
}

/// A browser, which `cargo xtask setup` installs.
pub fn browser() -> Result<(), String> {
    program(Browser::PROGRAM)
}

/// A program of this machine.
pub fn program(name: &str) -> Result<(), String> {
    crate::command::find(name)
        .map(drop)
        .ok_or_else(|| format!("{name} is not installed (`cargo xtask setup`)"))
}

/// A directory of this machine, over which a scenario mounts one of its own.
pub fn directory(path: &str) -> Result<(), String> {
    if Path::new(path).is_dir() { Ok(()) } else { Err(format!("there is no {path}")) }
}

/// Says that a scenario is skipped: on standard error itself, which the test harness does not swallow.
pub fn say(function: &str, reason: &str) {
    let scenario = name_of_test(function);
    // The harness has begun a line for this test.
    let _ = writeln!(std::io::stderr(), "\nSKIPPED {scenario}: {reason}");
    if let Some(path) = env::var_os(SKIPS_FILE)
        && let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path)
    {
        let _ = writeln!(file, "{scenario}\t{reason}");
    }
}

/// The harness names each test's thread after it; without that, the function that skips (which may be a helper).
fn name_of_test(function: &str) -> String {
    let function = function.trim_end_matches("::here");
    let binary = function.split("::").next().unwrap_or_default();
    match thread::current().name() {
        Some(test) if test != "main" => format!("{binary}::{test}"),
        _ => function.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_in_a_helper_is_reported_under_the_tests_own_name() {
        let helper = "vm_device::tso_is_on::here";
        let named =
            thread::Builder::new().name("tso_is_on_6_1".to_owned()).spawn(|| name_of_test(helper)).unwrap();
        assert_eq!(named.join().unwrap(), "vm_device::tso_is_on_6_1");
    }
}
