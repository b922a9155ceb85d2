//! A benchmark: its command, how it ended, and what it says of itself.

use crate::benchmark::Benchmark;
use crate::benchmark::{Iperf3, Netperf};
use crate::load::Summary;
use crate::report::kit::format;

/// The command, how it ended, and what it said of itself where that was understood.
#[must_use]
pub fn benchmark(benchmark: &Benchmark) -> Vec<String> {
    let command = format::shortened(&benchmark.command.join(" "), 200);
    let mut lines = vec![format!("{command}: {}", how_it_ended(benchmark))];
    lines.extend(what_it_said(benchmark));
    lines
}

/// `exit 0`.
#[must_use]
pub fn how_it_ended(benchmark: &Benchmark) -> String {
    match (benchmark.exit_code, benchmark.signal) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "its end is not known".to_owned(),
    }
}

/// What it said of itself, where that was understood.
#[must_use]
pub fn what_it_said(benchmark: &Benchmark) -> Option<String> {
    let netperf = || benchmark.netperf.as_ref().map(netperf);
    let load = || benchmark.load.as_ref().map(load);
    benchmark.iperf3.as_ref().map(iperf3).or_else(netperf).or_else(load)
}

fn iperf3(said: &Iperf3) -> String {
    let mut line = format!(
        "iperf3 says {}: {} in {}, {}",
        format::rate(said.sent_gbps),
        format::bytes(said.sent_bytes),
        format::duration(said.seconds),
        streams(said.streams)
    );
    if let Some(retransmits) = said.retransmits {
        line += &format!(", {} retransmits", format::count(retransmits));
    }
    line
}

fn netperf(said: &Netperf) -> String {
    let result = match (said.gbps, said.transactions_per_s) {
        (Some(gbps), _) => format::rate(gbps),
        // A cast from a float saturates, so an absurd rate stays a number.
        (None, Some(rate)) => format!("{} transactions a second", format::count(rate.round() as u64)),
        (None, None) => format!("{} {}", format::significant(said.throughput), said.units),
    };
    let seconds = said.seconds.map(|seconds| format!(" in {}", format::duration(seconds)));
    format!("netperf says {result}{}", seconds.unwrap_or_default())
}

fn load(said: &Summary) -> String {
    let rate = said.goodput_gbps.map(|gbps| format!(" {}:", format::rate(gbps)));
    let mut line = format!(
        "vmnet load says{} {} in {}, {}",
        rate.unwrap_or_default(),
        format::bytes(said.received_bytes.unwrap_or(said.sent_bytes)),
        format::duration(said.seconds),
        streams(said.streams.into())
    );
    if let Some(segments) = said.retransmitted_segments {
        line += &format!(", {} segments retransmitted", format::count(segments));
    }
    line
}

fn streams(streams: u32) -> String {
    if streams == 1 { "1 stream".to_owned() } else { format!("{streams} streams") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::CommandEnded;

    fn said(stdout: &str) -> Option<String> {
        let CommandEnded { iperf3, netperf, load, .. } = CommandEnded::new(Some(0), None, stdout, 0);
        what_it_said(&Benchmark { iperf3, netperf, load, ..Benchmark::default() })
    }

    #[test]
    fn each_benchmark_is_told_in_one_line() {
        for (stdout, line) in [
            (
                include_str!("../../../benchmark/testdata/iperf3-four-streams.json"),
                "iperf3 says 32.7 Gbit/s: 4.09 GB in 1.0 s, 4 streams, 8 retransmits",
            ),
            (
                include_str!("../../../benchmark/testdata/netperf-csv-stream.txt"),
                "netperf says 29.0 Gbit/s in 1.0 s",
            ),
            (
                include_str!("../../../benchmark/testdata/netperf-keyvalue-mbytes.txt"),
                "netperf says 30.4 Gbit/s",
            ),
            (
                include_str!("../../../benchmark/testdata/netperf-table-rr.txt"),
                "netperf says 48.1 k transactions a second in 1.0 s",
            ),
            (
                include_str!("../../../benchmark/testdata/load-two-streams.json"),
                "vmnet load says 55.9 Gbit/s: 1.07 GB in 0.2 s, 2 streams, 0 segments retransmitted",
            ),
        ] {
            assert_eq!(said(stdout).as_deref(), Some(line));
        }
        assert_eq!(said("hello"), None);
    }
}
