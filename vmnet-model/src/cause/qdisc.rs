//! `qdisc-splits`: a queueing discipline that cuts.

use super::{Action, Cause, CauseId, Evidence, Fix, Found};
use crate::shell::quoted;
use crate::{
    breaks::Family,
    fix::burst_for,
    machine::{Machine, Qdisc, QdiscOptions},
    reasons::ReasonId,
};

/// A super-packet with its headers.
const LARGEST_BYTES: u64 = 65_536;

/// The smallest that IPv6 allows: the most segments in a super-packet.
const LEAST_MTU_BYTES: u32 = 1280;

pub(super) fn splits(evidence: &Evidence<'_>) -> Vec<Found> {
    let machine = evidence.machine;
    let culprit = culprit(machine);
    let bytes = match evidence.refused(&[ReasonId::QdiscSplits]) {
        None if evidence.reasons_are_unknown() && culprit.is_some() => evidence.segmented_in_spite_of_tso(),
        known => known,
    };
    let cause = match (culprit, bytes) {
        // The kernel asks for the features first, so that no packet says what the qdisc would have done with it.
        (Some((qdisc, how)), Some(0)) if is_hidden(evidence) => {
            let mut cause = describe(machine, qdisc, &how);
            cause.say_that_it_is_hidden();
            return vec![Found { cause, bytes: None }];
        }
        (_, Some(0)) | (None, None) => return Vec::new(),
        (Some((qdisc, how)), _) => describe(machine, qdisc, &how),
        (None, Some(_)) => Cause {
            id: CauseId::QdiscSplits,
            share: super::NO_SHARE,
            title: "the qdisc asked for segments".to_owned(),
            detail:
                "the device would have taken these packets whole; no qdisc that is known to segment is there now"
                    .to_owned(),
            fix: Fix::by_hand(&[format!("tc -d qdisc show dev {}", quoted(&machine.device.name))]),
        },
    };
    vec![Found { cause, bytes }]
}

/// Whether what the qdisc would cut is cut for want of TSO already.
fn is_hidden(evidence: &Evidence<'_>) -> bool {
    Family::ALL.into_iter().any(|family| evidence.lost_to_tso_off(family).is_some_and(|bytes| bytes != 0))
}

/// The first qdisc of the tree that cuts, and what it cuts.
pub(super) fn culprit(machine: &Machine) -> Option<(&Qdisc, String)> {
    machine.qdiscs.iter().flatten().find_map(|qdisc| Some((qdisc, how(machine, qdisc)?)))
}

/// What it cuts, if it cuts anything.
fn how(machine: &Machine, qdisc: &Qdisc) -> Option<String> {
    Some(match &qdisc.options {
        QdiscOptions::Tbf { burst_bytes, .. } if *burst_bytes < largest(machine) => {
            format!("tbf segments what is longer than its burst of {burst_bytes} bytes")
        }
        QdiscOptions::Cake { split_gso } if *split_gso != Some(false) => {
            "cake segments every super-packet (split-gso, its default)".to_owned()
        }
        QdiscOptions::Taprio { max_sdu_bytes: Some(most) } => {
            format!("taprio segments what is longer than {most} bytes")
        }
        QdiscOptions::Netem { corrupt } if *corrupt != 0 => {
            "netem segments the packets that it corrupts".to_owned()
        }
        _ => return None,
    })
}

fn largest(machine: &Machine) -> u64 {
    machine.device.limits.gso_max_size.map_or(LARGEST_BYTES, u64::from).min(LARGEST_BYTES)
}

fn describe(machine: &Machine, qdisc: &Qdisc, how: &str) -> Cause {
    let interface = machine.device.name.clone();
    let fix = match &qdisc.options {
        QdiscOptions::Tbf { .. } => Fix::by_root(vec![Action::TbfBurst {
            interface,
            handle: qdisc.handle,
            parent: qdisc.parent,
            burst_bytes: burst_for(u32::try_from(largest(machine)).unwrap_or(u32::MAX), LEAST_MTU_BYTES),
        }]),
        QdiscOptions::Cake { .. } => {
            Fix::by_root(vec![Action::CakeNoSplit { interface, handle: qdisc.handle, parent: qdisc.parent }])
        }
        _ => Fix::by_hand(&[format!("tc -d qdisc show dev {}", quoted(&interface))]),
    };
    Cause {
        id: CauseId::QdiscSplits,
        share: super::NO_SHARE,
        title: format!("the qdisc {} segments super-packets before the device is asked", qdisc.kind),
        detail: how.to_owned(),
        fix,
    }
}
