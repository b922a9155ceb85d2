//! One skb, classified: the same rule at every stage.

use core::num::NonZero;

use vmnet_common::{Class, Lane};

use crate::{
    config::{config, offset},
    memory::{Memory, field, read},
};

/// What the counters need to know of an skb.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Packet {
    pub(crate) len: u32,
    pub(crate) payload: u32,
    /// From `skb->data` to the payload.
    pub(crate) header: u32,
    /// Wire segments.
    pub(crate) segs: u32,
    pub(crate) gso_size: u32,
    pub(crate) gso_type: u32,
    pub(crate) lane: u32,
    pub(crate) class: u32,
    pub(crate) flags: u32,
    /// TCP sequence number; 0 for other lanes.
    pub(crate) seq: u32,
}

impl Packet {
    /// Inside a tunnel.
    pub(crate) const TUNNEL: u32 = 1;
    /// Came in by an interface and belongs to no local socket.
    pub(crate) const FORWARDED: u32 = 2;
    /// Headers could not be read.
    pub(crate) const UNREADABLE: u32 = 4;
    /// No full local socket owns it.
    pub(crate) const LOOSE: u32 = 8;
    /// A VLAN tag lies beside it that the device cannot insert.
    pub(crate) const TAGGED: u32 = 16;
    /// A super-packet whose `gso_segs` is 0: forwarded, or from a packet socket.
    pub(crate) const UNCOUNTED: u32 = 32;

