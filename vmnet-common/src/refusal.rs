//! Why a super-packet was segmented in software: the rule, as a pure function of what `__skb_gso_segment` was called with. It runs
//! in the kernel, once a super-packet.

use crate::names::indices;

indices! {
    /// Why a device did not get a super-packet whole. One each, so that bytes by refusal add up to what was segmented.
    pub enum Refusal, REFUSALS {
        /// The kernel's BTF does not name its feature bits.
        Unknown => "unknown",
        /// Every bit that it needs was allowed: `netif_needs_gso` looks at `ip_summed` and fragment lists too.
        NotRefused => "not_refused",
        /// The device does not segment TCP over IPv4.
        Tso4Missing => "tso4_missing",
        /// The device does not segment TCP over IPv6.
        Tso6Missing => "tso6_missing",
        /// The device does not segment packets with CWR set.
        EcnMissing => "ecn_missing",
        /// The device does not segment UDP.
        UsoMissing => "uso_missing",
        /// The device does not segment inside this kind of tunnel.
        TunnelMissing => "tunnel_missing",
        /// The device lacks another bit (fixed IP identifiers, SCTP, ESP, …).
        OtherMissing => "other_missing",
        /// Above `gso_max_size` or `gso_max_segs`.
        TooLarge => "too_large",
        /// The device does it, but not for encapsulated packets (`hw_enc_features`).
        Tunnel => "tunnel",
        /// The device does it, but not for tagged packets (`vlan_features`), or not for two tags.
        Vlan => "vlan",
        /// The packet's checksum is not one that the device can make.
        Checksum => "checksum",
        /// The device would have taken it: a qdisc asked for segments (tbf, cake, taprio, netem).
        QdiscSplits => "qdisc_splits",
        /// A layer above the device's queue asked for segments: IP output to a smaller MTU, xfrm, nfqueue, OVS.
        StackSplits => "stack_splits",
        /// The device does it, but its driver refused this packet (`ndo_features_check`, `gso_partial_features`).
        DriverCheck => "driver_check",
    }
}

/// The running kernel's feature bits, as masks of `netdev_features_t`, from its BTF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct GsoBits {
    /// `NETIF_F_GSO_SHIFT`: from a bit of `gso_type` to its feature.
    pub shift: u64,
    /// `NETIF_F_GSO_MASK`; 0 where the kernel does not tell.
    pub mask: u64,
    /// Bits of `gso_type` without a feature of their own, which stand for [`Self::mangleid`] (from 6.18; 0 before).
    pub fixed_ids: u64,
    /// `NETIF_F_TSO_MANGLEID`.
    pub mangleid: u64,
    /// `NETIF_F_GSO_ROBUST`: without it a packet's headers are checked (`tcp_gso_segment`), but it is not segmented.
    pub robust: u64,
    /// `NETIF_F_GSO_PARTIAL`: without it no segment is a super-packet itself. 0 where the kernel does not name it.
    pub partial: u64,
    /// `NETIF_F_TSO`.
    pub tso4: u64,
    /// `NETIF_F_TSO6`.
    pub tso6: u64,
    /// `NETIF_F_TSO_ECN`, and `NETIF_F_GSO_ACCECN` where there is one.
    pub ecn: u64,
    /// `NETIF_F_GSO_UDP_L4` and `NETIF_F_GSO_UDP`.
    pub udp: u64,
    /// `NETIF_F_GSO_ENCAP_ALL`, and remote checksums.
    pub tunnel: u64,
    /// `NETIF_F_CSUM_MASK`.
    pub checksum: u64,
}

/// A super-packet at the entry of `__skb_gso_segment`. Each answer is asked for at most once, and most not at all: in the kernel
/// they are reads of memory.
pub trait SuperPacket {
    /// `skb_shared_info.gso_type`.
    fn gso_type(&self) -> u32;
    /// The function's second argument: what its caller lets the device do.
    fn allowed(&self) -> u64;
    /// Whether it starts at its network header: the caller is above the device's queue.
    fn is_from_stack(&self) -> bool;
    /// `net_device.features`.
    fn device_features(&self) -> u64;
    /// Whether it is above the limits that `gso_features_check` applies.
    fn is_too_large(&self) -> bool;
    /// `net_device.hw_enc_features` if it is encapsulated.
    fn encapsulated_features(&self) -> Option<u64>;
    /// What the device does for packets of as many VLAN tags as it has; None if it has none.
    fn tagged_features(&self) -> Option<u64>;
}

