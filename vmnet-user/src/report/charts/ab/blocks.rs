//! Block by block: every trial in order of time, and below it what each block says of every arm.

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::marks::{Mark, cross, marks};
use super::{empty_sheet, sheet};
use crate::model::experiment::{ArmEffects, Effect, MetricId, Trial};
use crate::report::ab::results::chief;
use crate::report::ab::schema::AbReport;
use crate::report::ab::validity::{Fate, arm_name, blocks, place, why_rejected};
use crate::report::ab::words::{Amount, in_unit, role};
use crate::report::charts::axes::tick;
use crate::report::charts::colours::{BAND, FAINT, GREY, GRID, INK};
use crate::report::charts::hover::Hovers;
use crate::report::charts::lettering::{FONT, Lettering, font_size, text_width, write, write_within};
use crate::report::charts::page::{Area, BODY_TOP, HEIGHT, LEFT, RIGHT, Topic, WIDTH};
use crate::report::charts::{ChartError, Table};
use crate::report::format;

const TOPIC: Topic =
    Topic { stem: "ab-blocks", subject: "Every trial in order of time, and what each block says" };
const AXIS_LEFT: i32 = LEFT + 80;
/// Means stand to the right of this.
const AXIS_RIGHT: i32 = RIGHT - 182;
/// Room above the upper panel, where each block's order stands, and between the panels.
const ORDER: i32 = 24;
const HEADING: i32 = 30;
const BOTTOM_AXIS: i32 = 30;
/// Beyond these nothing is drawn: it would hide all else.
const MOST_PERCENT: f64 = 1e6;
const MOST_FIGURE: f64 = 1e15;

