//! The effects with their intervals, around the line of no change.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::{Pair, empty_sheet, sheet};
use crate::model::comparison::Effect;
use crate::report::charts::colours::{BLUE, FAINT, GREY, GRID, INK, VERMILLION};
use crate::report::charts::lettering::{Lettering, text_width, write, write_lines, write_within};
use crate::report::charts::page::{Area, BODY_TOP, HEIGHT, LEFT, RIGHT, Topic, dashes};
use crate::report::charts::{ChartError, Table};
use crate::report::compare::words::{change, figure, judgement, signed};

const TOPIC: Topic = Topic { stem: "compare-effects", subject: "How B differs from A, with 95 % intervals" };
/// The picture, between the names and the figures.
const FROM: i32 = LEFT + 330;
const TO: i32 = RIGHT - 300;
const TOP: i32 = BODY_TOP + 26;
const BOTTOM: i32 = HEIGHT - 66;
/// Ratios beyond these are drawn as arrows.
const FARTHEST: f64 = 64.0;
/// What may stand on the axis, in percent, where there is room: the first have precedence.
const TICKS: [f64; 27] = [
    0.0, 300.0, -75.0, 100.0, -50.0, 2900.0, -97.0, 900.0, -90.0, 10.0, -10.0, 1.0, -1.0, 20.0, -20.0, 2.0,
    -2.0, 50.0, -33.0, 5.0, -5.0, 200.0, -67.0, 0.5, -0.5, 0.2, -0.2,
];

pub(super) fn draw(pair: &Pair<'_>) -> Result<String, ChartError> {
    let effects = &pair.report.comparison.effects;
    if effects.iter().all(|effect| effect.change_percent.is_none()) {
        let why =
            effects.iter().find_map(|effect| effect.reason.as_deref()).unwrap_or("nothing was measured");
        return empty_sheet(pair, TOPIC, &format!("no change is known ({why})"));
    }
    let axis = Axis::new(effects);
    let told: Vec<String> =
        effects.iter().map(|effect| format!("{}: {}", effect.name, said(effect))).collect();
    let description = format!(
        "A dot for each change from A to B, its 95 % interval as a bar, around a line at 0. {}.",
        told.join(". ")
    );
    sheet(pair, TOPIC, &description, |area, hovers| {
        axis.draw(area)?;
        let row = (BOTTOM - TOP) / i32::try_from(effects.len()).unwrap_or(1).max(1);
        for (y, effect) in (TOP..).step_by(usize::try_from(row).unwrap_or(1).max(1)).zip(effects) {
            draw_row(area, &axis, y + row / 2, effect)?;
            hovers.area([(LEFT, y), (RIGHT, y + row)], &format!("{}: {}", effect.name, said(effect)));
        }
        Ok(())
    })
}

/// Figures, change, and what may be said of it.
fn said(effect: &Effect) -> String {
    let mut said = format!("{} in A, {} in B", figure(effect, effect.a), figure(effect, effect.b));
    if effect.change_percent.is_some() {
        said += &format!(", {}", change(effect));
    }
    for more in [judgement(effect), effect.reason.as_deref().unwrap_or_default()] {
        if !more.is_empty() {
            said += &format!(", {more}");
        }
    }
    said
}

fn draw_row(area: &Area<'_>, axis: &Axis, y: i32, effect: &Effect) -> Result<(), ChartError> {
    write_within(area, &effect.name, (LEFT, y - 3), FROM - LEFT - 10, &Lettering::new(17, INK).bold())?;
    let figures = match (effect.a, effect.b) {
        (None, None) => "not measured".to_owned(),
        (a, b) => format!("{} → {}", figure(effect, a), figure(effect, b)),
    };
    write_within(area, &figures, (LEFT, y + 18), FROM - LEFT - 10, &Lettering::new(15, FAINT))?;

    let colour = match effect.is_improvement() {
        Some(true) => BLUE,
        Some(false) => VERMILLION,
        None => GREY,
    };
    if let Some([low, high]) = effect.interval_percent {
        axis.bar(area, y, [low, high], colour)?;
    }
    if let Some(change) = effect.change_percent {
        axis.dot(area, y, change, colour, effect.is_clear() == Some(true))?;
    }
    let (change, below) = match (effect.change_percent, &effect.reason) {
        (None, reason) => ("not known".to_owned(), reason.as_deref().unwrap_or_default()),
        (Some(_), Some(reason)) => (change(effect), reason.as_str()),
        (Some(_), None) => (change(effect), judgement(effect)),
    };
    let right = TO + 22;
    write_within(area, &change, (right, y - 3), RIGHT - right, &Lettering::new(17, INK).bold())?;
    write_lines(area, below, (right, y + 17), (RIGHT - right, 2), &Lettering::new(14, FAINT))?;
    Ok(())
}

