//! Axes: where a time lies, and the units that suit what is drawn.

/// A horizontal axis of time, in pixels.
pub(in crate::report) struct TimeAxis {
    pub(in crate::report) from_s: f64,
    pub(in crate::report) to_s: f64,
    left: i32,
    right: i32,
    /// Of the unit that its labels are in.
    pub(in crate::report) seconds_per_unit: f64,
    pub(in crate::report) unit: &'static str,
}

impl TimeAxis {
    /// From the run's start, or before, to `to_s`.
    pub(in crate::report) fn new(from_s: f64, to_s: f64, [left, right]: [i32; 2]) -> Self {
        let from_s = from_s.min(0.0);
        let to_s = to_s.max(from_s + 1e-9);
        let (seconds_per_unit, unit) = match to_s - from_s {
            length if length > 4.0 * 3600.0 => (3600.0, "hours"),
            length if length > 600.0 => (60.0, "minutes"),
            _ => (1.0, "seconds"),
        };
        Self { from_s, to_s, left, right, seconds_per_unit, unit }
    }

    pub(in crate::report) fn x(&self, at_s: f64) -> i32 {
        let part = ((at_s - self.from_s) / (self.to_s - self.from_s)).clamp(0.0, 1.0);
        self.left + (part * f64::from(self.right - self.left)).round() as i32
    }

    /// In the labels' unit.
    pub(in crate::report) fn range(&self) -> std::ops::Range<f64> {
        self.from_s / self.seconds_per_unit..self.to_s / self.seconds_per_unit
    }

    pub(in crate::report) fn title(&self) -> String {
        format!("{} since the run began", self.unit)
    }
}

/// A stretch of the run: `12.0–13.0 s`, `1:02:00–1:04:00`.
pub(in crate::report) fn stretch(from_s: f64, to_s: f64) -> String {
    if !from_s.is_finite() || !to_s.is_finite() || to_s < 600.0 {
        return format!("{from_s:.1}–{to_s:.1} s");
    }
    format!("{}–{}", clock(from_s), clock(to_s))
}

/// A cast from a float saturates, so an absurd time stays a number.
fn clock(at_s: f64) -> String {
    let whole = at_s.max(0.0).round() as u64;
    format!("{}:{:02}:{:02}", whole / 3600, whole % 3600 / 60, whole % 60)
}

/// How many of the unit that suits a rate there are in 1 Gbit/s, and the unit.
pub(in crate::report) fn rate_unit(highest_gbps: f64) -> (f64, &'static str) {
    match highest_gbps {
        high if high >= 1000.0 => (1e-3, "Tbit/s"),
        high if high >= 0.5 => (1.0, "Gbit/s"),
        high if high >= 0.000_5 => (1e3, "Mbit/s"),
        high if high >= 0.000_000_5 => (1e6, "kbit/s"),
        _ => (1e9, "bit/s"),
    }
}

/// A number on an axis: no more digits than it needs.
pub(in crate::report) fn tick(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.000_5 {
        return format!("{value:.1e}");
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
