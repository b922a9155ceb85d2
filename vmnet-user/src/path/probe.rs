//! Super-packets of our own for a way on which nothing is sent: few, to the one address that was named, to a port where nobody takes them for more
//! than they are.
//!
//! They are real TCP's: a socket that is "repaired" (`TCP_REPAIR`, made for moving connections between machines) is established without a handshake, so
//! that what it sends is built, routed, translated and encrypted as any other connection's. The other end knows of no such connection and
//! answers with resets, if at all. Each socket sends its first flight, which TCP hands over as super-packets of half a congestion window, and is
//! reset then.

use std::{
    io::{self, Write as _},
    mem::size_of,
    net::{IpAddr, SocketAddr, TcpStream},
    os::fd::{AsRawFd as _, OwnedFd},
    time::Duration,
};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, connect, setsockopt, socket, sockopt,
};
use tokio::time::{Instant, sleep_until};

use crate::device::tcp_info::TcpInfo;

/// `discard` (RFC 863).
pub(super) const PORT: u16 = 9;
/// An answer takes a mebibyte: half as much again, of which a few may be lost.
const ENOUGH_BYTES: usize = 3 << 19;
/// However small the packets of the way are.
const MOST_CONNECTIONS: usize = 320;
/// `TCP_INIT_CWND`: what TCP sends before it is answered, in segments.
const FIRST_FLIGHT: usize = 10;
/// From one connection's flight to the next one's.
const BETWEEN: Duration = Duration::from_millis(4);
/// `linux/tcp.h`: ends the repair without a window probe.
const TCP_REPAIR_OFF_NO_WP: libc::c_int = -1;
/// `MAX_TCP_WINDOW`: `TCP_MAXSEG` takes no more. Without it TCP takes 536 for what the other end can do.
const LARGEST_MSS: libc::c_int = 32_767;
/// A window that is never what limits, and half of which is no less than a packet.
const WINDOW_BYTES: u32 = 1 << 20;

/// `struct tcp_repair_window`.
#[repr(C)]
#[derive(Default)]
struct RepairWindow {
    snd_wl1: u32,
    snd_wnd: u32,
    max_window: u32,
    rcv_wnd: u32,
    rcv_wup: u32,
}

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum ProbeFailed {
    /// Not an address of one machine.
    #[error("--probe sends to one machine, and {0} is {1}: name an address of one")]
    NotOne(IpAddr, &'static str),
    /// The kernel's answer.
    #[error("--probe cannot open a connection to {to} ({what}: {cause}){}", remedy(cause))]
    Socket {
        /// Where to.
        to: IpAddr,
        /// What was tried.
        what: &'static str,
        /// What it said.
        cause: io::Error,
    },
}

fn remedy(cause: &io::Error) -> &'static str {
    if cause.kind() == io::ErrorKind::PermissionDenied {
        "; it takes CAP_NET_ADMIN: run it with sudo, or send something yourself, as -- COMMAND"
    } else {
        "; send something yourself, as -- COMMAND"
    }
}

/// What is to be sent, and what was.
#[derive(Debug)]
pub(super) struct Probe {
    to: IpAddr,
    connections: usize,
    /// Established, and silent so far. The next is at the end.
    waiting: Vec<TcpStream>,
    mss: usize,
    next: Instant,
    sent: Sent,
}

/// What was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// Connections that sent.
    pub(super) connections: u64,
    /// Payload, as TCP itself counts it where it does.
    pub(super) bytes: u64,
    /// Those that could not, and the first answer of the kernel.
    pub(super) failed: u64,
    /// What it was.
    pub(super) error: Option<String>,
}

/// Who may be asked: an address of one machine.
///
/// # Errors
/// [`ProbeFailed::NotOne`].
pub fn may_be_sent_to(to: IpAddr) -> Result<(), ProbeFailed> {
    let is_broadcast = matches!(to, IpAddr::V4(address) if address.is_broadcast());
    let what = match to.to_canonical() {
        address if address.is_multicast() => "a multicast address",
        _ if is_broadcast => "the broadcast address",
        address if address.is_unspecified() => "no address at all",
        address if address.is_loopback() => "this machine's own loopback",
        _ => return Ok(()),
    };
    Err(ProbeFailed::NotOne(to, what))
}

