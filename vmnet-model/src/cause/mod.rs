//! Why TSO does not happen, and who can fix it: the first broken link of the chain.

//!
//! [`find`] asks each rule of [`RULES`] in the chain's order. A rule sees the [`Evidence`] alone, and claims bytes that no
//! other rule claims, so that shares add up to at most 1. A new cause is one new file and one line in the table.

mod action;
mod below_mtu;
mod device;
mod elsewhere;
mod encrypted;
mod evidence;
mod experiment;
mod features;
mod limits;
mod lower;
mod path;
mod qdisc;
mod remedy;
mod sender;
mod tunnel;
mod upper;
mod uso;
mod words;

pub mod host;

use serde::{Deserialize, Serialize};

pub(crate) use self::tunnel::{lacks, tunnels_above};
pub use self::{
    action::{Action, FeatureChange},
    elsewhere::{Elsewhere, Limit, LimitKind, QueueUse},
    evidence::{Evidence, Traffic},
    experiment::experiment,
    limits::no_two_segments_fit,
    tunnel::segmentation_inside,
    uso::{causes as causes_of_udp, has_checksums_off},
};
use super::fact::{self, Fact, Why};

/// Of a cause that is known by something else than bytes.
const NO_SHARE: Fact<f64> =
    Err(Why::is("it explains no bytes of its own, or bytes are not counted on this rung"));
/// Of a machine that was looked at without its traffic.
const NOTHING_WATCHED: Why = Why::is("no traffic was watched: vmnet run tells shares");

/// One cause, by its stable id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cause {
    /// From the catalogue: `host-no-csum`, `turned-off`, …
    pub id: CauseId,
    /// Of the TCP payload that did not go to the device in super-packets, the part that this explains. None where no traffic was
    /// seen, and for what hides behind another cause or is none of these bytes' business.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub share: Fact<f64>,
    /// One line.
    pub title: String,
    /// What shows it.
    pub detail: String,
    /// Who can fix it, and how.
    pub fix: Fix,
}

impl Cause {
    /// No bytes show it, as another cause takes them before it.
    fn say_that_it_is_hidden(&mut self) {
        self.detail.push_str("; it stays hidden behind the cause before it until that is fixed");
    }
}

/// The catalogue's ids, in the order of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CauseId {
    /// The host takes no partial checksums, so the driver considers no TSO.
    HostNoCsum,
    /// The host takes checksums, and no super-packets.
    HostNoTso,
    /// Only one of IPv4 and IPv6.
    OneFamily,
    /// The driver knows no TSO.
    DriverNoTso,
    /// `virtio_net` was loaded with `csum=N` or `gso=N`.
    DriverParam,
    /// Can be switched, and is off.
    TurnedOff,
    /// Transmit checksumming is off, and TSO with it.
    CsumOff,
    /// Scatter-gather is off, and TSO with it.
    SgOff,
    /// The host takes no super-packets with CWR set.
    HostNoEcn,
    /// A device above segments first.
    UpperDevice,
    /// A vlan device did not inherit TSO from the device below, or the tag is in the way.
    VlanStack,
    /// Encapsulated packets, and the device cannot segment inside a tunnel.
    Tunnel,
    /// The qdisc cuts.
    QdiscSplits,
    /// Above the device's limits.
    TooLarge,
    /// Forwarded to a smaller MTU.
    MtuSmaller,
    /// Segmented for IPsec.
    Ipsec,
    /// Segmented inside WireGuard, by design.
    Wireguard,
    /// Segmented for a user-space queue.
    Nfqueue,
    /// TCP builds no super-packets.
    NotBuilt,
    /// Forwarded packets came in already segmented.
    GroOff,
    /// The application writes little at a time.
    SmallWrites,
    /// The host takes no UDP super-packets.
    HostNoUso,
    /// The driver knows no USO.
    DriverNoUso,
    /// TSO engages; the limit is elsewhere.
    NotTheBottleneck,
    /// What none of these explains.
    Unexplained,
}

impl CauseId {
    /// As in the catalogue and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HostNoCsum => "host-no-csum",
            Self::HostNoTso => "host-no-tso",
            Self::OneFamily => "one-family",
            Self::DriverNoTso => "driver-no-tso",
            Self::DriverParam => "driver-param",
            Self::TurnedOff => "turned-off",
            Self::CsumOff => "csum-off",
            Self::SgOff => "sg-off",
            Self::HostNoEcn => "host-no-ecn",
            Self::UpperDevice => "upper-device",
            Self::VlanStack => "vlan-stack",
            Self::Tunnel => "tunnel",
            Self::QdiscSplits => "qdisc-splits",
            Self::TooLarge => "too-large",
            Self::MtuSmaller => "mtu-smaller",
            Self::Ipsec => "ipsec",
            Self::Wireguard => "wireguard",
            Self::Nfqueue => "nfqueue",
            Self::NotBuilt => "not-built",
            Self::GroOff => "gro-off",
            Self::SmallWrites => "small-writes",
            Self::HostNoUso => "host-no-uso",
            Self::DriverNoUso => "driver-no-uso",
            Self::NotTheBottleneck => "not-the-bottleneck",
            Self::Unexplained => "unexplained",
        }
    }
}

