//! `vmnet.check/1`: what super-packets sent on purpose came to, as one value. JSON and text are both drawn from it. Units are
//! in the names; what was not measured is `None` (null) and `unmeasured` maps its path to the reason.

mod screen;
pub mod share;
mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::screen::screen;
pub use self::text::{answer, state_word};
use super::kit::json::Explained;
use crate::model::absences::Reasons;
use crate::model::fact::{self, Fact, Why};
use crate::model::interface::Interface;
use crate::model::null_because;
use crate::model::{
    cause::Cause,
    chain::{Answers, Asked},
    checked::{CountsBy, State, Type, UdpState},
};

/// Before somebody looks for causes.
pub const NO_CAUSES: Why = Why::is("a check only shows that it happens; `vmnet doctor` looks for causes");

null_because! {
    not_compared: Why::is(
        "it takes a TCP type that passed whole and one that was segmented, on a machine quiet enough to time them"
    );
    no_feature: Why::is("the kernel has no such feature, or its features cannot be read");
    not_sent: Why::is("none of that type was sent: its own reason says why");
    not_tapped: Why::is("none of that type was sent, or a packet socket could not be had, or missed frames");
    not_reached: Why::is("nothing of it came that far");
    no_pause: Why::is("there was no pause to watch");
}

/// The schema's name.
pub const SCHEMA: &str = "vmnet.check/1";

/// A whole check.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CheckReport {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What was asked.
    pub interface: Interface,
    /// The answer.
    pub state: State,
    /// The answer in a sentence.
    pub summary: String,
    /// The same question for UDP.
    pub udp: UdpReport,
    /// Type by type, in the order in which they were sent.
    pub types: Vec<TypeReport>,
    /// What whole and cut cost, compared; None where not both were seen.
    #[serde(serialize_with = "not_compared")]
    pub cost: Option<CostComparison>,
    /// Why TSO does not happen, ranked.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<Vec<Cause>>"))]
    pub causes: Fact<Vec<Cause>>,
    /// What was sent, to whom.
    pub frames: Frames,
    /// What others sent meanwhile.
    pub background: Background,
    /// What one packet of the interface's counter stands for.
    pub driver_counts_by: CountsBy,
    /// The devices below the interface that were watched as well, level by level.
    pub below: Vec<String>,
    /// What to know when reading the answer.
    pub notes: Vec<String>,
    /// All of it, seconds.
    pub duration_s: f64,
    /// Path of a null → why it was not measured.
    pub unmeasured: BTreeMap<String, String>,
}

impl CheckReport {
    /// What the causes are found from.
    #[must_use]
    pub fn answers(&self) -> Answers {
        let of = |kind: Type| match self.types.iter().find(|one| one.kind == kind).map(|one| one.state) {
            Some(TypeState::Whole) => Asked::Whole,
            Some(TypeState::Cut) => Asked::Segmented,
            _ => Asked::Unknown,
        };
        // Without TSO for the family at all, what became of its CWR says nothing about CWR.
        let ecn = [(Type::Tcp4, Type::Tcp4Ecn), (Type::Tcp6, Type::Tcp6Ecn)]
            .into_iter()
            .find(|(plain, _)| of(*plain) == Asked::Whole)
            .map_or(Asked::Unknown, |(_, marked)| of(marked));
        Answers { ipv4: of(Type::Tcp4), ipv6: of(Type::Tcp6), ecn }
    }
}

impl Explained for CheckReport {
    fn unmeasured(&mut self) -> &mut Reasons {
        &mut self.unmeasured
    }
}

/// The answer for UDP super-packets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UdpReport {
    /// The answer.
    pub state: UdpState,
    /// In a sentence.
    pub summary: String,
}

/// What became of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TypeState {
    /// The driver got each whole.
    Whole,
    /// The CPU cut each up.
    Cut,
    /// The kernel did not take it from us.
    Refused,
    /// Not known.
    Inconclusive,
}

