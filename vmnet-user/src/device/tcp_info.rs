//! `struct tcp_info` (`linux/tcp.h`): the kernel's TCP about one socket. It grew over the years; a field that the kernel in front of us
//! does not have is `None`.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

use super::attributes::{u32_at, u64_at};

/// Longer than any kernel's `tcp_info` (248 bytes in 6.12).
const BUFFER_BYTES: usize = 512;

/// `tcpi_delivery_rate_app_limited` is the first of three bits in a byte: the lowest, or the highest, by the machine's order.
const APP_LIMITED: u8 = if cfg!(target_endian = "little") { 1 } else { 0x80 };

/// What is used of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// `tcpi_delivery_rate_app_limited` (4.9): the application gave less than could be sent.
    pub app_limited: Option<bool>,
    /// `tcpi_snd_mss`: bytes.
    pub snd_mss: Option<u32>,
    /// `tcpi_rtt`: µs.
    pub rtt_us: Option<u32>,
    /// `tcpi_snd_cwnd`: segments.
    pub snd_cwnd: Option<u32>,
    /// `tcpi_busy_time` (4.10): µs with something to send or not acknowledged yet; holds the next two.
    pub busy_us: Option<u64>,
    /// `tcpi_rwnd_limited` (4.10): µs held up by the receiver's window.
    pub rwnd_limited_us: Option<u64>,
    /// `tcpi_sndbuf_limited` (4.10): µs held up by a full send buffer.
    pub sndbuf_limited_us: Option<u64>,
    /// `tcpi_total_retrans`: segments retransmitted.
    pub retransmitted_segments: Option<u32>,
    /// `tcpi_pacing_rate` (3.15): bytes a second that it would pace itself to; None without a limit.
    pub pacing_bytes_per_s: Option<u64>,
    /// `tcpi_max_pacing_rate` (3.15): the limit that the application set (`SO_MAX_PACING_RATE`), bytes a second; None where it set none.
    pub most_pacing_bytes_per_s: Option<u64>,
    /// `tcpi_bytes_acked` (4.1): one more than the payload acknowledged, once the SYN is.
    pub bytes_acked: Option<u64>,
    /// `tcpi_segs_out` (4.2): segments sent, with SYN, pure ACK and retransmits.
    pub segs_out: Option<u32>,
    /// `tcpi_notsent_bytes` (4.6): written by the application, not sent yet.
    pub bytes_not_sent: Option<u32>,
    /// `tcpi_bytes_sent` (4.19): payload sent, retransmits included.
    pub bytes_sent: Option<u64>,
    /// `tcpi_bytes_retrans` (4.19): the retransmitted part of it.
    pub bytes_retransmitted: Option<u64>,
}

/// All bits set (of 32 on kernels before 4.20) stand for no limit.
fn is_a_rate(bytes_per_s: u64) -> bool {
    !matches!(bytes_per_s, 0 | u64::MAX) && bytes_per_s != u64::from(u32::MAX)
}

impl TcpInfo {
    /// Picks the fields out of as many bytes as the kernel gave.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        // Older kernels leave the bit 0, and are known by the struct's end.
        let app_limited = bytes.get(7).filter(|_| bytes.len() >= 168).map(|flags| flags & APP_LIMITED != 0);
        Self {
            app_limited,
            snd_mss: u32_at(bytes, 16),
            rtt_us: u32_at(bytes, 68),
            snd_cwnd: u32_at(bytes, 80),
            busy_us: u64_at(bytes, 168),
            rwnd_limited_us: u64_at(bytes, 176),
            sndbuf_limited_us: u64_at(bytes, 184),
            retransmitted_segments: u32_at(bytes, 100),
            pacing_bytes_per_s: u64_at(bytes, 104).filter(|rate| is_a_rate(*rate)),
            most_pacing_bytes_per_s: u64_at(bytes, 112).filter(|rate| is_a_rate(*rate)),
            bytes_acked: u64_at(bytes, 120),
            segs_out: u32_at(bytes, 136),
            bytes_not_sent: u32_at(bytes, 144),
            bytes_sent: u64_at(bytes, 200),
            bytes_retransmitted: u64_at(bytes, 208),
        }
    }

    /// Asks the kernel about a TCP socket of this process.
    ///
    /// # Errors
    /// When it is not a TCP socket.
    pub fn of(socket: impl AsFd) -> io::Result<Self> {
        let mut bytes = [0u8; BUFFER_BYTES];
        let mut length = libc::socklen_t::try_from(BUFFER_BYTES).map_err(io::Error::other)?;
        // SAFETY: the descriptor is borrowed for the call; the kernel writes at most `length` bytes to `bytes`, which is as long.
        let result = unsafe {
            libc::getsockopt(
                socket.as_fd().as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                bytes.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        let written = usize::try_from(length).map_err(io::Error::other)?;
        Ok(Self::parse(bytes.get(..written).unwrap_or(&bytes)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_kernel_with_a_shorter_struct_leaves_the_later_fields_absent() {
        let info = TcpInfo::parse(&[1; 192]);
        assert_eq!(info.retransmitted_segments, Some(0x0101_0101));
        assert_eq!(info.bytes_not_sent, Some(0x0101_0101));
        assert_eq!((info.bytes_sent, info.bytes_retransmitted), (None, None));
        assert_eq!(TcpInfo::parse(&[]), TcpInfo::default());
        assert_eq!(TcpInfo::parse(&[1; 207]).bytes_sent, None);
        assert_eq!(TcpInfo::parse(&[1; 208]).bytes_sent, Some(0x0101_0101_0101_0101));
    }

    #[test]
    fn the_kernel_says_how_much_a_socket_sent() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(&[7; 12_345]).unwrap();
        let info = TcpInfo::of(&client).unwrap();
        assert_eq!(info.bytes_sent.unwrap() + u64::from(info.bytes_not_sent.unwrap()), 12_345);
    }

    #[test]
    fn what_held_the_sender_up_is_picked_from_its_place() {
        let mut bytes = [0; 248];
        bytes[7] = APP_LIMITED;
        for (at, value) in [(16usize, 1448u32), (68, 250), (80, 10)] {
            bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        }
        for (at, value) in [(168usize, 3000u64), (176, 2000), (184, 500)] {
            bytes[at..at + 8].copy_from_slice(&value.to_ne_bytes());
        }
        let info = TcpInfo::parse(&bytes);
        assert_eq!((info.snd_mss, info.rtt_us, info.snd_cwnd), (Some(1448), Some(250), Some(10)));
        let times = (info.busy_us, info.rwnd_limited_us, info.sndbuf_limited_us);
        assert_eq!(times, (Some(3000), Some(2000), Some(500)));
        assert_eq!(info.app_limited, Some(true));
        assert_eq!(TcpInfo::parse(&bytes[..160]).app_limited, None);
    }

    #[test]
    fn what_is_not_a_tcp_socket_is_an_error() {
        assert!(TcpInfo::of(io::stdin()).is_err());
    }
}
