//! The round trip over time: what a queue that fills up does to whoever waits for an answer.

use plotters::prelude::*;

use crate::model::merging::merged;
use crate::report::kit::chart::Picture;
use crate::report::kit::colours::GREEN;
use crate::report::kit::format;
use crate::report::kit::marks::{Column, Marks};
use crate::report::kit::over_time::{MOST_COLUMNS, placed};
use crate::report::kit::plot::{Axis, Frame, Plot, stretch};
use crate::report::kit::sheet::{BODY_TOP, HEIGHT, LEFT, RIGHT};
use crate::report::run::schema::RunReport;

/// One column: when, and the median round trip of its sockets.
struct Trip {
    from_s: f64,
    to_s: f64,
    us: f64,
}

pub(super) fn of(report: &RunReport) -> Result<Picture<'_>, String> {
    const COLUMNS: [Column; 2] = [Column::words("when"), Column::number("round trip", "ms")];
    let samples = merged(&placed(&report.throughput.samples), MOST_COLUMNS);
    let trips: Vec<Trip> = samples
        .iter()
        .filter_map(|sample| {
            let us = sample.rtt_us.filter(|us| us.is_finite() && *us >= 0.0)?;
            Some(Trip { from_s: sample.t_s - sample.duration_s, to_s: sample.t_s, us })
        })
        .collect();
    let (Some(first), Some(last)) = (trips.first(), trips.last()) else {
        return Err("no socket here was seen to send by this interface".to_owned());
    };
    let longest = trips.iter().reduce(|one, next| if next.us > one.us { next } else { one }).unwrap_or(first);
    let across = Axis::time(first.from_s, last.to_s);
    let up = Axis::new(0.0, longest.us.max(1.0) * 1.08, "ms").in_units(1000.0);
    let row = |trip: &Trip| [stretch(trip.from_s, trip.to_s).into(), (trip.us / 1000.0).into()];
    Ok(Picture {
        finding: Some(format!(
            "the longest median of an interval: {} after {:.1} s",
            format::round_trip(longest.us),
            longest.from_s
        )),
        how: format!("A line over {}: the median round trip of TCP's sockets.", format::duration(last.to_s)),
        marks: Marks::new(&COLUMNS, trips.iter().map(row)),
        named: 0,
        body: Box::new(move |sheet| {
            let frame = Frame { left: LEFT + 50, right: RIGHT, top: BODY_TOP + 20, bottom: HEIGHT - 60 };
            let plot = Plot { frame, across: across.clone(), up: up.clone() };
            plot.draw(sheet);
            for (row, trip) in trips.iter().enumerate() {
                let (from, to, y) = (plot.x(trip.from_s), plot.x(trip.to_s), plot.y(trip.us));
                sheet.line([(from, y), (to, y)], GREEN.stroke_width(3));
                sheet.mark([(from, frame.top), (to, frame.bottom)], row);
            }
        }),
    })
}
