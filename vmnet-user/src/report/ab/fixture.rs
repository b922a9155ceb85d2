//! Experiments made by hand, for the tests of everything that is drawn from them.

use std::collections::BTreeMap;

use super::schema::{AbReport, BlockCount, EndedBy, Repeat, SCHEMA, Settings, ThroughputFrom, WindowInfo};
use super::text::summary;
use super::validity::{Fate, blocks};
use crate::model::cause::{By, Cause, CauseId, Fix};
use crate::model::experiment::{
    Arm, ArmEffects, BusiestCpu, Design, Effect, Figures, Guard, Guards, Judgement, METHOD, METRICS, Metric,
    MetricId, Prediction, Rejection, Role, Scale, Setting, Trial,
};
use crate::model::fact::Why;
use crate::model::fix::Followed;
use crate::model::verdict::{Confidence, State};
use crate::report::run::fixture;

/// What is true of an arm in a fixture.
#[derive(Clone, Copy)]
pub(crate) struct Truth {
    pub(crate) gbps: f64,
    pub(crate) cpu_ns_per_byte: f64,
    pub(crate) state: State,
}

pub(crate) const OFF: Truth = Truth { gbps: 5.02, cpu_ns_per_byte: 1.33, state: State::Software };
pub(crate) const ON: Truth = Truth { gbps: 9.41, cpu_ns_per_byte: 0.52, state: State::Engaged };

pub(crate) fn arm(name: &str, role: Role, settings: Vec<Setting>) -> Arm {
    Arm { name: name.to_owned(), role, settings }
}

fn tso(on: bool) -> Vec<Setting> {
    vec![Setting::Feature { feature: "tx-tcp-segmentation".to_owned(), on }]
}

pub(crate) fn tso_arms() -> Vec<(Arm, Truth)> {
    vec![
        (arm("tso=off", Role::Base, tso(false)), OFF),
        (arm("tso=on", Role::Treatment, tso(true)), ON),
        (arm("placebo", Role::Placebo, tso(false)), OFF),
    ]
}

/// TSO off and on in ten blocks, and one more that was void: the hypervisor took time away.
pub(crate) fn helps() -> AbReport {
    let mut report = experiment("tso", &tso_arms(), 10, 11);
    reject(
        &mut report,
        20,
        Guard::Steal,
        "20.0 % of CPU time taken by the hypervisor, and 5.0 % is the limit",
    );
    report.prediction = Some(Prediction {
        from: "tso=off".to_owned(),
        about: "tso=on".to_owned(),
        throughput_percent: Some(55.0),
        throughput_interval_percent: Some([48.2, 62.7]),
        cpu_per_byte_percent: Some(-57.9),
        cpu_per_byte_interval_percent: Some([-61.0, -55.2]),
        busiest_cpu_share: Some(0.991),
        notes: vec![
            "the busiest CPU is the limit: 99.1 % busy under tso=off, 35 % of that inside segmentation"
                .to_owned(),
            "each packet less that the driver handles comes on top, so that the gain may be larger"
                .to_owned(),
        ],
    });
    conclude(report)
}

/// TSO on does nothing: something else is the limit.
pub(crate) fn no_effect() -> AbReport {
    let mut arms = tso_arms();
    arms[1].1 = Truth { gbps: 5.02, cpu_ns_per_byte: 1.33, state: State::Engaged };
    conclude(experiment("tso", &arms, 6, 6))
}

/// TSO on is slower, and costs more.
pub(crate) fn harms() -> AbReport {
    let mut arms = tso_arms();
    arms[1].1 = Truth { gbps: 4.4, cpu_ns_per_byte: 1.6, state: State::Engaged };
    conclude(experiment("tso", &arms, 6, 6))
}

/// Identical arms.
pub(crate) fn identical() -> AbReport {
    let arms = [(arm("base", Role::Base, Vec::new()), ON), (arm("placebo", Role::Placebo, Vec::new()), ON)];
    let mut report = conclude(experiment("none", &arms, 6, 6));
    for trial in &mut report.trials {
        trial.expected = None;
    }
    report
}

