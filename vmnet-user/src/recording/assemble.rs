//! From all that is known of a run to its report: a function of values, the same for a run that has just ended and for one
//! that is read back.

use std::collections::BTreeMap;

use vmnet_common::{Counters, bucket_lower, bucket_upper};

use super::run::{CommandEnded, Run, Sight};
use super::words;
use crate::benchmark;
use crate::benchmark::Benchmark;
use crate::model::audit::Audit;
use crate::model::cause::{self, Cause, Elsewhere, Evidence, QueueUse, Traffic};
use crate::model::chain::{self, Answers};
use crate::model::correlation::Correlations;
use crate::model::cost::Cost;
use crate::model::delta::Delta;
use crate::model::ending::RunEnding;
use crate::model::fact::{Fact, Known as _, Why};
use crate::model::hook::{Hook, HookReport};
use crate::model::interface::Interface;
use crate::model::ledger::Other;
use crate::model::ledgers::Ledgers;
use crate::model::machine::{Machine, QueueCounters};
use crate::model::reasons::{self, Reason};
use crate::model::sample::{Counting, Mode, Window};
use crate::model::slow::{Reach, Slow};
use crate::model::throughput::{CpuShare, gbps, mean_of};
use crate::model::uso::UdpVerdict;
use crate::model::verdict::State;
use crate::model::verdict::Verdict;
use crate::report::kit::json::Explained as _;
use crate::report::run::schema::{
    Bucket, LedgerReport, Overhead, Probes, RunReport, SCHEMA, Sizes, ThroughputReport, WindowInfo,
};

/// The report of a run. None of fewer than two samples.
#[must_use]
pub fn report(run: &Run) -> Option<RunReport> {
    let sight = run.sight();
    let window = run.window(&sight);
    let delta = window.delta()?;
    let counted = delta.traced.as_deref();
    let ledgers = counted.map(|counted| Ledgers::of(&delta, counted));
    let tcp = ledgers.as_ref().map(|ledgers| ledgers.tcp.clone());
    let audit = Audit::of(&window);
    let interface = interface(run);
    let mut verdict =
        Verdict::of(&interface.name, &window, tcp.as_ref().map(|tcp| &tcp.total), audit.as_ref());
    verdict.udp = ledgers.as_ref().map(|ledgers| {
        let audit_holds = audit.as_ref().is_some_and(|audit| audit.ok);
        UdpVerdict::of(&interface.name, &ledgers.udp.total, verdict.confidence, audit_holds)
    });
    let intervals = run.timeline.intervals();
    let machine = machine(run);
    let chain = match &machine {
        Ok(machine) => Ok(chain::links_of_run(machine, tcp.as_ref())),
        Err(why) => Err(why.clone()),
    };
    let mut report = RunReport {
        schema: SCHEMA.to_owned(),
        interface,
        window: WindowInfo {
            start: run.start.time.clone(),
            duration_s: window.duration_ns() as f64 / 1e9,
            ended_by: run.end.as_ref().map_or(RunEnding::NotRecorded, |end| end.ended_by),
        },
        verdict,
        ledger: LedgerReport { tcp, udp: ledgers.map(|ledgers| ledgers.udp), other: counted.map(Other::of) },
        sizes: counted.map(|counted| sizes(counted, sight.conditions.counting)),
        throughput: ThroughputReport {
            wire_gbps: mean_of(intervals, |interval| &interval.wire_gbps),
            goodput_gbps: mean_of(intervals, |interval| &interval.goodput_gbps),
            correlation: Correlations::of(intervals),
            samples: intervals.to_vec(),
            received_bytes: received_bytes(run),
        },
        cost: Cost::of(&window),
        reasons: reasons(&window, counted),
        chain,
        causes: Err(UNREADABLE),
        slow: None,
        prediction: None,
        audit,
        probes: Probes {
            mode: run.start.conditions.mode,
            counting: sight.conditions.counting,
            exact_share: sight.exact_share,
            counting_reason: counting_reason(&sight),
            fell_because: run.start.fell_because.clone(),
            hooks: hooks(run, sight.conditions.counting),
        },
        overhead: overhead(run, sight.conditions.counting, delta.cpus.len()),
        benchmark: benchmark(run),
        events: words::events(run),
        machine,
        unmeasured: unmeasured(run),
    };
    let elsewhere = elsewhere(run, &delta, &report);
    report.causes = match &report.machine {
        Ok(machine) => Ok(causes(run, machine, &delta, &report, &elsewhere)),
        Err(why) => Err(why.clone()),
    };
    let tcp = report.ledger.tcp.as_ref().map(|tcp| &tcp.total);
    let reach = Reach { terminal: report.interface.terminal, thin: report.verdict.thin };
    report.slow = Some(Slow::of(report.verdict.state, reach, tcp, &report.cost, &elsewhere));
    if let (Ok(machine), Some(udp)) = (&report.machine, &mut report.verdict.udp) {
        if udp.state == State::NothingToOffload && cause::has_checksums_off(machine) {
            udp.summary.push_str(
                "; transmit checksumming is off, and before 6.11 the kernel then refuses them (EIO)",
            );
        }
        if udp.is_segmented() {
            udp.causes = cause::causes_of_udp(machine);
        }
    }
    report.explain();
    Some(report)
}

