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
