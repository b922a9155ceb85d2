//! What moved together.

use serde::{Deserialize, Serialize};

use super::throughput::Interval;
use crate::fact::{Known as _, Why};
use crate::null_because;
use crate::stats;

null_because! {
    too_constant: Why::is("it, or goodput, did not vary enough over the intervals");
}

const METHOD: &str = "Pearson, Fisher z, 95 %; takes intervals to be independent, while neighbours resemble each \
                      other: too narrow";

/// Against goodput, over the intervals of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Correlations {
    /// Share of built bytes that the CPU segmented. None where it, or goodput, does not vary.
    #[serde(serialize_with = "too_constant")]
    pub software_share: Option<Correlation>,
    /// Segmentation time per byte of payload. None likewise.
    #[serde(serialize_with = "too_constant")]
    pub segmentation_ns_per_byte: Option<Correlation>,
}

/// A Pearson correlation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Correlation {
    /// −1 to 1.
    pub r: f64,
    /// 95 % interval.
    pub interval: [f64; 2],
    /// How the interval was made.
    pub method: String,
    /// Intervals used.
    pub n: usize,
}

impl Correlations {
    /// Over the intervals of a run, leaving out those in which either side was not measured.
    #[must_use]
    pub fn of(intervals: &[Interval]) -> Self {
        let against_goodput = |value: fn(&Interval) -> Option<f64>| {
            let pairs: Vec<_> = intervals
                .iter()
                .filter_map(|interval| value(interval).zip(interval.goodput_gbps.known()))
                .collect();
            stats::pearson(&pairs).map(|found| Correlation {
                r: found.r,
                interval: found.interval,
                method: METHOD.to_owned(),
                n: found.n,
            })
        };
        Self {
            software_share: against_goodput(|interval| interval.software_share.known()),
            segmentation_ns_per_byte: against_goodput(|interval| interval.segmentation_ns_per_byte.known()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scene;
    use crate::throughput::intervals;

    #[test]
    fn throughput_that_falls_while_the_cpu_segments_correlates_negatively() {
        let mut scene = Scene::new();
        for turn in 0..8 {
            if turn % 2 == 0 {
                scene.whole(3_000, 44);
            } else {
                scene.cut(1_000 + turn, 44);
            }
            scene.tick();
        }
        // The last tick began an interval in which nothing was sent.
        scene.samples.pop();
        let found = Correlations::of(&intervals(&scene.window()));
        let share = found.software_share.unwrap();
        assert!(share.r < -0.99, "{}", share.r);
        assert_eq!(share.n, 8);
        assert!(share.interval[0] <= share.r && share.r <= share.interval[1]);
        assert!(found.segmentation_ns_per_byte.unwrap().r < -0.99);
    }

    #[test]
    fn a_share_that_does_not_vary_correlates_with_nothing() {
        let mut scene = Scene::new();
        for turn in 1..8 {
            scene.whole(1_000 * turn, 44);
            scene.tick();
        }
        assert_eq!(Correlations::of(&intervals(&scene.window())), Correlations::default());
    }
}
