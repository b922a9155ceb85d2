//! Amounts as people write them on a command line, and shares as they read them.

use std::time::Duration;

/// Why an amount was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// No number in front.
    #[error("{0:?} does not begin with a number")]
    NotANumber(String),
    /// A unit that there is not.
    #[error("{unit:?} is not a unit here; use {allowed}")]
    NoSuchUnit {
        /// What was written.
        unit: String,
        /// What can be.
        allowed: &'static str,
    },
    /// Nothing, or too small to be anything.
    #[error("{0:?} is nothing: give more than 0")]
    Nothing(String),
    /// Past 64 bits.
    #[error("{0:?} is more than can be counted")]
    TooMuch(String),
}

/// Bytes: `1500`, `100k`, `60M`, `1.5G`, `1T`, also `60MiB`. As in iperf3, k is 1024 bytes, and so on upwards; letter case does not matter.
///
/// # Errors
/// When it is not such an amount, or 0.
pub fn parse_bytes(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = split(text)?;
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        "t" | "tib" => 40,
        _ => {
            return Err(UnitError::NoSuchUnit {
                unit: unit.to_owned(),
                allowed: "k, M, G or T (of 1024), or none",
            });
        }
    };
    amount(text, number, 1 << shift)
}

/// A span of time: `30s`, `2m`, `500ms`, `1.5h`; seconds where there is no unit.
///
/// # Errors
/// When it is not such a span, or 0.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split(text)?;
    let unit_ns = match unit {
        "ms" => 1_000_000,
        "" | "s" => 1_000_000_000,
        "m" | "min" => 60 * 1_000_000_000,
        "h" => 3600 * 1_000_000_000,
        _ => return Err(UnitError::NoSuchUnit { unit: unit.to_owned(), allowed: "ms, s, m or h" }),
    };
    amount(text, number, unit_ns).map(Duration::from_nanos)
}

/// The number in front, and what follows it.
fn split(text: &str) -> Result<(&str, &str), UnitError> {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if !number.starts_with(|letter: char| letter.is_ascii_digit()) {
        return Err(UnitError::NotANumber(text.to_owned()));
    }
    Ok((number, unit.trim_start()))
}

/// `number`, which may have decimals, times `unit`; exact but for what is smaller than 1.
fn amount(text: &str, number: &str, unit: u128) -> Result<u64, UnitError> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if decimals.contains('.') {
        return Err(UnitError::NotANumber(text.to_owned()));
    }
    let too_much = || UnitError::TooMuch(text.to_owned());
    let digits: u128 = format!("{whole}{decimals}").parse().map_err(|_| too_much())?;
    let divisor = u32::try_from(decimals.len())
        .ok()
        .and_then(|count| 10u128.checked_pow(count))
        .ok_or_else(too_much)?;
    let product = digits.checked_mul(unit).ok_or_else(too_much)?;
    match u64::try_from(product / divisor) {
        Ok(0) => Err(UnitError::Nothing(text.to_owned())),
        Ok(amount) => Ok(amount),
        Err(_) => Err(too_much()),
    }
}

/// A share as a percentage, without the sign: `99.8`, `<0.1`, `>99.9`. `0.0` and `100.0` are exact.
#[must_use]
pub fn percent_number(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.05 {
        "<0.1".to_owned()
    } else if (99.95..100.0).contains(&percent) {
        ">99.9".to_owned()
    } else {
        format!("{percent:.1}")
    }
}

/// A share: `99.8 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{} %", percent_number(share))
}

/// `part` of `whole`; None where there is no whole.
#[must_use]
pub fn share(part: u64, whole: u64) -> Option<f64> {
    (whole != 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_follow_iperf3_in_that_k_is_1024() {
        for (text, bytes) in [
            ("1500", 1500),
            ("100k", 100 << 10),
            ("60M", 60 << 20),
            ("1g", 1 << 30),
            ("1.5G", 3 << 29),
            ("60 MiB", 60 << 20),
            ("2T", 2 << 40),
            ("0.5k", 512),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn durations_know_milliseconds_to_hours_and_take_seconds_for_granted() {
        for (text, ms) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("10", 10_000),
            ("2m", 120_000),
            ("1.5h", 5_400_000),
            ("0.25s", 250),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_amount_is_refused_with_the_reason() {
        let message = |text| parse_bytes(text).unwrap_err().to_string();
        assert_eq!(message("many"), "\"many\" does not begin with a number");
        assert_eq!(message("5kB"), "\"kB\" is not a unit here; use k, M, G or T (of 1024), or none");
        assert_eq!(message("0"), "\"0\" is nothing: give more than 0");
        assert_eq!(message("99999999999T"), "\"99999999999T\" is more than can be counted");
        for text in [
            "",
            "-5",
            ".5",
            "1.2.3",
            "1e9",
            "0x10",
            "9".repeat(60).as_str(),
            "1.00000000000000000000000000000000000000000000",
        ] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
        for text in ["", "0s", "0.0000000001s", "5d", "-1s", "s", "9999999999999h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_whole_number_of_bytes_is_read_back(bytes in 1u64..) {
            prop_assert_eq!(parse_bytes(&bytes.to_string()), Ok(bytes));
        }

        #[test]
        fn any_text_can_be_parsed(text in ".{0,80}") {
            let _ = (parse_bytes(&text), parse_duration(&text));
        }
    }
}
