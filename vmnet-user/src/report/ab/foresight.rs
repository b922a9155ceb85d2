//! What the base alone let one expect, beside what came.

use super::schema::AbReport;
use super::words::Amount;
use crate::model::experiment::{MetricId, Prediction};

/// One metric's prediction, and its outcome.
pub(in crate::report) struct Foreseen<'a> {
    pub(in crate::report) metric: &'static str,
    pub(in crate::report) predicted: Amount<'a>,
    /// None where it is not known.
    pub(in crate::report) measured: Option<Amount<'a>>,
}

impl Foreseen<'_> {
    /// Whether the two intervals have anything in common; None without both.
    pub(in crate::report) fn meet(&self) -> Option<bool> {
        let [low, high] = self.predicted.interval?;
        let [from, to] = self.measured?.interval?;
        Some(low <= to && from <= high)
    }

    /// What that comes to.
    pub(in crate::report) fn judgement(&self) -> &'static str {
        match (self.meet(), self.measured) {
            (Some(true), _) => "the intervals meet",
            (Some(false), Some(measured)) => {
                let (measured, predicted) = (measured.value, self.predicted.value);
                match (measured * predicted < 0.0, measured.abs() > predicted.abs()) {
                    (true, _) => "the other way than predicted",
                    (false, true) => "more than segmentation alone",
                    (false, false) => "less than predicted",
                }
            }
            (None, Some(_)) => "without both intervals they cannot be held against each other",
            (_, None) => "not measured",
        }
    }

    /// `+55 % [48, 63] by segmentation alone, +87 % [80, 95] measured: more …`.
    pub(in crate::report) fn said(&self) -> String {
        let measured = self.measured.map(|measured| format!(", {} measured", measured.said()));
        format!(
            "{} by segmentation alone{}: {}",
            self.predicted.said(),
            measured.unwrap_or_default(),
            self.judgement()
        )
    }
}

/// Every metric that was predicted.
pub(in crate::report) fn foreseen<'a>(report: &'a AbReport, prediction: &'a Prediction) -> Vec<Foreseen<'a>> {
    let arm = report.effects.iter().find(|arm| arm.name == prediction.about);
    [
        (MetricId::ThroughputGbps, prediction.throughput_percent, prediction.throughput_interval_percent),
        (MetricId::CpuNsPerByte, prediction.cpu_per_byte_percent, prediction.cpu_per_byte_interval_percent),
    ]
    .into_iter()
    .filter_map(|(metric, value, interval)| {
        let value = value.filter(|value| value.is_finite())?;
        let interval = interval.filter(|ends| ends.iter().all(|end| end.is_finite()));
        Some(Foreseen {
            metric: metric.metric().name,
            predicted: Amount::percent(value, interval),
            measured: arm.and_then(|arm| arm.effect(metric)).and_then(Amount::of),
        })
    })
    .collect()
}

/// Why there is nothing to hold against the outcome.
pub(in crate::report) fn why_no_prediction(report: &AbReport) -> String {
    match &report.prediction {
        Some(prediction) if !prediction.notes.is_empty() => prediction.notes.join("; "),
        _ => report.unmeasured.get("prediction").cloned().unwrap_or_else(|| {
            "it is made from trials whose base segments in software, about an arm that has TSO on".to_owned()
        }),
    }
}
