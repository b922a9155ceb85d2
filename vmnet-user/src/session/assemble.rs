//! From samples to the report.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::Zoned;
use vmnet_common::{Counters, bucket_lower, bucket_upper};

use super::{Measured, Plan, around::Around, child, sampler::Sampler};
use crate::{
    model::{
        audit::Audit,
        chain,
        correlation::Correlations,
        cost::Cost,
        features::FeatureSet,
        ledger::{Other, Protocol},
        reasons,
        sample::{HookState, Window},
        verdict::Verdict,
    },
    probes::{
        HookOutcome, RunTime,
        events::{RareEvent, What},
        table::Program,
    },
    report::{
        absences,
        schema::{
            Benchmark, Bucket, EventReport, HookReport, Iperf3, LedgerReport, Overhead, Probes, RunReport,
            SCHEMA, Sizes, ThroughputReport, WindowInfo,
        },
    },
};

/// Of what a command printed this much goes into the report.
const MOST_STDOUT: usize = 64 << 10;
/// Rare events told one by one; beyond that they are only counted.
const MOST_EVENTS: usize = 200;

pub(super) fn report(
    plan: &Plan,
    sampler: &mut Sampler,
    measured: &Measured,
    window: &Window<'_>,
    around: &Around,
    start: &Zoned,
    notes: Vec<String>,
) -> Result<RunReport> {
    let delta = window.delta().context("a run of fewer than two samples")?;
    let counted = delta.traced.as_deref();
    let tcp = counted.map(Protocol::tcp);
    let audit = Audit::of(window);
    let verdict = Verdict::of(&sampler.link.name, window, tcp.as_ref().map(|tcp| &tcp.total), audit.as_ref());
    let mut report = RunReport {
        schema: SCHEMA.to_owned(),
        interface: sampler.interface(plan.netns.as_deref()),
        window: WindowInfo {
            start: start.timestamp().to_string(),
            duration_s: window.duration_ns() as f64 / 1e9,
            ended_by: measured.ended_by.name().to_owned(),
        },
        verdict,
        ledger: LedgerReport { tcp, udp: counted.map(Protocol::udp), other: counted.map(Other::of) },
        sizes: counted.map(sizes),
        throughput: ThroughputReport {
            wire_gbps: mean(measured, |interval| interval.wire_gbps),
            goodput_gbps: mean(measured, |interval| interval.goodput_gbps),
            correlation: Correlations::of(&measured.intervals),
            samples: measured.intervals.clone(),
        },
        cost: Cost::of(window),
        reasons: counted.filter(|_| asks_why(window)).map(reasons::tcp),
        chain: None,
        causes: None,
        prediction: None,
        audit,
        probes: probes(sampler, notes),
        overhead: overhead(measured, delta.cpus.len()),
        benchmark: benchmark(plan, measured),
        events: events(sampler, window),
        machine: around.at_the_end().cloned(),
        unmeasured: unmeasured(plan, sampler, measured),
    };
    report.chain =
        report.machine.as_ref().map(|machine| chain::links_of_run(machine, report.ledger.tcp.as_ref()));
    report.causes = around.causes(window, &report);
    if let Some(reason) = around.unread.as_ref().filter(|_| report.causes.is_none()) {
        report.unmeasured.insert("causes".to_owned(), reason.clone());
    }
    absences::explain(&mut report);
    Ok(report)
}

/// Whether it was asked why super-packets are cut up.
fn asks_why(window: &Window<'_>) -> bool {
    window.conditions.hooks.skb_gso_segment == HookState::Attached
}

