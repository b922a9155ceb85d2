//! The chain that a super-packet's offload depends on, link by link: offered → negotiated → hw → wanted → active → allowed
//! for this packet → taken by the driver.

use serde::{Deserialize, Serialize};

use super::breaks::{Break, Family, breaks};
use super::cause::no_two_segments_fit;
use super::fact::Fact;
use super::features::Feature;
use super::ledger::Protocol;
use super::machine::{Machine, QdiscOptions};
use crate::units::percent;

/// A link of the chain, in the chain's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LinkName {
    /// By the host.
    Offered,
    /// Between driver and host.
    Negotiated,
    /// In `hw_features`: can be switched.
    Hw,
    /// Asked for.
    Wanted,
    /// In `dev->features`.
    Active,
    /// For this packet: size, qdisc, tunnel, tag.
    Allowed,
    /// By the driver, whole.
    Taken,
}

impl LinkName {
    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Offered => "offered by the host",
            Self::Negotiated => "negotiated",
            Self::Hw => "switchable",
            Self::Wanted => "requested",
            Self::Active => "active",
            Self::Allowed => "allowed for packets",
            Self::Taken => "taken by the driver",
        }
    }

    /// In one word, where the whole chain is to fit a line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Allowed => "allowed",
            Self::Taken => "taken",
            Self::Negotiated | Self::Hw | Self::Wanted | Self::Active => self.words(),
        }
    }
}

/// How a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// It holds, for both families.
    Ok,
    /// It holds for one family only.
    Partial,
    /// It does not hold.
    Broken,
    /// Cannot be known here; the evidence says why.
    Unknown,
    /// Such a device has no such link.
    NotApplicable,
}

/// One link, with what shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Link {
    /// Which.
    pub link: LinkName,
    /// How it stands.
    pub state: LinkState,
    /// What shows it.
    pub evidence: String,
}

/// What was found by asking the interface with super-packets made by hand, for one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The driver got them whole.
    Whole,
    /// It got segments.
    Segmented,
    /// Nobody asked, or the answer was not plain.
    Unknown,
}

/// What became of super-packets made by hand, by type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// TCP over IPv4.
    pub ipv4: Asked,
    /// TCP over IPv6.
    pub ipv6: Asked,
    /// TCP with CWR set, over a family whose plain ones passed whole.
    pub ecn: Asked,
}

impl Answers {
    /// Nobody asked.
    pub const NONE: Self = Self { ipv4: Asked::Unknown, ipv6: Asked::Unknown, ecn: Asked::Unknown };
}

/// The chain of an interface. `why_not_asked`: where the answers are not known.
#[must_use]
pub fn links(machine: &Machine, answers: Answers, why_not_asked: &str) -> Vec<Link> {
    let mut chain = vec![offered(machine), negotiated(machine)];
    let of = |holds: fn(&Feature) -> bool| {
        let set = machine.device.features.as_ref().map_err(Clone::clone)?;
        Ok(Family::ALL.map(|family| set.get(family.feature()).map(holds)))
    };
    chain.push(feature_link(
        LinkName::Hw,
        of(|tso| !tso.fixed() || tso.active),
        "can be switched",
        "fixed off",
    ));
    chain.push(feature_link(
        LinkName::Wanted,
        of(|tso| tso.wanted || tso.active),
        "requested",
        "not requested",
    ));
    chain.push(active(machine, of(|tso| tso.active)));
    chain.push(allowed(machine));
    chain.push(taken([answers.ipv4, answers.ipv6], why_not_asked));
    chain
}

/// The chain of an interface whose traffic was watched: the driver took, or did not take, what the ledger says.
#[must_use]
pub fn links_of_run(machine: &Machine, tcp: Option<&Protocol>) -> Vec<Link> {
    let mut chain = links(machine, Answers::NONE, "");
    chain.pop();
    chain.push(taken_by_ledger(tcp));
    chain
}

fn taken_by_ledger(tcp: Option<&Protocol>) -> Link {
    const NAME: LinkName = LinkName::Taken;
    let Some(tcp) = tcp else {
        return link(NAME, LinkState::Unknown, "packets were not counted one by one");
    };
    let shares = [("IPv4", &tcp.ipv4), ("IPv6", &tcp.ipv6)]
        .map(|(family, entry)| entry.software_share().map(|share| (family, share)));
    let evidence: Vec<String> = shares
        .iter()
        .flatten()
        .map(|(family, cut)| {
            format!("{family}: {} of the bytes in super-packets reached the driver whole", percent(1.0 - cut))
        })
        .collect();
    if evidence.is_empty() {
        return link(NAME, LinkState::Unknown, "TCP built no super-packets");
    }
    // As the verdict's states: what is nearly all is all.
    let states: Vec<LinkState> = shares
        .iter()
        .flatten()
        .map(|(_, cut)| match *cut {
            cut if cut <= 0.05 => LinkState::Ok,
            cut if cut >= 0.95 => LinkState::Broken,
            _ => LinkState::Partial,
        })
        .collect();
    let all = |state| states.iter().all(|each| *each == state);
    let state = match (all(LinkState::Ok), all(LinkState::Broken)) {
        (true, _) => LinkState::Ok,
        (_, true) => LinkState::Broken,
        _ => LinkState::Partial,
    };
    link(NAME, state, evidence.join("; "))
}

