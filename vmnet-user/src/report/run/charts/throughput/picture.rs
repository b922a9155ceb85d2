//! The picture itself: axes, layers, and what is marked on them.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::columns::{Column, Split};
use crate::report::kit::axes::{TimeAxis, rate_unit, stretch, tick};
use crate::report::kit::canvas::{Area, HEIGHT, LEFT, RIGHT, WIDTH};
use crate::report::kit::chart::ChartError;
use crate::report::kit::colours::{FAINT, GRID, INK, PURPLE, edge};
use crate::report::kit::format;
use crate::report::kit::hover::Hovers;
use crate::report::kit::lettering::{FONT, Lettering, font_size, text_width, write};
use crate::report::kit::sheet::{hatched, triangle};
use crate::report::run::schema::EventReport;

/// More labels than fit into so many rows are counted, not written.
const LABEL_ROWS: usize = 3;
pub(super) const LABEL_ROW: i32 = 22;
const AXIS_LEFT: i32 = LEFT + 75;
pub(super) const AXIS_BOTTOM: i32 = HEIGHT - 70;
/// Where bursts are marked, above the picture.
pub(super) const BURST_ROW: i32 = 18;

/// The axes: where a time and a rate lie.
pub(super) struct Picture {
    time: TimeAxis,
    units_per_gbps: f64,
    rate_unit: &'static str,
    highest: f64,
}

impl Picture {
    pub(super) fn new(columns: &[Column], highest_gbps: f64) -> Self {
        let from_s = columns.first().map_or(0.0, |column| column.from_s);
        let to_s = columns.iter().map(|column| column.to_s).fold(f64::NEG_INFINITY, f64::max);
        let (units_per_gbps, rate_unit) = rate_unit(highest_gbps);
        // Head room, so that the highest column does not run into the frame.
        let highest = highest_gbps * units_per_gbps * 1.08;
        Self { time: TimeAxis::new(from_s, to_s, [AXIS_LEFT, RIGHT]), units_per_gbps, rate_unit, highest }
    }

    /// Finds each label a row in which it does not run into the one before it.
    pub(super) fn place(&self, flips: &[&EventReport]) -> Vec<Mark> {
        let mut occupied_to = [i32::MIN; LABEL_ROWS];
        flips
            .iter()
            .map(|flip| {
                let x = self.time.x(flip.t_s);
                let text = format!("{:.1} s {}", flip.t_s, format::shortened(&flip.text, 48));
                let width = text_width(&text, 15) + 8;
                let start = if x + width > RIGHT { x - width } else { x };
                let row = (start >= 0).then(|| occupied_to.iter().position(|end| *end <= start)).flatten();
                if let Some(end) = row.and_then(|row| occupied_to.get_mut(row)) {
                    *end = start + width + 12;
                }
                Mark { x, leftwards: start < x, row, text }
            })
            .collect()
    }

    pub(super) fn draw(
        &self,
        area: &Area<'_>,
        top: i32,
        columns: &[Column],
        split: &Split,
    ) -> Result<(), ChartError> {
        let unit = self.time.seconds_per_unit;
        let mut chart = ChartBuilder::on(area)
            .margin_top(top)
            .margin_left(LEFT)
            .margin_right(WIDTH - RIGHT)
            .margin_bottom(15)
            .set_label_area_size(LabelAreaPosition::Left, AXIS_LEFT - LEFT)
            .set_label_area_size(LabelAreaPosition::Bottom, HEIGHT - AXIS_BOTTOM - 15)
            .build_cartesian_2d(self.time.range(), 0.0..self.highest)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(FAINT)
            .x_labels(12)
            .y_labels(7)
            .label_style((FONT, font_size(16)).into_font().color(&INK))
            .axis_desc_style((FONT, font_size(16)).into_font().color(&INK))
            .x_label_formatter(&|value| tick(*value))
            .y_label_formatter(&|value| tick(*value))
            .x_desc(self.time.title())
            .y_desc(format!("{}, {}", self.rate_unit, split.quantity()))
            .draw()?;
        for unknown in columns.chunk_by(|left, right| left.gbps.is_none() == right.gbps.is_none()) {
            if let ([first, ..], Some(last)) = (unknown, unknown.last())
                && first.gbps.is_none()
            {
                hatched(area, [(self.time.x(first.from_s), top), (self.time.x(last.to_s), AXIS_BOTTOM)])?;
            }
        }
        for known in columns.chunk_by(|left, right| left.gbps.is_some() == right.gbps.is_some()) {
            for (index, layer) in split.layers().iter().enumerate() {
                let floor = self.edge(known, index);
                let ceiling = self.edge(known, index + 1);
                let is_visible = floor.iter().zip(&ceiling).any(|(low, high)| high.1 > low.1);
                if !is_visible {
                    continue;
                }
                let outline: Vec<_> = ceiling.iter().copied().chain(floor.into_iter().rev()).collect();
                chart.draw_series([Polygon::new(outline, layer.colour.filled())])?;
                if edge(layer.colour) != layer.colour {
                    chart.draw_series([PathElement::new(ceiling, edge(layer.colour))])?;
                }
            }
        }
        for ranged in columns.chunk_by(|left, right| left.range.is_some() == right.range.is_some()) {
            let steps = |end: fn(&[f64; 2]) -> f64| -> Vec<(f64, f64)> {
                let of = |column: &Column| {
                    let height = end(&column.range?) * self.units_per_gbps;
                    Some([(column.from_s / unit, height), (column.to_s / unit, height)])
                };
                ranged.iter().filter_map(of).flatten().collect()
            };
            let (low, high) = (steps(|[low, _]| *low), steps(|[_, high]| *high));
            if low.is_empty() {
                continue;
            }
            let band: Vec<_> = high.iter().copied().chain(low.iter().rev().copied()).collect();
            chart.draw_series([Polygon::new(band, INK.mix(0.22).filled())])?;
            chart.draw_series([high, low].map(|line| PathElement::new(line, INK.stroke_width(1))))?;
        }
        Ok(())
    }