/// Logarithms of ratios: halving is as far to the left as doubling is to the right.
struct Axis {
    lowest: f64,
    highest: f64,
}

impl Axis {
    fn new(effects: &[Effect]) -> Self {
        let ends = effects.iter().flat_map(|effect| {
            effect.change_percent.into_iter().chain(effect.interval_percent.into_iter().flatten())
        });
        // 0 is in sight, and so is what is said beside it.
        let (lowest, highest) = ends
            .map(log)
            .fold((-0.02_f64, 0.02_f64), |(lowest, highest), log| (lowest.min(log), highest.max(log)));
        let room = (highest - lowest) * 0.06;
        Self { lowest: lowest - room, highest: highest + room }
    }

    fn x(&self, percent: f64) -> i32 {
        let part = (log(percent) - self.lowest) / (self.highest - self.lowest);
        FROM + (part * f64::from(TO - FROM)).round() as i32
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), ChartError> {
        let mut taken: Vec<(i32, i32)> = Vec::new();
        for percent in TICKS {
            let x = self.x(percent);
            let label = format!("{} %", tick(percent));
            let half = text_width(&label, 15) / 2 + 8;
            let within = (FROM..=TO).contains(&x) && x + half <= RIGHT;
            if !within || taken.iter().any(|(from, to)| x - half < *to && x + half > *from) {
                continue;
            }
            taken.push((x - half, x + half));
            if percent == 0.0 {
                dashes(area, x, TOP, BOTTOM, INK)?;
            } else {
                area.draw(&PathElement::new([(x, TOP), (x, BOTTOM)], GRID))?;
            }
            write(area, &label, (x, BOTTOM + 20), &Lettering::new(15, INK).anchored(HPos::Center))?;
        }
        let middle = (FROM + TO) / 2;
        let words = "change from A to B (logarithm of the ratio)";
        write(area, words, (middle, BOTTOM + 44), &Lettering::new(15, INK).anchored(HPos::Center))
    }

    fn bar(&self, area: &Area<'_>, y: i32, ends: [f64; 2], colour: RGBColor) -> Result<(), ChartError> {
        let [from, to] = ends.map(|end| self.x(end));
        // What has no width is still seen.
        area.draw(&Rectangle::new([(from, y - 3), (to.max(from + 1), y + 3)], colour.filled()))?;
        for (x, end) in [from, to].into_iter().zip(ends) {
            if is_off(end) {
                self.arrow(area, x, y, end, colour)?;
            } else {
                area.draw(&Rectangle::new([(x - 1, y - 9), (x + 1, y + 9)], colour.filled()))?;
            }
        }
        Ok(())
    }

    fn dot(
        &self,
        area: &Area<'_>,
        y: i32,
        at: f64,
        colour: RGBColor,
        is_clear: bool,
    ) -> Result<(), ChartError> {
        let x = self.x(at);
        if is_off(at) {
            return self.arrow(area, x, y, at, colour);
        }
        area.draw(&Circle::new((x, y), 8, colour.filled()))?;
        if !is_clear {
            area.draw(&Circle::new((x, y), 5, WHITE.filled()))?;
        }
        Ok(())
    }

    /// It lies beyond what is drawn.
    fn arrow(
        &self,
        area: &Area<'_>,
        x: i32,
        y: i32,
        towards: f64,
        colour: RGBColor,
    ) -> Result<(), ChartError> {
        let back = if towards > 0.0 { -14 } else { 14 };
        area.draw(&Polygon::new(vec![(x, y), (x + back, y - 9), (x + back, y + 9)], colour.filled()))?;
        Ok(())
    }
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

pub(super) fn table(pair: &Pair<'_>) -> Table {
    let mut table = Table::new([
        "what",
        "A",
        "B",
        "change",
        "95 % from",
        "to",
        "intervals of A and B",
        "what may be said",
    ]);
    for effect in &pair.report.comparison.effects {
        let percent = |value: Option<f64>| {
            value.map_or_else(|| "not known".to_owned(), |value| format!("{} %", signed(value)))
        };
        table.row([
            effect.name.clone(),
            figure(effect, effect.a),
            figure(effect, effect.b),
            percent(effect.change_percent),
            percent(effect.interval_percent.map(|[low, _]| low)),
            percent(effect.interval_percent.map(|[_, high]| high)),
            format!("{} and {}", effect.intervals.a, effect.intervals.b),
            effect.reason.clone().unwrap_or_else(|| judgement(effect).to_owned()),
        ]);
    }
    table
}
