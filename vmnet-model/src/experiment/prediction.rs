//! What the base alone lets one expect of TSO, before the treatment is looked at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::arm::{Arm, Setting};
use super::metric::MetricId;
use super::trial::Trial;
use crate::fact::Why;
use crate::null_because;
use crate::state::State;
use crate::stats::{self, NoMeanInterval};
use crate::units;

null_because! {
    see_notes: Why::is("its notes say why");
}

/// What has to be on for an arm to be the one that is predicted.
const TSO: &str = "tx-tcp-segmentation";

/// A CPU that is busy for less of its time has some left, so that something else limits the throughput.
const LIMITING_SHARE: f64 = 0.95;

/// What every prediction takes for granted.
const ASSUMPTIONS: [&str; 3] = [
    "only the work inside __skb_gso_segment is taken to go, and all other work to stay: with fewer packets for the driver the gain may be larger",
    "what the host does with super-packets is not seen from here: where it segments them itself, the gain may be smaller",
    "nothing else is taken to be near its limit: the link, the receiver or the congestion window may end the gain earlier",
];

/// What is expected of taking segmentation off the CPU, from the trials under the base alone: the work inside `__skb_gso_segment` goes, and
/// everything else stays. Each packet less that the driver handles comes on top, so that the gain may be larger; what the host then does is
/// not seen from inside, so that it may be smaller, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Prediction {
    /// The arm that it was made from.
    pub from: String,
    /// The arm that it is about.
    pub about: String,
    /// Throughput, (1 / (1 − g) − 1) · 100, where g is the share of the busiest CPU's busy time that is inside segmentation. None where that CPU is not
    /// the limit (below 95 % busy), or cannot be known.
    #[serde(serialize_with = "see_notes")]
    pub throughput_percent: Option<f64>,
    /// Its 95 % interval.
    #[serde(serialize_with = "see_notes")]
    pub throughput_interval_percent: Option<[f64; 2]>,
    /// CPU per byte of payload, −(segmentation ns/byte) / (busy CPU ns/byte) · 100.
    #[serde(serialize_with = "see_notes")]
    pub cpu_per_byte_percent: Option<f64>,
    /// Its 95 % interval.
    #[serde(serialize_with = "see_notes")]
    pub cpu_per_byte_interval_percent: Option<[f64; 2]>,
    /// How busy the busiest CPU was under the base, 0 to 1.
    #[serde(serialize_with = "see_notes")]
    pub busiest_cpu_share: Option<f64>,
    /// Why there is no figure, or what it takes for granted.
    pub notes: Vec<String>,
}

impl Prediction {
    /// From valid trials under the base, about the arm that switches TSO on. None where the base does not segment in software, or no
    /// arm has TSO on. Intervals are of one number a block, the mean of its trials under the base: neighbours in time resemble each other.
    #[must_use]
    pub fn of(arms: &[Arm], trials: &[Trial], seed: u64) -> Option<Self> {
        let base = arms.first()?;
        let about = arms.iter().skip(1).find(|arm| has_tso_on(arm))?;
        let trials: Vec<&Trial> = trials.iter().filter(|trial| trial.arm == 0 && trial.is_valid()).collect();
        if trials.is_empty() || trials.iter().any(|trial| trial.state != State::Software) {
            return None;
        }

        let busy = by_block(&trials, |trial| trial.busiest_cpu.map(|cpu| cpu.busy).ok_or_else(String::new));
        let busiest_cpu_share = busy.ok().map(|busy| mean(&busy)).filter(|busy| busy.is_finite());
        let mut prediction = Self {
            from: base.name.clone(),
            about: about.name.clone(),
            throughput_percent: None,
            throughput_interval_percent: None,
            cpu_per_byte_percent: None,
            cpu_per_byte_interval_percent: None,
            busiest_cpu_share,
            notes: Vec::new(),
        };
        let throughput = segmenting_share_of_limit(&trials, busiest_cpu_share);
        let cpu_per_byte = segmenting_share_of_all(&trials);
        match throughput {
            Ok(shares) => {
                let share = Share::of(&shares, seed);
                prediction.throughput_percent = Some(faster_percent(share.mean));
                prediction.throughput_interval_percent =
                    prediction.interval_or_note("throughput", share.interval, |[low, high]| {
                        [faster_percent(low), faster_percent(high)]
                    });
            }
            Err(why) => prediction.notes.push(format!("throughput is not predicted: {why}")),
        }
        match cpu_per_byte {
            Ok(shares) => {
                let share = Share::of(&shares, seed.wrapping_add(1));
                prediction.cpu_per_byte_percent = Some(saved_percent(share.mean));
                prediction.cpu_per_byte_interval_percent =
                    prediction.interval_or_note("CPU per byte", share.interval, |[low, high]| {
                        [saved_percent(high), saved_percent(low)]
                    });
            }
            Err(why) => prediction.notes.push(format!("CPU per byte is not predicted: {why}")),
        }
        prediction.notes.extend(ASSUMPTIONS.map(str::to_owned));
        Some(prediction)
    }

