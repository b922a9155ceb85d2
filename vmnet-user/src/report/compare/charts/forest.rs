//! The effects with their intervals, around the line of no change.

use crate::model::comparison::Effect;
use crate::report::compare::Pair;
use crate::report::compare::words::{change, figure, judgement};
use crate::report::kit::chart::Picture;
use crate::report::kit::colours::{BLUE, GREY, VERMILLION};
use crate::report::kit::forest::{BELOW, Row, draw, marks};
use crate::report::kit::sheet::{BODY_TOP, HEIGHT};

pub(super) fn of(pair: &Pair) -> Result<Picture<'_>, String> {
    let effects = &pair.report.comparison.effects;
    if effects.iter().all(|effect| effect.change_percent.is_none()) {
        let why = effects.iter().find_map(|effect| effect.reason.as_deref());
        return Err(format!("no change is known ({})", why.unwrap_or("nothing was measured")));
    }
    let rows: Vec<Row> = effects.iter().map(row).collect();
    Ok(Picture {
        finding: None,
        how: "A dot for each change from A to B, its 95 % interval as a bar, around a line at 0.".to_owned(),
        marks: marks(&rows),
        named: rows.len(),
        body: Box::new(move |sheet| {
            draw(
                sheet,
                &rows,
                [BODY_TOP + 14, HEIGHT - BELOW],
                "change from A to B (logarithm of the ratio)",
            );
        }),
    })
}

fn row(effect: &Effect) -> Row {
    let below = effect.reason.clone().unwrap_or_else(|| judgement(effect).to_owned());
    let colour = match effect.is_improvement() {
        Some(true) => BLUE,
        Some(false) => VERMILLION,
        None => GREY,
    };
    Row {
        group: String::new(),
        name: effect.name.clone(),
        figures: match (effect.a, effect.b) {
            (None, None) => "not measured".to_owned(),
            (a, b) => format!("{} → {}", figure(effect, a), figure(effect, b)),
        },
        change: effect.change_percent,
        interval: effect.interval_percent,
        colour,
        is_clear: effect.is_clear() == Some(true),
        said: change(effect),
        below,
    }
}