impl Probe {
    /// Opens what will send, in the network namespace of this process. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ProbeFailed`].
    pub(super) fn open(to: IpAddr) -> Result<Self, ProbeFailed> {
        may_be_sent_to(to)?;
        let (first, mss) = established(to)?;
        let connections = ENOUGH_BYTES.div_ceil(flight(mss)).min(MOST_CONNECTIONS);
        let mut waiting = vec![first];
        while waiting.len() < connections {
            waiting.push(established(to)?.0);
        }
        Ok(Self { to, connections, waiting, mss, next: Instant::now(), sent: Sent::default() })
    }

    /// In words, before anything is sent.
    #[must_use]
    pub(super) fn plan(&self) -> String {
        let bytes = self.connections * flight(self.mss);
        let seconds = BETWEEN.as_secs_f64() * self.connections as f64;
        format!(
            "{} connections to {} port {PORT} (discard), {} of TCP each without a handshake, in super-packets of {} segments of {}: {} at {:.0} Mbit/s for {seconds:.1} s. It may answer with resets",
            self.connections,
            self.to,
            in_kilobytes(flight(self.mss)),
            FIRST_FLIGHT / 2,
            in_kilobytes(self.mss),
            in_kilobytes(bytes),
            bytes as f64 * 8e-6 / seconds,
        )
    }

    /// Payload of a packet on the wire.
    #[must_use]
    pub(super) fn segment_bytes(&self) -> usize {
        self.mss
    }

    /// Sends until all is sent. May be given up at any point and called again.
    pub(super) async fn send(&mut self) {
        while !self.waiting.is_empty() {
            sleep_until(self.next).await;
            self.next = Instant::now() + BETWEEN;
            if let Some(connection) = self.waiting.pop() {
                self.sent.note(flown(connection, flight(self.mss)));
            }
        }
    }

    /// What was.
    #[must_use]
    pub(super) fn sent(&self) -> &Sent {
        &self.sent
    }
}

impl Sent {
    fn note(&mut self, outcome: io::Result<u64>) {
        match outcome {
            Ok(bytes) => {
                self.connections += 1;
                self.bytes += bytes;
            }
            Err(cause) => {
                self.failed += 1;
                self.error.get_or_insert_with(|| cause.to_string());
            }
        }
    }
}

fn in_kilobytes(bytes: usize) -> String {
    crate::model::ledger::in_bytes(u64::try_from(bytes).unwrap_or(u64::MAX))
}

/// What a connection sends: whole segments.
const fn flight(mss: usize) -> usize {
    mss * FIRST_FLIGHT
}

/// Sends a connection's flight, and resets it.
fn flown(mut connection: TcpStream, bytes: usize) -> io::Result<u64> {
    let written = connection.write(&vec![0; bytes])?;
    let counted = TcpInfo::of(&connection).ok().and_then(|info| info.bytes_sent);
    Ok(counted.unwrap_or_else(|| u64::try_from(written).unwrap_or(u64::MAX)))
}

