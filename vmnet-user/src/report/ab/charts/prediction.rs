//! What the base alone let one expect, and what came, on one axis.

use super::rows::{Group, Row, draw as draw_rows};
use crate::report::ab::foresight::{Foreseen, foreseen, why_no_prediction};
use crate::report::ab::schema::AbReport;
use crate::report::ab::words::Amount;
use crate::report::kit::canvas::{BODY_TOP, HEIGHT, LEFT, RIGHT};
use crate::report::kit::chart::ChartError;
use crate::report::kit::colours::{BLUE, FAINT, GREEN};
use crate::report::kit::format;
use crate::report::kit::format::sentence;
use crate::report::kit::lettering::{Lettering, write_lines};
use crate::report::kit::sheet::{Topic, Words, empty_sheet, sheet};
use crate::report::kit::table::Table;

const TOPIC: Topic =
    Topic { stem: "ab-prediction", subject: "Prediction from the base alone, and the outcome" };
const TOP: i32 = BODY_TOP + 14;
const BOTTOM: i32 = HEIGHT - 180;

pub(super) fn draw(report: &AbReport) -> Result<String, ChartError> {
    let Some(prediction) = &report.prediction else {
        return empty_sheet(report, TOPIC, &format!("there is none ({})", why_no_prediction(report)));
    };
    let foreseen = foreseen(report, prediction);
    if foreseen.is_empty() {
        return empty_sheet(report, TOPIC, &format!("there is none ({})", why_no_prediction(report)));
    }
    let groups: Vec<Group> = foreseen
        .iter()
        .map(|foreseen| Group {
            heading: format::capitalised(foreseen.metric),
            rows: rows(foreseen, &prediction.from, &prediction.about),
        })
        .collect();
    let told: Vec<String> =
        foreseen.iter().map(|foreseen| format!("{}: {}", foreseen.metric, foreseen.said())).collect();
    let description = format!(
        "For each metric two dots with their 95 % intervals, around a line at 0. {}.",
        told.join(". ")
    );
    let title = format!(
        "change from {} to {} (logarithm of the ratio)",
        format::shortened(&prediction.from, 30),
        format::shortened(&prediction.about, 30)
    );
    sheet(report, Words { topic: TOPIC, finding: None, description: &description }, |area, hovers| {
        let end = draw_rows(area, hovers, &groups, [TOP, BOTTOM], &title)?;
        let notes: Vec<String> = prediction.notes.iter().map(|note| sentence(note)).collect();
        let lettering = Lettering::new(15, FAINT);
        write_lines(area, &notes.join(" "), (LEFT, end + 84), (RIGHT - LEFT, 5), &lettering)?;
        Ok(())
    })
}

fn rows(foreseen: &Foreseen<'_>, from: &str, about: &str) -> Vec<Row> {
    let row = |name: String, figures: String, amount: Option<Amount<'_>>, colour, below: &str| Row {
        name,
        figures,
        change: amount.map(|amount| amount.value),
        interval: amount.and_then(|amount| amount.interval),
        colour,
        is_clear: true,
        said: amount.map_or_else(|| "not known".to_owned(), |amount| amount.said()),
        below: below.to_owned(),
    };
    vec![
        row("predicted".to_owned(), format!("from {from} alone"), Some(foreseen.predicted), GREEN, ""),
        row(
            "measured".to_owned(),
            format!("{about} against {from}"),
            foreseen.measured,
            BLUE,
            foreseen.judgement(),
        ),
    ]
}

pub(super) fn table(report: &AbReport) -> Table {
    let mut table = Table::new(["metric", "predicted", "measured", "what may be said"]);
    for foreseen in report.prediction.iter().flat_map(|prediction| foreseen(report, prediction)) {
        table.row([
            foreseen.metric.to_owned(),
            foreseen.predicted.said(),
            foreseen.measured.map_or_else(|| "not known".to_owned(), |measured| measured.said()),
            foreseen.judgement().to_owned(),
        ]);
    }
    table
}
