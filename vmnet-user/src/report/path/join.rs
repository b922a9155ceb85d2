//! Several machines' documents as one way: what a guest's device sent is what the host's tap took, and so on to the receiver.

use super::{Method, PathReport, StepReport};
use crate::model::ledger::in_bytes;
use crate::model::path::{Audit, Side, State, Unit, Verdict};
use crate::model::state::Confidence;
use crate::model::units::percent;

/// Two machines were not watched for the same time to the packet: more than this part of the packets between them is a gap.
const BETWEEN_WINDOWS: f64 = 0.02;
/// And so many packets are neighbours looking for each other.
const STRAYS: u64 = 32;
/// Below this share of what was sent, what a device segments is no answer.
const WORTH_NAMING: f64 = 0.01;

/// One document of several, in the order of the way, each with the name of its machine. None where there is none.
#[must_use]
pub fn joined(documents: &[(String, PathReport)]) -> Option<PathReport> {
    let ((_, first), rest) = documents.split_first()?;
    if rest.is_empty() {
        return Some(first.clone());
    }
    let mut whole = PathReport {
        steps: Vec::new(),
        branches: Vec::new(),
        left_out: Vec::new(),
        notes: Vec::new(),
        ..first.clone()
    };
    whole.notes.extend(to_several(documents));
    whole.probes.devices = 0;
    for (machine, document) in documents {
        let base = whole.steps.len();
        let last = whole.steps.iter().rposition(|step| step.side == Side::Transmit);
        for (index, step) in document.steps.iter().enumerate() {
            let mut step = step.clone();
            step.namespace.machine = Some(machine.clone());
            step.after = step.after.map(|after| after + base).or(last);
            if let Some(below) = &mut step.offload_below {
                below.step += base;
            }
            if index == 0
                && let Some(before) = last.and_then(|last| whole.steps.get(last))
            {
                step.audit = between(before, &step);
            }
            whole.steps.push(step);
        }
        for branch in &document.branches {
            let mut branch = branch.clone();
            branch.after += base;
            branch.steps.iter_mut().for_each(|step| *step += base);
            whole.branches.push(branch);
        }
        whole.left_out.extend(document.left_out.iter().cloned());
        whole.notes.extend(document.notes.iter().map(|note| format!("{machine}: {note}")));
        whole.probes.devices = whole.probes.devices.saturating_add(document.probes.devices);
        whole.probe = whole.probe.take().or_else(|| document.probe.clone());
        if document.window.method == Method::Windows {
            whole.window.method = Method::Windows;
            whole.window.windows = whole.window.windows.max(document.window.windows);
            whole.window.counted_share = whole.window.counted_share.min(document.window.counted_share);
        }
        for (path, why) in &document.unmeasured {
            whole.unmeasured.entry(path.clone()).or_insert_with(|| why.clone());
        }
        whole.verdict.confidence = whole.verdict.confidence.min(document.verdict.confidence);
    }
    judge(&mut whole, documents.len());
    Some(whole)
}

/// They may be of different ways altogether; or an address was translated in between, as a service's is.
fn to_several(documents: &[(String, PathReport)]) -> Option<String> {
    let mut all: Vec<&str> =
        documents.iter().filter_map(|(_, document)| document.destination.as_deref()).collect();
    all.dedup();
    (all.len() > 1).then(|| {
        format!(
            "they go to different addresses, {}: one way only if one was translated into the other",
            all.join(" and ")
        )
    })
}

/// What one machine's last device sent, and the next one's first took.
fn between(before: &StepReport, step: &StepReport) -> Option<Audit> {
    let (left, right) = (before.driver_packets?, step.driver_packets?);
    let residual = right.wrapping_sub(left).cast_signed();
    let slack = STRAYS + (left.max(right) as f64 * BETWEEN_WINDOWS).ceil() as u64;
    Some(Audit { unit: Unit::Packets, left, right, residual, slack, ok: residual.unsigned_abs() <= slack })
}

