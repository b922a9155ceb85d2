//! Throughput over time, A above B, on the same axes of time and rate.

use plotters::prelude::*;

use crate::model::comparison::EffectId;
use crate::model::fact::Known as _;
use crate::model::merging::merged;
use crate::model::throughput::Interval;
use crate::report::compare::Pair;
use crate::report::compare::schema::RunSummary;
use crate::report::kit::axes::{TimeAxis, rate_unit, stretch, tick};
use crate::report::kit::canvas::{Area, BODY_TOP, HEIGHT, LEFT, RIGHT, WIDTH};
use crate::report::kit::chart::ChartError;
use crate::report::kit::colours::{FAINT, GRID, INK, edge};
use crate::report::kit::format;
use crate::report::kit::hover::Hovers;
use crate::report::kit::lettering::{FONT, Lettering, font_size, write_within};
use crate::report::kit::over_time::{is_placed, number, slim};
use crate::report::kit::sheet::{Key, Topic, Words, empty_sheet, hatched, legend, sheet};
use crate::report::kit::table::Table;
use crate::report::run::charts::throughput::columns::{Column, Split, columns};

const TOPIC: Topic =
    Topic { stem: "compare-throughput", subject: "Throughput over time by path in both runs" };
const AXIS_LEFT: i32 = LEFT + 75;
/// Room for the heading above each panel, and for the axis below the last.
const HEADING: i32 = 26;
const BOTTOM_AXIS: i32 = 62;
/// Between the panels.
const GAP: i32 = 16;
/// Rows of each run in the table.
const MOST_ROWS: usize = 60;

pub(super) fn draw(pair: &Pair) -> Result<String, ChartError> {
    let samples = [&pair.a, &pair.b].map(|report| -> Vec<Interval> {
        report.throughput.samples.iter().filter(|sample| is_placed(sample)).map(slim).collect()
    });
    let splits = samples.iter().filter_map(|samples| Split::choose(samples));
    // What both can show is the less telling of the two.
    let Some(split) = splits.max() else {
        return empty_sheet(pair, TOPIC, "no rate was measured in either run");
    };
    let panels = samples.map(|samples| columns(&samples, &split).0);
    let highest_gbps = panels.iter().flatten().filter_map(Column::sum_gbps).fold(0.0, f64::max);
    if !(highest_gbps > 0.0 && highest_gbps.is_finite()) {
        return empty_sheet(pair, TOPIC, "nothing was sent in either run");
    }
    let to_s = panels.iter().flatten().map(|column| column.to_s).fold(f64::NEG_INFINITY, f64::max);
    let from_s = panels.iter().flatten().map(|column| column.from_s).fold(f64::INFINITY, f64::min);
    let picture = Picture::new(from_s, to_s, highest_gbps, split);
    let runs = &pair.report.runs;
    let description = format!(
        "Two pictures of stacked columns on the same axes, up to {} and up to {}. A: {}. B: {}.",
        format::duration(to_s - from_s.min(0.0)),
        format::rate(highest_gbps),
        description(&panels[0], split),
        description(&panels[1], split)
    );
    sheet(pair, Words { topic: TOPIC, finding: None, description: &description }, |area, hovers| {
        let mut keys: Vec<(Key, String)> =
            split.layers().iter().map(|layer| (Key::Fill(layer.colour), layer.label.to_owned())).collect();
        if panels.iter().flatten().any(|column| column.gbps.is_none()) {
            keys.push((Key::Hatched, "not measured".to_owned()));
        }
        let below_legend = legend(area, BODY_TOP, &keys)?;
        let room = HEIGHT - below_legend - BOTTOM_AXIS - GAP;
        let height = room / 2 - HEADING;
        let goodput = pair.report.comparison.effect(EffectId::Goodput);
        let (a_gbps, b_gbps) = goodput.map_or((None, None), |effect| (effect.a, effect.b));
        for (index, (columns, (side, run, gbps))) in
            panels.iter().zip([("A", &runs.a, a_gbps), ("B", &runs.b, b_gbps)]).enumerate()
        {
            let top = below_legend + index as i32 * (height + HEADING + GAP);
            let heading = heading(side, run, gbps);
            write_within(area, &heading, (LEFT, top + 18), RIGHT - LEFT, &Lettering::new(16, INK).bold())?;
            let frame = [top + HEADING, top + HEADING + height];
            picture.draw(area, frame, columns, index == 1)?;
            picture.hover(hovers, frame, columns, side);
        }
        Ok(())
    })
}

/// The answer, and the rate that the effects are made of.
fn heading(side: &str, run: &RunSummary, goodput_gbps: Option<f64>) -> String {
    let rate = goodput_gbps.map(format::rate);
    let rate = rate.map_or_else(String::new, |rate| format!(", goodput {rate} on average"));
    format!("{side}: {}{rate}", run.sentence)
}

pub(super) fn table(pair: &Pair) -> Table {
    let mut table = Table::new([
        "run",
        "until, s",
        "hardware, Gbit/s",
        "software, Gbit/s",
        "unaggregated, Gbit/s",
        "small, Gbit/s",
        "goodput, Gbit/s",
        "wire, Gbit/s",
    ]);
    for (run, report) in [("A", &pair.a), ("B", &pair.b)] {
        let slim: Vec<Interval> = report.throughput.samples.iter().map(slim).collect();
        for interval in merged(&slim, MOST_ROWS) {
            table.row([
                run.to_owned(),
                format!("{:.1}", interval.t_s),
                number(interval.hardware_gbps.known()),
                number(interval.software_gbps.known()),
                number(interval.unaggregated_gbps.known()),
                number(interval.small_gbps.known()),
                number(interval.goodput_gbps.known()),
                number(interval.wire_gbps.known()),
            ]);
        }
    }
    table
}

