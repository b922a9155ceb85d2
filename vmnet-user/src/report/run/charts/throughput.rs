//! Throughput over time, stacked by the path that the bytes took.

pub(in crate::report) mod columns;
mod picture;

use self::columns::{BURST_BYTES, BURST_SHARE, BURST_TIMES, Column, Split, columns};
use self::picture::{AXIS_BOTTOM, BURST_ROW, LABEL_ROW, Mark, Picture};
use super::{ChartError, Table};
use crate::model::event::EventKind;
use crate::model::fact::Known as _;
use crate::model::merging::merged;
use crate::model::throughput::Interval;
use crate::report::kit::canvas::BODY_TOP;
use crate::report::kit::colours::{INK, PURPLE};
use crate::report::kit::format;
use crate::report::kit::over_time::{MOST_ROWS, is_placed, number, slim};
use crate::report::kit::sheet::{Key, Topic, Words, dashes, empty_sheet, legend, sheet};
use crate::report::run::schema::{EventReport, RunReport};

const TOPIC: Topic = Topic { stem: "throughput", subject: "Throughput over time by path" };
/// Lines of flips that can be pointed at: the rest is for the columns.
const POINTED_AT: usize = 100;

pub(super) fn draw(report: &RunReport) -> Result<String, ChartError> {
    let samples: Vec<Interval> =
        report.throughput.samples.iter().filter(|sample| is_placed(sample)).map(slim).collect();
    if samples.is_empty() {
        return empty_sheet(report, TOPIC, "the run ended before its first interval did");
    }
    let Some(split) = Split::choose(&samples) else {
        let why = samples.iter().find_map(|sample| sample.wire_gbps.as_ref().err()).map(ToString::to_string);
        return empty_sheet(report, TOPIC, &why.unwrap_or_else(|| "no rate could be measured".to_owned()));
    };
    let (columns, median) = columns(&samples, &split);
    let highest_gbps = columns.iter().filter_map(Column::top_gbps).fold(0.0, f64::max);
    if highest_gbps <= 0.0 {
        let why = format!(
            "nothing was sent ({}, {} in {})",
            split.quantity(),
            format::bytes(0),
            format::duration(report.window.duration_s)
        );
        return empty_sheet(report, TOPIC, &why);
    }
    let flips: Vec<_> = report
        .events
        .iter()
        .filter(|event| event.kind == EventKind::FeaturesChanged && event.t_s.is_finite())
        .collect();

    let description = description(&columns, &split, median, &flips);
    let words = Words { topic: TOPIC, finding: None, description: &description };
    sheet(report, words, |area, hovers| {
        let picture = Picture::new(&columns, highest_gbps);
        let marks = picture.place(&flips);
        let below_legend = legend(area, BODY_TOP, &keys(&split, &columns, &marks))?;
        let rows = marks.iter().filter_map(|mark| mark.row).max().map_or(0, |row| row as i32 + 1);
        let has_bursts = columns.iter().any(|column| column.burst.is_some());
        let burst_row = if has_bursts { BURST_ROW } else { 0 };
        let top = below_legend + 14 + rows * LABEL_ROW + burst_row;
        picture.draw(area, top, &columns, &split)?;
        picture.mark_bursts(area, top, &columns)?;
        picture.hover(hovers, top - burst_row, &columns, &split);
        for mark in &marks {
            dashes(area, mark.x, mark.top(below_legend, top), AXIS_BOTTOM, INK)?;
        }
        // Labels last: a line that passes behind one is interrupted.
        for mark in &marks {
            mark.write_label(area, below_legend)?;
        }
        for mark in marks.iter().take(POINTED_AT) {
            mark.hover(hovers, mark.top(below_legend, top));
        }
        Ok(())
    })
}