/// The step that segments most, wherever it is.
fn judge(whole: &mut PathReport, machines: usize) {
    let cut = |step: &StepReport| {
        let payload = step.queued.map_or(0, |queued| queued.payload_bytes);
        (step.segmented_share.unwrap_or(0.0).clamp(0.0, 1.0) * payload as f64).round() as u64
    };
    let total =
        whole.steps.iter().filter_map(|step| step.queued).map(|queued| queued.bytes).max().unwrap_or(0);
    let most =
        whole.steps.iter().enumerate().max_by_key(|(index, step)| (cut(step), std::cmp::Reverse(*index)));
    let verdict = &mut whole.verdict;
    if whole.steps.iter().any(|step| step.audit.is_some_and(|audit| !audit.ok)) {
        verdict.confidence = verdict.confidence.min(Confidence::Supported);
    }
    if let Some((index, step)) = most
        && cut(step) as f64 >= WORTH_NAMING * total as f64
        && total != 0
    {
        let bytes = step.queued.map_or(total, |queued| queued.bytes).max(cut(step));
        verdict.state = step.state;
        verdict.step = Some(index);
        verdict.summary = format!(
            "{} ({}) segments {} of {} in software",
            step.interface.name,
            step.namespace.called(),
            percent(cut(step) as f64 / bytes as f64),
            in_bytes(bytes)
        );
        return;
    }
    let made = |step: &StepReport| {
        let packets = step.queued.map_or(0, |queued| queued.super_packets.saturating_add(queued.singles));
        step.segmented_before.is_some_and(|made| made.saturating_mul(2) > packets)
    };
    let is_unknown = |step: &StepReport| step.side == Side::Transmit && step.state == State::Unknown;
    let first = whole.steps.iter().position(|step| step.side == Side::Transmit);
    let said = |index: usize| {
        whole
            .steps
            .get(index)
            .map_or_else(String::new, |step| format!("{} ({})", step.interface.name, step.namespace.called()))
    };
    let place = |is_it: &dyn Fn(&StepReport) -> bool| whole.steps.iter().position(is_it);
    let (state, step, summary) = if let Some(index) = place(&made) {
        let summary = format!(
            "super-packets are segmented before they come to {}: by a layer of the stack",
            said(index)
        );
        (State::Segmented, Some(index), summary)
    } else if let Some(index) = place(&is_unknown) {
        (State::Unknown, Some(index), format!("what {} makes of super-packets is not known", said(index)))
    } else if let Some(index) =
        first.filter(|index| whole.steps.get(*index).is_some_and(|step| step.state == State::Singles))
    {
        (
            State::Singles,
            Some(index),
            format!("what came to {} were singles: no super-packets are built", said(index)),
        )
    } else {
        let last = whole.steps.iter().rposition(|step| step.side == Side::Transmit);
        (State::Whole, last, format!("no device on the way over {machines} machines segments"))
    };
    let confidence = if state == State::Unknown { Confidence::Weak } else { whole.verdict.confidence };
    whole.verdict = Verdict { state, step, summary, confidence };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A document as this version writes it.
    fn document() -> PathReport {
        serde_json::from_str(include_str!("testdata/overlay.json")).unwrap()
    }

    #[test]
    fn one_machine_alone_stays_what_it_was() {
        let one = joined(&[("host".to_owned(), document())]).unwrap();
        assert_eq!(one.verdict, document().verdict);
        assert!(one.steps.iter().all(|step| step.namespace.machine.is_none()));
        assert!(joined(&[]).is_none());
    }

    #[test]
    fn the_machine_that_segments_most_is_named_and_places_stay_right() {
        let mut whole = document();
        for step in whole.steps.iter_mut().filter(|step| step.segmented_share.is_some()) {
            (step.state, step.segmented_share) = (State::Whole, Some(0.0));
        }
        let both = joined(&[("guest".to_owned(), whole.clone()), ("host".to_owned(), document())]).unwrap();
        let culprit = both.verdict.step.unwrap();
        let base = whole.steps.len();
        assert_eq!(Some(culprit - base), document().verdict.step);
        assert!(both.verdict.summary.contains("vx0 (host"), "{}", both.verdict.summary);
        let last = whole.steps.iter().rposition(|step| step.side == Side::Transmit);
        assert_eq!(both.steps[base].after, last);
        assert!(both.steps[base + 1..].iter().all(|step| step.after.is_none_or(|after| after >= base)));
        // What does not fit together is a gap, and no proof.
        assert!(both.steps[base].audit.is_some());
        let none = joined(&[("guest".to_owned(), whole.clone()), ("host".to_owned(), whole)]).unwrap();
        assert_eq!(none.verdict.state, State::Whole);
        assert_eq!(none.verdict.summary, "no device on the way over 2 machines segments");
    }

    #[test]
    fn ways_to_different_addresses_are_joined_with_a_word_of_it() {
        let to = |address: &str| PathReport { destination: Some(address.to_owned()), ..document() };
        let joined_of = |there: PathReport| {
            joined(&[("guest".to_owned(), to("10.0.0.2")), ("host".to_owned(), there)]).unwrap().notes
        };
        let notes = joined_of(to("10.9.0.2"));
        assert!(notes[0].contains("10.0.0.2 and 10.9.0.2"), "{notes:?}");
        assert!(!joined_of(to("10.0.0.2")).iter().any(|note| note.contains("different addresses")));
    }
}
