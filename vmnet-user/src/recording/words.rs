//! Rare events in words.

use crate::model::changes;
use crate::model::event::{EventKind, What};
use crate::model::features::FeatureSet;
use crate::model::sample::{Mode, Sample};
use crate::report::run::schema::EventReport;

use super::run::{Event, MOST_EVENTS, Run};

/// Rare events told one by one; beyond that they are only counted.
const MOST_TOLD: usize = 200;

/// Each sample that found another MTU than the one before.
fn changes_of_mtu(samples: &[Sample]) -> impl Iterator<Item = EventReport> {
    samples.windows(2).filter_map(|pair| {
        let (was, is) = (pair[0].mtu?, pair[1].mtu?);
        (was != is).then(|| EventReport {
            t_s: pair[1].at_ns as f64 / 1e9,
            kind: EventKind::MtuChanged,
            text: format!("MTU {was} → {is}"),
        })
    })
}

/// All that happened, in order of time.
pub(super) fn events(run: &Run) -> Vec<EventReport> {
    let names = run.machine().and_then(|machine| machine.device.features.as_ref().ok());
    let mut told = Vec::new();
    let mut last_features = None;
    let mut events = run.events.clone();
    events.sort_by_key(|event| event.t_ns);
    for event in &events {
        let (kind, text) = match event.what {
            // Every CPU tells what it sees at its next packet: the first one counts.
            What::FeaturesChanged { was, is } => {
                if last_features.replace(is) == Some(is) {
                    continue;
                }
                (EventKind::FeaturesChanged, features_in_words(was, is, names))
            }
            What::SegmentationError { errno, len } => {
                let error = nix::errno::Errno::from_raw(i32::try_from(errno).unwrap_or_default());
                (
                    EventKind::SegmentationError,
                    format!("__skb_gso_segment failed with {error:?} for a packet of {len} bytes"),
                )
            }
            What::UnmatchedExit { function } => {
                (EventKind::UnmatchedExit, unmatched_in_words(function, event))
            }
        };
        told.push(EventReport { t_s: event.t_ns as f64 / 1e9, kind, text });
    }
    if run.start.conditions.mode == Mode::Counters {
        told.extend(changes_between_samples(run.timeline.samples()));
    }
    told.extend(changes_of_mtu(run.timeline.samples()));
    told.extend(changes_of_settings(run));
    told.sort_by(|left, right| left.t_s.total_cmp(&right.t_s));
    if told.len() > MOST_TOLD {
        let more = told.len() - MOST_TOLD;
        told.truncate(MOST_TOLD);
        if let Some(last) = told.last() {
            let at_least = if run.events.len() >= MOST_EVENTS { "at least " } else { "" };
            let text = format!("{at_least}{more} more events are not told one by one");
            told.push(EventReport { t_s: last.t_s, kind: EventKind::More, text });
        }
    }
    told
}

/// Known to the whole run alone.
fn changes_of_settings(run: &Run) -> Vec<EventReport> {
    let before = run.start.machine.machine.as_ref();
    let after = run.end.as_ref().and_then(|end| end.machine.machine.as_ref());
    let (Some(before), Some(after), Some(last)) = (before, after, run.timeline.samples().last()) else {
        return Vec::new();
    };
    let t_s = last.at_ns as f64 / 1e9;
    let told = |text: String| EventReport {
        t_s,
        kind: EventKind::SettingsChanged,
        text: format!("since the run began: {text}"),
    };
    changes::beside_samples(before, after).into_iter().map(told).collect()
}

fn unmatched_in_words(function: u64, event: &Event) -> String {
    let name = match function {
        1 => "__skb_gso_segment",
        2 => "skb_segment",
        _ => "net_dev_xmit",
    };
    format!("an exit of {name} without its entry, on CPU {}", event.cpu)
}

/// Without programs, a change is known only to the interval.
fn changes_between_samples(samples: &[Sample]) -> Vec<EventReport> {
    let change = |pair: &[Sample]| {
        let [before, after] = pair else { return None };
        (before.features != after.features).then(|| EventReport {
            t_s: after.at_ns as f64 / 1e9,
            kind: EventKind::FeaturesChanged,
            text: format!(
                "between {:.1} s and {:.1} s: tx-tcp-segmentation {}, tx-tcp6-segmentation {}",
                before.at_ns as f64 / 1e9,
                after.at_ns as f64 / 1e9,
                on_off(after.features.tso4),
                on_off(after.features.tso6),
            ),
        })
    };
    samples.windows(2).filter_map(change).collect()
}

fn on_off(state: Option<bool>) -> &'static str {
    match state {
        Some(true) => "on",
        Some(false) => "off",
        None => "unknown",
    }
}

/// Which features a change of `dev->features` switched.
fn features_in_words(was: u64, is: u64, names: Option<&FeatureSet>) -> String {
    let name = |bit: u32| {
        let known = names.and_then(|set| set.iter().find(|feature| feature.bit == bit));
        known.map_or_else(|| format!("bit {bit}"), |feature| feature.name.clone())
    };
    let list =
        |bits: u64| (0..64).filter(|bit| bits >> bit & 1 == 1).map(name).collect::<Vec<_>>().join(", ");
    let (on, off) = (is & !was, was & !is);
    let mut parts = Vec::new();
    if on != 0 {
        parts.push(format!("on: {}", list(on)));
    }
    if off != 0 {
        parts.push(format!("off: {}", list(off)));
    }
    parts.join("; ")
}
