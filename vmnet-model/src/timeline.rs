//! What a run keeps of its samples while it goes on: enough for the answer, however long it takes.

use super::merging::merged;
use super::sample::{Conditions, Sample, Window};
use super::throughput::{self, Interval};

/// Samples kept at most (12 KB each). Beyond, every other one is left out: counts only grow, so nothing is lost but detail.
const MOST_SAMPLES: usize = 4096;
/// Intervals kept at most. Beyond, pairs are merged, with their extremes.
const MOST_INTERVALS: usize = 8192;

/// Samples in order of time, and the intervals between them. The same samples always give the same timeline, whether they
/// are taken now or were recorded.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    samples: Vec<Sample>,
    intervals: Vec<Interval>,
}

impl Timeline {
    /// Adds the next sample. Gives the interval that it ends; None for the first.
    pub fn push(&mut self, sample: Sample, conditions: &Conditions) -> Option<Interval> {
        self.samples.push(sample);
        let interval = self.samples.last_chunk::<2>().and_then(|pair| {
            let window = Window {
                samples: pair,
                conditions,
                drained: false,
                rested_at_start: false,
                cut_short: None,
                audited: None,
            };
            throughput::whole(&window)
        })?;
        self.intervals.push(interval.clone());
        thin(&mut self.samples, MOST_SAMPLES);
        if self.intervals.len() >= MOST_INTERVALS {
            self.intervals = merged(&self.intervals, MOST_INTERVALS / 2);
        }
        Some(interval)
    }

    /// In order of time; the first and the last are always there.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// In order of time, without a gap.
    #[must_use]
    pub fn intervals(&self) -> &[Interval] {
        &self.intervals
    }
}

/// Leaves out every other sample but the ends when there are too many.
fn thin(samples: &mut Vec<Sample>, most: usize) {
    if samples.len() >= most {
        let last = samples.len() - 1;
        let mut index = 0;
        samples.retain(|_| {
            let keep = index % 2 == 0 || index == last;
            index += 1;
            keep
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SECOND_NS, Scene, sample_at};

    #[test]
    fn a_long_run_keeps_its_ends_and_all_of_its_time() {
        let conditions = Scene::counters_only().conditions;
        let mut timeline = Timeline::default();
        let seconds = 20_000;
        for second in 0..=seconds {
            let mut sample = sample_at(second);
            sample.traced = None;
            timeline.push(sample, &conditions);
        }
        let samples = timeline.samples();
        assert!(samples.len() < MOST_SAMPLES, "{}", samples.len());
        assert_eq!(samples.first().unwrap().at_ns, 0);
        assert_eq!(samples.last().unwrap().at_ns, seconds * SECOND_NS);
        assert!(samples.windows(2).all(|pair| pair[0].at_ns < pair[1].at_ns));
        let intervals = timeline.intervals();
        assert!(intervals.len() < MOST_INTERVALS, "{}", intervals.len());
        let covered: f64 = intervals.iter().map(|interval| interval.duration_s).sum();
        assert!((covered - seconds as f64).abs() < 1e-6, "{covered}");
        assert_eq!(intervals.last().unwrap().t_s, seconds as f64);
    }

    #[test]
    fn the_first_sample_ends_no_interval() {
        let conditions = Scene::new().conditions;
        let mut timeline = Timeline::default();
        assert_eq!(timeline.push(sample_at(0), &conditions), None);
        assert_eq!(timeline.push(sample_at(1), &conditions).map(|interval| interval.duration_s), Some(1.0));
    }
}
