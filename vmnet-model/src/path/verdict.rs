//! The answer: which device segments.

use serde::{Deserialize, Serialize};

use super::{Effect, Seen, Side, State, Step, Witness, bytes, packets, segments};
use crate::{
    ledger::in_bytes,
    state::{Confidence, MIN_BULK_BYTES},
    units::percent,
};

/// Below this share of what was sent, what a device segments is no answer.
const WORTH_NAMING: f64 = 0.01;

/// The answer of a whole way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Verdict {
    /// `whole` where super-packets left the last device whole, `segmented` or `partial` where one on the way segments, `singles` where none came
    /// to the first.
    pub state: State,
    /// The step that it is about: the one that segments most. Its place in `steps`, from 0.
    pub step: Option<usize>,
    /// In a sentence.
    pub summary: String,
    /// How well it is known.
    pub confidence: Confidence,
}

/// Where packets go more than one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Branch {
    /// The step behind which they part, by its place in `steps`.
    pub after: usize,
    /// The steps that come next.
    pub steps: Vec<usize>,
    /// The part of the wire segments that went by each.
    pub shares: Vec<f64>,
}

/// What a step is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The device.
    pub device: String,
    /// Its namespace, where another one is on the way too.
    pub namespace: Option<String>,
}

impl Named {
    fn said(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} ({namespace})", self.device),
            None => self.device.clone(),
        }
    }
}

/// The forks that packets took.
#[must_use]
pub fn branches(seen: &[Seen], steps: &[Step]) -> Vec<Branch> {
    let of = |index: usize| steps.get(index).map_or(0, |step| segments(&step.passed));
    let fork = |after: usize| {
        let ways: Vec<usize> = super::next(seen, after).into_iter().filter(|index| of(*index) != 0).collect();
        let sum = ways.iter().fold(0_u64, |sum, index| sum.saturating_add(of(*index)));
        let shares = ways.iter().map(|index| of(*index) as f64 / sum as f64).collect();
        (ways.len() > 1).then_some(Branch { after, steps: ways, shares })
    };
    (0..seen.len())
        .filter(|index| seen.get(*index).is_some_and(|one| one.side == Side::Transmit))
        .filter_map(fork)
        .collect()
}

/// Judges the way.
#[must_use]
pub fn verdict(seen: &[Seen], steps: &[Step], names: &[Named]) -> Verdict {
    let said = |index: usize| names.get(index).map_or_else(String::new, Named::said);
    let sending = |index: &usize| seen.get(*index).is_some_and(|one| one.side == Side::Transmit);
    let of_all = || (0..steps.len()).filter(sending);
    let nothing = |summary: String| Verdict {
        state: State::Unknown,
        step: None,
        summary,
        confidence: Confidence::Weak,
    };
    let Some((first, sender)) = of_all().find_map(|index| Some((index, steps.get(index)?))) else {
        return nothing("there is no device on the way that packets are sent by".to_owned());
    };
    let total =
        of_all().filter_map(|index| steps.get(index)).map(|step| bytes(&step.passed)).max().unwrap_or(0);
    if total < MIN_BULK_BYTES {
        return nothing(format!(
            "too little passed {1} to tell what becomes of it ({0})",
            in_bytes(total),
            said(first)
        ));
    }
    let confidence = confidence(steps, of_all());
    let cuts = |index: &usize| steps.get(*index).map_or(0, |step| step.cut_bytes);
    let culprit = of_all().max_by_key(|index| (cuts(index), std::cmp::Reverse(*index)));
    if let Some(index) = culprit.filter(|index| cuts(index) as f64 >= WORTH_NAMING * total as f64) {
        let cut = cuts(&index);
        let of = steps.get(index).map_or(total, |step| bytes(&step.passed)).max(cut);
        let mut summary = format!(
            "{} segments {} of {} in software",
            said(index),
            percent(cut as f64 / of as f64),
            in_bytes(of)
        );
        if let Some((merges, step)) = merged_behind(steps, index) {
            summary.push_str(&format!(
                ", and GRO merges them again before {}{}",
                said(merges),
                if step.state == State::Segmented { ", which segments them once more" } else { "" }
            ));
        }
        let state = steps.get(index).map_or(State::Unknown, |step| step.state);
        return Verdict { state, step: Some(index), summary, confidence };
    }
    let by_ipsec = |index: usize| is_cut_by_ipsec(seen, steps, index);
    if let Some(index) = of_all().find(|index| is_cut_before(steps, *index) || by_ipsec(*index)) {
        let before =
            super::before(seen, index).map_or_else(String::new, |before| format!(" behind {}", said(before)));
        let by = if by_ipsec(index) {
            "by IPsec, which encrypts packets of the wire's size"
        } else {
            "by a layer of the stack, and not for a device"
        };
        return Verdict {
            state: State::Segmented,
            step: Some(index),
            summary: format!("super-packets are segmented{before} before they come to {}: {by}", said(index)),
            confidence: confidence.min(Confidence::Supported),
        };
    }
    if let Some(unknown) = of_all().find(|index| {
        steps.get(*index).is_some_and(|step| step.state == State::Unknown && packets(&step.passed) != 0)
    }) {
        let why = steps.get(unknown).and_then(|step| step.why_unknown).unwrap_or_default();
        return Verdict {
            state: State::Unknown,
            step: Some(unknown),
            summary: format!("what {} makes of super-packets is not known: {why}", said(unknown)),
            confidence: Confidence::Weak,
        };
    }
    if sender.state == State::Singles {
        return Verdict {
            state: State::Singles,
            step: Some(first),
            summary: format!(
                "{} of {} came to {} as singles: {}",
                percent(1.0 - sender.passed.super_bytes as f64 / bytes(&sender.passed) as f64),
                in_bytes(bytes(&sender.passed)),
                said(first),
                if seen.get(first).is_some_and(|one| one.is_encrypted) {
                    "IPsec encrypts them, and has super-packets segmented before"
                } else {
                    "no super-packets are built, and no device segments"
                }
            ),
            confidence,
        };
    }
    let last = of_all()
        .rfind(|index| steps.get(*index).is_some_and(|step| packets(&step.passed) != 0))
        .unwrap_or(first);
    if let Some(why) = left_the_way(seen, steps, last, &said) {
        return Verdict { step: Some(last), ..nothing(why) };
    }
    Verdict {
        state: State::Whole,
        step: Some(last),
        summary: format!("no device on the way segments: {} left {} whole", in_bytes(total), said(last)),
        confidence,
    }
}

