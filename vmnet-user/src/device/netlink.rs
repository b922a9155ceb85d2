//! One synchronous netlink socket: a request, and its reply or its dump.

use std::io;

use netlink_packet_core::{Emitable, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader};
use netlink_sys::{Socket, SocketAddr};
use nix::sys::{
    socket::{setsockopt, sockopt},
    time::{TimeVal, TimeValLike},
};

use super::attributes::u32_at;

/// How long the kernel may take to answer. It answers from its own memory, but may wait for `rtnl_mutex`.
const TIMEOUT_MS: i64 = 2_000;
/// Larger than any datagram the kernel makes (32 KiB), so that nothing is cut off.
const BUFFER_BYTES: usize = 64 * 1024;
/// A dump is inconsistent when what it lists changes meanwhile; then it is asked for again, up to so many times.
const DUMP_ATTEMPTS: usize = 4;

/// `struct nlmsghdr`.
const NETLINK_HEADER_LEN: usize = 16;
const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_DUMP_INTR: u16 = 0x10;

/// Why netlink gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// The socket itself failed.
    #[error("netlink: {doing}: {cause}")]
    Socket {
        /// What was being done.
        doing: &'static str,
        /// What the kernel said.
        cause: io::Error,
    },
    /// The kernel answered with an error number.
    #[error("the kernel answered: {}", io::Error::from_raw_os_error(*errno))]
    Refused {
        /// Positive.
        errno: i32,
    },
    /// No answer in time.
    #[error("the kernel did not answer within {TIMEOUT_MS} ms")]
    TimedOut,
    /// The list kept changing while it was read.
    #[error("what was listed changed each of the {DUMP_ATTEMPTS} times it was read")]
    KeptChanging,
    /// The answer lacks what it must have.
    #[error("the kernel's answer has no {missing}")]
    Malformed {
        /// What is not there, or not understood.
        missing: &'static str,
    },
}

impl NetlinkError {
    /// The error number that the kernel answered with, if it did.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { errno } => Some(*errno),
            _ => None,
        }
    }
}

/// A netlink socket in the network namespace that the thread was in when it was opened.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    /// Opens a socket for `protocol` (`NETLINK_ROUTE`, `NETLINK_GENERIC`, `NETLINK_SOCK_DIAG`).
    pub(super) fn open(protocol: isize) -> Result<Self, NetlinkError> {
        let failed = |doing| move |cause| NetlinkError::Socket { doing, cause };
        let mut socket = Socket::new(protocol).map_err(failed("opening a socket"))?;
        socket.bind_auto().map_err(failed("binding a socket"))?;
        socket.connect(&SocketAddr::new(0, 0)).map_err(failed("connecting to the kernel"))?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(TIMEOUT_MS))
            .map_err(|errno| failed("setting a timeout")(errno.into()))?;
        Ok(Self { socket, sequence: 0, buffer: Vec::with_capacity(BUFFER_BYTES) })
    }

    /// Sends a request that one message answers, and returns that message's payload.
    pub(super) fn get(&mut self, message_type: u16, payload: &[u8]) -> Result<Vec<u8>, NetlinkError> {
        self.send(message_type, NLM_F_REQUEST | NLM_F_ACK, payload)?;
        let mut reply = None;
        loop {
            self.receive()?;
            for message in messages(&self.buffer) {
                if message.sequence != self.sequence {
                    continue;
                }
                match message.kind {
                    NLMSG_NOOP => {}
                    // The acknowledgement comes after the reply, or an error instead of both.
                    NLMSG_ERROR => match message.error_number()? {
                        0 => {
                            return reply
                                .ok_or(NetlinkError::Malformed { missing: "message before its end" });
                        }
                        errno => return Err(NetlinkError::Refused { errno }),
                    },
                    _ => reply = Some(message.payload.to_vec()),
                }
            }
        }
    }

    /// Sends a request that changes something, and returns when the kernel has done it. `flags` beside those of every request.
    pub(super) fn change(
        &mut self,
        message_type: u16,
        flags: u16,
        payload: &[u8],
    ) -> Result<(), NetlinkError> {
        self.send(message_type, NLM_F_REQUEST | NLM_F_ACK | flags, payload)?;
        loop {
            self.receive()?;
            for message in messages(&self.buffer) {
                if message.sequence == self.sequence && message.kind == NLMSG_ERROR {
                    return match message.error_number()? {
                        0 => Ok(()),
                        errno => Err(NetlinkError::Refused { errno }),
                    };
                }
            }
        }
    }

    /// Sends a request that a list answers, and returns the payloads of the list.
    pub(super) fn dump(&mut self, message_type: u16, payload: &[u8]) -> Result<Vec<Vec<u8>>, NetlinkError> {
        for _ in 0..DUMP_ATTEMPTS {
            if let Some(list) = self.dump_once(message_type, payload)? {
                return Ok(list);
            }
        }
        Err(NetlinkError::KeptChanging)
    }

    /// None when the list changed while it was read.
    fn dump_once(&mut self, message_type: u16, payload: &[u8]) -> Result<Option<Vec<Vec<u8>>>, NetlinkError> {
        self.send(message_type, NLM_F_REQUEST | NLM_F_DUMP, payload)?;
        let mut list = Vec::new();
        let mut consistent = true;
        loop {
            self.receive()?;
            for message in messages(&self.buffer) {
                if message.sequence != self.sequence {
                    continue;
                }
                consistent &= message.flags & NLM_F_DUMP_INTR == 0;
                match message.kind {
                    NLMSG_NOOP => {}
                    // Both carry an error number; DONE may leave it out.
                    NLMSG_DONE => match message.error_number().unwrap_or(0) {
                        0 => return Ok(consistent.then_some(list)),
                        errno => return Err(NetlinkError::Refused { errno }),
                    },
                    NLMSG_ERROR => return Err(NetlinkError::Refused { errno: message.error_number()? }),
                    _ => list.push(message.payload.to_vec()),
                }
            }
        }
    }

    fn send(&mut self, message_type: u16, flags: u16, payload: &[u8]) -> Result<(), NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.length = u32::try_from(NETLINK_HEADER_LEN + payload.len()).unwrap_or(u32::MAX);
        header.message_type = message_type;
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut message = vec![0; NETLINK_HEADER_LEN];
        header.emit(&mut message);
        message.extend_from_slice(payload);
        let failed = |cause| NetlinkError::Socket { doing: "sending a request", cause };
        self.socket.send(&message, 0).map(drop).map_err(failed)
    }

    fn receive(&mut self) -> Result<(), NetlinkError> {
        loop {
            self.buffer.clear();
            match self.socket.recv(&mut self.buffer, libc::MSG_TRUNC) {
                Ok(length) if length > self.buffer.len() => {
                    return Err(NetlinkError::Malformed { missing: "room in the buffer" });
                }
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(NetlinkError::TimedOut);
                }
                Err(cause) => return Err(NetlinkError::Socket { doing: "receiving", cause }),
            }
        }
    }
}

