//! The active question: hand-made super-packets go to the interface's own address, and taps and counters say what the driver got.
//!
//! Needs no peer, no traffic and no programs in the kernel, only CAP_NET_RAW. Nothing on the machine is changed, so there is nothing to
//! put back when it is interrupted.

mod alone;
mod ask;
mod assemble;
mod error;
mod frames;
mod shape;
mod socket;
mod stack;
mod tap;
mod watch;

use std::{
    thread,
    time::{Duration, Instant},
};

pub use self::error::CheckError;
use self::{
    ask::{Asking, Question, questions},
    shape::Limits,
    socket::PacketSocket,
    stack::Level,
    watch::Watch,
};
use crate::device::interface::describe;
use crate::{
    device::{
        features::FeatureReader,
        links::{Link, LinkReader, OperState},
    },
    model::checked::Pause,
    report::check::CheckReport,
};

// `linux/if_arp.h`.
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;
/// Locally administered, and nobody's: what arrives for it on the loopback device is somebody else's, and dropped at once.
const NOBODY: [u8; 6] = [0x02, 0, 0, 0, 0, 0];
/// The kernel's own delay is a second at most.
const LINK_SETTLES_WITHIN: Duration = Duration::from_millis(1200);

/// How to ask.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name of the network namespace that this thread is in, for the report.
    pub netns: Option<String>,
    /// No round is begun after this.
    pub budget: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { netns: None, budget: Duration::from_secs(2) }
    }
}

/// Asks one interface, in the network namespace of the calling thread. Takes some 0.1 s on a quiet one.
///
/// # Errors
/// [`CheckError`]: why nothing could be sent, or nothing could be counted.
pub fn check(interface: &str, options: &Options) -> Result<CheckReport, CheckError> {
    let begun = Instant::now();
    let mut links = LinkReader::open()?;
    let link = settled(&mut links, interface)?;
    let deadline = Instant::now() + options.budget;
    let described = describe(&link, options.netns.as_deref())?;
    let mut reader = FeatureReader::open();
    let features = match &mut reader {
        Ok(reader) => reader.read(link.ifindex).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let Asked { levels, ends, limits, questions, pauses } = ask(&link, links, &mut reader.ok(), deadline)?;
    let alone = alone::ask(&levels, &questions, &pauses, deadline);
    Ok(assemble::report(assemble::Seen {
        described,
        limits: &limits,
        ends: &ends,
        levels: &levels,
        features: &features,
        questions: &questions,
        pauses: &pauses,
        alone: &alone,
        duration_s: begun.elapsed().as_secs_f64(),
    }))
}

/// A device that was asked, and all below it.
struct Asked {
    levels: Vec<Level>,
    ends: Ends,
    limits: Limits,
    questions: Vec<Question>,
    /// Level by level.
    pauses: Vec<Vec<Pause>>,
}

/// Asks one device, and watches those below it.
fn ask(
    link: &Link,
    mut links: LinkReader,
    features: &mut Option<FeatureReader>,
    deadline: Instant,
) -> Result<Asked, CheckError> {
    if !link.up {
        return Err(CheckError::Down { name: link.name.clone() });
    }
    let socket = PacketSocket::open(link.ifindex)?;
    let levels = stack::levels(link, &mut links)?;
    let ends = Ends::of(&socket, link, has_room_for_a_tag(link, &levels, features))?;
    has_carrier(link)?;
    let limits = Limits::of(link, stack::mtu_bytes(&levels));
    let mut questions = questions(&limits, &ends);
    let mut asking = Asking::new(&link.name, &socket, &levels, Watch::new(links), deadline);
    asking.ask_all(&mut questions)?;
    let pauses = asking.into_pauses();
    Ok(Asked { levels, ends, limits, questions, pauses })
}

/// The interface, once the kernel has worked off what its driver said of its link: it does so up to a second later
/// (`linkwatch_schedule_work`), as after a driver is loaded, and until then may drop what is sent.
fn settled(links: &mut LinkReader, interface: &str) -> Result<Link, CheckError> {
    let begun = Instant::now();
    loop {
        let link = links.link(interface)?;
        let lags = link.up && link.operstate == OperState::Down && link.carrier == Some(true);
        if !lags || begun.elapsed() > LINK_SETTLES_WITHIN {
            return Ok(link);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether anything sent through it goes further than its queue.
fn has_carrier(link: &Link) -> Result<(), CheckError> {
    let state = match link.operstate {
        OperState::Down => "down",
        OperState::LowerLayerDown => "the layer below is down",
        OperState::NotPresent => "not present",
        OperState::Unknown | OperState::Testing | OperState::Dormant | OperState::Up => return Ok(()),
    };
    Err(CheckError::NoCarrier { name: link.name.clone(), state })
}

/// From whom to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ends {
    own: [u8; 6],
    destination: [u8; 6],
    /// Whether every frame has a tag of its own, that of VLAN 0.
    ///
    /// The kernel takes `hard_header_len` for the place of the network header (`packet_snd`). On a vlan over a device that does not insert
    /// tags itself, as virtio-net, that is 18 and not 14: GSO then finds no IP header where it looks, drops the packet, and
    /// `__dev_queue_xmit` answers ENOMEM. With a tag in the frame IP begins at 18.
    tagged: bool,
}

impl Ends {
    fn of(socket: &PacketSocket, link: &Link, tagged: bool) -> Result<Self, CheckError> {
        let name = link.name.clone();
        let layer = socket.link_layer().map_err(|cause| CheckError::Socket {
            doing: format!("binding a packet socket to {name}"),
            cause,
        })?;
        match (layer.link_type, layer.address) {
            (ARPHRD_LOOPBACK, Some(own)) => Ok(Self { own, destination: NOBODY, tagged: false }),
            (ARPHRD_ETHER, Some(own)) if own == [0; 6] || own[0] & 1 == 1 => {
                Err(CheckError::NoOwnAddress { name, address: written(own) })
            }
            (ARPHRD_ETHER, Some(own)) => Ok(Self { own, destination: own, tagged }),
            (link_type, _) => Err(CheckError::NotEthernet { name, link_type }),
        }
    }
}

/// Whether its link header has room for a tag: a vlan over a device that does not insert tags (`vlan_dev_init`).
fn has_room_for_a_tag(link: &Link, levels: &[Level], features: &mut Option<FeatureReader>) -> bool {
    let below = levels.get(1).and_then(|level| level.devices.first()).map(|device| device.ifindex);
    let inserts = below
        .zip(features.as_mut())
        .and_then(|(ifindex, reader)| reader.read(ifindex).ok()?.active("tx-vlan-hw-insert"));
    link.kind.as_deref() == Some("vlan") && inserts == Some(false)
}

/// As it is written: `52:54:00:12:34:56`.
fn written(address: [u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}
