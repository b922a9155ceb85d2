//! What `iperf3 --json` said of itself: once, twice (3.16 and 3.17 may print it all again), or a line at a time (`--json-stream`).

use serde::de::IgnoredAny;

use super::natural;

use crate::model::fact::Why;
use crate::model::null_because;
use serde::{Deserialize, Serialize};

null_because! {
    not_said: Why::is("iperf3 did not tell");
    not_kept: Why::is("iperf3 did not tell, or the recording is from before this was kept");
}

/// What iperf3 said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Iperf3 {
    /// Streams.
    pub streams: u32,
    /// Sent, all streams.
    pub sent_bytes: u64,
    /// Received, all streams.
    #[serde(serialize_with = "not_said")]
    pub received_bytes: Option<u64>,
    /// Until the receiver had all that, seconds.
    #[serde(serialize_with = "not_kept")]
    pub received_seconds: Option<f64>,
    /// Seconds of the test.
    pub seconds: f64,
    /// Sender's rate.
    pub sent_gbps: f64,
    /// Retransmits, where it knows.
    #[serde(serialize_with = "not_said")]
    pub retransmits: Option<u64>,
}

/// Of an error this much is told.
const LONGEST_ERROR: usize = 200;

/// The parts of iperf3's output that are read. Everything else is skipped without being kept, and streams are counted
/// without being kept either, so that what this holds does not grow with the input.
#[derive(Deserialize)]
struct Output {
    end: Option<End>,
    error: Option<IgnoredAny>,
    /// Of `--json-stream`: `start`, `interval`, `end`, `error`.
    event: Option<String>,
    data: Option<Data>,
}

/// What comes with an event. Only that of the end is looked at; others have other shapes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Data {
    End(End),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct End {
    #[serde(default)]
    streams: Vec<IgnoredAny>,
    sum_sent: Option<Sum>,
    sum_received: Option<Sum>,
    /// UDP before iperf3 3.12 has this one alone.
    sum: Option<Sum>,
}

/// iperf3 writes every number through a double, large ones as `1e+15`.
#[derive(Deserialize)]
struct Sum {
    seconds: f64,
    bytes: f64,
    bits_per_second: f64,
    retransmits: Option<f64>,
}

/// What it says where it could not do its test: with `--json` it may end well all the same.
#[derive(Deserialize)]
struct Refusal {
    /// Of every output of its, so that another program's JSON is not taken for it.
    #[serde(rename = "start")]
    _start: IgnoredAny,
    error: String,
}

impl Iperf3 {
    /// Its own error; None for anything else.
    #[must_use]
    pub fn error(stdout: &[u8]) -> Option<String> {
        let refusal: Refusal = serde_json::from_slice(stdout).ok()?;
        Some(refusal.error.chars().take(LONGEST_ERROR).collect())
    }

    /// The totals of a finished test; None for anything else, an iperf3 error included.
    #[must_use]
    pub fn parse(stdout: &str) -> Option<Self> {
        let mut end = None;
        for output in serde_json::Deserializer::from_str(stdout).into_iter::<Output>() {
            let output = output.ok()?;
            if output.error.is_some() || output.event.as_deref() == Some("error") {
                return None;
            }
            let of_stream = match (output.event.as_deref(), output.data) {
                (Some("end"), Some(Data::End(end))) => Some(end),
                _ => None,
            };
            end = output.end.or(of_stream).or(end);
        }
        let end = end?;
        let sent = end.sum_sent.or(end.sum)?;
        let (received_bytes, received_seconds) = match end.sum_received {
            Some(received) => (Some(whole(received.bytes)?), Some(natural(received.seconds)?)),
            None => (None, None),
        };
        let retransmits = match sent.retransmits {
            Some(retransmits) => Some(whole(retransmits)?),
            None => None,
        };
        Some(Self {
            streams: u32::try_from(end.streams.len()).ok()?,
            sent_bytes: whole(sent.bytes)?,
            received_bytes,
            received_seconds,
            seconds: natural(sent.seconds)?,
            sent_gbps: natural(sent.bits_per_second)? / 1e9,
            retransmits,
        })
    }
}

