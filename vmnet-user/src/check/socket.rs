//! A packet socket that sends what userspace made, with `struct virtio_net_hdr` in front (`PACKET_VNET_HDR`), and receives nothing.

use std::{
    io, mem,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

use super::{error::CheckError, frames::Frame};

/// The socket, for one interface.
#[derive(Debug)]
pub(super) struct PacketSocket {
    socket: OwnedFd,
    ifindex: u32,
}

/// What the kernel says of the interface's link layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkLayer {
    /// `ARPHRD_*`.
    pub(super) link_type: u16,
    /// Its own address; None where that is not of 6 bytes.
    pub(super) address: Option<[u8; 6]>,
}

impl PacketSocket {
    /// In the network namespace of this thread.
    pub(super) fn open(ifindex: u32) -> Result<Self, CheckError> {
        Ok(Self { socket: open()?, ifindex })
    }

    /// Binds to the interface, which makes the kernel tell its link layer. Protocol 0: nothing is received.
    pub(super) fn link_layer(&self) -> io::Result<LinkLayer> {
        bind(&self.socket, self.ifindex, 0)?;
        let mut said = address(self.ifindex, 0);
        let mut length = SOCKADDR_LL_BYTES;
        // SAFETY: there is room for a sockaddr_ll, as is said.
        checked(unsafe {
            libc::getsockname(self.socket.as_raw_fd(), (&raw mut said).cast(), &raw mut length)
        })?;
        let address = (said.sll_halen == 6).then(|| said.sll_addr.first_chunk::<6>().copied()).flatten();
        Ok(LinkLayer { link_type: said.sll_hatype, address })
    }

    /// Hands one super-packet to the kernel, and says how long that took: copying it, the queue, segmentation if there is any, and the
    /// driver, as long as nobody else holds the queue. Does not wait for room.
    pub(super) fn send(&self, frame: &Frame) -> io::Result<Duration> {
        let to = address(self.ifindex, frame.protocol);
        let begun = Instant::now();
        // SAFETY: frame and address are as long as is said.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                frame.bytes.as_ptr().cast(),
                frame.bytes.len(),
                libc::MSG_DONTWAIT,
                (&raw const to).cast(),
                SOCKADDR_LL_BYTES,
            )
        };
        let took = begun.elapsed();
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(took) }
    }

    /// Bytes (of memory) that were sent and not freed yet. A driver frees what it has sent when it counts it, and of a super-packet
    /// that was segmented the last segment holds on: 0 means that all of it has left.
    pub(super) fn unsent_bytes(&self) -> io::Result<u32> {
        let mut unsent: libc::c_int = 0;
        // SAFETY: SIOCOUTQ (the number of TIOCOUTQ) writes one int.
        checked(unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut unsent) })?;
        Ok(unsent.unsigned_abs())
    }
}

/// Of a device; what is received and sent by it, host byte order.
fn address(ifindex: u32, protocol: u16) -> libc::sockaddr_ll {
    // SAFETY: all zeroes are a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = libc::c_int::try_from(ifindex).unwrap_or_default();
    address
}

/// Has a packet socket receive what is of this protocol on one device; 0 is nothing.
pub(super) fn bind(socket: &OwnedFd, ifindex: u32, protocol: u16) -> io::Result<()> {
    let own = address(ifindex, protocol);
    // SAFETY: the address is a sockaddr_ll, and its size is given.
    checked(unsafe { libc::bind(socket.as_raw_fd(), (&raw const own).cast(), SOCKADDR_LL_BYTES) })
}

/// Sets an option of a socket.
pub(super) fn set<T>(socket: &OwnedFd, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the value's size is given.
    checked(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    })
}

/// Frames for which a packet socket had no room, since it was asked last.
pub(super) fn missed(socket: &OwnedFd) -> io::Result<u32> {
    let mut said = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    let mut length = size_of_val(&said) as libc::socklen_t;
    // SAFETY: there is room for the statistics, as is said.
    checked(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut said).cast(),
            &raw mut length,
        )
    })?;
    Ok(said.tp_drops)
}

/// A packet socket that receives nothing yet. `SOCK_RAW`: no other takes `PACKET_VNET_HDR`.
pub(super) fn open_raw() -> io::Result<OwnedFd> {
    // SAFETY: the call takes numbers and gives a number.
    let descriptor = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just opened, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// `linux/if_packet.h`.
pub(super) const PACKET_VNET_HDR: libc::c_int = 15;
const SOCKADDR_LL_BYTES: libc::socklen_t = size_of::<libc::sockaddr_ll>() as libc::socklen_t;

fn open() -> Result<OwnedFd, CheckError> {
    let socket = open_raw().map_err(|cause| match cause.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => CheckError::NotPermitted { cause },
        _ => CheckError::Socket { doing: "opening a packet socket".to_owned(), cause },
    })?;
    set(&socket, libc::SOL_PACKET, PACKET_VNET_HDR, &1_i32).map_err(|cause| CheckError::Socket {
        doing: "asking a packet socket for super-packets (PACKET_VNET_HDR)".to_owned(),
        cause,
    })?;
    Ok(socket)
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
