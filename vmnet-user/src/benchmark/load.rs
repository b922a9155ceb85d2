//! What `vmnet load client --json` said of itself.

use crate::benchmark::natural;
use crate::load::{SCHEMA, Summary};

/// A server's name, as it was asked for, is no longer than this: 253 bytes of a name, and a port.
const LONGEST_SERVER: usize = 300;

/// The summary of a client; None for anything else.
#[must_use]
pub(crate) fn parse(stdout: &str) -> Option<Summary> {
    let said: Summary = serde_json::from_str(stdout.trim()).ok()?;
    let is_ours = said.schema == SCHEMA && said.server.len() <= LONGEST_SERVER;
    let makes_sense =
        natural(said.seconds).is_some() && said.goodput_gbps.is_none_or(|gbps| natural(gbps).is_some());
    (is_ours && makes_sense).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // Recorded from `vmnet load client` on loopback.
    const DONE: &str = include_str!("testdata/load-two-streams.json");

    #[test]
    fn a_client_is_understood() {
        let said = parse(DONE).expect("a summary");
        assert_eq!((said.streams, said.sent_bytes), (2, 1_073_741_824));
        assert_eq!(said.received_bytes, Some(said.sent_bytes));
        assert!(said.goodput_gbps.is_some_and(|gbps| gbps > 1.0));
        assert_eq!(serde_json::to_string_pretty(&said).ok().as_deref(), Some(DONE.trim()));
    }

    #[test]
    fn what_a_later_version_adds_does_not_matter() {
        let later = DONE.replacen('{', r#"{"colour": ["blue"],"#, 1);
        assert_eq!(parse(&later), parse(DONE));
    }

    #[test]
    fn what_is_not_a_summary_gives_nothing() {
        let with = |name: &str, value: &str| {
            let mut said: serde_json::Value = serde_json::from_str(DONE).expect("JSON");
            said[name] = "SPOILT".into();
            said.to_string().replace("\"SPOILT\"", value)
        };
        assert!(parse(&with("seconds", "1.5")).is_some(), "the shape that the others spoil");
        for hostile in [
            String::new(),
            "null".to_owned(),
            "{}".to_owned(),
            "[".repeat(1_000_000),
            format!(r#"{{"schema":{}"#, r#"{"a":"#.repeat(100_000)),
            with("schema", "\"vmnet.load/2\""),
            with("schema", "\"vmnet.run/1\""),
            with("server", &format!("\"{}\"", "a".repeat(301))),
            with("seconds", "-1"),
            with("seconds", "1e999"),
            with("goodput_gbps", "-0.5"),
            with("sent_bytes", "-1"),
            with("sent_bytes", "1e30"),
            with("sent_bytes", "18446744073709551616"),
            with("streams", "65536"),
            with("ended_by", "\"boredom\""),
            format!("{DONE}{DONE}"),
        ] {
            assert_eq!(parse(&hostile), None, "{}", &hostile[..hostile.len().min(80)]);
        }
    }

    proptest! {
        #[test]
        fn no_damage_makes_it_panic(cut in 0_usize..600, byte in 0_u8..128) {
            let mut damaged = DONE.as_bytes().to_vec();
            damaged.truncate(cut.max(1));
            let last = damaged.len() - 1;
            damaged[last] = byte;
            let _ = parse(&String::from_utf8_lossy(&damaged));
        }
    }
}
