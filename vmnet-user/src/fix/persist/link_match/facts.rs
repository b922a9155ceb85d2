//! What a `[Match]` section is held against, as far as it can be read without udev.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Fact;
use super::{HostFacts, path_id, uevent::uevent_property};
use crate::device::links::LinkReader;

/// What the kernel says of an interface and its host, beside its name, addresses and driver; each with the reason where it is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFacts {
    /// `ID_PATH`; None for a device on no bus.
    pub path: Fact<Option<String>>,
    /// `DEVTYPE` (`vlan`, `bridge`, `wlan`), else the kind of link layer (`ether`).
    pub device_type: Fact<Option<String>>,
    /// `IFLA_INFO_KIND` (`veth`, `vlan`); None for hardware and virtio.
    pub kind: Fact<Option<String>>,
    /// The machine.
    pub host: HostFacts,
}

impl Default for LinkFacts {
    /// Nothing was read.
    fn default() -> Self {
        Self { path: unread(), device_type: unread(), kind: unread(), host: HostFacts::default() }
    }
}

/// Why it is not known, where it was not asked for.
pub(super) fn unread<T>() -> Fact<T> {
    Err("it was not read".to_owned())
}

impl LinkFacts {
    /// Reads sysfs, procfs and rtnetlink, in the network namespace of this thread.
    pub(in super::super) fn read(interface: &str) -> Self {
        let class_net = Path::new("/sys/class/net");
        let link = LinkReader::open()
            .and_then(|mut reader| reader.link(interface))
            .map_err(|error| error.to_string());
        Self {
            path: path_id::read(class_net, interface),
            device_type: device_type(&class_net.join(interface)),
            kind: link.map(|link| link.kind),
            host: HostFacts::read(),
        }
    }
}

/// As networkctl lists it (`net_get_type_string` of systemd): by the device's type, else by its link layer.
fn device_type(device: &Path) -> Fact<Option<String>> {
    if let Some(kind) = uevent_property(device, "DEVTYPE").filter(|kind| !kind.is_empty()) {
        return Ok(Some(kind));
    }
    let path = device.join("type");
    let number = read(&path)?;
    let number: u16 = number.trim().parse().map_err(|_| format!("{} holds {number:?}", path.display()))?;
    link_layer(number).map(Some).ok_or_else(|| format!("link layer {number} has no name here"))
}

/// The names of `ARPHRD_*` in `linux/if_arp.h`, in lower case.
fn link_layer(number: u16) -> Option<String> {
    const NAMES: [(u16, &str); 24] = [
        (libc::ARPHRD_NETROM, "netrom"),
        (libc::ARPHRD_ETHER, "ether"),
        (libc::ARPHRD_AX25, "ax25"),
        (libc::ARPHRD_IEEE1394, "ieee1394"),
        (libc::ARPHRD_EUI64, "eui64"),
        (libc::ARPHRD_INFINIBAND, "infiniband"),
        (libc::ARPHRD_SLIP, "slip"),
        (libc::ARPHRD_X25, "x25"),
        (libc::ARPHRD_CAN, "can"),
        (libc::ARPHRD_PPP, "ppp"),
        (libc::ARPHRD_RAWHDLC, "rawhdlc"),
        (libc::ARPHRD_TUNNEL, "tunnel"),
        (libc::ARPHRD_TUNNEL6, "tunnel6"),
        (libc::ARPHRD_LOOPBACK, "loopback"),
        (libc::ARPHRD_FDDI, "fddi"),
        (libc::ARPHRD_SIT, "sit"),
        (libc::ARPHRD_IPDDP, "ipddp"),
        (libc::ARPHRD_IPGRE, "ipgre"),
        (libc::ARPHRD_PIMREG, "pimreg"),
        (libc::ARPHRD_IEEE80211, "ieee80211"),
        (libc::ARPHRD_IEEE80211_RADIOTAP, "ieee80211_radiotap"),
        (libc::ARPHRD_IEEE802154, "ieee802154"),
        (libc::ARPHRD_NONE, "none"),
        (libc::ARPHRD_VOID, "void"),
    ];
    // Not in every C library's headers.
    const LATER: [(u16, &str); 5] =
        [(519, "rawip"), (823, "ip6gre"), (824, "netlink"), (825, "6lowpan"), (826, "vsockmon")];
    NAMES.iter().chain(&LATER).find(|(known, _)| *known == number).map(|(_, name)| (*name).to_owned())
}

/// The text of a file of sysfs or procfs.
pub(super) fn read(path: &Path) -> Fact<String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_type_goes_before_the_link_layer() {
        let device = tempfile::tempdir().unwrap();
        fs::write(device.path().join("type"), "1\n").unwrap();
        assert_eq!(device_type(device.path()), Ok(Some("ether".to_owned())));
        fs::write(device.path().join("uevent"), "DEVTYPE=vlan\nINTERFACE=v5\n").unwrap();
        assert_eq!(device_type(device.path()), Ok(Some("vlan".to_owned())));
        fs::write(device.path().join("uevent"), "INTERFACE=v5\n").unwrap();
        for (number, why) in [("60000\n", "60000"), ("x", "\"x\"")] {
            fs::write(device.path().join("type"), number).unwrap();
            assert!(device_type(device.path()).unwrap_err().contains(why));
        }
    }

    #[test]
    fn a_device_on_no_bus_has_a_type_and_no_path_and_an_absent_one_has_reasons() {
        let facts = LinkFacts::read("lo");
        assert_eq!(facts.device_type, Ok(Some("loopback".to_owned())));
        assert_eq!((facts.path, facts.kind), (Ok(None), Ok(None)));
        assert!(facts.host.kernel_release.is_ok() && facts.host.kernel_command_line.is_ok());
        let absent = LinkFacts::read("no-such-name");
        assert!(absent.path.is_err() && absent.kind.is_err() && absent.device_type.is_err());
    }
}
