//! The benchmarks that are understood: what each prints of itself, and where it stands in the report.

mod iperf3;
pub(crate) mod load;
mod netperf;

pub use iperf3::Iperf3;
pub use netperf::Netperf;

use std::time::Duration;

use crate::load::Summary;
use serde::{Deserialize, Serialize};

/// The command that ran.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Benchmark {
    /// Words of the command line.
    pub command: Vec<String>,
    /// Its exit code; None when a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it printed, at most 64 KiB of it; None where its JSON was understood.
    pub stdout: Option<String>,
    /// `iperf3 --json`, understood.
    pub iperf3: Option<Iperf3>,
    /// netperf's result, understood.
    pub netperf: Option<Netperf>,
    /// `vmnet load client --json`, understood.
    pub load: Option<Summary>,
}

/// One kind of output. A new one is a file, a line in [`READERS`], and a field of [`Benchmark`].
pub struct Reader {
    /// The field of [`Benchmark`].
    pub field: &'static str,
    /// What was printed, understood; None where it is something else.
    read: fn(&str) -> Option<Understood>,
    /// Whether a command, by its words, prints this as JSON that is for us to understand, not for the person to read.
    prints_json_for_us: fn(&[String]) -> bool,
}

/// What a benchmark said of itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Understood {
    /// `iperf3 --json`.
    Iperf3(Iperf3),
    /// netperf.
    Netperf(Netperf),
    /// `vmnet load client --json`.
    Load(Summary),
}

/// All of them.
pub const READERS: [Reader; 3] = [
    Reader {
        field: "iperf3",
        read: |stdout| Iperf3::parse(stdout).map(Understood::Iperf3),
        prints_json_for_us: |words| is(words, "iperf3") && has(words, &["-J", "--json", "--json-stream"]),
    },
    Reader {
        field: "netperf",
        read: |stdout| Netperf::parse(stdout).map(Understood::Netperf),
        // A few lines, which people read as well.
        prints_json_for_us: |_| false,
    },
    Reader {
        field: "load",
        read: |stdout| load::parse(stdout).map(Understood::Load),
        prints_json_for_us: |words| {
            let client = words.get(1..3).is_some_and(|words| words == ["load", "client"]);
            is(words, "vmnet") && client && has(words, &["--json"])
        },
    },
];

/// A year: whoever asks for more wants no end, and times are added to this one.
const LONGEST_S: u64 = 366 * 24 * 3600;

/// How long a benchmark runs, by its words: iperf3's `-t` and netperf's `-l`, 10 s without. None where it is another, or ends by bytes.
#[must_use]
pub fn lasts(words: &[String]) -> Option<Duration> {
    let (options, by_bytes): (&[&str], &[&str]) = match () {
        () if is(words, "iperf3") => (&["-t", "--time"], &["-n", "--bytes", "-k", "--blockcount"]),
        () if is(words, "netperf") => (&["-l"], &[]),
        () => return None,
    };
    if has(words, by_bytes) {
        return None;
    }
    let glued =
        |word: &String| options.iter().find_map(|option| word.strip_prefix(option)).map(str::to_owned);
    let given = words.iter().enumerate().skip(1).find_map(|(index, word)| {
        if options.contains(&word.as_str()) { words.get(index + 1).cloned() } else { glued(word) }
    });
    let seconds = match given {
        None => 10,
        Some(given) => given.trim_start_matches('=').parse().ok()?,
    };
    (1..=LONGEST_S).contains(&seconds).then(|| Duration::from_secs(seconds))
}

fn is(words: &[String], name: &str) -> bool {
    words.first().is_some_and(|program| program.rsplit('/').next() == Some(name))
}

fn has(words: &[String], flags: &[&str]) -> bool {
    words.iter().any(|word| flags.contains(&word.as_str()))
}

/// What a command printed, understood: by what it is, whatever the command is called, so that `sh -c`, `taskset` or `ip netns exec` may stand
/// before it.
#[must_use]
pub fn understood(stdout: &str) -> Option<Understood> {
    READERS.iter().find_map(|reader| (reader.read)(stdout))
}

/// Whether what the command prints is to be kept from the screen. By its own words alone, before it has printed anything: of what a
/// wrapper prints, we do not know that it is nothing else.
#[must_use]
pub fn prints_json_for_us(words: &[String]) -> bool {
    READERS.iter().any(|reader| (reader.prints_json_for_us)(words))
}

/// A benchmark's own figure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Said {
    /// Payload that arrived, or was sent where the other end did not tell, 10⁹ bits per second.
    pub gbps: Option<f64>,
    /// Where it counts requests with their answers.
    pub transactions_per_s: Option<f64>,
}

impl Benchmark {
    /// The benchmark's own figure; None where it was not understood.
    #[must_use]
    pub fn said(&self) -> Option<Said> {
        let iperf3 = self.iperf3.map(|said| Said { gbps: Some(said.gbps()), ..Said::default() });
        let netperf = self.netperf.as_ref();
        let netperf =
            netperf.map(|said| Said { gbps: said.gbps, transactions_per_s: said.transactions_per_s });
        let load = self.load.as_ref().map(|said| Said { gbps: load_gbps(said), ..Said::default() });
        iperf3.or(netperf).or(load).filter(|said| *said != Said::default())
    }
}

impl Iperf3 {
    /// What the receiver got over its time, where known (before its time was kept, the sender's is taken), else the sender's rate.
    #[must_use]
    pub fn gbps(&self) -> f64 {
        let received =
            self.received_bytes.and_then(|bytes| rate(bytes, self.received_seconds.unwrap_or(self.seconds)));
        received.unwrap_or(self.sent_gbps)
    }
}

