//! `too-large`: above what the device may be given.

use super::{Action, Cause, CauseId, Evidence, Fix, Found};
use crate::{machine::Machine, reasons::ReasonId};

/// `GSO_LEGACY_MAX_SIZE`, which every device can be raised to.
const USUAL_SIZE: u32 = 65_536;

pub(super) fn too_large(evidence: &Evidence<'_>) -> Vec<Found> {
    let bytes = evidence.refused(&[ReasonId::TooLarge]).filter(|bytes| *bytes != 0);
    // Without traffic, limits that somebody lowered are worth naming: they hit flows that live.
    let lowered = || !raise(evidence.machine).actions.is_empty() && !builds_none(evidence.machine);
    if bytes.is_none() && (evidence.traffic.is_some() || !lowered()) {
        return Vec::new();
    }
    let machine = evidence.machine;
    let limits = &machine.device.limits;
    let mut said = Vec::new();
    for (name, value) in [
        ("gso_max_size", limits.gso_max_size),
        ("gso_ipv4_max_size", limits.gso_ipv4_max_size),
        ("gso_max_segs", limits.gso_max_segs),
    ] {
        if let Some(value) = value {
            said.push(format!("{name} {value}"));
        }
    }
    let cause = Cause {
        id: CauseId::TooLarge,
        share: super::NO_SHARE,
        title: if bytes.is_some() {
            "super-packets are larger than the device may be given".to_owned()
        } else {
            "super-packets may not be as large as the driver takes them".to_owned()
        },
        detail: format!(
            "limits of {}: {}; sockets keep the limits that they found when they connected, so lowering them hits live flows",
            machine.device.name,
            if said.is_empty() { "not known".to_owned() } else { said.join(", ") }
        ),
        fix: raise(machine),
    };
    vec![Found { cause, bytes }]
}

/// That is `not-built`.
fn builds_none(machine: &Machine) -> bool {
    machine.device.limits.gso_max_segs == Some(1)
}

/// Back to what is usual, as far as the driver allows it. More than that (BIG TCP) is for a person to choose.
pub(super) fn raise(machine: &Machine) -> Fix {
    let limits = &machine.device.limits;
    let size = limits.tso_max_size.map_or(USUAL_SIZE, |most| most.min(USUAL_SIZE));
    let segs = limits.tso_max_segs.unwrap_or(u32::from(u16::MAX));
    let raised = |now: Option<u32>, to: u32| now.filter(|now| *now < to).map(|_| to);
    let (gso_max_size, gso_max_segs) = (raised(limits.gso_max_size, size), raised(limits.gso_max_segs, segs));
    let gso_ipv4_max_size = raised(limits.gso_ipv4_max_size, size);
    if gso_max_size.or(gso_max_segs).or(gso_ipv4_max_size).is_none() {
        return Fix::by_hand(&[
            "reconnect what is long connected: live sockets keep the limits they began with".to_owned(),
        ]);
    }
    let interface = machine.device.name.clone();
    Fix::by_root(vec![Action::GsoLimits { interface, gso_max_size, gso_ipv4_max_size, gso_max_segs }])
}
