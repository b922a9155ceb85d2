//! What tells this interface from others at boot, when it may not have its name yet.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::link_match::LinkFacts;
use super::name;
use crate::device::{driver, driver_info, programs};

/// The interface, as those see it who set it up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its name now.
    pub name: String,
    /// Lower case, with colons; None where it has none.
    pub mac: Option<String>,
    /// The one that the device came with; None where the kernel made one up, as it does for most virtual interfaces.
    pub permanent_mac: Option<String>,
    /// As `ethtool -i` names it (`virtio_net`, `veth`); None where it has no name.
    pub driver: Option<String>,
    /// Whether userspace gave it another name than the kernel had (`name_assign_type` 4).
    pub renamed: bool,
    /// The `.link` file in force.
    pub link_file: LinkFile,
    /// What else a `.link` file may ask for: udev says which file applied at boot, and not which one will.
    pub facts: LinkFacts,
    /// The NetworkManager profile that is active on it.
    pub nm_profile_uuid: Option<String>,
}

/// Which `.link` file applied when the interface appeared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkFile {
    /// udev says: this one.
    InForce(PathBuf),
    /// udev says: none.
    None,
    /// udev knows nothing of the interface, or is not there.
    Unknown,
    /// udev applies none to a loopback interface, whatever they say (`link_get_config` of systemd 257).
    NeverApplies,
}

/// `NET_NAME_RENAMED` in `include/uapi/linux/netdevice.h`.
const NAME_IS_CHANGED: &str = "4";

impl Identity {
    /// Reads sysfs, and asks udev and NetworkManager where they are. What cannot be read is None or Unknown, as is all of
    /// what cannot be an interface.
    pub fn read(name: &str) -> Self {
        if name::check(name).is_err() {
            return Self::nothing_known(name);
        }
        let device = Path::new("/sys/class/net").join(name);
        let of_device = |attribute: &str| {
            let text = fs::read_to_string(device.join(attribute)).ok()?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let daemons_answer = daemons_see_this_namespace();
        let udev = udev_properties(&device).filter(|_| daemons_answer);
        let property = |wanted: &str| {
            let all = udev.as_deref()?;
            all.lines().find_map(|line| line.strip_prefix(wanted)?.strip_prefix('=')).map(str::to_owned)
        };
        let mac = of_device("address").filter(|mac| mac.len() == "00:00:00:00:00:00".len());
        let permanent_mac = driver_info::permanent_address(name).ok().flatten();
        let is_loopback = of_device("type") == Some(libc::ARPHRD_LOOPBACK.to_string());
        let link_file = match (property("ID_NET_LINK_FILE"), property("USEC_INITIALIZED")) {
            _ if is_loopback => LinkFile::NeverApplies,
            (Some(path), _) => LinkFile::InForce(PathBuf::from(path)),
            (None, Some(_)) => LinkFile::None,
            (None, None) => LinkFile::Unknown,
        };
        Self {
            mac,
            permanent_mac: permanent_mac.filter(|bytes| bytes.len() == 6).map(|bytes| {
                let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                digits.join(":")
            }),
            driver: driver_info::ethtool_driver(name).ok().flatten(),
            renamed: of_device("name_assign_type").as_deref() == Some(NAME_IS_CHANGED),
            facts: match link_file {
                LinkFile::NeverApplies => LinkFacts::default(),
                _ => LinkFacts::read(name),
            },
            link_file,
            nm_profile_uuid: answer(programs::system("nmcli").args([
                "--get-values",
                "GENERAL.CON-UUID",
                "device",
                "show",
                name,
            ]))
            .map(|uuid| uuid.trim().to_owned())
            .filter(|uuid| daemons_answer && !uuid.is_empty()),
            name: name.to_owned(),
        }
    }

    fn nothing_known(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            mac: None,
            permanent_mac: None,
            driver: None,
            renamed: false,
            link_file: LinkFile::Unknown,
            facts: LinkFacts::default(),
            nm_profile_uuid: None,
        }
    }
}

fn udev_properties(device: &Path) -> Option<String> {
    answer(
        programs::system("udevadm")
            .args(["info", "--query=property"])
            .arg(format!("--path={}", device.display())),
    )
}

/// udevd and NetworkManager see the interfaces of one network namespace. udevd keeps what it knows by their index, NetworkManager by their
/// name: of an interface elsewhere, which has its index or its name from a namespace of its own, they would say what holds for another.
fn daemons_see_this_namespace() -> bool {
    driver::netns_is_of_process_1()
}

fn answer(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_an_interface_is_not_looked_for_on_the_machine() {
        let elsewhere = "../net/lo";
        assert_eq!(Identity::read(elsewhere), Identity::nothing_known(elsewhere));
        let loopback = Identity::read("lo");
        assert_eq!(loopback.mac.as_deref(), Some("00:00:00:00:00:00"));
        assert!(!loopback.renamed);
        assert_eq!(loopback.link_file, LinkFile::NeverApplies);
    }
}