/// Why packets were counted this way.
fn counting_reason(sight: &Sight) -> String {
    let asked_for = match sight.conditions.counting {
        _ if sight.conditions.mode == Mode::Counters => "no programs counted",
        Counting::Light => "segments are counted in windows only, unless --exact is given",
        Counting::Exact => "--exact was given",
    };
    sight.reason.clone().unwrap_or_else(|| asked_for.to_owned())
}

/// As it was described at the beginning, with the qdisc of the end.
fn interface(run: &Run) -> Interface {
    let mut interface = run.start.interface.clone();
    if let Some(end) = &run.end {
        interface.qdisc.clone_from(&end.qdisc);
    }
    interface
}

/// Why super-packets were segmented.
fn reasons(window: &Window<'_>, counted: Option<&Counters>) -> Fact<Vec<Reason>> {
    let asks_why = window.conditions.hooks.counts(Hook::SkbGsoSegment);
    match counted {
        Some(counted) if asks_why => Ok(reasons::tcp(counted)),
        _ if window.conditions.mode == Mode::Counters => Err(Why::NoPrograms),
        _ => Err(Why::is("__skb_gso_segment is not hooked")),
    }
}

const UNREADABLE: Why = Why::is("the machine around the interface could not be read");

/// The machine at the end, or else at the beginning.
fn machine(run: &Run) -> Fact<Machine> {
    let unread = || {
        let at_the_end = run.end.as_ref().and_then(|end| end.machine.unread.as_ref());
        at_the_end.or(run.start.machine.unread.as_ref()).map_or(UNREADABLE, |why| Why::from(why.clone()))
    };
    run.machine().cloned().ok_or_else(unread)
}

/// The hooks, with the reason for what the kernel did not count of them.
fn hooks(run: &Run, counting: Counting) -> Vec<HookReport> {
    const NEVER_RAN: Why = Why::is("the hook is not attached, or never ran");
    let mut hooks = run.end.as_ref().map_or(&run.start.hooks, |end| &end.hooks).clone();
    let keeps_events = hooks.iter().any(|hook| hook.events.is_ok());
    let keeps_times = hooks.iter().any(|hook| hook.ns_per_event.is_ok());
    let (no_events, no_times) = match (keeps_events, keeps_times) {
        (true, _) => (NEVER_RAN, NEVER_RAN),
        (false, true) => (
            Why::is(
                "the kernel kept run times in the first window alone (--overhead keeps them all the time)",
            ),
            Why::is("the hook is not attached, or did not run in the first window"),
        ),
        (false, false) => (NOT_ASKED, no_run_times(counting)),
    };
    for hook in &mut hooks {
        let no_empty = match &hook.ns_per_event {
            Ok(_) => Why::is("no empty program ran beside it (--overhead)"),
            Err(_) => no_times.clone(),
        };
        because(&mut hook.events, &no_events);
        because(&mut hook.ns_per_event, &no_times);
        because(&mut hook.net_ns_per_event, &no_empty);
    }
    hooks
}

/// Gives what is not known its reason, which a recording does not keep.
fn because<T>(fact: &mut Fact<T>, why: &Why) {
    if let Err(reason) = fact {
        reason.clone_from(why);
    }
}

const NOT_ASKED: Why = Why::is("not asked for (--overhead)");

/// Why there is no time of any program.
const fn no_run_times(counting: Counting) -> Why {
    match counting {
        Counting::Exact => NOT_ASKED,
        Counting::Light => {
            Why::is("the kernel keeps no run times of programs here, or no packet passed in the first window")
        }
    }
}

/// Why the bytes went as they did.
fn causes(
    run: &Run,
    machine: &Machine,
    delta: &Delta,
    report: &RunReport,
    elsewhere: &Elsewhere,
) -> Vec<Cause> {
    let traffic = Traffic {
        state: report.verdict.state,
        tcp: report.ledger.tcp.as_ref(),
        reasons: report.reasons.as_deref().ok(),
        forwarded_and_segmented_bytes: delta
            .traced
            .as_deref()
            .map_or(0, reasons::forwarded_and_segmented_bytes),
        udp_payload_bytes: report.ledger.udp.as_ref().map_or(0, |udp| udp.total.payload_bytes),
        esp_bytes: delta.traced.as_deref().map_or(0, |counted| counted.esp_bytes),
        mean_write_bytes: delta.traced.as_deref().and_then(mean_write_bytes),
        elsewhere,
    };
    let before = run.start.machine.machine.as_ref();
    cause::find(&Evidence { machine, before, traffic: Some(traffic), answers: Answers::NONE })
}

fn mean_write_bytes(counted: &Counters) -> Option<f64> {
    let written = counted.tcp_sendmsg;
    (written.calls > 0).then(|| written.bytes as f64 / written.calls as f64)
}

/// What came in by the interface meanwhile.
fn received_bytes(run: &Run) -> Option<u64> {
    run.end.as_ref()?.rx_bytes?.checked_sub(run.start.rx_bytes?)
}