/// Nothing was measured, because the device did not take the treatment.
pub(crate) fn not_taken() -> AbReport {
    let mut report = experiment("tso", &tso_arms(), 6, 0);
    report.window.ended_by = EndedBy::TreatmentNotTaken;
    report.window.problem =
        Some("tx-tcp-segmentation was switched on, and the kernel left it off".to_owned());
    report.causes = vec![Cause {
        id: CauseId::HostNoCsum,
        share: Err(Why::is("no traffic was seen")),
        title: "the host never offered checksum offload, so the driver could not consider TSO".to_owned(),
        detail: "the negotiated virtio features lack CSUM (bit 0)".to_owned(),
        fix: Fix {
            by: By::Host,
            commands: vec!["QEMU: -device virtio-net-pci,csum=on".to_owned()],
            actions: Vec::new(),
        },
    }];
    report.effects.clear();
    report.sizes = vec![None, None, None];
    report.unmeasured.insert("sizes[]".to_owned(), "no trial was run".to_owned());
    conclude(report)
}

/// Nothing was measured, because the benchmark found nobody to talk to.
pub(crate) fn failed() -> AbReport {
    let mut report = not_taken();
    report.window.ended_by = EndedBy::BenchmarkFailed;
    report.window.problem = Some("iperf3 says: unable to connect to server: Connection refused".to_owned());
    report.causes.clear();
    conclude(report)
}

/// Ctrl-C in the third block.
pub(crate) fn interrupted() -> AbReport {
    let mut report = experiment("tso", &tso_arms(), 6, 3);
    report.trials.truncate(15);
    report.window.ended_by = EndedBy::Interrupt;
    report.settings.restored = Some(false);
    report.settings.not_as_before = vec!["tx-tcp-segmentation was on, is off".to_owned()];
    report.settings.journal = Some("/var/lib/vmnet/journal/7.json".to_owned());
    conclude(report)
}

/// As many blocks and arms as anybody may ask for.
pub(crate) fn large() -> AbReport {
    let mut arms = tso_arms();
    for (index, segs) in [16_u32, 32].into_iter().enumerate() {
        let truth = Truth { gbps: 7.0 + index as f64, cpu_ns_per_byte: 0.9, state: State::Engaged };
        let name = format!("gso_max_segs={segs}");
        arms.insert(2, (arm(&name, Role::Treatment, vec![Setting::GsoMaxSegs { segs }]), truth));
    }
    let mut report = experiment("tso", &arms, 40, 44);
    for number in [33, 77, 201, 300] {
        reject(
            &mut report,
            number,
            Guard::Retransmits,
            "9.1 % of the payload retransmitted, and 5.0 % is the limit",
        );
    }
    conclude(report)
}

/// One block: no interval.
pub(crate) fn single() -> AbReport {
    conclude(experiment("tso", &tso_arms(), 1, 1))
}

fn reject(report: &mut AbReport, number: u32, guard: Guard, detail: &str) {
    for trial in report.trials.iter_mut().filter(|trial| trial.number == number) {
        trial.rejections.push(Rejection { guard, detail: detail.to_owned() });
        trial.figures.entry(MetricId::ThroughputGbps).and_modify(|gbps| *gbps *= 0.7);
    }
}

