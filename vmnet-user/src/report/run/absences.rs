//! The reason for every null that a report can have: nobody asked, this version does not tell, or the rung does not know.
//! What only the run itself knows is explained where it arises, and stays.

use crate::benchmark;
use crate::benchmark::Benchmark;
use crate::model::cost::CostMethod;
use crate::model::sample::{Counting, Mode};
use crate::model::throughput::WIRE_UNMEASURED;
use crate::report::kit::json::Explained as _;
use crate::report::run::schema::RunReport;

/// Adds the reason for every null that follows from the report itself. What is there already stays.
pub fn explain(report: &mut RunReport) {
    let mut reasons: Vec<(&str, &str)> = Vec::new();
    let mut absent = |is_absent: bool, path, reason| {
        if is_absent {
            reasons.push((path, reason));
        }
    };
    let beside = if report.verdict.bound.is_some() {
        "nothing beyond what verdict.bound counts against it"
    } else {
        "nothing stands against the confidence"
    };
    absent(report.verdict.basis.is_none(), "verdict.basis", beside);
    let no_bound = match &report.audit {
        None => "there is no audit that could leave something open",
        Some(audit) if audit.ok => "nothing is unexplained",
        Some(_) => "what is unexplained has no bound: verdict.basis says what it is",
    };
    absent(report.verdict.bound.is_none(), "verdict.bound", no_bound);
    absent(report.verdict.udp.is_none(), "verdict.udp", NO_PROGRAMS);
    if let Some(udp) = &report.verdict.udp {
        let none = "UDP had no super-packets";
        absent(udp.hardware_share.is_none(), "verdict.udp.hardware_share", none);
        absent(udp.software_share.is_none(), "verdict.udp.software_share", none);
    }
    absent(
        report.reasons.is_none(),
        "reasons",
        if report.probes.mode == Mode::Counters { NO_PROGRAMS } else { "__skb_gso_segment is not hooked" },
    );
    absent(report.machine.is_none(), "machine", UNREADABLE);
    absent(report.chain.is_none(), "chain", UNREADABLE);
    absent(report.causes.is_none(), "causes", UNREADABLE);
    absent(report.prediction.is_none(), "prediction", "this version does not predict");
    match &report.benchmark {
        None => absent(true, "benchmark", "no command was given"),
        Some(benchmark) => {
            absent(benchmark.exit_code.is_none(), "benchmark.exit_code", "a signal ended the command");
            absent(benchmark.signal.is_none(), "benchmark.signal", "the command ended by itself");
        }
    }
    reasons.extend(report.benchmark.as_ref().map(of_what_it_said).unwrap_or_default());
    let mut absent = |is_absent: bool, path, reason| {
        if is_absent {
            reasons.push((path, reason));
        }
    };
    let no_run_times = if report.probes.counting == Counting::Exact {
        "not asked for (--overhead)"
    } else {
        "the kernel keeps no run times of programs here, or no packet passed in the first window"
    };
    let keeps_events = report.probes.hooks.iter().any(|hook| hook.events.is_some());
    let keeps_times = report.probes.hooks.iter().any(|hook| hook.ns_per_event.is_some());
    let (no_events, no_times) = match (keeps_events, keeps_times) {
        (true, _) => ("the hook is not attached, or never ran", "the hook is not attached, or never ran"),
        (false, true) => (
            "the kernel kept run times in the first window alone (--overhead keeps them all the time)",
            "the hook is not attached, or did not run in the first window",
        ),
        (false, false) => ("not asked for (--overhead)", no_run_times),
    };
    for hook in &report.probes.hooks {
        absent(hook.reason.is_none(), "probes.hooks[].reason", "the hook counts");
        absent(hook.events.is_none(), "probes.hooks[].events", no_events);
        absent(hook.ns_per_event.is_none(), "probes.hooks[].ns_per_event", no_times);
        let no_empty = if hook.ns_per_event.is_some() {
            "no empty program ran beside it (--overhead)"
        } else {
            no_times
        };
        absent(hook.net_ns_per_event.is_none(), "probes.hooks[].net_ns_per_event", no_empty);
        absent(
            hook.instructions.is_none(),
            "probes.hooks[].instructions",
            "the hook is not attached, or the kernel does not tell",
        );
    }
    for (is_absent, path) in medians(report) {
        absent(is_absent, path, "there were no super-packets, or it is UDP, for which none is kept");
    }
    let constant = "it, or goodput, did not vary enough over the intervals";
    let correlation = &report.throughput.correlation;
    absent(correlation.software_share.is_none(), "throughput.correlation.software_share", constant);
    absent(
        correlation.segmentation_ns_per_byte.is_none(),
        "throughput.correlation.segmentation_ns_per_byte",
        constant,
    );
    if let Some(audit) = &report.audit {
        let not_hooked = "segmentation is not hooked on this rung";
        absent(audit.missed.uncountable_calls.is_none(), "audit.missed.uncountable_calls", not_hooked);
        absent(audit.missed.unmatched_exits.is_none(), "audit.missed.unmatched_exits", not_hooked);
        for identity in &audit.identities {
            let note = "the identity's own note says why";
            absent(identity.left.is_none(), "audit.identities[].left", note);
            absent(identity.right.is_none(), "audit.identities[].right", note);
            absent(identity.residual.is_none(), "audit.identities[].residual", note);
            absent(identity.slack.is_none(), "audit.identities[].slack", note);
            absent(identity.ok.is_none(), "audit.identities[].ok", note);
        }
        let untold = "the kernel does not tell, or the hooks that could miss are not in use";
        let missed = &audit.missed;
        for (is_absent, path) in [
            (missed.stack_overflows.is_none(), "audit.missed.stack_overflows"),
            (missed.unmatched_exits.is_none(), "audit.missed.unmatched_exits"),
            (missed.unmatched_xmits.is_none(), "audit.missed.unmatched_xmits"),
            (missed.unreadable_packets.is_none(), "audit.missed.unreadable_packets"),
            (missed.uncountable_calls.is_none(), "audit.missed.uncountable_calls"),
            (missed.events_lost.is_none(), "audit.missed.events_lost"),
            (missed.recursion_misses.is_none(), "audit.missed.recursion_misses"),
            (missed.kprobe_misses.is_none(), "audit.missed.kprobe_misses"),
        ] {
            absent(is_absent, path, untold);
        }
    }
    absent(report.audit.is_none(), "audit", "no programs ran, and one source alone cannot be audited");
    let overhead = &report.overhead;
    absent(
        overhead.cpu_share.is_none(),
        "overhead.cpu_share",
        if report.probes.mode == Mode::Counters { NO_PROGRAMS } else { no_run_times },
    );
    absent(overhead.cpu_share_method.is_none(), "overhead.cpu_share_method", "the share is not known");
    absent(overhead.user_cpu_share.is_none(), "overhead.user_cpu_share", "the kernel did not tell");
    absent(overhead.rss_bytes.is_none(), "overhead.rss_bytes", "the kernel did not tell");
    for (is_absent, path) in [
        (report.ledger.tcp.is_none(), "ledger.tcp"),
        (report.ledger.udp.is_none(), "ledger.udp"),
        (report.ledger.other.is_none(), "ledger.other"),
        (report.sizes.is_none(), "sizes"),
    ] {
        absent(is_absent, path, NO_PROGRAMS);
    }
    let sizes = report.sizes.as_ref();
    absent(
        sizes.is_some_and(|sizes| sizes.driver.is_none()),
        "sizes.driver",
        "there was no window in which every segment was counted",
    );
    reasons.extend(of_throughput(report));
    reasons.extend(of_cpus_and_queues(report));
    reasons.extend(of_cost(report));
    for (path, reason) in reasons {
        report.unmeasured.entry(path.to_owned()).or_insert_with(|| reason.to_owned());
    }
    report.explain();
}

