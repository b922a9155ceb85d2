//! What no other cause claims.

use super::{Cause, CauseId, Evidence, Fix, Found, encrypted, limits, qdisc, tunnel, upper};
use crate::{breaks::Family, chain::Asked, reasons::ReasonId};

/// Below this share of what was segmented, what stays unexplained is not worth a cause of its own.
const WORTH_TELLING: f64 = 0.001;

/// Super-packets made by hand that were segmented although nothing that is known stands in their way.
pub(super) fn segmented_for_no_known_reason(evidence: &Evidence<'_>) -> Option<Cause> {
    let cut = [(evidence.answers.ipv4, Family::Ipv4), (evidence.answers.ipv6, Family::Ipv6)]
        .into_iter()
        .any(|(asked, family)| asked == Asked::Segmented && evidence.broken(family).is_none());
    (evidence.traffic.is_none() && cut).then(|| Cause {
        id: CauseId::Unexplained,
        share: super::NO_SHARE,
        title: "super-packets are segmented, and nothing that is known here explains it".to_owned(),
        detail: "TSO is on, and the driver got segments; vmnet run tells why, packet by packet".to_owned(),
        fix: Fix::none(),
    })
}

/// Without reasons by packet: whether no qdisc, no device above and no limit claims all that was segmented although TSO was on.
pub(super) fn is_unclaimed(evidence: &Evidence<'_>) -> bool {
    evidence.reasons_are_unknown()
        && qdisc::culprit(evidence.machine).is_none()
        && upper::culprits(evidence).next().is_none()
        && limits::shortest_beyond(evidence.machine).is_none()
}

/// Bytes that were segmented for reasons that no cause of the catalogue stands for.
pub(super) fn unexplained(evidence: &Evidence<'_>) -> Vec<Found> {
    const REST: [(ReasonId, &str); 6] = [
        (ReasonId::OtherMissing, "a rarer kind of segmentation that the device lacks"),
        (ReasonId::Checksum, "a checksum that the device cannot make"),
        (ReasonId::DriverCheck, "the driver refused them one by one"),
        (ReasonId::NotRefused, "a fragment list, or a checksum state that a device is not given"),
        (ReasonId::Unexplained, "no reason was found"),
        (ReasonId::UsoMissing, "UDP segmentation"),
    ];
    // Its driver segments by itself: `encrypted` says so.
    if encrypted::is_wireguard(&evidence.machine.device) {
        return Vec::new();
    }
    let Some(traffic) = &evidence.traffic else { return Vec::new() };
    let software = traffic.tcp.map_or(0, |tcp| tcp.total.software_bytes);
    let mut said = Vec::new();
    let mut bytes = 0_u64;
    for (id, text) in REST {
        if let Some(part) = evidence.refused(&[id]).filter(|part| *part != 0) {
            said.push(text);
            bytes = bytes.saturating_add(part);
        }
    }
    if is_unclaimed(evidence) {
        let in_tunnels = tunnel::inferred(evidence).unwrap_or(0);
        bytes = evidence.segmented_in_spite_of_tso().unwrap_or(0).saturating_sub(in_tunnels);
        said.push("why cannot be seen on this rung, where segmentation cannot be hooked");
    }
    if (bytes as f64) < WORTH_TELLING * software as f64 || bytes == 0 {
        return Vec::new();
    }
    let cause = Cause {
        id: CauseId::Unexplained,
        share: super::NO_SHARE,
        title: "segmented for reasons that the catalogue does not know".to_owned(),
        detail: said.join("; "),
        fix: Fix::none(),
    };
    vec![Found { cause, bytes: Some(bytes) }]
}
