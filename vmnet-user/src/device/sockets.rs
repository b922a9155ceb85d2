//! TCP sockets as the kernel's own TCP sees them (`inet_diag`): the count of payload that owes nothing to our programs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use netlink_sys::protocols::NETLINK_SOCK_DIAG;

use super::{
    attributes::{array_at, attribute, u32_at},
    netlink::{Netlink, NetlinkError},
    tcp_info::TcpInfo,
};
use crate::model::senders::Sender;

/// `linux/sock_diag.h`.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `linux/inet_diag.h`: the extension that holds `struct tcp_info`.
const INET_DIAG_INFO: u16 = 2;
/// `struct inet_diag_req_v2`.
const REQUEST_BYTES: usize = 56;
/// `struct inet_diag_msg`.
const INET_DIAG_MSG_BYTES: usize = 72;

/// `net/tcp_states.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpState {
    /// Data may flow both ways.
    Established,
    /// SYN sent.
    SynSent,
    /// SYN received.
    SynRecv,
    /// Closed here, not acknowledged yet.
    FinWait1,
    /// Closed here, acknowledged.
    FinWait2,
    /// Closed both ways, waiting out stray segments.
    TimeWait,
    /// Closed.
    Close,
    /// Closed by the peer.
    CloseWait,
    /// Closed by both, the last FIN not acknowledged yet.
    LastAck,
    /// Waiting for connections.
    Listen,
    /// Closed by both at once.
    Closing,
    /// A state that this program does not know.
    Other(u8),
}

impl TcpState {
    fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Established,
            2 => Self::SynSent,
            3 => Self::SynRecv,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Close,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            other => Self::Other(other),
        }
    }
}

/// States of sockets that may have sent payload and still say how much: a socket in `TIME_WAIT` has forgotten, a listener never sent.
const STATES: u32 = 1 << 1 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;

/// One TCP socket. All counts are since it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketBytes {
    /// Its number, never used again while the machine runs.
    pub cookie: u64,
    /// Its own address, IPv4 even where an IPv6 socket speaks IPv4.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
    /// Its state.
    pub state: TcpState,
    /// Payload handed to IP, retransmits included; None where the kernel does not tell (before 4.19).
    pub bytes_sent: Option<u64>,
    /// The retransmitted part of it.
    pub bytes_retransmitted: Option<u64>,
    /// Written by the application, not sent yet.
    pub bytes_not_sent: Option<u64>,
    /// Segments sent, with SYN, pure ACK and retransmits. Wraps at 32 bits.
    pub segs_out: Option<u32>,
}

/// Asks the kernel about sockets. Keep it open for repeated reads.
#[derive(Debug)]
pub struct SocketReader {
    netlink: Netlink,
}

impl SocketReader {
    /// Opens the socket, in the network namespace of this thread. No privilege is needed.
    ///
    /// # Errors
    /// When the kernel refuses the socket.
    pub fn open() -> Result<Self, NetlinkError> {
        Ok(Self { netlink: Netlink::open(NETLINK_SOCK_DIAG)? })
    }

    /// The TCP sockets of the namespace, of all users, whose local address is one of `addresses`. Link-local addresses are
    /// compared without their scope. Costs with the number of sockets in the namespace.
    ///
    /// # Errors
    /// When the kernel cannot be asked: `ENOENT` where it has no `tcp_diag`.
    pub fn live(&mut self, addresses: &[IpAddr]) -> Result<Vec<SocketBytes>, NetlinkError> {
        let mut sockets = self.all(parse)?;
        sockets.retain(|socket| addresses.contains(&socket.local.ip()));
        Ok(sockets)
    }

    /// What holds up the TCP sockets of the namespace, of all users, whose local address is one of `addresses`; two looks make a
    /// [`crate::model::senders::SenderLimits`].
    ///
    /// # Errors
    /// The same as of [`Self::live`].
    pub fn senders(&mut self, addresses: &[IpAddr]) -> Result<Vec<Sender>, NetlinkError> {
        let sockets = self.all(|message| Some((parse(message)?.local.ip(), parse_sender(message)?)))?;
        Ok(sockets
            .into_iter()
            .filter(|(address, _)| addresses.contains(address))
            .map(|(_, sender)| sender)
            .collect())
    }