const UNREADABLE: &str = "the machine around the interface could not be read";
const RETRANSMITS_UNKNOWN: &str = "TCP's own count of what it retransmitted could not be had: the senders are no sockets of this interface's \
     addresses (forwarded, or sent through a device above), they are too many to be asked at every sample, or some closed while they were";
const NO_PROGRAMS: &str = "no programs ran, and the kernel's own counters do not tell";

/// Nulls of what a benchmark said of itself.
fn of_what_it_said(benchmark: &Benchmark) -> Vec<(&'static str, &'static str)> {
    let [iperf3, netperf, load] = benchmark::READERS.map(|reader| reader.absent);
    let mut nulls = vec![
        (benchmark.iperf3.is_none(), "benchmark.iperf3", iperf3),
        (benchmark.netperf.is_none(), "benchmark.netperf", netperf),
        (benchmark.load.is_none(), "benchmark.load", load),
    ];
    let in_place_of_stdout = |field| (benchmark.stdout.is_none(), "benchmark.stdout", field);
    if let Some(iperf3) = &benchmark.iperf3 {
        let untold = "iperf3 did not tell";
        nulls.extend([
            in_place_of_stdout("understood: see benchmark.iperf3"),
            (iperf3.received_bytes.is_none(), "benchmark.iperf3.received_bytes", untold),
            (
                iperf3.received_seconds.is_none(),
                "benchmark.iperf3.received_seconds",
                "iperf3 did not tell, or the recording is from before this was kept",
            ),
            (iperf3.retransmits.is_none(), "benchmark.iperf3.retransmits", untold),
        ]);
    }
    if let Some(netperf) = &benchmark.netperf {
        nulls.extend([
            (netperf.gbps.is_none(), "benchmark.netperf.gbps", "it counted transactions"),
            (
                netperf.transactions_per_s.is_none(),
                "benchmark.netperf.transactions_per_s",
                "it counted bits or bytes",
            ),
            (
                netperf.seconds.is_none(),
                "benchmark.netperf.seconds",
                "netperf was not asked to tell (ELAPSED_TIME)",
            ),
        ]);
    }
    if let Some(load) = &benchmark.load {
        let interrupted = "an interrupt did not wait for the server's word";
        let untold = "the kernel did not tell";
        nulls.extend([
            in_place_of_stdout("understood: see benchmark.load"),
            (load.received_bytes.is_none(), "benchmark.load.received_bytes", interrupted),
            (load.goodput_gbps.is_none(), "benchmark.load.goodput_gbps", interrupted),
            (load.retransmitted_segments.is_none(), "benchmark.load.retransmitted_segments", untold),
            (load.retransmitted_bytes.is_none(), "benchmark.load.retransmitted_bytes", untold),
        ]);
    }
    told(nulls)
}

