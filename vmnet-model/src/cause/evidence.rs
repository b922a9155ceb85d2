//! All that a cause may be found from.

use crate::{
    breaks::{Break, Family, breaks},
    cause::Elsewhere,
    chain::Answers,
    ledger::{Entry, Protocol},
    machine::{Device, Machine, Relation, Stacked},
    reasons::{Reason, ReasonId},
    state::State,
};

/// The machine, and what was seen of its traffic, if anything was.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// As it is now: at the end of a run.
    pub machine: &'a Machine,
    /// As it was when the run began.
    pub before: Option<&'a Machine>,
    /// What a run saw; None where nobody watched.
    pub traffic: Option<Traffic<'a>>,
    /// What the driver got of super-packets made by hand.
    pub answers: Answers,
}

/// What a run saw.
#[derive(Clone, Copy, Debug)]
pub struct Traffic<'a> {
    /// The verdict's.
    pub state: State,
    /// TCP's ledger; None in `counters` mode.
    pub tcp: Option<&'a Protocol>,
    /// Refusals by packet; None where segmentation cannot be hooked.
    pub reasons: Option<&'a [Reason]>,
    /// The part of what a layer above the device's queue segmented (`stack-splits`) that no local socket owns: it was forwarded. It may
    /// leave in fragments, in which the ledger sees no TCP. 0 where segmentation cannot be hooked.
    pub forwarded_and_segmented_bytes: u64,
    /// UDP's payload.
    pub udp_payload_bytes: u64,
    /// What IPsec had encrypted, link and IP headers included.
    pub esp_bytes: u64,
    /// Mean of what applications gave to TCP at a time, for this interface; None where that is not hooked.
    pub mean_write_bytes: Option<f64>,
    /// What else could be the limit.
    pub elsewhere: &'a Elsewhere,
}

impl Traffic<'_> {
    /// TCP payload that left without the device's help: segmented in software, or never built into super-packets.
    pub(super) fn not_in_hardware_bytes(&self) -> u64 {
        self.tcp.map_or(0, |tcp| {
            let total = &tcp.total;
            total.software_bytes.saturating_add(total.unaggregated_bytes).saturating_add(total.small_bytes)
        })
    }

    pub(super) fn payload_bytes(&self) -> u64 {
        self.tcp.map_or(0, |tcp| tcp.total.payload_bytes)
    }

    /// Payload refused for any of these reasons, of one family. None where reasons are not known.
    fn refused(&self, ids: &[ReasonId], family: Family) -> Option<u64> {
        let of_family = |reason: &Reason| match family {
            Family::Ipv4 => reason.ipv4_bytes,
            Family::Ipv6 => reason.ipv6_bytes,
        };
        let mut sum = 0_u64;
        for reason in self.reasons?.iter().filter(|reason| ids.contains(&reason.id)) {
            sum = sum.saturating_add(of_family(reason));
        }
        // A reason's base is what went into segmentation; the ledger's is what left.
        Some(sum)
    }

    /// One family's row.
    pub(super) fn entry(&self, family: Family) -> Option<&Entry> {
        self.tcp.map(|tcp| match family {
            Family::Ipv4 => &tcp.ipv4,
            Family::Ipv6 => &tcp.ipv6,
        })
    }
}

/// How one family's TSO is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// Its broken links, the first first; never empty.
    pub(super) links: Vec<Break>,
    /// It was so when the run began, and is not any more.
    pub(super) mended_since: bool,
}

impl<'a> Evidence<'a> {
    /// What is broken for a family; None where its TSO is on, or nothing is known of it.
    pub(super) fn broken(&self, family: Family) -> Option<Broken> {
        let of = |machine: &Machine| breaks(machine, family).filter(|links| !links.is_empty());
        if let Some(links) = of(self.machine) {
            return Some(Broken { links, mended_since: false });
        }
        self.before.and_then(of).map(|links| Broken { links, mended_since: true })
    }

    /// Tunnels that are bound to no device and sent meanwhile, with how much, bytes; the one that sent most first. None of them without
    /// traffic: which interface they would go out by is not known.
    pub(super) fn routed_tunnels(&self) -> Vec<(&'a Device, u64)> {
        let Some(before) = self.before.filter(|_| self.traffic.is_some()) else { return Vec::new() };
        let is_routed = |at: &&Stacked| at.relation == Relation::Routed;
        let sent = |at: &'_ Stacked| {
            let is_it = |then: &&Stacked| {
                is_routed(then)
                    && then.device.ifindex == at.device.ifindex
                    && then.device.name == at.device.name
            };
            let then = before.stack.iter().find(is_it).map_or(0, |then| then.tx_bytes);
            at.tx_bytes.saturating_sub(then)
        };
        let routed = self.machine.stack.iter().filter(is_routed).map(|at| (&at.device, sent(at)));
        let mut sending: Vec<_> = routed.filter(|(_, bytes)| *bytes != 0).collect();
        sending.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        sending
    }

    /// Payload of a family that was segmented because its TSO is not active. Without reasons by packet, all that was segmented of it is
    /// put down to that. None where no traffic was seen.
    pub(super) fn lost_to_tso_off(&self, family: Family) -> Option<u64> {
        let traffic = self.traffic.as_ref()?;
        let id = match family {
            Family::Ipv4 => ReasonId::Tso4Missing,
            Family::Ipv6 => ReasonId::Tso6Missing,
        };
        traffic.refused(&[id], family).or_else(|| Some(traffic.entry(family)?.software_bytes))
    }

    /// Payload refused for any of these reasons. None where no traffic was seen, or reasons are not known.
    pub(super) fn refused(&self, ids: &[ReasonId]) -> Option<u64> {
        let traffic = self.traffic.as_ref()?;
        let [ipv4, ipv6] = Family::ALL.map(|family| traffic.refused(ids, family));
        Some(ipv4?.saturating_add(ipv6?))
    }

    /// Whether traffic was seen, but not why its packets were refused.
    pub(super) fn reasons_are_unknown(&self) -> bool {
        self.traffic.as_ref().is_some_and(|traffic| traffic.reasons.is_none())
    }

    /// Without reasons by packet: payload that was segmented although its family's TSO was on all the time.
    pub(super) fn segmented_in_spite_of_tso(&self) -> Option<u64> {
        let traffic = self.traffic.as_ref()?;
        let mut sum = 0_u64;
        for family in Family::ALL {
            if self.broken(family).is_none() {
                sum = sum.saturating_add(traffic.entry(family)?.software_bytes);
            }
        }
        Some(sum)
    }
}
