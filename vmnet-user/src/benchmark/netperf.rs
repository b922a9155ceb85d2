//! What netperf said of itself: `THROUGHPUT=…` lines (`-- -k`), the lines of its omni CSV (`-- -o`), or the table that TCP_STREAM and TCP_RR print
//! when nothing is asked for.

use csv::ReaderBuilder;

use super::natural;

use crate::model::fact::Why;
use crate::model::null_because;
use serde::{Deserialize, Serialize};

null_because! {
    not_asked: Why::is("netperf was not asked to tell (ELAPSED_TIME)");
}

/// What netperf said of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Netperf {
    /// In its `units`.
    pub throughput: f64,
    /// In netperf's words: `10^6bits/s`, `MBytes/s` (of 2²⁰ bytes), `Trans/s`, …
    pub units: String,
    /// The same in 10⁹ bits per second; None of transactions.
    pub gbps: Option<f64>,
    /// The same where it is of requests with their answers.
    pub transactions_per_s: Option<f64>,
    /// Seconds of the test; None where it was not asked to tell.
    #[serde(serialize_with = "not_asked")]
    pub seconds: Option<f64>,
}

/// Whitespace-separated words at the head of the last line of a table's heading, before the unit: of TCP_STREAM, and of TCP_RR.
const STREAM: [&str; 4] = ["bytes", "bytes", "bytes", "secs."];
const REQUEST_RESPONSE: [&str; 5] = ["bytes", "bytes", "bytes", "bytes", "secs."];
/// What netperf calls its transactions.
const TRANSACTIONS: &str = "Trans/s";

impl Netperf {
    /// The result of one test; None for anything else, more than one result included: whether those are to be added up, only who
    /// asked for them knows.
    #[must_use]
    pub fn parse(stdout: &str) -> Option<Self> {
        match (by_key(stdout), tables(stdout)) {
            (Found::One(said), Found::None) | (Found::None, Found::One(said)) => Some(said),
            _ => None,
        }
    }

    fn of(throughput: &str, units: &str, seconds: Option<&str>) -> Option<Self> {
        let throughput = number(throughput)?;
        let units = units.trim();
        let gbps = match units {
            TRANSACTIONS => None,
            _ => Some(natural(throughput * bits_per_s(units)? / 1e9)?),
        };
        Some(Self {
            throughput,
            gbps,
            transactions_per_s: (units == TRANSACTIONS).then_some(throughput),
            units: units.to_owned(),
            seconds: match seconds {
                Some(seconds) => Some(number(seconds)?),
                None => None,
            },
        })
    }
}

/// How much one of these units is. netperf's bytes go by powers of 2, its bits by powers of 10 (`format_number` in netlib.c).
fn bits_per_s(units: &str) -> Option<f64> {
    const KIB: f64 = 1024.0;
    Some(match units {
        "10^0bits/s" => 1.0,
        "10^3bits/s" => 1e3,
        "10^6bits/s" => 1e6,
        "10^9bits/s" => 1e9,
        "Bytes/s" => 8.0,
        "KBytes/s" => 8.0 * KIB,
        "MBytes/s" => 8.0 * KIB * KIB,
        "GBytes/s" => 8.0 * KIB * KIB * KIB,
        _ => return None,
    })
}

fn number(text: &str) -> Option<f64> {
    natural(text.trim().parse().ok()?)
}

/// What there is of one form.
enum Found {
    None,
    One(Netperf),
    /// More than one, or one that makes no sense.
    Unclear,
}

impl Found {
    fn one(said: Option<Netperf>) -> Self {
        said.map_or(Self::Unclear, Self::One)
    }
}

/// `-- -k`: one `KEY=value` a line. `TRANSACTION_RATE` is left alone: it says 1.000 where there are no transactions.
fn by_key(stdout: &str) -> Found {
    let mut known = [("THROUGHPUT", None), ("THROUGHPUT_UNITS", None), ("ELAPSED_TIME", None)];
    for (key, value) in stdout.lines().filter_map(|line| line.split_once('=')) {
        let Some((_, known)) = known.iter_mut().find(|(name, _)| *name == key) else { continue };
        if known.replace(value).is_some() {
            return Found::Unclear;
        }
    }
    match known.map(|(_, value)| value) {
        [None, None, _] => Found::None,
        [Some(throughput), Some(units), seconds] => Found::one(Netperf::of(throughput, units, seconds)),
        _ => Found::Unclear,
    }
}

/// A line of names, and the next that is not empty, of values.
fn tables(stdout: &str) -> Found {
    let mut found = Found::None;
    let mut lines = stdout.lines();
    while let Some(line) = lines.next() {
        let Some(heading) = Heading::of(line) else { continue };
        let values = lines.by_ref().find(|line| !line.trim().is_empty());
        found = match found {
            Found::None => Found::one(values.and_then(|values| heading.read(values))),
            _ => return Found::Unclear,
        };
    }
    found
}

