//! Everything that namespaces and virtual machines need, installed where it is missing.

use std::process::Command;

use anyhow::{Result, bail};

use crate::browser::Browser;
use crate::command::{captured, find};
use crate::kernel::{Build, Kernel, KernelFiles};
use crate::{apt, consumers, paths};

/// What scenarios in namespaces use.
const NAMESPACE_PACKAGES: &[&str] =
    &["ethtool", "iperf3", "iproute2", "iputils-ping", "procps", "tcpdump", "udev", "util-linux"];

/// What the demonstration uses.
const DEMO_PACKAGES: &[&str] = &["ethtool", "iproute2"];

/// What goes into guests, and what makes them.
const VM_PACKAGES: &[&str] = &["bpftrace", "busybox-static", "dash", "kmod", "xz-utils"];

/// What scenarios in a browser use, and letters to draw.
const BROWSER_PACKAGES: &[&str] = &[Browser::PROGRAM, "fonts-dejavu-core"];

/// Older versions crash in emulation when they boot 6.12.
const QEMU_MAJOR_LEAST: u32 = 10;

/// Programs for the demonstration.
pub fn demo() -> Result<()> {
    apt::install(DEMO_PACKAGES)
}

/// Programs for scenarios in namespaces on this machine.
pub fn namespaces() -> Result<()> {
    apt::install(NAMESPACE_PACKAGES)
}

/// Programs that read configuration at boot. They are unpacked, not installed: none of them is to run for this machine.
pub fn consumers() -> Result<()> {
    consumers::fetch().map(drop)
}

/// The releases of Debian in which the package is tried. They are unpacked, not installed.
pub fn roots() -> Result<()> {
    crate::roots::SUITES.into_iter().try_for_each(crate::roots::fetch)
}

/// A browser, to look at reports as people do.
pub fn browser() -> Result<()> {
    apt::install(BROWSER_PACKAGES)
}

/// Programs for virtual machines: QEMU and what goes into the guest. Kernels come by [`Kernel::fetch`], the switch at
/// the other end by [`OvsDpdk::fetch`](crate::OvsDpdk::fetch); neither is installed.
pub fn virtual_machines() -> Result<()> {
    namespaces()?;
    apt::install(VM_PACKAGES)?;
    if qemu_is_new_enough() {
        return Ok(());
    }
    let packages = ["qemu-system-x86"];
    if apt::codename()? == "bookworm" {
        apt::install_from(
            "bookworm-backports",
            &packages,
            &paths::testbed_cache().join("apt/bookworm-backports"),
        )?;
    } else {
        apt::install(&packages)?;
    }
    if !qemu_is_new_enough() {
        bail!("QEMU {QEMU_MAJOR_LEAST} or later is needed; found {:?}", qemu_major());
    }
    Ok(())
}

/// All kernels, whatever is wrong with one of them.
pub fn kernels() -> impl Iterator<Item = (Kernel, Build, Result<KernelFiles>)> {
    let all = Kernel::ALL.into_iter().flat_map(|kernel| Build::ALL.map(|build| (kernel, build)));
    all.map(|(kernel, build)| (kernel, build, kernel.fetch(build)))
}

/// What is missing for booting `kernel`, without installing anything.
pub fn missing_for(kernel: Kernel, build: Build) -> Option<String> {
    let programs = ["ethtool", "iperf3", "ip", "tcpdump", "busybox", "dash"];
    if let Some(program) = programs.into_iter().find(|program| find(program).is_none()) {
        return Some(format!("{program} is not installed (`cargo xtask setup` installs it)"));
    }
    if !qemu_is_new_enough() {
        return Some(format!(
            "QEMU {QEMU_MAJOR_LEAST} or later is not installed (`cargo xtask setup` installs it)"
        ));
    }
    if kernel.cached(build).is_none() {
        return Some(format!(
            "Debian's kernel {kernel} ({build}) is not here (`cargo xtask setup` fetches it)"
        ));
    }
    None
}

fn qemu_is_new_enough() -> bool {
    qemu_major().is_some_and(|major| major >= QEMU_MAJOR_LEAST)
}

fn qemu_major() -> Option<u32> {
    let said = captured(Command::new(find("qemu-system-x86_64")?).arg("--version")).ok()?;
    major_of(&String::from_utf8_lossy(&said.stdout))
}

fn major_of(said: &str) -> Option<u32> {
    let version = said.split_once("version ")?.1;
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qemus_major_version_is_read_from_what_it_says() {
        assert_eq!(major_of("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2~bpo12+1)\n"), Some(10));
        assert_eq!(major_of("something else"), None);
    }
}
