//! Numbers as people read them: three significant digits, SI units, and never a rounding that turns "nearly all" into
//! "all" or "hardly any" into "none".

pub use crate::units::{percent, percent_number};

/// Three significant digits: `43.2`, `0.957`, `1310`.
#[must_use]
pub fn significant(value: f64) -> String {
    let magnitude = value.abs();
    let decimals = match magnitude {
        m if m >= 99.95 => 0,
        m if m >= 9.995 => 1,
        m if m >= 0.9995 || m == 0.0 => 2,
        m if m >= 0.099_95 => 3,
        _ => 4,
    };
    format!("{value:.decimals$}")
}

/// Decimal SI: `532 B`, `43.2 kB`, `41.2 GB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    scaled(bytes as f64, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// As [`bytes()`], of a mean: `1.51 kB`, `532 B`.
#[must_use]
pub fn mean_bytes(bytes: f64) -> String {
    if bytes < 999.5 {
        return format!("{bytes:.0} B");
    }
    scaled(bytes, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// `7`, `9,876`, `43.2 k`, `0.96 M`, `27.3 M`.
#[must_use]
pub fn count(count: u64) -> String {
    match count {
        0..=999 => count.to_string(),
        1_000..=9_999 => format!("{},{:03}", count / 1000, count % 1000),
        10_000..=99_949 => format!("{:.1} k", count as f64 / 1e3),
        99_950..=999_999 => format!("{:.2} M", count as f64 / 1e6),
        _ => scaled(count as f64 / 1e6, &["M", "G", "T"]),
    }
}

/// To the last digit: `27,300,000`.
#[must_use]
pub fn exact(count: u64) -> String {
    let digits = count.to_string();
    let mut said = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            said.push(',');
        }
        said.push(digit);
    }
    said
}

/// A phrase with a capital in front, unless it begins with a name: `gso_max_segs=16`, `tx-tcp-segmentation`.
#[must_use]
pub fn capitalised(phrase: &str) -> String {
    let first = phrase.split([' ', ':', ',']).next().unwrap_or_default();
    if !first.chars().all(char::is_alphabetic) {
        return phrase.to_owned();
    }
    let mut letters = phrase.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A phrase as a sentence of its own: a capital in front, a full stop behind.
#[must_use]
pub fn sentence(phrase: &str) -> String {
    let mut said = capitalised(phrase);
    if !said.is_empty() && !said.ends_with(['.', '?', '!', '…', ':']) {
        said.push('.');
    }
    said
}

/// `3 queues`, `1 queue`.
#[must_use]
pub fn plural(count: impl TryInto<u64>, one: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    if count == 1 { format!("1 {one}") } else { format!("{} {one}s", exact(count)) }
}

/// A rate given in Gbit/s, in the unit that suits it: `11.0 Gbit/s`, `935 Mbit/s`, `12.3 kbit/s`.
#[must_use]
pub fn rate(gbps: f64) -> String {
    scaled(gbps * 1e9, &["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"])
}

/// `30.0 s`, `5 min 12 s`, `1 h 02 min`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    // A cast from a float saturates, so an absurd duration stays a number.
    let whole = seconds.round() as u64;
    if whole < 3600 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else {
        format!("{} h {:02} min", whole / 3600, whole % 3600 / 60)
    }
}

/// A time on the network, of µs: `42 µs`, `0.42 ms`, `37.50 ms`.
#[must_use]
pub fn round_trip(us: f64) -> String {
    if us < 99.5 { format!("{us:.0} µs") } else { format!("{:.2} ms", us / 1e3) }
}

/// A time of RFC 3339 as people write it, to the second: `22 November 2026, 10:11:12 UTC`. What is none stays as it is.
#[must_use]
pub fn moment(rfc3339: &str) -> String {
    let parsed = rfc3339.parse::<jiff::Timestamp>();
    parsed.map_or_else(|_| rfc3339.to_owned(), |at| at.strftime("%-d %B %Y, %H:%M:%S UTC").to_string())
}

/// A CPU's time per byte: `0.95 ns/byte`.
#[must_use]
pub fn ns_per_byte(ns: f64) -> String {
    format!("{ns:.2} ns/byte")
}

/// With its sign, and no more digits than help: `+118`, `−3.2`, `0.0`.
#[must_use]
pub fn signed(percent: f64) -> String {
    let size = percent.abs();
    let digits = match size {
        size if size >= 1e6 => format!("{size:.1e}"),
        size if size >= 99.95 => format!("{size:.0}"),
        _ => format!("{size:.1}"),
    };
    let is_zero = digits.chars().all(|digit| matches!(digit, '0' | '.'));
    match (is_zero, percent > 0.0) {
        (true, _) => digits,
        (false, true) => format!("+{digits}"),
        // A part of 100 % that is not all of it does not read as all.
        (false, false) if percent > -100.0 && digits == "100" => "−>99.9".to_owned(),
        (false, false) => format!("−{digits}"),
    }
}

/// Data of unknown origin (interface names, command lines, driver names), fit for a terminal and for XML: what would
/// steer a terminal, reverse the reading direction, or is forbidden in XML becomes `U+FFFD`.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if is_unprintable(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// What [`printable`] takes out; all of it is in the basic plane.
pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{FFFE}' | '\u{FFFF}')
}

