//! What one device sent is what the next queues: in packets, and where GRO merges between them or others' packets pass too, in wire segments.

use serde::{Deserialize, Serialize};

use super::{Counts, Seen, Side, State, Step, next, packets, segments};

/// What two counts are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// skbs: the counters of the device before against the queue's hook.
    Packets,
    /// Wire segments, which neither segmentation nor GRO changes: hook against hook.
    Segments,
}

/// Two counts that must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Audit {
    /// Of what.
    pub unit: Unit,
    /// What the step before sent.
    pub left: u64,
    /// What was queued here, and at the other branches where there are any.
    pub right: u64,
    /// `right` less `left`.
    pub residual: i64,
    /// What the edges of the window explain, what was dropped, and what a device counted and no program saw.
    pub slack: u64,
    /// Whether the residual is within the slack.
    pub ok: bool,
}

/// What sends of its own accord: ARP, neighbour discovery. Where packets are told apart by where they go, none of it counts.
const STRAY_PACKETS: u64 = 16;

/// Fills in what each step has of the one before.
pub(super) fn between(seen: &[Seen], steps: &mut [Step]) {
    for of in 0..seen.len() {
        let behind = next(seen, of);
        let (Some(one), Some(step)) = (seen.get(of), steps.get(of)) else { continue };
        if one.side != Side::Transmit || behind.is_empty() || packets(&step.passed) == 0 {
            continue;
        }
        let sum = |count: fn(&vmnet_common::Passed) -> u64| {
            let of = behind.iter().filter_map(|index| steps.get(*index)).map(|step| count(&step.passed));
            of.fold(0, u64::saturating_add)
        };
        let (came, worth) = (sum(packets), sum(segments));
        let stray = if one.is_filtered { 0 } else { STRAY_PACKETS };
        let moving: u64 = {
            let of = behind.iter().filter_map(|index| seen.get(*index)).map(|one| one.moving);
            of.fold(0, u64::saturating_add)
        };
        let seen_by_none = behind.iter().filter_map(|index| steps.get(*index)).chain([step]);
        let unseen = seen_by_none.fold(0_u64, |sum, step| sum.saturating_add(step.unseen_packets));
        let edges = one.moving.saturating_add(moving).saturating_add(stray).saturating_add(unseen);
        // A super-packet that was dropped takes all of its segments along.
        let worth_each = segments(&step.passed).div_ceil(packets(&step.passed)).max(1);
        let dropped = one.dropped.saturating_mul(worth_each);
        let own = one.own.filter(|_| one.counts == Counts::Skbs && step.others <= edges);
        let audit = |unit, left: u64, right: u64, slack: u64| {
            let residual = right.wrapping_sub(left).cast_signed();
            Audit { unit, left, right, residual, slack, ok: residual.unsigned_abs() <= slack }
        };
        let by_segments = audit(
            Unit::Segments,
            segments(&step.passed),
            worth,
            edges.saturating_mul(worth_each).saturating_add(dropped),
        );
        let sent = own.map(|own| own.packets).or(step.sent);
        let by_packets =
            own.map(|own| audit(Unit::Packets, own.packets, came, edges.saturating_add(step.others)));
        let (merged, cut) = match sent {
            Some(sent) => {
                let slack = edges.saturating_add(step.others).saturating_add(one.dropped);
                let beyond = |more: u64, less: u64| {
                    let by = more.saturating_sub(less);
                    if by > slack.max(more / 1000) { by } else { 0 }
                };
                (Some(beyond(sent, came)), Some(beyond(came, sent)))
            }
            None => (None, None),
        };
        let found = by_packets.filter(|audit| audit.ok).unwrap_or(by_segments);
        for index in behind {
            if let Some(step) = steps.get_mut(index) {
                step.audit = Some(found);
                // Without as many segments as left, it is packets that were lost or added, and not merged or cut.
                step.merged_before = merged.map(|merged| if by_segments.ok { merged } else { 0 });
                // What IP segments for a smaller MTU, and fragments where it is still too long, is more than that.
                let all_cut = step.state == State::Singles && by_segments.residual > 0;
                step.cut_before = cut.map(|cut| if by_segments.ok || all_cut { cut } else { 0 });
            }
        }
    }
}