/// What else could have been the limit.
fn elsewhere(run: &Run, delta: &Delta, report: &RunReport) -> Elsewhere {
    let end = run.end.as_ref();
    let machine = end.and_then(|end| end.machine.machine.as_ref());
    let speed = machine.filter(|machine| machine.device.has_a_link());
    let speed = speed.and_then(|machine| machine.device.speed_mbps.as_ref().ok());
    let payload_gbps = |cpu: usize| gbps(delta.work.get(cpu)?.tcp_payload_bytes, delta.duration_ns);
    // A CPU's place is its number; one that is offline was not busy.
    let cpus = delta.cpus.iter().enumerate().map(|(cpu, times)| CpuShare {
        tcp_gbps: payload_gbps(cpu),
        ..CpuShare::of(times).unwrap_or_default()
    });
    Elsewhere {
        queues: queues(run).unwrap_or_default(),
        cpus: cpus.collect(),
        senders: end.and_then(|end| end.senders.clone()),
        wire_gbps: report.throughput.wire_gbps.known(),
        link_gbps: speed.map(|mbps| f64::from(*mbps) / 1e3),
        shaped_gbps: machine.and_then(Machine::shaped_bytes_per_s).map(|bytes| bytes as f64 * 8.0 / 1e9),
        duration_s: delta.duration_ns as f64 / 1e9,
        payload_bytes: report.ledger.tcp.as_ref().map(|tcp| tcp.total.payload_bytes),
    }
}

/// Each queue's bytes between the two readings of the machine; None where either does not tell, or their number changed.
fn queues(run: &Run) -> Option<Vec<QueueUse>> {
    let statistics = |machine: &Option<Machine>| machine.as_ref()?.queues.statistics.clone().ok();
    let before = statistics(&run.start.machine.machine)?;
    let after = statistics(&run.end.as_ref()?.machine.machine)?;
    if before.len() != after.len() {
        return None;
    }
    let used = |(before, after): (&QueueCounters, &QueueCounters)| {
        Some(QueueUse { bytes: after.bytes?.saturating_sub(before.bytes?) })
    };
    before.iter().zip(&after).map(used).collect()
}

/// What concerns more than one field: a command that did not end, and what the run could not look at.
fn unmeasured(run: &Run) -> BTreeMap<String, String> {
    let mut reasons = BTreeMap::new();
    let end = run.end.as_ref();
    let failed = match (end, &run.torn) {
        (Some(end), _) => end.command.as_ref().and_then(|ended| ended.as_ref().err()),
        (None, torn) => torn.as_ref(),
    };
    if let Some(why) = failed.filter(|_| !run.start.command.is_empty()) {
        let understood = benchmark::READERS.iter().map(|reader| reader.field);
        for part in ["exit_code", "signal", "stdout"].into_iter().chain(understood) {
            reasons.insert(format!("benchmark.{part}"), why.clone());
        }
    }
    if run.start.private && !run.start.command.is_empty() {
        reasons.insert("benchmark.stdout".to_owned(), "left out: --private".to_owned());
    }
    if let Some(torn) = &run.torn {
        reasons.insert("(recording)".to_owned(), torn.clone());
    }
    for (part, reason) in &run.start.unreadable {
        reasons.insert(format!("({part})"), reason.clone());
    }
    reasons
}

fn sizes(counted: &Counters, counting: Counting) -> Sizes {
    let queued = buckets(&counted.queued_len);
    let driver = buckets(&counted.driver_len);
    let was_counted = counting == Counting::Exact || !driver.is_empty() || queued.is_empty();
    Sizes {
        queued,
        driver: was_counted.then_some(driver),
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

fn overhead(run: &Run, counting: Counting, cpus: usize) -> Overhead {
    let taken = run.end.as_ref().map(|end| end.overhead).unwrap_or_default();
    let all_ns = taken.wall_ns as f64 * cpus as f64;
    let share = |ns: u64| (all_ns > 0.0).then(|| ns as f64 / all_ns);
    let torn = run.torn.clone().map(Why::from);
    let no_share = match run.start.conditions.mode {
        Mode::Counters => Why::NoPrograms,
        _ => no_run_times(counting),
    };
    let no_share = torn.clone().unwrap_or(no_share);
    let untold = torn.unwrap_or(Why::KernelSilent);
    Overhead {
        cpu_share: taken.programs_ns.and_then(share).ok_or(no_share),
        cpu_share_method: taken.programs_method,
        user_cpu_share: taken.user_ns.and_then(share).ok_or_else(|| untold.clone()),
        rss_bytes: taken.rss_bytes.ok_or(untold),
    }
}

fn benchmark(run: &Run) -> Option<Benchmark> {
    if run.start.command.is_empty() {
        return None;
    }
    let ended = run.end.as_ref().and_then(|end| end.command.as_ref()?.as_ref().ok());
    let CommandEnded { exit_code, signal, stdout, iperf3, netperf, load } =
        ended.cloned().unwrap_or_default();
    Some(Benchmark { command: run.start.command.clone(), exit_code, signal, stdout, iperf3, netperf, load })
}
