//! The report as JSON, schema `vmnet.run/1`: every null that means "not measured" has its reason in `unmeasured`.

use serde_json::Value;

use crate::report::kit::json::{Explained, JsonError};
use crate::report::run::schema::RunReport;

/// The report as a tree.
///
/// # Errors
/// A number that it cannot do without is not finite.
pub fn to_value(report: &RunReport) -> Result<Value, JsonError> {
    serde_json::to_value(report.explained()?).map_err(JsonError::Serialize)
}

/// As [`to_value`], for a file or standard output: indented, in the schema's order, with a newline at the end.
///
/// # Errors
/// A number that it cannot do without is not finite.
pub fn to_text(report: &RunReport) -> Result<String, JsonError> {
    Explained::to_text(report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::{Benchmark, Iperf3, Netperf};
    use crate::load::Summary;
    use crate::model::correlation::Correlation;
    use crate::model::fact::Why;
    use crate::recording::CommandEnded;
    use crate::report::run::fixture;
    use testbed::report::unexplained_nulls;

    /// CONTRACT, "--json": renaming or losing one of these breaks somebody's script.
    const PROMISED: &[(&str, &[&str])] = &[
        (
            "",
            &[
                "schema",
                "interface",
                "window",
                "verdict",
                "ledger",
                "sizes",
                "throughput",
                "cost",
                "reasons",
                "causes",
                "prediction",
                "audit",
                "probes",
                "overhead",
                "benchmark",
                "unmeasured",
            ],
        ),
        ("/interface", &["name", "ifindex", "netns", "driver", "mtu", "queues", "kernel", "terminal"]),
        ("/window", &["start", "duration_s"]),
        ("/verdict", &["state", "confidence", "summary", "witnesses", "basis", "bound"]),
        ("/verdict/witnesses/0", &["name", "says", "detail"]),
        ("/ledger", &["tcp", "udp", "other"]),
        ("/ledger/tcp", LEDGER),
        ("/ledger/tcp", &["ipv4", "ipv6"]),
        ("/ledger/tcp/ipv4", LEDGER),
        ("/ledger/tcp/ipv6", LEDGER),
        ("/ledger/udp", LEDGER),
        ("/ledger/other", &["packets_to_driver", "bytes"]),
        ("/sizes", &["queued", "driver", "segs"]),
        ("/sizes/queued/0", &["lower", "upper", "count"]),
        ("/throughput", &["wire_gbps", "goodput_gbps", "samples", "correlation"]),
        ("/throughput/samples/0", &["t_s", "wire_gbps", "software_share", "segmentation_cpu", "cpus"]),
        ("/throughput/samples/0/cpus/0", &["busy", "softirq", "steal"]),
        ("/cost", &["method", "segmentation_calls", "segmentation_ns", "ns_per_byte", "cores"]),
        ("/reasons/0", &["id", "bytes", "share", "text"]),
        ("/audit", &["ok", "drained", "identities", "missed"]),
        (
            "/audit/identities/0",
            &["name", "left", "left_source", "right", "right_source", "residual", "slack", "ok"],
        ),
        ("/probes", &["mode", "hooks"]),
        ("/probes/hooks/0", &["hook", "kind", "events", "ns_per_event", "net_ns_per_event", "instructions"]),
        ("/overhead", &["cpu_share", "rss_bytes"]),
        ("/benchmark", &["command", "exit_code"]),
    ];

    const LEDGER: &[&str] = &[
        "payload_bytes",
        "hardware_bytes",
        "software_bytes",
        "unaggregated_bytes",
        "small_bytes",
        "dropped_bytes",
        "pending_bytes",
        "retransmitted_bytes",
        "super_packets_queued",
        "super_packets_to_driver",
        "packets_to_driver",
        "segments_made",
        "control_packets",
        "median_gso_segs",
        "tunnel_bytes",
        "forwarded_bytes",
        "method",
        "software_bytes_at_least",
        "software_bytes_at_most",
    ];

    #[test]
    fn every_key_of_the_contract_is_there() {
        let value = to_value(&fixture::software()).expect("finite numbers");
        for (pointer, keys) in PROMISED {
            let object = value.pointer(pointer).and_then(Value::as_object).expect(pointer);
            for key in *keys {
                assert!(object.contains_key(*key), "{pointer} has no {key}");
            }
        }
        assert_eq!(value["schema"], "vmnet.run/1");
        assert_eq!(value["verdict"]["state"], "software");
        assert_eq!(value["verdict"]["confidence"], "proven");
        assert_eq!(value["probes"]["mode"], "fentry");
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        for report in [fixture::software(), fixture::counters(), fixture::idle()] {
            let text = to_text(&report).expect("finite numbers");
            let again: RunReport = serde_json::from_str(&text).expect("its own output");
            assert_eq!(again.ledger.tcp, report.ledger.tcp);
            assert_eq!(again.verdict, report.verdict);
            assert_eq!(again.audit, report.audit);
            assert_eq!(again.throughput.samples.len(), report.throughput.samples.len());
        }
    }

    #[test]
    fn a_whole_run_is_explained_to_the_last_null() {
        for report in [
            fixture::software(),
            fixture::engaged(),
            fixture::flipped(),
            fixture::idle(),
            fixture::counters(),
            fixture::eventful(),
        ] {
            let value = to_value(&report).expect("finite numbers");
            assert_eq!(unexplained_nulls(&value), Vec::<String>::new());
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
            let value = to_value(&report).expect("finite numbers");
            assert_eq!(unexplained_nulls(&value), Vec::<String>::new());
            testbed::schema::validate(&value).expect("as described");
        }
    }

    #[test]
    fn a_reason_that_is_known_better_stays() {
        let mut report = fixture::counters();
        report.unmeasured.insert("ledger.tcp".to_owned(), "it never started".to_owned());
        let value = to_value(&report).expect("finite numbers");
        assert_eq!(value["unmeasured"]["ledger.tcp"], "it never started");
        assert_eq!(value["unmeasured"]["ledger.udp"], Why::NoPrograms.to_string());
    }

    #[test]
    fn numbers_that_are_none_become_nulls_that_say_so() {
        let mut report = fixture::software();
        report.throughput.wire_gbps = Ok(f64::NAN);
        report.throughput.goodput_gbps = Ok(f64::INFINITY);
        let sample = &mut report.throughput.samples[3];
        for number in [
            &mut sample.wire_gbps,
            &mut sample.goodput_gbps,
            &mut sample.hardware_gbps,
            &mut sample.software_gbps,
            &mut sample.unaggregated_gbps,
            &mut sample.small_gbps,
            &mut sample.software_share,
            &mut sample.segmentation_cpu,
            &mut sample.segmentation_ns_per_byte,
            &mut sample.mean_queued_bytes,
            &mut sample.mean_driver_bytes,
        ] {
            *number = Ok(f64::NAN);
        }
        (sample.segments_per_packet, sample.rtt_us) = (Some(f64::NAN), Some(f64::NAN));
        let spoilt = Correlation { r: f64::NAN, interval: [0.0, 1.0], method: "test".to_owned(), n: 3 };
        report.throughput.correlation.software_share = Some(spoilt.clone());
        report.throughput.correlation.segmentation_ns_per_byte = Some(spoilt);
        report.cost.ns_per_byte = Ok(f64::NAN);
        report.cost.ns_per_byte_interval = Ok([0.0, f64::INFINITY]);
        report.cost.cores = Ok(f64::NAN);
        if let Ok(reasons) = &mut report.reasons {
            reasons[0].share = f64::NAN;
        }
        report.probes.hooks[0].ns_per_event = Ok(f64::NAN);
        report.probes.hooks[0].net_ns_per_event = Ok(f64::NAN);
        report.overhead.cpu_share = Ok(f64::NAN);
        report.overhead.user_cpu_share = Ok(f64::NAN);
        if let Some(tcp) = &mut report.ledger.tcp {
            tcp.total.median_gso_segs = Some(f64::NAN);
        }
        if let Some(benchmark) = &mut report.benchmark {
            benchmark.iperf3 = benchmark.iperf3.map(|said| Iperf3 { sent_gbps: f64::NAN, ..said });
            benchmark.netperf = Netperf::parse("THROUGHPUT=1\nTHROUGHPUT_UNITS=Bytes/s\nELAPSED_TIME=1")
                .map(|said| Netperf { seconds: Some(f64::INFINITY), gbps: Some(f64::NAN), ..said });
            benchmark.load =
                crate::benchmark::load::parse(include_str!("../../benchmark/testdata/load-two-streams.json"))
                    .map(|said| Summary { goodput_gbps: Some(f64::NAN), ..said });
            assert!(benchmark.netperf.is_some() && benchmark.load.is_some());
        }
        let after = to_value(&report).expect("nothing indispensable is spoilt");
        assert_eq!(unexplained_nulls(&after), Vec::<String>::new());
        assert_eq!(after["unmeasured"]["cost.cores"], Why::NotFinite.to_string());
        assert!(after["reasons"].is_null() && after["benchmark"]["iperf3"].is_null());
        assert!(serde_json::from_value::<RunReport>(after).is_ok(), "and it can still be read");
    }

    #[test]
    fn a_number_without_which_there_is_no_report_is_named() {
        type Spoil = fn(&mut RunReport);
        let spoilt: [(&str, Spoil); 3] = [
            ("window.duration_s", |report| report.window.duration_s = f64::NAN),
            ("throughput.samples[].t_s", |report| report.throughput.samples[4].t_s = f64::NEG_INFINITY),
            ("throughput.samples[].cpus[].busy", |report| {
                report.throughput.samples[3].cpus[0].busy = f64::NAN;
            }),
        ];
        for (path, spoil) in spoilt {
            let mut report = fixture::software();
            spoil(&mut report);
            let refused = to_value(&report).expect_err(path).to_string();
            assert!(refused.starts_with(path), "{refused}");
        }
    }
}
