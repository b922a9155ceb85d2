//! One skb, classified: the same rule at every stage.

use core::{mem::MaybeUninit, num::NonZero};

use vmnet_common::{Class, Lane, PerCpu};

use crate::{
    config::{config, offset},
    headers::{self, Found},
    memory::{CopyOf, Memory, field, read},
    per_cpu::per_cpu,
    verifier::forget,
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
    /// The full local socket that owns it, or null.
    pub(crate) socket: *const u8,
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
    /// Encrypted by IPsec.
    pub(crate) const ESP: u32 = 64;

    /// Those that [`crate::account`] looks at.
    pub(crate) const COUNTED: u32 = Self::TUNNEL | Self::FORWARDED | Self::UNREADABLE | Self::TAGGED;

    #[inline(always)]
    pub(crate) fn is(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    #[inline(always)]
    pub(crate) fn is_tcp(&self) -> bool {
        self.lane == Lane::Tcp4 as u32 || self.lane == Lane::Tcp6 as u32
    }

    /// What the wire carries beyond `len`.
    #[inline(always)]
    pub(crate) fn unsent_header_bytes(&self) -> u64 {
        if self.class == Class::Super as u32 {
            u64::from(self.segs.saturating_sub(1)) * u64::from(self.header)
        } else {
            0
        }
    }
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
    if !M::IS_DEAR {
        return is_in_our_namespace::<M>(device);
    }
    // An address can come again for another device, but not with the same index while userspace watches ours.
    let Some(per_cpu) = per_cpu() else { return false };
    // SAFETY: the pointer came from the per-CPU map.
    unsafe {
        if (*per_cpu).device == device as u64 {
            return true;
        }
        let ours = is_in_our_namespace::<M>(device);
        if ours {
            (*per_cpu).device = device as u64;
        }
        ours
    }
}

#[inline(always)]
fn is_in_our_namespace<M: Memory>(device: *const u8) -> bool {
    let net: *const u8 = M::load(device, offset!(dev_net));
    if net.is_null() {
        return false;
    }
    let inum: u32 = M::load(net, offset!(net_inum));
    inum == config!(netns_inum)
}

/// Room for `skb_shared_info` from `gso_size` to `gso_type`.
#[repr(C, align(8))]
struct Gso([u8; 24]);

const TCP_TIME_WAIT: u8 = 6;
const TCP_NEW_SYN_RECV: u8 = 12;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const GSO_BY_FRAGS: u32 = 0xffff;

/// Classifies an skb of our device. `skb` is what [`Memory::skb`] gave.
#[inline(always)]
pub(crate) fn parse<M: Memory>(
    skb: *const u8,
    device: *const u8,
    per_cpu: *mut PerCpu,
    copy: CopyOf,
) -> Packet {
    let mut packet = parse_each_way::<M>(skb, device);
    // SAFETY: the pointer came from the per-CPU map, whose value is a `PerCpu`.
    let [lane, class, flags, segs, payload, gso_size] = unsafe { &mut (*per_cpu).forgotten[copy as usize] };
    packet.lane = forget(packet.lane, lane);
    packet.class = forget(packet.class, class);
    packet.flags = forget(packet.flags, flags);
    packet.segs = forget(packet.segs, segs);
    packet.payload = forget(packet.payload, payload);
    packet.gso_size = forget(packet.gso_size, gso_size);
    packet
}

#[inline(always)]
fn parse_each_way<M: Memory>(skb: *const u8, device: *const u8) -> Packet {
    let len: u32 = field(skb, offset!(skb_len));
    let head: u64 = field(skb, offset!(skb_head));
    let end: u32 = field(skb, offset!(skb_end));
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
        socket: core::ptr::null(),
    };

    let mut copy = MaybeUninit::<Gso>::uninit();
    let mut gso =
        head.wrapping_add(u64::from(end)).wrapping_add(u64::from(offset!(shinfo_gso_size))) as *const u8;
    if !M::loads_from_head() {
        if !read(copy.as_mut_ptr(), gso.cast()) {
            packet.flags = Packet::UNREADABLE;
            return packet;
        }
        gso = copy.as_ptr().cast();
    }
    packet.gso_size = u32::from(field::<u16>(gso, 0));
    let gso_segs = if packet.gso_size == 0 {
        0
    } else {
        u32::from(field::<u16>(gso, offset!(shinfo_gso_segs).wrapping_sub(offset!(shinfo_gso_size))))
    };
    packet.gso_type = field(gso, offset!(shinfo_gso_type).wrapping_sub(offset!(shinfo_gso_size)));
    if is_tagged_in_software::<M>(skb, device) {
        packet.flags |= Packet::TAGGED;
    }

    let data: u64 = field(skb, offset!(skb_data));
    let data_offset = data.wrapping_sub(head) as u32;
    let (network, tunnel) = innermost(skb, head, len.wrapping_add(data_offset));
    if tunnel {
        packet.flags |= Packet::TUNNEL;
    }
    let transport_header = u32::from(field::<u16>(skb, offset!(skb_transport_header)));
    let at = head.wrapping_add(u64::from(network));
    let transport = headers::find::<M>(at, transport_header.wrapping_sub(network));
    if transport.found == Found::Unreadable {
        packet.flags |= Packet::UNREADABLE;
        return packet;
    }
    if transport.found != Found::Transport {
        if transport.found == Found::Esp {
            packet.flags |= Packet::ESP;
        }
        if packet.gso_size != 0 {
            packet.class = Class::Super as u32;
            packet.segs = if gso_segs == 0 { 1 } else { gso_segs };
        }
        return packet;
    }
    packet.lane = transport.lane;
    let ip_start = network.wrapping_sub(data_offset);
    packet.header = ip_start.wrapping_add(transport.payload_offset);
    let mut payload_end = len;
    if packet.gso_size == 0 {
        // What follows the IP packet is padding.
        let padded = ip_start.wrapping_add(transport.ip_len);
        if transport.ip_len != 0 && padded < len {
            payload_end = padded;
        }
    }
    packet.payload = payload_end.saturating_sub(packet.header);

    if let Some(gso_size) = NonZero::new(packet.gso_size) {
        packet.class = Class::Super as u32;
        packet.segs = gso_segs;
        if gso_segs == 0 {
            packet.flags |= Packet::UNCOUNTED;
            if gso_size.get() != GSO_BY_FRAGS {
                packet.segs = segments(packet.payload, gso_size);
            }
        }
    }
    packet.socket = full_socket::<M>(skb);
    if packet.socket.is_null() {
        packet.flags |= Packet::LOOSE;
        if field::<u32>(skb, offset!(skb_iif)) != 0 {
            packet.flags |= Packet::FORWARDED;
        }
    }
    if packet.gso_size == 0 && packet.payload != 0 {
        packet.class = single::<M>(&packet, device, len.wrapping_sub(ip_start));
    }
    packet
}

