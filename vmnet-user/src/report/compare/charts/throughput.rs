//! Throughput over time, A above B, on the same axes of time and rate.

use crate::model::comparison::EffectId;
use crate::report::compare::Pair;
use crate::report::kit::chart::Picture;
use crate::report::kit::colours::INK;
use crate::report::kit::format;
use crate::report::kit::lettering::Lettering;
use crate::report::kit::over_time::placed;
use crate::report::kit::plot::{Axis, Frame, Plot};
use crate::report::kit::sheet::{BODY_TOP, HEIGHT, LEFT, RIGHT, Sheet};
use crate::report::run::charts::throughput::stack::{Column, Split, Stack, marks};

/// Room for the heading above each panel, between the panels, and for the axis below the last.
const HEADING: i32 = 48;
const GAP: i32 = 14;
const BOTTOM_AXIS: i32 = 60;

pub(super) fn of(pair: &Pair) -> Result<Picture<'_>, String> {
    let samples = [&pair.a, &pair.b].map(|report| placed(&report.throughput.samples));
    // What both can show is the less telling of the two.
    let split = samples.iter().filter_map(|samples| Split::choose(samples)).max();
    let split = split.ok_or("no rate was measured in either run")?;
    let stacks = samples.map(|samples| Stack::new(&samples, split));
    let columns = || stacks.iter().flat_map(|stack| &stack.columns);
    let highest_gbps = columns().filter_map(Column::sum_gbps).fold(0.0, f64::max);
    if !(highest_gbps > 0.0 && highest_gbps.is_finite()) {
        return Err("nothing was sent in either run".to_owned());
    }
    let from_s = columns().map(|column| column.from_s).fold(f64::INFINITY, f64::min);
    let to_s = columns().map(|column| column.to_s).fold(f64::NEG_INFINITY, f64::max);
    let [a, b] = &stacks;
    let how = format!(
        "Two pictures of stacked columns on the same axes, up to {} and up to {}. A: {}. B: {}.",
        format::duration(to_s - from_s.min(0.0)),
        format::rate(highest_gbps),
        a.means(),
        b.means()
    );
    let marks = marks([("A", a), ("B", b)]);
    let axes = (Axis::time(from_s, to_s), Axis::rate(highest_gbps, ""));
    let body = Box::new(move |sheet: &mut Sheet<'_>| draw(sheet, pair, &stacks, &axes));
    Ok(Picture { finding: None, how, marks, named: 0, body })
}

fn draw(sheet: &mut Sheet<'_>, pair: &Pair, stacks: &[Stack; 2], (across, up): &(Axis, Axis)) {
    let [a, b] = stacks;
    // What is missing in one of them is missing in the legend of both.
    let keys = if b.keys().len() > a.keys().len() { b.keys() } else { a.keys() };
    let mut top = sheet.legend(BODY_TOP, &keys);
    let height = (HEIGHT - top - BOTTOM_AXIS - GAP) / 2 - HEADING;
    let goodput = pair.report.comparison.effect(EffectId::Goodput);
    let (a_gbps, b_gbps) = goodput.map_or((None, None), |effect| (effect.a, effect.b));
    let runs = [("A", &pair.report.runs.a, a_gbps), ("B", &pair.report.runs.b, b_gbps)];
    let mut row = 0;
    for (stack, (side, run, gbps)) in stacks.iter().zip(runs) {
        // The answer, and the rate that the effects are made of.
        let rate = gbps.map(format::rate);
        let rate = rate.map_or_else(String::new, |rate| format!(", goodput {rate} on average"));
        let heading = format!("{side}: {}{rate}", run.sentence);
        sheet.text_within(&heading, (LEFT, top + 18), RIGHT - LEFT, &Lettering::new(16, INK).bold());
        let frame =
            Frame { left: LEFT + 50, right: RIGHT, top: top + HEADING, bottom: top + HEADING + height };
        let across = if side == "B" { across.clone() } else { across.bare() };
        let plot = Plot { frame, across, up: up.clone() };
        plot.draw(sheet);
        stack.draw(sheet, &plot);
        stack.mark(sheet, &plot, frame.top, row);
        row += stack.columns.len();
        top = frame.bottom + GAP;
    }
}
