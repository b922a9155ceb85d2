//! Why an interface could not be asked: what was tried, what the kernel answered, what to do.

use std::io;

use crate::device::{driver::DriverError, links::LinkError};

/// Why there is no answer at all.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The interface is not there, or went away.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The machine could not be read.
    #[error(transparent)]
    Machine(#[from] DriverError),
    /// Opening a packet socket takes a privilege.
    #[error(
        "opening a packet socket was refused ({cause}): it takes CAP_NET_RAW, and nothing more; run it with sudo, or give the \
         program that capability (setcap cap_net_raw+ep)"
    )]
    NotPermitted {
        /// What the kernel answered.
        cause: io::Error,
    },
    /// The kernel would not do what a packet socket usually does.
    #[error("{doing}: {cause}")]
    Socket {
        /// What was tried.
        doing: String,
        /// What the kernel answered.
        cause: io::Error,
    },
    /// `IFF_UP` is not set.
    #[error("{name} is down, so nothing can be sent through it; set it up first (ip link set {name} up)")]
    Down {
        /// The interface.
        name: String,
    },
    /// It is up, and has no carrier: the kernel would silently drop everything.
    #[error(
        "{name} has no carrier ({state}), so the kernel drops what is sent through it; plug it in, or set up what is below or at its \
         other end"
    )]
    NoCarrier {
        /// The interface.
        name: String,
        /// Its operational state.
        state: &'static str,
    },
    /// A device without Ethernet addresses: whatever is sent goes to whoever is at its other end.
    #[error(
        "{name} is no Ethernet device (link type {link_type}): it has no address of its own to send to, and whatever is sent through \
         it goes to its other end; nothing was sent. `vmnet run {name}` looks at real traffic instead"
    )]
    NotEthernet {
        /// The interface.
        name: String,
        /// `ARPHRD_*`.
        link_type: u16,
    },
    /// All zeroes, or an address of many.
    #[error(
        "{name} has no address of its own to send to (it says {address}); nothing was sent. `vmnet run {name}` looks at real traffic \
         instead"
    )]
    NoOwnAddress {
        /// The interface.
        name: String,
        /// What it has.
        address: String,
    },
    /// It was up, and is not any more.
    #[error("{name} went down or away while it was looked at ({cause})")]
    WentAway {
        /// The interface.
        name: String,
        /// What the kernel answered.
        cause: io::Error,
    },
}
