//! Block by block: every trial in order of time, and below it what each block says of every arm.

mod panels;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::shapes::{Shape, shapes};
use crate::model::experiment::{ArmEffects, Effect, MetricId, Trial};
use crate::report::ab::schema::AbReport;
use crate::report::ab::summary::chief;
use crate::report::ab::validity::{Fate, arm_name, blocks, place, why_rejected};
use crate::report::ab::words::{Amount, in_unit, role};
use crate::report::kit::chart::Picture;
use crate::report::kit::colours::{BAND, GREY, INK};
use crate::report::kit::format;
use crate::report::kit::lettering::{Lettering, text_width};
use crate::report::kit::marks::{Column, Marks};
use crate::report::kit::plot::Axis;
use crate::report::kit::sheet::{BODY_TOP, HEIGHT, Key, LEFT, RIGHT, Sheet};

/// Room above the upper panel, where each block's order stands, and between the panels.
const ORDER: i32 = 34;
const HEADING: i32 = 44;
/// Where the panels end, below which are the blocks' numbers.
const BOTTOM: i32 = HEIGHT - 52;
const AXIS_LEFT: i32 = LEFT + 55;
/// Means stand to the right of this.
const AXIS_RIGHT: i32 = RIGHT - 182;
/// Beyond these nothing is drawn: it would hide all else.
const MOST_PERCENT: f64 = 1e6;
const MOST_FIGURE: f64 = 1e15;

/// An experiment as it is drawn.
struct Blocks<'a> {
    report: &'a AbReport,
    metric: MetricId,
    shapes: Vec<Shape>,
    blocks: Vec<Block<'a>>,
    lines: Vec<Line<'a>>,
}

/// A block, and where its trials stand in the order of all.
struct Block<'a> {
    number: u32,
    first: usize,
    trials: Vec<&'a Trial>,
    fate: Fate,
}

/// One arm's change in each block.
struct Line<'a> {
    arm: &'a ArmEffects,
    effect: &'a Effect,
    /// Index into the blocks, and the change.
    points: Vec<(usize, f64)>,
}

pub(super) fn of(report: &AbReport) -> Result<Picture<'_>, String> {
    if report.trials.is_empty() {
        return Err("no trial was ended".to_owned());
    }
    // What the trials are drawn by is what the result is told by.
    let metric =
        report.effects.iter().find_map(chief).map_or_else(|| report.chief_metric(), |effect| effect.metric);
    let blocks = placed(report);
    let figures = blocks.iter().flat_map(|block| &block.trials).filter_map(|trial| figure(trial, metric));
    let name = metric.metric().name;
    let rates =
        span(figures, metric.metric().unit).ok_or_else(|| format!("{name} was measured in no trial"))?;
    let lines = lines(report, metric, &blocks);
    let picture = Blocks { report, metric, shapes: shapes(&report.design.arms), blocks, lines };
    Ok(Picture {
        finding: None,
        how: picture.how(),
        marks: picture.marks(),
        named: 0,
        body: Box::new(move |sheet| picture.draw(sheet, &rates)),
    })
}

fn figure(trial: &Trial, metric: MetricId) -> Option<f64> {
    trial.figures.get(&metric).copied().filter(|figure| figure.abs() <= MOST_FIGURE)
}

/// An axis for all values, with some room around them. None without any.
fn span(values: impl Iterator<Item = f64>, title: &str) -> Option<Axis> {
    let ends = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = values.fold(ends, |(low, high), value| (low.min(value), high.max(value)));
    let room = ((high - low) * 0.1).max(high.abs() * 0.02).max(1e-9);
    (low <= high).then(|| Axis::new(low - room, high + room, title))
}

fn placed(report: &AbReport) -> Vec<Block<'_>> {
    let mut first = 0;
    let place = |(number, trials, fate): (u32, Vec<_>, Fate)| {
        let block = Block { number, first, trials, fate };
        first += block.trials.len();
        block
    };
    blocks(report).into_iter().map(place).collect()
}

/// Every arm that has a number for some block.
fn lines<'a>(report: &'a AbReport, metric: MetricId, blocks: &[Block<'_>]) -> Vec<Line<'a>> {
    let is_measured =
        |block: &Block<'_>| block.trials.iter().all(|trial| trial.figures.contains_key(&metric));
    let counting =
        blocks.iter().enumerate().filter(|(_, block)| block.fate == Fate::Whole && is_measured(block));
    let counting: Vec<usize> = counting.map(|(index, _)| index).collect();
    let line = |arm: &'a ArmEffects| {
        let effect = arm.effect(metric)?;
        let points = counting.iter().copied().zip(effect.by_block.iter().copied());
        let points: Vec<_> = points.filter(|(_, change)| change.abs() <= MOST_PERCENT).collect();
        (!points.is_empty()).then_some(Line { arm, effect, points })
    };
    report.effects.iter().filter_map(line).collect()
}

/// A capital for an arm: A is the base.
fn letter(arm: usize) -> char {
    let letter = u8::try_from(arm).ok().and_then(|arm| b'A'.checked_add(arm));
    letter.filter(u8::is_ascii_uppercase).map_or('?', char::from)
}

impl Block<'_> {
    fn order(&self) -> String {
        self.trials.iter().map(|trial| letter(trial.arm)).collect()
    }

    /// What does not count is grey.
    fn ink(&self) -> RGBColor {
        if self.fate == Fate::Whole { INK } else { GREY }
    }
}

