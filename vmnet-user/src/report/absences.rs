//! The nulls that a report always has for the same reason: not because something could not be measured, but because
//! nobody asked, or because this version does not tell. Nulls of a run are explained where they arise.

use crate::model::sample::Mode;
use crate::report::schema::RunReport;

/// Adds the reason for every null that follows from the report itself. What is there already stays.
pub fn explain(report: &mut RunReport) {
    let mut reasons: Vec<(&str, &str)> = Vec::new();
    let mut absent = |is_absent: bool, path, reason| {
        if is_absent {
            reasons.push((path, reason));
        }
    };
    absent(report.interface.netns.name.is_none(), "interface.netns.name", "no --netns was given");
    absent(report.verdict.basis.is_none(), "verdict.basis", "nothing stands against the confidence");
    absent(report.reasons.is_none(), "reasons", "this version does not tell refused super-packets apart");
    absent(report.causes.is_none(), "causes", "this version does not look for causes");
    absent(report.prediction.is_none(), "prediction", "this version does not predict");
    match &report.benchmark {
        None => absent(true, "benchmark", "no command was given"),
        Some(benchmark) => {
            absent(benchmark.exit_code.is_none(), "benchmark.exit_code", "a signal ended the command");
            absent(benchmark.signal.is_none(), "benchmark.signal", "the command ended by itself");
            absent(benchmark.iperf3.is_none(), "benchmark.iperf3", "not the totals of iperf3 --json");
            if let Some(iperf3) = &benchmark.iperf3 {
                absent(benchmark.stdout.is_none(), "benchmark.stdout", "understood: see benchmark.iperf3");
                let untold = "iperf3 did not tell";
                absent(iperf3.received_bytes.is_none(), "benchmark.iperf3.received_bytes", untold);
                absent(iperf3.retransmits.is_none(), "benchmark.iperf3.retransmits", untold);
            }
        }
    }
    for hook in &report.probes.hooks {
        absent(hook.reason.is_none(), "probes.hooks[].reason", "the hook counts");
        absent(hook.events.is_none(), "probes.hooks[].events", "not asked for (--overhead)");
        absent(hook.ns_per_event.is_none(), "probes.hooks[].ns_per_event", "not asked for (--overhead)");
    }
    for (is_absent, path) in medians(report) {
        absent(is_absent, path, "there were no super-packets, or it is UDP, for which none is kept");
    }
    // Without programs these are nulls for another reason, which whoever fell back to that rung knows.
    if report.probes.mode != Mode::Counters {
        for interval in &report.throughput.samples {
            let idle = "nothing was sent in that interval";
            absent(interval.software_share.is_none(), "throughput.samples[].software_share", idle);
            absent(
                interval.segmentation_ns_per_byte.is_none(),
                "throughput.samples[].segmentation_ns_per_byte",
                idle,
            );
            absent(interval.mean_queued_bytes.is_none(), "throughput.samples[].mean_queued_bytes", idle);
            absent(interval.mean_driver_bytes.is_none(), "throughput.samples[].mean_driver_bytes", idle);
        }
    }
    for interval in &report.throughput.samples {
        let untold = "too few packets to tell by, or the qdisc does not tell";
        absent(interval.segments_per_packet.is_none(), "throughput.samples[].segments_per_packet", untold);
    }
    let constant = "it, or goodput, did not vary enough over the intervals";
    let correlation = &report.throughput.correlation;
    absent(correlation.software_share.is_none(), "throughput.correlation.software_share", constant);
    absent(
        correlation.segmentation_ns_per_byte.is_none(),
        "throughput.correlation.segmentation_ns_per_byte",
        constant,
    );
    if report.cost.segmentation_calls == Some(0) {
        let none = "the CPU segmented nothing for this device";
        absent(report.cost.ns_per_byte.is_none(), "cost.ns_per_byte", none);
        absent(report.cost.ns_per_byte_interval.is_none(), "cost.ns_per_byte_interval", none);
    } else if report.cost.ns_per_byte.is_some() {
        let few = "too few intervals with segmentation";
        absent(report.cost.ns_per_byte_interval.is_none(), "cost.ns_per_byte_interval", few);
    }
    if report.probes.mode != Mode::Counters {
        let not_hooked = "__skb_gso_segment is not hooked on this rung";
        absent(report.cost.segmentation_calls.is_none(), "cost.segmentation_calls", not_hooked);
        absent(report.cost.skb_segment_ns.is_none(), "cost.skb_segment_ns", "skb_segment is not hooked");
    }
    if report.cost.method == "sampling" {
        // Samples and time, but nothing to divide it by; or no samples at all.
        let (nothing, none) = ("the CPU segmented nothing for this device", "no CPU was sampled");
        let reason = if report.cost.segmentation_ns.is_some() { nothing } else { none };
        absent(report.cost.segmentation_ns.is_none(), "cost.segmentation_ns", none);
        absent(report.cost.cores.is_none(), "cost.cores", none);
        absent(report.cost.ns_per_byte.is_none(), "cost.ns_per_byte", reason);
        absent(report.cost.ns_per_byte_interval.is_none(), "cost.ns_per_byte_interval", reason);
    }
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
        absent(audit.missed.recursion_misses.is_none(), "audit.missed.recursion_misses", untold);
        absent(audit.missed.kprobe_misses.is_none(), "audit.missed.kprobe_misses", untold);
    }
    absent(report.overhead.cpu_share.is_none(), "overhead.cpu_share", "not asked for (--overhead)");
    for (path, reason) in reasons {
        report.unmeasured.entry(path.to_owned()).or_insert_with(|| reason.to_owned());
    }
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
    use crate::report::{fixture, json};

    #[test]
    fn a_whole_run_is_explained_to_the_last_null() {
        for mut report in [fixture::software(), fixture::engaged(), fixture::flipped(), fixture::idle()] {
            explain(&mut report);
            let value = json::to_value(&report).expect("finite numbers");
            assert_eq!(json::missing_reasons(&value, &report.unmeasured), Vec::<String>::new());
        }
    }

    #[test]
    fn a_null_that_only_the_run_can_explain_is_left_to_it() {
        let mut report = fixture::counters();
        explain(&mut report);
        let value = json::to_value(&report).expect("finite numbers");
        let missing = json::missing_reasons(&value, &report.unmeasured);
        assert!(missing.contains(&"throughput.samples[].software_share".to_owned()));
        assert!(missing.contains(&"ledger.tcp".to_owned()));
    }

    #[test]
    fn a_reason_that_is_known_better_stays() {
        let mut report = fixture::idle();
        report.unmeasured.insert("benchmark".to_owned(), "it never started".to_owned());
        explain(&mut report);
        assert_eq!(report.unmeasured.get("benchmark").map(String::as_str), Some("it never started"));
    }
}