type Panel<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

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
    sheet(report, TOPIC, &description, |area, hovers| {
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

/// The values of a panel, with some room around them.
#[derive(Clone, Copy)]
struct Span {
    low: f64,
    high: f64,
}

impl Span {
    /// None without any.
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let (low, high) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        (low <= high).then(|| {
            let room = ((high - low) * 0.1).max(high.abs() * 0.02).max(1e-9);
            Self { low: low - room, high: high + room }
        })
    }
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

struct Picture<'a> {
    report: &'a AbReport,
    metric: MetricId,
    marks: Vec<Mark>,
    blocks: Vec<Placed<'a>>,
}

impl<'a> Picture<'a> {
    fn count(&self) -> f64 {
        self.report.trials.len().max(1) as f64
    }

    /// Where the space of the trial at that place begins.
    fn x(&self, place: usize) -> i32 {
        AXIS_LEFT + (place as f64 / self.count() * f64::from(AXIS_RIGHT - AXIS_LEFT)).round() as i32
    }

    /// Half of a mark: it has to have room beside its neighbours.
    fn half(&self) -> i32 {
        (f64::from(AXIS_RIGHT - AXIS_LEFT) / self.count() * 0.45).clamp(3.0, 6.0) as i32
    }

    fn mark(&self, arm: usize) -> Option<Mark> {
        self.marks.get(arm).copied()
    }

    /// A capital for an arm: A is the base.
    fn letter(arm: usize) -> char {
        u8::try_from(arm)
            .ok()
            .and_then(|arm| b'A'.checked_add(arm))
            .filter(u8::is_ascii_uppercase)
            .map_or('?', char::from)
    }

    fn order(block: &Placed<'_>) -> String {
        block.trials.iter().map(|trial| Self::letter(trial.arm)).collect()
    }

    /// Every arm that has a number for some block.
    fn lines(&self) -> Vec<Line<'a>> {
        let counting: Vec<usize> = self
            .blocks
            .iter()
            .enumerate()
            .filter(|(_, block)| block.fate == Fate::Whole)
            .filter(|(_, block)| block.trials.iter().all(|trial| trial.figures.contains_key(&self.metric)))
            .map(|(index, _)| index)
            .collect();
        self.report
            .effects
            .iter()
            .filter_map(|arm| {
                let effect = arm.effect(self.metric)?;
                let points = counting.iter().copied().zip(effect.by_block.iter().copied());
                let points: Vec<_> = points.filter(|(_, change)| change.abs() <= MOST_PERCENT).collect();
                (!points.is_empty()).then_some(Line { arm, effect, points })
            })
            .collect()
    }

    fn description(&self) -> String {
        let metric = self.metric.metric();
        let arms: Vec<String> = (0..self.report.design.arms.len())
            .map(|arm| format!("{} is {}", Self::letter(arm), arm_name(self.report, arm)))
            .collect();
        let said: Vec<String> = self
            .lines()
            .iter()
            .filter_map(|line| Some(format!("{}: {}", line.arm.name, Amount::of(line.effect)?.said())))
            .collect();
        let rejected = self.report.trials.iter().filter(|trial| !trial.is_valid()).count();
        format!(
            "Above, a mark for each of {} trials by its {}, in order of time, block by block; {rejected} that do not count are crosses. Below, \
             each block's change, with mean and 95 % interval to the right. {}. {}.",
            self.report.trials.len(),
            metric.name,
            arms.join(", "),
            if said.is_empty() { "No change is known".to_owned() } else { said.join(". ") }
        )
    }

    /// Arms by letter and mark. Returns the first free line.
    fn legend(&self, area: &Area<'_>, top: i32) -> Result<i32, ChartError> {
        const ROW: i32 = 26;
        let (mut x, mut y) = (LEFT, top);
        let mut add = |label: &str, mark: Option<Mark>| -> Result<(), ChartError> {
            let width = 24 + text_width(label, 16);
            if x > LEFT && x + width > RIGHT {
                (x, y) = (LEFT, y + ROW);
            }
            match mark {
                Some(mark) => mark.draw(area, (x + 8, y + 12), 6)?,
                None => cross(area, (x + 8, y + 12), 5, INK)?,
            }
            write(area, label, (x + 22, y + 18), &Lettering::new(16, INK))?;
            x += width + 20;
            Ok(())
        };
        for (index, arm) in self.report.design.arms.iter().enumerate() {
            let mut label = format!("{} {}", Self::letter(index), format::shortened(&arm.name, 28));
            if arm.name != role(arm.role) {
                label += &format!(" ({})", role(arm.role));
            }
            add(&label, self.mark(index))?;
        }
        if self.report.trials.iter().any(|trial| !trial.is_valid()) {
            add("does not count", None)?;
        }
        Ok(y + ROW + 4)
    }

    /// Every other block on a band, its order above where there is room.
    fn bands(&self, area: &Area<'_>, [top, bottom]: [i32; 2], below_order: i32) -> Result<(), ChartError> {
        for (index, block) in self.blocks.iter().enumerate() {
            let (from, to) = (self.x(block.first), self.x(block.first + block.trials.len()));
            if index % 2 == 0 {
                area.draw(&Rectangle::new([(from, top), (to, bottom)], BAND.filled()))?;
            }
            let order = Self::order(block);
            if text_width(&order, 15) + 4 <= to - from {
                let colour = if block.fate == Fate::Whole { INK } else { GREY };
                let lettering = Lettering::new(15, colour).anchored(HPos::Center);
                write(area, &order, ((from + to) / 2, below_order - 7), &lettering)?;
            }
        }
        Ok(())
    }

    /// The numbers of the blocks, below everything.
    fn numbers(&self, area: &Area<'_>) -> Result<(), ChartError> {
        let y = HEIGHT - BOTTOM_AXIS - 4;
        let mut taken = i32::MIN;
        for block in &self.blocks {
            let middle = (self.x(block.first) + self.x(block.first + block.trials.len())) / 2;
            let label = block.number.saturating_add(1).to_string();
            let half = text_width(&label, 15) / 2 + 3;
            if middle - half < taken {
                continue;
            }
            taken = middle + half;
            let colour = if block.fate == Fate::Whole { INK } else { GREY };
            write(area, &label, (middle, y), &Lettering::new(15, colour).anchored(HPos::Center))?;
        }
        let lettering = Lettering::new(15, INK).anchored(HPos::Center);
        let title = "block (grey: does not count)";
        let title = if self.blocks.iter().all(|block| block.fate == Fate::Whole) { "block" } else { title };
        write(area, title, ((AXIS_LEFT + AXIS_RIGHT) / 2, y + 20), &lettering)
    }

    /// The frame of a panel with its vertical axis.
    fn panel<'b, 'c>(
        &self,
        area: &'c Area<'b>,
        [top, bottom]: [i32; 2],
        span: Span,
        unit: &str,
    ) -> Result<Panel<'c, 'b>, ChartError> {
        let mut chart = ChartBuilder::on(area)
            .margin_top(top)
            .margin_left(LEFT)
            .margin_right(WIDTH - AXIS_RIGHT)
            .margin_bottom(HEIGHT - bottom)
            .set_label_area_size(LabelAreaPosition::Left, AXIS_LEFT - LEFT)
            .build_cartesian_2d(0.0..self.count(), span.low..span.high)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(FAINT)
            .x_labels(0)
            .y_labels(5)
            .label_style((FONT, font_size(16)).into_font().color(&INK))
            .axis_desc_style((FONT, font_size(16)).into_font().color(&INK))
            .y_label_formatter(&|value| tick(*value))
            .y_desc(unit)
            .draw()?;
        Ok(chart)
    }

    fn trials(
        &self,
        area: &Area<'_>,
        hovers: &mut Hovers,
        frame: [i32; 2],
        figures: &[Option<f64>],
        span: Span,
    ) -> Result<(), ChartError> {
        let metric = self.metric.metric();
        let panel = self.panel(area, frame, span, metric.unit)?;
        let half = self.half();
        let placed = self.blocks.iter().flat_map(|block| block.trials.iter().zip(block.first..));
        for (trial, at) in placed {
            // Trials are told apart by number; blocks have put them in order.
            let figure = self
                .report
                .trials
                .iter()
                .position(|other| std::ptr::eq(other, *trial))
                .and_then(|index| figures.get(index).copied().flatten());
            let x = (self.x(at) + self.x(at + 1)) / 2;
            let y = figure.map_or(frame[1] - half - 2, |figure| panel.backend_coord(&(0.0, figure)).1);
            let Some(mark) = self.mark(trial.arm) else { continue };
            if trial.is_valid() && figure.is_some() {
                mark.draw(area, (x, y), half)?;
            } else {
                mark.cross(area, (x, y), half)?;
            }
            let said = figure.map_or_else(|| "no figure".to_owned(), |figure| in_unit(figure, metric.unit));
            let mut says = format!("{}: {said}, {}", place(self.report, trial), trial.state.name());
            if !trial.is_valid() {
                says += &format!("; does not count: {}", why_rejected(trial));
            }
            hovers.area([(self.x(at), frame[0]), (self.x(at + 1), frame[1])], &says);
        }
        // Means over whole blocks, each at its height.
        let mut means: Vec<(i32, usize, String)> = Vec::new();
        let mut add = |arm: usize, value: Option<f64>| {
            if let Some(value) = value.filter(|value| (span.low..=span.high).contains(value)) {
                means.push((panel.backend_coord(&(0.0, value)).1, arm, in_unit(value, metric.unit)));
            }
        };
        let lines = self.lines();
        add(0, lines.first().and_then(|line| line.effect.base));
        for line in &lines {
            add(line.arm.arm, line.effect.arm);
        }
        write(area, "mean", (AXIS_RIGHT + 12, frame[0] - 7), &Lettering::new(14, FAINT))?;
        self.beside(area, &means)
    }

    /// Marks and words to the right of a panel; words only where they do not run into each other.
    fn beside(&self, area: &Area<'_>, means: &[(i32, usize, String)]) -> Result<(), ChartError> {
        let mut taken: Vec<i32> = Vec::new();
        for (y, arm, label) in means {
            if let Some(mark) = self.mark(*arm) {
                let x = AXIS_RIGHT + 14 + 12 * i32::try_from(*arm).unwrap_or_default().min(5);
                mark.draw(area, (x, *y), 5)?;
            }
            if taken.iter().all(|other| (other - y).abs() >= 16) {
                taken.push(*y);
                let x = AXIS_RIGHT + 26 + 12 * i32::try_from(self.marks.len()).unwrap_or_default().min(6);
                write_within(area, label, (x, y + 5), RIGHT - x, &Lettering::new(14, INK))?;
            }
        }
        Ok(())
    }

    fn changes(
        &self,
        area: &Area<'_>,
        hovers: &mut Hovers,
        frame: [i32; 2],
        lines: &[Line<'_>],
    ) -> Result<(), ChartError> {
        let amounts: Vec<Option<Amount<'_>>> = lines.iter().map(|line| Amount::of(line.effect)).collect();
        let values = lines.iter().flat_map(|line| line.points.iter().map(|(_, change)| *change));
        let ends = amounts.iter().flatten().flat_map(|amount| amount.interval.into_iter().flatten());
        let Some(span) =
            Span::of(values.chain(ends).chain([0.0]).filter(|value| value.abs() <= MOST_PERCENT))
        else {
            return Ok(());
        };
        let unit = match self.metric.metric().scale {
            crate::model::experiment::Scale::Ratio => "%",
            crate::model::experiment::Scale::Difference => self.metric.metric().unit,
        };
        let base = format::shortened(arm_name(self.report, 0), 28);
        let heading = format!("Each block's change of {} against {base}", self.metric.metric().name);
        write(area, &heading, (AXIS_LEFT, frame[0] - 9), &Lettering::new(15, INK).bold())?;
        write(area, "95 % interval", (AXIS_RIGHT + 12, frame[0] - 9), &Lettering::new(14, FAINT))?;
        let panel = self.panel(area, frame, span, unit)?;
        let y = |value: f64| panel.backend_coord(&(0.0, value.clamp(span.low, span.high))).1;
        area.draw(&PathElement::new([(AXIS_LEFT, y(0.0)), (AXIS_RIGHT, y(0.0))], INK))?;
        let mut means = Vec::new();
        for (line, amount) in lines.iter().zip(&amounts) {
            let (Some(mark), Some(amount)) = (self.mark(line.arm.arm), amount) else { continue };
            let at = y(amount.value);
            for from in (AXIS_LEFT..AXIS_RIGHT).step_by(10) {
                area.draw(&PathElement::new([(from, at), ((from + 5).min(AXIS_RIGHT), at)], mark.colour))?;
            }
            if let Some([low, high]) = amount.interval {
                let x = AXIS_RIGHT + 14 + 12 * i32::try_from(line.arm.arm).unwrap_or_default().min(5);
                area.draw(&Rectangle::new(
                    [(x - 1, y(high)), (x + 1, y(low).max(y(high) + 1))],
                    mark.colour.filled(),
                ))?;
            }
            means.push((at, line.arm.arm, amount.change()));
        }
        for line in lines {
            let Some(mark) = self.mark(line.arm.arm) else { continue };
            for (block, change) in &line.points {
                let Some(x) = self.middle(*block) else { continue };
                mark.draw(area, (x, y(*change)), self.half().max(3))?;
            }
        }
        self.beside(area, &means)?;
        for (index, block) in self.blocks.iter().enumerate() {
            let corners =
                [(self.x(block.first), frame[0]), (self.x(block.first + block.trials.len()), frame[1])];
            hovers.area(corners, &self.says_of_block(index, block, lines));
        }
        Ok(())
    }

    fn middle(&self, block: usize) -> Option<i32> {
        let block = self.blocks.get(block)?;
        Some((self.x(block.first) + self.x(block.first + block.trials.len())) / 2)
    }

    fn says_of_block(&self, index: usize, block: &Placed<'_>, lines: &[Line<'_>]) -> String {
        let changes: Vec<String> = lines
            .iter()
            .filter_map(|line| {
                let (_, change) = line.points.iter().find(|(at, _)| *at == index)?;
                Some(format!("{} {}", line.arm.name, said(line.effect, *change)))
            })
            .collect();
        let said = if changes.is_empty() { block.fate.word().to_owned() } else { changes.join("; ") };
        format!("block {} ({}): {said}", block.number.saturating_add(1), Self::order(block))
    }
}

/// One block's change.
fn said(effect: &Effect, change: f64) -> String {
    match effect.scale {
        crate::model::experiment::Scale::Ratio => Amount::percent(change, None).change(),
        crate::model::experiment::Scale::Difference => {
            format!("{} {}", format::significant(change), effect.unit)
        }
    }
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