pub(super) fn table(report: &RunReport) -> Table {
    let mut table = Table::new([
        "until, s",
        "hardware, Gbit/s",
        "software, Gbit/s",
        "unaggregated, Gbit/s",
        "small, Gbit/s",
        "goodput, Gbit/s",
        "wire, Gbit/s",
        "retransmitted, bytes",
        "intervals",
        "lowest goodput, Gbit/s",
        "highest goodput, Gbit/s",
        "lowest on the wire, Gbit/s",
        "highest on the wire, Gbit/s",
    ]);
    let slim: Vec<Interval> = report.throughput.samples.iter().map(slim).collect();
    for interval in merged(&slim, MOST_ROWS) {
        let extremes = interval.merged.unwrap_or_default();
        let [goodput, wire] = if interval.merged.is_some() {
            [extremes.goodput_gbps, extremes.wire_gbps]
        } else {
            [interval.goodput_gbps.known(), interval.wire_gbps.known()].map(|gbps| gbps.map(|gbps| [gbps; 2]))
        };
        table.row([
            format!("{:.1}", interval.t_s),
            number(interval.hardware_gbps.known()),
            number(interval.software_gbps.known()),
            number(interval.unaggregated_gbps.known()),
            number(interval.small_gbps.known()),
            number(interval.goodput_gbps.known()),
            number(interval.wire_gbps.known()),
            interval
                .retransmitted_bytes
                .known()
                .map_or_else(|| "not measured".to_owned(), |bytes| bytes.to_string()),
            interval.merged.map_or(1, |merged| merged.intervals).to_string(),
            number(goodput.map(|[low, _]| low)),
            number(goodput.map(|[_, high]| high)),
            number(wire.map(|[low, _]| low)),
            number(wire.map(|[_, high]| high)),
        ]);
    }
    table
}

fn keys(split: &Split, columns: &[Column], marks: &[Mark]) -> Vec<(Key, String)> {
    let mut keys: Vec<_> =
        split.layers().iter().map(|layer| (Key::Fill(layer.colour), layer.label.to_owned())).collect();
    if columns.iter().any(|column| column.gbps.is_none()) {
        keys.push((Key::Hatched, "not measured".to_owned()));
    }
    if columns.iter().any(|column| column.range.is_some()) {
        keys.push((Key::Line(INK), format!("lowest and highest {} in a column", split.ranged())));
    }
    if columns.iter().any(|column| column.burst.is_some()) {
        keys.push((Key::Triangle(PURPLE), "retransmit burst".to_owned()));
    }
    if !marks.is_empty() {
        let unlabelled = marks.iter().filter(|mark| mark.row.is_none()).count();
        let more = if unlabelled > 0 { format!(" ({unlabelled} unlabelled)") } else { String::new() };
        keys.push((Key::Dashes(INK), format!("offload switched{more}")));
    }
    keys
}

fn description(columns: &[Column], split: &Split, median: Option<f64>, flips: &[&EventReport]) -> String {
    let highest_gbps = columns.iter().filter_map(Column::sum_gbps).fold(0.0, f64::max);
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
    said += &bursts(columns, median);
    for flip in flips.iter().take(20) {
        said += &format!("; at {:.1} s: {}", flip.t_s, flip.text);
    }
    said.push('.');
    said
}

/// Retransmits in words, with the rule that makes a burst of them.
fn bursts(columns: &[Column], median: Option<f64>) -> String {
    let Some(median) = median else { return String::new() };
    let rule = format!(
        "an interval with at least {} of its payload retransmitted, {BURST_TIMES} times the run's median of {}, and {} \
         or more",
        format::percent(BURST_SHARE),
        format::percent(median),
        format::bytes(BURST_BYTES)
    );
    let worst = columns
        .iter()
        .filter_map(|column| Some((column.from_s, column.burst?)))
        .reduce(|worst, next| if next.1 > worst.1 { next } else { worst });
    match worst {
        None => format!("; no retransmit burst ({rule})"),
        Some((from_s, share)) => {
            let count = columns.iter().filter(|column| column.burst.is_some()).count();
            format!(
                "; retransmit bursts ({rule}) in {count} of {} columns, the worst after {from_s:.1} s with {}",
                columns.len(),
                format::percent(share)
            )
        }
    }
}
