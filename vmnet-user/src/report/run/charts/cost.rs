//! What segmentation in software takes of the CPU, against what gets through: one point an interval.

use plotters::prelude::*;

use crate::model::fact::Known as _;
use crate::model::merging::merged;
use crate::model::throughput::Interval;
use crate::report::kit::chart::Picture;
use crate::report::kit::colours::{FAINT, INK, VERMILLION};
use crate::report::kit::format;
use crate::report::kit::lettering::Lettering;
use crate::report::kit::marks::{Column, Marks};
use crate::report::kit::over_time::{MOST_COLUMNS, placed};
use crate::report::kit::plot::{Axis, Frame, Plot, stretch, tick};
use crate::report::kit::sheet::{BODY_TOP, HEIGHT, Key, LEFT, RIGHT, Sheet};
use crate::report::run::schema::RunReport;
use crate::stats::{Line, PearsonInterval, least_squares, pearson};

const CAVEAT: &str = "this interval assumes independent samples; consecutive samples resemble each other, so the true one is wider";

/// Goodput in Gbit/s, and CPUs busy segmenting.
type Pair = (f64, f64);

fn pair(interval: &Interval) -> Option<Pair> {
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
    fn of(pairs: &[Pair]) -> Self {
        let varies = |value: fn(&Pair) -> f64| {
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

pub(super) fn of(report: &RunReport) -> Result<Picture<'_>, String> {
    let samples = placed(&report.throughput.samples);
    if samples.is_empty() {
        return Err("the run ended before its first interval did".to_owned());
    }
    let pairs: Vec<Pair> = samples.iter().filter_map(pair).collect();
    if pairs.is_empty() {
        let is_timed = samples.iter().any(|sample| sample.segmentation_cpu.is_ok());
        let missing = |sample: &Interval| {
            let missing = if is_timed { &sample.goodput_gbps } else { &sample.segmentation_cpu };
            missing.as_ref().err().map(ToString::to_string)
        };
        let why = samples.iter().find_map(missing);
        return Err(why.unwrap_or_else(|| "the CPU's time in segmentation was not measured".to_owned()));
    }
    if pairs.iter().all(|pair| pair.0 <= 0.0) {
        return Err("nothing was sent in any interval".to_owned());
    }
    if pairs.iter().all(|pair| pair.1 <= 0.0) {
        return Err("segmentation took no CPU".to_owned());
    }
    let found = Found::of(&pairs);
    let intervals = merged(&samples, MOST_COLUMNS);
    let points: Vec<(Pair, Interval)> =
        intervals.into_iter().filter_map(|interval| Some((pair(&interval)?, interval))).collect();
    let each = samples.len().div_ceil(MOST_COLUMNS).max(1);
    let point = if each > 1 { format!("the mean of {each} intervals") } else { "one interval".to_owned() };
    let highest = highest(&points);
    let caveat = found.correlation.map(|_| CAVEAT);
    let how = format!(
        "Scatter plot: goodput from 0 to {}, CPUs busy segmenting from 0 to {}; {} points, each {point}. {}{}{}.",
        format::rate(highest.0),
        format::significant(highest.1),
        points.len(),
        found.line_said().map_or_else(String::new, |line| format::capitalised(&line) + ". "),
        format::capitalised(&found.correlation_said()),
        caveat.map_or_else(String::new, |caveat| format!("; {caveat}"))
    );
    let marks = marks(&points);
    Ok(Picture {
        finding: finding(report),
        how,
        marks,
        named: 0,
        body: Box::new(move |sheet| {
            let mut keys = vec![(
                Key::Drawn(Box::new(|sheet: &mut Sheet<'_>, at| sheet.circle(at, 5, VERMILLION.filled()))),
                point.clone(),
            )];
            keys.extend(found.line_said().map(|said| (Key::Line(INK), said)));
            let below = sheet.legend(BODY_TOP, &keys);
            let notes = [(found.correlation_said(), INK), (caveat.unwrap_or_default().to_owned(), FAINT)];
            for ((note, colour), y) in notes.into_iter().zip([below + 16, below + 36]) {
                sheet.text_within(&note, (LEFT, y), RIGHT - LEFT, &Lettering::new(15, colour));
            }
            draw(sheet, below + 70, &points, found.line);
        }),
    })
}

fn finding(report: &RunReport) -> Option<String> {
    let cores = report.cost.cores.known()?;
    if cores <= 0.0 {
        return Some("segmentation took no CPU".to_owned());
    }
    let interval = report.cost.ns_per_byte_interval.known();
    let interval =
        interval.map_or_else(String::new, |[low, high]| format!(" (95 % interval {low:.2} to {high:.2})"));
    let per_byte = report.cost.ns_per_byte.known();
    let per_byte = per_byte.map_or_else(String::new, |ns| format!(", {}{interval}", format::ns_per_byte(ns)));
    Some(format!("segmentation kept {} CPUs busy on average{per_byte}", format::significant(cores)))
}

fn marks(points: &[(Pair, Interval)]) -> Marks {
    const COLUMNS: [Column; 7] = [
        Column::words("when"),
        Column::rate("goodput"),
        Column::number("busy segmenting", "CPUs"),
        Column::number("segmentation", "ns/byte"),
        Column::count("intervals").quiet(),
        Column::number("lowest segmenting", "CPUs").quiet(),
        Column::number("highest segmenting", "CPUs").quiet(),
    ];
    Marks::new(
        &COLUMNS,
        points.iter().map(|((gbps, cpus), interval)| {
            let several = interval.merged;
            let range = several.map_or(Some([*cpus; 2]), |several| several.segmentation_cpu);
            let [low, high] = [0, 1].map(|end| range.and_then(|range| range.get(end).copied()));
            [
                stretch(interval.t_s - interval.duration_s, interval.t_s).into(),
                (*gbps).into(),
                (*cpus).into(),
                interval.segmentation_ns_per_byte.known().into(),
                several.map_or(1, |several| u64::from(several.intervals)).into(),
                low.into(),
                high.into(),
            ]
        }),
    )
}

fn highest(points: &[(Pair, Interval)]) -> Pair {
    let highest = |of: fn(&Pair) -> f64| {
        points.iter().map(|(pair, _)| of(pair)).filter(|value| value.is_finite()).fold(0.0, f64::max)
    };
    (highest(|pair| pair.0), highest(|pair| pair.1))
}

fn draw(sheet: &mut Sheet<'_>, top: i32, points: &[(Pair, Interval)], line: Option<Line>) {
    let (highest_gbps, highest_cpus) = highest(points);
    // Nothing at all still has an axis to lie on.
    let room = if highest_cpus > 0.0 { highest_cpus * 1.08 } else { 1.0 };
    let up = if highest_cpus > 0.0 && highest_cpus < 0.1 {
        Axis::new(0.0, room, "busy segmenting, % of one CPU").in_units(0.01)
    } else {
        Axis::new(0.0, room, "busy segmenting, CPUs")
    };
    let across = Axis::rate(highest_gbps, "goodput");
    let frame = Frame { left: LEFT + 50, right: RIGHT, top, bottom: HEIGHT - 60 };
    let plot = Plot { frame, across, up };
    plot.draw(sheet);
    let opacity = if points.len() > 60 { 0.45 } else { 0.75 };
    for (row, ((gbps, cpus), _)) in points.iter().enumerate() {
        let (x, y) = (plot.x(*gbps), plot.y(*cpus));
        sheet.circle((x, y), 5, VERMILLION.mix(opacity).filled());
        sheet.mark([(x - 6, y - 6), (x + 6, y + 6)], row);
    }
    if let Some(line) = line {
        // From the first point to the last, and only where there is an axis: beyond that it claims what nobody saw.
        let rates = points.iter().map(|((gbps, _), _)| *gbps);
        let (first, last) =
            rates.fold((f64::INFINITY, 0.0_f64), |(low, high), gbps| (low.min(gbps), high.max(gbps)));
        let ends = [first, last].map(|gbps| (plot.x(gbps), plot.y(line.at(gbps))));
        sheet.line(ends, INK.stroke_width(2));
    }
}
