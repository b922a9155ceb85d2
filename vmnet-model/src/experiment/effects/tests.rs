//! Effects of designs whose trials are made by hand.

use proptest::prelude::*;

use super::super::arm::Role;
use super::super::guard::{Guard, Rejection};
use super::super::simulation;
use super::super::trial::Figures;
use super::*;

const RATIO: MetricId = MetricId::ThroughputGbps;
const DIFFERENCE: MetricId = MetricId::RetransmittedPpm;

fn design(blocks: u32) -> Design {
    simulation::design(&[Role::Base, Role::Treatment, Role::Placebo], blocks, 7)
}

/// Every trial of the design; what `figure` says of (block, place, arm) is measured.
fn trials(design: &Design, id: MetricId, figure: impl Fn(u32, u32, usize) -> Option<f64>) -> Vec<Trial> {
    (1..)
        .zip((0..design.blocks).flat_map(|block| design.block(block)))
        .map(|(number, turn)| {
            let figure = figure(turn.block, turn.place, turn.arm);
            let figures = figure.map(|figure| (id, figure)).into_iter().collect::<Figures>();
            simulation::trial(turn, number, figures)
        })
        .collect()
}

/// Of the treatment, where each arm always has the same figure.
fn constant(id: MetricId, blocks: u32, base: f64, arm: f64) -> Effect {
    let design = design(blocks);
    let trials = trials(&design, id, |_, _, of| Some(if of == 1 { arm } else { base }));
    effects(&design, &trials)[0].effect(id).unwrap().clone()
}

/// The treatment's first trial.
fn treated(trials: &mut [Trial]) -> &mut Trial {
    trials.iter_mut().find(|trial| trial.arm == 1).unwrap()
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 1e-9
}

#[test]
fn a_ratio_is_told_in_percent_and_a_difference_in_its_unit() {
    let ratio = constant(RATIO, 6, 10.0, 11.0);
    assert!(close(ratio.base.unwrap(), 10.0) && close(ratio.arm.unwrap(), 11.0), "{ratio:?}");
    assert!(close(ratio.change_percent.unwrap(), 10.0), "{ratio:?}");
    assert!(ratio.interval_percent.unwrap().iter().all(|end| close(*end, 10.0)), "{ratio:?}");
    assert_eq!((ratio.difference, ratio.interval, ratio.reason.as_deref()), (None, None, None));
    assert!(ratio.by_block.len() == 6 && ratio.by_block.iter().all(|change| close(*change, 10.0)));
    assert_eq!((ratio.blocks, ratio.chance), (6, Some(2.0 / 64.0)));

    let difference = constant(DIFFERENCE, 3, 0.0, 12.5);
    assert_eq!((difference.base, difference.arm), (Some(0.0), Some(12.5)));
    assert_eq!((difference.difference, difference.interval), (Some(12.5), Some([12.5, 12.5])));
    assert_eq!((difference.change_percent, difference.interval_percent), (None, None));
    assert_eq!((difference.by_block, difference.smallest_visible), (vec![12.5; 3], Some(0.0)));
}

#[test]
fn levels_are_means_of_both_trials_of_a_block_by_logarithm_for_ratios() {
    let design = design(3);
    // 8 and 2 have the geometric mean 4, and the plain one 5.
    let figure = |_, place: u32, arm| Some(if arm == 1 { if place < 3 { 8.0 } else { 2.0 } } else { 1.0 });
    for (id, expected) in [(RATIO, 4.0), (DIFFERENCE, 5.0)] {
        let found = effects(&design, &trials(&design, id, figure));
        let effect = found[0].effect(id).unwrap();
        assert!(close(effect.arm.unwrap(), expected), "{effect:?}");
    }
}

#[test]
fn what_is_better_hangs_on_the_metric() {
    use Judgement::{Better, NoClearEffect, Worse};
    let cases = [
        (RATIO, 10.0, 11.0, Better),
        (RATIO, 10.0, 9.0, Worse),
        (RATIO, 10.0, 10.0, NoClearEffect),
        (RATIO, 0.1 + 0.2, 0.3, NoClearEffect),
        (MetricId::CpuNsPerByte, 10.0, 9.0, Better),
        (MetricId::CpuNsPerByte, 10.0, 11.0, Worse),
        (DIFFERENCE, 10.0, 0.0, Better),
        (DIFFERENCE, 0.0, 10.0, Worse),
        (DIFFERENCE, 0.0, 0.0, NoClearEffect),
        (DIFFERENCE, 0.1 + 0.2, 0.3, NoClearEffect),
    ];
    for (id, base, arm, expected) in cases {
        assert_eq!(constant(id, 6, base, arm).judgement, expected, "{id:?} {base} {arm}");
    }
}

