//! Block by block: every trial in order of time, and below it what each block says of every arm.

mod panels;
mod picture;

use self::panels::Span;
use self::picture::Picture;
use super::marks::marks;
use crate::model::experiment::{ArmEffects, Effect, MetricId, Trial};
use crate::report::ab::schema::AbReport;
use crate::report::ab::summary::chief;
use crate::report::ab::validity::{Fate, arm_name, blocks, why_rejected};
use crate::report::ab::words::in_unit;
use crate::report::kit::canvas::{BODY_TOP, HEIGHT};
use crate::report::kit::chart::ChartError;
use crate::report::kit::sheet::{Topic, Words, empty_sheet, sheet};
use crate::report::kit::table::Table;

const TOPIC: Topic =
    Topic { stem: "ab-blocks", subject: "Every trial in order of time, and what each block says" };
/// Room above the upper panel, where each block's order stands, and between the panels.
const ORDER: i32 = 24;
const HEADING: i32 = 30;
const BOTTOM_AXIS: i32 = 30;
/// Beyond these nothing is drawn: it would hide all else.
const MOST_PERCENT: f64 = 1e6;
const MOST_FIGURE: f64 = 1e15;

pub(super) fn draw(report: &AbReport) -> Result<String, ChartError> {
    let metric = chief_metric(report);
    if report.trials.is_empty() {
        return empty_sheet(report, TOPIC, "no trial was ended");
    }
    let figures: Vec<Option<f64>> = report.trials.iter().map(|trial| figure(trial, metric)).collect();
    let Some(rates) = Span::of(figures.iter().flatten().copied()) else {
        return empty_sheet(report, TOPIC, &format!("{} was measured in no trial", metric.metric().name));
    };
    let picture = Picture { report, metric, marks: marks(&report.design.arms), blocks: placed(report) };
    let description = picture.description();
    sheet(report, Words { topic: TOPIC, finding: None, description: &description }, |area, hovers| {
        let top = picture.legend(area, BODY_TOP)?;
        let lines = picture.lines();
        let room = HEIGHT - top - ORDER - HEADING - BOTTOM_AXIS - 22;
        let upper = if lines.is_empty() { room } else { room * 55 / 100 };
        let frame = [top + ORDER, top + ORDER + upper];
        picture.bands(area, [frame[0] - ORDER, HEIGHT - BOTTOM_AXIS - 22], frame[0])?;
        picture.trials(area, hovers, frame, &figures, rates)?;
        if !lines.is_empty() {
            picture.changes(area, hovers, [frame[1] + HEADING, HEIGHT - BOTTOM_AXIS - 22], &lines)?;
        }
        picture.numbers(area)
    })
}

/// What the trials are drawn by: what the result is told by.
fn chief_metric(report: &AbReport) -> MetricId {
    report.effects.iter().find_map(chief).map_or_else(|| report.chief_metric(), |effect| effect.metric)
}

fn figure(trial: &Trial, metric: MetricId) -> Option<f64> {
    trial.figures.get(&metric).copied().filter(|figure| figure.abs() <= MOST_FIGURE)
}

/// A block, and where its trials stand in the order of all.
struct Placed<'a> {
    number: u32,
    first: usize,
    trials: Vec<&'a Trial>,
    fate: Fate,
}

fn placed(report: &AbReport) -> Vec<Placed<'_>> {
    let mut first = 0;
    blocks(report)
        .into_iter()
        .map(|(number, trials, fate)| {
            let block = Placed { number, first, trials, fate };
            first += block.trials.len();
            block
        })
        .collect()
}

/// One arm's change in each block.
struct Line<'a> {
    arm: &'a ArmEffects,
    effect: &'a Effect,
    /// Index into the blocks, and the change.
    points: Vec<(usize, f64)>,
}

pub(super) fn table(report: &AbReport) -> Table {
    let metric = chief_metric(report);
    let mut table = Table::new(["trial", "block", "arm", "figure", "by the ledger", "counts"]);
    for trial in &report.trials {
        table.row([
            trial.number.to_string(),
            trial.block.saturating_add(1).to_string(),
            arm_name(report, trial.arm).to_owned(),
            trial
                .figures
                .get(&metric)
                .map_or_else(|| "not measured".to_owned(), |figure| in_unit(*figure, metric.metric().unit)),
            trial.state.name().to_owned(),
            if trial.is_valid() { "yes".to_owned() } else { format!("no: {}", why_rejected(trial)) },
        ]);
    }
    table
}
