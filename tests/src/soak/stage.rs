//! Where a soak happens: a device under load whose TSO is what the soak made of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::group::Group;
use crate::Netns;
use crate::bench::{Running, serve_load};
use crate::command::{find, output, words};
use crate::netns::{VethEnd, veth_pair};

/// Its device, the load at its other end, and traffic beside whatever is done to it.
#[derive(Debug)]
pub(super) struct Stage {
    place: Place,
    vmnet: PathBuf,
    /// Whether the device has TSO on.
    pub(super) tso: bool,
    _traffic: Option<Group>,
}

#[derive(Debug)]
enum Place {
    /// `veth0`, in a namespace that the soak made.
    Pair(Box<Pair>),
    /// `ens4` of a guest.
    Guest,
}

#[derive(Debug)]
struct Pair {
    // Programs end before the namespaces that they are in.
    _servers: (Running, Group),
    near: Netns,
    far: Netns,
}

const NEAR_ADDRESSES: [&str; 2] = ["10.96.0.1/24", "fd00:96::1/64"];
const FAR_ADDRESSES: [&str; 2] = ["10.96.0.2/24", "fd00:96::2/64"];
const GUEST_ADDRESSES: [&str; 2] = ["10.10.1.2/24", "fd00:10:10:1::2/64"];

impl Stage {
    /// A veth pair of its own. Needs root.
    pub(super) fn pair(vmnet: &Path) -> Result<Self> {
        let (near, far) = (Netns::new("soak")?, Netns::new("soak")?);
        connect(&near, &far)?;
        let iperf3 = Group::start_silent(far.command("iperf3").arg("-s"))?;
        let pair = Pair { _servers: (serve_load(&far)?, iperf3), near, far };
        Ok(Self { place: Place::Pair(Box::new(pair)), vmnet: vmnet.to_owned(), tso: true, _traffic: None })
    }

    /// The guest that this runs in.
    pub(super) fn guest(vmnet: &Path) -> Self {
        Self { place: Place::Guest, vmnet: vmnet.to_owned(), tso: true, _traffic: None }
    }

    pub(super) fn is_guest(&self) -> bool {
        matches!(self.place, Place::Guest)
    }

    /// Bursts of the built-in load and of iperf3, on and on, which leave the CPU some time.
    pub(super) fn with_traffic(mut self) -> Result<Self> {
        let (vmnet, far) = (self.vmnet.display(), self.far());
        let both = format!(
            "while :; do {vmnet} load client {far} -n 20M; sleep 0.2; iperf3 -c {far} -t 1 -b 200M -P 2; sleep 0.2; done"
        );
        self._traffic = Some(Group::start_silent(self.command("sh").args(["-c", &both]))?);
        Ok(self)
    }