/// The first link that is broken, for either family.
#[must_use]
pub fn first_broken(chain: &[Link]) -> Option<&Link> {
    chain.iter().find(|link| matches!(link.state, LinkState::Broken | LinkState::Partial))
}

fn link(link: LinkName, state: LinkState, evidence: impl Into<String>) -> Link {
    Link { link, state, evidence: evidence.into() }
}

fn offered(machine: &Machine) -> Link {
    const NAME: LinkName = LinkName::Offered;
    match &machine.virtio {
        None => {
            link(NAME, LinkState::NotApplicable, "not a virtio device: nothing is negotiated with a host")
        }
        Some(Err(why)) => link(NAME, LinkState::Unknown, why.to_string()),
        Some(Ok(virtio)) => match &virtio.offered {
            Ok(offered) => {
                let has = |name: &str| offered.iter().any(|bit| bit == name);
                bits(NAME, &has)
            }
            // The driver takes all of these bits that it is offered, so what was not negotiated was not offered.
            Err(why) => {
                let has = |name: &str| virtio.negotiated(name) == Some(true);
                let inferred = bits(NAME, &has);
                link(
                    NAME,
                    inferred.state,
                    format!("{}, to go by what was negotiated: {why}", inferred.evidence),
                )
            }
        },
    }
}

fn negotiated(machine: &Machine) -> Link {
    const NAME: LinkName = LinkName::Negotiated;
    match &machine.virtio {
        None => link(NAME, LinkState::NotApplicable, "not a virtio device"),
        Some(Err(why)) => link(NAME, LinkState::Unknown, why.to_string()),
        Some(Ok(virtio)) => bits(NAME, &|name| virtio.negotiated(name) == Some(true)),
    }
}

/// TSO needs CSUM, and the bit of its family.
fn bits(name: LinkName, has: &dyn Fn(&str) -> bool) -> Link {
    let wanted = ["CSUM", "HOST_TSO4", "HOST_TSO6", "HOST_ECN"];
    let (there, missing): (Vec<_>, Vec<_>) = wanted.iter().partition(|bit| has(bit));
    let list = |bits: &[&&str]| bits.iter().map(|bit| **bit).collect::<Vec<_>>().join(", ");
    let evidence = match (there.is_empty(), missing.is_empty()) {
        (false, true) => list(&there),
        (true, false) => format!("none of {}", list(&missing)),
        _ => format!("{}; not {}", list(&there), list(&missing)),
    };
    let state = if !has("CSUM") {
        LinkState::Broken
    } else {
        of_families([has("HOST_TSO4") || has("GSO"), has("HOST_TSO6") || has("GSO")])
    };
    link(name, state, evidence)
}

fn of_families(holds: [bool; 2]) -> LinkState {
    match holds {
        [true, true] => LinkState::Ok,
        [false, false] => LinkState::Broken,
        _ => LinkState::Partial,
    }
}

type ByFamily = Fact<[Option<bool>; 2]>;

fn feature_link(name: LinkName, by_family: ByFamily, yes: &str, no: &str) -> Link {
    match by_family {
        Err(why) => link(name, LinkState::Unknown, why.to_string()),
        Ok([Some(ipv4), Some(ipv6)]) => {
            let say = |holds| if holds { yes } else { no };
            let evidence = if ipv4 == ipv6 {
                format!("TSO for IPv4 and IPv6: {}", say(ipv4))
            } else {
                format!("TSO for IPv4: {}; IPv6: {}", say(ipv4), say(ipv6))
            };
            link(name, of_families([ipv4, ipv6]), evidence)
        }
        Ok(_) => link(name, LinkState::Unknown, "this kernel names no TSO features"),
    }
}

fn active(machine: &Machine, by_family: ByFamily) -> Link {
    let mut found = feature_link(LinkName::Active, by_family, "on", "off");
    let dependency = |wanted: Break| {
        Family::ALL.into_iter().any(|family| breaks(machine, family).is_some_and(|all| all.contains(&wanted)))
    };
    if dependency(Break::ChecksumOff) {
        found.evidence.push_str("; transmit checksumming is off, and TSO needs it");
    }
    if dependency(Break::ScatterGatherOff) {
        found.evidence.push_str("; scatter-gather is off, and TSO needs it");
    }
    found
}

