//! The way as a staircase: a step for each device, as wide as the packets that come to it, as high as the bytes that they carry.

use plotters::prelude::*;

use super::text::here;
use super::{PathReport, StepReport};
use crate::model::path::{Side, State};
use crate::report::kit::chart::Picture;
use crate::report::kit::colours::{BLUE, FAINT, GREY, INK, SKY, VERMILLION};
use crate::report::kit::format;
use crate::report::kit::lettering::Lettering;
use crate::report::kit::marks::{Column, Marks, Value};
use crate::report::kit::sheet::{BODY_TOP, HEIGHT, Key, LEFT, RIGHT, Sheet};

/// The steps, between names and words.
const FROM: i32 = LEFT + 290;
const TO: i32 = RIGHT - 240;
const BOTTOM: i32 = HEIGHT - 56;
/// A step is no higher than this, however few there are.
const HIGHEST: i32 = 76;
/// More gaps than this would be all that is seen of a packet that is cut.
const MOST_GAPS: u64 = 60;

pub(super) fn of(report: &PathReport) -> Result<Picture<'_>, String> {
    const COLUMNS: [Column; 9] = [
        Column::words("device"),
        Column::words("namespace").quiet(),
        Column::words("kind").quiet(),
        Column::count("super-packets").quiet(),
        Column::count("wire segments").quiet(),
        Column::count("singles").quiet(),
        Column::number("mean packet in", "bytes"),
        Column::number("mean packet out", "bytes"),
        Column::words("here"),
    ];
    let longest = report.steps.iter().filter_map(|step| step.mean_bytes_in).fold(0.0, f64::max);
    let most = report.steps.iter().map(bytes).max().unwrap_or(0);
    if longest <= 0.0 || most == 0 {
        return Err("nothing passed".to_owned());
    }
    let row = |step: &StepReport| {
        let count = |of: fn(&super::Queued) -> u64| -> Value { step.queued.as_ref().map(of).into() };
        [
            step.interface.name.as_str().into(),
            step.namespace.called().into(),
            step.kind.as_str().into(),
            count(|queued| queued.super_packets),
            count(|queued| queued.segments),
            count(|queued| queued.singles),
            step.mean_bytes_in.into(),
            step.mean_bytes_out.into(),
            here(step).into(),
        ]
    };
    Ok(Picture {
        finding: None,
        how: "A bar for each device in the order of the way, as long as its packets and as high as their bytes."
            .to_owned(),
        marks: Marks::new(&COLUMNS, report.steps.iter().map(row)),
        named: report.steps.len(),
        body: Box::new(move |sheet| draw(sheet, report, longest, most)),
    })
}

fn draw(sheet: &mut Sheet<'_>, report: &PathReport, longest: f64, most: u64) {
    let keys = [
        (Key::Fill(BLUE), "left whole".to_owned()),
        (Key::Fill(VERMILLION), "segmented here".to_owned()),
        (Key::Fill(GREY), "comes as singles".to_owned()),
        (Key::Fill(SKY), "comes in, by a device that receives it".to_owned()),
    ];
    let top = sheet.legend(BODY_TOP, &keys) + 12;
    let rows = i32::try_from(report.steps.len()).unwrap_or(1).max(1);
    let row = ((BOTTOM - top) / rows).min(HIGHEST);
    for (place, step) in report.steps.iter().enumerate() {
        let y = top + row * i32::try_from(place).unwrap_or(0);
        bar(sheet, step, [y, row], longest, most);
        words(sheet, step, y + row / 2);
        sheet.mark([(LEFT, y), (RIGHT, y + row)], place);
    }
    let scale =
        format!("width: mean packet, {} at most; height: bytes (square root)", format::mean_bytes(longest));
    sheet.text_within(&scale, (FROM, HEIGHT - 26), TO - FROM, &Lettering::new(14, FAINT));
}

/// As long as the packets, as high as their bytes; in pieces where they are segmented.
fn bar(sheet: &mut Sheet<'_>, step: &StepReport, [y, row]: [i32; 2], longest: f64, most: u64) {
    let share = (bytes(step) as f64 / most as f64).sqrt();
    let height = (f64::from(row - 10) * share).round().max(2.0) as i32;
    let width = step.mean_bytes_in.unwrap_or(0.0) / longest * f64::from(TO - FROM);
    let (upper, lower) = (y + (row - height) / 2, y + (row + height) / 2);
    let right = FROM + (width.round() as i32).max(2);
    let pieces = if cuts(step) { pieces(step).clamp(2, MOST_GAPS) } else { 1 };
    let at = |piece: u64| FROM + (f64::from(right - FROM) * piece as f64 / pieces as f64).round() as i32;
    for piece in 0..pieces {
        let gap = i32::from(pieces > 1 && at(piece + 1) - at(piece) > 2);
        sheet.filled([(at(piece), upper), (at(piece + 1) - gap, lower)], colour(step));
    }
}

/// Which device on the left, what it does on the right.
fn words(sheet: &mut Sheet<'_>, step: &StepReport, middle: i32) {
    let name = Lettering::new(17, INK).bold();
    sheet.text_within(&step.interface.name, (LEFT, middle - 1), 170, &name);
    let beside = format!("{} · {}", step.namespace.called(), step.kind);
    sheet.text_within(&beside, (LEFT, middle + 17), FROM - LEFT - 12, &Lettering::new(13, FAINT));
    let (at, width) = (TO + 16, RIGHT - TO - 16);
    sheet.text_within(&here(step), (at, middle - 1), width, &Lettering::new(15, INK));
    let size = step.mean_bytes_in.map_or_else(String::new, format::mean_bytes);
    sheet.text_within(&size, (at, middle + 17), width, &Lettering::new(13, FAINT));
}

fn bytes(step: &StepReport) -> u64 {
    step.queued.map_or(step.driver_bytes.unwrap_or(0), |queued| queued.bytes)
}

fn cuts(step: &StepReport) -> bool {
    step.side == Side::Transmit && matches!(step.state, State::Segmented | State::Partial)
}

/// How many segments a super-packet is worth there.
fn pieces(step: &StepReport) -> u64 {
    step.queued.map_or(1, |queued| queued.segments.checked_div(queued.super_packets).unwrap_or(1))
}

fn colour(step: &StepReport) -> RGBColor {
    match (step.side, step.state) {
        (Side::Receive, _) => SKY,
        (_, State::Whole) => BLUE,
        (_, State::Segmented | State::Partial) => VERMILLION,
        (_, State::Singles | State::Unknown) => GREY,
    }
}
