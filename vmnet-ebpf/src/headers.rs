//! IP and transport headers, read in one go: no more bytes than they have where the skb says how long the IP header is, and it is so.

use core::mem::MaybeUninit;

use vmnet_common::Lane;

use crate::memory::{Memory, field, read};
use crate::verifier::opaque;

const IPPROTO_HOPOPTS: u8 = 0;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
const IPPROTO_ESP: u8 = 50;

const IPV4_HEADER: u32 = 20;
const IPV6_HEADER: u32 = 40;
/// Of a TCP header, up to the byte that says how long it is, in whole words.
const TCP_START: usize = 16;
/// An IPv6 header, a hop-by-hop header of BIG TCP, and the fixed part of a TCP header; or any IPv4 header, likewise.
const LONGEST: usize = 80;

/// Room for what is read.
#[repr(C, align(8))]
struct Bytes<const N: usize>([u8; N]);

/// What was found behind an IP header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// TCP or UDP.
    Transport,
    /// What IPsec encrypted.
    Esp,
    /// Something else, a fragment included.
    Other,
    /// Nothing: the memory could not be read.
    Unreadable,
}

/// What IP and transport headers say. All is written whatever was found: LLVM would move what is not, and the verifier refuses that.
#[derive(Clone, Copy)]
pub(crate) struct Headers {
    pub(crate) found: Found,
    pub(crate) lane: u32,
    /// From the IP header to the payload.
    pub(crate) payload_offset: u32,
    /// Length of the IP packet by its own header; 0 where it does not say (BIG TCP).
    pub(crate) ip_len: u32,
}

impl Headers {
    #[inline(always)]
    fn without(found: Found) -> Self {
        Self { found, lane: Lane::Other as u32, payload_offset: 0, ip_len: 0 }
    }
}

/// Looks at the headers at `at`, which is behind `skb->head`. `ip_header` is how long the skb says that the IP header is
/// (`transport_header` − `network_header`): only a hint of how much to copy, as the headers are asked too.
#[inline(always)]
pub(crate) fn find<M: Memory>(at: u64, ip_header: u32) -> Headers {
    let mut headers = MaybeUninit::<Bytes<LONGEST>>::uninit();
    let mut start = at as *const u8;
    if !M::loads_from_head() {
        if ip_header == IPV4_HEADER {
            let mut headers = MaybeUninit::<Bytes<{ IPV4_HEADER as usize + TCP_START }>>::uninit();
            if !read(headers.as_mut_ptr(), at as *const _) {
                return Headers::without(Found::Unreadable);
            }
            let start = headers.as_ptr().cast();
            if byte(start, 0) == 0x45 {
                return ipv4(start, IPV4_HEADER, start.wrapping_add(IPV4_HEADER as usize));
            }
        } else if ip_header == IPV6_HEADER {
            let mut headers = MaybeUninit::<Bytes<{ IPV6_HEADER as usize + TCP_START }>>::uninit();
            if !read(headers.as_mut_ptr(), at as *const _) {
                return Headers::without(Found::Unreadable);
            }
            let start = headers.as_ptr().cast();
            if byte(start, 0) >> 4 == 6 && byte(start, 6) != IPPROTO_HOPOPTS {
                return ipv6(start, IPV6_HEADER, byte(start, 6), start.wrapping_add(IPV6_HEADER as usize));
            }
        }
        if !read(headers.as_mut_ptr(), at as *const _) {
            return Headers::without(Found::Unreadable);
        }
        start = headers.as_ptr().cast();
    }
    any(start)
}

/// Whatever it is.
#[inline(always)]
fn any(start: *const u8) -> Headers {
    let first = byte(start, 0);
    let (ip_header, protocol) = match first >> 4 {
        4 => (u32::from(first & 0xf) * 4, 0),
        6 if byte(start, 6) == IPPROTO_HOPOPTS && byte(start, 41) == 0 => (48, byte(start, 40)),
        6 => (IPV6_HEADER, byte(start, 6)),
        _ => return Headers::without(Found::Other),
    };
    // What is read of a TCP header lies at most at 60 + 12 < LONGEST; the mask shows it to the verifier.
    let transport = start.wrapping_add(opaque(u64::from(ip_header) & 0x3c) as usize & 0x3c);
    if first >> 4 == 4 {
        ipv4(start, ip_header, transport)
    } else {
        ipv6(start, ip_header, protocol, transport)
    }
}

/// `transport` is where the transport header would be, `ip_header` bytes from the start.
#[inline(always)]
fn ipv4(start: *const u8, ip_header: u32, transport: *const u8) -> Headers {
    let is_fragment = be16(start, 6) & 0x3fff != 0;
    if is_fragment {
        return Headers::without(Found::Other);
    }
    let lanes = [Lane::Tcp4, Lane::Udp4];
    found(lanes, byte(start, 9), ip_header, be16(start, 2), transport)
}

#[inline(always)]
fn ipv6(start: *const u8, ip_header: u32, protocol: u8, transport: *const u8) -> Headers {
    let payload_len = be16(start, 4);
    let ip_len = if payload_len == 0 { 0 } else { payload_len + IPV6_HEADER };
    found([Lane::Tcp6, Lane::Udp6], protocol, ip_header, ip_len, transport)
}

#[inline(always)]
fn found([tcp, udp]: [Lane; 2], protocol: u8, ip_header: u32, ip_len: u32, transport: *const u8) -> Headers {
    let (lane, header) = match protocol {
        IPPROTO_TCP => (tcp, u32::from(byte(transport, 12) >> 4) * 4),
        IPPROTO_UDP => (udp, 8),
        IPPROTO_ESP => return Headers::without(Found::Esp),
        _ => return Headers::without(Found::Other),
    };
    Headers { found: Found::Transport, lane: lane as u32, payload_offset: ip_header + header, ip_len }
}

#[inline(always)]
fn byte(start: *const u8, at: u32) -> u8 {
    field(start, at)
}

#[inline(always)]
fn be16(start: *const u8, at: u32) -> u32 {
    u32::from(u16::from_be(field(start, at)))
}
