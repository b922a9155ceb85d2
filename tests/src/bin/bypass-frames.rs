//! `bypass-frames IFACE COUNT`: frames that reach the driver past qdisc and tracepoints (`PACKET_QDISC_BYPASS`).
//!
//! They go to the interface's own address with a locally experimental EtherType (0x88b5), so that nobody takes them.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

const ETHERTYPE_EXPERIMENTAL: u16 = 0x88b5;
const FRAME_BYTES: usize = 60;
/// So many frames at once, then a pause: the driver's ring holds a few hundred.
const BURST: u32 = 50;
const PAUSE: Duration = Duration::from_millis(5);

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = || anyhow!("usage: bypass-frames IFACE COUNT");
    let interface = arguments.next().ok_or_else(usage)?;
    let count: u32 = arguments.next().ok_or_else(usage)?.parse()?;
    let socket = bypassing_socket(&interface)?;
    let frame = frame(own_address(&interface)?);
    for number in 1..=count {
        send(&socket, &frame)?;
        if number % BURST == 0 {
            thread::sleep(PAUSE);
        }
    }
    Ok(())
}

/// A packet socket that sends through `interface`, past its qdisc, and receives nothing.
fn bypassing_socket(interface: &str) -> Result<OwnedFd> {
    // SAFETY: the call takes numbers and gives a number.
    let descriptor = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error()).context("a packet socket");
    }
    // SAFETY: the descriptor was just opened, and nobody else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let bypass: libc::c_int = 1;
    // SAFETY: the option is an int, and its size is given.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_QDISC_BYPASS,
            (&raw const bypass).cast(),
            size_of_val(&bypass) as libc::socklen_t,
        )
    };
    if set != 0 {
        return Err(io::Error::last_os_error()).context("PACKET_QDISC_BYPASS");
    }
    let index = nix::net::if_::if_nametoindex(interface).with_context(|| format!("interface {interface}"))?;
    // SAFETY: all zeroes are a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = i32::try_from(index)?;
    // SAFETY: the address is a sockaddr_ll, and its size is given.
    let bound = unsafe {
        libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size_of_val(&address) as libc::socklen_t)
    };
    if bound != 0 {
        return Err(io::Error::last_os_error()).with_context(|| format!("binding to {interface}"));
    }
    Ok(socket)
}

fn own_address(interface: &str) -> Result<[u8; 6]> {
    let path = format!("/sys/class/net/{interface}/address");
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let bytes: Vec<u8> =
        text.trim().split(':').map(|byte| u8::from_str_radix(byte, 16)).collect::<Result<_, _>>()?;
    bytes.try_into().map_err(|_| anyhow!("{path} is no Ethernet address: {}", text.trim()))
}

fn frame(own: [u8; 6]) -> [u8; FRAME_BYTES] {
    let mut frame = [0; FRAME_BYTES];
    frame[..6].copy_from_slice(&own);
    frame[6..12].copy_from_slice(&own);
    frame[12..14].copy_from_slice(&ETHERTYPE_EXPERIMENTAL.to_be_bytes());
    frame
}

/// Without a qdisc a full ring refuses the frame: it is sent once more.
fn send(socket: &OwnedFd, frame: &[u8]) -> Result<()> {
    loop {
        // SAFETY: the frame is as long as is said.
        let sent = unsafe { libc::send(socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        if sent >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::ENOBUFS | libc::EAGAIN) => thread::sleep(PAUSE),
            _ => return Err(error).context("sending a frame"),
        }
    }
}
