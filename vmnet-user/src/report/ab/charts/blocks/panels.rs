//! The two panels: every trial, and every block's change.

use plotters::prelude::*;

use super::picture::{AXIS_LEFT, AXIS_RIGHT, Picture};
use super::{Line, MOST_PERCENT, Placed};
use crate::model::experiment::{Effect, Scale};
use crate::report::ab::validity::{arm_name, place, why_rejected};
use crate::report::ab::words::{Amount, in_unit};
use crate::report::kit::canvas::Area;
use crate::report::kit::chart::ChartError;
use crate::report::kit::colours::{FAINT, INK};
use crate::report::kit::format;
use crate::report::kit::hover::Hovers;
use crate::report::kit::lettering::{Lettering, write};

/// The values of a panel, with some room around them.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Span {
    /// None without any.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let (low, high) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        (low <= high).then(|| {
            let room = ((high - low) * 0.1).max(high.abs() * 0.02).max(1e-9);
            Self { low: low - room, high: high + room }
        })
    }
}

impl Picture<'_> {
    pub(super) fn trials(
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

    pub(super) fn changes(
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
            Scale::Ratio => "%",
            Scale::Difference => self.metric.metric().unit,
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
        Scale::Ratio => Amount::percent(change, None).change(),
        Scale::Difference => {
            format!("{} {}", format::significant(change), effect.unit)
        }
    }
}
