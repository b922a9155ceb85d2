//! The way as a staircase: a step for each device, as wide as the packets that come to it, as high as the bytes that they carry.

use plotters::prelude::*;

use super::text::{called, here};
use super::{PathReport, StepReport};
use crate::model::path::{Side, State};
use crate::report::kit::canvas::{BODY_TOP, HEIGHT, LEFT, RIGHT};
use crate::report::kit::chart::ChartError;
use crate::report::kit::colours::{BLUE, FAINT, GREY, INK, SKY, VERMILLION};
use crate::report::kit::format;
use crate::report::kit::lettering::{Lettering, write_within};
use crate::report::kit::sheet::{Key, Topic, Words, empty_sheet, filled, legend, sheet};
use crate::report::kit::table::Table;

const TOPIC: Topic =
    Topic { stem: "path-staircase", subject: "What each device on the way makes of super-packets" };
/// The steps, between names and words.
const FROM: i32 = LEFT + 290;
const TO: i32 = RIGHT - 240;
const BOTTOM: i32 = HEIGHT - 56;
/// A step is no higher than this, however few there are.
const HIGHEST: i32 = 76;
/// More gaps than this would be all that is seen of a packet that is cut.
const MOST_GAPS: u64 = 60;

pub(super) fn draw(report: &PathReport) -> Result<String, ChartError> {
    let longest = report.steps.iter().filter_map(|step| step.mean_bytes_in).fold(0.0, f64::max);
    let most = report.steps.iter().map(bytes).max().unwrap_or(0);
    if longest <= 0.0 || most == 0 {
        return empty_sheet(report, TOPIC, "nothing passed");
    }
    let told: Vec<String> = report.steps.iter().map(|step| said(report, step)).collect();
    let description = format!(
        "A bar for each device in the order of the way, as long as its packets and as high as their bytes. {}.",
        told.join(". ")
    );
    sheet(report, Words { topic: TOPIC, finding: None, description: &description }, |area, hovers| {
        let top = legend(
            area,
            BODY_TOP,
            &[
                (Key::Fill(BLUE), "left whole".to_owned()),
                (Key::Fill(VERMILLION), "segmented here".to_owned()),
                (Key::Fill(GREY), "comes as singles".to_owned()),
                (Key::Fill(SKY), "comes in, by a device that receives it".to_owned()),
            ],
        )? + 12;
        let rows = i32::try_from(report.steps.len()).unwrap_or(1).max(1);
        let row = ((BOTTOM - top) / rows).min(HIGHEST);
        for (place, step) in report.steps.iter().enumerate() {
            let y = top + row * i32::try_from(place).unwrap_or(0);
            let share = (bytes(step) as f64 / most as f64).sqrt();
            let height = (f64::from(row - 10) * share).round().max(2.0) as i32;
            let width = step.mean_bytes_in.unwrap_or(0.0) / longest * f64::from(TO - FROM);
            let (upper, lower) = (y + (row - height) / 2, y + (row + height) / 2);
            let right = FROM + (width.round() as i32).max(2);
            let gaps = if cuts(step) { pieces(step).clamp(2, MOST_GAPS) } else { 1 };
            for piece in 0..gaps {
                let at =
                    |piece: u64| FROM + (f64::from(right - FROM) * piece as f64 / gaps as f64).round() as i32;
                let gap = i32::from(gaps > 1 && at(piece + 1) - at(piece) > 2);
                filled(area, [(at(piece), upper), (at(piece + 1) - gap, lower)], colour(step))?;
            }
            let middle = y + row / 2;
            write_within(
                area,
                &step.interface.name,
                (LEFT, middle - 1),
                170,
                &Lettering::new(17, INK).bold(),
            )?;
            let beside = format!("{} · {}", step.namespace.called(), step.kind);
            write_within(area, &beside, (LEFT, middle + 17), FROM - LEFT - 12, &Lettering::new(13, FAINT))?;
            write_within(
                area,
                &here(step),
                (TO + 16, middle - 1),
                RIGHT - TO - 16,
                &Lettering::new(15, INK),
            )?;
            let size = step.mean_bytes_in.map_or_else(String::new, format::mean_bytes);
            write_within(area, &size, (TO + 16, middle + 17), RIGHT - TO - 16, &Lettering::new(13, FAINT))?;
            hovers.area([(LEFT, y), (RIGHT, y + row)], &said(report, step));
        }
        let scale = format!(
            "width: mean packet, {} at most; height: bytes (square root)",
            format::mean_bytes(longest)
        );
        write_within(area, &scale, (FROM, HEIGHT - 26), TO - FROM, &Lettering::new(14, FAINT))
    })
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

fn said(report: &PathReport, step: &StepReport) -> String {
    let size = step.mean_bytes_in.map_or_else(|| "nothing".to_owned(), format::mean_bytes);
    format!("{}: {size}, {}", called(report, step), here(step))
}

pub(super) fn table(report: &PathReport) -> Table {
    let mut table = Table::new([
        "device",
        "namespace",
        "kind",
        "super-packets",
        "wire segments",
        "singles",
        "mean bytes in",
        "mean bytes out",
        "here",
    ]);
    for step in &report.steps {
        let count = |of: fn(&super::Queued) -> u64| {
            step.queued.as_ref().map_or_else(String::new, |queued| format::exact(of(queued)))
        };
        let mean =
            |value: Option<f64>| value.map_or_else(|| "not known".to_owned(), |value| format!("{value:.0}"));
        table.row([
            step.interface.name.clone(),
            step.namespace.called(),
            step.kind.clone(),
            count(|queued| queued.super_packets),
            count(|queued| queued.segments),
            count(|queued| queued.singles),
            mean(step.mean_bytes_in),
            mean(step.mean_bytes_out),
            here(step),
        ]);
    }
    table
}