/// `begun` blocks under those arms, before anything is made of them.
pub(crate) fn experiment(feature: &str, arms: &[(Arm, Truth)], blocks: u32, begun: u32) -> AbReport {
    let run = fixture::software();
    let (software, engaged) = (fixture::software().sizes, fixture::engaged().sizes);
    let design = Design {
        arms: arms.iter().map(|(arm, _)| arm.clone()).collect(),
        blocks,
        most_blocks: blocks + blocks.div_ceil(2),
        seed: 20_261_122,
    };
    let mut trials = Vec::new();
    for block in 0..begun {
        for turn in design.block(block) {
            let number = u32::try_from(trials.len()).expect("a few") + 1;
            trials.push(trial(number, turn.block, turn.place, turn.arm, &arms[turn.arm].1));
        }
    }
    let command = |arm: &Arm| {
        arm.settings
            .iter()
            .filter_map(|setting| match setting {
                Setting::Feature { feature, on } => {
                    Some(format!("ethtool -K ens4 {feature} {}", if *on { "on" } else { "off" }))
                }
                Setting::GsoMaxSegs { segs } => Some(format!("ip link set dev ens4 gso_max_segs {segs}")),
                _ => None,
            })
            .collect()
    };
    let words = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
    AbReport {
        schema: SCHEMA.to_owned(),
        interface: run.interface,
        window: WindowInfo {
            start: "2026-11-22T10:11:12Z".to_owned(),
            duration_s: 14.0 + 12.4 * trials.len() as f64,
            ended_by: EndedBy::Plan,
            problem: None,
        },
        summary: Vec::new(),
        feature: feature.to_owned(),
        guards: Guards::default(),
        warm_up_rule: "the first 2 s of each trial, and what is before the first second with payload"
            .to_owned(),
        throughput_from: ThroughputFrom::Benchmark,
        effects: Vec::new(),
        method: METHOD.to_owned(),
        prediction: None,
        blocks: BlockCount::default(),
        sizes: arms
            .iter()
            .map(|(_, truth)| if truth.state == State::Software { software.clone() } else { engaged.clone() })
            .collect(),
        settings: Settings {
            commands: design.arms.iter().map(command).collect(),
            followed: design
                .arms
                .iter()
                .map(|arm| {
                    let followed = Followed {
                        interface: "ens4".to_owned(),
                        what: "tx-tcp-ecn-segmentation".to_owned(),
                        before: "on".to_owned(),
                        after: "off".to_owned(),
                    };
                    if arm.name == "tso=off" { vec![followed] } else { Vec::new() }
                })
                .collect(),
            restored: Some(true),
            not_as_before: Vec::new(),
            journal: None,
        },
        causes: Vec::new(),
        repeat: Repeat {
            command: words("vmnet ab ens4 --seed 20261122 --blocks 10 -- iperf3 -c 10.10.1.10 -t 10 -P 32"),
            benchmark: words("iperf3 -c 10.10.1.10 -t 10 -P 32"),
            vmnet: "0.1.0".to_owned(),
            mode: "fentry".to_owned(),
            surroundings: [("qdisc", "mq"), ("congestion_control", "cubic"), ("cpus", "8")]
                .map(|(what, value)| (what.to_owned(), value.to_owned()))
                .into(),
        },
        notes: vec![
            "the intervals are each of 95 %: now and then one leaves out 0 where nothing differs".to_owned(),
        ],
        unmeasured: BTreeMap::new(),
        design,
        trials,
    }
}

fn trial(number: u32, block: u32, place: u32, arm: usize, truth: &Truth) -> Trial {
    // Scatter that is always the same, and a host that slows down steadily.
    let scatter = |k: f64| 1.0 + 0.03 * (f64::from(number) * k).sin() - 0.000_4 * f64::from(number);
    let gbps = truth.gbps * scatter(1.7);
    let payload = (gbps * 10.0 / 8.0 * 1e9) as u64;
    let is_hardware = truth.state == State::Engaged;
    Trial {
        number,
        block,
        place,
        arm,
        t_s: 12.4 * f64::from(number - 1),
        duration_s: 10.3,
        measured_s: 8.0,
        figures: Figures::from([
            (MetricId::ThroughputGbps, gbps),
            (MetricId::CpuNsPerByte, truth.cpu_ns_per_byte * scatter(2.3)),
            (MetricId::RttUs, 410.0 * scatter(0.9)),
            (MetricId::RetransmittedPpm, 12.0 * scatter(3.1)),
            (MetricId::SegmentationNsPerByte, if is_hardware { 0.0 } else { 0.71 * scatter(1.1) }),
            (MetricId::PacketToDriverBytes, if is_hardware { 43_214.0 } else { 1_514.0 } * scatter(0.1)),
        ]),
        state: truth.state,
        confidence: Confidence::Proven,
        expected: Some(truth.state),
        hardware_bytes: Some(if is_hardware { payload } else { 0 }),
        software_bytes: Some(if is_hardware { 0 } else { payload }),
        payload_bytes: Some(payload + 21_000_000),
        busiest_cpu: Some(BusiestCpu { busy: 0.991, segmenting: Some(if is_hardware { 0.0 } else { 0.35 }) }),
        rejections: Vec::new(),
        recording: Some(format!("trial-{number:03}.vmnet")),
    }
}

