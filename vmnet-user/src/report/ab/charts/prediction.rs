//! What the base alone let one expect, and what came, on one axis.

use plotters::style::RGBColor;

use crate::report::ab::foresight::{Foreseen, foreseen, why_no_prediction};
use crate::report::ab::schema::AbReport;
use crate::report::ab::words::Amount;
use crate::report::kit::chart::Picture;
use crate::report::kit::colours::{BLUE, FAINT, GREEN};
use crate::report::kit::forest::{BELOW, Row, draw, marks};
use crate::report::kit::format;
use crate::report::kit::lettering::Lettering;
use crate::report::kit::sheet::{BODY_TOP, HEIGHT, LEFT, RIGHT};

pub(super) fn of(report: &AbReport) -> Result<Picture<'_>, String> {
    let none = || format!("there is none ({})", why_no_prediction(report));
    let prediction = report.prediction.as_ref().ok_or_else(none)?;
    let (from, about) = (&prediction.from, &prediction.about);
    let foreseen = foreseen(report, prediction);
    let rows: Vec<Row> = foreseen.iter().flat_map(|foreseen| rows(foreseen, from, about)).collect();
    if rows.is_empty() {
        return Err(none());
    }
    let [from, about] = [from, about].map(|arm| format::shortened(arm, 30));
    let title = format!("change from {from} to {about} (logarithm of the ratio)");
    Ok(Picture {
        finding: None,
        how: "For each metric two dots with their 95 % intervals, around a line at 0.".to_owned(),
        marks: marks(&rows),
        named: rows.len(),
        body: Box::new(move |sheet| {
            let end = draw(sheet, &rows, [BODY_TOP + 14, HEIGHT - BELOW - 114], &title);
            let notes: Vec<String> = prediction.notes.iter().map(|note| format::sentence(note)).collect();
            let room = (RIGHT - LEFT, 5);
            sheet.text_lines(&notes.join(" "), (LEFT, end + 84), room, &Lettering::new(15, FAINT));
        }),
    })
}

fn rows(foreseen: &Foreseen<'_>, from: &str, about: &str) -> [Row; 2] {
    let row = |name: &str, figures: String, amount: Option<Amount<'_>>, colour: RGBColor, below: &str| Row {
        group: format::capitalised(foreseen.metric),
        name: name.to_owned(),
        figures,
        change: amount.map(|amount| amount.value),
        interval: amount.and_then(|amount| amount.interval),
        colour,
        is_clear: true,
        said: amount.map_or_else(|| "not known".to_owned(), |amount| amount.said()),
        below: below.to_owned(),
    };
    let against = format!("{about} against {from}");
    [
        row("predicted", format!("from {from} alone"), Some(foreseen.predicted), GREEN, ""),
        row("measured", against, foreseen.measured, BLUE, foreseen.judgement()),
    ]
}