    #[inline(always)]
    pub(crate) fn is(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

/// The packet that a driver is working on.
#[repr(C)]
pub(crate) struct InDriver {
    /// Address of the skb; 0 when there is none. Never followed: the driver may have freed it.
    pub(crate) skb: u64,
    /// Freed by the driver before it returned: a drop.
    pub(crate) freed: u32,
    pub(crate) packet: Packet,
}

/// The device's pointer if `skb->dev` is the interface that userspace asked for.
#[inline(always)]
pub(crate) fn our_device<M: Memory>(skb: *const u8) -> Option<*const u8> {
    let device: *const u8 = field(skb, offset!(skb_dev));
    is_ours::<M>(device).then_some(device)
}

/// Whether a `net_device` is the interface that userspace asked for. Indexes repeat across network namespaces.
#[inline(always)]
pub(crate) fn is_ours<M: Memory>(device: *const u8) -> bool {
    if device.is_null() {
        return false;
    }
    let ifindex: u32 = M::load(device, offset!(dev_ifindex));
    if ifindex != config!(ifindex) {
        return false;
    }
    let net: *const u8 = M::load(device, offset!(dev_net));
    if net.is_null() {
        return false;
    }
    let inum: u32 = M::load(net, offset!(net_inum));
    inum == config!(netns_inum)
}

/// The part of `skb_shared_info` that holds `gso_size`, `gso_segs` and `gso_type`.
#[repr(C, align(8))]
struct SharedInfo([u8; 40]);

/// IP and transport headers: an IPv6 header, a hop-by-hop header of BIG TCP, and the fixed part of a TCP header.
#[repr(C, align(8))]
struct Headers([u8; HEADERS]);
const HEADERS: usize = 80;

const IPPROTO_HOPOPTS: u8 = 0;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
const TCP_TIME_WAIT: u8 = 6;
const TCP_NEW_SYN_RECV: u8 = 12;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const GSO_BY_FRAGS: u32 = 0xffff;

/// Classifies an skb of our device. `skb` is what [`Memory::skb`] gave.
#[inline(always)]
pub(crate) fn parse<M: Memory>(skb: *const u8, device: *const u8) -> Packet {
    let len: u32 = field(skb, offset!(skb_len));
    let head: u64 = field(skb, offset!(skb_head));
    let data: u64 = field(skb, offset!(skb_data));
    let end: u32 = field(skb, offset!(skb_end));
    let data_offset = data.wrapping_sub(head) as u32;

    let mut packet = Packet {
        len,
        payload: 0,
        header: len,
        segs: 1,
        gso_size: 0,
        gso_type: 0,
        lane: Lane::Other as u32,
        class: Class::Control as u32,
        flags: 0,
        seq: 0,
    };

    let mut shared = SharedInfo([0; 40]);
    if !read(&raw mut shared, head.wrapping_add(u64::from(end)) as *const SharedInfo) {
        packet.flags = Packet::UNREADABLE;
        return packet;
    }
    let shared = (&raw const shared).cast::<u8>();
    packet.gso_size = u32::from(field::<u16>(shared, offset!(shinfo_gso_size)));
    packet.gso_type = field(shared, offset!(shinfo_gso_type));
    let gso_segs = u32::from(field::<u16>(shared, offset!(shinfo_gso_segs)));

    let (network, tunnel) = innermost(skb, head, len.wrapping_add(data_offset));
    if tunnel {
        packet.flags |= Packet::TUNNEL;
    }
    if is_tagged_in_software::<M>(skb, device) {
        packet.flags |= Packet::TAGGED;
    }

    let mut headers = Headers([0; HEADERS]);
    if !read(&raw mut headers, head.wrapping_add(u64::from(network)) as *const Headers) {
        packet.flags |= Packet::UNREADABLE;
        return packet;
    }
    let Some(transport) = Transport::find(&headers.0) else {
        if packet.gso_size != 0 {
            packet.class = Class::Super as u32;
            packet.segs = if gso_segs == 0 { 1 } else { gso_segs };
        }
        return packet;
    };
    packet.lane = transport.lane;
    packet.seq = transport.seq;
    packet.header = network.wrapping_add(transport.payload_offset).wrapping_sub(data_offset);
    let payload = if packet.gso_size == 0 {
        // What follows the IP packet is padding.
        let padded = network.wrapping_add(transport.ip_len).wrapping_sub(data_offset);
        if transport.ip_len != 0 && padded < len { padded } else { len }
    } else {
        len
    };
    packet.payload = payload.saturating_sub(packet.header);

    if packet.gso_size != 0 {
        packet.class = Class::Super as u32;
        if gso_segs == 0 {
            packet.flags |= Packet::UNCOUNTED;
        }
        packet.segs = match NonZero::new(packet.gso_size) {
            Some(gso_size) if gso_segs == 0 && packet.gso_size != GSO_BY_FRAGS => {
                segments(packet.payload, gso_size)
            }
            _ => gso_segs,
        };
    }
    let socket = full_socket::<M>(skb);
    if socket.is_null() {
        packet.flags |= Packet::LOOSE;
        if field::<u32>(skb, offset!(skb_iif)) != 0 {
            packet.flags |= Packet::FORWARDED;
        }
    }
    if packet.gso_size == 0 && packet.payload != 0 {
        packet.class = single::<M>(&packet, socket, device, len + data_offset - network);
    }
    packet
}

/// Where the innermost IP header is, from `head`, and whether that is inside a tunnel. `end` is where the packet ends.
///
/// Segments of a tunnelled super-packet are not marked as encapsulated where the CPU made their inner checksum
/// (`__skb_udp_tunnel_segment`), nor are singles (`iptunnel_handle_offloads`), but both still know where their inner header is. It is
/// believed if what it says of its packet's length fits: behind encryption there is none.
#[inline(always)]
fn innermost(skb: *const u8, head: u64, end: u32) -> (u32, bool) {
    let encapsulated =
        u32::from(field::<u8>(skb, offset!(skb_encapsulation.offset))) & offset!(skb_encapsulation.mask) != 0;
    let outer = u32::from(field::<u16>(skb, offset!(skb_network_header)));
    let inner = u32::from(field::<u16>(skb, offset!(skb_inner_network_header)));
    if encapsulated {
        return (if inner == 0 { outer } else { inner }, true);
    }
    if inner <= outer {
        return (outer, false);
    }
    let mut start = [0_u8; 8];
    if !read(&raw mut start, head.wrapping_add(u64::from(inner)) as *const [u8; 8]) {
        return (outer, false);
    }
    let says = match start[0] >> 4 {
        4 => u32::from(u16::from_be_bytes([start[2], start[3]])),
        6 => u32::from(u16::from_be_bytes([start[4], start[5]])) + 40,
        _ => return (outer, false),
    };
    if inner + says == end { (inner, true) } else { (outer, false) }
}

/// NETIF_F_HW_VLAN_CTAG_TX: the device puts tags into packets.
const INSERTS_TAGS: u64 = 1 << 7;

/// Whether `validate_xmit_vlan` will put a tag into this packet.
#[inline(always)]
fn is_tagged_in_software<M: Memory>(skb: *const u8, device: *const u8) -> bool {
    let tag = u32::from(field::<u8>(skb, offset!(skb_vlan_tag.offset))) & offset!(skb_vlan_tag.mask);
    tag != 0 && M::load::<u64>(device, offset!(dev_features)) & INSERTS_TAGS == 0
}

/// Segments that a payload is cut into. The divisor's type keeps a panic out of the program.
#[inline(always)]
pub(crate) fn segments(payload: u32, gso_size: NonZero<u32>) -> u32 {
    (payload + (gso_size.get() - 1)) / gso_size
}

/// The class of a packet of one segment with payload.
#[inline(always)]
fn single<M: Memory>(packet: &Packet, socket: *const u8, device: *const u8, l3_len: u32) -> u32 {
    let tcp = packet.lane == Lane::Tcp4 as u32 || packet.lane == Lane::Tcp6 as u32;
    let built_by_tcp = tcp && packet.gso_type != 0;
    if tcp && !built_by_tcp && !socket.is_null() {
        return Class::Made as u32;
    }
    let full = if built_by_tcp && !socket.is_null() {
        let mut mss = 0_u32;
        read(&raw mut mss, socket.wrapping_add(offset!(tcp_mss_cache) as usize).cast());
        packet.payload + 36 >= mss
    } else {
        let mtu: u32 = M::load(device, offset!(dev_mtu));
        l3_len + 60 > mtu
    };
    match (built_by_tcp, full) {
        (true, true) => Class::Full as u32,
        (true, false) => Class::Small as u32,
        (false, true) => Class::LooseFull as u32,
        (false, false) => Class::LooseSmall as u32,
    }
}

/// The internet socket that owns the skb, if it is a full one: no request, no TIME_WAIT, no packet socket.
#[inline(always)]
fn full_socket<M: Memory>(skb: *const u8) -> *const u8 {
    let socket: *const u8 = field(skb, offset!(skb_sk));
    if socket.is_null() {
        return socket;
    }
    let family: u16 = M::load(socket, offset!(sock_family));
    let state: u8 = M::load(socket, offset!(sock_state));
    let internet = family == AF_INET || family == AF_INET6;
    if internet && state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV { socket } else { core::ptr::null() }
}

/// Whether TCP has sent this packet's first byte before: `snd_nxt` moves only after new data went out
/// (`tcp_event_new_data_sent`).
#[inline(always)]
pub(crate) fn is_retransmit<M: Memory>(skb: *const u8, packet: &Packet) -> bool {
    let tcp = packet.lane == Lane::Tcp4 as u32 || packet.lane == Lane::Tcp6 as u32;
    if !tcp || packet.payload == 0 || packet.is(Packet::LOOSE) {
        return false;
    }
    let socket: *const u8 = field(skb, offset!(skb_sk));
    // The verifier wants its own check of every pointer that it saw loaded.
    if socket.is_null() {
        return false;
    }
    let mut snd_nxt = 0_u32;
    read(&raw mut snd_nxt, socket.wrapping_add(offset!(tcp_snd_nxt) as usize).cast())
        && (packet.seq.wrapping_sub(snd_nxt) as i32) < 0
}

/// Whether the local socket's route leaves through another device, above this one.
#[inline(always)]
pub(crate) fn comes_from_above<M: Memory>(skb: *const u8, device: *const u8, packet: &Packet) -> bool {
    if packet.is(Packet::LOOSE) {
        return false;
    }
    let socket: *const u8 = field(skb, offset!(skb_sk));
    if socket.is_null() {
        return false;
    }
    let route: *const u8 = M::load(socket, offset!(sock_dst_cache));
    if route.is_null() {
        return false;
    }
    let leaves_by: *const u8 = M::load(route, offset!(dst_dev));
    !leaves_by.is_null() && leaves_by != device
}

/// What IP and transport headers say.
struct Transport {
    lane: u32,
    /// From the IP header to the payload.
    payload_offset: u32,
    /// Length of the IP packet by its own header; 0 where it does not say (BIG TCP).
    ip_len: u32,
    seq: u32,
}

impl Transport {
    /// None for what is neither TCP nor UDP, and for fragments.
    #[inline(always)]
    fn find(headers: &[u8; HEADERS]) -> Option<Self> {
        let (ip_header, protocol, ip_len, v6) = match headers[0] >> 4 {
            4 => {
                let fragment = u16::from_be_bytes([headers[6], headers[7]]) & 0x3fff;
                if fragment != 0 {
                    return None;
                }
                let ip_len = u32::from(u16::from_be_bytes([headers[2], headers[3]]));
                (u32::from(headers[0] & 0xf) * 4, headers[9], ip_len, false)
            }
            6 => {
                let payload_len = u32::from(u16::from_be_bytes([headers[4], headers[5]]));
                let ip_len = if payload_len == 0 { 0 } else { payload_len + 40 };
                if headers[6] == IPPROTO_HOPOPTS && headers[41] == 0 {
                    (48, headers[40], ip_len, true)
                } else {
                    (40, headers[6], ip_len, true)
                }
            }
            _ => return None,
        };
        match protocol {
            IPPROTO_TCP => {
                // Both bytes that are read lie at most at 60 + 12 < HEADERS; the mask shows it to the verifier.
                let tcp = crate::memory::opaque(u64::from(ip_header) & 0x3c) as usize & 0x3c;
                let base = headers.as_ptr();
                let byte = |at: usize| field::<u8>(base.wrapping_add(tcp), at as u32);
                let doff = u32::from(byte(12) >> 4) * 4;
                let seq = u32::from_be_bytes([byte(4), byte(5), byte(6), byte(7)]);
                let lane = if v6 { Lane::Tcp6 } else { Lane::Tcp4 } as u32;
                Some(Self { lane, payload_offset: ip_header + doff, ip_len, seq })
            }
            IPPROTO_UDP => {
                let lane = if v6 { Lane::Udp6 } else { Lane::Udp4 } as u32;
                Some(Self { lane, payload_offset: ip_header + 8, ip_len, seq: 0 })
            }
            _ => None,
        }
    }
}
