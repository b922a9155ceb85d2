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
    ifindex: libc::c_int,
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
        Ok(Self { socket: open()?, ifindex: libc::c_int::try_from(ifindex).unwrap_or_default() })
    }

    /// Binds to the interface, which makes the kernel tell its link layer. Protocol 0: nothing is received.
    pub(super) fn link_layer(&self) -> io::Result<LinkLayer> {
        let own = self.address(0);
        // SAFETY: the address is a sockaddr_ll, and its size is given.
        checked(unsafe { libc::bind(self.socket.as_raw_fd(), (&raw const own).cast(), SOCKADDR_LL_BYTES) })?;
        let mut said = own;
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
        let to = self.address(frame.protocol);
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
    /// that was cut up the last segment holds on: 0 means that all of it has left.
    pub(super) fn unsent_bytes(&self) -> io::Result<u32> {
        let mut unsent: libc::c_int = 0;
        // SAFETY: SIOCOUTQ (the number of TIOCOUTQ) writes one int.
        checked(unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut unsent) })?;
        Ok(unsent.unsigned_abs())
    }

    fn address(&self, protocol: u16) -> libc::sockaddr_ll {
        // SAFETY: all zeroes are a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol.to_be();
        address.sll_ifindex = self.ifindex;
        address
    }
}

/// `linux/if_packet.h`.
const PACKET_VNET_HDR: libc::c_int = 15;
const SOCKADDR_LL_BYTES: libc::socklen_t = size_of::<libc::sockaddr_ll>() as libc::socklen_t;

/// `SOCK_RAW`: no other takes `PACKET_VNET_HDR`.
fn open() -> Result<OwnedFd, CheckError> {
    // SAFETY: the call takes numbers and gives a number.
    let descriptor = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if descriptor < 0 {
        let cause = io::Error::last_os_error();
        return Err(match cause.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => CheckError::NotPermitted { cause },
            _ => CheckError::Socket { doing: "opening a packet socket".to_owned(), cause },
        });
    }
    // SAFETY: the descriptor was just opened, and nobody else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let on: libc::c_int = 1;
    // SAFETY: the option is an int, and its size is given.
    checked(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            PACKET_VNET_HDR,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    })
    .map_err(|cause| CheckError::Socket {
        doing: "asking a packet socket for super-packets (PACKET_VNET_HDR)".to_owned(),
        cause,
    })?;
    Ok(socket)
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
