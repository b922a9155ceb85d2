//! Network namespaces of this machine that end with the value that made them.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, anyhow};

use crate::command::{as_root, captured, find, output, words};
use crate::interrupt;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A network namespace with its loopback up. Removed, with all interfaces in it, on drop.
#[derive(Debug)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// A new namespace, named `vmnet-<purpose>-<pid>-<count>`. Needs root, or sudo.
    pub fn new(purpose: &str) -> Result<Self> {
        interrupt::watch();
        interrupt::check()?;
        remove_stale()?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("vmnet-{purpose}-{}-{count}", std::process::id());
        output(ip()?.args(["netns", "add", &name])).context("a network namespace could not be made")?;
        let namespace = Self { name };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// The name, as for `ip netns` and `vmnet run --netns`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run inside. Its arguments are added as usual.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = as_root("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs a command line inside (split at white space) and returns its standard output; failing is an error.
    pub fn exec(&self, line: &str) -> Result<String> {
        let typed = words(line);
        output(self.command(typed.get_program()).args(typed.get_args()))
    }

    /// `ip` inside, such as `namespace.ip("link set veth0 up")`.
    pub fn ip(&self, arguments: &str) -> Result<String> {
        output(ip()?.args(["-n", &self.name]).args(arguments.split_whitespace()))
    }

    /// A counter of `/sys/class/net/<interface>/statistics`, such as `tx_packets`.
    pub fn statistic(&self, interface: &str, counter: &str) -> Result<u64> {
        let described = self.ip(&format!("-stats -json link show dev {interface}"))?;
        let (direction, counter) =
            counter.split_once('_').ok_or_else(|| anyhow!("`{counter}` is not like rx_packets"))?;
        let links: serde_json::Value = serde_json::from_str(&described)?;
        links[0]["stats64"][direction][counter]
            .as_u64()
            .ok_or_else(|| anyhow!("ip shows no {direction} {counter} of {interface}"))
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        if let Err(error) = ip().and_then(|mut ip| output(ip.args(["netns", "delete", &self.name]))) {
            eprintln!("network namespace {} is left behind: {error:#}", self.name);
        }
    }
}

/// One end of a veth pair.
#[derive(Debug, Clone, Copy)]
pub struct VethEnd<'a> {
    /// Where this end is.
    pub namespace: &'a Netns,
    /// What it is called there.
    pub interface: &'a str,
    /// Its addresses with prefix length, such as `10.10.2.1/24`.
    pub addresses: &'a [&'a str],
}

/// A veth pair between two namespaces, both ends up and with their addresses usable at once.
pub fn veth_pair(one: VethEnd<'_>, other: VethEnd<'_>) -> Result<()> {
    one.namespace.ip(&format!(
        "link add {} type veth peer name {} netns {}",
        one.interface,
        other.interface,
        other.namespace.name()
    ))?;
    for end in [one, other] {
        for address in end.addresses {
            // Duplicate address detection would keep an IPv6 address unusable for a second or two.
            let no_wait = if address.contains(':') { "nodad" } else { "" };
            end.namespace.ip(&format!("address add {address} dev {} {no_wait}", end.interface))?;
        }
        end.namespace.ip(&format!("link set {} up", end.interface))?;
    }
    Ok(())
}

/// Removes what processes left behind that were killed before they could.
fn remove_stale() -> Result<()> {
    let listed = output(ip()?.args(["netns", "list"]))?;
    for name in listed.lines().filter_map(|line| line.split_whitespace().next()) {
        if maker_of(name).is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            // Another process may be doing the same.
            let _ = captured(ip()?.args(["netns", "delete", name]));
        }
    }
    Ok(())
}

/// The process in `vmnet-<purpose>-<pid>-<count>`. `None` for names of others.
fn maker_of(name: &str) -> Option<u32> {
    let mut parts = name.strip_prefix("vmnet-")?.rsplit('-');
    parts.next()?.parse::<u32>().ok()?;
    let pid = parts.next()?.parse().ok()?;
    parts.next().map(|_purpose| pid)
}

fn ip() -> Result<Command> {
    Ok(as_root(find("ip").ok_or_else(|| anyhow!("ip (package iproute2) is not installed"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_testbeds_own_form_have_a_maker() {
        assert_eq!(maker_of("vmnet-vm-123-0"), Some(123));
        assert_eq!(maker_of("vmnet-demo-7-12"), Some(7));
        assert_eq!(maker_of("vmnet-123-0"), None);
        assert_eq!(maker_of("vmnet-production"), None);
        assert_eq!(maker_of("other-vm-123-0"), None);
    }
}
