//! How long a super-packet is, and into how many segments it would be cut: by the limits of the interface, as TCP itself does it.

use crate::{
    device::links::Link,
    model::{cause::no_two_segments_fit, checked::Type},
};

/// `ETH_HLEN`.
const ETHERNET_HEADER_BYTES: usize = 14;
/// `VLAN_HLEN`.
const VLAN_TAG_BYTES: usize = 4;
const TCP_HEADER_BYTES: usize = 20;
const UDP_HEADER_BYTES: usize = 8;
const IPV4_HEADER_BYTES: usize = 20;
const IPV6_HEADER_BYTES: usize = 40;
/// An IPv4 packet is no longer than this; what BIG TCP makes beyond it is not asked about.
const IP_MOST_BYTES: usize = 65_535;
/// `GSO_LEGACY_MAX_SIZE`: the limit where the kernel does not tell one.
const GSO_LEGACY_MAX_BYTES: usize = 65_536;
/// What TCP keeps free below `gso_max_size` for headers (`MAX_TCP_HEADER` + 1 in `sk_setup_caps`, about: it depends on the build).
const TCP_KEEPS_FREE_BYTES: usize = 321;
/// Fewer segments than this do not tell whole from cut plainly.
const LEAST_SEGMENTS: usize = 4;

/// What the interface allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) mtu_bytes: usize,
    /// `gso_max_size`, the narrower one for IPv4 where it is kept apart.
    pub(super) gso_max_bytes: usize,
    pub(super) gso_max_segs: usize,
}

impl Limits {
    /// `mtu_bytes`: what fits through all devices below, too.
    pub(super) fn of(link: &Link, mtu_bytes: u32) -> Self {
        let number = |value: Option<u32>| value.and_then(|value| usize::try_from(value).ok());
        let limits = [number(link.gso_max_size), number(link.gso_ipv4_max_size)];
        Self {
            mtu_bytes: usize::try_from(mtu_bytes).unwrap_or(usize::MAX),
            gso_max_bytes: limits
                .into_iter()
                .flatten()
                .fold(GSO_LEGACY_MAX_BYTES, |least, limit| least.min(limit)),
            gso_max_segs: number(link.gso_max_segs).unwrap_or(usize::MAX),
        }
    }

    /// Why TCP builds no super-packets for it, where that follows from the limits.
    pub(super) fn why_tcp_builds_none(&self) -> Option<&'static str> {
        let number = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        if self.gso_max_segs == 1 {
            return Some("gso_max_segs is 1");
        }
        no_two_segments_fit(number(self.mtu_bytes), number(self.gso_max_bytes))
            .then_some("no two segments of its MTU fit into one (gso_max_size)")
    }
}

/// Sizes of one super-packet, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Payload of each segment but the last.
    pub(super) gso_size: u16,
    /// Payload of the whole.
    pub(super) payload_bytes: usize,
    /// Of the frame, from the Ethernet header on.
    pub(super) frame_bytes: usize,
    pub(super) segments: u64,
}

/// None for a type that would be no other than `tcp4` is. `tagged` frames have a tag beside their headers.
pub(super) fn shape(kind: Type, limits: &Limits, tagged: bool) -> Option<Shape> {
    let headers = ip_header_bytes(kind) + transport_header_bytes(kind);
    let tag = if tagged { VLAN_TAG_BYTES } else { 0 };
    let ip_room = IP_MOST_BYTES - headers;
    let tcp_room = limits.gso_max_bytes.saturating_sub(TCP_KEEPS_FREE_BYTES).min(ip_room);
    // Above a large MTU (lo) TCP would build no super-packets at all: a peer's smaller segments are asked about then.
    let gso_size = limits.mtu_bytes.saturating_sub(headers).min(tcp_room / LEAST_SEGMENTS).max(1);
    let of_whole_segments = {
        let segments = (tcp_room / gso_size).min(limits.gso_max_segs).max(2);
        segments * gso_size
    };
    let payload_bytes = if kind == Type::Tcp4Max {
        let longest =
            limits.gso_max_bytes.saturating_sub(1 + ETHERNET_HEADER_BYTES + tag + headers).min(ip_room);
        if longest <= of_whole_segments || longest.div_ceil(gso_size) > limits.gso_max_segs {
            return None;
        }
        longest
    } else {
        of_whole_segments
    };
    Some(Shape {
        gso_size: u16::try_from(gso_size).ok()?,
        payload_bytes,
        frame_bytes: ETHERNET_HEADER_BYTES + tag + headers + payload_bytes,
        segments: u64::try_from(payload_bytes.div_ceil(gso_size)).ok()?,
    })
}