/// Which column is what.
enum Heading {
    Csv { columns: usize, throughput: usize, units: usize, seconds: Option<usize> },
    Table { throughput: usize, units: String },
}

impl Heading {
    fn of(line: &str) -> Option<Self> {
        if line.contains("Throughput Units") { Self::of_csv(line) } else { Self::of_table(line) }
    }

    fn of_csv(line: &str) -> Option<Self> {
        let names = cells(line)?;
        // A table for people has the same names, but no commas, and so one cell.
        let place = |wanted: &str| names.iter().position(|name| name == wanted);
        Some(Self::Csv {
            columns: names.len(),
            throughput: place("Throughput")?,
            units: place("Throughput Units")?,
            seconds: place("Elapsed Time (sec)"),
        })
    }

    fn of_table(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_ascii_whitespace().take(REQUEST_RESPONSE.len() + 8).collect();
        if let Some([unit, ..]) = after(&words, &STREAM) {
            let units = unit.strip_suffix("ec").unwrap_or(unit);
            return Some(Self::Table { throughput: STREAM.len(), units: units.to_owned() });
        }
        let units = match after(&words, &REQUEST_RESPONSE)? {
            // Its heading says "per sec" with CPU figures even where the figure is of bytes; what CPU time is held against tells.
            ["per", "sec", rest @ ..] if !rest.contains(&"us/KB") => TRANSACTIONS,
            [unit, ..] => unit.strip_suffix("ec").filter(|units| bits_per_s(units).is_some())?,
            [] => return None,
        };
        Some(Self::Table { throughput: REQUEST_RESPONSE.len(), units: units.to_owned() })
    }

    fn read(&self, values: &str) -> Option<Netperf> {
        match self {
            Self::Csv { columns, throughput, units, seconds } => {
                let values = cells(values).filter(|values| values.len() == *columns)?;
                let seconds = seconds.and_then(|place| values.get(place)).map(String::as_str);
                Netperf::of(values.get(*throughput)?, values.get(*units)?, seconds)
            }
            Self::Table { throughput, units } => {
                let values: Vec<&str> = values.split_ascii_whitespace().take(throughput + 1).collect();
                let seconds = values.get(throughput.checked_sub(1)?)?;
                Netperf::of(values.get(*throughput)?, units, Some(seconds))
            }
        }
    }
}

