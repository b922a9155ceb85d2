//! Why a device segments, by the same rules as for one interface: what the queue foresaw stands for what `__skb_gso_segment` would say.

use vmnet_common::{Foreseen, Refusal};

use super::{NEARLY_ALL, Seen, Side, State, Step};
use crate::{
    cause::{self, Cause, Elsewhere, Evidence, Traffic},
    chain::Answers,
    ledger::{Entry, Protocol},
    machine::{Machine, QdiscOptions},
    reasons::{REFUSALS, Reason, ReasonId},
    state,
};

/// The causes of what a step does; none where it does nothing. `is_first`: packets come to it from sockets.
#[must_use]
pub fn causes(now: &Machine, before: &Machine, seen: &Seen, step: &Step, is_first: bool) -> Vec<Cause> {
    let is_cut_before = step.cut_before.is_some_and(|cut| cut != 0);
    let cuts = matches!(step.state, State::Segmented | State::Partial);
    // What comes encrypted was segmented for IPsec, wherever it was built.
    let builds_none = step.state == State::Singles && (is_first || seen.is_encrypted);
    let esp_bytes = if seen.is_encrypted { super::bytes(&step.passed) } else { 0 };
    if seen.side == Side::Receive || !(cuts || is_cut_before || builds_none) {
        return Vec::new();
    }
    let protocol = ledger(now, seen, step);
    let forwarded = if is_cut_before { protocol.total.payload_bytes } else { 0 };
    let reasons = reasons(now, seen, step, forwarded);
    let traffic = Traffic {
        state: if builds_none { state::State::NotBuilt } else { state::State::Software },
        tcp: Some(&protocol),
        reasons: Some(&reasons),
        forwarded_and_segmented_bytes: forwarded,
        udp_payload_bytes: 0,
        esp_bytes,
        mean_write_bytes: None,
        elsewhere: &Elsewhere::default(),
    };
    cause::find(&Evidence {
        machine: now,
        before: Some(before),
        traffic: Some(traffic),
        answers: Answers::NONE,
    })
}

/// As the ledger of one interface would have it.
fn ledger(now: &Machine, seen: &Seen, step: &Step) -> Protocol {
    let ipv6 = seen.counted.tcp6_payload_bytes.min(step.passed.payload_bytes);
    let ipv4 = step.passed.payload_bytes - ipv6;
    let cut = step.cut.unwrap_or(0.0);
    let entry = |payload: u64, singles: u64| {
        let software = (cut * payload as f64).round() as u64;
        let is_full = step.mean_bytes_in.unwrap_or(0.0) * 2.0 >= f64::from(now.device.mtu);
        Entry {
            payload_bytes: payload.saturating_add(singles),
            hardware_bytes: payload - software.min(payload),
            software_bytes: software,
            unaggregated_bytes: if is_full { singles } else { 0 },
            small_bytes: if is_full { 0 } else { singles },
            forwarded_bytes: if seen.after.is_some() { payload.saturating_add(singles) } else { 0 },
            ..Entry::default()
        }
    };
    // Where nearly all is singles they are what is asked about; else they are control packets for the most part.
    // What IPsec encrypted is no TCP any more that somebody could have built otherwise.
    let is_tcp = step.state == State::Singles && !seen.is_encrypted;
    let singles = if is_tcp { step.passed.single_bytes } else { 0 };
    Protocol {
        total: entry(step.passed.payload_bytes, singles),
        ipv4: entry(ipv4, singles),
        ipv6: entry(ipv6, 0),
    }
}

fn reasons(now: &Machine, seen: &Seen, step: &Step, cut_by_the_stack: u64) -> Vec<Reason> {
    let payload = step.passed.payload_bytes.max(1);
    let ipv6_share = seen.counted.tcp6_payload_bytes as f64 / payload as f64;
    let reason = |id: ReasonId, bytes: u64| {
        let ipv6_bytes = match id {
            ReasonId::Tso4Missing => 0,
            ReasonId::Tso6Missing => bytes,
            _ => ((ipv6_share * bytes as f64).round() as u64).min(bytes),
        };
        let share = (bytes as f64 / payload as f64).min(1.0);
        Reason { id, bytes, share, ipv4_bytes: bytes - ipv6_bytes, ipv6_bytes, text: id.text().to_owned() }
    };
    let is_told = |refused: &[Foreseen]| refused.iter().any(|one| one.packets != 0);
    let foreseen = if is_told(&seen.counted.ours_refused) {
        &seen.counted.ours_refused
    } else if step.passed == seen.counted.ours {
        &seen.counted.ours_foreseen
    } else {
        // Behind a translation of addresses all are taken for ours.
        &seen.counted.foreseen
    };
    let mut found = Vec::new();
    let mut explained = 0_u64;
    let is_hooked = is_told(&seen.counted.ours_refused);
    for (refusal, id) in REFUSALS {
        // These mean nothing at the queue.
        if matches!(refusal, Refusal::Unknown | Refusal::StackSplits) {
            continue;
        }
        if !is_hooked && matches!(id, ReasonId::QdiscSplits | ReasonId::NotRefused) {
            continue;
        }
        let bytes = foreseen.get(refusal as usize).map_or(0, |foreseen| foreseen.payload_bytes);
        if bytes != 0 {
            found.push(reason(id, bytes));
            explained = explained.saturating_add(bytes);
        }
    }
    if cut_by_the_stack != 0 {
        found.push(reason(ReasonId::StackSplits, cut_by_the_stack));
    }
    let rest = step.cut_bytes.saturating_sub(explained);
    if rest as f64 > (1.0 - NEARLY_ALL) * payload as f64 {
        let id = if splits(now) { ReasonId::QdiscSplits } else { ReasonId::DriverCheck };
        found.push(reason(id, rest));
    }
    found
}

/// Whether a qdisc of the device is of a kind that segments.
fn splits(machine: &Machine) -> bool {
    machine.qdiscs.iter().flatten().any(|qdisc| !matches!(qdisc.options, QdiscOptions::None))
}