/// At most `limit` characters; a longer text ends in `…`.
#[must_use]
pub fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(limit.saturating_sub(1)).collect();
    short.push('…');
    short
}

fn scaled(value: f64, units: &[&str]) -> String {
    let mut value = value;
    let mut index = 0;
    if value == 0.0 {
        return format!("0 {}", units.first().copied().unwrap_or_default());
    }
    // 999.5 has three digits too many to be said in this unit: it would print as 1000.
    while value.abs() >= 999.5 && index + 1 < units.len() {
        value /= 1000.0;
        index += 1;
    }
    format!("{} {}", significant(value), units.get(index).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_have_three_digits_and_a_decimal_unit() {
        let said: Vec<_> =
            [0, 999, 1000, 1514, 43_200, 999_499, 999_500, 41_200_000_000, u64::MAX].map(bytes).into();
        assert_eq!(
            said,
            ["0 B", "999 B", "1.00 kB", "1.51 kB", "43.2 kB", "999 kB", "1.00 MB", "41.2 GB", "18.4 EB"]
        );
    }

    #[test]
    fn counts_are_exact_while_they_are_short() {
        let said: Vec<_> = [0, 999, 1000, 9_876, 12_345, 99_949, 99_950, 957_000, 27_300_000, 4_000_000_000]
            .map(count)
            .into();
        assert_eq!(
            said,
            ["0", "999", "1,000", "9,876", "12.3 k", "99.9 k", "0.10 M", "0.96 M", "27.3 M", "4.00 G"]
        );
    }

    #[test]
    fn a_change_has_its_sign_and_the_digits_that_help() {
        let said: Vec<String> =
            [118.18, -3.21, 0.0, 0.04, -0.04, 2754.3, 99.96, -99.97, -100.0].map(signed).into();
        assert_eq!(said, ["+118", "−3.2", "0.0", "0.0", "0.0", "+2754", "+100", "−>99.9", "−100"]);
    }

    #[test]
    fn exact_counts_have_every_digit() {
        let said: Vec<_> = [0, 999, 1000, 27_300_000, u64::MAX].map(exact).into();
        assert_eq!(said, ["0", "999", "1,000", "27,300,000", "18,446,744,073,709,551,615"]);
    }

    #[test]
    fn a_phrase_becomes_a_sentence_once() {
        assert_eq!(sentence("nothing was sent"), "Nothing was sent.");
        assert_eq!(sentence(&sentence("nothing was sent")), "Nothing was sent.");
        assert_eq!(sentence(""), "");
    }

    #[test]
    fn nearly_all_is_not_all_and_hardly_any_is_not_none() {
        let said: Vec<_> = [0.0, 0.000_01, 0.0005, 0.998, 0.999_49, 0.9996, 1.0].map(percent).into();
        assert_eq!(said, ["0.0 %", "<0.1 %", "0.1 %", "99.8 %", "99.9 %", ">99.9 %", "100.0 %"]);
    }

    #[test]
    fn rates_take_the_unit_that_suits_them() {
        let said: Vec<_> = [0.0, 0.000_012_34, 0.935, 0.9996, 11.02, 102.4, 1200.0].map(rate).into();
        assert_eq!(
            said,
            [
                "0 bit/s",
                "12.3 kbit/s",
                "935 Mbit/s",
                "1.00 Gbit/s",
                "11.0 Gbit/s",
                "102 Gbit/s",
                "1.20 Tbit/s"
            ]
        );
    }

    #[test]
    fn round_trips_are_told_in_the_unit_that_fits() {
        assert_eq!(
            [21.4, 99.5, 420.0, 37_500.0].map(round_trip),
            ["21 µs", "0.10 ms", "0.42 ms", "37.50 ms"]
        );
    }

    #[test]
    fn durations_read_as_a_clock_would_say_them() {
        let said: Vec<_> = [0.0, 30.04, 59.96, 312.4, 3_725.0, 1e300].map(duration).into();
        assert_eq!(said[..5], ["0.0 s", "30.0 s", "1 min 00 s", "5 min 12 s", "1 h 02 min"]);
        assert!(said[5].ends_with("min"));
    }

    #[test]
    fn a_share_of_nothing_is_unknown() {
        assert_eq!(crate::units::share(0, 0), None);
        assert_eq!(crate::units::share(1, 4), Some(0.25));
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(printable("a\x1b[2J\u{202E}b\n\u{FFFF}é"), "a\u{FFFD}[2J\u{FFFD}b\u{FFFD}\u{FFFD}é");
    }

    #[test]
    fn long_texts_are_cut_with_an_ellipsis() {
        assert_eq!(shortened("ens4", 4), "ens4");
        assert_eq!(shortened("ens42", 4), "ens…");
    }

    proptest! {
        #[test]
        fn every_byte_count_is_said_in_at_most_seven_characters(value: u64) {
            prop_assert!(bytes(value).len() <= 7);
        }

        #[test]
        fn no_share_below_one_reads_as_all_and_none_above_zero_as_nothing(value in 1e-12_f64..0.999_999_999) {
            let said = percent_number(value);
            prop_assert!(said != "100.0" && said != "0.0");
        }
    }
}
