//! What a run keeps of its samples while it goes on: enough for the answer, however long it takes.

use super::merging::merged;
use super::sample::{Conditions, Sample, Window};
use super::throughput::{self, Interval};

/// Samples kept at most (12 KB each). Beyond, every other one is left out ([`thin`]): counts only grow, so nothing is lost but detail.
const MOST_SAMPLES: usize = 1024;
/// Intervals kept at most. Beyond, pairs are merged, with their extremes.
const MOST_INTERVALS: usize = 8192;
/// CPUs and queues that the samples kept have, all together (48 bytes each): of 64 CPUs and 128 queues, 1024 samples. A recording
/// of 150 kB can have four gigabytes of them.
const MOST_PLACES_OF_SAMPLES: usize = 1 << 18;
/// The same of intervals, each of which becomes some 250 bytes of a report: of 8 CPUs and 8 queues, 4096 intervals.
const MOST_PLACES_OF_INTERVALS: usize = 1 << 16;

/// Samples in order of time, and the intervals between them. The same samples always give the same timeline, whether they
/// are taken now or were recorded.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    samples: Vec<Sample>,
    intervals: Vec<Interval>,
    /// CPUs and queues of all samples.
    places_of_samples: usize,
    /// And of all intervals.
    places_of_intervals: usize,
    /// Time in which every segment was counted, whatever is kept of it.
    exact_ns: u64,
}

impl Timeline {
    /// Adds the next sample. Gives the interval that it ends; None for the first.
    pub fn push(&mut self, sample: Sample, conditions: &Conditions) -> Option<Interval> {
        if let Some(before) = self.samples.last().filter(|_| sample.every_segment) {
            self.exact_ns = self.exact_ns.saturating_add(sample.at_ns.saturating_sub(before.at_ns));
        }
        self.places_of_samples += places_of_sample(&sample);
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
        self.places_of_intervals += places_of_interval(&interval);
        self.intervals.push(interval.clone());
        self.keep_within_bounds();
        Some(interval)
    }

    fn keep_within_bounds(&mut self) {
        if self.samples.len() >= MOST_SAMPLES || self.places_of_samples > MOST_PLACES_OF_SAMPLES {
            thin(&mut self.samples);
            self.places_of_samples = self.samples.iter().map(places_of_sample).sum();
        }
        if self.intervals.len() >= MOST_INTERVALS || self.places_of_intervals > MOST_PLACES_OF_INTERVALS {
            self.intervals = merged(&self.intervals, self.intervals.len().div_ceil(2));
            self.places_of_intervals = self.intervals.iter().map(places_of_interval).sum();
        }
    }

    /// In order of time; the first and the last are always there.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The part of the time in which every segment was counted, 0 to 1.
    #[must_use]
    pub fn exact_share(&self) -> f64 {
        let [Some(first), Some(last)] = [self.samples.first(), self.samples.last()] else { return 0.0 };
        let all_ns = last.at_ns.saturating_sub(first.at_ns);
        if all_ns == 0 { 0.0 } else { self.exact_ns as f64 / all_ns as f64 }
    }

    /// In order of time, without a gap.
    #[must_use]
    pub fn intervals(&self) -> &[Interval] {
        &self.intervals
    }
}

fn places_of_sample(sample: &Sample) -> usize {
    sample.cpus.len() + sample.work.len() + sample.queues.len()
}

fn places_of_interval(interval: &Interval) -> usize {
    interval.cpus.len() + interval.queues.len()
}

/// Leaves out every other sample but the ends, the edges of stretches in which every segment was counted, and what is beside a change: these say
/// most. Where there are many of them, every other stretch goes too, and changes are left out like the rest. What is joined was counted segment by
/// segment only if both parts were.
fn thin(samples: &mut Vec<Sample>) {
    // By index: whether every segment was counted up to it, and whether the next one finds something changed.
    let exact: Vec<bool> =
        samples.iter().enumerate().map(|(index, of)| index > 0 && of.every_segment).collect();
    let is = |all: &[bool], index: usize| all.get(index) == Some(&true);
    let begins = |index: usize| !is(&exact, index) && is(&exact, index + 1);
    let mut changes: Vec<bool> = samples.windows(2).map(is_change).collect();
    let last = samples.len().saturating_sub(1);
    let edges = (0..last).filter(|index| begins(*index) || is(&changes, *index)).count();
    let are_many = edges > samples.len() / 8;
    if are_many {
        changes.clear();
    }
    let (mut index, mut stretches, mut all_exact) = (0, 0_usize, true);
    samples.retain_mut(|sample| {
        stretches += usize::from(begins(index));
        all_exact &= is(&exact, index);
        let is_edge = is(&exact, index) != is(&exact, index + 1) && (!are_many || stretches % 2 == 1);
        let is_beside_a_change = is(&changes, index) || (index > 0 && is(&changes, index - 1));
        let keep = index % 2 == 0 || index == last || is_edge || is_beside_a_change;
        if keep {
            sample.every_segment = all_exact;
            all_exact = true;
        }
        index += 1;
        keep
    });
}