/// The means of the layers, by time.
fn description(columns: &[Column], split: Split) -> String {
    let means: Vec<String> = split
        .layers()
        .iter()
        .enumerate()
        .filter_map(|(index, layer)| {
            let known =
                columns.iter().filter_map(|column| Some((column, *column.gbps.as_ref()?.get(index)?)));
            let (gigabits, seconds) = known.fold((0.0, 0.0), |(gigabits, seconds), (column, gbps)| {
                let length_s = column.to_s - column.from_s;
                (gigabits + gbps * length_s, seconds + length_s)
            });
            (seconds > 0.0)
                .then(|| format!("{} {} on average", layer.label, format::rate(gigabits / seconds)))
        })
        .collect();
    if means.is_empty() { "not measured".to_owned() } else { means.join("; ") }
}

/// The axes that both runs share.
struct Picture {
    time: TimeAxis,
    units_per_gbps: f64,
    rate_unit: &'static str,
    highest: f64,
    split: Split,
}

impl Picture {
    fn new(from_s: f64, to_s: f64, highest_gbps: f64, split: Split) -> Self {
        let (units_per_gbps, rate_unit) = rate_unit(highest_gbps);
        Self {
            time: TimeAxis::new(from_s, to_s, [AXIS_LEFT, RIGHT]),
            units_per_gbps,
            rate_unit,
            // Head room, so that the highest column does not run into the frame.
            highest: highest_gbps * units_per_gbps * 1.08,
            split,
        }
    }

    fn draw(
        &self,
        area: &Area<'_>,
        [top, bottom]: [i32; 2],
        columns: &[Column],
        is_last: bool,
    ) -> Result<(), ChartError> {
        let below = if is_last { BOTTOM_AXIS } else { 0 };
        let mut chart = ChartBuilder::on(area)
            .margin_top(top)
            .margin_left(LEFT)
            .margin_right(WIDTH - RIGHT)
            .margin_bottom(HEIGHT - bottom - below)
            .set_label_area_size(LabelAreaPosition::Left, AXIS_LEFT - LEFT)
            .set_label_area_size(LabelAreaPosition::Bottom, below)
            .build_cartesian_2d(self.time.range(), 0.0..self.highest)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(FAINT)
            .x_labels(if is_last { 12 } else { 0 })
            .y_labels(5)
            .label_style((FONT, font_size(16)).into_font().color(&INK))
            .axis_desc_style((FONT, font_size(16)).into_font().color(&INK))
            .x_label_formatter(&|value| tick(*value))
            .y_label_formatter(&|value| tick(*value))
            .x_desc(if is_last { self.time.title() } else { String::new() })
            .y_desc(self.rate_unit)
            .draw()?;
        let known_or_not = |left: &Column, right: &Column| left.gbps.is_some() == right.gbps.is_some();
        for part in columns.chunk_by(known_or_not) {
            let ([first, ..], Some(last)) = (part, part.last()) else { continue };
            if first.gbps.is_none() {
                hatched(area, [(self.time.x(first.from_s), top), (self.time.x(last.to_s), bottom)])?;
                continue;
            }
            for (index, layer) in self.split.layers().iter().enumerate() {
                let (floor, ceiling) = (self.steps(part, index), self.steps(part, index + 1));
                if !floor.iter().zip(&ceiling).any(|(low, high)| high.1 > low.1) {
                    continue;
                }
                let outline: Vec<_> = ceiling.iter().copied().chain(floor.into_iter().rev()).collect();
                chart.draw_series([Polygon::new(outline, layer.colour.filled())])?;
                if edge(layer.colour) != layer.colour {
                    chart.draw_series([PathElement::new(ceiling, edge(layer.colour))])?;
                }
            }
        }
        Ok(())
    }

    /// The steps on which layer `index` stands: the sum of those below it.
    fn steps(&self, columns: &[Column], index: usize) -> Vec<(f64, f64)> {
        let unit = self.time.seconds_per_unit;
        let of = |column: &Column| {
            let height = column.gbps.as_ref()?.iter().take(index).sum::<f64>() * self.units_per_gbps;
            Some([(column.from_s / unit, height), (column.to_s / unit, height)])
        };
        columns.iter().filter_map(of).flatten().collect()
    }

    fn hover(&self, hovers: &mut Hovers, [top, bottom]: [i32; 2], columns: &[Column], side: &str) {
        for column in columns {
            let mut says = format!("{side}, {}", stretch(column.from_s, column.to_s));
            match &column.gbps {
                None => says += ": not measured",
                Some(gbps) => {
                    for (index, (layer, gbps)) in self.split.layers().iter().zip(gbps).enumerate() {
                        let before = if index == 0 { ": " } else { "; " };
                        says += &format!("{before}{} {}", layer.label, format::rate(*gbps));
                    }
                }
            }
            hovers.area([(self.time.x(column.from_s), top), (self.time.x(column.to_s), bottom)], &says);
        }
    }
}