    pub(super) fn interface(&self) -> &'static str {
        match self.place {
            Place::Pair(_) => "veth0",
            Place::Guest => "ens4",
        }
    }

    /// Where the load is sent.
    pub(super) fn far(&self) -> &'static str {
        match self.place {
            Place::Pair(_) => "10.96.0.2",
            Place::Guest => "10.10.1.10",
        }
    }

    /// `--netns NAME`, where the device is not in the initial namespace.
    pub(super) fn namespace(&self) -> Vec<String> {
        match &self.place {
            Place::Pair(pair) => vec!["--netns".to_owned(), pair.near.name().to_owned()],
            Place::Guest => Vec::new(),
        }
    }

    /// A command where the device is.
    pub(super) fn command(&self, program: &str) -> Command {
        match &self.place {
            Place::Pair(pair) => pair.near.command(program),
            Place::Guest => Command::new(find(program).unwrap_or_else(|| program.into())),
        }
    }

    /// A command line there, split at white space; failing is an error.
    pub(super) fn exec(&self, line: &str) -> Result<String> {
        let typed = words(line);
        let program = typed.get_program().to_string_lossy().into_owned();
        output(self.command(&program).args(typed.get_args()))
    }

    /// The words of a load to the far end.
    pub(super) fn load(&self, options: &str) -> Vec<String> {
        let first =
            [self.vmnet.to_string_lossy().into_owned(), "load".into(), "client".into(), self.far().into()];
        first.into_iter().chain(options.split_whitespace().map(str::to_owned)).collect()
    }

    /// Switches TSO by ethtool, which is what the verdicts are held against; and USO, where the far end's device is asked what came: what
    /// `check` sends of UDP is to come there like the rest.
    pub(super) fn set_tso(&mut self, on: bool) -> Result<()> {
        self.tso = on;
        let on_off = if on { "on" } else { "off" };
        let uso = if self.is_guest() { String::new() } else { format!("tx-udp-segmentation {on_off}") };
        self.exec(&format!("ethtool -K {} tso {on_off} {uso}", self.interface())).map(drop)
    }

    /// Every feature, limit, queue and qdisc option of the device.
    pub(super) fn snapshot(&self) -> Result<String> {
        let interface = self.interface();
        let tools = [
            format!("ethtool -k {interface}"),
            format!("ip -d link show dev {interface}"),
            format!("tc -d qdisc show dev {interface}"),
        ];
        let shown: Vec<String> = tools.iter().map(|line| self.exec(line)).collect::<Result<_>>()?;
        Ok(without_carrier(&shown.concat()))
    }

    /// Packets and bytes that the far end's own device counted. None in a guest, whose far end is out of reach.
    pub(super) fn received(&self) -> Option<[u64; 2]> {
        let Place::Pair(pair) = &self.place else { return None };
        // Both from one message: between two files of sysfs megabytes may pass.
        let shown = pair.far.exec("ip -s -j link show dev veth1").ok()?;
        let links: serde_json::Value = serde_json::from_str(&shown).ok()?;
        let count = |what: &str| links.pointer(&format!("/0/stats64/rx/{what}"))?.as_u64();
        Some([count("packets")?, count("bytes")?])
    }

    /// Deletes the device's namespace and makes another of the same name, with a device of the same name. What is still in the old one is cut off.
    pub(super) fn recreate_namespace(&self) -> Result<()> {
        let Place::Pair(pair) = &self.place else { return Ok(()) };
        pair.far.ip("link delete veth1")?;
        for verb in ["delete", "add"] {
            output(&mut words(&format!("ip netns {verb} {}", pair.near.name())))?;
        }
        pair.near.ip("link set lo up")?;
        connect(&pair.near, &pair.far)
    }

    /// Takes a guest's device from its driver and gives it back: another device, with another index, in its place.
    pub(super) fn rebind(&self) -> Result<()> {
        const DRIVER: &str = "/sys/bus/virtio/drivers/virtio_net";
        let device = fs::read_link(format!("/sys/class/net/{}/device", self.interface()))?;
        let device = device.file_name().context("no device behind it")?.to_string_lossy().into_owned();
        for act in ["unbind", "bind"] {
            fs::write(format!("{DRIVER}/{act}"), &device).with_context(|| format!("{DRIVER}/{act}"))?;
        }
        let named =
            fs::read_dir(format!("{DRIVER}/{device}/net"))?.next().context("no interface came back")??;
        let named = named.file_name().to_string_lossy().into_owned();
        self.exec(&format!("ip link set {named} down"))?;
        if named != self.interface() {
            self.exec(&format!("ip link set {named} name {}", self.interface()))?;
        }
        self.address_again()
    }

    /// Up, with the addresses that going down has cost it.
    pub(super) fn address_again(&self) -> Result<()> {
        let addresses = if self.is_guest() { GUEST_ADDRESSES } else { NEAR_ADDRESSES };
        self.exec(&format!("ip link set {} up", self.interface()))?;
        for address in addresses {
            let no_wait = if address.contains(':') { "nodad" } else { "" };
            self.exec(&format!("ip address replace {address} dev {} {no_wait}", self.interface()))?;
        }
        Ok(())
    }
}

fn connect(near: &Netns, far: &Netns) -> Result<()> {
    veth_pair(
        VethEnd { namespace: near, interface: "veth0", addresses: &NEAR_ADDRESSES },
        VethEnd { namespace: far, interface: "veth1", addresses: &FAR_ADDRESSES },
    )
}

/// Without what the kernel says of the carrier, which comes a moment after the device is up.
fn without_carrier(shown: &str) -> String {
    let without = |line: &str| {
        let mut words: Vec<&str> = line.split(' ').filter(|word| !word.starts_with('<')).collect();
        if let Some(at) = words.iter().position(|word| *word == "state") {
            words.drain(at..(at + 2).min(words.len()));
        }
        words.join(" ") + "\n"
    };
    shown.lines().map(without).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carrier_that_is_late_is_no_difference_and_a_limit_is() {
        let link = |flags: &str, state: &str, mtu: u32| {
            without_carrier(&format!(
                "7: veth0@if7: <{flags}> mtu {mtu} qdisc noqueue state {state} mode DEFAULT\n"
            ))
        };
        let up = link("BROADCAST,UP,LOWER_UP", "UP", 1500);
        assert_eq!(up, "7: veth0@if7: mtu 1500 qdisc noqueue mode DEFAULT\n");
        assert_eq!(link("NO-CARRIER,BROADCAST,UP", "DOWN", 1500), up);
        assert_ne!(link("BROADCAST,UP,LOWER_UP", "UP", 1400), up);
    }
}
