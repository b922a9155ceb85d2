//! Experiments whose truth is known: a benchmark is simulated, its trials go in the order that the design draws through the same analysis that real
//! ones do, and what comes out is counted. Seeds are fixed, so that the counts are, too; `cargo test simulation -- --nocapture` shows them.

use super::arm::{Arm, Role};
use super::design::{Design, Turn};
use super::effects::{Effect, Judgement, effects};
use super::metric::MetricId;
use super::trial::{Figures, Trial};
use crate::state::{Confidence, State};
use crate::stats::{SplitMix64, mean_interval, of_sorted};

/// Experiments of a kind.
const TIMES: u32 = 1_000;

/// The true effects on throughput, in percent.
const EFFECTS: [f64; 4] = [0.0, 1.0, 5.0, 50.0];

const ROLES: [Role; 3] = [Role::Base, Role::Treatment, Role::Placebo];
const TREATMENT: usize = 1;

/// What a benchmark meets with.
#[derive(Clone, Copy, Debug, Default)]
struct World {
    /// Of one trial's throughput, in its logarithm.
    noise: f64,
    /// Change from each trial to the next.
    drift: f64,
    /// Standard deviation of a step from each trial to the next, in a random walk.
    walk: f64,
    /// Share of trials that are 30 % slower than they should be, whichever arm they are of.
    outliers: f64,
    /// Standard deviation of the effect itself from block to block.
    moods: f64,
}

/// Runs of a benchmark on a quiet machine differ by 2 %.
const QUIET: World = World { noise: 0.02, drift: 0.0, walk: 0.0, outliers: 0.0, moods: 0.0 };
const DRIFTING: World = World { drift: -0.005, ..QUIET };
const WANDERING: World = World { walk: 0.01, ..QUIET };
const DISTURBED: World = World { outliers: 0.05, ..QUIET };
/// All of it at once.
const HARSH: World = World { drift: -0.005, walk: 0.01, outliers: 0.05, ..QUIET };

/// A trial at its place, with what was measured.
pub(super) fn trial(turn: Turn, number: u32, figures: Figures) -> Trial {
    Trial {
        number,
        block: turn.block,
        place: turn.place,
        arm: turn.arm,
        t_s: f64::from(number) * 12.0,
        duration_s: 10.0,
        measured_s: 9.0,
        figures,
        state: State::Software,
        confidence: Confidence::Proven,
        expected: None,
        hardware_bytes: None,
        software_bytes: None,
        payload_bytes: None,
        busiest_cpu: None,
        rejections: Vec::new(),
        recording: None,
    }
}

/// As many arms as there are roles, named by their index.
pub(super) fn design(roles: &[Role], blocks: u32, seed: u64) -> Design {
    let arm =
        |(index, role): (usize, &Role)| Arm { name: index.to_string(), role: *role, settings: Vec::new() };
    let arms = roles.iter().enumerate().map(arm).collect();
    Design { arms, blocks, most_blocks: 2 * blocks, seed }
}

/// The benchmark: throughputs of trial after trial, whose logarithms are the sum of everything.
struct Benchmark<'a> {
    world: World,
    random: &'a mut SplitMix64,
    /// Trials so far.
    trials: f64,
    wandered: f64,
}

impl<'a> Benchmark<'a> {
    fn new(world: World, random: &'a mut SplitMix64) -> Self {
        Self { world, random, trials: 0.0, wandered: 0.0 }
    }

    /// The logarithm of one trial's throughput where `effect` is that of its arm's effect.
    fn run(&mut self, effect: f64) -> f64 {
        let World { noise, drift, walk, outliers, .. } = self.world;
        let level = 10_f64.ln() + drift * self.trials + self.wandered;
        self.trials += 1.0;
        if walk > 0.0 {
            self.wandered += walk * self.random.normal();
        }
        let slowed = if outliers > 0.0 && self.random.unit() < outliers { 0.7_f64.ln() } else { 0.0 };
        level + effect + slowed + noise * self.random.normal()
    }

    /// By how much a block's effect differs from the true one.
    fn mood(&mut self) -> f64 {
        if self.world.moods > 0.0 { self.world.moods * self.random.normal() } else { 0.0 }
    }
}

/// One experiment; `effect` is the logarithm of what the treatment multiplies the throughput by.
fn experiment(design: &Design, effect: f64, world: World, random: &mut SplitMix64) -> Vec<Trial> {
    let mut benchmark = Benchmark::new(world, random);
    let mut trials = Vec::new();
    for block in 0..design.blocks {
        let effect = effect + benchmark.mood();
        for turn in design.block(block) {
            let of_arm = if turn.arm == TREATMENT { effect } else { 0.0 };
            let gbps = benchmark.run(of_arm).exp();
            let number = trials.len() as u32 + 1;
            trials.push(trial(turn, number, Figures::from([(MetricId::ThroughputGbps, gbps)])));
        }
    }
    trials
}

