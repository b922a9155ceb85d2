//! Every transmit queue and every CPU over time.

mod rows;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use self::rows::{Cell, Group, Row, groups};
use super::{ChartError, Table};
use crate::model::throughput::Interval;
use crate::report::kit::axes::{TimeAxis, stretch, tick};
use crate::report::kit::canvas::{Area, BODY_TOP, HEIGHT, LEFT, RIGHT};
use crate::report::kit::colours::{FAINT, INK, SHADES, shade};
use crate::report::kit::format;
use crate::report::kit::hover::Hovers;
use crate::report::kit::lettering::{Lettering, write, write_within};
use crate::report::kit::over_time::is_placed;
use crate::report::kit::sheet::{Topic, Words, empty_sheet, hatched, sheet};
use crate::report::run::schema::RunReport;

const TOPIC: Topic = Topic { stem: "heat", subject: "Transmit queues and CPUs over time" };
const AXIS_LEFT: i32 = LEFT + 110;
const AXIS_BOTTOM: i32 = HEIGHT - 44;
const TOP: i32 = BODY_TOP + 44;
/// Above each group.
const HEADING: i32 = 25;
const TALLEST: i32 = 30;
/// The height of a line of labels.
const LABEL: i32 = 15;

pub(super) fn draw(report: &RunReport) -> Result<String, ChartError> {
    let samples: Vec<&Interval> =
        report.throughput.samples.iter().filter(|sample| is_placed(sample)).collect();
    if samples.is_empty() {
        return empty_sheet(report, TOPIC, "the run ended before its first interval did");
    }
    let (groups, absent) = groups(&samples);
    let rows: usize = groups.iter().map(|group| group.rows.len()).sum();
    if rows == 0 {
        return empty_sheet(report, TOPIC, &absent.join("; "));
    }
    let from_s = samples.first().map_or(0.0, |sample| sample.t_s - sample.duration_s);
    let to_s = samples.iter().map(|sample| sample.t_s).fold(from_s, f64::max);
    let time = TimeAxis::new(from_s, to_s, [AXIS_LEFT, RIGHT]);
    let busiest = groups.iter().filter_map(Group::busiest).reduce(|one, next| format!("{one}; {next}"));
    let each = groups.iter().flat_map(|group| &group.rows).map(|row| row.intervals).max().unwrap_or(1);
    let means =
        if each > 1 { format!(" Colours are means of up to {each} intervals.") } else { String::new() };
    let mut notes: Vec<String> = groups.iter().filter_map(Group::aggregation).collect();
    notes.dedup();
    notes.extend(absent);
    let description = format!(
        "Heat map over {}: a row each for {}. Darkest is nothing, brightest is all; what was not measured is hatched.{means} \
         {}",
        format::duration(to_s),
        groups.iter().map(Group::counted).collect::<Vec<_>>().join(", "),
        notes.iter().map(|note| format!("{note}. ")).collect::<String>()
    );
    let words = Words { topic: TOPIC, finding: busiest, description: &description };
    sheet(report, words, |area, hovers| {
        colour_bar(area, &groups, each)?;
        let notes = notes.join("; ");
        let has_note = !notes.is_empty();
        if has_note {
            write_within(area, &notes, (LEFT, HEIGHT - 10), RIGHT - LEFT, &Lettering::new(14, FAINT))?;
        }
        let bottom = AXIS_BOTTOM - if has_note { 20 } else { 0 };
        let room = bottom - TOP - groups.len() as i32 * HEADING;
        // In hundredths of a pixel, so that 64 rows fill the room.
        let height = (room * 100 / rows as i32).clamp(100, TALLEST * 100);
        let mut top = TOP * 100;
        for group in &groups {
            let heading = Lettering::new(15, INK).bold();
            let at = (AXIS_LEFT, top / 100 + 18);
            write_within(area, &group.heading(), at, RIGHT - AXIS_LEFT, &heading)?;
            top += HEADING * 100;
            let every = (LABEL * 100 + height - 1) / height;
            let first = top;
            for (index, row) in group.rows.iter().enumerate() {
                let edges = [top / 100, ((top + height) / 100).max(top / 100 + 1)];
                draw_row(area, &time, edges, group, row)?;
                if index as i32 % every == 0 {
                    let base = (edges[0] + edges[1]) / 2 + 5;
                    let end = Lettering::new(13, INK).anchored(HPos::Right);
                    write(area, &format::shortened(&row.name, 14), (AXIS_LEFT - 8, base), &end)?;
                }
                hover(hovers, &time, edges, row, Hovers::MOST / rows);
                top += height;
            }
            let frame = [(AXIS_LEFT - 1, first / 100 - 1), (RIGHT, top / 100)];
            area.draw(&Rectangle::new(frame, FAINT))?;
        }
        time_axis(area, &time, top / 100)
    })
}

