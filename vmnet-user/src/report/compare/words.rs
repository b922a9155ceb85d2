//! Figures and changes as people read them.

use super::schema::RunSummary;
use crate::model::comparison::Effect;
use crate::report::kit::format::{self, signed};

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