fn is_finding(effect: &Effect) -> bool {
    matches!(effect.judgement, Judgement::Better | Judgement::Worse)
}

/// What came of many experiments.
#[derive(Default)]
struct Counts {
    /// Intervals of the treatment that hold the true effect.
    covered: u32,
    /// Treatments that were judged to have an effect.
    found: u32,
    /// Placebos that were.
    false_alarms: u32,
    /// Placebos of which 5 % of all exchanges at most show as much.
    unlikely: u32,
    /// Logarithms of estimated effects less the true one.
    errors: Vec<f64>,
    /// Logarithms of what the treatment's blocks called visible.
    visible: Vec<f64>,
}

impl Counts {
    /// Of one world and one true effect, in percent.
    fn of(name: &str, world: World, blocks: u32, effect_percent: f64) -> Self {
        let mut counts = Self::default();
        counts.add(world, blocks, effect_percent, TIMES);
        counts.print(&format!("{name}, {blocks} blocks, effect {effect_percent:.1} %"));
        counts
    }

    /// Of one world, with every true effect in turn.
    fn of_all_effects(name: &str, world: World, blocks: u32) -> Self {
        let mut counts = Self::default();
        for effect_percent in EFFECTS {
            counts.add(world, blocks, effect_percent, TIMES / 4);
        }
        counts.print(&format!("{name}, {blocks} blocks, effects 0, 1, 5 and 50 %"));
        counts
    }

    fn add(&mut self, world: World, blocks: u32, effect_percent: f64, times: u32) {
        let truth = (effect_percent / 100.0).ln_1p();
        let mut random = SplitMix64::new((u64::from(blocks) << 32) + effect_percent.to_bits());
        for _ in 0..times {
            let design = design(&ROLES, blocks, random.next());
            let found = effects(&design, &experiment(&design, truth, world, &mut random));
            let [treatment, placebo] =
                [0, 1].map(|arm: usize| found[arm].effect(MetricId::ThroughputGbps).unwrap());
            self.count(treatment, placebo, truth);
        }
    }

    fn count(&mut self, treatment: &Effect, placebo: &Effect, truth: f64) {
        let logarithm = |percent: f64| (percent / 100.0).ln_1p();
        let [low, high] = treatment.interval_percent.unwrap().map(logarithm);
        self.covered += u32::from(low <= truth && truth <= high);
        self.found += u32::from(is_finding(treatment));
        self.false_alarms += u32::from(is_finding(placebo));
        self.unlikely += u32::from(placebo.chance.unwrap() <= 0.05);
        self.errors.push(logarithm(treatment.change_percent.unwrap()) - truth);
        self.visible.push(logarithm(treatment.smallest_visible.unwrap()));
    }

    fn print(&self, what: &str) {
        let Self { covered, found, false_alarms, unlikely, .. } = self;
        let (bias, error) = self.bias();
        println!(
            "{what}: of {} experiments, {covered} intervals hold the truth, {found} find an effect; {false_alarms} placebos raise a false alarm, \
             {unlikely} by exchanging names; mean error {:+.3} ± {:.3} %, visible from {:.2} % on",
            self.errors.len(),
            bias * 100.0,
            error * 100.0,
            self.median_visible() * 100.0
        );
    }

    /// The mean of the errors, and its own standard error.
    fn bias(&self) -> (f64, f64) {
        let n = self.errors.len() as f64;
        let mean = self.errors.iter().sum::<f64>() / n;
        let variance = self.errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, (variance / n).sqrt())
    }

    fn median_visible(&self) -> f64 {
        let mut visible = self.visible.clone();
        visible.sort_by(f64::total_cmp);
        of_sorted(&visible, 0.5).unwrap()
    }

    /// Chance alone moves 950 of 1,000 by 7, and 50 of 1,000 as well. Outliers make intervals wider than they would have to be, up to 98 % (as for
    /// Student's own), and the exchange of names among six blocks has no share between 1/32 and 2/32, so both may raise fewer false alarms than
    /// meant, and neither may raise more.
    fn check(&self) {
        assert!((930..=990).contains(&self.covered), "{}", self.covered);
        assert!((15..=70).contains(&self.false_alarms), "{}", self.false_alarms);
        assert!((10..=70).contains(&self.unlikely), "{}", self.unlikely);
        let (bias, error) = self.bias();
        assert!(bias.abs() < 4.0 * error, "{bias} {error}");
    }
}

#[test]
fn a_thousand_experiments_without_effect_are_as_honest_as_they_say_among_drift_and_outliers() {
    Counts::of("everything at once", HARSH, 6, 0.0).check();
}

#[test]
fn a_thousand_experiments_with_an_effect_of_1_percent_are_as_honest_as_they_say_among_drift_and_outliers() {
    Counts::of("everything at once", HARSH, 6, 1.0).check();
}

#[test]
fn a_thousand_experiments_with_an_effect_of_5_percent_are_as_honest_as_they_say_among_drift_and_outliers() {
    Counts::of("everything at once", HARSH, 6, 5.0).check();
}

