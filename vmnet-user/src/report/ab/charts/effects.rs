//! Every arm's effects with their intervals, metric by metric, the placebo's beside them.

use super::rows::{Group, Row, draw as draw_rows};
use crate::model::experiment::{ArmEffects, Effect, Judgement, METRICS, Metric, MetricId, Role, Scale};
use crate::report::ab::schema::AbReport;
use crate::report::ab::words::{
    Amount, chance, figure, figures, judgement, judgement_of_placebo, smallest_visible,
};
use crate::report::kit::canvas::{BODY_TOP, HEIGHT};
use crate::report::kit::chart::ChartError;
use crate::report::kit::colours::{BLUE, FAINT, GREY, VERMILLION};
use crate::report::kit::format;
use crate::report::kit::sheet::{Topic, Words, empty_sheet, sheet};
use crate::report::kit::table::Table;

const TOPIC: Topic = Topic { stem: "ab-effects", subject: "What each arm causes, with 95 % intervals" };
const TOP: i32 = BODY_TOP + 14;
const BOTTOM: i32 = HEIGHT - 66;

pub(super) fn draw(report: &AbReport) -> Result<String, ChartError> {
    let groups = groups(report);
    if groups.iter().flat_map(|group| &group.rows).all(|row| row.change.is_none()) {
        let reason =
            report.effects.iter().flat_map(|arm| &arm.effects).find_map(|effect| effect.reason.clone());
        let why = reason.or_else(|| report.window.problem.clone());
        let why = why.unwrap_or_else(|| "no arm could be held against the base".to_owned());
        return empty_sheet(report, TOPIC, &format!("no change is known ({why})"));
    }
    let base = report.design.arms.first().map_or("the base", |arm| arm.name.as_str());
    let told: Vec<String> = groups
        .iter()
        .flat_map(|group| group.rows.iter().map(move |row| (&group.heading, row)))
        .map(|(metric, row)| format!("{metric}, {}: {}, {}, {}", row.name, row.figures, row.said, row.below))
        .collect();
    let description = format!(
        "A dot for each change against {base}, its 95 % interval as a bar, around a line at 0; full where the interval leaves out 0. {}.",
        told.join(". ")
    );
    let title = format!("change against {} (logarithm of the ratio)", format::shortened(base, 40));
    sheet(report, Words { topic: TOPIC, finding: None, description: &description }, |area, hovers| {
        draw_rows(area, hovers, &groups, [TOP, BOTTOM], &title)?;
        Ok(())
    })
}

/// The metrics that are compared by ratio and were measured. Packet sizes have a chart of their own: they change by so much that nothing else would be seen.
fn groups(report: &AbReport) -> Vec<Group> {
    METRICS
        .iter()
        .filter(|metric| metric.scale == Scale::Ratio && metric.id != MetricId::PacketToDriverBytes)
        .map(|metric| Group { heading: format::capitalised(metric.name), rows: rows(report, metric) })
        .filter(|group| !group.rows.is_empty())
        .collect()
}

fn rows(report: &AbReport, metric: &Metric) -> Vec<Row> {
    report.effects.iter().filter_map(|arm| Some(row(report, arm, arm.effect(metric.id)?))).collect()
}

fn row(report: &AbReport, arm: &ArmEffects, effect: &Effect) -> Row {
    let is_placebo = is_placebo(report, arm);
    let amount = Amount::of(effect);
    let colour = match (is_placebo, effect.judgement) {
        (true, _) => FAINT,
        (false, Judgement::Better) => BLUE,
        (false, Judgement::Worse) => VERMILLION,
        (false, _) => GREY,
    };
    Row {
        name: arm.name.clone(),
        figures: figures(effect),
        change: amount.map(|amount| amount.value),
        interval: amount.and_then(|amount| amount.interval),
        colour,
        is_clear: amount.and_then(|amount| amount.is_clear()) == Some(true),
        said: amount.map_or_else(|| "not known".to_owned(), |amount| amount.said()),
        below: said(effect, is_placebo),
    }
}

fn said(effect: &Effect, is_placebo: bool) -> String {
    if is_placebo { judgement_of_placebo(effect) } else { judgement(effect) }
}

fn is_placebo(report: &AbReport, arm: &ArmEffects) -> bool {
    report.design.arms.get(arm.arm).is_some_and(|arm| arm.role == Role::Placebo)
}

pub(super) fn table(report: &AbReport) -> Table {
    let mut table = Table::new([
        "metric",
        "arm",
        "base",
        "under the arm",
        "change",
        "95 % interval",
        "blocks",
        "p-value",
        "seen from",
        "what may be said",
    ]);
    let unknown = || "not known".to_owned();
    for metric in METRICS {
        for arm in &report.effects {
            let Some(effect) = arm.effect(metric.id) else { continue };
            let amount = Amount::of(effect);
            table.row([
                effect.name.clone(),
                arm.name.clone(),
                figure(effect, effect.base),
                figure(effect, effect.arm),
                amount.map_or_else(unknown, |amount| amount.change()),
                amount
                    .filter(|amount| amount.interval.is_some())
                    .map_or_else(unknown, |amount| amount.range().trim().to_owned()),
                effect.blocks.to_string(),
                chance(effect).unwrap_or_else(unknown),
                smallest_visible(effect).unwrap_or_else(unknown),
                said(effect, is_placebo(report, arm)),
            ]);
        }
    }
    table
}
