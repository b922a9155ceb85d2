//! What segmentation in software takes of the CPU, against what gets through: one point an interval.

use plotters::prelude::*;

use super::{ChartError, Table};
use crate::model::fact::Known as _;
use crate::model::merging::merged;
use crate::model::throughput::Interval;
use crate::report::kit::axes::{rate_unit, stretch, tick};
use crate::report::kit::canvas::{Area, BODY_TOP, HEIGHT, LEFT, RIGHT, WIDTH};
use crate::report::kit::colours::{FAINT, GRID, INK, VERMILLION};
use crate::report::kit::format;
use crate::report::kit::hover::Hovers;
use crate::report::kit::lettering::{FONT, Lettering, font_size, write, write_within};
use crate::report::kit::over_time::{MOST_ROWS, is_placed, number, slim};
use crate::report::kit::sheet::{Key, Topic, Words, empty_sheet, legend, sheet};
use crate::report::run::schema::RunReport;
use crate::stats::{Line, PearsonInterval, least_squares, pearson};

const TOPIC: Topic = Topic { stem: "cost", subject: "CPU spent on segmentation against throughput" };
/// More points than this hide each other.
const POINTS: usize = 500;
const AXIS_LEFT: i32 = LEFT + 75;
const AXIS_BOTTOM: i32 = HEIGHT - 70;
const CAVEAT: &str =
    "the interval takes intervals to be independent, while neighbours resemble each other: it is too narrow";

/// Goodput in Gbit/s, and CPUs busy segmenting.
fn pair(interval: &Interval) -> Option<(f64, f64)> {
    let pair = interval.goodput_gbps.known().zip(interval.segmentation_cpu.known())?;
    (pair.0.is_finite() && pair.1.is_finite() && pair.0 >= 0.0 && pair.1 >= 0.0).then_some(pair)
}

/// What is found in all intervals, however few points are drawn.
struct Found {
    n: usize,
    line: Option<Line>,
    correlation: Option<PearsonInterval>,
    varies: [bool; 2],
}

/// Correlation coefficients with so many decimals that nearly 1 is not 1.
fn coefficients<const COUNT: usize>(all: [f64; COUNT]) -> [String; COUNT] {
    let rounds_to_one = |decimals: usize| {
        all.iter().any(|r| format!("{:.decimals$}", r.abs()).starts_with('1') && r.abs() < 1.0)
    };
    let decimals = (2..6).find(|decimals| !rounds_to_one(*decimals)).unwrap_or(6);
    all.map(|r| format!("{}{:.decimals$}", if r < 0.0 { "−" } else { "" }, r.abs()))
}

impl Found {
    fn of(pairs: &[(f64, f64)]) -> Self {
        let varies = |value: fn(&(f64, f64)) -> f64| {
            let first = pairs.first().map(value);
            pairs.iter().any(|pair| Some(value(pair)) != first)
        };
        let changes = varies(|pair| pair.1);
        Self {
            n: pairs.len(),
            // A level line through what never changes says nothing.
            line: least_squares(pairs).filter(|_| changes),
            correlation: pearson(pairs),
            varies: [varies(|pair| pair.0), changes],
        }
    }

    fn correlation_said(&self) -> String {
        match (&self.correlation, self.varies) {
            (Some(PearsonInterval { r, interval: [low, high], n }), _) => {
                let [r, low, high] = coefficients([*r, *low, *high]);
                format!("Pearson r = {r}, 95 % interval {low} to {high}, n = {n} intervals")
            }
            (None, _) if self.n < 4 => {
                format!("no correlation: it takes at least 4 intervals, and there were {}", self.n)
            }
            (None, [_, false]) => {
                "no correlation: segmentation took the same CPU in every interval".to_owned()
            }
            (None, [false, _]) => "no correlation: throughput was the same in every interval".to_owned(),
            (None, _) => "no correlation: the intervals hardly differ".to_owned(),
        }
    }

    fn line_said(&self) -> Option<String> {
        let Line { intercept, slope } = self.line?;
        let size = |value: f64| match value.abs() {
            // More decimals than anybody reads.
            small if small < 0.000_5 => tick(small),
            size => format::significant(size),
        };
        let minus = if slope < 0.0 { "−" } else { "" };
        let sign = if intercept < 0.0 { '−' } else { '+' };
        Some(format!("least squares: CPUs = {minus}{} × Gbit/s {sign} {}", size(slope), size(intercept)))
    }
}

