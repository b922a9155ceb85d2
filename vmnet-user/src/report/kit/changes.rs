//! An axis of changes in percent, by the logarithm of the ratio: halving is as far to the left as doubling is to the right.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::colours::{GRID, INK};
use super::lettering::{Lettering, text_width, write};
use super::sheet::dashes;
use crate::report::compare::words::signed;
use crate::report::kit::canvas::{Area, RIGHT};
use crate::report::kit::chart::ChartError;

/// Ratios beyond these are drawn as arrows.
const FARTHEST: f64 = 64.0;
/// What may stand on the axis, in percent, where there is room: the first have precedence.
const TICKS: [f64; 27] = [
    0.0, 300.0, -75.0, 100.0, -50.0, 2900.0, -97.0, 900.0, -90.0, 10.0, -10.0, 1.0, -1.0, 20.0, -20.0, 2.0,
    -2.0, 50.0, -33.0, 5.0, -5.0, 200.0, -67.0, 0.5, -0.5, 0.2, -0.2,
];

/// Where the picture is.
#[derive(Clone, Copy)]
pub(in crate::report) struct Frame {
    pub(in crate::report) left: i32,
    pub(in crate::report) right: i32,
    pub(in crate::report) top: i32,
    pub(in crate::report) bottom: i32,
}

/// The axis.
pub(in crate::report) struct Axis {
    frame: Frame,
    lowest: f64,
    highest: f64,
}

impl Axis {
    /// Room for all of `percents`; 0 is in sight.
    pub(in crate::report) fn new(frame: Frame, percents: impl Iterator<Item = f64>) -> Self {
        let (lowest, highest) = percents
            .map(log)
            .fold((-0.02_f64, 0.02_f64), |(lowest, highest), log| (lowest.min(log), highest.max(log)));
        let room = (highest - lowest) * 0.06;
        Self { frame, lowest: lowest - room, highest: highest + room }
    }

    fn x(&self, percent: f64) -> i32 {
        let Frame { left, right, .. } = self.frame;
        let part = (log(percent) - self.lowest) / (self.highest - self.lowest);
        left + (part * f64::from(right - left)).round() as i32
    }

    /// The lines, their labels, and what they measure.
    pub(in crate::report) fn draw(&self, area: &Area<'_>, title: &str) -> Result<(), ChartError> {
        let Frame { left, right, top, bottom } = self.frame;
        let mut taken: Vec<(i32, i32)> = Vec::new();
        for percent in TICKS {
            let x = self.x(percent);
            let label = format!("{} %", tick(percent));
            let half = text_width(&label, 15) / 2 + 8;
            let within = (left..=right).contains(&x) && x + half <= RIGHT;
            if !within || taken.iter().any(|(from, to)| x - half < *to && x + half > *from) {
                continue;
            }
            taken.push((x - half, x + half));
            if percent == 0.0 {
                dashes(area, x, top, bottom, INK)?;
            } else {
                area.draw(&PathElement::new([(x, top), (x, bottom)], GRID))?;
            }
            write(area, &label, (x, bottom + 20), &Lettering::new(15, INK).anchored(HPos::Center))?;
        }
        let middle = (left + right) / 2;
        write(area, title, (middle, bottom + 44), &Lettering::new(15, INK).anchored(HPos::Center))
    }

    /// An interval: its ends are marked where `size` leaves room for it.
    pub(in crate::report) fn bar(
        &self,
        area: &Area<'_>,
        y: i32,
        ends: [f64; 2],
        colour: RGBColor,
        size: Size,
    ) -> Result<(), ChartError> {
        let [from, to] = ends.map(|end| self.x(end));
        let (thick, high) = (size.dot() * 3 / 8, size.dot() * 9 / 8);
        // What has no width is still seen.
        let corners = [(from, y - thick), (to.max(from + 1), y + thick)];
        area.draw(&Rectangle::new(corners, colour.filled()))?;
        for (x, end) in [from, to].into_iter().zip(ends) {
            if is_off(end) {
                arrow(area, (x, y), end, colour, size)?;
            } else {
                area.draw(&Rectangle::new([(x - 1, y - high), (x + 1, y + high)], colour.filled()))?;
            }
        }
        Ok(())
    }

    /// A change: full where it is clear, a ring where it is not.
    pub(in crate::report) fn dot(
        &self,
        area: &Area<'_>,
        y: i32,
        at: f64,
        colour: RGBColor,
        (is_clear, size): (bool, Size),
    ) -> Result<(), ChartError> {
        let x = self.x(at);
        if is_off(at) {
            return arrow(area, (x, y), at, colour, size);
        }
        area.draw(&Circle::new((x, y), size.dot(), colour.filled()))?;
        if !is_clear {
            area.draw(&Circle::new((x, y), size.dot() * 5 / 8, WHITE.filled()))?;
        }
        Ok(())
    }
}

/// How large marks are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Size {
    /// Where there is room.
    Large,
    /// Where rows are close.
    Small,
}

impl Size {
    /// Half of a dot.
    fn dot(self) -> i32 {
        match self {
            Self::Large => 8,
            Self::Small => 5,
        }
    }
}

/// It lies beyond what is drawn.
fn arrow(
    area: &Area<'_>,
    (x, y): (i32, i32),
    towards: f64,
    colour: RGBColor,
    size: Size,
) -> Result<(), ChartError> {
    let (length, half) = (size.dot() * 14 / 8, size.dot() * 9 / 8);
    let back = if towards > 0.0 { -length } else { length };
    area.draw(&Polygon::new(vec![(x, y), (x + back, y - half), (x + back, y + half)], colour.filled()))?;
    Ok(())
}

fn is_off(percent: f64) -> bool {
    let ratio = 1.0 + percent / 100.0;
    !(FARTHEST.recip()..=FARTHEST).contains(&ratio)
}

fn log(percent: f64) -> f64 {
    (1.0 + percent / 100.0).clamp(FARTHEST.recip(), FARTHEST).ln()
}

/// As [`signed()`], without decimals that are none.
fn tick(percent: f64) -> String {
    signed(percent).trim_end_matches(".0").to_owned()
}