/// Whether the later of two samples finds the device changed.
fn is_change(pair: &[Sample]) -> bool {
    matches!(pair, [before, after] if before.features != after.features || before.mtu != after.mtu)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::QueueCounters;
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

    /// Seconds in which every segment is counted: the first, and then one in fifty.
    fn is_in_a_window(second: u64) -> bool {
        second == 1 || second % 50 == 7
    }

    #[test]
    fn what_is_left_out_makes_no_window_of_what_was_none() {
        let conditions = Scene::counters_only().conditions;
        for windows in [true, false] {
            let mut timeline = Timeline::default();
            let seconds = 20_000;
            for second in 0..=seconds {
                let every_segment = second != 0 && (!windows || is_in_a_window(second));
                timeline.push(Sample { traced: None, every_segment, ..sample_at(second) }, &conditions);
            }
            let samples = timeline.samples();
            assert!(samples.len() < MOST_SAMPLES, "{}", samples.len());
            let exact = samples.windows(2).filter(|pair| pair[1].every_segment);
            let spans: Vec<[u64; 2]> =
                exact.map(|pair| [pair[0].at_ns, pair[1].at_ns].map(|at_ns| at_ns / SECOND_NS)).collect();
            if windows {
                assert!(spans.iter().all(|[from, to]| from + 1 == *to && is_in_a_window(*to)), "{spans:?}");
                assert!(spans.len() > 50 && spans[0] == [0, 1], "{}: {spans:?}", spans.len());
                assert!(
                    (timeline.exact_share() - 401.0 / 20_000.0).abs() < 1e-9,
                    "{}",
                    timeline.exact_share()
                );
            } else {
                assert_eq!((spans.len(), timeline.exact_share()), (samples.len() - 1, 1.0));
            }
        }
    }

    #[test]
    fn a_change_keeps_its_moment_unless_there_are_many() {
        let conditions = Scene::counters_only().conditions;
        let run = |is_changed: fn(u64) -> bool| {
            let mut timeline = Timeline::default();
            for second in 0..=5_000 {
                let mut sample = Sample { traced: None, mtu: Some(1_500), ..sample_at(second) };
                if is_changed(second) {
                    sample.mtu = Some(9_000);
                    sample.features.tso4 = Some(false);
                }
                timeline.push(sample, &conditions);
            }
            timeline
        };
        let timeline = run(|second| second == 333);
        let changes: Vec<[u64; 2]> = (timeline.samples().windows(2).filter(|pair| is_change(pair)))
            .map(|pair| [pair[0].at_ns, pair[1].at_ns].map(|at_ns| at_ns / SECOND_NS))
            .collect();
        assert_eq!(changes, [[332, 333], [333, 334]]);
        assert!(run(|second| second % 2 == 1).samples().len() < MOST_SAMPLES);
    }

    #[test]
    fn many_windows_are_left_out_like_the_rest() {
        let conditions = Scene::counters_only().conditions;
        let mut timeline = Timeline::default();
        for second in 0..=20_000 {
            let every_segment = second % 3 == 1;
            timeline.push(Sample { traced: None, every_segment, ..sample_at(second) }, &conditions);
        }
        assert!(timeline.samples().len() < MOST_SAMPLES, "{}", timeline.samples().len());
        for pair in timeline.samples().windows(2).filter(|pair| pair[1].every_segment) {
            let [from, to] = [pair[0].at_ns, pair[1].at_ns].map(|at_ns| at_ns / SECOND_NS);
            assert!(from + 1 == to && to % 3 == 1, "{from} to {to}");
        }
        assert!((timeline.exact_share() - 1.0 / 3.0).abs() < 1e-4, "{}", timeline.exact_share());
    }

    #[test]
    fn many_queues_cost_detail_and_not_memory() {
        let conditions = Scene::counters_only().conditions;
        let mut timeline = Timeline::default();
        let (seconds, queues) = (2_000, 1_000);
        for second in 0..=seconds {
            let mut sample = sample_at(second);
            sample.traced = None;
            sample.queues =
                vec![QueueCounters { packets: Some(second), bytes: Some(0), kicks: None }; queues];
            timeline.push(sample, &conditions);
        }
        let of_samples: usize = timeline.samples().iter().map(places_of_sample).sum();
        let of_intervals: usize = timeline.intervals().iter().map(places_of_interval).sum();
        assert!((MOST_PLACES_OF_SAMPLES / 3..=MOST_PLACES_OF_SAMPLES).contains(&of_samples), "{of_samples}");
        assert!(
            (MOST_PLACES_OF_INTERVALS / 3..=MOST_PLACES_OF_INTERVALS).contains(&of_intervals),
            "{of_intervals}"
        );
        let covered: f64 = timeline.intervals().iter().map(|interval| interval.duration_s).sum();
        assert!((covered - seconds as f64).abs() < 1e-6, "{covered}");
        assert!(timeline.intervals().iter().all(|interval| interval.queues.len() == queues));
        assert_eq!(timeline.samples().last().unwrap().at_ns, seconds * SECOND_NS);
    }

    #[test]
    fn the_first_sample_ends_no_interval() {
        let conditions = Scene::new().conditions;
        let mut timeline = Timeline::default();
        assert_eq!(timeline.push(sample_at(0), &conditions), None);
        assert_eq!(timeline.push(sample_at(1), &conditions).map(|interval| interval.duration_s), Some(1.0));
    }
}
