//! The bytes of a super-packet: `struct virtio_net_hdr`, then the packet.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{
    IpFragOffset, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, TcpHeader, UdpHeader,
    checksum::Sum16BitWords,
};

use super::shape::{Shape, is_ipv6, is_udp};
use crate::model::checked::Type;

/// From and to, in addresses that RFC 5737 and RFC 3849 keep for documentation: nobody has them.
pub(super) const SOURCE_4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(super) const DESTINATION_4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
pub(super) const SOURCE_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
pub(super) const DESTINATION_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
/// TTL and hop limit: no router passes it on.
pub(super) const TTL: u8 = 1;
/// The discard service (RFC 863), from and to.
pub(super) const PORT: u16 = 9;
/// Of tagged frames: the one that stands for none.
pub(super) const VLAN_ID: u16 = 0;
/// What the payload consists of, for whoever captures it.
const LABEL: &[u8] = b"vmnet check: a harmless test frame, to its own sender. ";

// `linux/virtio_net.h`.
const VIRTIO_NET_HDR_F_NEEDS_CSUM: u8 = 1;
const VIRTIO_NET_HDR_GSO_TCPV4: u8 = 1;
const VIRTIO_NET_HDR_GSO_TCPV6: u8 = 4;
const VIRTIO_NET_HDR_GSO_UDP_L4: u8 = 5;
const VIRTIO_NET_HDR_GSO_ECN: u8 = 0x80;
/// `struct virtio_net_hdr`.
pub(super) const VIRTIO_NET_HDR_BYTES: usize = 10;

const ETH_P_IP: u16 = 0x0800;
const ETH_P_IPV6: u16 = 0x86DD;
const ETH_P_8021Q: u16 = 0x8100;
/// Offsets of the checksum in the transport header.
const TCP_CHECKSUM_OFFSET: u16 = 16;
const UDP_CHECKSUM_OFFSET: u16 = 6;

/// A super-packet ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// `struct virtio_net_hdr`, Ethernet header, packet.
    pub(super) bytes: Vec<u8>,
    /// EtherType, host byte order.
    pub(super) protocol: u16,
}

/// From whom to whom, and whether there is a tag between Ethernet and IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) source: [u8; 6],
    pub(super) destination: [u8; 6],
    /// Priority 0, VLAN 0: it names no VLAN, so that the frame stays in the port's own.
    pub(super) tagged: bool,
}

/// Builds one. None for sizes that IP cannot carry.
pub(super) fn build(kind: Type, shape: &Shape, envelope: &Envelope) -> Option<Frame> {
    let transport = transport_header(kind, shape)?;
    let ip = ip_header(kind, transport.len() + shape.payload_bytes)?;
    let inner_protocol = if is_ipv6(kind) { ETH_P_IPV6 } else { ETH_P_IP };
    let protocol = if envelope.tagged { ETH_P_8021Q } else { inner_protocol };
    let mut link = [envelope.destination, envelope.source].concat();
    link.extend_from_slice(&protocol.to_be_bytes());
    if envelope.tagged {
        link.extend_from_slice(&VLAN_ID.to_be_bytes());
        link.extend_from_slice(&inner_protocol.to_be_bytes());
    }
    let virtio = virtio_header(kind, shape, link.len() + ip.len(), transport.len())?;
    let mut bytes = [virtio.as_slice(), &link, &ip, &transport].concat();
    bytes.extend(LABEL.iter().cycle().take(shape.payload_bytes));
    Some(Frame { bytes, protocol })
}

/// `struct virtio_net_hdr`, in this machine's byte order: af_packet takes it as legacy virtio does.
fn virtio_header(
    kind: Type,
    shape: &Shape,
    transport_at: usize,
    transport_bytes: usize,
) -> Option<[u8; VIRTIO_NET_HDR_BYTES]> {
    let gso_type = match kind {
        Type::Tcp4 | Type::Tcp4Vlan | Type::Tcp4Max => VIRTIO_NET_HDR_GSO_TCPV4,
        Type::Tcp6 => VIRTIO_NET_HDR_GSO_TCPV6,
        Type::Tcp4Ecn => VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
        Type::Tcp6Ecn => VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN,
        Type::Udp4 | Type::Udp6 => VIRTIO_NET_HDR_GSO_UDP_L4,
    };
    let checksum_offset = if is_udp(kind) { UDP_CHECKSUM_OFFSET } else { TCP_CHECKSUM_OFFSET };
    let mut header = [0; VIRTIO_NET_HDR_BYTES];
    let (flags, numbers) = header.split_at_mut(2);
    flags.copy_from_slice(&[VIRTIO_NET_HDR_F_NEEDS_CSUM, gso_type]);
    let header_bytes = u16::try_from(transport_at + transport_bytes).ok()?;
    let fields = [header_bytes, shape.gso_size, u16::try_from(transport_at).ok()?, checksum_offset];
    for (place, number) in numbers.chunks_exact_mut(2).zip(fields) {
        place.copy_from_slice(&number.to_ne_bytes());
    }
    Some(header)
}