    fn interval_or_note(
        &mut self,
        what: &str,
        interval: Result<[f64; 2], String>,
        told: impl FnOnce([f64; 2]) -> [f64; 2],
    ) -> Option<[f64; 2]> {
        match interval {
            Ok(interval) => Some(told(interval)),
            Err(why) => {
                self.notes.push(format!("{what} is predicted without an interval: {why}"));
                None
            }
        }
    }
}

fn has_tso_on(arm: &Arm) -> bool {
    arm.settings
        .iter()
        .any(|setting| matches!(setting, Setting::Feature { feature, on: true } if feature == TSO))
}

/// Of the busiest CPU's busy time, one number a block.
///
/// # Errors
/// Why throughput does not depend on it.
fn segmenting_share_of_limit(trials: &[&Trial], busy: Option<f64>) -> Result<Vec<f64>, String> {
    let busy =
        busy.ok_or_else(|| "which CPU is the busiest is not known in every trial under the base".to_owned())?;
    if busy < LIMITING_SHARE {
        return Err(format!(
            "no CPU was busy all the time (the busiest {}): a flow may move between CPUs, or something else be the limit, and what of it is segmentation \
             cannot be told from here",
            units::percent(busy)
        ));
    }
    by_block(trials, |trial| {
        let share = trial.busiest_cpu.and_then(|cpu| Some(cpu.segmenting? / cpu.busy));
        below_one(share, "the time inside segmentation is")
    })
}

/// Of all CPU time per byte, one number a block.
///
/// # Errors
/// Why it is not known.
fn segmenting_share_of_all(trials: &[&Trial]) -> Result<Vec<f64>, String> {
    by_block(trials, |trial| {
        let [segmentation, all] = [MetricId::SegmentationNsPerByte, MetricId::CpuNsPerByte]
            .map(|id| trial.figures.get(&id).copied());
        let share = segmentation.zip(all).map(|(segmentation, all)| segmentation / all);
        below_one(share, "CPU and segmentation per byte are")
    })
}

/// A share of one trial. All of the work cannot be segmentation: something has to hand it the packets.
///
/// # Errors
/// Why it is none.
fn below_one(share: Option<f64>, what_is: &str) -> Result<f64, String> {
    let share = share.ok_or_else(|| format!("{what_is} not known in every trial under the base"))?;
    if (0.0..1.0).contains(&share) {
        Ok(share)
    } else {
        Err(format!("{what_is} not sound in every trial under the base"))
    }
}

/// The mean of each block.
///
/// # Errors
/// Why a trial has no number.
fn by_block(trials: &[&Trial], number: impl Fn(&Trial) -> Result<f64, String>) -> Result<Vec<f64>, String> {
    let mut blocks: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for trial in trials {
        blocks.entry(trial.block).or_default().push(number(trial)?);
    }
    Ok(blocks.values().map(|numbers| mean(numbers)).collect())
}

/// Not a number where there are none.
fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// The part of the work that is segmentation.
struct Share {
    /// 0 and more, below 1.
    mean: f64,
    /// 95 %, the same. Or why there is none.
    interval: Result<[f64; 2], String>,
}

impl Share {
    /// Of one share a block.
    fn of(by_block: &[f64], seed: u64) -> Self {
        let interval = match stats::mean_interval(by_block, seed) {
            Ok(found) => {
                // No share is below 0, however far the few blocks are apart.
                let [low, high] = found.interval.map(|end| end.max(0.0));
                if high < 1.0 { Ok([low, high]) } else { Err("its blocks are too far apart".to_owned()) }
            }
            Err(NoMeanInterval::TooFew) => {
                Err(format!("it takes {} blocks with trials under the base", stats::FEWEST_DIFFERENCES))
            }
            Err(NoMeanInterval::Unsound) => Err("its numbers are not sound".to_owned()),
        };
        Self { mean: mean(by_block), interval }
    }
}

/// By how much more gets through when a share of the work goes.
fn faster_percent(share: f64) -> f64 {
    (1.0 / (1.0 - share) - 1.0) * 100.0
}

