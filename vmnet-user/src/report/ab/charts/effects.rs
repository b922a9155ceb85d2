//! Every arm's effects with their intervals, metric by metric, the placebo's beside them.

use crate::model::experiment::{ArmEffects, Effect, Judgement, METRICS, Metric, MetricId, Scale};
use crate::report::ab::schema::AbReport;
use crate::report::ab::words::{Amount, figures, judgement, judgement_of_placebo};
use crate::report::kit::chart::Picture;
use crate::report::kit::colours::{BLUE, FAINT, GREY, VERMILLION};
use crate::report::kit::forest::{BELOW, Row, draw, marks};
use crate::report::kit::format;
use crate::report::kit::sheet::{BODY_TOP, HEIGHT};

pub(super) fn of(report: &AbReport) -> Result<Picture<'_>, String> {
    // Packet sizes have a chart of their own: they change by so much that nothing else would be seen.
    let is_drawn =
        |metric: &&Metric| metric.scale == Scale::Ratio && metric.id != MetricId::PacketToDriverBytes;
    let (drawn, others): (Vec<&Metric>, Vec<&Metric>) = METRICS.iter().partition(is_drawn);
    let rows_of = |metric: &Metric| -> Vec<Row> {
        let arms = report.effects.iter().filter_map(|arm| Some((arm, arm.effect(metric.id)?)));
        arms.map(|(arm, effect)| row(report, arm, effect)).collect()
    };
    let mut rows: Vec<Row> = drawn.into_iter().flat_map(rows_of).collect();
    let count = rows.len();
    if rows.iter().all(|row| row.change.is_none()) {
        let reason =
            report.effects.iter().flat_map(|arm| &arm.effects).find_map(|effect| effect.reason.clone());
        let why = reason.or_else(|| report.window.problem.clone());
        let why = why.unwrap_or_else(|| "no arm could be held against the base".to_owned());
        return Err(format!("no change is known ({why})"));
    }
    rows.extend(others.into_iter().flat_map(rows_of));
    let base = report.design.arms.first().map_or("the base", |arm| arm.name.as_str());
    let title = format!("change against {} (logarithm of the ratio)", format::shortened(base, 40));
    Ok(Picture {
        finding: None,
        how: format!(
            "A dot for each change against {base}, its 95 % interval as a bar, around a line at 0; full where the interval leaves out 0."
        ),
        marks: marks(&rows),
        named: count,
        body: Box::new(move |sheet| {
            draw(sheet, rows.get(..count).unwrap_or_default(), [BODY_TOP + 14, HEIGHT - BELOW], &title);
        }),
    })
}

fn row(report: &AbReport, arm: &ArmEffects, effect: &Effect) -> Row {
    let is_placebo = report.is_placebo(arm.arm);
    let amount = Amount::of(effect);
    let colour = match (is_placebo, effect.judgement) {
        (true, _) => FAINT,
        (false, Judgement::Better) => BLUE,
        (false, Judgement::Worse) => VERMILLION,
        (false, _) => GREY,
    };
    Row {
        group: format::capitalised(&effect.name),
        name: arm.name.clone(),
        figures: figures(effect),
        change: amount.map(|amount| amount.value),
        interval: amount.and_then(|amount| amount.interval),
        colour,
        is_clear: amount.and_then(|amount| amount.is_clear()) == Some(true),
        said: amount.map_or_else(|| "not known".to_owned(), |amount| amount.said()),
        below: if is_placebo { judgement_of_placebo(effect) } else { judgement(effect) },
    }
}