fn ip_header(kind: Type, ip_payload_bytes: usize) -> Option<Vec<u8>> {
    let protocol = if is_udp(kind) { IpNumber::UDP } else { IpNumber::TCP };
    if is_ipv6(kind) {
        let header = Ipv6Header {
            traffic_class: 0,
            flow_label: Ipv6FlowLabel::ZERO,
            payload_length: u16::try_from(ip_payload_bytes).ok()?,
            next_header: protocol,
            hop_limit: TTL,
            source: SOURCE_6.octets(),
            destination: DESTINATION_6.octets(),
        };
        return Some(header.to_bytes().to_vec());
    }
    let mut header = Ipv4Header {
        dont_fragment: true,
        identification: 1,
        fragment_offset: IpFragOffset::ZERO,
        time_to_live: TTL,
        protocol,
        source: SOURCE_4.octets(),
        destination: DESTINATION_4.octets(),
        ..Ipv4Header::default()
    };
    header.set_payload_len(ip_payload_bytes).ok()?;
    header.header_checksum = header.calc_header_checksum();
    Some(header.to_bytes().to_vec())
}

/// With the sum over the pseudo-header in the place of the checksum, as `CHECKSUM_PARTIAL` wants it.
fn transport_header(kind: Type, shape: &Shape) -> Option<Vec<u8>> {
    let header_bytes = if is_udp(kind) { UdpHeader::LEN } else { TcpHeader::MIN_LEN };
    let length = u16::try_from(header_bytes + shape.payload_bytes).ok()?;
    let partial = pseudo_header_sum(kind, length);
    if is_udp(kind) {
        let header = UdpHeader { source_port: PORT, destination_port: PORT, length, checksum: partial };
        return Some(header.to_bytes().to_vec());
    }
    let mut header = TcpHeader::new(PORT, PORT, 1, u16::MAX);
    header.acknowledgment_number = 1;
    header.ack = true;
    header.cwr = matches!(kind, Type::Tcp4Ecn | Type::Tcp6Ecn);
    header.checksum = partial;
    Some(header.to_bytes().to_vec())
}

/// The ones' complement sum of addresses, protocol and length, not inverted.
fn pseudo_header_sum(kind: Type, length: u16) -> u16 {
    let protocol = if is_udp(kind) { IpNumber::UDP } else { IpNumber::TCP };
    let addresses = if is_ipv6(kind) {
        Sum16BitWords::new().add_16bytes(SOURCE_6.octets()).add_16bytes(DESTINATION_6.octets())
    } else {
        Sum16BitWords::new().add_4bytes(SOURCE_4.octets()).add_4bytes(DESTINATION_4.octets())
    };
    let sum = addresses.add_2bytes([0, protocol.0]).add_2bytes(length.to_be_bytes());
    !sum.ones_complement().to_be()
}