pub(super) fn draw(report: &RunReport) -> Result<String, ChartError> {
    let samples: Vec<Interval> =
        report.throughput.samples.iter().filter(|sample| is_placed(sample)).map(slim).collect();
    if samples.is_empty() {
        return empty_sheet(report, TOPIC, "the run ended before its first interval did");
    }
    let pairs: Vec<_> = samples.iter().filter_map(pair).collect();
    if pairs.is_empty() {
        let is_timed = samples.iter().any(|sample| sample.segmentation_cpu.is_ok());
        let why = samples.iter().find_map(|sample| {
            let missing = if is_timed { &sample.goodput_gbps } else { &sample.segmentation_cpu };
            missing.as_ref().err()
        });
        let why =
            why.map_or("the CPU's time in segmentation was not measured".to_owned(), ToString::to_string);
        return empty_sheet(report, TOPIC, &why);
    }
    let found = Found::of(&pairs);
    let points: Vec<_> = merged(&samples, POINTS)
        .into_iter()
        .filter_map(|interval| Some((pair(&interval)?, interval)))
        .collect();
    let highest = |of: fn(&(f64, f64)) -> f64| {
        points.iter().map(|(pair, _)| of(pair)).filter(|value| value.is_finite()).fold(0.0, f64::max)
    };
    let scale = Scale::new(highest(|pair| pair.0), highest(|pair| pair.1));
    let finding = report.cost.cores.known().map(|cores| {
        let per_byte = report.cost.ns_per_byte.known().map_or_else(String::new, |ns| {
            let interval =
                report.cost.ns_per_byte_interval.known().map_or_else(String::new, |[low, high]| {
                    format!(" (95 % interval {low:.2} to {high:.2})")
                });
            format!(", {}{interval}", format::ns_per_byte(ns))
        });
        if cores <= 0.0 {
            return "segmentation took no CPU".to_owned();
        }
        format!("segmentation kept {} CPUs busy on average{per_byte}", format::significant(cores))
    });
    let each = samples.len().div_ceil(POINTS).max(1);
    let point = if each > 1 { format!("the mean of {each} intervals") } else { "one interval".to_owned() };
    let caveat = found.correlation.map(|_| CAVEAT);
    let description = format!(
        "Scatter plot: goodput from 0 to {}, CPUs busy segmenting from 0 to {}; {} points, each {point}. {}{}{}.",
        format::rate(highest(|pair| pair.0)),
        format::significant(highest(|pair| pair.1)),
        points.len(),
        found.line_said().map_or_else(String::new, |line| format::capitalised(&line) + ". "),
        format::capitalised(&found.correlation_said()),
        caveat.map_or_else(String::new, |caveat| format!("; {caveat}"))
    );
    let words = Words { topic: TOPIC, finding, description: &description };
    sheet(report, words, |area, hovers| {
        let mut keys = vec![(Key::Dot(VERMILLION), point.clone())];
        keys.extend(found.line_said().map(|said| (Key::Line(INK), said)));
        let below = legend(area, BODY_TOP, &keys)?;
        let notes = [(found.correlation_said(), INK), (caveat.unwrap_or_default().to_owned(), FAINT)];
        for ((note, colour), y) in notes.into_iter().zip([below + 16, below + 36]) {
            write_within(area, &note, (LEFT, y), RIGHT - LEFT, &Lettering::new(15, colour))?;
        }
        let top = below + 56;
        scale.draw(area, top, &points, found.line)?;
        scale.hover(hovers, top, &points);
        if highest(|pair| pair.0) <= 0.0 {
            let at = (AXIS_LEFT + 40, AXIS_BOTTOM - 60);
            write(area, "nothing was sent in any interval", at, &Lettering::new(18, FAINT))?;
        }
        Ok(())
    })
}

pub(super) fn table(report: &RunReport) -> Table {
    let mut table = Table::new([
        "until, s",
        "goodput, Gbit/s",
        "segmenting, CPUs",
        "segmentation, ns/byte",
        "intervals",
        "lowest segmenting, CPUs",
        "highest segmenting, CPUs",
    ]);
    let slim: Vec<Interval> = report.throughput.samples.iter().map(slim).collect();
    for interval in merged(&slim, MOST_ROWS) {
        let range = match interval.merged {
            Some(merged) => merged.segmentation_cpu,
            None => interval.segmentation_cpu.known().map(|cpus| [cpus; 2]),
        };
        table.row([
            format!("{:.1}", interval.t_s),
            number(interval.goodput_gbps.known()),
            number(interval.segmentation_cpu.known()),
            number(interval.segmentation_ns_per_byte.known()),
            interval.merged.map_or(1, |merged| merged.intervals).to_string(),
            number(range.map(|[low, _]| low)),
            number(range.map(|[_, high]| high)),
        ]);
    }
    table
}

