//! What is said, in words.

use super::*;
use crate::model::experiment::{
    ArmEffects, Design, Effect, Guard, Judgement, MetricId, Rejection, Role, Scale,
};
use crate::report::ab::fixture::{arm, conclude, experiment, tso_arms};
use crate::report::ab::schema::BlockCount;

/// A change in percent with its interval, judged by it.
fn effect(metric: MetricId, change: f64, interval: Option<[f64; 2]>) -> Effect {
    let known = metric.metric();
    let is_more_better = known.better == crate::model::comparison::Better::More;
    let judgement = match interval {
        None => Judgement::NotKnown,
        Some([low, high]) if low <= 0.0 && high >= 0.0 => Judgement::NoClearEffect,
        Some([low, _]) if (low > 0.0) == is_more_better => Judgement::Better,
        Some(_) => Judgement::Worse,
    };
    Effect {
        metric,
        name: known.name.to_owned(),
        unit: known.unit.to_owned(),
        better: known.better,
        scale: Scale::Ratio,
        base: Some(1.0),
        arm: Some(1.0 + change / 100.0),
        change_percent: Some(change),
        interval_percent: interval,
        difference: None,
        interval: None,
        blocks: 10,
        chance: Some(0.002),
        smallest_visible: Some(2.31),
        judgement,
        by_block: vec![change; 10],
        reason: interval.is_none().then(|| "no interval: it takes two blocks".to_owned()),
    }
}

fn unknown(metric: MetricId) -> Effect {
    Effect {
        base: None,
        arm: None,
        change_percent: None,
        reason: Some("no trial counts".to_owned()),
        ..effect(metric, 0.0, None)
    }
}

/// The summary of one treatment with a placebo.
fn summarised(treatment: Vec<Effect>, placebo: Vec<Effect>) -> String {
    let arms = |effects: [(usize, &str, Vec<Effect>); 2]| -> Vec<ArmEffects> {
        effects.map(|(arm, name, effects)| ArmEffects { arm, name: name.to_owned(), effects }).into()
    };
    let design = fixture::helps().design;
    let count = BlockCount { planned: 10, begun: 10, whole: 10, void: 0 };
    let effects = arms([(1, "tso=on", treatment), (2, "placebo", placebo)]);
    let lines = text::summary("tso", &design, &effects, count);
    assert_eq!(lines.len(), 1);
    lines[0].clone()
}

#[test]
fn every_kind_of_result_has_its_sentence() {
    use MetricId::{CpuNsPerByte as Cpu, ThroughputGbps as Rate};
    let quiet = || vec![effect(Rate, 0.4, Some([-1.1, 1.9])), effect(Cpu, 0.1, Some([-2.0, 2.0]))];
    let cases = [
        (
            vec![effect(Rate, 87.2, Some([80.3, 94.9])), effect(Cpu, -61.4, Some([-66.1, -57.2]))],
            quiet(),
            "TSO: +87 % throughput [80, 95], −61 % CPU per byte [−66, −57], 10 blocks, placebo +0.4 % [−1.1, 1.9]",
        ),
        (
            vec![effect(Rate, 0.3, Some([-1.1, 1.9]))],
            quiet(),
            "TSO: no effect on throughput larger than 1.9 % [−1.1, 1.9], 10 blocks, placebo +0.4 % [−1.1, 1.9]",
        ),
        (
            vec![effect(Rate, -12.1, Some([-15.2, -9.3])), effect(Cpu, -5.2, Some([-8.3, -2.1]))],
            quiet(),
            "worse with TSO: −12 % throughput [−15, −9], better: −5 % CPU per byte [−8, −2], 10 blocks, placebo +0.4 % [−1.1, 1.9]",
        ),
        (
            vec![effect(Rate, 20.0, Some([17.0, 23.0])), effect(Cpu, 12.0, Some([9.0, 15.0]))],
            quiet(),
            "TSO: +20 % throughput [17, 23], worse: +12 % CPU per byte [9, 15], 10 blocks, placebo +0.4 % [−1.1, 1.9]",
        ),
        (vec![unknown(Rate), unknown(Cpu)], vec![], "TSO: not known: no trial counts, 10 blocks"),
        (vec![], vec![], "TSO: not known: nothing was measured, 10 blocks"),
        (
            vec![effect(Rate, 86.7, None)],
            vec![effect(Rate, -1.5, None)],
            "TSO: +86.7 % throughput (no interval), 10 blocks, placebo −1.5 % (no interval)",
        ),
        (
            vec![effect(Rate, 20.0, Some([17.0, 23.0])), unknown(Cpu)],
            quiet(),
            "TSO: +20 % throughput [17, 23], CPU per byte not known: no trial counts, 10 blocks, placebo +0.4 % [−1.1, 1.9]",
        ),
        (
            vec![effect(Rate, 20.0, Some([17.0, 23.0]))],
            vec![effect(Rate, 4.0, Some([1.2, 6.9])), effect(Cpu, -3.0, Some([-5.5, -0.5]))],
            "TSO: +20 % throughput [17, 23], 10 blocks, placebo +4 % [1, 7] and −3 % CPU per byte [−6, −0.5], which leaves out 0: do not trust \
             differences of that size (a placebo shows one by chance in 1 of 20 experiments)",
        ),
    ];
    for (treatment, placebo, said) in cases {
        assert_eq!(summarised(treatment, placebo), said);
    }
}

