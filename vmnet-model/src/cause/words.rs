//! Each cause for people who have only its name: what it means, and who can do what about it.

use super::CauseId;

impl CauseId {
    /// All of them, in the order of the chain.
    pub const ALL: [Self; 25] = [
        Self::HostNoCsum,
        Self::HostNoTso,
        Self::OneFamily,
        Self::DriverNoTso,
        Self::DriverParam,
        Self::TurnedOff,
        Self::CsumOff,
        Self::SgOff,
        Self::HostNoEcn,
        Self::UpperDevice,
        Self::VlanStack,
        Self::Tunnel,
        Self::QdiscSplits,
        Self::TooLarge,
        Self::MtuSmaller,
        Self::Ipsec,
        Self::Wireguard,
        Self::Nfqueue,
        Self::NotBuilt,
        Self::GroOff,
        Self::SmallWrites,
        Self::HostNoUso,
        Self::DriverNoUso,
        Self::NotTheBottleneck,
        Self::Unexplained,
    ];

    /// What it means, and who can fix it.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::HostNoCsum => {
                "The host does not offer checksum offload to this virtual machine (virtio CSUM), and without it the driver cannot have TSO. \
                 ethtool -K cannot switch it on: whoever runs the host has to offer it, and stop and start the virtual machine."
            }
            Self::HostNoTso => {
                "The host offers checksum offload, but no TSO (virtio HOST_TSO4, HOST_TSO6). ethtool -K cannot switch it on: whoever runs the \
                 host has to offer it, and stop and start the virtual machine."
            }
            Self::OneFamily => {
                "TSO is there for only one of IPv4 and IPv6: the other was not offered by the host, or is switched off by itself \
                 (tx-tcp-segmentation, tx-tcp6-segmentation)."
            }
            Self::DriverNoTso => {
                "The driver of this device has no TSO. Another device model (virtio-net, vmxnet3, ena, gve) has."
            }
            Self::DriverParam => {
                "The module virtio_net was loaded with csum=N or gso=N. Remove the option and load the module again, or reboot."
            }
            Self::TurnedOff => {
                "TSO can be switched on here, and somebody or some file switched it off. `vmnet fix` switches it on and says which file would \
                 switch it off again."
            }
            Self::CsumOff => {
                "Transmit checksum offload is switched off, and the kernel switches TSO off with it: the device cannot segment what it may not \
                 checksum. Switch tx-checksumming on; TSO follows."
            }
            Self::SgOff => {
                "Scatter-gather is switched off, and the kernel switches TSO off with it. Switch it on; TSO follows."
            }
            Self::HostNoEcn => {
                "The host does not take super-packets with CWR set, so each is segmented in software where TCP uses ECN. Without ECN it costs \
                 nothing."
            }
            Self::UpperDevice => {
                "A device above this one (bridge, bond, tunnel, macvlan) lacks TSO, so that packets come here segmented already. Fix that one."
            }
            Self::VlanStack => {
                "A VLAN device did not inherit TSO from the device below it, or the device cannot segment tagged packets."
            }
            Self::Tunnel => {
                "Packets are encapsulated (VXLAN, Geneve, GRE), and the device cannot segment inside that tunnel \
                 (tx-udp_tnl-segmentation and its like)."
            }
            Self::QdiscSplits => {
                "The queueing discipline segments before the device can: cake with split-gso, tbf with a burst shorter than a super-packet, \
                 netem that corrupts, taprio."
            }
            Self::TooLarge => {
                "Super-packets are larger, or have more segments, than the driver takes at once, so the kernel segments them. On lo, two segments of its \
                 MTU are."
            }
            Self::MtuSmaller => {
                "Packets are forwarded to an interface with a smaller MTU than the one they came in by, so the IP layer segments them."
            }
            Self::Ipsec => {
                "IPsec encrypts packet by packet, so each super-packet is segmented before, unless the device offloads ESP."
            }
            Self::Wireguard => {
                "WireGuard encrypts packet by packet, so each super-packet is segmented inside it, by design. What leaves is UDP."
            }
            Self::Nfqueue => {
                "A firewall rule sends packets to a program (nfqueue) that did not ask for super-packets, so they are segmented for it."
            }
            Self::NotBuilt => {
                "TCP built no super-packets at all, so there was nothing to offload: gso_max_segs is 1, the window or the pacing is tiny, or \
                 the application sends less than two segments at a time."
            }
            Self::GroOff => {
                "Packets that are forwarded came in one by one, because GRO is off where they came in. Switch it on there."
            }
            Self::SmallWrites => {
                "The application writes little at a time, so that TCP sends small packets. Larger writes, or no TCP_NODELAY, help; TSO does not."
            }
            Self::HostNoUso => {
                "The host takes no UDP super-packets (virtio HOST_USO), so UDP is segmented in software."
            }
            Self::DriverNoUso => {
                "The driver cannot segment UDP (tx-udp-segmentation), so UDP is segmented in software."
            }
            Self::NotTheBottleneck => {
                "TSO is happening, and the limit is elsewhere: pacing, a full CPU, the receiver, the application, the link. More TSO does not help."
            }
            Self::Unexplained => {
                "Packets were segmented, and none of the known causes explains it. Please report it, with the recording."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_there_once_and_in_the_order_of_the_chain() {
        assert!(CauseId::ALL.is_sorted());
        let mut names: Vec<&str> = CauseId::ALL.iter().map(|id| id.name()).collect();
        names.sort_unstable();
        names.dedup();
        // The order is that of the variants, and the last one is the last.
        assert_eq!(
            (names.len(), CauseId::Unexplained as usize + 1),
            (CauseId::ALL.len(), CauseId::ALL.len())
        );
    }
}