/// How packets went by devices that are not on the way, where they did: what the routes say of an address is not what they say of each packet (rules by
/// port, source or mark), and filters hand packets on. `last` is the last device that any passed.
fn left_the_way(
    seen: &[Seen],
    steps: &[Step],
    last: usize,
    said: &impl Fn(usize) -> String,
) -> Option<String> {
    let is_sending = |index: &usize| seen.get(*index).is_some_and(|one| one.side == Side::Transmit);
    if let Some(behind) = super::next(seen, last).into_iter().find(is_sending) {
        return Some(format!(
            "what left {} did not pass {}, which comes next by the routes: it went another way, where nobody looked",
            said(last),
            said(behind)
        ));
    }
    (steps.get(last)?.state == State::Singles).then(|| {
        format!(
            "it came to {} as singles, and no device before that is known to have segmented it: it went another way, where nobody looked",
            said(last)
        )
    })
}

/// The step behind `index` before which GRO merged most of what came.
fn merged_behind(steps: &[Step], index: usize) -> Option<(usize, &Step)> {
    let merges = |step: &Step| step.merged_before.is_some_and(|merged| merged > packets(&step.passed));
    steps.iter().enumerate().skip(index + 1).find(|(_, step)| merges(step))
}

/// Whether a good part of what is queued there was made between this device and the one before.
fn is_cut_before(steps: &[Step], index: usize) -> bool {
    steps
        .get(index)
        .is_some_and(|step| step.cut_before.is_some_and(|cut| cut.saturating_mul(2) > packets(&step.passed)))
}

/// Whether what left the device before whole comes there encrypted, one packet of the wire at a time (`xfrm_output_gso`): an ESP packet cannot be
/// told from another, so that no count of the segments made between is to be had.
fn is_cut_by_ipsec(seen: &[Seen], steps: &[Step], index: usize) -> bool {
    let is = |index: usize, state| steps.get(index).is_some_and(|step| step.state == state);
    seen.get(index).is_some_and(|one| one.is_encrypted)
        && is(index, State::Singles)
        && super::before(seen, index).is_some_and(|before| is(before, State::Whole))
}

/// Proven where each device has two witnesses that agree and what one sent is what the next queued.
fn confidence(steps: &[Step], of: impl Iterator<Item = usize>) -> Confidence {
    let known = of.filter_map(|index| steps.get(index)).filter(|step| packets(&step.passed) != 0);
    known.fold(Confidence::Proven, |worst, step| {
        let by_two = step.state == State::Singles
            || step.witnesses.contains(&Witness::DeviceBytes)
            || step.witnesses.contains(&Witness::Segmentation) && step.witnesses.len() > 1;
        let own = match step.audit {
            _ if step.state == State::Unknown => Confidence::Weak,
            Some(audit) if !audit.ok => Confidence::Supported,
            _ if !by_two => Confidence::Supported,
            _ => Confidence::Proven,
        };
        worst.min(own)
    })
}

impl Effect {
    /// Whether it takes part in what is seen.
    #[must_use]
    pub const fn matters(self) -> bool {
        matches!(self, Self::Sizes | Self::Segments)
    }
}
