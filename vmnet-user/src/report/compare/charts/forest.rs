//! The effects with their intervals, around the line of no change.

use crate::model::comparison::Effect;
use crate::report::compare::Pair;
use crate::report::compare::words::{change, figure, judgement, signed};
use crate::report::kit::canvas::{Area, BODY_TOP, HEIGHT, LEFT, RIGHT};
use crate::report::kit::changes::{Axis, Frame, Size};
use crate::report::kit::chart::ChartError;
use crate::report::kit::colours::{BLUE, FAINT, GREY, INK, VERMILLION};
use crate::report::kit::lettering::{Lettering, write_lines, write_within};
use crate::report::kit::sheet::{Topic, Words, empty_sheet, sheet};
use crate::report::kit::table::Table;

const TOPIC: Topic = Topic { stem: "compare-effects", subject: "How B differs from A, with 95 % intervals" };
/// The picture, between the names and the figures.
const FROM: i32 = LEFT + 330;
const TO: i32 = RIGHT - 300;
const TOP: i32 = BODY_TOP + 26;
const BOTTOM: i32 = HEIGHT - 66;
const FRAME: Frame = Frame { left: FROM, right: TO, top: TOP, bottom: BOTTOM };

pub(super) fn draw(pair: &Pair) -> Result<String, ChartError> {
    let effects = &pair.report.comparison.effects;
    if effects.iter().all(|effect| effect.change_percent.is_none()) {
        let why =
            effects.iter().find_map(|effect| effect.reason.as_deref()).unwrap_or("nothing was measured");
        return empty_sheet(pair, TOPIC, &format!("no change is known ({why})"));
    }
    let ends = effects.iter().flat_map(|effect| {
        effect.change_percent.into_iter().chain(effect.interval_percent.into_iter().flatten())
    });
    let axis = Axis::new(FRAME, ends);
    let told: Vec<String> =
        effects.iter().map(|effect| format!("{}: {}", effect.name, said(effect))).collect();
    let description = format!(
        "A dot for each change from A to B, its 95 % interval as a bar, around a line at 0. {}.",
        told.join(". ")
    );
    sheet(pair, Words { topic: TOPIC, finding: None, description: &description }, |area, hovers| {
        axis.draw(area, "change from A to B (logarithm of the ratio)")?;
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
        axis.bar(area, y, [low, high], colour, Size::Large)?;
    }
    if let Some(change) = effect.change_percent {
        axis.dot(area, y, change, colour, (effect.is_clear() == Some(true), Size::Large))?;
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

pub(super) fn table(pair: &Pair) -> Table {
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