/// What only the run itself knows the reason of; the rest follows from the report.
fn unmeasured(plan: &Plan, sampler: &Sampler, measured: &Measured) -> BTreeMap<String, String> {
    let mut reasons = BTreeMap::new();
    if plan.command.is_empty() {
        reasons.insert("benchmark".to_owned(), "no COMMAND was given".to_owned());
    }
    if let Some(Err(error)) = &measured.child {
        for part in ["exit_code", "signal", "stdout", "iperf3"] {
            reasons.insert(format!("benchmark.{part}"), error.clone());
        }
    }
    for (part, reason) in &sampler.unreadable {
        reasons.insert(format!("({part})"), reason.clone());
    }
    reasons
}

/// Mean over time of a rate; None where an interval lacks it.
fn mean(
    measured: &Measured,
    rate: impl Fn(&crate::model::throughput::Interval) -> Option<f64>,
) -> Option<f64> {
    let seconds: f64 = measured.intervals.iter().map(|interval| interval.duration_s).sum();
    let sum = measured
        .intervals
        .iter()
        .map(|interval| Some(rate(interval)? * interval.duration_s))
        .sum::<Option<f64>>()?;
    (seconds > 0.0).then(|| sum / seconds)
}

fn sizes(counted: &Counters) -> Sizes {
    Sizes {
        queued: buckets(&counted.queued_len),
        driver: buckets(&counted.driver_len),
        segs: buckets(&counted.queued_segs),
        gso_size: buckets(&counted.queued_gso_size),
    }
}

fn buckets(counts: &[u64]) -> Vec<Bucket> {
    let bucket = |(index, &count): (usize, &u64)| Bucket {
        lower: bucket_lower(index),
        upper: bucket_upper(index),
        count,
    };
    counts.iter().enumerate().filter(|(_, count)| **count != 0).map(bucket).collect()
}

fn probes(sampler: &Sampler, fell_because: Vec<String>) -> Probes {
    let Some(attached) = &sampler.attached else {
        return Probes { mode: sampler.mode(), fell_because, hooks: Vec::new() };
    };
    let times = attached.probes.run_times();
    let hooks = attached.hooks.iter().flat_map(|outcome| hook_reports(outcome, times.as_deref())).collect();
    Probes { mode: attached.mode, fell_because, hooks }
}

/// A hook, program by program; one line where none is attached.
fn hook_reports(outcome: &HookOutcome, times: Option<&[RunTime]>) -> Vec<HookReport> {
    let blank = HookReport {
        hook: outcome.spec.name.to_owned(),
        kind: "none".to_owned(),
        state: outcome.state,
        events: None,
        ns_per_event: None,
        reason: outcome.reason.clone(),
    };
    let Some(way) = outcome.way.filter(|_| outcome.state == HookState::Attached) else { return vec![blank] };
    let report = |program: &Program| {
        let time = times.and_then(|times| times.iter().find(|time| time.program == program.name));
        HookReport {
            kind: program.kind.name().to_owned(),
            events: time.map(|time| time.events),
            ns_per_event: time
                .filter(|time| time.events != 0)
                .map(|time| time.total.as_nanos() as f64 / time.events as f64),
            ..blank.clone()
        }
    };
    way.programs.iter().map(report).collect()
}

fn overhead(measured: &Measured, cpus: usize) -> Overhead {
    let all_ns = measured.overhead.wall_ns as f64 * cpus as f64;
    let share = |ns: u64| (all_ns > 0.0).then(|| ns as f64 / all_ns);
    Overhead {
        cpu_share: measured.overhead.programs_ns.and_then(share),
        user_cpu_share: measured.overhead.user_ns.and_then(share),
        rss_bytes: measured.overhead.rss_bytes,
    }
}

fn benchmark(plan: &Plan, measured: &Measured) -> Option<Benchmark> {
    let ended = measured.child.as_ref()?;
    let mut benchmark = Benchmark {
        command: plan.command.clone(),
        exit_code: None,
        signal: None,
        stdout: None,
        iperf3: None,
    };
    if let Ok(ended) = ended {
        benchmark.exit_code = ended.exit_code;
        benchmark.signal = ended.signal;
        let text = String::from_utf8_lossy(&ended.stdout);
        if child::prints_json_for_us(&plan.command) {
            benchmark.iperf3 = Iperf3::parse(&text);
        }
        if benchmark.iperf3.is_none() {
            benchmark.stdout = Some(text.chars().take(MOST_STDOUT / 4).collect());
        }
    }
    Some(benchmark)
}

