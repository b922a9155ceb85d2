//! The report as JSON, schema `vmnet.run/1`.
//!
//! serde_json writes NaN and infinity as null, which would pass for "not measured". They are a mistake of ours, so here
//! they become a null that says so.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::correlation::Correlation;
use crate::report::kit::json::{JsonError, indented};
use crate::report::run::schema::RunReport;

const NOT_FINITE: &str = "the arithmetic gave no finite number";

/// The report as a tree, without NaN and infinity: those are null, and `unmeasured` says so.
pub fn to_value(report: &RunReport) -> Result<Value, JsonError> {
    let report = finite(report)?;
    serde_json::to_value(&report).map_err(JsonError::Serialize)
}

/// As [`to_value`], for a file or standard output: indented, in the schema's order, with a newline at the end.
pub fn to_text(report: &RunReport) -> Result<String, JsonError> {
    indented(&finite(report)?)
}

/// The report without NaN and infinity: what was not finite is absent, and `unmeasured` says so.
pub(crate) fn finite(report: &RunReport) -> Result<RunReport, JsonError> {
    let mut report = report.clone();
    make_finite(&mut report)?;
    Ok(report)
}

/// Paths of the nulls in `report` that have no entry in `reasons`, sorted, each once. Elements of arrays share one path:
/// `throughput.samples[].segmentation_cpu`.
#[must_use]
pub fn missing_reasons(report: &Value, reasons: &BTreeMap<String, String>) -> Vec<String> {
    let mut nulls = BTreeSet::new();
    collect_nulls(report, "", &mut nulls);
    nulls.into_iter().filter(|path| !reasons.contains_key(path)).collect()
}