#[test]
fn blocks_that_disagree_show_no_clear_effect() {
    let design = design(6);
    let trials = trials(&design, RATIO, |block, _, arm| {
        Some(if arm == 1 { [9.0, 11.0, 10.5, 9.2, 10.4, 9.9][block as usize] } else { 10.0 })
    });
    let found = effects(&design, &trials);
    let effect = found[0].effect(RATIO).unwrap();
    let [low, high] = effect.interval_percent.unwrap();
    assert!(low < 0.0 && 0.0 < high && effect.judgement == Judgement::NoClearEffect, "{effect:?}");
    assert!(effect.chance.unwrap() > 0.3 && effect.smallest_visible.unwrap() > 5.0, "{effect:?}");
    assert_eq!(effects(&design, &trials), found, "the same seed, the same intervals");
}

#[test]
fn under_three_blocks_the_change_is_told_without_an_interval() {
    let cases = [
        (0, None, Some("no block is whole")),
        (1, Some(10.0), Some("1 whole block, and an interval takes 3")),
        (2, Some(10.0), Some("2 whole blocks, and an interval takes 3")),
        (3, Some(10.0), Some("with 3 blocks the permutation test cannot give p < 25 %: it takes 6 blocks")),
    ];
    for (whole, change, reason) in cases {
        let design = design(3);
        let mut trials = trials(&design, RATIO, |_, _, arm| Some(if arm == 1 { 11.0 } else { 10.0 }));
        for trial in trials.iter_mut().filter(|trial| trial.block >= whole) {
            trial.rejections = vec![Rejection { guard: Guard::Steal, detail: String::new() }];
        }
        let found = effects(&design, &trials);
        let effect = found[0].effect(RATIO).unwrap();
        assert_eq!(effect.change_percent.map(f64::round), change);
        assert_eq!((effect.blocks, effect.reason.as_deref()), (whole, reason));
        assert_eq!(effect.interval_percent.is_some(), whole >= 3);
        assert_eq!(effect.judgement == Judgement::NotKnown, reason.is_some());
    }
}

#[test]
fn a_block_is_whole_where_every_turn_has_its_one_trial_and_it_counts() {
    let design = design(3);
    let fine = trials(&design, RATIO, |_, _, _| Some(1.0));
    assert_eq!(whole_blocks(&design, &fine), [0, 1, 2]);
    assert!(whole_blocks(&design, &[]).is_empty());
    let mut backwards = fine.clone();
    backwards.reverse();
    assert_eq!(whole_blocks(&design, &backwards), [0, 1, 2]);

    let spoilt = |spoil: fn(&mut Vec<Trial>)| {
        let mut trials = fine.clone();
        spoil(&mut trials);
        whole_blocks(&design, &trials)
    };
    let rejection = || Rejection { guard: Guard::Benchmark, detail: "exit code 1".to_owned() };
    let mut rejected = fine.clone();
    rejected[8].rejections.push(rejection());
    assert_eq!(whole_blocks(&design, &rejected), [0, 2], "one trial voids its block");
    assert_eq!(spoilt(|trials| drop(trials.pop())), [0, 1], "the last trial was not reached");
    assert_eq!(spoilt(|trials| trials.push(trials[0].clone())), [1, 2], "one trial twice");
    assert_eq!(spoilt(|trials| trials[0].arm = (trials[0].arm + 1) % 3), [1, 2], "not its turn");
    assert_eq!(spoilt(|trials| trials[0].block = 7), [1, 2], "a block that has but one trial");
}

#[test]
fn a_block_that_is_not_whole_says_nothing() {
    let design = design(4);
    let mut trials = trials(&design, RATIO, |_, _, arm| Some(if arm == 1 { 11.0 } else { 10.0 }));
    let trial = trials.iter_mut().find(|trial| trial.block == 2 && trial.arm == 1).unwrap();
    trial.figures.insert(RATIO, 1e6);
    trial.rejections = vec![Rejection { guard: Guard::Audit, detail: String::new() }];
    let found = effects(&design, &trials);
    let effect = found[0].effect(RATIO).unwrap();
    assert!(effect.blocks == 3 && close(effect.change_percent.unwrap(), 10.0), "{effect:?}");
}

