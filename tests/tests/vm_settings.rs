//! The settings that a host is told to make, held against the program that they are for.

use std::process::Command;

use testbed::command::captured;
use testbed::{skip, skip_unless};
use vmnet::model::cause::host::{self, HostNeed};

const NEEDS: [HostNeed; 5] =
    [HostNeed::Checksum, HostNeed::Tso, HostNeed::Ecn, HostNeed::Uso, HostNeed::Tunnel];

#[test]
fn qemu_knows_every_property_that_the_host_is_told_to_set() {
    skip_unless!(skip::program("qemu-system-x86_64"));
    let help = |device: &str| {
        let mut qemu = Command::new("qemu-system-x86_64");
        String::from_utf8(captured(qemu.args(["-device", &format!("{device},help")])).unwrap().stdout)
            .unwrap()
    };
    let known = help("virtio-net-pci");
    let is_known = |property: &str| known.contains(&format!("\n  {property}=<bool>"));
    let mut seen = Vec::new();
    for line in NEEDS.into_iter().flat_map(host::settings).filter(|line| line.starts_with("QEMU: ")) {
        // Of the release after the one that is installed here.
        if line.contains("10.2 and later") && !is_known("host_tunnel") {
            continue;
        }
        let device = line.split("virtio-net-pci,").nth(1).unwrap().split_whitespace().next().unwrap();
        for property in device.split(',').filter_map(|word| word.strip_suffix("=on")) {
            assert!(is_known(property), "{property} in {line}\n{known}");
            seen.push(property.to_owned());
        }
    }
    for property in ["csum", "host_tso4", "host_tso6", "host_ecn", "host_uso"] {
        assert!(seen.iter().any(|known| known == property), "{property} in {seen:?}");
    }
    assert!(!is_known("host_tso7"));
}