impl Blocks<'_> {
    /// A row for each trial.
    fn marks(&self) -> Marks {
        const COLUMNS: [Column; 4] = [
            Column::words("trial"),
            Column::words("figure"),
            Column::words("by the ledger"),
            Column::words("does not count"),
        ];
        let trials = self.blocks.iter().flat_map(|block| &block.trials);
        Marks::new(
            &COLUMNS,
            trials.map(|trial| {
                let figure = figure(trial, self.metric);
                let unit = self.metric.metric().unit;
                let rejected = format!("does not count: {}", why_rejected(trial));
                [
                    place(self.report, trial).into(),
                    figure.map_or_else(|| "no figure".to_owned(), |figure| in_unit(figure, unit)).into(),
                    trial.state.name().into(),
                    if trial.is_valid() { String::new() } else { rejected }.into(),
                ]
            }),
        )
    }

    fn how(&self) -> String {
        let arms: Vec<String> = (0..self.report.design.arms.len())
            .map(|arm| format!("{} is {}", letter(arm), arm_name(self.report, arm)))
            .collect();
        let said: Vec<String> = self
            .lines
            .iter()
            .filter_map(|line| Some(format!("{}: {}", line.arm.name, Amount::of(line.effect)?.said())))
            .collect();
        let rejected = self.report.trials.iter().filter(|trial| !trial.is_valid()).count();
        format!(
            "Above, a mark for each of {} trials by its {}, in order of time, block by block; {rejected} that do not count are crosses. Below, \
             each block's change, with mean and 95 % interval to the right. {}. {}.",
            self.report.trials.len(),
            self.metric.metric().name,
            arms.join(", "),
            if said.is_empty() { "No change is known".to_owned() } else { said.join(". ") }
        )
    }

    fn draw(&self, sheet: &mut Sheet<'_>, rates: &Axis) {
        let top = sheet.legend(BODY_TOP, &self.keys()) + ORDER;
        let room = BOTTOM - top - HEADING;
        let middle = if self.lines.is_empty() { BOTTOM } else { top + room * 55 / 100 };
        self.bands(sheet, [top - ORDER, BOTTOM]);
        self.trials(sheet, [top, middle], rates);
        if !self.lines.is_empty() {
            self.changes(sheet, [middle + HEADING, BOTTOM]);
        }
        self.numbers(sheet);
    }

    /// Arms by letter and shape.
    fn keys(&self) -> Vec<(Key, String)> {
        let arms = self.report.design.arms.iter().zip(&self.shapes).enumerate();
        let mut keys: Vec<(Key, String)> = arms
            .map(|(index, (arm, shape))| {
                let (name, role, shape) = (format::shortened(&arm.name, 28), role(arm.role), *shape);
                let role = if arm.name == role { String::new() } else { format!(" ({role})") };
                let draw = move |sheet: &mut Sheet<'_>, at| shape.draw(sheet, at, 6);
                (Key::Drawn(Box::new(draw)), format!("{} {name}{role}", letter(index)))
            })
            .collect();
        if self.report.trials.iter().any(|trial| !trial.is_valid()) {
            let draw = |sheet: &mut Sheet<'_>, at| sheet.cross(at, 5, INK.stroke_width(2));
            keys.push((Key::Drawn(Box::new(draw)), "does not count".to_owned()));
        }
        keys
    }

    /// Where the space of the trial at that place begins.
    fn x(&self, place: usize) -> i32 {
        let part = place as f64 / self.report.trials.len().max(1) as f64;
        AXIS_LEFT + (part * f64::from(AXIS_RIGHT - AXIS_LEFT)).round() as i32
    }

    /// From where to where a block is.
    fn ends(&self, block: &Block<'_>) -> [i32; 2] {
        [self.x(block.first), self.x(block.first + block.trials.len())]
    }

    fn shape(&self, arm: usize) -> Option<Shape> {
        self.shapes.get(arm).copied()
    }

    /// Half of a mark: it has to have room beside its neighbours.
    fn half(&self) -> i32 {
        let room = f64::from(AXIS_RIGHT - AXIS_LEFT) / self.report.trials.len().max(1) as f64;
        (room * 0.45).clamp(3.0, 6.0) as i32
    }

    /// Every other block on a band, its order above where there is room.
    fn bands(&self, sheet: &mut Sheet<'_>, [top, bottom]: [i32; 2]) {
        for (index, block) in self.blocks.iter().enumerate() {
            let [from, to] = self.ends(block);
            if index % 2 == 0 {
                sheet.rect([(from, top), (to, bottom)], BAND.filled());
            }
            let order = block.order();
            if text_width(&order, 15) + 4 <= to - from {
                let lettering = Lettering::new(15, block.ink()).anchored(HPos::Center);
                sheet.text(&order, ((from + to) / 2, top + 17), &lettering);
            }
        }
    }

    /// The numbers of the blocks, below everything.
    fn numbers(&self, sheet: &mut Sheet<'_>) {
        let y = BOTTOM + 18;
        let mut taken = i32::MIN;
        for block in &self.blocks {
            let [from, to] = self.ends(block);
            let (middle, label) = ((from + to) / 2, block.number.saturating_add(1).to_string());
            let half = text_width(&label, 15) / 2 + 3;
            if middle - half >= taken {
                taken = middle + half;
                let lettering = Lettering::new(15, block.ink()).anchored(HPos::Center);
                sheet.text(&label, (middle, y), &lettering);
            }
        }
        let all = self.blocks.iter().all(|block| block.fate == Fate::Whole);
        let title = if all { "block" } else { "block (its number in grey: does not count)" };
        let lettering = Lettering::new(15, INK).anchored(HPos::Center);
        sheet.text(title, ((AXIS_LEFT + AXIS_RIGHT) / 2, y + 20), &lettering);
    }
}
