//! Figures and changes as people read them.

use super::schema::RunSummary;
use crate::model::comparison::Effect;
use crate::report::kit::format;

/// What the two runs say, in one line.
pub(in crate::report) fn answer(a: &RunSummary, b: &RunSummary) -> String {
    if a.state_word == b.state_word {
        format!("Both {}", a.state_word)
    } else {
        format!("A {}, B {}", a.state_word, b.state_word)
    }
}

/// One side's figure, in its unit.
pub(in crate::report) fn figure(effect: &Effect, value: Option<f64>) -> String {
    let Some(value) = value else { return "not measured".to_owned() };
    match effect.unit.as_str() {
        "Gbit/s" => format::rate(value),
        "ns/byte" => format!("{} ns/byte", format::significant(value)),
        "share" if value > 0.0 && value < 0.0005 => {
            format!("{} per million", format::significant(value * 1e6))
        }
        "share" => format::percent(value),
        "bytes" => format::mean_bytes(value),
        unit => format!("{} {unit}", format::significant(value)),
    }
}

/// `+118 % [+115, +121]`; what is missing of it says so.
pub(in crate::report) fn change(effect: &Effect) -> String {
    match (effect.change_percent, effect.interval_percent) {
        (None, _) => "not known".to_owned(),
        (Some(change), None) => format!("{} %, no interval", signed(change)),
        (Some(change), Some([low, high])) => {
            format!("{} % [{}, {}]", signed(change), signed(low), signed(high))
        }
    }
}

/// What the interval lets one say.
pub(in crate::report) fn judgement(effect: &Effect) -> &'static str {
    match (effect.is_clear(), effect.is_improvement()) {
        (None, _) => "",
        (Some(false), _) => "no clear difference",
        (_, Some(true)) => "B is better",
        (_, _) => "A is better",
    }
}

/// With its sign, and no more digits than help: `+118`, `−3.2`, `0.0`.
pub(in crate::report) fn signed(percent: f64) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_its_sign_and_the_digits_that_help() {
        let said: Vec<String> =
            [118.18, -3.21, 0.0, 0.04, -0.04, 2754.3, 99.96, -99.97, -100.0].map(signed).into();
        assert_eq!(said, ["+118", "−3.2", "0.0", "0.0", "0.0", "+2754", "+100", "−>99.9", "−100"]);
    }
}