    /// Bursts of retransmits, in a row of their own that ends at `bottom`: a bar as long as they went on, and a triangle.
    pub(super) fn mark_bursts(
        &self,
        area: &Area<'_>,
        bottom: i32,
        columns: &[Column],
    ) -> Result<(), ChartError> {
        for run in columns.chunk_by(|left, right| left.burst.is_some() == right.burst.is_some()) {
            if let ([first, ..], Some(last)) = (run, run.last())
                && first.burst.is_some()
            {
                let (from, to) = (self.time.x(first.from_s), self.time.x(last.to_s));
                area.draw(&Rectangle::new(
                    [(from, bottom - 4), (to.max(from + 2), bottom - 2)],
                    PURPLE.filled(),
                ))?;
                triangle(area, ((from + to) / 2, bottom - 2), 7, PURPLE)?;
            }
        }
        Ok(())
    }

    /// The steps on which layer `index` stands: the sum of those below it.
    fn edge(&self, columns: &[Column], index: usize) -> Vec<(f64, f64)> {
        columns
            .iter()
            .filter_map(|column| {
                let height = column.gbps.as_ref()?.iter().take(index).sum::<f64>() * self.units_per_gbps;
                let unit = self.time.seconds_per_unit;
                Some([(column.from_s / unit, height), (column.to_s / unit, height)])
            })
            .flatten()
            .collect()
    }

    /// What each column says under the pointer.
    pub(super) fn hover(&self, hovers: &mut Hovers, top: i32, columns: &[Column], split: &Split) {
        for column in columns {
            let mut says = stretch(column.from_s, column.to_s);
            match &column.gbps {
                None => says += ": not measured",
                Some(gbps) => {
                    for (index, (layer, gbps)) in split.layers().iter().zip(gbps).enumerate() {
                        let before = if index == 0 { ": " } else { "; " };
                        says += &format!("{before}{} {}", layer.label, format::rate(*gbps));
                    }
                }
            }
            if let Some([low, high]) = column.range {
                let ranged = split.ranged();
                says += &format!(
                    "; {ranged} {} to {} over {} intervals",
                    format::rate(low),
                    format::rate(high),
                    column.intervals
                );
            }
            if let Some(share) = column.burst {
                says += &format!("; retransmit burst: {} of payload", format::percent(share));
            }
            hovers.area([(self.time.x(column.from_s), top), (self.time.x(column.to_s), AXIS_BOTTOM)], &says);
        }
    }
}

/// A feature flip, on the picture.
pub(super) struct Mark {
    pub(super) x: i32,
    leftwards: bool,
    pub(super) row: Option<usize>,
    text: String,
}

impl Mark {
    fn row_top(row: usize, below_legend: i32) -> i32 {
        below_legend + 8 + row as i32 * LABEL_ROW
    }

    /// Where its line begins.
    pub(super) fn top(&self, below_legend: i32, axis_top: i32) -> i32 {
        self.row.map_or(axis_top - 8, |row| Self::row_top(row, below_legend))
    }

    pub(super) fn hover(&self, hovers: &mut Hovers, top: i32) {
        hovers.area([(self.x - 3, top), (self.x + 3, AXIS_BOTTOM)], &self.text);
    }

    pub(super) fn write_label(&self, area: &Area<'_>, below_legend: i32) -> Result<(), ChartError> {
        let Some(row) = self.row else { return Ok(()) };
        let top = Self::row_top(row, below_legend);
        let width = text_width(&self.text, 15);
        let (x, anchor, ground) = if self.leftwards {
            (self.x - 6, HPos::Right, [(self.x - 6 - width, top), (self.x - 3, top + LABEL_ROW)])
        } else {
            (self.x + 6, HPos::Left, [(self.x + 3, top), (self.x + 6 + width, top + LABEL_ROW)])
        };
        area.draw(&Rectangle::new(ground, WHITE.filled()))?;
        write(area, &self.text, (x, top + 14), &Lettering::new(15, INK).anchored(anchor))
    }
}
