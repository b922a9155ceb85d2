//! The nulls that a report always has for the same reason: not because something could not be measured, but because
//! nobody asked, or because this version does not tell. Nulls of a run are explained where they arise.

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
        absent(hook.ns_per_event.is_none(), "probes.hooks[].ns_per_event", "not asked for (--overhead)");
    }
    absent(report.overhead.cpu_share.is_none(), "overhead.cpu_share", "not asked for (--overhead)");
    for (path, reason) in reasons {
        report.unmeasured.entry(path.to_owned()).or_insert_with(|| reason.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{fixture, json};

    #[test]
    fn a_whole_run_is_explained_to_the_last_null() {
        let mut report = fixture::software();
        for path in [
            "throughput.correlation.software_share",
            "throughput.correlation.segmentation_ns_per_byte",
            "ledger.tcp.ipv6.median_gso_segs",
            "ledger.udp.median_gso_segs",
            "ledger.udp.ipv4.median_gso_segs",
            "ledger.udp.ipv6.median_gso_segs",
        ] {
            report.unmeasured.insert(path.to_owned(), "there was none".to_owned());
        }
        explain(&mut report);
        let value = json::to_value(&report).expect("finite numbers");
        assert_eq!(json::missing_reasons(&value, &report.unmeasured), Vec::<String>::new());
    }

    #[test]
    fn a_reason_that_is_known_better_stays() {
        let mut report = fixture::idle();
        report.unmeasured.insert("benchmark".to_owned(), "it never started".to_owned());
        explain(&mut report);
        assert_eq!(report.unmeasured.get("benchmark").map(String::as_str), Some("it never started"));
    }
}