/// Nulls over time.
fn of_throughput(report: &RunReport) -> Vec<(&'static str, &'static str)> {
    let throughput = &report.throughput;
    let counters = report.probes.mode == Mode::Counters;
    let counted = if counters { NO_PROGRAMS } else { "the programs' counts could not be read" };
    let wire = if counters { WIRE_UNMEASURED } else { counted };
    let idle = if counters { NO_PROGRAMS } else { "nothing was sent in that interval" };
    let retransmits = if counters { NO_PROGRAMS } else { RETRANSMITS_UNKNOWN };
    let timed = match report.probes.mode {
        Mode::Counters => NO_PROGRAMS,
        Mode::Tracepoint => {
            "stack samples alone time segmentation on this rung: there were too few, or nothing was sent"
        }
        Mode::Fentry | Mode::Kprobe => "segmentation was not hooked, or nothing was sent in that interval",
    };
    let mut nulls = vec![
        (throughput.wire_gbps.is_none(), "throughput.wire_gbps", wire),
        (
            throughput.received_bytes.is_none(),
            "throughput.received_bytes",
            "the interface could not be read at both ends of the run, or the recording is from before it was kept",
        ),
        (throughput.goodput_gbps.is_none(), "throughput.goodput_gbps", retransmits),
    ];
    const ROWS: [[&str; 3]; 2] = [
        [
            "ledger.tcp.retransmitted_bytes",
            "ledger.tcp.ipv4.retransmitted_bytes",
            "ledger.tcp.ipv6.retransmitted_bytes",
        ],
        [
            "ledger.udp.retransmitted_bytes",
            "ledger.udp.ipv4.retransmitted_bytes",
            "ledger.udp.ipv6.retransmitted_bytes",
        ],
    ];
    for (protocol, paths) in [&report.ledger.tcp, &report.ledger.udp].into_iter().zip(ROWS) {
        let Some(protocol) = protocol else { continue };
        for (row, path) in [&protocol.total, &protocol.ipv4, &protocol.ipv6].into_iter().zip(paths) {
            nulls.push((row.retransmitted_bytes.is_none(), path, retransmits));
        }
    }
    for sample in &throughput.samples {
        nulls.extend([
            (sample.wire_gbps.is_none(), "throughput.samples[].wire_gbps", wire),
            (sample.goodput_gbps.is_none(), "throughput.samples[].goodput_gbps", retransmits),
            (sample.hardware_gbps.is_none(), "throughput.samples[].hardware_gbps", counted),
            (sample.software_gbps.is_none(), "throughput.samples[].software_gbps", counted),
            (sample.unaggregated_gbps.is_none(), "throughput.samples[].unaggregated_gbps", counted),
            (sample.small_gbps.is_none(), "throughput.samples[].small_gbps", counted),
            (sample.retransmitted_bytes.is_none(), "throughput.samples[].retransmitted_bytes", retransmits),
            (sample.software_share.is_none(), "throughput.samples[].software_share", idle),
            (sample.mean_queued_bytes.is_none(), "throughput.samples[].mean_queued_bytes", idle),
            (sample.mean_driver_bytes.is_none(), "throughput.samples[].mean_driver_bytes", idle),
            (sample.segmentation_cpu.is_none(), "throughput.samples[].segmentation_cpu", timed),
            (
                sample.segmentation_ns_per_byte.is_none(),
                "throughput.samples[].segmentation_ns_per_byte",
                timed,
            ),
            (
                sample.segments_per_packet.is_none(),
                "throughput.samples[].segments_per_packet",
                "it takes packets, and a qdisc that counts their segments",
            ),
            (
                sample.rtt_us.is_none(),
                "throughput.samples[].rtt_us",
                "no TCP socket of the interface's addresses was sending when they were looked at (they are not at a run's end), \
                 the kernel did not tell, or the recording is from before this was kept",
            ),
        ]);
    }
    told(nulls)
}