/// Who can fix a cause, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fix {
    /// Who.
    pub by: By,
    /// Commands and settings, ready to copy.
    pub commands: Vec<String>,
    /// What `vmnet fix` would do by itself; empty where nothing inside this machine helps, or a person has to choose.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub actions: Vec<Action>,
}

impl Fix {
    /// Nothing to be done, or nothing that a tool should do.
    fn none() -> Self {
        Self { by: By::None, commands: Vec::new(), actions: Vec::new() }
    }

    /// For root on this machine, by these actions and the commands that amount to the same.
    fn by_root(actions: Vec<Action>) -> Self {
        let commands = actions.iter().map(Action::command).collect();
        Self { by: By::GuestRoot, commands, actions }
    }

    /// For root on this machine, by hand.
    fn by_hand(commands: &[String]) -> Self {
        Self { by: By::GuestRoot, commands: commands.to_vec(), actions: Vec::new() }
    }

    /// For whoever runs the host.
    fn by_host(commands: Vec<String>) -> Self {
        Self { by: By::Host, commands, actions: Vec::new() }
    }
}

/// Who can fix it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// root on this machine.
    GuestRoot,
    /// Whoever runs the host.
    Host,
    /// Whoever wrote or configures the application.
    Application,
    /// Nobody; it is so by design.
    None,
}

impl By {
    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::GuestRoot => "root on this machine",
            Self::Host => "whoever runs the host",
            Self::Application => "the application",
            Self::None => "nobody",
        }
    }
}

/// A rule's finding.
struct Found {
    cause: Cause,
    /// Bytes that it explains; None where no traffic was seen, or where it hides behind another.
    bytes: Option<u64>,
}

/// A rule: whether a cause of the catalogue holds, judged by the evidence alone.
type Rule = fn(&Evidence<'_>) -> Vec<Found>;

/// All rules, in the order of the chain. What comes first is named first where shares do not tell.
const RULES: [Rule; 14] = [
    device::host_offers_too_little,
    device::driver_has_none,
    features::switched_off,
    device::no_ecn,
    upper::segmented_above,
    tunnel::segmented_inside,
    encrypted::segmented_before,
    lower::segmented_below,
    qdisc::splits,
    limits::too_large,
    below_mtu::segmented_by_the_stack,
    sender::not_built,
    sender::small_writes,
    path::unexplained,
];

/// Below this share of the TCP payload a cause is no answer to "why": `not-the-bottleneck` comes before it.
const WORTH_NAMING_FIRST: f64 = 0.001;

/// The causes, the one that explains most first; those that explain the same, or are not known by bytes, in the order of the chain.
#[must_use]
pub fn find(evidence: &Evidence<'_>) -> Vec<Cause> {
    let not_in_hardware = evidence.traffic.as_ref().map(Traffic::not_in_hardware_bytes);
    let mut found: Vec<Found> = RULES.iter().flat_map(|rule| rule(evidence)).collect();
    if let Some(whole) = not_in_hardware {
        // Fragments, which the ledger does not know for TCP, are part of the whole too.
        let claimed = found.iter().fold(0_u64, |sum, found| sum.saturating_add(found.bytes.unwrap_or(0)));
        let whole = whole.max(claimed);
        // Traffic that was seen and is not touched by it needs no answer from it.
        found.retain(|found| found.bytes != Some(0));
        for found in &mut found {
            let bytes = found.bytes.filter(|_| whole != 0);
            found.cause.share = bytes.map_or(NO_SHARE, |bytes| Ok((bytes as f64 / whole as f64).min(1.0)));
        }
        // What hides behind another cause keeps its place behind those that explain something.
        found.sort_by_key(|found| std::cmp::Reverse(found.bytes.unwrap_or(0)));
    }
    if found.is_empty() {
        found.extend(path::segmented_for_no_known_reason(evidence).map(|cause| Found { cause, bytes: None }));
    }
    let mut causes = found;
    if let Some(elsewhere) = elsewhere::not_the_bottleneck(evidence) {
        let payload = evidence.traffic.as_ref().map_or(0, Traffic::payload_bytes) as f64;
        let weighs =
            |found: &Found| found.bytes.is_some_and(|bytes| bytes as f64 >= WORTH_NAMING_FIRST * payload);
        let place = causes.iter().position(|found| !weighs(found)).unwrap_or(causes.len());
        causes.insert(place, elsewhere);
    }
    let mut causes: Vec<Cause> = causes.into_iter().map(|found| found.cause).collect();
    if evidence.traffic.is_none() {
        causes.iter_mut().for_each(|cause| cause.share = Err(NOTHING_WATCHED));
    }
    causes
}

#[cfg(test)]
mod tests;