#[test]
fn a_thousand_experiments_with_an_effect_of_50_percent_all_find_it_among_drift_and_outliers() {
    let counts = Counts::of("everything at once", HARSH, 6, 50.0);
    counts.check();
    assert_eq!(counts.found, TIMES);
}

#[test]
fn ten_blocks_see_more_than_six() {
    let ten = Counts::of_all_effects("everything at once", HARSH, 10);
    ten.check();
    let mut six = Counts::default();
    six.add(HARSH, 6, 1.0, TIMES / 4);
    assert!(ten.median_visible() < 0.85 * six.median_visible());
}

#[test]
fn a_steady_drift_cancels_out_to_the_last_experiment() {
    let quiet = Counts::of_all_effects("noise alone", QUIET, 6);
    let drifting = Counts::of_all_effects("a drift of -0.5 % a trial", DRIFTING, 6);
    quiet.check();
    let numbers = |counts: &Counts| (counts.covered, counts.found, counts.false_alarms, counts.unlikely);
    assert_eq!(numbers(&quiet), numbers(&drifting), "the same noise, drawn from the same seeds");
}

#[test]
fn a_random_walk_is_noise_that_the_interval_knows_of() {
    Counts::of_all_effects("a walk of 1 % a trial", WANDERING, 6).check();
}

#[test]
fn outliers_raise_no_false_alarms_but_hide_small_effects() {
    let counts = Counts::of_all_effects("one trial of twenty 30 % slower", DISTURBED, 6);
    counts.check();
    assert!(counts.false_alarms <= 50, "{}", counts.false_alarms);
    assert!(counts.median_visible() > 0.05, "{}", counts.median_visible());
}

#[test]
fn an_effect_as_large_as_the_smallest_that_is_called_visible_is_found_four_times_of_five() {
    for (name, world) in [("noise alone", QUIET), ("a walk of 1 % a trial", WANDERING)] {
        let mut unknown = Counts::default();
        unknown.add(world, 6, 0.0, TIMES / 4);
        let visible_percent = unknown.median_visible().exp_m1() * 100.0;
        let counts = Counts::of(name, world, 6, visible_percent);
        assert!((700..=900).contains(&counts.found), "{name}: {}", counts.found);
    }
}

/// How often the mean of `differences`, of which a benchmark gives a few, is said to be other than 0, which it is.
fn alarms(world: World, differences: impl Fn(&mut Benchmark<'_>) -> Vec<f64>) -> u32 {
    let mut random = SplitMix64::new(11);
    let mut alarms = 0;
    for seed in 0..TIMES {
        let values = differences(&mut Benchmark::new(world, &mut random));
        let [low, high] = mean_interval(&values, u64::from(seed)).unwrap().interval;
        alarms += u32::from(0.0 < low || high < 0.0);
    }
    alarms
}

#[test]
fn trials_in_a_fixed_order_take_a_drift_for_an_effect() {
    // The base's two trials, the treatment's, the placebo's, and nothing is turned round.
    let one_after_another = alarms(DRIFTING, |benchmark| {
        let block = |_| {
            let means: Vec<f64> =
                ROLES.iter().map(|_| (benchmark.run(0.0) + benchmark.run(0.0)) / 2.0).collect();
            means[2] - means[0]
        };
        (0..6).map(block).collect()
    });
    // ABCCBA.
    let turned_round = alarms(DRIFTING, |benchmark| {
        let block = |_| {
            let trials: Vec<f64> = (0..6).map(|_| benchmark.run(0.0)).collect();
            (trials[2] + trials[3] - trials[0] - trials[5]) / 2.0
        };
        (0..6).map(block).collect()
    });
    println!(
        "placebos under drift: {one_after_another} false alarms of {TIMES} in a fixed order, {turned_round} there and back"
    );
    assert!(one_after_another > 300, "{one_after_another}");
    assert!((30..=70).contains(&turned_round), "{turned_round}");
}

#[test]
fn trials_taken_for_units_are_too_sure_of_an_effect_that_differs_from_block_to_block() {
    let moody = World { moods: 0.06, ..QUIET };
    let pairs = |benchmark: &mut Benchmark<'_>| -> Vec<[f64; 2]> {
        let block = |_| {
            let mood = benchmark.mood();
            let [first, second, third, last] = [0.0, mood, mood, 0.0].map(|effect| benchmark.run(effect));
            [second - first, third - last]
        };
        (0..6).map(block).collect()
    };
    let by_trial = alarms(moody, |benchmark| pairs(benchmark).concat());
    let by_block = alarms(moody, |benchmark| {
        pairs(benchmark).iter().map(|[first, second]| (first + second) / 2.0).collect()
    });
    println!(
        "moody effects: of {TIMES} intervals, {by_trial} miss the truth by trials, {by_block} by blocks"
    );
    assert!(by_trial > 100, "{by_trial}");
    assert!((30..=70).contains(&by_block), "{by_block}");
}