#[cfg(test)]
mod tests {
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};

    use super::*;
    use crate::check::shape::{Limits, shape};

    const OWN: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];
    const LIMITS: Limits = Limits { mtu_bytes: 1500, gso_max_bytes: 65_536, gso_max_segs: 65_535 };

    fn built(kind: Type) -> (Shape, Frame) {
        let tagged = kind == Type::Tcp4Vlan;
        let shape = shape(kind, &LIMITS, tagged).unwrap();
        let envelope = Envelope { source: OWN, destination: OWN, tagged };
        (shape, build(kind, &shape, &envelope).unwrap())
    }

    fn numbers(frame: &Frame) -> [u16; 4] {
        let at = |place: usize| u16::from_ne_bytes([frame.bytes[place], frame.bytes[place + 1]]);
        [at(2), at(4), at(6), at(8)]
    }

    /// RFC 1071, in the plainest way there is.
    fn internet_sum(bytes: &[u8]) -> u16 {
        let words =
            bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
        let sum = words.fold(0_u32, |sum, word| {
            let sum = sum + word;
            (sum & 0xFFFF) + (sum >> 16)
        });
        u16::try_from(sum).unwrap()
    }

    #[test]
    fn every_type_can_be_read_back_as_what_it_is() {
        for kind in Type::ALL {
            let (shape, frame) = built(kind);
            let packet = SlicedPacket::from_ethernet(&frame.bytes[VIRTIO_NET_HDR_BYTES..]).unwrap();
            assert_eq!(frame.bytes.len() - VIRTIO_NET_HDR_BYTES, shape.frame_bytes, "{kind:?}");
            match packet.net.unwrap() {
                NetSlice::Ipv4(ip) => {
                    let header = ip.header();
                    assert!(!is_ipv6(kind) && header.ttl() == 1);
                    assert_eq!((header.source_addr(), header.destination_addr()), (SOURCE_4, DESTINATION_4));
                    assert_eq!(internet_sum(header.slice()), 0xFFFF, "{kind:?}: the header's checksum");
                }
                NetSlice::Ipv6(ip) => {
                    let header = ip.header();
                    assert!(is_ipv6(kind) && header.hop_limit() == 1);
                    assert_eq!((header.source_addr(), header.destination_addr()), (SOURCE_6, DESTINATION_6));
                }
                NetSlice::Arp(_) => panic!("{kind:?} is ARP"),
            }
            let payload_bytes = match packet.transport.unwrap() {
                TransportSlice::Tcp(tcp) => {
                    assert_eq!(tcp.cwr(), matches!(kind, Type::Tcp4Ecn | Type::Tcp6Ecn), "{kind:?}");
                    assert!(tcp.ack() && !tcp.syn() && !tcp.fin() && !tcp.rst());
                    tcp.payload().len()
                }
                TransportSlice::Udp(udp) => udp.payload().len(),
                other => panic!("{kind:?} is {other:?}"),
            };
            assert_eq!(payload_bytes, shape.payload_bytes, "{kind:?}");
        }
    }

    #[test]
    fn the_virtio_header_points_at_the_transport_header_and_its_checksum() {
        for (kind, expected) in [
            (Type::Tcp4, [54, 1460, 34, 16]),
            (Type::Tcp6, [74, 1440, 54, 16]),
            (Type::Udp4, [42, 1472, 34, 6]),
            (Type::Tcp4Vlan, [58, 1460, 38, 16]),
        ] {
            assert_eq!(numbers(&built(kind).1), expected, "{kind:?}");
        }
        let types: Vec<u8> = Type::ALL.into_iter().map(|kind| built(kind).1.bytes[1]).collect();
        assert_eq!(types, [1, 4, 0x81, 0x84, 5, 5, 1, 1]);
    }

    #[test]
    fn a_checksum_over_all_of_it_comes_out_right_once_it_is_filled_in() {
        for kind in Type::ALL {
            let (shape, frame) = built(kind);
            let [_, _, start, offset] = numbers(&frame).map(usize::from);
            let mut transport = frame.bytes[VIRTIO_NET_HDR_BYTES + start..].to_vec();
            // As the device does it: the sum over all, with that over the pseudo-header in its place.
            let sum = !internet_sum(&transport);
            transport[offset..offset + 2].copy_from_slice(&sum.to_be_bytes());
            let length = u32::try_from(transport.len()).unwrap().to_be_bytes();
            let protocol = if is_udp(kind) { 17 } else { 6 };
            let mut whole = if is_ipv6(kind) {
                [SOURCE_6.octets(), DESTINATION_6.octets()].concat()
            } else {
                [SOURCE_4.octets(), DESTINATION_4.octets()].concat()
            };
            whole.extend_from_slice(&length);
            whole.extend_from_slice(&[0, 0, 0, protocol]);
            whole.append(&mut transport);
            assert_eq!(internet_sum(&whole), 0xFFFF, "{kind:?} of {} bytes", shape.frame_bytes);
        }
    }

    #[test]
    fn whoever_captures_one_can_read_what_it_is() {
        let (_, frame) = built(Type::Tcp4);
        assert!(frame.bytes.windows(11).any(|bytes| bytes == b"vmnet check"));
    }
}