/// Both axes, from 0.
struct Scale {
    units_per_gbps: f64,
    rate_unit: &'static str,
    highest_rate: f64,
    units_per_cpu: f64,
    cpu_unit: &'static str,
    highest_cpu: f64,
}

impl Scale {
    fn new(highest_gbps: f64, highest_cpu: f64) -> Self {
        let (units_per_gbps, rate_unit) =
            if highest_gbps > 0.0 { rate_unit(highest_gbps) } else { (1.0, "Gbit/s") };
        let (units_per_cpu, cpu_unit) =
            if highest_cpu > 0.0 && highest_cpu < 0.1 { (100.0, "% of one CPU") } else { (1.0, "CPUs") };
        // Nothing at all still has an axis to lie on.
        let room = |highest: f64| if highest > 0.0 { highest * 1.08 } else { 1.0 };
        Self {
            units_per_gbps,
            rate_unit,
            highest_rate: room(highest_gbps * units_per_gbps),
            units_per_cpu,
            cpu_unit,
            highest_cpu: room(highest_cpu * units_per_cpu),
        }
    }

    fn draw(
        &self,
        area: &Area<'_>,
        top: i32,
        points: &[((f64, f64), Interval)],
        line: Option<Line>,
    ) -> Result<(), ChartError> {
        let mut chart = ChartBuilder::on(area)
            .margin_top(top)
            .margin_left(LEFT)
            .margin_right(WIDTH - RIGHT)
            .margin_bottom(15)
            .set_label_area_size(LabelAreaPosition::Left, AXIS_LEFT - LEFT)
            .set_label_area_size(LabelAreaPosition::Bottom, HEIGHT - AXIS_BOTTOM - 15)
            .build_cartesian_2d(0.0..self.highest_rate, 0.0..self.highest_cpu)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(FAINT)
            .x_labels(10)
            .y_labels(10)
            .label_style((FONT, font_size(16)).into_font().color(&INK))
            .axis_desc_style((FONT, font_size(16)).into_font().color(&INK))
            .x_label_formatter(&|value| tick(*value))
            .y_label_formatter(&|value| tick(*value))
            .x_desc(format!("goodput, {}", self.rate_unit))
            .y_desc(format!("busy segmenting, {}", self.cpu_unit))
            .draw()?;
        let opacity = if points.len() > 60 { 0.45 } else { 0.75 };
        chart.draw_series(points.iter().map(|((gbps, cpus), _)| {
            let at = (gbps * self.units_per_gbps, cpus * self.units_per_cpu);
            Circle::new(at, 5, VERMILLION.mix(opacity).filled())
        }))?;
        if let Some(line) = line {
            // From the first point to the last, and only where there is an axis: beyond that it claims what nobody saw.
            let rates = points.iter().map(|((gbps, _), _)| *gbps);
            let (first, last) =
                rates.fold((f64::INFINITY, 0.0_f64), |(low, high), gbps| (low.min(gbps), high.max(gbps)));
            let end = |gbps: f64| {
                let cpus = (line.at(gbps) * self.units_per_cpu).clamp(0.0, self.highest_cpu);
                (gbps * self.units_per_gbps, cpus)
            };
            chart.draw_series([PathElement::new([end(first), end(last)], INK.stroke_width(2))])?;
        }
        Ok(())
    }

    fn hover(&self, hovers: &mut Hovers, top: i32, points: &[((f64, f64), Interval)]) {
        let place = |part: f64, from: i32, to: i32| {
            from + (part.clamp(0.0, 1.0) * f64::from(to - from)).round() as i32
        };
        for ((gbps, cpus), interval) in points {
            let x = place(gbps * self.units_per_gbps / self.highest_rate, AXIS_LEFT, RIGHT);
            let y = place(cpus * self.units_per_cpu / self.highest_cpu, AXIS_BOTTOM, top);
            let says = format!(
                "{}: goodput {}, {} CPUs busy segmenting",
                stretch(interval.t_s - interval.duration_s, interval.t_s),
                format::rate(*gbps),
                format::significant(*cpus)
            );
            hovers.area([(x - 6, y - 6), (x + 6, y + 6)], &says);
        }
    }
}