#[test]
fn the_headline_says_what_is_clear_and_what_is_not() {
    use MetricId::{CpuNsPerByte as Cpu, ThroughputGbps as Rate};
    let headline = |told: Vec<Effect>| {
        let mut report = fixture::helps();
        report.effects[0].effects = told;
        headline(&report)
    };
    let up = || effect(Rate, 20.0, Some([17.0, 23.0]));
    let level = || effect(Rate, 0.3, Some([-1.1, 1.9]));
    let cheaper = || effect(Cpu, -39.0, Some([-42.0, -36.0]));
    let dearer = effect(Cpu, 12.0, Some([9.0, 15.0]));
    for (told, said) in [
        (vec![up(), cheaper()], "TSO causes +20 % throughput on ens4"),
        (vec![up(), dearer], "TSO causes +20 % throughput on ens4, and +12 % CPU per byte"),
        (
            vec![level(), cheaper()],
            "TSO causes −39 % CPU per byte on ens4, and no clear effect on throughput",
        ),
        (vec![level()], "TSO has no clear effect on throughput on ens4"),
        (vec![unknown(Rate), cheaper()], "TSO causes −39 % CPU per byte on ens4"),
        (vec![unknown(Rate)], "what TSO causes on ens4 is not known"),
        (vec![], "what TSO causes on ens4 is not known"),
    ] {
        assert_eq!(headline(told), said);
    }
    assert_eq!(results::headline(&fixture::identical()), "identical arms on ens4 differ by −1 % throughput");
    assert_eq!(
        results::headline(&fixture::large()),
        "throughput on ens4 against tso=off: TSO +88.7 %, gso_max_segs=32 +59.9 %, gso_max_segs=16 +39.4 %"
    );
}

#[test]
fn identical_arms_are_told_by_their_noise() {
    let report = fixture::identical();
    assert_eq!(
        report.summary,
        [
            "noise between identical arms: −1 % throughput [−4, 2] (an effect would be seen from 4.52 % on), +2.7 % CPU per byte [0.4, 5.1] (an \
             effect would be seen from 3.20 % on), 6 blocks; an interval leaves out 0, and nothing differs: by chance in 1 of 20 experiments, \
             or something is at fault"
        ]
    );
    let mut quiet = report.clone();
    quiet.effects[0].effects.retain(|effect| effect.metric == MetricId::ThroughputGbps);
    assert_eq!(
        text::summary("none", &quiet.design, &quiet.effects, quiet.blocks),
        [
            "noise between identical arms: −1 % throughput [−4, 2] (an effect would be seen from 4.52 % on), 6 blocks"
        ]
    );
    let said = text::answer(&report, &[], &WIDE);
    assert!(said.starts_with("NOISE  noise between identical arms"), "{said}");
    assert!(!said.contains("RESULT") && !said.contains("PREDICT"), "{said}");
}

#[test]
fn another_feature_and_several_treatments_go_by_the_names_of_their_arms() {
    let report = fixture::large();
    let said: Vec<&str> = report.summary.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(said, ["TSO", "gso_max_segs=32", "gso_max_segs=16"]);
    let lines = text::summary("gso_max_segs", &report.design, &report.effects, report.blocks);
    assert!(lines[0].starts_with("tso=on: "), "{lines:?}");
    let said = text::answer(&report, &[], &WIDE);
    assert_eq!(said.lines().filter(|line| line.starts_with("BETTER  ")).count(), 3, "{said}");
}

