//! Throughput over time, stacked by the path that the bytes took.

pub(in crate::report) mod stack;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use self::stack::{BURST_BYTES, BURST_SHARE, BURST_TIMES, Column, Split, Stack, marks};
use crate::model::event::EventKind;
use crate::report::kit::chart::Picture;
use crate::report::kit::colours::{INK, PURPLE};
use crate::report::kit::format;
use crate::report::kit::lettering::{Lettering, text_width};
use crate::report::kit::over_time::placed;
use crate::report::kit::plot::{Axis, Frame, Plot};
use crate::report::kit::sheet::{BODY_TOP, HEIGHT, Key, LEFT, RIGHT, Sheet};
use crate::report::run::schema::{EventReport, RunReport};

/// More labels than fit into so many rows are counted, not written.
const LABEL_ROWS: usize = 3;
const LABEL_ROW: i32 = 22;
/// Where bursts are marked, above the picture.
const BURST_ROW: i32 = 18;
/// Lines of flips that can be pointed at: the rest is for the columns.
const POINTED_AT: usize = 100;

pub(super) fn of(report: &RunReport) -> Result<Picture<'_>, String> {
    let samples = placed(&report.throughput.samples);
    if samples.is_empty() {
        return Err("the run ended before its first interval did".to_owned());
    }
    let Some(split) = Split::choose(&samples) else {
        let why = samples.iter().find_map(|sample| sample.wire_gbps.as_ref().err()).map(ToString::to_string);
        return Err(why.unwrap_or_else(|| "no rate could be measured".to_owned()));
    };
    let stack = Stack::new(&samples, split);
    let highest_gbps = stack.columns.iter().filter_map(Column::top_gbps).fold(0.0, f64::max);
    if highest_gbps <= 0.0 {
        let lasted = format::duration(report.window.duration_s);
        return Err(format!("nothing was sent ({}, {} in {lasted})", split.quantity(), format::bytes(0)));
    }
    let flips: Vec<_> = report
        .events
        .iter()
        .filter(|event| event.kind == EventKind::FeaturesChanged && event.t_s.is_finite())
        .collect();
    Ok(Picture {
        finding: None,
        how: how(&stack, &flips),
        marks: marks([("", &stack)]),
        named: 0,
        body: Box::new(move |sheet| draw(sheet, &stack, highest_gbps, &flips)),
    })
}

fn draw(sheet: &mut Sheet<'_>, stack: &Stack, highest_gbps: f64, flips: &[&EventReport]) {
    let columns = &stack.columns;
    let from_s = columns.first().map_or(0.0, |column| column.from_s);
    let to_s = columns.iter().map(|column| column.to_s).fold(f64::NEG_INFINITY, f64::max);
    let frame = Frame { left: LEFT + 50, right: RIGHT, top: BODY_TOP, bottom: HEIGHT - 60 };
    let up = Axis::rate(highest_gbps, stack.split.quantity());
    let mut plot = Plot { frame, across: Axis::time(from_s, to_s), up };
    let flips = Flip::place(flips, &plot);
    let below_legend = sheet.legend(BODY_TOP, &keys(stack, &flips));
    let rows = flips.iter().filter_map(|flip| flip.row).max().map_or(0, |row| row as i32 + 1);
    let burst_row = if columns.iter().any(|column| column.burst.is_some()) { BURST_ROW } else { 0 };
    plot.frame.top = below_legend + 22 + rows * LABEL_ROW + burst_row;
    let Frame { top, bottom, .. } = plot.frame;
    plot.draw(sheet);
    stack.draw(sheet, &plot);
    mark_bursts(sheet, &plot, columns);
    stack.mark(sheet, &plot, top - burst_row, 0);
    for flip in &flips {
        sheet.dashes(flip.x, [flip.top(below_legend, top), bottom], INK);
    }
    // Labels last: a line that passes behind one is interrupted.
    for flip in &flips {
        flip.write_label(sheet, below_legend);
    }
    for flip in flips.iter().take(POINTED_AT) {
        sheet.says([(flip.x - 3, flip.top(below_legend, top)), (flip.x + 3, bottom)], &flip.text);
    }
}

fn keys(stack: &Stack, flips: &[Flip]) -> Vec<(Key, String)> {
    let mut keys = stack.keys();
    if stack.columns.iter().any(|column| column.range.is_some()) {
        keys.push((Key::Line(INK), format!("lowest and highest {} in a column", stack.split.ranged())));
    }
    if stack.columns.iter().any(|column| column.burst.is_some()) {
        keys.push((Key::Triangle(PURPLE), "retransmit burst".to_owned()));
    }
    if !flips.is_empty() {
        let unlabelled = flips.iter().filter(|flip| flip.row.is_none()).count();
        let more = if unlabelled > 0 { format!(" ({unlabelled} unlabelled)") } else { String::new() };
        keys.push((Key::Dashes(INK), format!("offload switched{more}")));
    }
    keys
}