/// The one reason that comes first. What the device lacks comes before what the packet or its caller did to itself: fixing the
/// latter would change nothing. Of what it lacks, the tunnel comes first (without it, TSO is of no use), then the
/// family's TSO, ECN, UDP, and the rest.
///
/// Source: `netif_skb_features`, `gso_features_check`, `harmonize_features` and `net_gso_ok`, 5.10 to 6.18.
#[must_use]
#[inline(always)]
pub fn refusal(bits: &GsoBits, packet: &impl SuperPacket) -> Refusal {
    if bits.mask == 0 {
        return Refusal::Unknown;
    }
    let allowed = packet.allowed();
    let nothing_allowed = allowed & bits.mask == 0;
    if nothing_allowed && packet.is_from_stack() {
        return Refusal::StackSplits;
    }
    let missing = needed(bits, packet.gso_type()) & !allowed;
    if missing == 0 {
        return Refusal::NotRefused;
    }
    let device = packet.device_features();
    let absent = missing & !device;
    if absent != 0 {
        return lacking(bits, absent);
    }
    if nothing_allowed && packet.is_too_large() {
        return Refusal::TooLarge;
    }
    if packet.encapsulated_features().is_some_and(|features| missing & !features != 0) {
        return Refusal::Tunnel;
    }
    if packet.tagged_features().is_some_and(|features| missing & !features != 0) {
        return Refusal::Vlan;
    }
    if !nothing_allowed {
        return Refusal::DriverCheck;
    }
    // A caller that wants segments takes away the GSO bits alone; `harmonize_features` takes the checksum's along.
    if allowed & bits.checksum == 0 && device & bits.checksum != 0 {
        return Refusal::Checksum;
    }
    Refusal::QdiscSplits
}

/// Of the bits that a device lacks, the one to name.
#[inline(always)]
fn lacking(bits: &GsoBits, absent: u64) -> Refusal {
    if absent & bits.tunnel != 0 {
        Refusal::TunnelMissing
    } else if absent & bits.tso4 != 0 {
        Refusal::Tso4Missing
    } else if absent & bits.tso6 != 0 {
        Refusal::Tso6Missing
    } else if absent & bits.ecn != 0 {
        Refusal::EcnMissing
    } else if absent & bits.udp != 0 {
        Refusal::UsoMissing
    } else {
        Refusal::OtherMissing
    }
}