/// The change when a share of the work goes. Not −0 for no share.
fn saved_percent(share: f64) -> f64 {
    0.0 - share * 100.0
}

#[cfg(test)]
mod tests {
    use super::super::arm::Role;
    use super::super::design::Turn;
    use super::super::guard::{Guard, Rejection};
    use super::super::simulation;
    use super::super::trial::{BusiestCpu, Figures};
    use super::*;

    fn arms() -> Vec<Arm> {
        let setting = |on| vec![Setting::Feature { feature: TSO.to_owned(), on }];
        vec![
            Arm { name: "tso=off".to_owned(), role: Role::Base, settings: setting(false) },
            Arm { name: "placebo".to_owned(), role: Role::Placebo, settings: setting(false) },
            Arm { name: "tso=on".to_owned(), role: Role::Treatment, settings: setting(true) },
        ]
    }

    /// Two trials a block under the base: half of the busiest CPU's time is segmentation, and a quarter of all CPU time.
    fn trials(blocks: u32) -> Vec<Trial> {
        let turns = (0..blocks).flat_map(|block| [0, 5].map(|place| Turn { block, place, arm: 0 }));
        let figures = [(MetricId::CpuNsPerByte, 2.0), (MetricId::SegmentationNsPerByte, 0.5)];
        let trial = |(number, turn)| Trial {
            busiest_cpu: Some(BusiestCpu { busy: 0.98, segmenting: Some(0.49) }),
            ..simulation::trial(turn, number, Figures::from(figures))
        };
        (1..).zip(turns).map(trial).collect()
    }

    fn of(trials: &[Trial]) -> Prediction {
        Prediction::of(&arms(), trials, 1).unwrap()
    }

    fn spoilt(spoil: impl Fn(&mut Trial)) -> Prediction {
        let mut trials = trials(3);
        spoil(&mut trials[2]);
        of(&trials)
    }

    fn has_note(prediction: &Prediction, part: &str) -> bool {
        prediction.notes.iter().any(|note| note.contains(part))
    }

    #[test]
    fn half_of_the_limiting_cpu_doubles_the_throughput_and_a_quarter_of_all_cpu_time_is_saved() {
        let prediction = of(&trials(3));
        assert_eq!((prediction.from.as_str(), prediction.about.as_str()), ("tso=off", "tso=on"));
        assert_eq!(prediction.throughput_percent, Some(100.0));
        assert_eq!(prediction.throughput_interval_percent, Some([100.0, 100.0]));
        assert_eq!(prediction.cpu_per_byte_percent, Some(-25.0));
        assert_eq!(prediction.cpu_per_byte_interval_percent, Some([-25.0, -25.0]));
        assert!((prediction.busiest_cpu_share.unwrap() - 0.98).abs() < 1e-9);
        assert_eq!(prediction.notes, ASSUMPTIONS);
    }

    #[test]
    fn blocks_that_differ_have_an_interval_around_the_figure() {
        let mut trials = trials(6);
        for (trial, by) in
            trials.iter_mut().zip([0.0, 0.01, -0.02, 0.02, 0.01, 0.0, -0.01, 0.03, 0.0, 0.02, -0.01, 0.0])
        {
            trial.busiest_cpu = Some(BusiestCpu { busy: 1.0, segmenting: Some(0.5 + by) });
            trial.figures.insert(MetricId::SegmentationNsPerByte, 0.5 + by);
        }
        let prediction = of(&trials);
        let holds = |[low, high]: [f64; 2], figure: f64| low < figure && figure < high && high - low < 15.0;
        assert!(holds(
            prediction.throughput_interval_percent.unwrap(),
            prediction.throughput_percent.unwrap()
        ));
        assert!(holds(
            prediction.cpu_per_byte_interval_percent.unwrap(),
            prediction.cpu_per_byte_percent.unwrap()
        ));
        assert_eq!(of(&trials), prediction);
    }

    #[test]
    fn a_cpu_with_time_left_is_not_the_limit_and_only_cpu_is_predicted() {
        let mut trials = trials(3);
        for trial in &mut trials {
            trial.busiest_cpu = Some(BusiestCpu { busy: 0.6, segmenting: Some(0.3) });
        }
        let prediction = of(&trials);
        assert_eq!((prediction.throughput_percent, prediction.throughput_interval_percent), (None, None));
        assert_eq!(prediction.cpu_per_byte_percent, Some(-25.0));
        assert!(has_note(&prediction, "no CPU was busy all the time (the busiest 60.0 %)"), "{prediction:?}");
    }