/// One message of a datagram.
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    flags: u16,
    sequence: u32,
    pub(super) payload: &'a [u8],
}

impl Message<'_> {
    /// The positive error number in the payload of `NLMSG_ERROR` and `NLMSG_DONE`; 0 is success.
    fn error_number(&self) -> Result<i32, NetlinkError> {
        let word = u32_at(self.payload, 0).ok_or(NetlinkError::Malformed { missing: "error number" })?;
        Ok(word.cast_signed().wrapping_neg())
    }
}

/// The messages of a datagram, up to the first malformed one.
pub(super) fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let message = NetlinkBuffer::new_checked(datagram).ok()?;
        let length = usize::try_from(message.length()).ok()?;
        let found = Message {
            kind: message.message_type(),
            flags: message.flags(),
            sequence: message.sequence_number(),
            payload: datagram.get(NETLINK_HEADER_LEN..length)?,
        };
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(found)
    })
}

/// The payloads of recorded datagrams, for tests of the parsers.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn payloads(recording: &[u8]) -> Vec<Vec<u8>> {
    messages(recording).filter(|message| message.kind >= 16).map(|message| message.payload.to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(NETLINK_HEADER_LEN + payload.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&[0; 10]);
        bytes.extend_from_slice(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn a_datagram_may_hold_several_messages_with_padding_between() {
        let datagram = [message(16, b"abc"), message(17, b"defg")].concat();
        let found: Vec<_> =
            messages(&datagram).map(|message| (message.kind, message.payload.to_vec())).collect();
        assert_eq!(found, [(16, b"abc".to_vec()), (17, b"defg".to_vec())]);
    }

    #[test]
    fn a_message_that_is_cut_off_is_not_a_message() {
        let whole = message(16, b"abcd");
        for length in 0..whole.len() {
            assert_eq!(messages(&whole[..length]).count(), 0, "{length} bytes");
        }
    }

    #[test]
    fn an_error_of_the_kernel_is_a_positive_number_and_one_without_a_number_is_malformed() {
        let refused = message(NLMSG_ERROR, &(-libc::ENODEV).to_ne_bytes());
        let found = messages(&refused).next().unwrap();
        assert_eq!(found.error_number().unwrap(), libc::ENODEV);
        let empty = message(NLMSG_ERROR, &[]);
        assert!(messages(&empty).next().unwrap().error_number().is_err());
    }

    proptest! {
        #[test]
        fn any_datagram_can_be_split(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let payload: usize = messages(&bytes).map(|message| message.payload.len()).sum();
            prop_assert!(payload <= bytes.len());
        }
    }
}
