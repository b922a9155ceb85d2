//! `upper-device`, `vlan-stack`: what was cut before it came here.

use super::{
    Cause, CauseId, Evidence, Fix, Found, qdisc,
    remedy::{reload, switch_all_on, takes_after_ports},
    tunnel::segmentation_inside,
};
use crate::shell::quoted;
use crate::{
    breaks::{Break, Family, above, breaks_of},
    machine::{Device, Machine, Relation, Stacked},
    reasons::ReasonId,
};

/// Segments that were handed to this device; and tagged packets that this device would not take whole.
pub(super) fn segmented_above(evidence: &Evidence<'_>) -> Vec<Found> {
    let machine = evidence.machine;
    let handed_over = evidence.refused(&[ReasonId::UpperDevice]);
    let mut found = Vec::new();
    for (index, (device, link)) in culprits(evidence).enumerate() {
        let bytes = match handed_over {
            _ if index != 0 => None,
            // Without reasons by packet, what nothing on this device explains is put down to the first above that cuts.
            None if evidence.reasons_are_unknown() && qdisc::culprit(machine).is_none() => {
                evidence.segmented_in_spite_of_tso()
            }
            known => known,
        };
        if index == 0 && (bytes == Some(0) || bytes.is_none() && evidence.traffic.is_some()) {
            break;
        }
        found.push(Found { cause: describe(machine, device, link), bytes });
    }
    let known = !found.is_empty();
    if !known && let Some(bytes) = handed_over.filter(|bytes| *bytes != 0) {
        found.push(Found { cause: unknown_device(), bytes: Some(bytes) });
    }
    if let Some(bytes) = evidence.refused(&[ReasonId::Vlan]).filter(|bytes| *bytes != 0) {
        found.push(Found { cause: tagged(machine), bytes: Some(bytes) });
    }
    found
}

/// The devices above whose TSO is not on, nearest first, then such tunnels as are bound to none and sent meanwhile. A tunnel through which nothing
/// came segmented nothing.
pub(super) fn culprits<'a>(evidence: &Evidence<'a>) -> impl Iterator<Item = (&'a Device, Break)> {
    let machine = evidence.machine;
    let segmented =
        evidence.traffic.as_ref().and_then(|traffic| traffic.tcp).map_or(0, |tcp| tcp.total.software_bytes);
    let sent_it = move |(_, sent): &(_, u64)| sent.saturating_mul(2) >= segmented;
    let routed = evidence.routed_tunnels().into_iter().filter(sent_it).map(|(device, _)| device);
    let tcp = evidence.traffic.as_ref().and_then(|traffic| traffic.tcp);
    let nothing_in_tunnels = tcp.is_some_and(|tcp| tcp.total.tunnel_bytes == 0);
    let rested = move |device: &&Device| nothing_in_tunnels && segmentation_inside(device).is_some();
    above(machine)
        .filter(move |device| !rested(device))
        .chain(routed)
        .filter_map(|device| Some((device, broken(device, machine)?)))
}

/// The first broken link of either family.
fn broken(device: &Device, machine: &Machine) -> Option<Break> {
    Family::ALL.into_iter().find_map(|family| breaks_of(device, machine, family)?.first().copied())
}

fn describe(machine: &Machine, device: &Device, link: Break) -> Cause {
    let kind = device.kind.as_deref().unwrap_or("device");
    let (name, below) = (&device.name, &machine.device.name);
    if link == Break::Below && takes_after_ports(device) {
        return Cause {
            id: CauseId::UpperDevice,
            share: super::NO_SHARE,
            title: format!(
                "the {kind} {name} above has no TSO, so super-packets are segmented before {below} is asked"
            ),
            detail: format!(
                "TSO is wanted on {name} and not active: it has what all of its ports have, and another lacks it"
            ),
            fix: Fix::by_hand(&[format!("vmnet doctor {}", quoted(name))]),
        };
    }
    if link == Break::Below {
        return Cause {
            id: CauseId::VlanStack,
            share: super::NO_SHARE,
            title: format!("the {kind} {name} above did not inherit TSO from {below}"),
            detail: format!(
                "TSO is wanted on {name} and not active: a stacked device has only what the device below passes on to those above \
                 it, which for a vlan was fixed when the driver of {below} probed (vlan_features)"
            ),
            fix: reload(machine),
        };
    }
    let never = link == Break::DriverHasNone;
    Cause {
        id: CauseId::UpperDevice,
        share: super::NO_SHARE,
        title: if never {
            format!(
                "the {kind} {name} above has no TSO, so super-packets are segmented before {below} is asked"
            )
        } else {
            format!(
                "TSO is off on the {kind} {name} above, so super-packets are segmented before {below} is asked"
            )
        },
        detail: format!(
            "packets for {below} that come through {name} are segmented there{}",
            match link {
                Break::DriverHasNone => ": its features are fixed",
                Break::ChecksumOff => ": its transmit checksum is off, which takes TSO along",
                Break::ScatterGatherOff => ": its scatter-gather is off, which takes TSO along",
                _ => ": its TSO can be switched, and is off",
            }
        ),
        fix: match Fix::by_root(switch_all_on(device)) {
            _ if never => Fix::none(),
            // Whoever mends the interface does not see which tunnels were routed through it.
            fix if is_routed(machine, device) => {
                let itself = format!("vmnet fix {}", quoted(name));
                Fix::by_hand(&[vec![itself], fix.commands].concat())
            }
            fix => fix,
        },
    }
}

fn is_routed(machine: &Machine, device: &Device) -> bool {
    let is_it = |at: &Stacked| at.relation == Relation::Routed && at.device.ifindex == device.ifindex;
    machine.stack.iter().any(is_it)
}

fn unknown_device() -> Cause {
    Cause {
        id: CauseId::UpperDevice,
        share: super::NO_SHARE,
        title: "a device above segments super-packets before this one is asked".to_owned(),
        detail: "packets came here as segments of super-packets; none of the devices known to stand above has its TSO off"
            .to_owned(),
        fix: Fix::by_hand(&["vmnet doctor on each device that routes or tunnels through this one".to_owned()]),
    }
}

fn tagged(machine: &Machine) -> Cause {
    Cause {
        id: CauseId::VlanStack,
        share: super::NO_SHARE,
        title: "packets with a VLAN tag are segmented: the device takes none of these whole".to_owned(),
        detail: "TSO is on, but not among the features for tagged packets (vlan_features), which were fixed when the driver probed, or \
                 there are two tags"
            .to_owned(),
        fix: reload(machine),
    }
}