fn how(stack: &Stack, flips: &[&EventReport]) -> String {
    let Stack { split, columns, .. } = stack;
    let highest_gbps = columns.iter().filter_map(Column::sum_gbps).fold(0.0, f64::max);
    let mut said = format!(
        "Stacked columns over {}, at most {} of {}; {}",
        format::duration(columns.last().map_or(0.0, |column| column.to_s)),
        format::rate(highest_gbps),
        split.quantity(),
        stack.means()
    );
    let range = columns.iter().filter_map(|column| column.range);
    if let Some([low, high]) = range.reduce(|[low, high], [lower, higher]| [low.min(lower), high.max(higher)])
    {
        let each = columns.iter().map(|column| column.intervals).max().unwrap_or(1);
        said += &format!(
            "; a column stands for up to {each} intervals, whose {} was {} at the lowest and {} at the highest",
            split.ranged(),
            format::rate(low),
            format::rate(high)
        );
    }
    said += &bursts(stack);
    for flip in flips.iter().take(20) {
        said += &format!("; at {:.1} s: {}", flip.t_s, flip.text);
    }
    said.push('.');
    said
}

/// Retransmits in words, with the rule that makes a burst of them.
fn bursts(stack: &Stack) -> String {
    let Some(median) = stack.median else { return String::new() };
    let rule = format!(
        "an interval with at least {} of its payload retransmitted, {BURST_TIMES} times the run's median of {}, and {} \
         or more",
        format::percent(BURST_SHARE),
        format::percent(median),
        format::bytes(BURST_BYTES)
    );
    let bursts: Vec<(f64, f64)> =
        stack.columns.iter().filter_map(|column| Some((column.from_s, column.burst?))).collect();
    match bursts.iter().copied().reduce(|worst, next| if next.1 > worst.1 { next } else { worst }) {
        None => format!("; no retransmit burst ({rule})"),
        Some((from_s, share)) => format!(
            "; retransmit bursts ({rule}) in {} of {} columns, the worst after {from_s:.1} s with {}",
            bursts.len(),
            stack.columns.len(),
            format::percent(share)
        ),
    }
}

/// Bursts of retransmits, in a row of their own above the plot: a bar as long as they went on, and a triangle.
fn mark_bursts(sheet: &mut Sheet<'_>, plot: &Plot, columns: &[Column]) {
    let bottom = plot.frame.top;
    for run in columns.chunk_by(|left, right| left.burst.is_some() == right.burst.is_some()) {
        if let ([first, ..], Some(last)) = (run, run.last())
            && first.burst.is_some()
        {
            let (from, to) = (plot.x(first.from_s), plot.x(last.to_s));
            sheet.rect([(from, bottom - 4), (to.max(from + 2), bottom - 2)], PURPLE.filled());
            sheet.triangle(((from + to) / 2, bottom - 2), 7, PURPLE);
        }
    }
}

/// A feature flip, on the picture.
struct Flip {
    x: i32,
    leftwards: bool,
    row: Option<usize>,
    text: String,
}

impl Flip {
    /// Finds each label a row in which it does not run into the one before it.
    fn place(flips: &[&EventReport], plot: &Plot) -> Vec<Self> {
        let mut occupied_to = [i32::MIN; LABEL_ROWS];
        let place = |flip: &&EventReport| {
            let x = plot.x(flip.t_s);
            let text = format!("{:.1} s {}", flip.t_s, format::shortened(&flip.text, 48));
            let width = text_width(&text, 15) + 8;
            let start = if x + width > RIGHT { x - width } else { x };
            let row = (start >= 0).then(|| occupied_to.iter().position(|end| *end <= start)).flatten();
            if let Some(end) = row.and_then(|row| occupied_to.get_mut(row)) {
                *end = start + width + 12;
            }
            Self { x, leftwards: start < x, row, text }
        };
        flips.iter().map(place).collect()
    }

    fn row_top(row: usize, below_legend: i32) -> i32 {
        below_legend + 4 + row as i32 * LABEL_ROW
    }

    /// Where its line begins.
    fn top(&self, below_legend: i32, axis_top: i32) -> i32 {
        self.row.map_or(axis_top - 8, |row| Self::row_top(row, below_legend))
    }

    fn write_label(&self, sheet: &mut Sheet<'_>, below_legend: i32) {
        let Some(row) = self.row else { return };
        let top = Self::row_top(row, below_legend);
        let width = text_width(&self.text, 15);
        let (x, anchor, ground) = if self.leftwards {
            (self.x - 6, HPos::Right, [(self.x - 6 - width, top), (self.x - 3, top + LABEL_ROW)])
        } else {
            (self.x + 6, HPos::Left, [(self.x + 3, top), (self.x + 6 + width, top + LABEL_ROW)])
        };
        sheet.rect(ground, WHITE.filled());
        sheet.text(&self.text, (x, top + 14), &Lettering::new(15, INK).anchored(anchor));
    }
}
