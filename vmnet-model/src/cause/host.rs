//! What to set on the host, for each system that hosts use. Read from their sources: QEMU 10.0, libvirt 9 to 11,
//! cloud-hypervisor 53, Firecracker 1.x, Open vSwitch 3.x, VPP 25.10.

use crate::breaks::Family;

/// What the guest was not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostNeed {
    /// Transmit checksum, without which a driver considers no segmentation (virtio bit 0).
    Checksum,
    /// TCP segmentation, both families (bits 11 and 12).
    Tso,
    /// TCP segmentation over IPv4 (bit 11).
    Tso4,
    /// TCP segmentation over IPv6 (bit 12).
    Tso6,
    /// Segmentation of packets that carry CWR (bit 13).
    Ecn,
    /// UDP segmentation (bit 56).
    Uso,
    /// Segmentation inside UDP tunnels (bits 67 and 68).
    Tunnel,
}

impl HostNeed {
    /// TSO for these families.
    #[must_use]
    pub fn tso(families: &[Family]) -> Self {
        match families {
            [Family::Ipv4] => Self::Tso4,
            [Family::Ipv6] => Self::Tso6,
            _ => Self::Tso,
        }
    }
}

/// One line a system, which names the system first. All take effect when the virtual machine is stopped and started, which
/// a reboot from inside is not.
#[must_use]
pub fn settings(need: HostNeed) -> Vec<String> {
    match need {
        HostNeed::Checksum => offer(&["csum", "tso4", "tso6"], OVS_DPDK),
        HostNeed::Tso => offer(&["csum", "tso4", "tso6"], OVS_DPDK),
        HostNeed::Tso4 => offer(&["csum", "tso4"], OVS_DPDK),
        HostNeed::Tso6 => offer(&["csum", "tso6"], OVS_DPDK),
        HostNeed::Ecn => {
            let mut lines = offer(&["csum", "tso4", "tso6", "ecn"], "OVS-DPDK: offers no segmentation with ECN; nothing to set");
            lines.retain(|line| !line.starts_with("Firecracker") && !line.starts_with("VPP"));
            lines.push("Firecracker: offers no segmentation with ECN; nothing to set".to_owned());
            lines
        }
        HostNeed::Uso => vec![
            "QEMU: -device virtio-net-pci,…,csum=on,host_uso=on (8.2 and later), on a tap of Linux 6.2 or later".to_owned(),
            "libvirt: has no attribute for it; QEMU offers it by itself where machine type and tap allow".to_owned(),
            "cloud-hypervisor, Firecracker, OVS-DPDK: do not offer it; nothing to set".to_owned(),
        ],
        HostNeed::Tunnel => vec![
            "QEMU: -device virtio-net-pci,…,host_tunnel=on,host_tunnel_csum=on (10.2 and later), on a tap of Linux 6.17 or later"
                .to_owned(),
            "libvirt: has no attribute for it; QEMU offers it by itself where machine type and tap allow".to_owned(),
            "cloud-hypervisor, Firecracker, OVS-DPDK: do not offer it; nothing to set".to_owned(),
        ],
    }
}

const OVS_DPDK: &str = "OVS-DPDK: ovs-vsctl set Open_vSwitch . other_config:userspace-tso-enable=true, restart ovs-vswitchd, then stop \
                        and start the virtual machine";

/// `offloads` by libvirt's names, the checksum first: the others depend on it.
fn offer(offloads: &[&str], ovs_dpdk: &str) -> Vec<String> {
    let qemu: Vec<String> = offloads
        .iter()
        .map(|name| if *name == "csum" { "csum=on".to_owned() } else { format!("host_{name}=on") })
        .collect();
    let libvirt: Vec<String> = offloads.iter().map(|name| format!("{name}='on'")).collect();
    vec![
        format!(
            "QEMU: -netdev tap,id=n0,vnet_hdr=on,… -device virtio-net-pci,netdev=n0,{} (a user-mode netdev cannot)",
            qemu.join(",")
        ),
        format!(
            "libvirt: <driver><host {}/></driver> in the <interface>, which must not be type='user'",
            libvirt.join(" ")
        ),
        "cloud-hypervisor: --net …,offload_csum=on,offload_tso=on (both are the default)".to_owned(),
        FIRECRACKER.to_owned(),
        ovs_dpdk.to_owned(),
        "VPP: create vhost-user socket PATH gso".to_owned(),
    ]
}

const FIRECRACKER: &str = "Firecracker: offers it always, over IPv6 since 1.9; nothing to set";

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDS: [HostNeed; 7] = [
        HostNeed::Checksum,
        HostNeed::Tso,
        HostNeed::Tso4,
        HostNeed::Tso6,
        HostNeed::Ecn,
        HostNeed::Uso,
        HostNeed::Tunnel,
    ];

    #[test]
    fn every_line_names_its_system_first_and_fits_on_a_screen() {
        for need in NEEDS {
            let lines = settings(need);
            for system in ["QEMU", "libvirt", "cloud-hypervisor", "Firecracker", "OVS-DPDK"] {
                let naming = lines
                    .iter()
                    .filter(|line| line.split(": ").next().is_some_and(|names| names.contains(system)));
                assert_eq!(naming.count(), 1, "{need:?} {system} {lines:?}");
            }
            assert!(lines.iter().all(|line| line.chars().count() <= 150), "{lines:?}");
        }
    }

    #[test]
    fn only_the_family_that_misses_segmentation_is_asked_for() {
        let only_ipv6 = settings(HostNeed::Tso6);
        assert!(
            only_ipv6[0].contains("csum=on,host_tso6=on ") && !only_ipv6[0].contains("tso4"),
            "{only_ipv6:?}"
        );
        assert!(only_ipv6[1].contains("csum='on' tso6='on'"), "{only_ipv6:?}");
    }

    #[test]
    fn the_switch_that_people_forget_to_restart_is_said_with_its_restart() {
        for need in [HostNeed::Checksum, HostNeed::Tso] {
            let lines = settings(need);
            let ovs = lines.iter().find(|line| line.starts_with("OVS-DPDK")).unwrap();
            assert!(ovs.contains("userspace-tso-enable=true") && ovs.contains("restart"), "{ovs}");
        }
        let ecn = settings(HostNeed::Ecn);
        assert!(!ecn.iter().any(|line| line.contains("userspace-tso-enable")), "it offers no ECN: {ecn:?}");
    }
}