/// One type of super-packet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TypeReport {
    /// Which.
    #[serde(rename = "type")]
    pub kind: Type,
    /// What became of it, on the interface and on what is below.
    pub state: TypeState,
    /// Whether it has a part in the interface's state: plain TCP always, CWR where it is offered.
    pub counts: bool,
    /// Whether the interface's features offer it; None where they cannot be read.
    #[serde(serialize_with = "no_feature")]
    pub offered: Option<bool>,
    /// Whether that is switched off here, where it could be on; None where it is not known.
    #[serde(serialize_with = "no_feature")]
    pub switched_off: Option<bool>,
    /// Why the state is `refused` or `inconclusive`, or where below it was cut.
    pub reason: Option<String>,
    /// Super-packets sent.
    pub sent: u64,
    /// Frame from the Ethernet header on.
    pub bytes_per_packet: u64,
    /// TCP or UDP payload.
    pub payload_bytes_per_packet: u64,
    /// Payload of a segment (`gso_size`).
    pub gso_size_bytes: u64,
    /// Segments that one would be cut into.
    pub segments_per_packet: u64,
    /// By how much the interface's `tx_packets` grew while they were sent, others' packets included.
    #[serde(serialize_with = "not_sent")]
    pub driver_packets: Option<u64>,
    /// What a tap saw of one round, frame by frame, where the driver takes them.
    #[serde(serialize_with = "not_tapped")]
    pub tapped: Option<TapReport>,
    /// How many of these others sent, by the mean of the pauses.
    #[serde(serialize_with = "not_sent")]
    pub background_packets: Option<f64>,
    /// What the driver gets if each passes whole.
    pub expected_whole: u64,
    /// What it gets if each is segmented.
    pub expected_cut: u64,
    /// The device that segment them: the interface itself, or one below.
    pub cut_at: Option<String>,
    /// What the devices below counted, level by level.
    pub below: Vec<BelowReport>,
    /// Median time of handing one to the kernel (`sendto`).
    #[serde(serialize_with = "not_sent")]
    pub ns_per_super_packet: Option<f64>,
    /// The same, per byte of payload.
    #[serde(serialize_with = "not_sent")]
    pub ns_per_byte: Option<f64>,
}

impl TypeReport {
    /// Frame by frame where there was a tap, else by the interface's counter, others' packets included.
    pub(super) fn sent_and_got(&self) -> (u64, Option<u64>) {
        match self.tapped {
            Some(tapped) => (tapped.sent, Some(tapped.whole + tapped.singles)),
            None => (self.sent, self.driver_packets),
        }
    }
}

/// What packet sockets saw of one round, as the driver was handed it: the frames of this check alone, whatever others send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TapReport {
    /// Super-packets sent in that round.
    pub sent: u64,
    /// Super-packets seen.
    pub whole: u64,
    /// Frames of one segment seen.
    pub singles: u64,
}

/// A type at a level below the interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BelowReport {
    /// The device, or devices.
    pub interface: String,
    /// By how much their `tx_packets` grew.
    pub driver_packets: u64,
    /// What a tap saw there of one round.
    #[serde(serialize_with = "not_tapped")]
    pub tapped: Option<TapReport>,
    /// What became of it there, or what became of it when the device was asked by itself; None where nothing of it came.
    #[serde(serialize_with = "not_reached")]
    pub state: Option<TypeState>,
}

/// The price of segmentation, from a type that passed whole and one that did not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CostComparison {
    /// The type that passed whole.
    pub whole: Type,
    /// The type that was segmented.
    pub cut: Type,
    /// Per byte of payload.
    pub whole_ns_per_byte: f64,
    /// Per byte of payload.
    pub cut_ns_per_byte: f64,
    /// The difference: segmentation, and handing over many packets for one.
    pub segmentation_ns_per_byte: f64,
    /// How many times as dear.
    pub ratio: f64,
}

/// What was sent, to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Frames {
    /// Super-packets.
    pub sent: u64,
    /// Their bytes, as they were handed to the kernel.
    pub bytes: u64,
    /// From this link-layer address: the interface's own.
    pub source_mac: String,
    /// To this one.
    pub destination_mac: String,
    /// From this address.
    pub source_ipv4: String,
    /// To this address.
    pub destination_ipv4: String,
    /// From this address.
    pub source_ipv6: String,
    /// To this address.
    pub destination_ipv6: String,
    /// TTL and hop limit.
    pub ttl: u8,
    /// Source and destination port, TCP and UDP.
    pub port: u16,
    /// VLAN of the tagged type: 0, which names none.
    pub vlan_id: u16,
}

/// What others sent through the interface, seen in pauses between the sends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Background {
    /// Pauses.
    pub pauses: u64,
    /// Mean over them.
    #[serde(serialize_with = "no_pause")]
    pub packets_per_s: Option<f64>,
    /// The fastest of them.
    #[serde(serialize_with = "no_pause")]
    pub most_packets_per_s: Option<f64>,
}
