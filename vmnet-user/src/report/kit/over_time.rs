//! A run over time, as every chart of it needs it.

use crate::model::throughput::Interval;

/// More columns than this, or points, cannot be told apart, and only make the file larger.
pub(in crate::report) const MOST_COLUMNS: usize = 300;

/// Whether its place in time makes sense.
pub(in crate::report) fn is_placed(interval: &Interval) -> bool {
    interval.t_s.is_finite() && interval.duration_s.is_finite() && interval.duration_s > 0.0
}

/// Those that have a place, without what each CPU and each queue did: of a day, that is most of it.
pub(in crate::report) fn placed(samples: &[Interval]) -> Vec<Interval> {
    let slim = |sample: &Interval| Interval { cpus: Vec::new(), queues: Vec::new(), ..sample.clone() };
    samples.iter().filter(|sample| is_placed(sample)).map(slim).collect()
}
