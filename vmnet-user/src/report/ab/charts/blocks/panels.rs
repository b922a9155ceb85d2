//! The two panels: every trial, and every block's change.

use plotters::prelude::*;

use super::{AXIS_LEFT, AXIS_RIGHT, Block, Blocks, MOST_PERCENT, figure, span};
use crate::model::experiment::{Effect, Scale};
use crate::report::ab::validity::arm_name;
use crate::report::ab::words::{Amount, in_unit};
use crate::report::kit::colours::{FAINT, INK};
use crate::report::kit::format;
use crate::report::kit::lettering::Lettering;
use crate::report::kit::plot::{Axis, Frame, Plot};
use crate::report::kit::sheet::{RIGHT, Sheet};

impl Blocks<'_> {
    fn plot(sheet: &mut Sheet<'_>, [top, bottom]: [i32; 2], up: Axis) -> Plot {
        let frame = Frame { left: AXIS_LEFT, right: AXIS_RIGHT, top, bottom };
        let plot = Plot { frame, across: Axis::new(0.0, 1.0, ""), up };
        plot.draw(sheet);
        plot
    }

    pub(super) fn trials(&self, sheet: &mut Sheet<'_>, [top, bottom]: [i32; 2], rates: &Axis) {
        let metric = self.metric.metric();
        let plot = Self::plot(sheet, [top, bottom], rates.clone());
        let half = self.half();
        for (place, trial) in self.blocks.iter().flat_map(|block| &block.trials).enumerate() {
            let figure = figure(trial, self.metric);
            let [from, to] = [place, place + 1].map(|place| self.x(place));
            let at = ((from + to) / 2, figure.map_or(bottom - half - 2, |figure| plot.y(figure)));
            let Some(shape) = self.shape(trial.arm) else { continue };
            if trial.is_valid() && figure.is_some() {
                shape.draw(sheet, at, half);
            } else {
                sheet.cross(at, half, shape.colour.stroke_width(2));
            }
            sheet.mark([(from, top), (to, bottom)], place);
        }
        // Means over whole blocks, each at its height.
        let base = self.lines.first().map(|line| (0, line.effect.base));
        let arms = self.lines.iter().map(|line| (line.arm.arm, line.effect.arm));
        let known = base.into_iter().chain(arms).filter_map(|(arm, mean)| Some((arm, mean?)));
        let means: Vec<_> =
            known.map(|(arm, mean)| (plot.y(mean), arm, in_unit(mean, metric.unit))).collect();
        sheet.text("mean", (AXIS_RIGHT + 12, top - 8), &Lettering::new(14, FAINT));
        self.beside(sheet, &means);
    }

    pub(super) fn changes(&self, sheet: &mut Sheet<'_>, [top, bottom]: [i32; 2]) {
        let metric = self.metric.metric();
        let amounts: Vec<Option<Amount<'_>>> =
            self.lines.iter().map(|line| Amount::of(line.effect)).collect();
        let values = self.lines.iter().flat_map(|line| line.points.iter().map(|(_, change)| *change));
        let ends = amounts.iter().flatten().flat_map(|amount| amount.interval.into_iter().flatten());
        let unit = match metric.scale {
            Scale::Ratio => "%",
            Scale::Difference => metric.unit,
        };
        let values = values.chain(ends).chain([0.0]).filter(|value| value.abs() <= MOST_PERCENT);
        let Some(up) = span(values, unit) else { return };
        let base = format::shortened(arm_name(self.report, 0), 28);
        let heading = format!("Each block's change of {} against {base}", metric.name);
        sheet.text(&heading, (AXIS_LEFT + 40, top - 8), &Lettering::new(15, INK).bold());
        sheet.text("95 % interval", (AXIS_RIGHT + 12, top - 8), &Lettering::new(14, FAINT));
        let plot = Self::plot(sheet, [top, bottom], up);
        sheet.line([(AXIS_LEFT, plot.y(0.0)), (AXIS_RIGHT, plot.y(0.0))], INK);
        let mut means = Vec::new();
        for (line, amount) in self.lines.iter().zip(&amounts) {
            let (Some(shape), Some(amount)) = (self.shape(line.arm.arm), amount) else { continue };
            let at = plot.y(amount.value);
            for from in (AXIS_LEFT..AXIS_RIGHT).step_by(10) {
                sheet.line([(from, at), ((from + 5).min(AXIS_RIGHT), at)], shape.colour);
            }
            if let Some([low, high]) = amount.interval.map(|ends| ends.map(|end| plot.y(end))) {
                let x = beside(line.arm.arm);
                sheet.rect([(x - 1, high), (x + 1, low.max(high + 1))], shape.colour.filled());
            }
            means.push((at, line.arm.arm, amount.change()));
        }
        for line in &self.lines {
            let Some(shape) = self.shape(line.arm.arm) else { continue };
            for (block, change) in &line.points {
                let Some([from, to]) = self.blocks.get(*block).map(|block| self.ends(block)) else {
                    continue;
                };
                shape.draw(sheet, ((from + to) / 2, plot.y(*change)), self.half());
            }
        }
        self.beside(sheet, &means);
        for (index, block) in self.blocks.iter().enumerate() {
            let [from, to] = self.ends(block);
            sheet.says([(from, top), (to, bottom)], &self.says_of_block(index, block));
        }
    }

    /// Shapes and words to the right of a panel; words only where they do not run into each other.
    fn beside(&self, sheet: &mut Sheet<'_>, means: &[(i32, usize, String)]) {
        let mut taken: Vec<i32> = Vec::new();
        for (y, arm, label) in means {
            if let Some(shape) = self.shape(*arm) {
                shape.draw(sheet, (beside(*arm), *y), 5);
            }
            if taken.iter().all(|other| (other - y).abs() >= 16) {
                taken.push(*y);
                let x = beside(self.shapes.len().saturating_sub(1)) + 24;
                sheet.text_within(label, (x, y + 5), RIGHT - x, &Lettering::new(14, INK));
            }
        }
    }

    fn says_of_block(&self, index: usize, block: &Block<'_>) -> String {
        let change = |line: &super::Line<'_>| {
            let (_, change) = line.points.iter().find(|(at, _)| *at == index)?;
            Some(format!("{} {}", line.arm.name, said(line.effect, *change)))
        };
        let changes: Vec<String> = self.lines.iter().filter_map(change).collect();
        let said = if changes.is_empty() { block.fate.word().to_owned() } else { changes.join("; ") };
        format!("block {} ({}): {said}", block.number.saturating_add(1), block.order())
    }
}

/// Where an arm's mean is marked.
fn beside(arm: usize) -> i32 {
    AXIS_RIGHT + 14 + 12 * i32::try_from(arm).unwrap_or_default().min(5)
}

/// One block's change.
fn said(effect: &Effect, change: f64) -> String {
    match effect.scale {
        Scale::Ratio => Amount::percent(change, None).change(),
        Scale::Difference => format!("{} {}", format::significant(change), effect.unit),
    }
}