/// Counts, effects and summary, from the trials: near enough to what the analysis makes of them.
pub(crate) fn conclude(mut report: AbReport) -> AbReport {
    let found = blocks(&report);
    let of = |fate| found.iter().filter(|(_, _, found)| *found == fate).count();
    let begun = found.len();
    let (whole, void) = (of(Fate::Whole), of(Fate::Void));
    let count = |count: usize| u32::try_from(count).expect("a few");
    report.blocks = BlockCount {
        planned: report.design.blocks,
        begun: count(begun),
        whole: count(whole),
        void: count(void),
    };
    let effects = |arm: usize| -> Vec<Effect> {
        METRICS.iter().filter_map(|metric| effect(&report, metric, arm)).collect()
    };
    let arms = report.design.arms.iter().enumerate().skip(1).filter(|_| begun > 0);
    report.effects = arms
        .map(|(arm, known)| ArmEffects { arm, name: known.name.clone(), effects: effects(arm) })
        .collect();
    report.summary = summary(&report.feature, &report.design, &report.effects, report.blocks);
    if report.effects.is_empty() {
        report.summary.clear();
    }
    report
}

fn effect(report: &AbReport, metric: &Metric, arm: usize) -> Option<Effect> {
    let is_ratio = metric.scale == Scale::Ratio;
    let through = |value: f64| if is_ratio { value.ln() } else { value };
    let back = |value: f64| if is_ratio { (value.exp() - 1.0) * 100.0 } else { value };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let blocks = blocks(report);
    let means = |arm: usize| -> Vec<f64> {
        let whole = blocks.iter().filter(|(_, _, fate)| *fate == Fate::Whole);
        whole
            .filter_map(|(_, trials, _)| {
                let of_arm = trials.iter().filter(|trial| trial.arm == arm);
                let figures: Option<Vec<f64>> = of_arm
                    .map(|trial| trial.figures.get(&metric.id).map(|figure| through(*figure)))
                    .collect();
                figures.map(|figures| mean(&figures))
            })
            .collect()
    };
    let (base, treated) = (means(0), means(arm));
    if base.is_empty() {
        return None;
    }
    let by_block: Vec<f64> = treated.iter().zip(&base).map(|(treated, base)| treated - base).collect();
    let count = by_block.len();
    let centre = mean(&by_block);
    let half = (count > 1).then(|| {
        let variance =
            by_block.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (count - 1) as f64;
        2.3 * (variance / count as f64).sqrt()
    });
    let interval = half.map(|half| [back(centre - half), back(centre + half)]);
    let judgement = match interval {
        None => Judgement::NotKnown,
        Some([low, high]) if low <= 0.0 && high >= 0.0 => Judgement::NoClearEffect,
        Some([low, _]) if (low > 0.0) == (metric.better == crate::model::comparison::Better::More) => {
            Judgement::Better
        }
        Some(_) => Judgement::Worse,
    };
    let level = |values: &[f64]| if is_ratio { mean(values).exp() } else { mean(values) };
    Some(Effect {
        metric: metric.id,
        name: metric.name.to_owned(),
        unit: metric.unit.to_owned(),
        better: metric.better,
        scale: metric.scale,
        base: Some(level(&base)),
        arm: Some(level(&treated)),
        change_percent: is_ratio.then(|| back(centre)),
        interval_percent: interval.filter(|_| is_ratio),
        difference: (!is_ratio).then_some(centre),
        interval: interval.filter(|_| !is_ratio),
        blocks: u32::try_from(count).expect("a few"),
        chance: half.map(|_| if judgement == Judgement::NoClearEffect { 0.43 } else { 0.002 }),
        smallest_visible: half.map(|half| back(half * 1.4).abs()),
        judgement,
        by_block: by_block.into_iter().map(back).collect(),
        reason: half.is_none().then(|| "no interval: it takes two blocks".to_owned()),
    })
}