/// A count that came as a double. Beyond 2^64 it is not a count of anything.
fn whole(value: f64) -> Option<u64> {
    (natural(value)? < u64::MAX as f64).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // Recorded from iperf3 3.12 on loopback.
    const SINGLE: &str = include_str!("testdata/iperf3-single.json");
    const FOUR: &str = include_str!("testdata/iperf3-four-streams.json");
    const REFUSED: &str = include_str!("testdata/iperf3-refused.json");
    const UDP: &str = include_str!("testdata/iperf3-udp.json");

    #[test]
    fn one_stream_is_understood() {
        let said = Iperf3::parse(SINGLE).expect("a finished test");
        assert_eq!((said.streams, said.sent_bytes), (1, 7_208_960_000));
        assert_eq!((said.received_bytes, said.retransmits), (Some(7_208_960_000), Some(32)));
        assert!((said.seconds - 2.000_137).abs() < 1e-9);
        assert!((said.sent_gbps - 28.833_864_88).abs() < 1e-6);
    }

    #[test]
    fn four_streams_are_summed_by_iperf3_itself() {
        let said = Iperf3::parse(FOUR).expect("a finished test");
        assert_eq!((said.streams, said.sent_bytes), (4, 4_086_824_960));
        assert_eq!((said.received_bytes, said.retransmits), (Some(4_064_329_142), Some(8)));
        assert_eq!(said.received_seconds, Some(1.000_262), "the receiver's own");
    }

    #[test]
    fn json_that_comes_twice_or_line_by_line_is_one_result() {
        let once = Iperf3::parse(SINGLE).expect("a finished test");
        assert_eq!(Iperf3::parse(&format!("{SINGLE}\n{SINGLE}")), Some(once));
        // As iperf3 3.17 prints it with --json-stream.
        let whole: serde_json::Value = serde_json::from_str(SINGLE).unwrap();
        let line = |event: &str, data: &serde_json::Value| {
            serde_json::json!({ "event": event, "data": data }).to_string()
        };
        let sum = serde_json::json!({ "sum": whole["end"]["sum_sent"] });
        let stream =
            [line("start", &whole["start"]), line("interval", &sum), line("end", &whole["end"])].join("\n");
        assert_eq!(Iperf3::parse(&stream), Some(once));
        let refused = [line("start", &whole["start"]), line("error", &"unable to connect".into())].join("\n");
        assert_eq!(Iperf3::parse(&refused), None);
    }

    #[test]
    fn udp_knows_no_retransmits() {
        let said = Iperf3::parse(UDP).expect("a finished test");
        assert_eq!((said.sent_bytes, said.retransmits), (12_517_376, None));
    }

    #[test]
    fn an_error_is_told_where_it_is_iperf3_s_own() {
        let told = br#"{"start": {}, "intervals": [], "error": "error - unable to connect to server"}"#;
        assert_eq!(Iperf3::error(told).as_deref(), Some("error - unable to connect to server"));
        for other in [r#"{"error": "of another program"}"#, "iperf3: error - unable to connect", SINGLE] {
            assert_eq!(Iperf3::error(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn an_error_is_not_a_result() {
        assert_eq!(Iperf3::parse(REFUSED), None);
        // Interrupted: it has totals, but not of the test that was asked for.
        let interrupted = SINGLE.replacen('{', r#"{"error": "interrupt - the client has terminated","#, 1);
        assert_eq!(Iperf3::parse(&interrupted), None);
    }

    #[test]
    fn large_numbers_come_as_doubles() {
        let said = Iperf3::parse(
            r#"{"end":{"streams":[{}],"sum_sent":{"seconds":9e5,"bytes":1.5e+15,"bits_per_second":1e11}}}"#,
        );
        assert_eq!(said.map(|said| said.sent_bytes), Some(1_500_000_000_000_000));
    }

    #[test]
    fn what_is_not_iperf3_gives_nothing() {
        let sum = |bytes: &str| {
            format!(r#"{{"end":{{"sum_sent":{{"seconds":1,"bytes":{bytes},"bits_per_second":1}}}}}}"#)
        };
        assert!(Iperf3::parse(&sum("1")).is_some(), "the shape that the others spoil");
        for hostile in [
            String::new(),
            "null".to_owned(),
            "[]".to_owned(),
            r#"{"end":{}}"#.to_owned(),
            "[".repeat(1_000_000),
            format!(r#"{{"end":{}"#, r#"{"a":"#.repeat(100_000)),
            sum("-1"),
            sum("1e300"),
            sum("1e999"),
            sum("\"1\""),
        ] {
            assert_eq!(Iperf3::parse(&hostile), None, "{}", &hostile[..hostile.len().min(80)]);
        }
    }

    proptest! {
        #[test]
        fn no_damage_makes_it_panic(cut in 0_usize..3_000, byte in 0_u8..128) {
            let mut damaged = SINGLE.as_bytes().to_vec();
            damaged.truncate(cut.max(1));
            let last = damaged.len() - 1;
            damaged[last] = byte;
            let _ = Iperf3::parse(&String::from_utf8_lossy(&damaged));
        }
    }
}