#[test]
fn the_answer_comes_first_and_then_what_it_rests_on() {
    let said = text::answer(&fixture::helps(), &[PathBuf::from("reports/now-ens4/ab.html")], &WIDE);
    let mut rest = said.as_str();
    for part in [
        "BETTER  TSO: +87 % throughput [84, 91], −60.7 % CPU per byte [−61.6, −59.8], 10 blocks, placebo −0.6 % [−1.8, 0.6]\n",
        "RESULT   tso=on against tso=off\n",
        "  throughput: 4.96 → 9.28 Gbit/s, +87 % [84, 91]; better; p = 0.002; seen from ",
        "round trip under load: 404 → 404 µs, ",
        "no effect larger than 2.0 %",
        "PLACEBO  placebo against tso=off\n",
        "throughput: −0.6 % [−1.8, 0.6]; holds 0, as it should\n",
        "VALID    10 whole blocks of 11 that were begun, 1 void; 10 planned\n",
        "tso=off: 21 of 22 trials count; by the ledger 22 software: 0 B whole to the device, 130 GB segmented in software",
        "tso=on: 22 of 22 trials count; by the ledger 22 engaged: 256 GB whole to the device",
        "trial 20, block 4, tso=off does not count: 20.0 % of CPU time taken by the hypervisor, and 5.0 % is the limit\n",
        "PREDICT  throughput: +55 % [48, 63] by segmentation alone, +87 % [84, 91] measured: more than segmentation alone\n",
        "CPU per byte: −58 % [−61, −55] by segmentation alone, −60.7 % [−61.6, −59.8] measured: the intervals meet\n",
        "SET      tso=off: ethtool -K ens4 tx-tcp-segmentation off\n",
        "AFTER    with tso=off followed on ens4: tx-tcp-ecn-segmentation on → off\n",
        "every feature, limit and queue is as it was before\n",
        "NOTE     ",
        "AGAIN    vmnet ab ens4 --seed 20261122 --blocks 10 -- iperf3 -c 10.10.1.10 -t 10 -P 32\n",
        "         reports/now-ens4/ab.html\n",
    ] {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} in\n{said}"));
        rest = &rest[at + part.len()..];
    }
    assert!(!said.contains("ENDED") && !said.contains("WHY"), "{said}");
}

#[test]
fn what_ended_early_or_never_began_says_so_and_what_is_left_behind() {
    let said = text::answer(&fixture::interrupted(), &[], &WIDE);
    for part in [
        "ENDED    interrupted after 2 whole blocks of 6\n",
        "2 whole blocks of 3 that were begun; 6 planned",
        "not as it was before: tx-tcp-segmentation was on, is off\n",
        "`vmnet restore` puts back what /var/lib/vmnet/journal/7.json says\n",
    ] {
        assert!(said.contains(part), "{part:?} in\n{said}");
    }
    let said = text::answer(&fixture::not_taken(), &[], &WIDE);
    assert!(
        said.starts_with(
            "NOT KNOWN  nothing can be said: tx-tcp-segmentation was switched on, and the kernel left it off\n\
             ENDED    ended because the treatment did not take, after 0 whole blocks of 6\n"
        ),
        "{said}"
    );
    for part in ["WHY      host-no-csum: ", "FIX      host-no-csum, on the host:\n", "tso=on: no trial\n"] {
        assert!(said.contains(part), "{part:?} in\n{said}");
    }
}

#[test]
fn a_placebo_that_differs_is_told_where_it_stands() {
    let mut arms = tso_arms();
    arms[2].1.gbps *= 1.3;
    let report = conclude(experiment("tso", &arms, 6, 6));
    let said = text::answer(&report, &[], &WIDE);
    let first = said.lines().next().unwrap();
    assert!(first.contains("which leaves out 0: do not trust differences of that size"), "{first}");
    assert!(said.contains("; differs, with nothing to differ by\n"), "{said}");
}

#[test]
fn plain_words_are_ascii_and_keep_to_the_width() {
    let style = Style { width: 60, ..Style::PLAIN };
    for (name, mut report) in fixtures() {
        for lines in [&mut report.settings.commands, &mut vec![report.repeat.command.clone()]] {
            // What is to be copied is not wrapped.
            lines.iter_mut().for_each(Vec::clear);
        }
        report.repeat.command.clear();
        report.causes.clear();
        let said = text::answer(&report, &[], &style) + &plan_of(&report, &style);
        let others = said.chars().filter(|letter| !letter.is_ascii() && *letter != 'µ');
        assert_eq!(others.collect::<String>(), "", "{name}: {said}");
        assert!(said.lines().all(|line| line.chars().count() <= 60), "{name}: {said}");
    }
}