    fn all<T>(&mut self, parse: impl Fn(&[u8]) -> Option<T>) -> Result<Vec<T>, NetlinkError> {
        let mut sockets = Vec::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            let messages = match self.netlink.dump(SOCK_DIAG_BY_FAMILY, &request(family)) {
                // No IPv6 in this kernel, so no sockets of it.
                Err(error) if family == libc::AF_INET6 && error.errno() == Some(libc::ENOENT) => continue,
                messages => messages?,
            };
            sockets.extend(messages.iter().filter_map(|message| parse(message)));
        }
        Ok(sockets)
    }
}

/// [`SocketReader::live`] once.
///
/// # Errors
/// The same.
pub fn live(addresses: &[IpAddr]) -> Result<Vec<SocketBytes>, NetlinkError> {
    SocketReader::open()?.live(addresses)
}

/// `struct inet_diag_req_v2`, with no socket named: all of them.
fn request(family: libc::c_int) -> [u8; REQUEST_BYTES] {
    let mut request = [0; REQUEST_BYTES];
    let head = [
        u8::try_from(family).unwrap_or_default(),
        u8::try_from(libc::IPPROTO_TCP).unwrap_or_default(),
        1 << (INET_DIAG_INFO - 1),
        0,
    ];
    for (byte, value) in request.iter_mut().zip(head.into_iter().chain(STATES.to_ne_bytes())) {
        *byte = value;
    }
    request
}

/// `struct inet_diag_msg`: family, state, timer, retrans; then `inet_diag_sockid` at 4 with ports in network order, addresses, interface
/// and cookie.
pub(super) fn parse(message: &[u8]) -> Option<SocketBytes> {
    let family = libc::c_int::from(*message.first()?);
    let values = message.get(INET_DIAG_MSG_BYTES..)?;
    let info = TcpInfo::parse(attribute(values, INET_DIAG_INFO).unwrap_or_default());
    Some(SocketBytes {
        cookie: u64::from(u32_at(message, 44)?) | u64::from(u32_at(message, 48)?) << 32,
        local: SocketAddr::new(address(message, family, 8)?, u16::from_be_bytes(array_at(message, 4)?)),
        remote: SocketAddr::new(address(message, family, 24)?, u16::from_be_bytes(array_at(message, 6)?)),
        state: TcpState::from_number(*message.get(1)?),
        bytes_sent: info.bytes_sent,
        bytes_retransmitted: info.bytes_retransmitted,
        bytes_not_sent: info.bytes_not_sent.map(u64::from),
        segs_out: info.segs_out,
    })
}

pub(super) fn parse_sender(message: &[u8]) -> Option<Sender> {
    let values = message.get(INET_DIAG_MSG_BYTES..)?;
    let info = TcpInfo::parse(attribute(values, INET_DIAG_INFO).unwrap_or_default());
    Some(Sender {
        cookie: parse(message)?.cookie,
        busy_us: info.busy_us,
        rwnd_limited_us: info.rwnd_limited_us,
        sndbuf_limited_us: info.sndbuf_limited_us,
        bytes_sent: info.bytes_sent,
        retransmitted_segs: info.retransmitted_segments,
        rtt_us: info.rtt_us,
        cwnd_segs: info.snd_cwnd,
        mss_bytes: info.snd_mss,
        app_limited: info.app_limited,
        pacing_bytes_per_s: info.pacing_bytes_per_s,
        most_pacing_bytes_per_s: info.most_pacing_bytes_per_s,
    })
}

fn address(message: &[u8], family: libc::c_int, offset: usize) -> Option<IpAddr> {
    match family {
        libc::AF_INET => Some(Ipv4Addr::from(array_at::<4>(message, offset)?).into()),
        // An IPv6 socket that speaks IPv4 has mapped addresses; the interface has plain ones.
        libc::AF_INET6 => Some(IpAddr::from(Ipv6Addr::from(array_at::<16>(message, offset)?)).to_canonical()),
        _ => None,
    }
}

#[cfg(test)]
#[path = "sockets_tests.rs"]
mod tests;
