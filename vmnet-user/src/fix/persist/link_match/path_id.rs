//! `ID_PATH` as udev's `path_id` makes it from the device's parents in sysfs (udev-builtin-path_id.c, 252 to 257, where all of these
//! buses are the same).

use std::fs;
use std::path::{Path, PathBuf};

use super::Fact;

/// Deeper than any bus nests.
const PARENTS_MOST: usize = 64;

/// The path by which udev knows the interface; None where it has none, as a veth, whose parents are on no bus.
///
/// # Errors
/// Why it cannot be determined.
pub(super) fn read(class_net: &Path, interface: &str) -> Fact<Option<String>> {
    let link = class_net.join(interface);
    let directory =
        fs::canonicalize(&link).map_err(|error| format!("cannot follow {}: {error}", link.display()))?;
    let mut parts: Vec<String> = Vec::new();
    // Who has no parent with a lasting name gets no path.
    let mut is_anchored = false;
    let mut at = Some(Node::at(&directory));
    for _ in 0..PARENTS_MOST {
        let Some(node) = at else {
            parts.reverse();
            return Ok(Some(parts.join("-")).filter(|path| is_anchored && !path.is_empty()));
        };
        let name = node.name();
        let subsystem = node.subsystem();
        let top = match subsystem.as_deref() {
            Some(bus @ ("pci" | "platform" | "acpi" | "xen" | "scm" | "ccw" | "ccwgroup" | "iucv")) => {
                parts.push(format!("{bus}-{name}"));
                is_anchored = true;
                node.topmost(bus)
            }
            // Only what lies below it counts.
            Some("virtio") => node.topmost("virtio"),
            Some("usb") => match node.usb_port() {
                Some(port) => {
                    parts.push(format!("usb-0:{port}"));
                    node.topmost("usb")
                }
                None => node,
            },
            Some("bcma") => match bcma_core(&name) {
                Some(core) => {
                    parts.push(format!("bcma-{core}"));
                    node
                }
                // `path_id` gives up the walk, not the path.
                None => {
                    at = None;
                    continue;
                }
            },
            // Left out by some versions of udev and named by others (amba, spi), or never seen above an interface.
            Some(bus @ ("amba" | "spi" | "ap" | "nvme" | "nvme-subsystem" | "scsi" | "serio" | "cciss")) => {
                return Err(format!(
                    "{interface} is below the bus {bus}, whose path is not worked out without udev"
                ));
            }
            _ => node,
        };
        at = top.parent();
    }
    Err(format!("{} has too many parents", directory.display()))
}

/// A device's directory.
struct Node(PathBuf);

impl Node {
    fn at(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// As udev has it: a `!` stands for a `/`.
    fn name(&self) -> String {
        self.0.file_name().unwrap_or_default().to_string_lossy().replace('!', "/")
    }

    fn subsystem(&self) -> Option<String> {
        Some(fs::read_link(self.0.join("subsystem")).ok()?.file_name()?.to_string_lossy().into_owned())
    }

    /// The nearest directory above it that is a device.
    fn parent(&self) -> Option<Self> {
        self.0.ancestors().skip(1).find(|above| above.join("uevent").is_file()).map(Self::at)
    }

    /// The last device above it, itself included, before one of another bus (`skip_subsystem`).
    fn topmost(self, bus: &str) -> Self {
        let mut top = self;
        for _ in 0..PARENTS_MOST {
            match top.parent().filter(|above| above.subsystem().as_deref() == Some(bus)) {
                Some(above) => top = above,
                None => break,
            }
        }
        top
    }

    /// `3.1:1.0` of the interface `2-3.1:1.0`: the number of the host controller does not last.
    fn usb_port(&self) -> Option<String> {
        let kind = super::uevent::uevent_property(&self.0, "DEVTYPE")?;
        let port = self.name().split_once('-')?.1.to_owned();
        matches!(kind.as_str(), "usb_interface" | "usb_device").then_some(port)
    }
}

/// 4 of `bcma0:4`.
fn bcma_core(name: &str) -> Option<u32> {
    let (host, core) = name.strip_prefix("bcma")?.split_once(':')?;
    host.parse::<u32>().ok()?;
    core.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A sysfs with one interface below the devices of `parents`, each with its bus and, on usb, its type. A bus of `-` is a plain
    /// directory.
    fn sysfs(parents: &[(&str, &str)]) -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        let mut directory = sys.path().join("devices");
        for (name, bus) in parents.iter().chain([&("net", "-"), &("ens4", "net")]) {
            directory.push(name);
            fs::create_dir_all(&directory).unwrap();
            let (bus, kind) = bus.split_once('/').unwrap_or((bus, ""));
            if bus != "-" {
                let kind = if kind.is_empty() { String::new() } else { format!("DEVTYPE={kind}\n") };
                fs::write(directory.join("uevent"), kind).unwrap();
            }
            if !matches!(bus, "-" | "") {
                symlink(format!("/sys/bus/{bus}"), directory.join("subsystem")).unwrap();
            }
        }
        fs::create_dir_all(sys.path().join("class/net")).unwrap();
        symlink(&directory, sys.path().join("class/net/ens4")).unwrap();
        sys
    }