#[test]
fn a_figure_that_a_trial_lacks_leaves_no_effect_of_that_arm() {
    let design = design(3);
    let mut trials = trials(&design, RATIO, |_, _, _| Some(10.0));
    let number = treated(&mut trials).number;
    treated(&mut trials).figures.clear();
    let found = effects(&design, &trials);
    let effect = found[0].effect(RATIO).unwrap();
    assert_eq!(effect.reason, Some(format!("it was not measured in trial {number}")));
    assert_eq!((effect.arm, effect.change_percent, effect.judgement), (None, None, Judgement::NotKnown));
    assert!(close(effect.base.unwrap(), 10.0) && effect.by_block.is_empty());
    assert_eq!(found[1].effect(RATIO).unwrap().reason, None, "the other arm has all of its own");
}

#[test]
fn what_no_trial_measured_is_left_out_and_the_rest_keeps_the_order_of_the_table() {
    let design = design(3);
    let mut trials = trials(&design, DIFFERENCE, |_, _, _| Some(10.0));
    for trial in &mut trials {
        trial.figures.extend([(MetricId::PacketToDriverBytes, 1.0), (MetricId::TransactionsPerS, 1.0)]);
    }
    let found = effects(&design, &trials);
    assert_eq!(
        found.iter().map(|arm| (arm.arm, arm.name.as_str())).collect::<Vec<_>>(),
        [(1, "1"), (2, "2")]
    );
    let order: Vec<MetricId> = found[1].effects.iter().map(|effect| effect.metric).collect();
    assert_eq!(order, [MetricId::TransactionsPerS, DIFFERENCE, MetricId::PacketToDriverBytes]);
}

#[test]
fn hostile_figures_leave_a_reason() {
    let cases = [
        (RATIO, f64::NAN, "in trial N it is not a number"),
        (RATIO, f64::INFINITY, "in trial N it is not a number"),
        (RATIO, 0.0, "in trial N it is 0, and a ratio takes more than 0"),
        (RATIO, -1.0, "in trial N it is -1, and a ratio takes more than 0"),
        (DIFFERENCE, f64::NAN, "in trial N it is not a number"),
        (DIFFERENCE, f64::NEG_INFINITY, "in trial N it is not a number"),
        (DIFFERENCE, 1e308, "its blocks are too far apart for an interval"),
    ];
    for (id, figure, reason) in cases {
        let design = design(3);
        let mut trials = trials(&design, id, |_, _, _| Some(10.0));
        treated(&mut trials).figures.insert(id, figure);
        let number = treated(&mut trials).number;
        let found = effects(&design, &trials);
        let effect = found[0].effect(id).unwrap();
        assert_eq!(effect.reason, Some(reason.replace('N', &number.to_string())), "{id:?} {figure}");
        assert_eq!(effect.judgement, Judgement::NotKnown);
    }
    let beyond = constant(RATIO, 3, 1e-300, 1e300);
    assert_eq!(
        beyond.reason.as_deref(),
        Some("its figures are too large or too far apart to be held against each other")
    );
}

#[test]
fn a_design_without_arms_has_no_effects() {
    let nothing = simulation::design(&[], 3, 1);
    let fine = design(3);
    let trials = trials(&fine, RATIO, |_, _, _| Some(1.0));
    assert_eq!(effects(&nothing, &trials), []);
    assert_eq!(effects(&simulation::design(&[Role::Base], 3, 1), &trials), []);
}

proptest! {
    #[test]
    fn whatever_is_measured_every_number_is_finite_and_what_is_missing_has_a_reason(
        figures in proptest::collection::vec(proptest::num::f64::ANY, 18),
        id in proptest::sample::select(vec![RATIO, DIFFERENCE]),
    ) {
        let design = design(3);
        let trials = trials(&design, id, |block, place, _| figures.get((6 * block + place) as usize).copied());
        for arm in effects(&design, &trials) {
            let effect = arm.effect(id).unwrap();
            let ends = [effect.interval, effect.interval_percent].into_iter().flatten().flatten();
            let single = [
                effect.base,
                effect.arm,
                effect.change_percent,
                effect.difference,
                effect.chance,
                effect.smallest_visible,
            ];
            let numbers = single.into_iter().flatten().chain(ends).chain(effect.by_block.iter().copied());
            prop_assert!(numbers.clone().all(f64::is_finite), "{effect:?}");
            let has_interval = effect.interval.is_some() || effect.interval_percent.is_some();
            prop_assert!(has_interval != effect.reason.is_some(), "{effect:?}");
        }
    }
}