fn collect_nulls(value: &Value, path: &str, nulls: &mut BTreeSet<String>) {
    match value {
        Value::Null => {
            nulls.insert(path.to_owned());
        }
        Value::Array(elements) => {
            let path = format!("{path}[]");
            for element in elements {
                collect_nulls(element, &path, nulls);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect_nulls(member, &path, nulls);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Takes out what is not finite, and says so in `unmeasured`. Every floating-point field of the report is named here.
fn make_finite(report: &mut RunReport) -> Result<(), JsonError> {
    if !report.window.duration_s.is_finite() {
        return Err(JsonError::NotFinite("window.duration_s"));
    }
    let mut spoilt = BTreeSet::new();

    let bound = &mut report.verdict.bound;
    if bound.as_ref().is_some_and(|bound| !(bound.share_at_least + bound.unseen_share).is_finite()) {
        *bound = None;
        spoilt.insert("verdict.bound");
    }
    if let Some(tcp) = &mut report.ledger.tcp {
        for (path, entry) in [
            ("ledger.tcp.median_gso_segs", &mut tcp.total),
            ("ledger.tcp.ipv4.median_gso_segs", &mut tcp.ipv4),
            ("ledger.tcp.ipv6.median_gso_segs", &mut tcp.ipv6),
        ] {
            keep_finite(&mut entry.median_gso_segs, path, &mut spoilt);
        }
    }
    if let Some(udp) = &mut report.ledger.udp {
        for (path, entry) in [
            ("ledger.udp.median_gso_segs", &mut udp.total),
            ("ledger.udp.ipv4.median_gso_segs", &mut udp.ipv4),
            ("ledger.udp.ipv6.median_gso_segs", &mut udp.ipv6),
        ] {
            keep_finite(&mut entry.median_gso_segs, path, &mut spoilt);
        }
    }

    let throughput = &mut report.throughput;
    keep_finite(&mut throughput.wire_gbps, "throughput.wire_gbps", &mut spoilt);
    keep_finite(&mut throughput.goodput_gbps, "throughput.goodput_gbps", &mut spoilt);
    let samples = throughput.samples.len();
    throughput.samples.retain(|sample| sample.t_s.is_finite() && sample.duration_s.is_finite());
    if throughput.samples.len() < samples {
        spoilt.insert("throughput.samples[]");
    }
    for sample in &mut throughput.samples {
        for (path, number) in [
            ("throughput.samples[].wire_gbps", &mut sample.wire_gbps),
            ("throughput.samples[].goodput_gbps", &mut sample.goodput_gbps),
            ("throughput.samples[].hardware_gbps", &mut sample.hardware_gbps),
            ("throughput.samples[].software_gbps", &mut sample.software_gbps),
            ("throughput.samples[].unaggregated_gbps", &mut sample.unaggregated_gbps),
            ("throughput.samples[].small_gbps", &mut sample.small_gbps),
            ("throughput.samples[].software_share", &mut sample.software_share),
            ("throughput.samples[].segmentation_cpu", &mut sample.segmentation_cpu),
            ("throughput.samples[].segmentation_ns_per_byte", &mut sample.segmentation_ns_per_byte),
            ("throughput.samples[].mean_queued_bytes", &mut sample.mean_queued_bytes),
            ("throughput.samples[].mean_driver_bytes", &mut sample.mean_driver_bytes),
            ("throughput.samples[].segments_per_packet", &mut sample.segments_per_packet),
            ("throughput.samples[].rtt_us", &mut sample.rtt_us),
        ] {
            keep_finite(number, path, &mut spoilt);
        }
        // A CPU has no place for "unknown", and leaving one out would number the others anew.
        if sample.cpus.iter().any(|cpu| ![cpu.busy, cpu.softirq, cpu.steal].iter().all(|x| x.is_finite())) {
            sample.cpus.clear();
            spoilt.insert("throughput.samples[].cpus");
        }
        for cpu in &mut sample.cpus {
            keep_finite(&mut cpu.segmenting, "throughput.samples[].cpus[].segmenting", &mut spoilt);
            keep_finite(&mut cpu.tcp_gbps, "throughput.samples[].cpus[].tcp_gbps", &mut spoilt);
        }
        for queue in &mut sample.queues {
            keep_finite(&mut queue.gbps, "throughput.samples[].queues[].gbps", &mut spoilt);
            keep_finite(&mut queue.packets_per_s, "throughput.samples[].queues[].packets_per_s", &mut spoilt);
        }
        if let Some(merged) = &mut sample.merged {
            for (path, range) in [
                ("throughput.samples[].merged.wire_gbps", &mut merged.wire_gbps),
                ("throughput.samples[].merged.goodput_gbps", &mut merged.goodput_gbps),
                ("throughput.samples[].merged.software_share", &mut merged.software_share),
                ("throughput.samples[].merged.segmentation_cpu", &mut merged.segmentation_cpu),
                ("throughput.samples[].merged.busiest_cpu", &mut merged.busiest_cpu),
            ] {
                keep(range, path, &mut spoilt, |range| range.iter().all(|end| end.is_finite()));
            }
        }
    }
    for (path, correlation) in [
        ("throughput.correlation.software_share", &mut throughput.correlation.software_share),
        (
            "throughput.correlation.segmentation_ns_per_byte",
            &mut throughput.correlation.segmentation_ns_per_byte,
        ),
    ] {
        keep(correlation, path, &mut spoilt, |Correlation { r, interval: [low, high], .. }| {
            r.is_finite() && low.is_finite() && high.is_finite()
        });
    }

    let cost = &mut report.cost;
    keep_finite(&mut cost.ns_per_byte, "cost.ns_per_byte", &mut spoilt);
    keep(&mut cost.ns_per_byte_interval, "cost.ns_per_byte_interval", &mut spoilt, |[low, high]| {
        low.is_finite() && high.is_finite()
    });
    keep_finite(&mut cost.cores, "cost.cores", &mut spoilt);

    keep(&mut report.reasons, "reasons", &mut spoilt, |reasons| {
        reasons.iter().all(|reason| reason.share.is_finite())
    });
    for hook in &mut report.probes.hooks {
        keep_finite(&mut hook.ns_per_event, "probes.hooks[].ns_per_event", &mut spoilt);
        keep_finite(&mut hook.net_ns_per_event, "probes.hooks[].net_ns_per_event", &mut spoilt);
    }
    keep_finite(&mut report.overhead.cpu_share, "overhead.cpu_share", &mut spoilt);
    keep_finite(&mut report.overhead.user_cpu_share, "overhead.user_cpu_share", &mut spoilt);
    if let Some(benchmark) = &mut report.benchmark {
        keep(&mut benchmark.iperf3, "benchmark.iperf3", &mut spoilt, |iperf3| {
            iperf3.seconds.is_finite() && iperf3.sent_gbps.is_finite()
        });
        if let Some(iperf3) = &mut benchmark.iperf3 {
            keep_finite(&mut iperf3.received_seconds, "benchmark.iperf3.received_seconds", &mut spoilt);
        }
        keep(&mut benchmark.netperf, "benchmark.netperf", &mut spoilt, |netperf| {
            netperf.throughput.is_finite()
        });
        if let Some(netperf) = &mut benchmark.netperf {
            keep_finite(&mut netperf.gbps, "benchmark.netperf.gbps", &mut spoilt);
            keep_finite(&mut netperf.transactions_per_s, "benchmark.netperf.transactions_per_s", &mut spoilt);
            keep_finite(&mut netperf.seconds, "benchmark.netperf.seconds", &mut spoilt);
        }
        keep(&mut benchmark.load, "benchmark.load", &mut spoilt, |load| load.seconds.is_finite());
        if let Some(load) = &mut benchmark.load {
            keep_finite(&mut load.goodput_gbps, "benchmark.load.goodput_gbps", &mut spoilt);
        }
    }
    let events = report.events.len();
    report.events.retain(|event| event.t_s.is_finite());
    if report.events.len() < events {
        spoilt.insert("events[]");
    }

    for path in spoilt {
        report.unmeasured.insert(path.to_owned(), NOT_FINITE.to_owned());
    }
    Ok(())
}

fn keep_finite(number: &mut Option<f64>, path: &'static str, spoilt: &mut BTreeSet<&'static str>) {
    keep(number, path, spoilt, |number| number.is_finite());
}

fn keep<T>(
    slot: &mut Option<T>,
    path: &'static str,
    spoilt: &mut BTreeSet<&'static str>,
    is_fine: impl Fn(&T) -> bool,
) {
    if slot.as_ref().is_some_and(|value| !is_fine(value)) {
        *slot = None;
        spoilt.insert(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::{Iperf3, Netperf};
    use crate::load::Summary;
    use crate::report::run::fixture;

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
    fn a_null_without_a_reason_is_found_by_its_path() {
        let mut report = fixture::counters();
        report.unmeasured.insert("throughput.samples[].hardware_gbps".to_owned(), "no programs".to_owned());
        let value = to_value(&report).expect("finite numbers");
        let missing = missing_reasons(&value, &report.unmeasured);
        assert!(missing.contains(&"throughput.samples[].software_gbps".to_owned()));
        assert!(missing.contains(&"ledger.tcp".to_owned()));
        assert!(!missing.contains(&"throughput.samples[].hardware_gbps".to_owned()));
        assert_eq!(missing.iter().filter(|path| path.ends_with("software_gbps")).count(), 1, "each once");
    }

    #[test]
    fn numbers_that_are_none_become_nulls_that_say_so() {
        let mut report = fixture::software();
        crate::report::run::absences::explain(&mut report);
        report.ledger.udp = None;
        report.unmeasured.insert("ledger.udp".to_owned(), "test".to_owned());
        let before = to_value(&report).expect("finite numbers");
        let already = missing_reasons(&before, &report.unmeasured);

        report.throughput.wire_gbps = Some(f64::NAN);
        report.throughput.goodput_gbps = Some(f64::INFINITY);
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
            &mut sample.segments_per_packet,
            &mut sample.rtt_us,
        ] {
            *number = Some(f64::NAN);
        }
        sample.cpus[0].busy = f64::NAN;
        report.throughput.samples[4].t_s = f64::NEG_INFINITY;
        let spoilt = Correlation { r: f64::NAN, interval: [0.0, 1.0], method: "test".to_owned(), n: 3 };
        report.throughput.correlation.software_share = Some(spoilt.clone());
        report.throughput.correlation.segmentation_ns_per_byte = Some(spoilt);
        report.cost.ns_per_byte = Some(f64::NAN);
        report.cost.ns_per_byte_interval = Some([0.0, f64::INFINITY]);
        report.cost.cores = Some(f64::NAN);
        if let Some(reasons) = &mut report.reasons {
            reasons[0].share = f64::NAN;
        }
        report.probes.hooks[0].ns_per_event = Some(f64::NAN);
        report.probes.hooks[0].net_ns_per_event = Some(f64::NAN);
        report.overhead.cpu_share = Some(f64::NAN);
        report.overhead.user_cpu_share = Some(f64::NAN);
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
        report.events.push(fixture::event(f64::NAN, "never"));

        crate::report::run::absences::explain(&mut report);
        let after = to_value(&report).expect("nothing indispensable is spoilt");
        let reasons: BTreeMap<String, String> =
            serde_json::from_value(after["unmeasured"].clone()).expect("a map of texts");
        let missing: Vec<_> =
            missing_reasons(&after, &reasons).into_iter().filter(|path| !already.contains(path)).collect();
        assert_eq!(missing, Vec::<String>::new());
        assert_eq!(reasons.get("cost.cores").map(String::as_str), Some(NOT_FINITE));
        assert!(serde_json::from_value::<RunReport>(after).is_ok(), "and it can still be read");
    }

    #[test]
    fn a_window_without_a_length_is_refused() {
        let mut report = fixture::software();
        report.window.duration_s = f64::NAN;
        assert!(matches!(to_value(&report), Err(JsonError::NotFinite("window.duration_s"))));
    }
}