    #[test]
    fn what_a_trial_does_not_know_is_not_predicted_and_says_so() {
        let no_cpu = spoilt(|trial| trial.busiest_cpu = None);
        assert!(no_cpu.throughput_percent.is_none() && no_cpu.busiest_cpu_share.is_none());
        assert!(has_note(&no_cpu, "which CPU is the busiest is not known"), "{no_cpu:?}");
        let untimed = spoilt(|trial| trial.busiest_cpu = Some(BusiestCpu { busy: 0.98, segmenting: None }));
        assert!(untimed.throughput_percent.is_none() && has_note(&untimed, "the time inside segmentation"));
        let no_figure = spoilt(|trial| trial.figures.clear());
        assert!(no_figure.cpu_per_byte_percent.is_none() && no_figure.throughput_percent.is_some());
        assert!(has_note(&no_figure, "CPU per byte is not predicted"), "{no_figure:?}");
    }

    #[test]
    fn hostile_numbers_predict_nothing() {
        for segmenting in [f64::NAN, f64::INFINITY, 1e308, -0.1, 0.98] {
            let prediction = spoilt(|trial| {
                trial.busiest_cpu = Some(BusiestCpu { busy: 0.98, segmenting: Some(segmenting) });
            });
            assert!(prediction.throughput_percent.is_none(), "{segmenting}");
            assert!(has_note(&prediction, "throughput is not predicted"), "{segmenting}");
        }
        for busy in [f64::NAN, f64::INFINITY, 0.0, 1e308] {
            let prediction =
                spoilt(|trial| trial.busiest_cpu = Some(BusiestCpu { busy, segmenting: Some(0.5) }));
            assert!(prediction.throughput_percent.is_none_or(f64::is_finite), "{busy}");
            assert!(prediction.busiest_cpu_share.is_none_or(f64::is_finite), "{busy}");
        }
        for cpu in [0.0, f64::NAN, -1.0, 0.5] {
            let prediction = spoilt(|trial| trial.figures.extend([(MetricId::CpuNsPerByte, cpu)]));
            assert!(prediction.cpu_per_byte_percent.is_none(), "{cpu}");
        }
    }

    #[test]
    fn few_blocks_or_far_apart_ones_have_no_interval_and_the_notes_say_why() {
        let two = of(&trials(2));
        assert_eq!((two.throughput_percent, two.throughput_interval_percent), (Some(100.0), None));
        assert!(has_note(&two, "throughput is predicted without an interval: it takes 3 blocks"), "{two:?}");
        let apart =
            spoilt(|trial| trial.busiest_cpu = Some(BusiestCpu { busy: 0.98, segmenting: Some(0.0) }));
        assert!(apart.throughput_interval_percent.is_none_or(|[low, _]| low >= 0.0), "{apart:?}");
    }

    #[test]
    fn no_segmentation_predicts_nothing_to_gain_rather_than_a_loss() {
        let mut trials = trials(3);
        for trial in &mut trials {
            trial.busiest_cpu = Some(BusiestCpu { busy: 1.0, segmenting: Some(0.0) });
            trial.figures.insert(MetricId::SegmentationNsPerByte, 0.0);
        }
        let prediction = of(&trials);
        assert_eq!(prediction.throughput_interval_percent, Some([0.0, 0.0]));
        assert!(
            prediction.cpu_per_byte_percent.is_some_and(|saved| saved.is_sign_positive() && saved == 0.0)
        );
    }

    #[test]
    fn it_takes_a_base_that_segments_in_software_and_an_arm_with_tso() {
        let trials = trials(3);
        assert!(Prediction::of(&arms()[..2], &trials, 1).is_none(), "no arm has TSO on");
        assert!(Prediction::of(&[], &trials, 1).is_none());
        assert!(Prediction::of(&arms(), &[], 1).is_none());
        let mut engaged = trials.clone();
        engaged[0].state = State::Engaged;
        assert!(Prediction::of(&arms(), &engaged, 1).is_none());
        engaged[0].rejections = vec![Rejection { guard: Guard::Treatment, detail: String::new() }];
        assert!(Prediction::of(&arms(), &engaged, 1).is_some(), "a rejected trial does not count");
    }

    #[test]
    fn trials_under_other_arms_are_not_looked_at() {
        let mut trials = trials(3);
        let before = of(&trials);
        let mut other = trials[0].clone();
        (other.arm, other.state, other.busiest_cpu) = (2, State::Engaged, None);
        trials.push(other);
        assert_eq!(of(&trials), before);
    }
}