/// What the server says it got, or what was sent where an interrupt did not wait for that.
fn load_gbps(said: &Summary) -> Option<f64> {
    said.goodput_gbps.or_else(|| rate(said.sent_bytes, said.seconds))
}

fn rate(bytes: u64, seconds: f64) -> Option<f64> {
    natural(bytes as f64 * 8.0 / seconds / 1e9).filter(|_| seconds > 0.0)
}

/// A number that can be a rate, a time or an amount.
pub(super) fn natural(value: f64) -> Option<f64> {
    (value.is_finite() && value >= 0.0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IPERF3: &str = include_str!("testdata/iperf3-four-streams.json");
    const NETPERF: &str = include_str!("testdata/netperf-keyvalue-rr.txt");
    const LOAD: &str = include_str!("testdata/load-two-streams.json");

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_time_that_is_none_is_not_known() {
        for (line, known) in [
            ("iperf3 -c host -t 5", Some(5)),
            ("iperf3 -c host", Some(10)),
            ("iperf3 -c host -t 0", None),
            ("iperf3 -c host -t 18446744073709551615", None),
            ("netperf -l 31622401", None),
        ] {
            assert_eq!(lasts(&words(line)), known.map(Duration::from_secs), "{line}");
        }
    }

    #[test]
    fn only_json_that_is_for_us_is_kept_from_the_screen() {
        for quiet in [
            "/usr/bin/iperf3 -c 10.10.1.10 -J",
            "iperf3 -c 10.10.1.10 --json",
            "vmnet load client 10.10.1.10 --json",
            "target/debug/vmnet load client --json 10.10.1.10 -P 2",
        ] {
            assert!(prints_json_for_us(&words(quiet)), "{quiet}");
        }
        for shown in [
            "iperf3 -c 10.10.1.10",
            "jq -J",
            "taskset -c 1 iperf3 -c 10.10.1.10 -J",
            "netperf -H 10.10.1.10 -- -k",
            "vmnet load client 10.10.1.10",
            "vmnet load server --json",
            "vmnet check ens4 --json",
            "vmnet",
        ] {
            assert!(!prints_json_for_us(&words(shown)), "{shown}");
        }
        assert!(!prints_json_for_us(&[]));
    }

    #[test]
    fn what_was_printed_decides_and_each_reader_takes_its_own_alone() {
        for (text, field) in [(IPERF3, "iperf3"), (NETPERF, "netperf"), (LOAD, "load")] {
            let taken: Vec<_> = READERS
                .iter()
                .filter(|reader| (reader.read)(text).is_some())
                .map(|reader| reader.field)
                .collect();
            assert_eq!(taken, [field]);
        }
        assert!(matches!(understood(LOAD), Some(Understood::Load(_))));
        assert_eq!(understood("hello\n"), None);
        assert_eq!(understood(&format!("hello\n{IPERF3}")), None, "not that JSON alone");
    }

    #[test]
    fn every_reader_has_its_field_in_the_report() {
        let fields = serde_json::to_value(Benchmark::default()).expect("a tree");
        for reader in &READERS {
            assert!(fields.get(reader.field).is_some(), "{}", reader.field);
        }
    }

    fn said(stdout: &str) -> Option<Said> {
        let mut benchmark = Benchmark::default();
        match understood(stdout) {
            Some(Understood::Iperf3(said)) => benchmark.iperf3 = Some(said),
            Some(Understood::Netperf(said)) => benchmark.netperf = Some(said),
            Some(Understood::Load(said)) => benchmark.load = Some(said),
            None => {}
        }
        benchmark.said()
    }

    #[test]
    fn a_benchmark_has_one_figure_of_its_own() {
        assert_eq!(said(""), None);
        let close = |text: &str, expected: f64| {
            let gbps = said(text).and_then(|said| said.gbps).expect("a rate");
            assert!((gbps - expected).abs() < 1e-6, "{gbps}");
        };
        // What the receiver got, in its 1.000262 s.
        close(IPERF3, 4_064_329_142.0 * 8.0 / 1.000_262 / 1e9);
        close(LOAD, load::parse(LOAD).and_then(|said| said.goodput_gbps).expect("a rate"));
        assert_eq!(said(NETPERF), Some(Said { gbps: None, transactions_per_s: Some(51_029.43) }));
    }

    #[test]
    fn without_the_other_ends_word_it_is_what_was_sent() {
        let iperf3 = Iperf3::parse(IPERF3).expect("a finished test");
        let untold = Iperf3 { received_bytes: None, received_seconds: None, ..iperf3 };
        assert_eq!(untold.gbps(), iperf3.sent_gbps);
        let no_time = Iperf3 { received_seconds: Some(0.0), ..iperf3 };
        assert_eq!(no_time.gbps(), iperf3.sent_gbps);
        let interrupted = Summary {
            goodput_gbps: None,
            received_bytes: None,
            seconds: 2.0,
            ..load::parse(LOAD).expect("one")
        };
        let benchmark = Benchmark { load: Some(interrupted.clone()), ..Benchmark::default() };
        assert_eq!(benchmark.said().and_then(|said| said.gbps), Some(1_073_741_824.0 * 4.0 / 1e9));
        let never = Summary { seconds: 0.0, ..interrupted };
        assert_eq!(Benchmark { load: Some(never), ..Benchmark::default() }.said(), None);
    }
}
