//! Told by the kernel when features or links change, whoever changes them: `ethtool -K`, tuned, a driver, a link that goes away.
//!
//! `netdev_features_change` notifies for changes by netlink and by `ioctl` alike (`ethnl_netdev_event`, 5.8; and `rtnetlink_event`).

use std::{
    collections::VecDeque,
    io,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use netlink_sys::{
    Socket, SocketAddr,
    protocols::{NETLINK_GENERIC, NETLINK_ROUTE},
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{
    attributes::{attribute, text, u32_at},
    genl::{Family, GENLMSGHDR_BYTES},
    netlink::{NetlinkError, messages},
};

// `linux/ethtool_netlink.h`; the kernel's messages are numbered apart from those to it.
const ETHTOOL_MONITOR: &str = "monitor";
const ETHTOOL_MSG_FEATURES_NTF: u8 = 13;
const ETHTOOL_A_HEADER: u16 = 1;
const ETHTOOL_A_HEADER_DEV_INDEX: u16 = 1;
const ETHTOOL_A_HEADER_DEV_NAME: u16 = 2;
/// `struct ifinfomsg`.
const IFINFOMSG_BYTES: usize = 16;
/// Larger than any datagram the kernel makes (32 KiB).
const BUFFER_BYTES: usize = 64 * 1024;

/// Something changed. Not told of: GSO limits (`do_setlink` notifies of them only beside something else) and qdiscs, which a caller has to
/// look at from time to time. What it is now is for the caller to read: the message tells only of what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Features of an interface.
    Features {
        /// Its index.
        ifindex: u32,
        /// Its name.
        name: String,
    },
    /// Anything else about a link (up or down, name, MTU, its place in the stack), and its features once more.
    Link {
        /// Its index.
        ifindex: u32,
        /// Its name now.
        name: String,
    },
    /// A link is not there any more.
    Gone {
        /// The index it had.
        ifindex: u32,
        /// The name it had.
        name: String,
    },
    /// Changes came faster than they were read: some were lost, and everything is to be read anew.
    Missed,
}

/// Listens from when it is opened. Needs no privilege.
#[derive(Debug)]
pub struct Monitor {
    link: Socket,
    /// The kernel has no ethtool netlink before 5.6; links tell of changed features too.
    ethtool: Option<(Socket, u16)>,
    pending: VecDeque<Change>,
    buffer: Vec<u8>,
}

impl Monitor {
    /// Opens it in the network namespace of this thread.
    ///
    /// # Errors
    /// When the kernel refuses the sockets.
    pub fn open() -> Result<Self, NetlinkError> {
        let ethtool = match Family::open("ethtool") {
            Ok(family) => {
                let group = family.groups.iter().find(|(name, _)| name == ETHTOOL_MONITOR);
                let (_, group) = group.ok_or(NetlinkError::Malformed { missing: "group `monitor`" })?;
                Some((listen(NETLINK_GENERIC, *group)?, family.id))
            }
            Err(error) if error.errno() == Some(libc::ENOENT) => None,
            Err(error) => return Err(error),
        };
        let link = listen(NETLINK_ROUTE, libc::RTNLGRP_LINK)?;
        Ok(Self { link, ethtool, pending: VecDeque::new(), buffer: Vec::with_capacity(BUFFER_BYTES) })
    }

    /// The next change, of any interface of the namespace; None if there was none for so long.
    ///
    /// # Errors
    /// When the sockets fail. A signal does not end the wait.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Change>, NetlinkError> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(change) = self.pending.pop_front() {
                return Ok(Some(change));
            }
            self.receive()?;
            if !self.pending.is_empty() {
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            // Rounded up, so as not to spin through the last millisecond.
            let left_ms = left.as_millis().saturating_add(1);
            let wait = PollTimeout::try_from(left_ms).unwrap_or(PollTimeout::MAX);
            let sockets = [Some(&self.link), self.ethtool.as_ref().map(|(socket, _)| socket)];
            let mut polled: Vec<PollFd<'_>> = sockets
                .into_iter()
                .flatten()
                .map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN))
                .collect();
            match poll(&mut polled, wait) {
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(error) => return Err(NetlinkError::Socket { doing: "waiting", cause: error.into() }),
            }
        }
    }

    /// Everything that waits in both sockets.
    fn receive(&mut self) -> Result<(), NetlinkError> {
        while datagram(&self.link, &mut self.buffer, &mut self.pending)? {
            self.pending
                .extend(messages(&self.buffer).filter_map(|message| link(message.kind, message.payload)));
        }
        while let Some((socket, family)) = &self.ethtool
            && datagram(socket, &mut self.buffer, &mut self.pending)?
        {
            let own = messages(&self.buffer).filter(|message| message.kind == *family);
            self.pending.extend(own.filter_map(|message| features(message.payload)));
        }
        Ok(())
    }
}

fn listen(protocol: isize, group: u32) -> Result<Socket, NetlinkError> {
    let failed = |doing| move |cause| NetlinkError::Socket { doing, cause };
    let mut socket = Socket::new(protocol).map_err(failed("opening a socket"))?;
    socket.bind(&SocketAddr::new(0, 0)).map_err(failed("binding a socket"))?;
    socket.add_membership(group).map_err(failed("joining a group"))?;
    socket.set_non_blocking(true).map_err(failed("setting a socket"))?;
    Ok(socket)
}

/// Reads one datagram into `buffer`; false where none waits.
fn datagram(
    socket: &Socket,
    buffer: &mut Vec<u8>,
    pending: &mut VecDeque<Change>,
) -> Result<bool, NetlinkError> {
    loop {
        buffer.clear();
        match socket.recv(buffer, 0) {
            Ok(_) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => pending.push_back(Change::Missed),
            Err(cause) => return Err(NetlinkError::Socket { doing: "receiving", cause }),
        }
    }
}

pub(super) fn link(kind: u16, message: &[u8]) -> Option<Change> {
    let ifindex = u32_at(message, 4)?;
    let name = text(attribute(message.get(IFINFOMSG_BYTES..)?, libc::IFLA_IFNAME)?);
    match kind {
        libc::RTM_NEWLINK => Some(Change::Link { ifindex, name }),
        libc::RTM_DELLINK => {
            // A port that leaves its bridge is told of as a deletion in the bridge's family; the link stays.
            (*message.first()? == 0).then_some(Change::Gone { ifindex, name })
        }
        _ => None,
    }
}

pub(super) fn features(message: &[u8]) -> Option<Change> {
    if *message.first()? != ETHTOOL_MSG_FEATURES_NTF {
        return None;
    }
    let header = attribute(message.get(GENLMSGHDR_BYTES..)?, ETHTOOL_A_HEADER)?;
    Some(Change::Features {
        ifindex: u32_at(attribute(header, ETHTOOL_A_HEADER_DEV_INDEX)?, 0)?,
        name: text(attribute(header, ETHTOOL_A_HEADER_DEV_NAME)?),
    })
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