fn events(sampler: &mut Sampler, window: &Window<'_>) -> Vec<EventReport> {
    let names = sampler.feature_set();
    let mut told = Vec::new();
    let mut last_features = None;
    let mut events = sampler.events.clone();
    events.sort_unstable_by_key(|event| event.time_ns);
    for event in &events {
        let Some(t_s) = sampler.seconds_of(event.time_ns) else { continue };
        let (kind, text) = match event.what {
            // Every CPU tells what it sees at its next packet: the first one counts.
            What::FeaturesChanged { was, is } => {
                if last_features.replace(is) == Some(is) {
                    continue;
                }
                ("features-changed", features_in_words(was, is, names.as_ref()))
            }
            What::SegmentationError { errno, len } => {
                let error = nix::errno::Errno::from_raw(i32::try_from(errno).unwrap_or_default());
                (
                    "segmentation-error",
                    format!("__skb_gso_segment failed with {error:?} for a packet of {len} bytes"),
                )
            }
            What::UnmatchedExit { function } => ("unmatched-exit", unmatched_in_words(function, event)),
        };
        told.push(EventReport { t_s, kind: kind.to_owned(), text });
    }
    if sampler.attached.is_none() {
        told.extend(changes_between_samples(window));
    }
    if told.len() > MOST_EVENTS {
        let more = told.len() - MOST_EVENTS;
        told.truncate(MOST_EVENTS);
        if let Some(last) = told.last() {
            let text = format!("{more} more events are not told one by one");
            told.push(EventReport { t_s: last.t_s, kind: "more".to_owned(), text });
        }
    }
    told
}

fn unmatched_in_words(function: u64, event: &RareEvent) -> String {
    let name = match function {
        1 => "__skb_gso_segment",
        2 => "skb_segment",
        _ => "net_dev_xmit",
    };
    format!("an exit of {name} without its entry, on CPU {}", event.cpu)
}

/// Without programs, a change is known only to the interval.
fn changes_between_samples(window: &Window<'_>) -> Vec<EventReport> {
    let change = |pair: &[crate::model::sample::Sample]| {
        let [before, after] = pair else { return None };
        (before.features != after.features).then(|| EventReport {
            t_s: after.at_ns as f64 / 1e9,
            kind: "features-changed".to_owned(),
            text: format!(
                "between {:.1} s and {:.1} s: tx-tcp-segmentation {}, tx-tcp6-segmentation {}",
                before.at_ns as f64 / 1e9,
                after.at_ns as f64 / 1e9,
                on_off(after.features.tso4),
                on_off(after.features.tso6),
            ),
        })
    };
    window.samples.windows(2).filter_map(change).collect()
}

fn on_off(state: Option<bool>) -> &'static str {
    match state {
        Some(true) => "on",
        Some(false) => "off",
        None => "unknown",
    }
}

/// Which features a change of `dev->features` switched.
fn features_in_words(was: u64, is: u64, names: Option<&FeatureSet>) -> String {
    let name = |bit: u32| {
        let known = names.and_then(|set| set.iter().find(|feature| feature.bit == bit));
        known.map_or_else(|| format!("bit {bit}"), |feature| feature.name.clone())
    };
    let list =
        |bits: u64| (0..64).filter(|bit| bits >> bit & 1 == 1).map(name).collect::<Vec<_>>().join(", ");
    let (on, off) = (is & !was, was & !is);
    let mut parts = Vec::new();
    if on != 0 {
        parts.push(format!("on: {}", list(on)));
    }
    if off != 0 {
        parts.push(format!("off: {}", list(off)));
    }
    parts.join("; ")
}