/// The features that a packet of this `gso_type` needs to be left whole, as `net_gso_ok` has it.
#[must_use]
#[inline(always)]
pub fn needed(bits: &GsoBits, gso_type: u32) -> u64 {
    let gso_type = u64::from(gso_type);
    let mut needed = (gso_type << (bits.shift & 63)) & bits.mask & !bits.robust;
    if gso_type & bits.fixed_ids != 0 {
        needed |= bits.mangleid;
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TCPV4: u32 = 1;
    const DODGY: u32 = 1 << 1;
    const CWR: u32 = 1 << 2;
    const TCPV6: u32 = 1 << 4;
    const UDP_TUNNEL: u32 = 1 << 10;
    const UDP_L4: u32 = 1 << 17;
    const FIXEDID_FROM_6_18: u32 = 1 << 30;

    const SG: u64 = 1;
    const HW_CSUM: u64 = 1 << 3;
    const TSO4: u64 = 1 << 16;
    const ROBUST: u64 = 1 << 17;
    const ECN: u64 = 1 << 18;
    const MANGLEID: u64 = 1 << 19;
    const TSO6: u64 = 1 << 20;
    const USO: u64 = 1 << 33;
    const ALL: u64 = SG | HW_CSUM | ROBUST | TSO4 | ECN | TSO6;

    const BITS: GsoBits = GsoBits {
        shift: 16,
        mask: (1 << 36) - (1 << 16),
        fixed_ids: 3 << 30,
        mangleid: MANGLEID,
        robust: ROBUST,
        partial: 1 << 30,
        tso4: TSO4,
        tso6: TSO6,
        ecn: ECN,
        udp: USO | 1 << 32,
        tunnel: 0xff << 22,
        checksum: HW_CSUM | 1 << 1 | 1 << 4,
    };

    #[derive(Clone, Copy, Debug, Default)]
    struct Offered {
        gso_type: u32,
        allowed: u64,
        device: u64,
        encapsulated: Option<u64>,
        tagged: Option<u64>,
        too_large: bool,
        from_stack: bool,
    }

    impl SuperPacket for Offered {
        fn gso_type(&self) -> u32 {
            self.gso_type
        }
        fn allowed(&self) -> u64 {
            self.allowed
        }
        fn is_from_stack(&self) -> bool {
            self.from_stack
        }
        fn device_features(&self) -> u64 {
            self.device
        }
        fn is_too_large(&self) -> bool {
            self.too_large
        }
        fn encapsulated_features(&self) -> Option<u64> {
            self.encapsulated
        }
        fn tagged_features(&self) -> Option<u64> {
            self.tagged
        }
    }

    /// A packet that the device of these features was offered, as `netif_skb_features` would have it.
    fn offered(gso_type: u32, device: u64) -> Offered {
        Offered { gso_type, allowed: device, device, ..Offered::default() }
    }

    fn why(packet: Offered) -> Refusal {
        refusal(&BITS, &packet)
    }

    #[test]
    fn a_bit_that_the_device_lacks_is_named() {
        for (gso_type, lacks, because) in [
            (TCPV4, TSO4, Refusal::Tso4Missing),
            (TCPV6, TSO6, Refusal::Tso6Missing),
            (TCPV4 | CWR, ECN, Refusal::EcnMissing),
            (TCPV6 | CWR, ECN, Refusal::EcnMissing),
            (UDP_L4, USO, Refusal::UsoMissing),
            (TCPV4 | UDP_TUNNEL, 0, Refusal::TunnelMissing),
            (TCPV4 | FIXEDID_FROM_6_18, 0, Refusal::OtherMissing),
            (TCPV4 | DODGY, ROBUST, Refusal::NotRefused),
            (TCPV4 | DODGY | CWR, 0, Refusal::NotRefused),
        ] {
            assert_eq!(why(offered(gso_type, ALL & !lacks)), because, "{gso_type:#x} without {lacks:#x}");
        }
    }

    #[test]
    fn of_several_bits_that_it_lacks_the_tunnel_comes_first_and_the_family_before_ecn() {
        let device = SG | HW_CSUM;
        assert_eq!(why(offered(TCPV4 | CWR | DODGY, device)), Refusal::Tso4Missing);
        assert_eq!(why(offered(TCPV6 | CWR | DODGY, device)), Refusal::Tso6Missing);
        assert_eq!(why(offered(TCPV6 | UDP_TUNNEL, device)), Refusal::TunnelMissing);
    }

    #[test]
    fn a_caller_that_wants_segments_is_told_from_a_device_that_refuses() {
        let masked = |device: u64| Offered { allowed: device & !BITS.mask, ..offered(TCPV4, device) };
        assert_eq!(why(masked(ALL)), Refusal::QdiscSplits);
        assert_eq!(why(Offered { from_stack: true, ..masked(ALL) }), Refusal::StackSplits);
        // Whoever asked, the device could not have taken it.
        assert_eq!(why(masked(ALL & !TSO4)), Refusal::Tso4Missing);
        // On a device without a link header, packets start at their network header on its own path too.
        assert_eq!(why(Offered { from_stack: true, ..offered(TCPV4, ALL & !TSO4) }), Refusal::Tso4Missing);
    }

    #[test]
    fn what_takes_every_gso_bit_away_is_told_apart() {
        let masked = Offered { allowed: ALL & !BITS.mask, ..offered(TCPV6, ALL) };
        assert_eq!(why(Offered { too_large: true, ..masked }), Refusal::TooLarge);
        assert_eq!(why(Offered { allowed: SG, ..masked }), Refusal::Checksum);
        assert_eq!(why(Offered { allowed: 0, encapsulated: Some(0), ..masked }), Refusal::Tunnel);
        assert_eq!(why(Offered { allowed: SG, encapsulated: Some(ALL), ..masked }), Refusal::Checksum);
        assert_eq!(why(Offered { tagged: Some(SG), ..masked }), Refusal::Vlan);
        assert_eq!(why(Offered { tagged: Some(ALL), ..masked }), Refusal::QdiscSplits);
    }

    #[test]
    fn a_driver_that_refuses_one_packet_of_its_own_accord_is_told_from_all_others() {
        let picky = Offered { allowed: ALL & !TSO4, ..offered(TCPV4, ALL) };
        assert_eq!(why(picky), Refusal::DriverCheck);
    }

    #[test]
    fn without_the_kernels_bits_nothing_is_claimed() {
        assert_eq!(refusal(&GsoBits::default(), &offered(TCPV4, 0)), Refusal::Unknown);
    }

    proptest! {
        #[test]
        fn a_packet_whose_bits_are_all_allowed_is_never_refused(
            gso_type: u32, device: u64, too_large: bool, encapsulated: Option<u64>, tagged: Option<u64>,
        ) {
            let allowed = device | BITS.mask;
            let packet = Offered { allowed, too_large, encapsulated, tagged, ..offered(gso_type, device) };
            prop_assert_eq!(why(packet), Refusal::NotRefused);
        }

        #[test]
        fn what_the_device_lacks_comes_before_what_the_caller_did(
            gso_type in any::<u32>().prop_map(|bits| bits & 0xfffff | TCPV4), allowed: u64, too_large: bool,
            encapsulated: Option<u64>, tagged: Option<u64>,
        ) {
            let device = ALL & !TSO4;
            let allowed = allowed & device;
            let packet = Offered { allowed, too_large, encapsulated, tagged, ..offered(gso_type, device) };
            prop_assert!(matches!(why(packet), Refusal::Tso4Missing | Refusal::TunnelMissing));
        }
    }
}
