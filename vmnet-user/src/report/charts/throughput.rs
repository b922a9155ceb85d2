//! Throughput over time, stacked by the path that the bytes took.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::page::{
    Area, BAND, BLUE, BODY_TOP, FAINT, FONT, GREY, GRID, HEIGHT, INK, Key, LEFT, Lettering, RIGHT, SKY,
    VERMILLION, WIDTH, Words, YELLOW, dashes, empty_page, font_size, legend, page, text_width, tick, write,
};
use super::{ChartError, Table};
use crate::model::merging::merged;
use crate::model::throughput::Interval;
use crate::report::format;
use crate::report::schema::{EventReport, RunReport};

const SUBJECT: &str = "Throughput over time by path";
/// More columns than this cannot be told apart, and only make the file larger.
const COLUMNS: usize = 500;
/// More labels than fit into so many rows are counted, not written.
const LABEL_ROWS: usize = 3;
const LABEL_ROW: i32 = 22;
const AXIS_LEFT: i32 = LEFT + 75;
const AXIS_BOTTOM: i32 = HEIGHT - 70;

/// One layer of the stack.
struct Layer {
    label: &'static str,
    colour: RGBColor,
}

const BY_PATH: [Layer; 4] = [
    Layer { label: "super-packets, whole to the device", colour: BLUE },
    Layer { label: "cut up by the CPU", colour: VERMILLION },
    Layer { label: "full-size singles", colour: YELLOW },
    Layer { label: "small packets", colour: GREY },
];

/// What the stack is made of; what is known decides.
enum Split {
    ByPath,
    Payload,
    Wire,
}

impl Split {
    /// The most telling one of which something is known.
    fn choose(samples: &[Interval]) -> Option<Self> {
        [Self::ByPath, Self::Payload, Self::Wire]
            .into_iter()
            .find(|split| samples.iter().any(|sample| split.values(sample).is_some()))
    }

    /// Gbit/s of each layer; None unless all are known.
    fn values(&self, sample: &Interval) -> Option<Vec<f64>> {
        let values = match self {
            Self::ByPath => vec![
                sample.hardware_gbps?,
                sample.software_gbps?,
                sample.unaggregated_gbps?,
                sample.small_gbps?,
            ],
            Self::Payload => vec![sample.goodput_gbps?],
            Self::Wire => vec![sample.wire_gbps?],
        };
        values.iter().all(|value| value.is_finite() && *value >= 0.0).then_some(values)
    }

    fn layers(&self) -> &'static [Layer] {
        match self {
            Self::ByPath => &BY_PATH,
            Self::Payload => &[Layer { label: "TCP payload, its path not known", colour: SKY }],
            Self::Wire => &[Layer { label: "all that was on the wire, its path not known", colour: SKY }],
        }
    }

    fn quantity(&self) -> &'static str {
        match self {
            Self::ByPath | Self::Payload => "TCP payload",
            Self::Wire => "on the wire",
        }
    }
}

/// Neighbouring intervals as one column of the picture.
struct Column {
    from_s: f64,
    to_s: f64,
    /// Mean over the column; None where any part of it is not known.
    gbps: Option<Vec<f64>>,
}

pub(super) fn draw(report: &RunReport) -> Result<String, ChartError> {
    let samples: Vec<_> = report
        .throughput
        .samples
        .iter()
        .filter(|sample| sample.t_s.is_finite() && sample.duration_s.is_finite() && sample.duration_s > 0.0)
        .cloned()
        .collect();
    if samples.is_empty() {
        return empty_page(report, SUBJECT, "the run ended before its first interval did");
    }
    let Some(split) = Split::choose(&samples) else {
        let why = report.unmeasured.get("throughput.samples[].wire_gbps");
        return empty_page(report, SUBJECT, why.map_or("no rate could be measured", String::as_str));
    };
    let columns = columns(&samples, &split);
    let sums = columns.iter().filter_map(|column| column.gbps.as_ref()).map(|gbps| gbps.iter().sum::<f64>());
    let highest_gbps = sums.fold(0.0, f64::max);
    if highest_gbps <= 0.0 {
        let why = format!(
            "nothing was sent ({}, {} in {})",
            split.quantity(),
            format::bytes(0),
            format::duration(report.window.duration_s)
        );
        return empty_page(report, SUBJECT, &why);
    }
    let flips: Vec<_> = report
        .events
        .iter()
        .filter(|event| event.kind == "features-changed" && event.t_s.is_finite())
        .collect();

    let description = description(&columns, &split, highest_gbps, &flips);
    let words = Words { subject: SUBJECT, finding: None, description: &description };
    page(report, words, |area| {
        let picture = Picture::new(&columns, highest_gbps);
        let marks = picture.place(&flips);
        let below_legend = legend(area, BODY_TOP, &keys(&split, &columns, &marks))?;
        let rows = marks.iter().filter_map(|mark| mark.row).max().map_or(0, |row| row as i32 + 1);
        let top = below_legend + 14 + rows * LABEL_ROW;
        picture.draw(area, top, &columns, &split)?;
        for mark in &marks {
            dashes(area, mark.x, mark.top(below_legend, top), AXIS_BOTTOM, INK)?;
        }
        // Labels last: a line that passes behind one is interrupted.
        for mark in &marks {
            mark.write_label(area, below_legend)?;
        }
        Ok(())
    })
}

