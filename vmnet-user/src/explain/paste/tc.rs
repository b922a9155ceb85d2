//! `tc -s qdisc`.

use super::is_name;
use crate::model::machine::{Qdisc, QdiscCounts, QdiscOptions};

const ROOT: u32 = u32::MAX;

/// `qdisc fq_codel 8001: dev ens4 root refcnt 2 …`; without `dev ens4` where one interface was asked for, which is `about` then.
pub(super) fn first(line: &str, about: &str) -> Option<(String, Qdisc)> {
    let words: Vec<&str> = line.strip_prefix("qdisc ")?.split_whitespace().collect();
    let (kind, handle) = (*words.first()?, handle(words.get(1)?)?);
    let after =
        |name: &str| words.iter().position(|word| *word == name).and_then(|at| words.get(at + 1)).copied();
    let name = Some(after("dev").unwrap_or(about)).filter(|name| is_name(name))?;
    // Ingress is no transmit qdisc.
    let parent = match after("parent") {
        Some(parent) => self::handle(parent)?,
        None => ROOT,
    };
    let is_known = kind.len() <= 16 && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let options = options(kind, &words, &after);
    is_known
        .then(|| (name.to_owned(), Qdisc { kind: kind.to_owned(), handle, parent, options, counters: None }))
}

/// A line below it. False where it is none.
pub(super) fn further(qdisc: &mut Qdisc, line: &str) -> bool {
    let words: Vec<&str> = line
        .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ','))
        .filter(|word| !word.is_empty())
        .collect();
    let before = |unit: &str| {
        let at = words.iter().position(|word| *word == unit)?;
        words.get(at.checked_sub(1)?)?.parse::<u64>().ok()
    };
    let after = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1)?.parse::<u64>().ok()
    };
    if words.first() == Some(&"Sent") {
        let packets = before("pkt").or_else(|| before("pkts"));
        if let (Some(bytes), Some(segments)) = (before("bytes"), packets) {
            let (drops, requeues) = (after("dropped").unwrap_or(0), after("requeues").unwrap_or(0));
            qdisc.counters = Some(QdiscCounts { bytes, segments, drops, requeues, ..QdiscCounts::default() });
        }
    }
    true
}

/// `8001:`, `1:a`; `0:` is that of a qdisc by default.
fn handle(text: &str) -> Option<u32> {
    let (major, minor) = text.split_once(':')?;
    let number = |text: &str| if text.is_empty() { Some(0) } else { u32::from_str_radix(text, 16).ok() };
    let (major, minor) = (number(major)?, number(minor)?);
    (major <= 0xffff && minor <= 0xffff).then_some(major << 16 | minor)
}

fn options<'a>(kind: &str, words: &[&str], after: &impl Fn(&str) -> Option<&'a str>) -> QdiscOptions {
    match kind {
        "tbf" => {
            let found = after("rate").and_then(rate).zip(after("burst").and_then(size));
            found.map_or(QdiscOptions::None, |(rate_bytes_per_s, burst_bytes)| QdiscOptions::Tbf {
                burst_bytes,
                rate_bytes_per_s,
            })
        }
        "cake" => {
            let split = words.contains(&"split-gso");
            let not = words.contains(&"no-split-gso");
            QdiscOptions::Cake { split_gso: (split || not).then_some(split) }
        }
        "netem" => {
            let percent = after("corrupt").and_then(|share| share.strip_suffix('%')?.parse::<f64>().ok());
            // Per 2^32.
            let corrupt =
                percent.map_or(0.0, |percent| (percent / 100.0).clamp(0.0, 1.0) * f64::from(u32::MAX));
            QdiscOptions::Netem { corrupt: corrupt as u32 }
        }
        _ => QdiscOptions::None,
    }
}

/// Bytes per second: `100Mbit`, `1Gbit`, `12500bps`.
fn rate(text: &str) -> Option<u64> {
    const UNITS: [(&str, f64); 9] = [
        ("Gbit", 1e9 / 8.0),
        ("Mbit", 1e6 / 8.0),
        ("Kbit", 1e3 / 8.0),
        ("GBps", 1e9),
        ("MBps", 1e6),
        ("KBps", 1e3),
        ("gbit", 1e9 / 8.0),
        ("bit", 1.0 / 8.0),
        ("bps", 1.0),
    ];
    in_units(text, &UNITS)
}

/// Bytes: `20Kb`, `4Mb`, `1600b`, as tc writes them, with 1,024 to a K.
fn size(text: &str) -> Option<u64> {
    const UNITS: [(&str, f64); 3] = [("Mb", 1_048_576.0), ("Kb", 1_024.0), ("b", 1.0)];
    // `20Kb/8`: with its cell.
    in_units(text.split('/').next()?, &UNITS)
}

fn in_units(text: &str, units: &[(&str, f64)]) -> Option<u64> {
    let (number, factor) =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    let value = number.parse::<f64>().ok()? * factor;
    (value.is_finite() && value >= 0.0).then_some(value as u64)
}
