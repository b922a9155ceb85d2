//! Figures, changes and what may be said of them, as people read them.

use crate::model::experiment::{Arm, Design, Effect, Judgement, MOST_CHANCE, Role, Scale};
use crate::report::kit::format;

/// A change with its interval, in one unit.
#[derive(Clone, Copy, Debug)]
pub(in crate::report) struct Amount<'a> {
    pub(in crate::report) value: f64,
    pub(in crate::report) interval: Option<[f64; 2]>,
    unit: &'a str,
}

impl<'a> Amount<'a> {
    /// None where the change is not known.
    pub(in crate::report) fn of(effect: &'a Effect) -> Option<Self> {
        let (value, interval, unit) = match effect.scale {
            Scale::Ratio => (effect.change_percent, effect.interval_percent, "%"),
            Scale::Difference => (effect.difference, effect.interval, effect.unit.as_str()),
        };
        let value = value.filter(|value| value.is_finite())?;
        let interval = interval.filter(|ends| ends.iter().all(|end| end.is_finite()));
        Some(Self { value, interval, unit })
    }

    /// A percentage without an interval; for what is no effect.
    pub(in crate::report) fn percent(value: f64, interval: Option<[f64; 2]>) -> Self {
        Self { value, interval, unit: "%" }
    }

    /// Whether the interval leaves out 0; None without one.
    pub(in crate::report) fn is_clear(&self) -> Option<bool> {
        self.interval.map(|[low, high]| low > 0.0 || high < 0.0)
    }

    /// `+87 %`.
    pub(in crate::report) fn change(&self) -> String {
        format!("{} {}", with_sign(self.value, self.decimals()), self.unit)
    }

    /// ` [80, 95]`, or that there is none.
    pub(in crate::report) fn range(&self) -> String {
        match self.interval {
            None => " (no interval)".to_owned(),
            Some([low, high]) => {
                let decimals = self.decimals();
                format!(" [{}, {}]", number(low, decimals), number(high, decimals))
            }
        }
    }

    /// `+87 % [80, 95]`.
    pub(in crate::report) fn said(&self) -> String {
        self.change() + &self.range()
    }

    /// What it may be at most, either way: the interval's farther end, never rounded down.
    pub(in crate::report) fn at_most(&self) -> Option<String> {
        let [low, high] = self.interval?;
        let decimals = self.decimals();
        let scale = 10_f64.powi(i32::try_from(decimals).unwrap_or_default());
        // What is exact in decimals is not exact in binary.
        let farthest = (low.abs().max(high.abs()) * scale - 1e-6).ceil() / scale;
        Some(format!("{} {}", number(farthest, decimals), self.unit))
    }

    /// As many as the interval's width makes sense of, and three digits in all at most.
    fn decimals(&self) -> usize {
        let by_size = match self.value.abs() {
            size if size >= 99.95 => 0,
            size if size >= 9.995 => 1,
            _ => 3,
        };
        let by_width = match self.interval.map(|[low, high]| high - low) {
            None => 1,
            Some(width) if width >= 5.0 => 0,
            Some(width) if width >= 0.5 => 1,
            Some(width) if width >= 0.05 => 2,
            Some(_) => 3,
        };
        by_width.min(by_size)
    }
}

/// `−3.2`, `80`. What is not 0 does not read as 0 where a digit or two help, and a part of 100 % that is not all of it does not read as all.
fn number(value: f64, decimals: usize) -> String {
    let size = value.abs();
    if size >= 1e6 {
        return format!("{}{size:.1e}", if value < 0.0 { "−" } else { "" });
    }
    let is_zero = |digits: &str| digits.chars().all(|digit| matches!(digit, '0' | '.'));
    let mut digits = format!("{size:.decimals$}");
    for more in decimals + 1..=3 {
        if size == 0.0 || !is_zero(&digits) {
            break;
        }
        digits = format!("{size:.more$}");
    }
    match (is_zero(&digits), value < 0.0) {
        (true, _) => format!("{:.decimals$}", 0.0),
        (false, true) if value > -100.0 && digits.split('.').next() == Some("100") => "−>99.9".to_owned(),
        (false, true) => format!("−{digits}"),
        (false, false) => digits,
    }
}

fn with_sign(value: f64, decimals: usize) -> String {
    let said = number(value, decimals);
    let is_zero = said.chars().all(|digit| matches!(digit, '0' | '.'));
    if value > 0.0 && !is_zero { format!("+{said}") } else { said }
}

/// One arm's figure, in its unit.
pub(in crate::report) fn figure(effect: &Effect, value: Option<f64>) -> String {
    match value.filter(|value| value.is_finite()) {
        Some(value) => in_unit(value, &effect.unit),
        None => "not measured".to_owned(),
    }
}

/// `9.41 Gbit/s`, `0.520 ns/byte`, `1.51 kB`.
pub(in crate::report) fn in_unit(value: f64, unit: &str) -> String {
    match unit {
        // What is absurd is told as that, and not by a name for it.
        unit if value.abs() >= 1e9 => format!("{value:.1e} {unit}"),
        "Gbit/s" => format::rate(value),
        "bytes" => format::mean_bytes(value),
        "/s" => format!("{}/s", format::significant(value)),
        unit => format!("{} {unit}", format::significant(value)),
    }
}

/// From the base to the arm: `5.02 → 9.41 Gbit/s`, `1.51 kB → 43.2 kB`.
pub(in crate::report) fn figures(effect: &Effect) -> String {
    match (effect.base, effect.arm) {
        (None, None) => "not measured".to_owned(),
        (base, arm) => {
            let (base, arm) = (figure(effect, base), figure(effect, arm));
            // A unit that both have is said once.
            match (base.rsplit_once(' '), arm.rsplit_once(' ')) {
                (Some((number, unit)), Some((_, other))) if unit == other => {
                    format!("{number} → {arm}")
                }
                _ => format!("{base} → {arm}"),
            }
        }
    }
}