/// A connection that is established on this side alone, and the payload of its segments.
fn established(to: IpAddr) -> Result<(TcpStream, usize), ProbeFailed> {
    let failed = |what| move |cause: io::Error| ProbeFailed::Socket { to, what, cause };
    let refused = |what| move |cause: nix::Error| ProbeFailed::Socket { to, what, cause: cause.into() };
    let family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(family, SockType::Stream, flags, None).map_err(refused("socket"))?;
    // One that paces itself spreads its first flight.
    let _ = setsockopt(&socket, sockopt::TcpCongestion, &"reno".into());
    let reset = libc::linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&socket, sockopt::Linger, &reset).map_err(refused("SO_LINGER"))?;
    set(&socket, libc::TCP_NODELAY, &1).map_err(failed("TCP_NODELAY"))?;
    set(&socket, libc::TCP_MAXSEG, &LARGEST_MSS).map_err(failed("TCP_MAXSEG"))?;
    set(&socket, libc::TCP_REPAIR, &1).map_err(failed("TCP_REPAIR"))?;
    connect(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(to, PORT)))
        .map_err(refused("connect"))?;
    let mut window = get::<RepairWindow>(&socket, libc::TCP_REPAIR_WINDOW).map_err(failed("its window"))?;
    (window.snd_wnd, window.max_window) = (WINDOW_BYTES, WINDOW_BYTES);
    set(&socket, libc::TCP_REPAIR_WINDOW, &window).map_err(failed("TCP_REPAIR_WINDOW"))?;
    set(&socket, libc::TCP_REPAIR, &TCP_REPAIR_OFF_NO_WP).map_err(failed("the end of TCP_REPAIR"))?;
    let mss: libc::c_int = get(&socket, libc::TCP_MAXSEG).map_err(failed("TCP_MAXSEG"))?;
    let mss = usize::try_from(mss).ok().filter(|mss| *mss != 0);
    let mss = mss.ok_or_else(|| failed("TCP_MAXSEG")(io::Error::from(io::ErrorKind::InvalidData)))?;
    Ok((TcpStream::from(socket), mss))
}

fn length<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or(libc::socklen_t::MAX)
}

/// `setsockopt(…, IPPROTO_TCP, …)` for those that nix does not have.
fn set<T>(socket: &OwnedFd, option: libc::c_int, value: &T) -> io::Result<()> {
    let at = std::ptr::from_ref(value).cast();
    // SAFETY: the kernel reads as many bytes as the value has.
    let answer =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, option, at, length::<T>()) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A type of numbers alone, of which any bytes are one.
trait Numbers: Default {}
impl Numbers for libc::c_int {}
impl Numbers for RepairWindow {}

fn get<T: Numbers>(socket: &OwnedFd, option: libc::c_int) -> io::Result<T> {
    let mut value = T::default();
    let mut bytes = length::<T>();
    let at = std::ptr::from_mut(&mut value).cast();
    // SAFETY: the kernel writes no more bytes than the value has, and any are numbers.
    let answer =
        unsafe { libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, option, at, &raw mut bytes) };
    if answer == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_of_one_machine_is_sent_to() {
        for (to, why) in [
            ("224.0.0.1", "multicast"),
            ("ff02::1", "multicast"),
            ("::ffff:224.0.0.1", "multicast"),
            ("255.255.255.255", "broadcast"),
            ("0.0.0.0", "no address"),
            ("::", "no address"),
            ("127.0.0.1", "loopback"),
            ("::1", "loopback"),
        ] {
            let refused = may_be_sent_to(to.parse().unwrap()).unwrap_err().to_string();
            assert!(refused.contains(to) && refused.contains(why), "{refused}");
        }
        for to in ["10.8.0.2", "fd00:8::2", "203.0.113.7"] {
            may_be_sent_to(to.parse().unwrap()).unwrap();
        }
    }

    #[test]
    fn what_could_not_be_sent_is_counted_and_the_first_answer_kept() {
        let mut sent = Sent::default();
        sent.note(Ok(14_480));
        sent.note(Err(io::Error::from_raw_os_error(libc::EPERM)));
        sent.note(Err(io::Error::from_raw_os_error(libc::ENOBUFS)));
        assert_eq!((sent.connections, sent.bytes, sent.failed), (1, 14_480, 2));
        assert!(sent.error.unwrap().contains("not permitted"));
    }

    #[test]
    fn what_is_sent_is_bounded_whatever_the_segments_are() {
        for mss in [48, 536, 1_448, 8_960, 32_767] {
            let connections = ENOUGH_BYTES.div_ceil(flight(mss)).min(MOST_CONNECTIONS);
            assert!(connections * flight(mss) <= ENOUGH_BYTES + flight(mss), "{mss}");
            assert!(connections <= MOST_CONNECTIONS);
        }
    }
}