/// Nulls by CPU and by queue, and of what was merged.
fn of_cpus_and_queues(report: &RunReport) -> Vec<(&'static str, &'static str)> {
    let programs = if report.probes.mode == Mode::Counters {
        NO_PROGRAMS
    } else {
        "the programs' counts by CPU could not be read"
    };
    let timed = if report.probes.mode == Mode::Counters {
        NO_PROGRAMS
    } else {
        "segmentation is not timed by CPU on this rung"
    };
    let mut nulls = Vec::new();
    for sample in &report.throughput.samples {
        for cpu in &sample.cpus {
            nulls.push((cpu.segmenting.is_none(), "throughput.samples[].cpus[].segmenting", timed));
            nulls.push((cpu.tcp_gbps.is_none(), "throughput.samples[].cpus[].tcp_gbps", programs));
        }
        for queue in &sample.queues {
            let untold = "the device does not count it by queue, or it was made anew";
            nulls.push((queue.gbps.is_none(), "throughput.samples[].queues[].gbps", untold));
            nulls.push((
                queue.packets_per_s.is_none(),
                "throughput.samples[].queues[].packets_per_s",
                untold,
            ));
        }
        let Some(merged) = &sample.merged else {
            nulls.push((true, "throughput.samples[].merged", "it is one interval"));
            continue;
        };
        let never = "in none of the merged intervals was it measured";
        nulls.extend([
            (merged.wire_gbps.is_none(), "throughput.samples[].merged.wire_gbps", never),
            (merged.goodput_gbps.is_none(), "throughput.samples[].merged.goodput_gbps", never),
            (merged.software_share.is_none(), "throughput.samples[].merged.software_share", never),
            (merged.segmentation_cpu.is_none(), "throughput.samples[].merged.segmentation_cpu", never),
            (merged.busiest_cpu.is_none(), "throughput.samples[].merged.busiest_cpu", never),
        ]);
    }
    told(nulls)
}

/// Nulls of the cost.
fn of_cost(report: &RunReport) -> Vec<(&'static str, &'static str)> {
    const NOTHING: &str = "the CPU segmented nothing for this device";
    let cost = &report.cost;
    let software_bytes = report
        .ledger
        .tcp
        .as_ref()
        .map_or(0, |tcp| tcp.total.software_bytes)
        .saturating_add(report.ledger.udp.as_ref().map_or(0, |udp| udp.total.software_bytes));
    let sampled = cost.method.is_sampled();
    let untimed = match report.probes.mode {
        Mode::Counters => NO_PROGRAMS,
        Mode::Fentry | Mode::Kprobe if cost.method == CostMethod::None && software_bytes != 0 => {
            "it was segmented above this device, where it is not timed"
        }
        _ if sampled => "there were too few stack samples",
        _ => "neither functions nor stack samples could time it",
    };
    let inner = if report.probes.mode == Mode::Counters { NO_PROGRAMS } else { "skb_segment is not hooked" };
    let calls =
        if report.probes.mode == Mode::Counters { NO_PROGRAMS } else { "__skb_gso_segment is not hooked" };
    let per_byte = if cost.segmentation_ns.is_none() {
        untimed
    } else if software_bytes == 0 || cost.segmentation_calls == Some(0) {
        NOTHING
    } else {
        "too few intervals, or stack samples, with segmentation"
    };
    told(vec![
        (cost.segmentation_calls.is_none(), "cost.segmentation_calls", calls),
        (cost.segmentation_ns.is_none(), "cost.segmentation_ns", untimed),
        (cost.own_ns.is_none(), "cost.own_ns", "calls of __skb_gso_segment are not timed"),
        (cost.skb_segment_ns.is_none(), "cost.skb_segment_ns", inner),
        (cost.cores.is_none(), "cost.cores", untimed),
        (cost.ns_per_byte.is_none(), "cost.ns_per_byte", per_byte),
        (cost.ns_per_byte_interval.is_none(), "cost.ns_per_byte_interval", per_byte),
    ])
}

