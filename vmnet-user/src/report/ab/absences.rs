//! Every null of `vmnet.ab/1` with its reason. What an effect or a prediction lacks, it says itself.

use crate::model::experiment::Trial;

use super::schema::{AbReport, EndedBy};

/// Adds the reasons.
pub fn explain(report: &mut AbReport) {
    let mut reasons: Vec<(&str, &str)> = Vec::new();
    let any = |is_null: fn(&Trial) -> bool| report.trials.iter().any(is_null);
    let without_programs = "without programs there is no ledger, or the trial was not run";
    for (path, is_null) in [
        ("trials[].hardware_bytes", any(|trial| trial.hardware_bytes.is_none())),
        ("trials[].software_bytes", any(|trial| trial.software_bytes.is_none())),
        ("trials[].payload_bytes", any(|trial| trial.payload_bytes.is_none())),
    ] {
        if is_null {
            reasons.push((path, without_programs));
        }
    }
    if any(|trial| trial.expected.is_none()) {
        reasons.push((
            "trials[].expected",
            "the arm sets nothing that segmentation hangs on, or the trial was not run",
        ));
    }
    if any(|trial| trial.busiest_cpu.is_none()) {
        reasons.push((
            "trials[].busiest_cpu",
            "the CPUs of its intervals could not be compared, or it was not run",
        ));
    }
    if any(|trial| trial.busiest_cpu.is_some_and(|cpu| cpu.segmenting.is_none())) {
        reasons.push(("trials[].busiest_cpu.segmenting", "segmentation was not timed"));
    }
    if any(|trial| trial.recording.is_none()) {
        reasons.push(("trials[].recording", "it could not be written, or the trial was not run"));
    }
    if report.sizes.iter().flatten().any(|sizes| sizes.driver.is_none()) {
        reasons.push(("sizes[].driver", "in a trial no program runs for a segment"));
    }
    if report.sizes.iter().any(Option::is_none) {
        reasons.push(("sizes[]", "no trial of the arm counted, or none had programs"));
    }
    let effects = || report.effects.iter().flat_map(|arm| &arm.effects);
    let by_itself = "told otherwise, by the metric's scale, or not known: the effect's own reason says why";
    for (path, is_null) in [
        ("effects[].effects[].base", effects().any(|effect| effect.base.is_none())),
        ("effects[].effects[].arm", effects().any(|effect| effect.arm.is_none())),
        ("effects[].effects[].change_percent", effects().any(|effect| effect.change_percent.is_none())),
        ("effects[].effects[].interval_percent", effects().any(|effect| effect.interval_percent.is_none())),
        ("effects[].effects[].difference", effects().any(|effect| effect.difference.is_none())),
        ("effects[].effects[].interval", effects().any(|effect| effect.interval.is_none())),
        ("effects[].effects[].chance", effects().any(|effect| effect.chance.is_none())),
        ("effects[].effects[].smallest_visible", effects().any(|effect| effect.smallest_visible.is_none())),
    ] {
        if is_null {
            reasons.push((path, by_itself));
        }
    }
    if effects().any(|effect| effect.reason.is_none()) {
        reasons.push(("effects[].effects[].reason", "nothing is missing"));
    }
    if let Some(prediction) = &report.prediction {
        for (path, is_null) in [
            ("prediction.throughput_percent", prediction.throughput_percent.is_none()),
            ("prediction.throughput_interval_percent", prediction.throughput_interval_percent.is_none()),
            ("prediction.cpu_per_byte_percent", prediction.cpu_per_byte_percent.is_none()),
            ("prediction.cpu_per_byte_interval_percent", prediction.cpu_per_byte_interval_percent.is_none()),
            ("prediction.busiest_cpu_share", prediction.busiest_cpu_share.is_none()),
        ] {
            if is_null {
                reasons.push((path, "its notes say why"));
            }
        }
    }
    if report.prediction.is_none() {
        reasons.push((
            "prediction",
            "made only where the base segments in software and an arm switches TSO on, from trials that count",
        ));
    }
    if report.settings.restored.is_none() {
        reasons.push(("settings.restored", "the interface cannot be read any more"));
    }
    if report.settings.journal.is_none() {
        reasons.push(("settings.journal", "there is nothing to put back"));
    }
    if report.window.problem.is_none() {
        reasons.push((
            "window.problem",
            if report.window.ended_by == EndedBy::Plan { "there was none" } else { "it is told by ended_by" },
        ));
    }
    if report.interface.netns.name.is_none() {
        reasons.push(("interface.netns.name", "no --netns was given"));
    }
    if report.interface.driver.is_none() {
        reasons.push(("interface.driver", "the device names no driver"));
    }
    if report.interface.queues.is_none() {
        reasons.push(("interface.queues", "its queues cannot be counted"));
    }
    if report.interface.qdisc.is_none() {
        reasons.push(("interface.qdisc", "its queueing discipline was not read"));
    }
    report.unmeasured.extend(reasons.into_iter().map(|(path, why)| (path.to_owned(), why.to_owned())));
}