#[test]
fn colour_is_only_on_the_words_that_lead() {
    let style = Style { colour: true, ..WIDE };
    let said = text::answer(&fixture::harms(), &[], &style);
    assert!(said.starts_with("\x1b[1;31mWORSE\x1b[0m  worse with TSO: −"), "{said}");
    assert!(said.contains("\x1b[1mRESULT   \x1b[0mtso=on"), "{said}");
}

pub(super) fn plan_of(report: &AbReport, style: &Style) -> String {
    let AbReport { design, guards, settings, warm_up_rule, .. } = report;
    text::plan(&report.interface.name, design, guards, &settings.commands, warm_up_rule, Some(12.4), style)
}

#[test]
fn the_plan_says_all_that_is_fixed_before_the_first_trial() {
    let said = plan_of(&fixture::helps(), &WIDE);
    for part in [
        "PLAN  ens4: 10 blocks of 6 trials, 60 in all, about 12 min 24 s\n",
        "ARMS     tso=off: what the others are held against\n",
        "placebo: tso=off once more under another name",
        "tso=on: ethtool -K ens4 tx-tcp-segmentation on\n",
        "ORDER    first block: tso=on, tso=off, placebo, placebo, tso=off, tso=on\n",
        "seed 20261122\n",
        "LEFT OUT the first 2 s of each trial",
        "CPU time was taken by the hypervisor, more than 5.0 %",
        "another is begun, 15 blocks at most\n",
        "SEES     in four experiments of five, effects of at least ",
    ] {
        assert!(said.contains(part), "{part:?} in\n{said}");
    }
    let Design { arms, .. } = fixture::helps().design;
    let one = Design { arms, blocks: 1, most_blocks: 2, seed: 1 };
    let guards = crate::model::experiment::Guards::default();
    let said = text::plan("ens4", &one, &guards, &[], "nothing", None, &WIDE);
    assert!(
        said.contains("1 block of 6 trials, 6 in all; how long a trial takes is known after the first"),
        "{said}"
    );
    assert!(
        said.contains("so few blocks have no interval") && said.contains("tso=on: as it was found"),
        "{said}"
    );
}

#[test]
fn a_trial_is_one_line_and_one_that_does_not_count_says_why() {
    let report = fixture::helps();
    let line = |trial| text::trial_line(trial, &report.design, Some(190.0), &WIDE);
    assert_eq!(
        line(&report.trials[0]),
        "block 1 of 10   tso=on    9.69 Gbit/s  engaged       0.531 ns/byte  3 min 10 s left\n"
    );
    let rejected = line(&report.trials[19]);
    assert!(
        rejected.ends_with(
            "\n  does not count: 20.0 % of CPU time taken by the hypervisor, and 5.0 % is the limit\n"
        ),
        "{rejected}"
    );
    let mut failed = report.trials[60].clone();
    failed.figures.clear();
    failed.rejections =
        vec![Rejection { guard: Guard::Benchmark, detail: "iperf3 ended with exit code 1".to_owned() }];
    let said = text::trial_line(&failed, &report.design, None, &WIDE);
    // It makes up for one that was void, so it is none of ten.
    assert!(said.starts_with("block 11        "), "{said}");
    assert!(said.contains("  –  ") && !said.contains("left"), "{said}");
}

#[test]
fn after_each_block_it_says_how_it_stands() {
    let report = fixture::helps();
    assert_eq!(
        text::so_far(&report.effects, 3, 6, &WIDE),
        "  so far, 3 of 6 blocks: tso=on +87 % throughput [84, 91]; placebo −0.6 % throughput [−1.8, 0.6]\n"
    );
    assert_eq!(text::so_far(&[], 0, 6, &WIDE), "  so far, 0 of 6 blocks: nothing to be said yet\n");
}

#[test]
fn an_arm_without_programs_says_that_nothing_is_known_of_its_packets() {
    let off = vec![crate::model::experiment::Setting::Profiler { on: false }];
    let arms = [
        (arm("profiler=on", Role::Base, Vec::new()), fixture::ON),
        (arm("profiler=off", Role::Treatment, off), fixture::ON),
    ];
    let mut report = conclude(experiment("profiler", &arms, 4, 4));
    for trial in report.trials.iter_mut().filter(|trial| trial.arm == 1) {
        (trial.hardware_bytes, trial.software_bytes, trial.payload_bytes) = (None, None, None);
    }
    let said = text::answer(&report, &[], &WIDE);
    assert!(
        said.contains("profiler=off: 8 of 8 trials count; without programs nothing is known of the packets"),
        "{said}"
    );
    assert!(!said.contains("PREDICT") && !said.contains("PLACEBO"), "{said}");
    written(&report);
}