fn told(nulls: Vec<(bool, &'static str, &'static str)>) -> Vec<(&'static str, &'static str)> {
    nulls.into_iter().filter(|(is_absent, ..)| *is_absent).map(|(_, path, reason)| (path, reason)).collect()
}

fn medians(report: &RunReport) -> Vec<(bool, &'static str)> {
    let mut medians = Vec::new();
    if let Some(tcp) = &report.ledger.tcp {
        medians.extend([
            (tcp.total.median_gso_segs.is_none(), "ledger.tcp.median_gso_segs"),
            (tcp.ipv4.median_gso_segs.is_none(), "ledger.tcp.ipv4.median_gso_segs"),
            (tcp.ipv6.median_gso_segs.is_none(), "ledger.tcp.ipv6.median_gso_segs"),
        ]);
    }
    if let Some(udp) = &report.ledger.udp {
        medians.extend([
            (udp.total.median_gso_segs.is_none(), "ledger.udp.median_gso_segs"),
            (udp.ipv4.median_gso_segs.is_none(), "ledger.udp.ipv4.median_gso_segs"),
            (udp.ipv6.median_gso_segs.is_none(), "ledger.udp.ipv6.median_gso_segs"),
        ]);
    }
    medians
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::CommandEnded;
    use crate::report::run::{fixture, json};

    #[test]
    fn a_whole_run_is_explained_to_the_last_null() {
        for mut report in [
            fixture::software(),
            fixture::engaged(),
            fixture::flipped(),
            fixture::idle(),
            fixture::counters(),
        ] {
            explain(&mut report);
            let value = json::to_value(&report).expect("finite numbers");
            assert_eq!(testbed::report::unexplained_nulls(&value), Vec::<String>::new());
        }
    }

    #[test]
    fn whatever_a_benchmark_says_is_as_described_and_explained_to_the_last_null() {
        for stdout in [
            include_str!("../../benchmark/testdata/iperf3-udp.json"),
            include_str!("../../benchmark/testdata/netperf-keyvalue-mbytes.txt"),
            include_str!("../../benchmark/testdata/netperf-table-rr.txt"),
            include_str!("../../benchmark/testdata/load-two-streams.json"),
            &include_str!("../../benchmark/testdata/load-two-streams.json")
                .replace("55.875575814714864", "null"),
            "hello",
        ] {
            let CommandEnded { exit_code, signal, stdout, iperf3, netperf, load } =
                CommandEnded::new(None, Some(2), stdout, 100);
            let command = vec!["sh".to_owned()];
            let mut report = fixture::software();
            report.benchmark = Some(Benchmark { command, exit_code, signal, stdout, iperf3, netperf, load });
            explain(&mut report);
            let value = json::to_value(&report).expect("finite numbers");
            assert_eq!(testbed::report::unexplained_nulls(&value), Vec::<String>::new());
            testbed::schema::validate(&value).expect("as described");
        }
    }

    #[test]
    fn reasons_are_missing_for_want_of_programs_or_of_a_hook() {
        let mut report = fixture::counters();
        explain(&mut report);
        assert_eq!(report.unmeasured["reasons"], NO_PROGRAMS);
        let mut report = fixture::software();
        report.reasons = None;
        explain(&mut report);
        assert_eq!(report.unmeasured["reasons"], "__skb_gso_segment is not hooked");
    }

    #[test]
    fn a_reason_that_is_known_better_stays() {
        let mut report = fixture::idle();
        report.unmeasured.insert("benchmark".to_owned(), "it never started".to_owned());
        explain(&mut report);
        assert_eq!(report.unmeasured.get("benchmark").map(String::as_str), Some("it never started"));
    }
}