/// `gso_size` alone, of any skb; None if it cannot be read.
#[inline(always)]
pub(crate) fn gso_size<M: Memory>(skb: *const u8) -> Option<u16> {
    let head: u64 = M::load(skb, offset!(skb_head));
    let end: u32 = M::load(skb, offset!(skb_end));
    let at = head.wrapping_add(u64::from(end)).wrapping_add(u64::from(offset!(shinfo_gso_size)));
    if M::loads_from_head() {
        return Some(field(at as *const u8, 0));
    }
    let mut gso_size = 0_u16;
    read(&raw mut gso_size, at as *const u16).then_some(gso_size)
}

/// Where the innermost IP header is, from `head`, and whether that is inside a tunnel. `end` is where the packet ends.
///
/// Segments of a tunnelled super-packet are not marked as encapsulated where the CPU made their inner checksum
/// (`__skb_udp_tunnel_segment`), nor are singles (`iptunnel_handle_offloads`), but both still know where their inner header is. It is
/// believed if what it says of its packet's length fits: behind encryption there is none.
#[inline(always)]
pub(crate) fn innermost(skb: *const u8, head: u64, end: u32) -> (u32, bool) {
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
fn single<M: Memory>(packet: &Packet, device: *const u8, l3_len: u32) -> u32 {
    let socket = packet.socket;
    let tcp = packet.is_tcp();
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
    let (family, state) = family_and_state::<M>(socket);
    let internet = family == AF_INET || family == AF_INET6;
    if internet && state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV { socket } else { core::ptr::null() }
}

/// Neighbours in `sock_common`, so that one read of two words has both where a read is dear.
#[inline(always)]
fn family_and_state<M: Memory>(socket: *const u8) -> (u16, u8) {
    if !M::IS_DEAR {
        return (M::load(socket, offset!(sock_family)), M::load(socket, offset!(sock_state)));
    }
    let mut both = MaybeUninit::<u64>::uninit();
    if !read(both.as_mut_ptr(), socket.wrapping_add(offset!(sock_family) as usize).cast()) {
        return (0, 0);
    }
    let both = both.as_ptr().cast();
    (field(both, 0), field(both, offset!(sock_state).wrapping_sub(offset!(sock_family))))
}

/// Whether the local socket's route leaves through another device, above this one.
#[inline(always)]
pub(crate) fn comes_from_above<M: Memory>(device: *const u8, packet: &Packet) -> bool {
    if packet.socket.is_null() {
        return false;
    }
    let route: *const u8 = M::load(packet.socket, offset!(sock_dst_cache));
    if route.is_null() {
        return false;
    }
    let leaves_by: *const u8 = M::load(route, offset!(dst_dev));
    !leaves_by.is_null() && leaves_by != device
}