fn allowed(machine: &Machine) -> Link {
    const NAME: LinkName = LinkName::Allowed;
    let limits = &machine.device.limits;
    let most_bytes =
        limits.gso_ipv4_max_size.unwrap_or(u32::MAX).min(limits.gso_max_size.unwrap_or(u32::MAX));
    let mut against = Vec::new();
    for qdisc in machine.qdiscs.iter().flatten() {
        match &qdisc.options {
            QdiscOptions::Tbf { burst_bytes, .. } if *burst_bytes < u64::from(most_bytes.min(65_536)) => {
                against.push(format!("tbf segments what is longer than its burst of {burst_bytes} bytes"));
            }
            QdiscOptions::Cake { split_gso: Some(true) } => {
                against.push("cake segments all of them (split-gso)".to_owned());
            }
            QdiscOptions::Taprio { max_sdu_bytes: Some(most) } => {
                against.push(format!("taprio segments what is longer than {most} bytes"));
            }
            _ => {}
        }
    }
    if limits.gso_max_segs == Some(1) {
        against.push("gso_max_segs is 1: TCP builds no super-packets".to_owned());
    }
    if !machine.device.loopback && no_two_segments_fit(machine.device.mtu, most_bytes) {
        against.push(format!(
            "no two segments of an MTU of {} fit into {most_bytes} bytes (gso_max_size): TCP builds no super-packets",
            machine.device.mtu
        ));
    }
    if !against.is_empty() {
        return link(NAME, LinkState::Broken, against.join("; "));
    }
    let mut known = Vec::new();
    if most_bytes != u32::MAX {
        known.push(format!("up to {most_bytes} bytes"));
    }
    if let Some(segs) = limits.gso_max_segs {
        known.push(format!("{segs} segments"));
    }
    match &machine.qdiscs {
        Err(why) => return link(NAME, LinkState::Unknown, format!("qdiscs: {why}")),
        Ok(qdiscs) => {
            let kinds: Vec<&str> = qdiscs.iter().map(|qdisc| qdisc.kind.as_str()).collect();
            if let Some(root) = kinds.first() {
                known.push(match kinds.iter().find(|kind| !LEAVE_THEM_WHOLE.contains(kind)) {
                    None => format!("qdisc {root} leaves them whole"),
                    Some(kind) => format!("what qdisc {kind} does with them is not known here"),
                });
            }
        }
    }
    link(NAME, LinkState::Ok, known.join(", "))
}

/// Qdiscs whose sources were read (5.10 to 6.18), and which hand packets on as they came, or as far as their options say, which
/// `qdisc-splits` looks at.
const LEAVE_THEM_WHOLE: [&str; 27] = [
    "bfifo",
    "cake",
    "cbs",
    "choke",
    "clsact",
    "codel",
    "drr",
    "etf",
    "ets",
    "fq",
    "fq_codel",
    "fq_pie",
    "hfsc",
    "hhf",
    "htb",
    "ingress",
    "mq",
    "mqprio",
    "multiq",
    "netem",
    "noqueue",
    "pfifo",
    "pfifo_fast",
    "prio",
    "red",
    "sfq",
    "tbf",
];

fn taken(asked: [Asked; 2], why_not: &str) -> Link {
    const NAME: LinkName = LinkName::Taken;
    let say = |asked| match asked {
        Asked::Whole => "whole",
        Asked::Segmented => "segmented in software",
        Asked::Unknown => "not known",
    };
    let evidence = match asked {
        [Asked::Unknown, Asked::Unknown] => return link(NAME, LinkState::Unknown, why_not),
        [ipv4, ipv6] if ipv4 == ipv6 => {
            format!("super-packets sent to its own address reached the driver {}", say(ipv4))
        }
        [ipv4, ipv6] => {
            format!(
                "super-packets sent to its own address reached the driver: IPv4 {}; IPv6 {}",
                say(ipv4),
                say(ipv6)
            )
        }
    };
    let state = match asked {
        [Asked::Whole, Asked::Whole] => LinkState::Ok,
        [Asked::Segmented, Asked::Segmented]
        | [Asked::Segmented, Asked::Unknown]
        | [Asked::Unknown, Asked::Segmented] => LinkState::Broken,
        // Half an answer is none.
        [Asked::Unknown, Asked::Whole] | [Asked::Whole, Asked::Unknown] => LinkState::Unknown,
        _ => LinkState::Partial,
    };
    link(NAME, state, evidence)
}