/// What follows these words, whatever case they are in.
fn after<'a>(words: &'a [&'a str], head: &[&str]) -> Option<&'a [&'a str]> {
    let (begin, rest) = words.split_at_checked(head.len())?;
    begin.iter().zip(head).all(|(word, wanted)| word.eq_ignore_ascii_case(wanted)).then_some(rest)
}

fn cells(line: &str) -> Option<Vec<String>> {
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
    reader.deserialize().next()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // Recorded from netperf 2.7.1, built from its source, on loopback.
    const KEYS: &str = include_str!("testdata/netperf-keyvalue-stream.txt");
    const KEYS_MBYTES: &str = include_str!("testdata/netperf-keyvalue-mbytes.txt");
    const KEYS_INTERIM: &str = include_str!("testdata/netperf-keyvalue-interim.txt");
    const KEYS_RR: &str = include_str!("testdata/netperf-keyvalue-rr.txt");
    const CSV: &str = include_str!("testdata/netperf-csv-stream.txt");
    const CSV_RR: &str = include_str!("testdata/netperf-csv-rr.txt");
    const TABLE: &str = include_str!("testdata/netperf-table-stream.txt");
    const TABLE_CPU: &str = include_str!("testdata/netperf-table-cpu.txt");
    const TABLE_RR: &str = include_str!("testdata/netperf-table-rr.txt");
    const TABLE_OMNI: &str = include_str!("testdata/netperf-table-omni.txt");

    /// Throughput, units, Gbit/s rounded, transactions per second, seconds.
    fn parsed(stdout: &str) -> (f64, String, Option<f64>, Option<f64>, Option<f64>) {
        let said = Netperf::parse(stdout).expect(stdout);
        let rounded = said.gbps.map(|gbps| (gbps * 1e5).round() / 1e5);
        (said.throughput, said.units, rounded, said.transactions_per_s, said.seconds)
    }

    #[test]
    fn keys_and_csv_and_the_table_say_the_same_kind_of_thing() {
        let mbit =
            |throughput: f64, gbps, seconds| (throughput, "10^6bits/s".to_owned(), Some(gbps), None, seconds);
        assert_eq!(parsed(KEYS), mbit(27_961.86, 27.961_86, Some(1.0)));
        assert_eq!(parsed(CSV), mbit(28_977.47, 28.977_47, Some(1.0)));
        assert_eq!(parsed(TABLE), mbit(29_643.38, 29.643_38, Some(1.0)));
        assert_eq!(
            parsed(TABLE_CPU),
            mbit(28_978.65, 28.978_65, Some(1.0)),
            "after a warning, and with CPU time"
        );
        assert_eq!(
            parsed(KEYS_INTERIM),
            mbit(31_248.01, 31.248_01, None),
            "what it said meanwhile is no result"
        );
    }

    #[test]
    fn transactions_are_no_bits() {
        let transactions = |rate: f64| (rate, "Trans/s".to_owned(), None, Some(rate), Some(1.0));
        assert_eq!(parsed(KEYS_RR), transactions(51_029.43));
        assert_eq!(parsed(CSV_RR), transactions(48_177.1));
        assert_eq!(parsed(TABLE_RR), transactions(48_143.02));
    }

    #[test]
    fn its_bytes_go_by_powers_of_two_and_its_bits_by_powers_of_ten() {
        assert_eq!(parsed(KEYS_MBYTES).2, Some(30.402_08));
        let gbps = |units: &str| Netperf::parse(&format!("THROUGHPUT=2\nTHROUGHPUT_UNITS={units}\n"))?.gbps;
        assert_eq!(gbps("10^3bits/s"), Some(2e-6));
        assert_eq!(gbps("10^9bits/s"), Some(2.0));
        assert_eq!(gbps("KBytes/s"), Some(2.0 * 8.0 * 1024.0 / 1e9));
        assert_eq!(gbps("GBytes/s"), Some(2.0 * 8.0 * 1_073_741_824.0 / 1e9));
        assert_eq!(gbps("furlongs/fortnight"), None);
    }

    #[test]
    fn a_table_of_bytes_that_calls_them_per_sec_is_not_taken_for_transactions() {
        // With CPU figures netperf says "per sec" whatever the unit (nettest_omni.c, cpu_title_size).
        let table = |against: &str| {
            format!(
                "bytes  bytes  bytes   bytes  secs.   per sec  % S    % U    us/{against}   us/{against}\n\n\
                 16384  131072 1       1      1.00    48143.02 1.0 1.0 1.0 1.0\n16384  131072\n"
            )
        };
        assert_eq!(Netperf::parse(&table("Tr")).and_then(|said| said.transactions_per_s), Some(48_143.02));
        assert_eq!(Netperf::parse(&table("KB")), None);
    }

    #[test]
    fn more_than_one_result_is_none_as_nobody_said_what_they_are_together() {
        for several in [[KEYS, KEYS], [CSV, CSV_RR], [TABLE, TABLE], [KEYS, TABLE]] {
            assert_eq!(Netperf::parse(&several.concat()), None);
        }
    }

    #[test]
    fn what_is_not_netperf_gives_nothing() {
        let keys = |throughput: &str| format!("THROUGHPUT={throughput}\nTHROUGHPUT_UNITS=10^6bits/s\n");
        assert!(Netperf::parse(&keys("1")).is_some(), "the shape that the others spoil");
        for hostile in [
            String::new(),
            "\n".repeat(1_000_000),
            "=".repeat(1_000_000),
            ",".repeat(1_000_000),
            "\"".repeat(100_000),
            "THROUGHPUT=1\n".repeat(100_000),
            "THROUGHPUT=1\n".to_owned(),
            "Throughput,Throughput Units\n".repeat(10_000),
            format!("Throughput,Throughput Units{}\n1,2\n", ",".repeat(1_000_000)),
            "Throughput,Throughput Units\n1\n".to_owned(),
            "Throughput,Throughput Units\n".to_owned(),
            "bytes bytes bytes secs. 10^6bits/sec\n".to_owned(),
            "bytes bytes bytes secs. 10^6bits/sec\n1 2\n".to_owned(),
            "bytes bytes bytes secs.\n1 2 3 4 5\n".to_owned(),
            TABLE_OMNI.to_owned(),
            keys("-1"),
            keys("inf"),
            keys("NaN"),
            keys("1e999"),
            keys("1,5"),
            keys(""),
            keys("1").replace("10^6bits", "GBytes").replace("=1\n", "=1e308\n"),
        ] {
            assert_eq!(Netperf::parse(&hostile), None, "{}", &hostile[..hostile.len().min(80)]);
        }
    }

    proptest! {
        #[test]
        fn no_damage_makes_it_panic(
            which in 0_usize..10, cut in 0_usize..1_000, place in 0_usize..1_000, byte in 0_u8..=255,
        ) {
            let all = [KEYS, KEYS_MBYTES, KEYS_INTERIM, KEYS_RR, CSV, CSV_RR, TABLE, TABLE_CPU, TABLE_RR, TABLE_OMNI];
            let mut damaged = all[which].as_bytes().to_vec();
            damaged.truncate(cut.max(1));
            let place = place % damaged.len();
            damaged[place] = byte;
            if let Some(said) = Netperf::parse(&String::from_utf8_lossy(&damaged)) {
                prop_assert!(said.gbps.is_some() != said.transactions_per_s.is_some());
                prop_assert!(said.throughput.is_finite() && said.units.len() < 16);
            }
        }
    }
}
