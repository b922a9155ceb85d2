//! `too-large`: above what the device may be given.

use super::{Action, Cause, CauseId, Evidence, Fix, Found};
use crate::{machine::Machine, reasons::ReasonId, shell::quoted};

/// `GSO_LEGACY_MAX_SIZE`, which every device can be raised to.
const USUAL_SIZE: u32 = 65_536;

/// IPv6, and TCP with timestamps.
const HEADERS: u32 = 40 + 20 + 12;
const ETHERNET_HEADER: u32 = 14;

pub(super) fn too_large(evidence: &Evidence<'_>) -> Vec<Found> {
    let pair = shortest_beyond(evidence.machine);
    // Where nobody saw why, every super-packet of TCP is too long if the shortest is.
    let inferred = || pair.and_then(|_| evidence.segmented_in_spite_of_tso());
    let bytes = evidence.refused(&[ReasonId::TooLarge]).or_else(inferred).filter(|bytes| *bytes != 0);
    if let Some(limit) = pair.filter(|_| bytes.is_some()) {
        return vec![Found { cause: too_large_in_pairs(evidence.machine, limit), bytes }];
    }
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

/// The limit that even two segments of the interface's MTU exceed: TCP builds no super-packet of fewer (`tcp_min_tso_segs`, `tcp_tso_segs`), whatever
/// the device may be given (`gso_features_check`). So it is on `lo`, whose MTU is 65,536.
pub(super) fn shortest_beyond(machine: &Machine) -> Option<u32> {
    let limits = &machine.device.limits;
    let limit = limits.gso_max_size.into_iter().chain(limits.gso_ipv4_max_size).min()?;
    no_two_segments_fit(machine.device.mtu, limit).then_some(limit)
}

/// Whether the shortest super-packet, of two segments at this MTU, is longer than what the device may be given, bytes.
#[must_use]
pub fn no_two_segments_fit(mtu: u32, gso_max_size: u32) -> bool {
    let payload = mtu.saturating_sub(HEADERS).saturating_mul(2);
    payload.saturating_add(HEADERS + ETHERNET_HEADER) >= gso_max_size
}

/// What makes room for two segments below a limit: it is raised where somebody lowered it, and else the MTU is as large as it may be.
pub(super) fn make_room_for_two(machine: &Machine, limit: u32) -> Fix {
    let raised = raise(machine);
    if !raised.actions.is_empty() {
        return raised;
    }
    Fix::by_hand(&[format!("ip link set dev {} mtu {}", quoted(&machine.device.name), limit / 2)])
}

fn too_large_in_pairs(machine: &Machine, limit: u32) -> Cause {
    let (name, mtu) = (&machine.device.name, machine.device.mtu);
    Cause {
        id: CauseId::TooLarge,
        share: super::NO_SHARE,
        title: format!("two segments at an MTU of {mtu} are longer than {name} may be given"),
        detail: format!(
            "TCP builds super-packets of two segments at least (net.ipv4.tcp_min_tso_segs), and gso_max_size is {limit}; within this machine \
             that costs little"
        ),
        fix: make_room_for_two(machine, limit),
    }
}

/// That is `not-built`.
fn builds_none(machine: &Machine) -> bool {
    machine.device.limits.gso_max_segs == Some(1) || shortest_beyond(machine).is_some()
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
