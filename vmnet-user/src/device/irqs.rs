//! The interrupts of an interface's transmit queues, and the CPUs that may serve them.

use crate::model::fact::Fact;
use std::{collections::BTreeSet, path::Path};

use super::{cpu_list::parse_list, small_file};
use crate::model::machine::Irq;

/// The transmit interrupts in order of their queues.
///
/// virtio-net names them `virtioN-output.Q`; other drivers are known by the interface's name in the interrupt's.
/// `/sys` must be that of the namespace.
pub fn transmit_irqs(interface: &str) -> Fact<Vec<Irq>> {
    transmit_irqs_in(Path::new("/"), interface)
}

fn transmit_irqs_in(root: &Path, interface: &str) -> Fact<Vec<Irq>> {
    let device = root.join("sys/class/net").join(interface).join("device");
    let Ok(bus_device) = std::fs::canonicalize(&device) else {
        return Err("no bus device stands behind the interface, so it has no interrupts".into());
    };
    let bus_name = bus_device.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let listed = small_file::read_setting(&root.join("proc/interrupts"))?;
    let own = own_irqs(&bus_device);
    let mut found: Vec<(u32, String, u32)> = interrupts(&listed)
        .filter_map(|(number, name)| {
            let queue = transmit_queue(name, interface, &bus_name, own.contains(&number))?;
            Some((queue, name.to_owned(), number))
        })
        .collect();
    if found.is_empty() {
        return Err(format!("/proc/interrupts lists none of {interface}'s transmit queues").into());
    }
    found.sort_unstable();
    found
        .into_iter()
        .map(|(_, name, number)| {
            let path = root.join(format!("proc/irq/{number}/smp_affinity_list"));
            let text = small_file::read_setting(&path)?;
            let cpus =
                parse_list(&text).ok_or_else(|| format!("{} holds no list of CPUs", path.display()))?;
            Ok(Irq { name, number, cpus })
        })
        .collect()
}

/// The numbers and names of `/proc/interrupts`. The name is the last word: what is before it differs between interrupt controllers.
fn interrupts(listed: &str) -> impl Iterator<Item = (u32, &str)> {
    listed.lines().filter_map(|line| {
        let (number, rest) = line.trim_start().split_once(':')?;
        Some((number.parse().ok()?, rest.split_whitespace().next_back()?))
    })
}

/// MSI numbers of the device; virtio's are its parent's.
fn own_irqs(bus_device: &Path) -> BTreeSet<u32> {
    let parents = [Some(bus_device), bus_device.parent()];
    let Some(entries) =
        parents.into_iter().flatten().find_map(|device| std::fs::read_dir(device.join("msi_irqs")).ok())
    else {
        return BTreeSet::new();
    };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The queue that an interrupt's name tells of, if it is one of the interface's transmit interrupts.
fn transmit_queue(name: &str, interface: &str, bus_name: &str, own: bool) -> Option<u32> {
    if let Some(queue) = name.strip_prefix(bus_name).and_then(|rest| rest.strip_prefix("-output.")) {
        return queue.parse().ok();
    }
    let of_interface =
        name.strip_prefix(interface).filter(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
    let rest = of_interface.or_else(|| own.then_some(name))?;
    let lower = rest.to_ascii_lowercase();
    // `ens5-Tx-Rx-0`, `ens5-TxRx-0`, `eth0-tx-0`, `mlx5_comp0@pci:…`: the number that ends the name or its first part.
    let transmits = lower.contains("tx") || lower.contains("comp");
    let head = lower.split('@').next().unwrap_or_default();
    let digits = head.len() - head.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    head.get(head.len() - digits..).filter(|_| transmits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    /// As in a guest with 2 CPUs and 2 queue pairs, kernel 6.1; the third column's controller is spelt differently from 6.11 on.
    const LISTED: &str = "           CPU0       CPU1       \n  0:         36          0   IO-APIC   2-edge      timer\n \
        24:          0          0   PCI-MSI 49152-edge      virtio0-config\n 25:        105          0   PCI-MSI 49153-edge      virtio0-input.0\n \
        26:          3          0   PCI-MSI 49154-edge      virtio0-output.0\n 28:          1          0   PCI-MSIX-0000:00:03.0    4-edge      virtio0-output.1\n \
        29:          1          0   PCI-MSI 65537-edge      virtio1-output.0\nNMI:          0          0   Non-maskable interrupts\nERR:          0\n";

    fn machine() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let bus_device = root.path().join("sys/devices/pci0000:00/0000:00:03.0/virtio0");
        std::fs::create_dir_all(&bus_device).unwrap();
        std::fs::create_dir_all(root.path().join("sys/class/net/ens4")).unwrap();
        symlink(&bus_device, root.path().join("sys/class/net/ens4/device")).unwrap();
        for (irq, cpus) in [(26, "0\n"), (28, "0-1\n"), (29, "1\n")] {
            let directory = root.path().join(format!("proc/irq/{irq}"));
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("smp_affinity_list"), cpus).unwrap();
        }
        std::fs::write(root.path().join("proc/interrupts"), LISTED).unwrap();
        root
    }

    #[test]
    fn the_transmit_interrupts_of_a_virtio_interface_are_those_of_its_own_device() {
        let root = machine();
        let irq = |queue: u32, number, cpus: &[u32]| Irq {
            name: format!("virtio0-output.{queue}"),
            number,
            cpus: cpus.to_vec(),
        };
        assert_eq!(transmit_irqs_in(root.path(), "ens4"), Ok(vec![irq(0, 26, &[0]), irq(1, 28, &[0, 1])]));
    }

    #[test]
    fn an_interface_without_a_device_has_none_and_says_why() {
        assert!(
            transmit_irqs_in(machine().path(), "veth0").unwrap_err().to_string().contains("no bus device")
        );
    }

    #[test]
    fn other_drivers_interrupts_are_known_by_the_interfaces_name() {
        assert_eq!(transmit_queue("ens5-Tx-Rx-3", "ens5", "0000:00:05.0", false), Some(3));
        assert_eq!(transmit_queue("ens50-Tx-Rx-3", "ens5", "0000:00:05.0", false), None);
        assert_eq!(transmit_queue("ens5-rx-3", "ens5", "0000:00:05.0", true), None);
        assert_eq!(transmit_queue("mlx5_comp7@pci:0000:00:05.0", "ens5", "0000:00:05.0", true), Some(7));
        assert_eq!(transmit_queue("mlx5_comp7@pci:0000:00:06.0", "ens5", "0000:00:05.0", false), None);
        assert_eq!(transmit_queue("virtio0-output.1", "ens5", "virtio1", false), None);
    }

    proptest! {
        #[test]
        fn any_list_can_be_read(text in ".{0,200}") {
            for (_, name) in interrupts(&text) {
                let _ = transmit_queue(name, "ens4", "virtio0", true);
            }
        }
    }
}