/// A row's cells; neighbours of one shade are one rectangle.
fn draw_row(
    area: &Area<'_>,
    time: &TimeAxis,
    [top, bottom]: [i32; 2],
    group: &Group,
    row: &Row,
) -> Result<(), ChartError> {
    let step = |cell: &Cell| cell.mean.map(|mean| (group.part(mean) * (SHADES - 1) as f64).round() as usize);
    let together = |left: &Cell, right: &Cell| step(left) == step(right);
    for run in row.cells.chunk_by(together) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let corners = [(time.x(first.from_s), top), (time.x(last.to_s), bottom)];
        match first.mean {
            Some(mean) => area.draw(&Rectangle::new(corners, shade(group.part(mean)).filled()))?,
            None => hatched(area, corners)?,
        }
    }
    Ok(())
}

/// A row in as many parts as can be pointed at.
fn hover(hovers: &mut Hovers, time: &TimeAxis, [top, bottom]: [i32; 2], row: &Row, most: usize) {
    let each = row.cells.len().div_ceil(most.max(1)).max(1);
    for part in row.cells.chunks(each) {
        let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
        let known: Vec<f64> = part.iter().filter_map(|cell| cell.mean).collect();
        let highest = part.iter().filter_map(|cell| cell.highest).reduce(f64::max);
        let when = stretch(first.from_s, last.to_s);
        let says = match highest {
            None => format!("{}, {when}: not measured", row.title()),
            Some(highest) => {
                let mean = known.iter().sum::<f64>() / known.len() as f64;
                let peak = if part.len() > 1 || row.intervals > 1 {
                    format!(" on average, {} at most", (row.said)(highest))
                } else {
                    String::new()
                };
                let gap = if known.len() < part.len() { "; a part was not measured" } else { "" };
                format!("{}, {when}: {}{peak}{gap}", row.title(), (row.said)(mean))
            }
        };
        hovers.area([(time.x(first.from_s), top), (time.x(last.to_s), bottom)], &says);
    }
}

/// What the shades mean, for queues and for CPUs.
fn colour_bar(area: &Area<'_>, groups: &[Group], each: usize) -> Result<(), ChartError> {
    const BAR: [i32; 2] = [LEFT + 20, LEFT + 20 + SHADES as i32 * 10];
    let top = BODY_TOP + 4;
    write(area, "0", (BAR[0] - 10, top + 14), &Lettering::new(15, INK).anchored(HPos::Right))?;
    for step in 0..SHADES {
        let left = BAR[0] + step as i32 * 10;
        let colour = shade(step as f64 / (SHADES - 1) as f64);
        area.draw(&Rectangle::new([(left, top), (left + 10, top + 18)], colour.filled()))?;
    }
    let mut all: Vec<String> = Vec::new();
    for group in groups {
        all.extend(group.all().filter(|said| !all.contains(said)));
    }
    let mean = if each > 1 { format!("; means of up to {each} intervals") } else { String::new() };
    let text = format!("{}{mean}", all.join(" · "));
    let missing = RIGHT - 150;
    write_within(area, &text, (BAR[1] + 10, top + 14), missing - BAR[1] - 40, &Lettering::new(15, INK))?;
    hatched(area, [(missing, top), (missing + 18, top + 18)])?;
    write(area, "not measured", (missing + 26, top + 14), &Lettering::new(15, INK))
}

fn time_axis(area: &Area<'_>, time: &TimeAxis, top: i32) -> Result<(), ChartError> {
    let range = time.range();
    let length = range.end - range.start;
    let step = step(length);
    area.draw(&PathElement::new([(AXIS_LEFT, top + 3), (RIGHT, top + 3)], FAINT))?;
    let first = (range.start / step).ceil();
    for number in 0..=12 {
        let at = (first + f64::from(number)) * step;
        if !at.is_finite() || at > range.end {
            break;
        }
        let x = time.x(at * time.seconds_per_unit);
        area.draw(&PathElement::new([(x, top + 3), (x, top + 8)], FAINT))?;
        write(area, &tick(at), (x, top + 22), &Lettering::new(14, INK).anchored(HPos::Center))?;
    }
    let lettering = Lettering::new(14, INK).anchored(HPos::Right);
    write(area, time.unit, (AXIS_LEFT - 14, top + 22), &lettering)
}

/// Of 1, 2 and 5 times a power of ten, the least that makes at most a dozen of a length.
fn step(length: f64) -> f64 {
    let power = 10_f64.powf((length / 12.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|times| times * power)
        .into_iter()
        .find(|step| length / step <= 12.0)
        .unwrap_or(length)
}

pub(super) fn table(report: &RunReport) -> Table {
    let mut table = Table::new(["what", "which", "mean", "highest", "highest in, s since the run began"]);
    let samples: Vec<&Interval> =
        report.throughput.samples.iter().filter(|sample| is_placed(sample)).collect();
    let unknown = || "not measured".to_owned();
    for group in groups(&samples).0 {
        for row in &group.rows {
            let peak = row.peak();
            table.row([
                group.what.to_owned(),
                row.name.clone(),
                row.mean().map_or_else(unknown, row.said),
                peak.map_or_else(unknown, |(highest, _)| (row.said)(highest)),
                peak.map_or_else(unknown, |(_, cell)| stretch(cell.from_s, cell.to_s)),
            ]);
        }
    }
    table
}
