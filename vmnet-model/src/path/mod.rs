//! Which device on a packet's way segments: what each let pass whole, from what was queued to it and what it counts itself.
//!
//! Nothing here is of a single segment. With S singles and W super-packets at a device's queue, worth G wire segments, d dropped and D packets
//! that the device says it sent, the super-packets left whole where D = S + W − d, and segmented where D = S + G − d. What one device sent
//! is what the next queues: that is the audit between them.

mod audit;
mod causes;
mod counts;
mod limits;
mod offload_below;
mod step;
mod verdict;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use vmnet_common::{AtDevice, Foreseen, Passed, Refusal};

pub use self::{
    audit::{Audit, Unit},
    causes::causes,
    counts::Counts,
    limits::{Effect, LimitEffect, limits},
    offload_below::{OffloadBelow, offload_below},
    step::{Step, Witness},
    verdict::{Branch, Named, Verdict, branches, verdict},
};

/// How packets pass a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// They are sent by it: here they may be segmented.
    Transmit,
    /// They come in by it: here GRO may merge them.
    Receive,
}

/// What a device makes of super-packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// They leave it as they came, at least 95 % of them by what they are worth.
    Whole,
    /// They are segmented in software for it, at least 95 % of them.
    Segmented,
    /// Some of them are.
    Partial,
    /// Packets come as singles already: there is nothing to segment.
    Singles,
    /// Not known, or nothing passed.
    Unknown,
}

/// From here on a share is all, and below the rest of 1 it is nothing.
const NEARLY_ALL: f64 = 0.95;

/// One device and what it saw in a window.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The place in the list of the device before.
    pub after: Option<usize>,
    /// Which way.
    pub side: Side,
    /// Whether our packets are told from others by where they go.
    pub is_filtered: bool,
    /// Whether IPsec encrypted them on their way here.
    pub is_encrypted: bool,
    /// What passed its queue; nothing of a device that packets only come in by.
    pub counted: AtDevice,
    /// Whether calls of `__skb_gso_segment` were counted.
    pub is_hooked: bool,
    /// What the device says it sent (or received), packets and bytes; None where it could not be read.
    pub own: Option<Own>,
    /// What these mean.
    pub counts: Counts,
    /// Drops of device and qdisc, skbs.
    pub dropped: u64,
    /// Packets that passed between the readings at the two ends of the window: no count is exacter than that.
    pub moving: u64,
}

/// A device's own counters over the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The steps that come next of those packets are sent by, beyond those that they come in by.
fn next(seen: &[Seen], of: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut waiting = vec![of];
    while let Some(at) = waiting.pop() {
        for (index, one) in seen.iter().enumerate() {
            // A place comes after one before it, so that this ends.
            if one.after == Some(at) && index > at {
                match one.side {
                    Side::Transmit => found.push(index),
                    Side::Receive => waiting.push(index),
                }
            }
        }
    }
    found.sort_unstable();
    found
}

/// The step before that packets are sent by.
fn before(seen: &[Seen], of: usize) -> Option<usize> {
    let mut at = of;
    loop {
        let after = seen.get(at)?.after.filter(|after| *after < at)?;
        if seen.get(after)?.side == Side::Transmit {
            return Some(after);
        }
        at = after;
    }
}

/// How many more packets super-packets would be, of those that the device is foreseen to refuse.
fn refused(foreseen: &[Foreseen]) -> u64 {
    let passes = [Refusal::QdiscSplits as usize, Refusal::Unknown as usize, Refusal::NotRefused as usize];
    let refused = foreseen.iter().enumerate().filter(|(index, _)| !passes.contains(index));
    refused.fold(0, |sum, (_, one)| sum.saturating_add(one.segments.saturating_sub(one.packets)))
}

fn packets(passed: &Passed) -> u64 {
    passed.super_packets.saturating_add(passed.singles)
}

/// Wire segments.
fn segments(passed: &Passed) -> u64 {
    passed.segments.saturating_add(passed.singles)
}

/// How many more packets they are once all are segmented.
fn excess(passed: &Passed) -> u64 {
    passed.segments.saturating_sub(passed.super_packets)
}

fn bytes(passed: &Passed) -> u64 {
    passed.super_bytes.saturating_add(passed.single_bytes)
}

/// Judges each device, in the order of the list.
#[must_use]
pub fn judge(seen: &[Seen]) -> Vec<Step> {
    let mut steps: Vec<Step> = (0..seen.len()).map(|index| step::judge(seen, index)).collect();
    audit::between(seen, &mut steps);
    steps
}
