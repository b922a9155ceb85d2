//! NaN and infinity taken out: JSON has neither, and what is no number is not measured.

use super::schema::AbReport;
use crate::report::kit::json::JsonError;

const NOT_FINITE: &str = "the arithmetic gave no finite number";

/// The report without them: what was not finite is absent, and says so.
///
/// # Errors
/// A number that the report cannot do without.
pub(super) fn finite(report: &AbReport) -> Result<AbReport, JsonError> {
    let mut report = report.clone();
    let is_finite = |numbers: &[f64]| numbers.iter().all(|number| number.is_finite());
    if !report.window.duration_s.is_finite() {
        return Err(JsonError::NotFinite("window.duration_s"));
    }
    let guards = &report.guards;
    let limits = [
        guards.most_steal_share,
        guards.most_retransmitted_share,
        guards.most_qdisc_drop_share,
        guards.most_unaccounted_share,
    ];
    if !is_finite(&limits) {
        return Err(JsonError::NotFinite("guards"));
    }
    for trial in &mut report.trials {
        if !is_finite(&[trial.t_s, trial.duration_s, trial.measured_s]) {
            return Err(JsonError::NotFinite("trials[].t_s"));
        }
        trial.figures.retain(|_, figure| figure.is_finite());
        if let Some(cpu) = &mut trial.busiest_cpu
            && !keep(&mut cpu.segmenting)
        {
            report.unmeasured.insert("trials[].busiest_cpu.segmenting".to_owned(), NOT_FINITE.to_owned());
        }
        if trial.busiest_cpu.is_some_and(|cpu| !cpu.busy.is_finite()) {
            trial.busiest_cpu = None;
            report.unmeasured.insert("trials[].busiest_cpu".to_owned(), NOT_FINITE.to_owned());
        }
    }
    for effect in report.effects.iter_mut().flat_map(|arm| &mut arm.effects) {
        let numbers = [
            &mut effect.base,
            &mut effect.arm,
            &mut effect.change_percent,
            &mut effect.difference,
            &mut effect.chance,
            &mut effect.smallest_visible,
        ];
        let mut is_whole = true;
        for number in numbers {
            is_whole &= keep(number);
        }
        for interval in [&mut effect.interval_percent, &mut effect.interval] {
            is_whole &= keep_interval(interval);
        }
        let blocks = effect.by_block.len();
        effect.by_block.retain(|number| number.is_finite());
        if !is_whole || effect.by_block.len() < blocks {
            effect.reason.get_or_insert_with(|| NOT_FINITE.to_owned());
        }
    }
    if let Some(prediction) = &mut report.prediction {
        let numbers = [
            ("prediction.throughput_percent", keep(&mut prediction.throughput_percent)),
            (
                "prediction.throughput_interval_percent",
                keep_interval(&mut prediction.throughput_interval_percent),
            ),
            ("prediction.cpu_per_byte_percent", keep(&mut prediction.cpu_per_byte_percent)),
            (
                "prediction.cpu_per_byte_interval_percent",
                keep_interval(&mut prediction.cpu_per_byte_interval_percent),
            ),
            ("prediction.busiest_cpu_share", keep(&mut prediction.busiest_cpu_share)),
        ];
        for (path, _) in numbers.into_iter().filter(|(_, kept)| !kept) {
            report.unmeasured.insert(path.to_owned(), NOT_FINITE.to_owned());
        }
    }
    for cause in &mut report.causes {
        if !keep(&mut cause.share) {
            report.unmeasured.insert("causes[].share".to_owned(), NOT_FINITE.to_owned());
        }
    }
    Ok(report)
}

/// Whether it may stay.
fn keep(number: &mut Option<f64>) -> bool {
    let is_sound = number.is_none_or(f64::is_finite);
    if !is_sound {
        *number = None;
    }
    is_sound
}

fn keep_interval(interval: &mut Option<[f64; 2]>) -> bool {
    let is_sound = interval.is_none_or(|ends| ends.iter().all(|end| end.is_finite()));
    if !is_sound {
        *interval = None;
    }
    is_sound
}