    #[test]
    fn each_bus_has_its_part_in_the_path() {
        const ROOT: (&str, &str) = ("pci0000:00", "");
        for (parents, expected) in [
            (&[("virtual", "-")][..], None),
            (&[ROOT, ("0000:00:03.0", "pci"), ("virtio2", "virtio")], Some("pci-0000:00:03.0")),
            (&[ROOT, ("0000:00:1c.0", "pci"), ("0000:3b:00.0", "pci")], Some("pci-0000:3b:00.0")),
            (
                &[
                    ROOT,
                    ("0000:00:14.0", "pci"),
                    ("usb1", "usb/usb_device"),
                    ("1-3", "usb/usb_device"),
                    ("1-3.1", "usb/usb_device"),
                    ("1-3.1:1.0", "usb/usb_interface"),
                ],
                Some("pci-0000:00:14.0-usb-0:3.1:1.0"),
            ),
            (
                &[("platform", "-"), ("a003e00.virtio_mmio", "platform"), ("virtio0", "virtio")],
                Some("platform-a003e00.virtio_mmio"),
            ),
            (
                &[
                    ("platform", "-"),
                    ("fd500000.pcie", "platform"),
                    ("pci0000:00", ""),
                    ("0000:01:00.0", "pci"),
                ],
                Some("platform-fd500000.pcie-pci-0000:01:00.0"),
            ),
            (&[("LNXSYSTM:00", "acpi"), ("VMBUS:01", "acpi"), ("f8b3781a", "vmbus")], Some("acpi-VMBUS:01")),
            (&[("vif-0", "xen")], Some("xen-vif-0")),
            (&[("qeth", "-"), ("0.0.f5f0", "ccwgroup")], Some("ccwgroup-0.0.f5f0")),
            (&[ROOT, ("0000:00:05.0", "pci"), ("bcma0:4", "bcma")], Some("pci-0000:00:05.0-bcma-4")),
            // On no bus with a lasting name.
            (&[("usb9", "usb/usb_device"), ("9-1:1.0", "usb/usb_interface")], None),
            (&[("netdevsim1", "netdevsim")], None),
        ] {
            let sys = sysfs(parents);
            let read = read(&sys.path().join("class/net"), "ens4");
            assert_eq!(read, Ok(expected.map(str::to_owned)), "{parents:?}");
        }
    }

    #[test]
    fn a_bus_that_udevs_versions_name_differently_is_not_guessed_at() {
        let sys = sysfs(&[("platform", "-"), ("soc", "platform"), ("9000000.eth", "amba")]);
        let why = read(&sys.path().join("class/net"), "ens4").unwrap_err();
        assert!(why.contains("amba"), "{why}");
        assert!(read(&sys.path().join("class/net"), "ens5").is_err());
    }
}
