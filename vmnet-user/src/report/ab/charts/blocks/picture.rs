//! What both panels stand in: the blocks side by side, the arms' marks, the means beside them.

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::panels::Span;
use super::{BOTTOM_AXIS, Line, MOST_PERCENT, Placed};
use crate::model::experiment::MetricId;
use crate::report::ab::charts::marks::{Mark, cross};
use crate::report::ab::schema::AbReport;
use crate::report::ab::validity::{Fate, arm_name};
use crate::report::ab::words::{Amount, role};
use crate::report::kit::axes::tick;
use crate::report::kit::canvas::{Area, HEIGHT, LEFT, RIGHT, WIDTH};
use crate::report::kit::chart::ChartError;
use crate::report::kit::colours::{BAND, FAINT, GREY, GRID, INK};
use crate::report::kit::format;
use crate::report::kit::lettering::{FONT, Lettering, font_size, text_width, write, write_within};

pub(super) const AXIS_LEFT: i32 = LEFT + 80;
/// Means stand to the right of this.
pub(super) const AXIS_RIGHT: i32 = RIGHT - 182;

pub(super) type Panel<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// An experiment as it is drawn.
pub(super) struct Picture<'a> {
    pub(super) report: &'a AbReport,
    pub(super) metric: MetricId,
    pub(super) marks: Vec<Mark>,
    pub(super) blocks: Vec<Placed<'a>>,
}

impl<'a> Picture<'a> {
    pub(super) fn count(&self) -> f64 {
        self.report.trials.len().max(1) as f64
    }

    /// Where the space of the trial at that place begins.
    pub(super) fn x(&self, place: usize) -> i32 {
        AXIS_LEFT + (place as f64 / self.count() * f64::from(AXIS_RIGHT - AXIS_LEFT)).round() as i32
    }

    /// Half of a mark: it has to have room beside its neighbours.
    pub(super) fn half(&self) -> i32 {
        (f64::from(AXIS_RIGHT - AXIS_LEFT) / self.count() * 0.45).clamp(3.0, 6.0) as i32
    }

    pub(super) fn mark(&self, arm: usize) -> Option<Mark> {
        self.marks.get(arm).copied()
    }

    /// A capital for an arm: A is the base.
    pub(super) fn letter(arm: usize) -> char {
        u8::try_from(arm)
            .ok()
            .and_then(|arm| b'A'.checked_add(arm))
            .filter(u8::is_ascii_uppercase)
            .map_or('?', char::from)
    }

    pub(super) fn order(block: &Placed<'_>) -> String {
        block.trials.iter().map(|trial| Self::letter(trial.arm)).collect()
    }

    /// Every arm that has a number for some block.
    pub(super) fn lines(&self) -> Vec<Line<'a>> {
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

    pub(super) fn description(&self) -> String {
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
    pub(super) fn legend(&self, area: &Area<'_>, top: i32) -> Result<i32, ChartError> {
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
    pub(super) fn bands(
        &self,
        area: &Area<'_>,
        [top, bottom]: [i32; 2],
        below_order: i32,
    ) -> Result<(), ChartError> {
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
    pub(super) fn numbers(&self, area: &Area<'_>) -> Result<(), ChartError> {
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
        let title = "block (its number in grey: does not count)";
        let title = if self.blocks.iter().all(|block| block.fate == Fate::Whole) { "block" } else { title };
        write(area, title, ((AXIS_LEFT + AXIS_RIGHT) / 2, y + 20), &lettering)
    }

    /// The frame of a panel with its vertical axis.
    pub(super) fn panel<'b, 'c>(
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

    /// Marks and words to the right of a panel; words only where they do not run into each other.
    pub(super) fn beside(&self, area: &Area<'_>, means: &[(i32, usize, String)]) -> Result<(), ChartError> {
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
}