/// Rows beyond which nobody reads.
const MOST_ROWS: usize = 120;

pub(super) fn table(report: &RunReport) -> Table {
    let mut table = Table::new([
        "until, s",
        "hardware, Gbit/s",
        "software, Gbit/s",
        "unaggregated, Gbit/s",
        "small, Gbit/s",
        "goodput, Gbit/s",
        "wire, Gbit/s",
    ]);
    for interval in merged(&report.throughput.samples, MOST_ROWS) {
        let cell = |gbps: Option<f64>| gbps.map_or_else(|| "not measured".to_owned(), format::significant);
        table.row([
            format!("{:.1}", interval.t_s),
            cell(interval.hardware_gbps),
            cell(interval.software_gbps),
            cell(interval.unaggregated_gbps),
            cell(interval.small_gbps),
            cell(interval.goodput_gbps),
            cell(interval.wire_gbps),
        ]);
    }
    table
}

fn columns(samples: &[Interval], split: &Split) -> Vec<Column> {
    let per_column = samples.len().div_ceil(COLUMNS).max(1);
    samples
        .chunks(per_column)
        .filter_map(|chunk| {
            let (first, last) = (chunk.first()?, chunk.last()?);
            let mut sums = vec![0.0; split.layers().len()];
            let mut seconds = 0.0;
            let mut known = true;
            for sample in chunk {
                seconds += sample.duration_s;
                match split.values(sample) {
                    Some(values) => {
                        for (sum, value) in sums.iter_mut().zip(values) {
                            *sum += value * sample.duration_s;
                        }
                    }
                    None => known = false,
                }
            }
            let gbps = known.then(|| sums.iter().map(|sum| sum / seconds).collect());
            Some(Column { from_s: first.t_s - first.duration_s, to_s: last.t_s, gbps })
        })
        .collect()
}

fn keys(split: &Split, columns: &[Column], marks: &[Mark]) -> Vec<(Key, String)> {
    let mut keys: Vec<_> =
        split.layers().iter().map(|layer| (Key::Fill(layer.colour), layer.label.to_owned())).collect();
    if columns.iter().any(|column| column.gbps.is_none()) {
        keys.push((Key::Fill(BAND), "not measured".to_owned()));
    }
    if !marks.is_empty() {
        let unlabelled = marks.iter().filter(|mark| mark.row.is_none()).count();
        let more = if unlabelled > 0 { format!(" ({unlabelled} unlabelled)") } else { String::new() };
        keys.push((Key::Dashes(INK), format!("offload switched{more}")));
    }
    keys
}

fn description(columns: &[Column], split: &Split, highest_gbps: f64, flips: &[&EventReport]) -> String {
    let mut said = format!(
        "Stacked columns over {}, at most {} of {}",
        format::duration(columns.last().map_or(0.0, |column| column.to_s)),
        format::rate(highest_gbps),
        split.quantity()
    );
    for (index, layer) in split.layers().iter().enumerate() {
        let known = columns.iter().filter_map(|column| Some((column, *column.gbps.as_ref()?.get(index)?)));
        let (gigabits, seconds) = known.fold((0.0, 0.0), |(gigabits, seconds), (column, gbps)| {
            let length_s = column.to_s - column.from_s;
            (gigabits + gbps * length_s, seconds + length_s)
        });
        if seconds > 0.0 {
            said += &format!("; {}: {} on average", layer.label, format::rate(gigabits / seconds));
        }
    }
    for flip in flips.iter().take(20) {
        said += &format!("; at {:.1} s: {}", flip.t_s, flip.text);
    }
    said.push('.');
    said
}