pub(super) fn is_ipv6(kind: Type) -> bool {
    matches!(kind, Type::Tcp6 | Type::Tcp6Ecn | Type::Udp6)
}

pub(super) fn is_udp(kind: Type) -> bool {
    matches!(kind, Type::Udp4 | Type::Udp6)
}

pub(super) fn ip_header_bytes(kind: Type) -> usize {
    if is_ipv6(kind) { IPV6_HEADER_BYTES } else { IPV4_HEADER_BYTES }
}

pub(super) fn transport_header_bytes(kind: Type) -> usize {
    if is_udp(kind) { UDP_HEADER_BYTES } else { TCP_HEADER_BYTES }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const USUAL: Limits = Limits { mtu_bytes: 1500, gso_max_bytes: 65_536, gso_max_segs: 65_535 };

    #[test]
    fn an_ordinary_interface_gets_what_tcp_would_send_it() {
        let tcp4 = shape(Type::Tcp4, &USUAL, false).unwrap();
        assert_eq!(tcp4, Shape { gso_size: 1460, payload_bytes: 64_240, frame_bytes: 64_294, segments: 44 });
        let tcp6 = shape(Type::Tcp6, &USUAL, false).unwrap();
        assert_eq!((tcp6.gso_size, tcp6.segments), (1440, 45));
        assert_eq!(shape(Type::Udp4, &USUAL, false).unwrap().gso_size, 1472);
        let tagged = shape(Type::Tcp4Vlan, &USUAL, true).unwrap();
        assert_eq!(tagged.frame_bytes, tcp4.frame_bytes + 4);
    }

    #[test]
    fn the_longest_is_one_byte_below_the_limit_and_left_out_where_tcp_sends_as_much() {
        assert_eq!(shape(Type::Tcp4Max, &USUAL, false).unwrap().frame_bytes, 65_535);
        let few = Limits { gso_max_segs: 10, ..USUAL };
        assert_eq!(shape(Type::Tcp4Max, &few, false), None);
    }

    #[test]
    fn limits_of_the_interface_are_kept() {
        let small = shape(Type::Tcp4, &Limits { gso_max_bytes: 8_000, ..USUAL }, false).unwrap();
        assert_eq!((small.segments, small.frame_bytes), (5, 14 + 40 + 5 * 1460));
        let few = shape(Type::Tcp4, &Limits { gso_max_segs: 10, ..USUAL }, false).unwrap();
        assert_eq!(few.segments, 10);
        let jumbo = shape(Type::Tcp4, &Limits { mtu_bytes: 9_000, ..USUAL }, false).unwrap();
        assert_eq!((jumbo.gso_size, jumbo.segments), (8_960, 7));
        let lo = shape(Type::Tcp4, &Limits { mtu_bytes: 65_536, ..USUAL }, false).unwrap();
        assert_eq!(lo.segments, 4);
    }

    proptest! {
        #[test]
        fn any_limits_give_a_super_packet_that_ip_can_carry(
            mtu_bytes in 0_usize..100_000, gso_max_bytes in 0_usize..1_000_000, gso_max_segs in 0_usize..100_000,
        ) {
            let limits = Limits { mtu_bytes, gso_max_bytes: gso_max_bytes.min(65_536), gso_max_segs };
            for kind in Type::ALL {
                if let Some(shape) = shape(kind, &limits, kind == Type::Tcp4Vlan) {
                    prop_assert!(shape.segments >= 2, "{kind:?} {shape:?}");
                    let link = ETHERNET_HEADER_BYTES + if kind == Type::Tcp4Vlan { VLAN_TAG_BYTES } else { 0 };
                    prop_assert!(shape.frame_bytes - link <= 65_535, "{kind:?} {shape:?}");
                    let size = usize::from(shape.gso_size);
                    prop_assert!(size == 1 || size + ip_header_bytes(kind) + transport_header_bytes(kind) <= mtu_bytes);
                    prop_assert_eq!(shape.segments as usize, shape.payload_bytes.div_ceil(size));
                }
            }
        }
    }
}
