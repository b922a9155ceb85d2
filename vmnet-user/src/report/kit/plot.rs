//! A plot: two axes with their grid, and where a value lies between them.

use plotters::style::text_anchor::HPos;

use super::colours::{FAINT, GRID, INK};
use super::lettering::Lettering;
use super::sheet::Sheet;

/// Where a plot is, in pixels.
#[derive(Clone, Copy)]
pub(in crate::report) struct Frame {
    pub(in crate::report) left: i32,
    pub(in crate::report) right: i32,
    pub(in crate::report) top: i32,
    pub(in crate::report) bottom: i32,
}

/// An axis from one value to another.
#[derive(Clone)]
pub(in crate::report) struct Axis {
    low: f64,
    high: f64,
    /// What one of the unit of its labels is.
    unit: f64,
    is_logarithmic: bool,
    /// Empty where it has neither labels nor title.
    pub(in crate::report) title: String,
    label: fn(f64) -> String,
}

impl Axis {
    pub(in crate::report) fn new(low: f64, high: f64, title: impl Into<String>) -> Self {
        let high = high.max(low + 1e-9);
        Self { low, high, unit: 1.0, is_logarithmic: false, title: title.into(), label: tick }
    }

    /// Seconds of a run, from its start or before.
    pub(in crate::report) fn time(from_s: f64, to_s: f64) -> Self {
        let from_s = from_s.min(0.0);
        let to_s = to_s.max(from_s + 1e-9);
        let (unit, name) = match to_s - from_s {
            length if length > 4.0 * 3600.0 => (3600.0, "hours"),
            length if length > 600.0 => (60.0, "minutes"),
            _ => (1.0, "seconds"),
        };
        Self { unit, ..Self::new(from_s, to_s, format!("{name} since the run began")) }
    }

    /// Gbit/s of `what`, from 0 to the highest, with head room, so that the highest does not run into the frame.
    pub(in crate::report) fn rate(highest_gbps: f64, what: &str) -> Self {
        let (unit, name) = match highest_gbps {
            high if high >= 1000.0 => (1e3, "Tbit/s"),
            high if high >= 0.5 || high <= 0.0 => (1.0, "Gbit/s"),
            high if high >= 0.000_5 => (1e-3, "Mbit/s"),
            high if high >= 0.000_000_5 => (1e-6, "kbit/s"),
            _ => (1e-9, "bit/s"),
        };
        let high = if highest_gbps > 0.0 { highest_gbps * 1.08 } else { 1.0 };
        let title = if what.is_empty() { name.to_owned() } else { format!("{name}, {what}") };
        Self { unit, high, ..Self::new(0.0, 0.0, title) }
    }

    /// Bytes, by their logarithm. Both ends are above 0.
    pub(in crate::report) fn lengths(low: f64, high: f64, title: &str) -> Self {
        Self { is_logarithmic: true, label: length, ..Self::new(low, high, title) }
    }

    /// Its labels in another unit.
    pub(in crate::report) fn in_units(self, unit: f64) -> Self {
        Self { unit, ..self }
    }

    /// The same axis without labels.
    pub(in crate::report) fn bare(&self) -> Self {
        Self { title: String::new(), ..self.clone() }
    }

    /// How far along it a value lies, 0 to 1.
    fn part(&self, value: f64) -> f64 {
        let part = if self.is_logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        if part.is_nan() { 0.0 } else { part.clamp(0.0, 1.0) }
    }

    /// Round values: 1, 2 or 5 times a power of ten, about as many as are asked for.
    fn ticks(&self, most: usize) -> Vec<f64> {
        if self.is_logarithmic {
            let decades = (self.high / self.low).log10();
            let steps: &[f64] = if decades > 5.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
            let all = (0..=20).flat_map(|decade| steps.iter().map(move |step| step * 10_f64.powi(decade)));
            return all.filter(|value| (self.low..=self.high).contains(value)).collect();
        }
        let [low, high] = [self.low, self.high].map(|end| end / self.unit);
        let power = 10_f64.powf(((high - low) / most as f64).log10().floor());
        let fits = |step: &f64| (high - low) / step <= most as f64;
        let step =
            [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(fits).unwrap_or(high - low);
        let first = (low / step).ceil();
        let all = (0..=most).map(|number| (first + number as f64) * step);
        // Rounding must not lose the last.
        let last = high + step * 1e-6;
        all.take_while(|value| *value <= last).map(|value| value * self.unit).collect()
    }

    fn label(&self, value: f64) -> String {
        (self.label)(value / self.unit)
    }
}

/// Two axes in a frame.
#[derive(Clone)]
pub(in crate::report) struct Plot {
    pub(in crate::report) frame: Frame,
    pub(in crate::report) across: Axis,
    pub(in crate::report) up: Axis,
}

impl Plot {
    pub(in crate::report) fn x(&self, value: f64) -> i32 {
        let Frame { left, right, .. } = self.frame;
        left + (self.across.part(value) * f64::from(right - left)).round() as i32
    }

    pub(in crate::report) fn y(&self, value: f64) -> i32 {
        let Frame { top, bottom, .. } = self.frame;
        bottom - (self.up.part(value) * f64::from(bottom - top)).round() as i32
    }

    /// Grid, labels and titles; the vertical axis has its title above it, to be read without turning one's head.
    pub(in crate::report) fn draw(&self, sheet: &mut Sheet<'_>) {
        let Frame { left, right, top, bottom } = self.frame;
        let ink = Lettering::new(15, INK);
        let most = usize::try_from((bottom - top) / 45).unwrap_or(2).clamp(2, 8);
        for value in self.up.ticks(most) {
            let y = self.y(value);
            sheet.line([(left, y), (right, y)], GRID);
            sheet.text(&self.up.label(value), (left - 8, y + 5), &ink.anchored(HPos::Right));
        }
        sheet.text(&self.up.title, (left - 8, top - 8), &Lettering::new(14, FAINT));
        sheet.line([(left, top), (left, bottom), (right, bottom)], FAINT);
        if self.across.title.is_empty() {
            return;
        }
        self.label_below(sheet, bottom);
        let middle = (left + right) / 2;
        sheet.text(&self.across.title, (middle, bottom + 44), &ink.anchored(HPos::Center));
    }

    /// The horizontal axis's labels below a line.
    pub(in crate::report) fn label_below(&self, sheet: &mut Sheet<'_>, line: i32) {
        for value in self.across.ticks(12) {
            let x = self.x(value);
            sheet.line([(x, line), (x, line + 5)], FAINT);
            let lettering = Lettering::new(15, INK).anchored(HPos::Center);
            sheet.text(&self.across.label(value), (x, line + 21), &lettering);
        }
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

/// A number on an axis: no more digits than it needs.
pub(in crate::report) fn tick(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.000_5 {
        return format!("{value:.1e}");
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn length(bytes: f64) -> String {
    match bytes.round() {
        b if b >= 1e9 => format!("{} GB", tick(b / 1e9)),
        b if b >= 1e6 => format!("{} MB", tick(b / 1e6)),
        b if b >= 1e3 => format!("{} kB", tick(b / 1e3)),
        b => format!("{} B", tick(b)),
    }
}
