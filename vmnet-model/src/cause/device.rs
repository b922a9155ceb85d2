//! `host-no-csum`, `host-no-tso`, `one-family`, `host-no-ecn`, `driver-no-tso`: what host and driver never gave.

use super::{Cause, CauseId, Evidence, Fix, Found, features, host, host::HostNeed};
use crate::{
    breaks::{Break, Family, TSO_ECN},
    chain::Asked,
    machine::{Machine, Virtio},
    reasons::ReasonId,
};

/// The families whose first broken link is one of these.
fn families(evidence: &Evidence<'_>, first: &[Break]) -> Vec<Family> {
    let is = |family: &Family| {
        evidence
            .broken(*family)
            .is_some_and(|broken| broken.links.first().is_some_and(|link| first.contains(link)))
    };
    Family::ALL.into_iter().filter(is).collect()
}

/// What the host does not offer, as the negotiated bits show it.
pub(super) fn host_offers_too_little(evidence: &Evidence<'_>) -> Vec<Found> {
    let without_csum = families(evidence, &[Break::NoChecksumOffered]);
    let without_tso = families(evidence, &[Break::NotOffered]);
    let mut found = Vec::new();
    if !without_csum.is_empty() {
        found.push(no_checksum(evidence, &without_csum));
    }
    match without_tso.as_slice() {
        [] => {}
        [family] if features::other_is_on(evidence, *family) => {
            found.push(one_family(evidence, *family));
        }
        families => found.push(no_tso(evidence, families)),
    }
    found
}

fn no_checksum(evidence: &Evidence<'_>, families: &[Family]) -> Found {
    let shown = shown(evidence.machine, "the negotiated virtio features lack CSUM (bit 0)");
    found(
        evidence,
        families,
        CauseId::HostNoCsum,
        "the host never offered checksum offload, so the driver could not consider TSO",
        format!(
            "{shown}; without it virtio_net sets up neither scatter-gather nor TSO, and ethtool shows them as off [fixed]: \
             nothing inside this machine can turn them on"
        ),
        Fix::by_host(host::settings(HostNeed::Checksum)),
    )
}

fn no_tso(evidence: &Evidence<'_>, families: &[Family]) -> Found {
    let bits: Vec<&str> = families.iter().map(|family| family.virtio_bit()).collect();
    let shown = shown(
        evidence.machine,
        &format!("the negotiated virtio features have CSUM, but not {}", bits.join(", ")),
    );
    found(
        evidence,
        families,
        CauseId::HostNoTso,
        "the host does not offer TSO",
        format!("{shown}; ethtool shows it as off [fixed]: nothing inside this machine can turn it on"),
        Fix::by_host(host::settings(HostNeed::tso(families))),
    )
}

fn one_family(evidence: &Evidence<'_>, family: Family) -> Found {
    let other = if family == Family::Ipv4 { Family::Ipv6 } else { Family::Ipv4 };
    let shown = shown(
        evidence.machine,
        &format!("{} was negotiated, {} was not", other.virtio_bit(), family.virtio_bit()),
    );
    found(
        evidence,
        &[family],
        CauseId::OneFamily,
        &format!("the host offers TSO for {} only: {} is segmented in software", other.name(), family.name()),
        format!("{shown}; {} is off [fixed]", family.feature()),
        Fix::by_host(host::settings(HostNeed::tso(&[family]))),
    )
}

/// CWR-marked packets, where the device was not told that the host takes them.
pub(super) fn no_ecn(evidence: &Evidence<'_>) -> Vec<Found> {
    let machine = evidence.machine;
    let Some(ecn) = machine.device.features.as_ref().ok().and_then(|set| set.get(TSO_ECN)) else {
        return Vec::new();
    };
    let bytes = evidence.refused(&[ReasonId::EcnMissing]);
    // ECN depends on TSO: where that is off, this is not what is broken.
    let tso_is_on = Family::ALL.into_iter().any(|family| evidence.broken(family).is_none());
    let matters = match bytes {
        Some(bytes) => bytes != 0,
        None => {
            evidence.traffic.is_none()
                && (evidence.answers.ecn == Asked::Segmented || machine.tcp_ecn == Ok(1))
        }
    };
    if ecn.active || !tso_is_on || !matters {
        return Vec::new();
    }
    let (id, title, why, fix) = if ecn.fixed() {
        let mut commands = host::settings(HostNeed::Ecn);
        commands.push("or here, if ECN can be done without: sysctl -w net.ipv4.tcp_ecn=0".to_owned());
        (
            CauseId::HostNoEcn,
            "the host does not offer TSO for packets that carry ECN's CWR mark",
            shown(machine, "HOST_ECN (bit 13) was not negotiated"),
            Fix::by_host(commands),
        )
    } else {
        let action = super::Action::switch_on(&machine.device.name, [TSO_ECN]);
        (
            CauseId::TurnedOff,
            "TSO for packets that carry ECN's CWR mark is turned off",
            format!("{TSO_ECN} can be switched, and is off"),
            features::by_root_on(&machine.device, vec![action]),
        )
    };
    let detail =
        format!("{why}; the first packet after each reduction of the congestion window carries the mark");
    vec![Found { cause: Cause { id, share: super::NO_SHARE, title: title.to_owned(), detail, fix }, bytes }]
}

/// Drivers without TSO.
pub(super) fn driver_has_none(evidence: &Evidence<'_>) -> Vec<Found> {
    let families = families(evidence, &[Break::DriverHasNone]);
    if families.is_empty() {
        return Vec::new();
    }
    let device = &evidence.machine.device;
    if device.kind.as_deref() == Some("veth") {
        // A veth has what VETH_FEATURES has, but for this (`veth_xdp_set`).
        return vec![found(
            evidence,
            &families,
            CauseId::DriverNoTso,
            &format!("an XDP program at the other end of the veth takes TSO{} away", for_one(&families)),
            "a veth has TSO of its own; it is not among what can be switched while a program of XDP is attached to the other end".to_owned(),
            Fix::by_hand(&["in the namespace of the other end: ip link set dev <the other end> xdp off".to_owned()]),
        )];
    }
    let what = device.driver.as_deref().or(device.kind.as_deref()).unwrap_or("this device");
    vec![found(
        evidence,
        &families,
        CauseId::DriverNoTso,
        &format!("{what} has no TSO{}", for_one(&families)),
        "the driver does not list it among what can be switched: off [fixed]".to_owned(),
        Fix::none(),
    )]
}

/// " for IPv6", where it is one family only.
fn for_one(families: &[Family]) -> String {
    match families {
        [family] => format!(" for {}", family.name()),
        _ => String::new(),
    }
}

fn found(
    evidence: &Evidence<'_>,
    families: &[Family],
    id: CauseId,
    title: &str,
    detail: String,
    fix: Fix,
) -> Found {
    let bytes = features::lost(evidence, families);
    Found { cause: Cause { id, share: super::NO_SHARE, title: title.to_owned(), detail, fix }, bytes }
}

/// The claim, and whether it was seen as bits or follows from what can be switched.
fn shown(machine: &Machine, claim: &str) -> String {
    match &machine.virtio {
        Some(Ok(virtio)) => format!("{claim}; there are {}", names(virtio)),
        Some(Err(why)) => {
            format!("not among what can be switched (the negotiated bits cannot be read: {why})")
        }
        None => "not among what can be switched".to_owned(),
    }
}

fn names(virtio: &Virtio) -> String {
    if virtio.negotiated.is_empty() {
        "none of those known here".to_owned()
    } else {
        virtio.negotiated.join(", ")
    }
}
