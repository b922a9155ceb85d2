//! Limits of super-packets, told apart by whether they do anything on this way.

use serde::{Deserialize, Serialize};
use vmnet_common::Refusal;

use super::{Seen, Side, packets};
use crate::machine::Limits;

/// `GSO_LEGACY_MAX_SIZE`.
const USUAL_SIZE: u32 = 65_536;
/// `GSO_MAX_SEGS`.
const USUAL_SEGS: u32 = 65_535;

/// A limit that somebody lowered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LimitEffect {
    /// `gso_max_size`, …
    pub name: String,
    /// Bytes, or segments.
    pub value: u32,
    /// What it does for these packets.
    pub effect: Effect,
    /// The same in a sentence.
    pub text: String,
}

/// What a limit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// TCP builds no larger super-packets: their sockets' route leaves by this device.
    Sizes,
    /// What is larger is segmented here.
    Segments,
    /// Nothing: what comes here is smaller.
    Idle,
    /// It never can: packets come in by this device, and a limit is for what a device sends.
    Never,
}

/// Those of a device that are below what is usual. `is_first`: the senders' own route leaves by it.
#[must_use]
pub fn limits(device: &str, limits: &Limits, seen: &Seen, is_first: bool) -> Vec<LimitEffect> {
    let size = limits.tso_max_size.map_or(USUAL_SIZE, |most| most.min(USUAL_SIZE));
    let segs = limits.tso_max_segs.unwrap_or(USUAL_SEGS);
    let too_large = seen.counted.foreseen.get(Refusal::TooLarge as usize).map_or(0, |found| found.packets);
    let effect = if seen.side == Side::Receive {
        Effect::Never
    } else if too_large != 0 {
        Effect::Segments
    } else if is_first && packets(&seen.counted.all) != 0 {
        Effect::Sizes
    } else {
        Effect::Idle
    };
    [
        ("gso_max_size", limits.gso_max_size, size),
        ("gso_ipv4_max_size", limits.gso_ipv4_max_size, size),
        ("gso_max_segs", limits.gso_max_segs, segs),
    ]
    .into_iter()
    .filter_map(|(name, value, usual)| {
        let value = value.filter(|value| *value < usual)?;
        Some(LimitEffect { name: name.to_owned(), value, effect, text: text(device, name, value, effect) })
    })
    .collect()
}

fn text(device: &str, name: &str, value: u32, effect: Effect) -> String {
    match effect {
        Effect::Sizes => format!("{name} {value} of {device}: TCP builds super-packets no larger than that"),
        Effect::Segments => {
            format!("{name} {value} of {device}: super-packets that are larger are segmented there")
        }
        Effect::Idle => format!("{name} {value} of {device}: no super-packet that came there was larger"),
        Effect::Never => format!(
            "{name} {value} of {device} does nothing for these packets: they come in by it, and a limit is for what a device sends"
        ),
    }
}
