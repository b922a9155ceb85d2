//! Which intervals of a run are compared. The rule is fixed beforehand and looks at the ends of a run only, so that nothing is left out for
//! what it says.

use serde::{Deserialize, Serialize};

use crate::fact::Known as _;
use crate::stats;
use crate::throughput::Interval;

/// An interval shorter than this part of the median one is a fragment.
const SHORTEST_OF_MEDIAN: f64 = 0.5;
/// At the ends, less than this part of the rate that a tenth of the intervals exceed is no traffic yet, or any more. Not of the median: a run may be
/// idle most of the time.
const LEAST_OF_HIGH_RATE: f64 = 0.05;
const HIGH: f64 = 0.9;

/// The rule, for people.
pub const RULE: &str = "left out at the ends of a run: intervals shorter than half the median one, those before the first traffic and after the \
                        last (below 5 % of the rate that a tenth of the intervals exceed), and then the ones in which traffic began or ended";

/// The part of a run that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stretch {
    /// All intervals of the run.
    pub intervals: usize,
    /// Left out at its beginning.
    pub left_out_before: usize,
    /// Left out at its end.
    pub left_out_after: usize,
}

impl Stretch {
    /// By the rule.
    #[must_use]
    pub fn of(intervals: &[Interval]) -> Self {
        let length = intervals.len();
        let shortest = quantile(intervals.iter().map(|interval| interval.duration_s), 0.5)
            .map_or(0.0, |median| median * SHORTEST_OF_MEDIAN);
        let least =
            quantile(intervals.iter().filter_map(rate), HIGH).map_or(0.0, |high| high * LEAST_OF_HIGH_RATE);
        // An interval of which no rate is known is no evidence of silence.
        let silent = |interval: &Interval| rate(interval).is_some_and(|rate| rate < least);
        let fragment = |interval: &Interval| !(interval.duration_s >= shortest && interval.duration_s > 0.0);
        let left_out = |inwards: &mut dyn Iterator<Item = &Interval>| {
            let mut count = 0;
            let mut was_silent = false;
            for interval in inwards {
                if silent(interval) {
                    was_silent = true;
                } else if !fragment(interval) {
                    break;
                }
                count += 1;
            }
            // Traffic began somewhere within the next.
            count + usize::from(was_silent)
        };
        let left_out_before = left_out(&mut intervals.iter()).min(length);
        let left_out_after = left_out(&mut intervals.iter().rev()).min(length - left_out_before);
        Self { intervals: length, left_out_before, left_out_after }
    }

    /// How many are compared.
    #[must_use]
    pub fn compared(&self) -> usize {
        self.intervals.saturating_sub(self.left_out_before).saturating_sub(self.left_out_after)
    }

    /// Those that are compared.
    #[must_use]
    pub fn kept(self, intervals: &[Interval]) -> &[Interval] {
        let end = intervals.len().saturating_sub(self.left_out_after);
        intervals.get(self.left_out_before..end).unwrap_or_default()
    }
}

fn rate(interval: &Interval) -> Option<f64> {
    interval.goodput_gbps.known().or(interval.wire_gbps.known()).filter(|rate| rate.is_finite())
}

pub(super) fn quantile(values: impl Iterator<Item = f64>, q: f64) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    stats::of_sorted(&values, q)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interval_fixture::{second, unknown};

    fn run(gbps: &[f64]) -> Vec<Interval> {
        (1_u32..).zip(gbps).map(|(s, gbps)| second(f64::from(s), *gbps, 1.0)).collect()
    }

    fn left_out(intervals: &[Interval]) -> (usize, usize) {
        let stretch = Stretch::of(intervals);
        assert_eq!(stretch.kept(intervals).len(), stretch.compared());
        (stretch.left_out_before, stretch.left_out_after)
    }

    #[test]
    fn a_steady_run_is_compared_whole() {
        assert_eq!(left_out(&run(&[10.0; 12])), (0, 0));
        assert_eq!(left_out(&[]), (0, 0));
        assert_eq!(left_out(&run(&[0.0; 12])), (0, 0), "nothing was sent, and nothing stands out");
    }

    #[test]
    fn silence_at_the_ends_goes_with_the_interval_in_which_traffic_began() {
        assert_eq!(left_out(&run(&[0.0, 0.1, 4.0, 10.0, 10.0, 10.0, 9.0, 3.0, 0.0])), (3, 2));
    }

    #[test]
    fn silence_in_the_middle_is_part_of_the_run() {
        assert_eq!(left_out(&run(&[10.0, 0.0, 0.0, 0.0, 10.0])), (0, 0));
    }

    #[test]
    fn a_run_that_is_idle_most_of_the_time_is_still_trimmed() {
        let mut gbps = vec![0.000_1; 30];
        gbps[10..20].fill(10.0);
        assert_eq!(left_out(&run(&gbps)), (11, 11));
    }

    #[test]
    fn fragments_at_the_ends_are_left_out() {
        let mut intervals = run(&[10.0; 12]);
        intervals[0].duration_s = 0.2;
        intervals[11].duration_s = 0.49;
        intervals[5].duration_s = 0.3;
        assert_eq!(left_out(&intervals), (1, 1), "the one in the middle stays");
        intervals[0].duration_s = f64::NAN;
        assert_eq!(left_out(&intervals), (1, 1));
    }

    #[test]
    fn an_interval_without_a_rate_is_no_silence() {
        let mut intervals = run(&[10.0; 12]);
        intervals[0] = unknown(1.0);
        assert_eq!(left_out(&intervals), (0, 0));
    }

    #[test]
    fn what_is_left_out_is_never_more_than_there_is() {
        assert_eq!(Stretch::of(&run(&[10.0, 0.0])).compared(), 0);
        for length in 0..6 {
            let mut gbps = vec![0.0; length];
            gbps.push(10.0);
            let intervals = run(&gbps);
            let _ = left_out(&intervals);
        }
    }
}