/// What the interval lets one say of a treatment.
pub(in crate::report) fn judgement(effect: &Effect) -> String {
    match effect.judgement {
        Judgement::Better => format!("better{}", barely(effect)),
        Judgement::Worse => format!("worse{}", barely(effect)),
        Judgement::NoClearEffect => match Amount::of(effect).and_then(|amount| amount.at_most()) {
            Some(most) => format!("no effect larger than {most}"),
            None => "no clear effect".to_owned(),
        },
        Judgement::NotKnown => reason(effect).to_owned(),
    }
}

/// Interval and chance are two ways to the same end, and differ where it is close.
fn barely(effect: &Effect) -> &'static str {
    if effect.chance.is_some_and(|chance| chance > MOST_CHANCE) { ", barely" } else { "" }
}

/// What the interval lets one say of an arm that is the base under another name.
pub(in crate::report) fn judgement_of_placebo(effect: &Effect) -> String {
    match Amount::of(effect).and_then(|amount| amount.is_clear()) {
        Some(true) => "differs, with nothing to differ by".to_owned(),
        Some(false) => "holds 0, as it should".to_owned(),
        None => reason(effect).to_owned(),
    }
}

/// Why there is no figure, or no interval.
pub(in crate::report) fn reason(effect: &Effect) -> &str {
    effect.reason.as_deref().unwrap_or("not measured")
}

/// The smallest effect that would have been seen, in its unit.
pub(in crate::report) fn smallest_visible(effect: &Effect) -> Option<String> {
    let smallest = effect.smallest_visible.filter(|smallest| smallest.is_finite())?;
    let unit = match effect.scale {
        Scale::Ratio => "%",
        Scale::Difference => effect.unit.as_str(),
    };
    let few_digits =
        if smallest.abs() >= 1e6 { format!("{smallest:.1e}") } else { format::significant(smallest) };
    Some(format!("{few_digits} {unit}"))
}

/// The p-value of a permutation test (arm labels exchanged within blocks), with its sign: `= 0.031`, `< 0.001`.
pub(in crate::report) fn chance(effect: &Effect) -> Option<String> {
    let p = effect.chance.filter(|p| (0.0..=1.0).contains(p))?;
    Some(if p < 0.001 { "< 0.001".to_owned() } else { format!("= {p:.3}") })
}

/// What an arm is called in a result: `TSO` where it is switched on and was off, else the arm's own name.
pub(in crate::report) fn label<'a>(feature: &str, design: &Design, arm: usize, name: &'a str) -> &'a str {
    let name_of = |arm: Option<&Arm>| arm.map(|arm| arm.name.clone()).unwrap_or_default();
    let is_tso = feature == "tso"
        && name_of(design.arms.get(arm)) == "tso=on"
        && name_of(design.arms.first()) == "tso=off";
    if is_tso { "TSO" } else { name }
}

/// What an arm is there for.
pub(in crate::report) fn role(role: Role) -> &'static str {
    match role {
        Role::Base => "base",
        Role::Treatment => "treatment",
        Role::Placebo => "placebo",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(value: f64, low: f64, high: f64) -> String {
        Amount::percent(value, Some([low, high])).said()
    }

    #[test]
    fn a_change_has_as_many_digits_as_its_interval_makes_sense_of() {
        assert_eq!(said(87.3, 80.2, 94.8), "+87 % [80, 95]");
        assert_eq!(said(0.41, -1.12, 1.93), "+0.4 % [−1.1, 1.9]");
        assert_eq!(said(-12.2, -15.1, -9.4), "−12 % [−15, −9]");
        assert_eq!(said(0.05, 0.03, 0.07), "+0.050 % [0.030, 0.070]");
        assert_eq!(said(2754.02, 2753.1, 2754.9), "+2754 % [2753, 2755]");
        assert_eq!(said(-60.72, -60.81, -60.63), "−60.7 % [−60.8, −60.6]");
        assert_eq!(Amount::percent(87.3, None).said(), "+87.3 % (no interval)");
    }

    #[test]
    fn an_end_that_is_not_0_does_not_read_as_0_and_nearly_all_is_not_all() {
        assert_eq!(said(4.0, 0.3, 9.0), "+4 % [0.3, 9]");
        assert_eq!(said(4.0, -0.3, 9.0), "+4 % [−0.3, 9]");
        assert_eq!(said(0.0, 0.0, 9.0), "0 % [0, 9]");
        assert_eq!(said(-99.97, -99.99, -90.0), "−>99.9 % [−>99.9, −90]");
        assert_eq!(said(-100.0, -100.0, -90.0), "−100 % [−100, −90]");
        assert_eq!(said(1e9, -1e300, 1e300), "+1.0e9 % [−1.0e300, 1.0e300]");
    }

    #[test]
    fn a_name_has_no_capital_and_a_word_has_one() {
        let said = ["worse with TSO: −12 %", "gso_max_segs=16: +2 %", "tx-tcp-segmentation was off", ""]
            .map(format::sentence);
        assert_eq!(
            said,
            ["Worse with TSO: −12 %.", "gso_max_segs=16: +2 %.", "tx-tcp-segmentation was off.", ""]
        );
    }

    #[test]
    fn the_largest_effect_that_there_may_be_is_never_rounded_down() {
        let at_most = |low, high| Amount::percent(0.0, Some([low, high])).at_most().unwrap();
        assert_eq!(at_most(-1.1, 1.91), "2.0 %");
        assert_eq!(at_most(-1.1, 1.9), "1.9 %");
        assert_eq!(at_most(-12.1, 3.0), "13 %");
    }
}