/// The axes: where a time and a rate lie.
struct Picture {
    from_s: f64,
    to_s: f64,
    seconds_per_unit: f64,
    time_unit: &'static str,
    units_per_gbps: f64,
    rate_unit: &'static str,
    highest: f64,
}

impl Picture {
    fn new(columns: &[Column], highest_gbps: f64) -> Self {
        let from_s = columns.first().map_or(0.0, |column| column.from_s).min(0.0);
        let to_s = columns.iter().map(|column| column.to_s).fold(from_s + 1e-9, f64::max);
        let (seconds_per_unit, time_unit) = match to_s - from_s {
            length if length > 4.0 * 3600.0 => (3600.0, "hours"),
            length if length > 600.0 => (60.0, "minutes"),
            _ => (1.0, "seconds"),
        };
        let (units_per_gbps, rate_unit) = match highest_gbps {
            high if high >= 1000.0 => (1e-3, "Tbit/s"),
            high if high >= 0.5 => (1.0, "Gbit/s"),
            high if high >= 0.000_5 => (1e3, "Mbit/s"),
            high if high >= 0.000_000_5 => (1e6, "kbit/s"),
            _ => (1e9, "bit/s"),
        };
        // Head room, so that the highest column does not run into the frame.
        let highest = highest_gbps * units_per_gbps * 1.08;
        Self { from_s, to_s, seconds_per_unit, time_unit, units_per_gbps, rate_unit, highest }
    }

    fn x(&self, at_s: f64) -> i32 {
        let part = ((at_s - self.from_s) / (self.to_s - self.from_s)).clamp(0.0, 1.0);
        AXIS_LEFT + (part * f64::from(RIGHT - AXIS_LEFT)).round() as i32
    }

    /// Finds each label a row in which it does not run into the one before it.
    fn place(&self, flips: &[&EventReport]) -> Vec<Mark> {
        let mut occupied_to = [i32::MIN; LABEL_ROWS];
        flips
            .iter()
            .map(|flip| {
                let x = self.x(flip.t_s);
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

    fn draw(&self, area: &Area<'_>, top: i32, columns: &[Column], split: &Split) -> Result<(), ChartError> {
        let unit = self.seconds_per_unit;
        let mut chart = ChartBuilder::on(area)
            .margin_top(top)
            .margin_left(LEFT)
            .margin_right(WIDTH - RIGHT)
            .margin_bottom(15)
            .set_label_area_size(LabelAreaPosition::Left, AXIS_LEFT - LEFT)
            .set_label_area_size(LabelAreaPosition::Bottom, HEIGHT - AXIS_BOTTOM - 15)
            .build_cartesian_2d(self.from_s / unit..self.to_s / unit, 0.0..self.highest)?;
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
            .x_desc(format!("{} since the run began", self.time_unit))
            .y_desc(format!("{}, {}", self.rate_unit, split.quantity()))
            .draw()?;

        let unknown = columns.iter().filter(|column| column.gbps.is_none());
        chart.draw_series(unknown.map(|column| {
            Rectangle::new([(column.from_s / unit, 0.0), (column.to_s / unit, self.highest)], BAND.filled())
        }))?;
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
                let unit = self.seconds_per_unit;
                Some([(column.from_s / unit, height), (column.to_s / unit, height)])
            })
            .flatten()
            .collect()
    }
}

/// A feature flip, on the picture.
struct Mark {
    x: i32,
    leftwards: bool,
    row: Option<usize>,
    text: String,
}

impl Mark {
    fn row_top(row: usize, below_legend: i32) -> i32 {
        below_legend + 8 + row as i32 * LABEL_ROW
    }

    /// Where its line begins.
    fn top(&self, below_legend: i32, axis_top: i32) -> i32 {
        self.row.map_or(axis_top - 8, |row| Self::row_top(row, below_legend))
    }

    fn write_label(&self, area: &Area<'_>, below_legend: i32) -> Result<(), ChartError> {
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
