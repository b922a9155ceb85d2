//! The ledger as a flow: what became of every byte of TCP payload.
//!
//! A fate keeps its colour and its height from left to right. Where fates share a stage they lie upon each other, else each has a lane.

use plotters::prelude::*;

use super::reason;
use crate::model::ledger::{Entry, OFFLOADED, Protocol, SEGMENTED, SINGLES, SMALL};
use crate::report::kit::chart::Picture;
use crate::report::kit::colours::{BLUE, FAINT, GREY, INK, PURPLE, SKY, VERMILLION, YELLOW, edge};
use crate::report::kit::format;
use crate::report::kit::lettering::Lettering;
use crate::report::kit::marks::{Column, Marks, Value};
use crate::report::kit::sheet::{BODY_TOP, HEIGHT, LEFT, Point, RIGHT, Sheet};
use crate::report::run::schema::RunReport;
use crate::units;

/// Left and right ends of the four stages, between which the flows bend.
const STAGES: [[i32; 2]; 4] = [[LEFT, 210], [320, 560], [670, 900], [1000, RIGHT]];
const TOP: i32 = BODY_TOP + 8;
const BOTTOM: i32 = HEIGHT - 50;
/// Above each lane: its name and its bytes.
const LABEL: i32 = 46;
/// What there is can be seen and pointed at.
const THINNEST: f64 = 3.0;

/// What becomes of bytes.
struct Fate {
    name: &'static str,
    colour: RGBColor,
    of: fn(&Entry) -> u64,
    /// Into super-packets.
    was_built: bool,
    left: bool,
}

/// In the ledger's order.
const FATES: [Fate; 6] = [
    fate(OFFLOADED, BLUE, |entry| entry.hardware_bytes, true, true),
    fate(SEGMENTED, VERMILLION, |entry| entry.software_bytes, true, true),
    fate(SINGLES, YELLOW, |entry| entry.unaggregated_bytes, false, true),
    fate(SMALL, GREY, |entry| entry.small_bytes, false, true),
    fate("dropped", PURPLE, |entry| entry.dropped_bytes, false, false),
    fate("not yet seen to leave", SKY, |entry| entry.pending_bytes, false, false),
];

const fn fate(
    name: &'static str,
    colour: RGBColor,
    of: fn(&Entry) -> u64,
    was_built: bool,
    left: bool,
) -> Fate {
    Fate { name, colour, of, was_built, left }
}

/// One fate's bytes, and where it lies.
struct Flow {
    fate: &'static Fate,
    bytes: u64,
    height: f64,
    /// Its upper edge at each stage; as many as it reaches.
    tops: Vec<f64>,
}

fn said(bytes: u64, all: u64) -> String {
    let share =
        units::share(bytes, all).map_or_else(String::new, |share| format!(" · {}", format::percent(share)));
    format!("{}{share}", format::bytes(bytes))
}

fn laid_out(entry: &Entry) -> Vec<Flow> {
    let there: Vec<_> =
        FATES.iter().map(|fate| (fate, (fate.of)(entry))).filter(|(_, bytes)| *bytes != 0).collect();
    let all: f64 = there.iter().map(|(_, bytes)| *bytes as f64).sum();
    let room = f64::from(BOTTOM - TOP) - there.len() as f64 * (f64::from(LABEL) + THINNEST);
    let mut lane = f64::from(TOP);
    let mut stacked = f64::from(TOP + LABEL);
    let mut wire = stacked;
    let mut flows: Vec<Flow> = Vec::new();
    for (fate, bytes) in there {
        let height = (bytes as f64 / all * room).max(THINNEST);
        lane += f64::from(LABEL);
        // What was built is one stage before it parts: it lies where the first of it does.
        let second = match flows.last() {
            Some(before) if fate.was_built => before.tops.get(1).copied().unwrap_or(lane) + before.height,
            _ => lane,
        };
        let mut tops = vec![stacked, second];
        if fate.left {
            tops.extend([lane, wire]);
            wire += height;
        }
        stacked += height;
        lane += height;
        flows.push(Flow { fate, bytes, height, tops });
    }
    flows
}

impl Flow {
    /// The whole way, as one outline: straight through a stage, bent between two.
    fn outline(&self) -> Vec<Point> {
        let mut upper: Vec<(f64, f64)> = Vec::new();
        let mut before: Option<(f64, f64)> = None;
        for ([from, to], top) in STAGES.iter().zip(&self.tops) {
            if let Some((x, y)) = before {
                const STEPS: i32 = 32;
                upper.extend((1..STEPS).map(|step| {
                    let part = f64::from(step) / f64::from(STEPS);
                    // Level at both ends.
                    let bent = part * part * (3.0 - 2.0 * part);
                    (x + (f64::from(*from) - x) * part, y + (top - y) * bent)
                }));
            }
            upper.extend([(f64::from(*from), *top), (f64::from(*to), *top)]);
            before = Some((f64::from(*to), *top));
        }
        let lower = upper.iter().rev().map(|(x, y)| (*x, y + self.height));
        let corners = upper.iter().copied().chain(lower);
        corners.map(|(x, y)| (x.round() as i32, y.round() as i32)).collect()
    }

    fn draw(&self, sheet: &mut Sheet<'_>, row: usize) {
        let outline = self.outline();
        let colour = self.fate.colour;
        sheet.polygon(outline.clone(), colour.filled());
        if edge(colour) != colour {
            let closed: Vec<_> = outline.iter().chain(outline.first()).copied().collect();
            sheet.line(closed, edge(colour));
        }
        if let (false, Some(top), [_, [_, right], ..]) = (self.fate.left, self.tops.last(), STAGES) {
            // It ends here.
            let middle = (top + self.height / 2.0).round() as i32;
            let half = (self.height / 2.0).round() as i32 + 6;
            sheet.line([(right, middle - half), (right, middle + half)], INK.stroke_width(3));
        }
        sheet.mark_shape(&outline, row);
    }
}

pub(super) fn of(report: &RunReport) -> Result<Picture<'_>, String> {
    let Some(tcp) = &report.ledger.tcp else {
        return Err(reason(report, "ledger.tcp", "no programs counted packets one by one").to_owned());
    };
    let flows = laid_out(&tcp.total);
    if flows.is_empty() {
        return Err("no TCP payload was sent".to_owned());
    }
    let sum = |is_of: fn(&Fate) -> bool| {
        flows.iter().filter(|flow| is_of(flow.fate)).map(|flow| flow.bytes).fold(0, u64::saturating_add)
    };
    let sums = [sum(|_| true), sum(|fate| fate.was_built), sum(|fate| fate.left)];
    let [all, built, left] = sums;
    Ok(Picture {
        finding: None,
        how: format!(
            "Flows from left to right as wide as their bytes, the thinnest widened to be seen: {} of TCP payload, of which built into \
             super-packets: {}; sent: {}.",
            format::bytes(all),
            said(built, all),
            said(left, all)
        ),
        marks: marks(tcp, &flows),
        named: flows.len(),
        body: Box::new(move |sheet| draw(sheet, report, &tcp.total, &flows, sums)),
    })
}

/// The fates, then sums that are none.
fn marks(tcp: &Protocol, flows: &[Flow]) -> Marks {
    const COLUMNS: [Column; 5] = [
        Column::words("what became of it"),
        Column::bytes("payload").alone(),
        Column::share("share").alone(),
        Column::bytes("IPv4"),
        Column::bytes("IPv6"),
    ];
    let row = |name: &str, of: &dyn Fn(&Entry) -> Option<u64>| -> [Value; 5] {
        let total = of(&tcp.total);
        let share = total.and_then(|total| units::share(total, tcp.total.payload_bytes));
        [name.into(), total.into(), share.into(), of(&tcp.ipv4).into(), of(&tcp.ipv6).into()]
    };
    let fates = flows.iter().map(|flow| row(flow.fate.name, &|entry| Some((flow.fate.of)(entry))));
    let sums = [
        row("all of it", &|entry| Some(entry.payload_bytes)),
        row("of which retransmitted", &|entry| entry.retransmitted_bytes),
    ];
    Marks::new(&COLUMNS, fates.chain(sums))
}

fn draw(
    sheet: &mut Sheet<'_>,
    report: &RunReport,
    entry: &Entry,
    flows: &[Flow],
    [all, built, left]: [u64; 3],
) {
    for (row, flow) in flows.iter().enumerate() {
        flow.draw(sheet, row);
    }
    let again = match entry.retransmitted_bytes {
        None => "retransmits not known".to_owned(),
        Some(0) => "nothing retransmitted".to_owned(),
        Some(bytes) => format!("{} retransmitted", format::bytes(bytes)),
    };
    label(sheet, 0, Some(&f64::from(TOP + LABEL)), ("TCP payload", &format::bytes(all)));
    let stacked = f64::from(TOP + LABEL) + flows.iter().map(|flow| flow.height).sum::<f64>();
    sheet.text_within(&again, (LEFT, stacked.round() as i32 + 22), 210, &Lettering::new(14, FAINT));
    if let Some(first) = flows.iter().find(|flow| flow.fate.was_built) {
        label(sheet, 1, first.tops.get(1), ("built: super-packets", &said(built, all)));
    }
    for flow in flows {
        let stage = if flow.fate.was_built { 2 } else { 1 };
        label(sheet, stage, flow.tops.get(stage), (flow.fate.name, &said(flow.bytes, all)));
    }
    if let Some(first) = flows.iter().find(|flow| flow.fate.left) {
        let gone = if report.interface.terminal { "on the wire" } else { "left this device" };
        label(sheet, 3, first.tops.get(3), (gone, &said(left, all)));
    }
    let note = "as wide as their bytes, but never so thin that they cannot be seen; % of TCP payload, retransmits included";
    sheet.text_within(note, (LEFT, HEIGHT - 20), RIGHT - LEFT, &Lettering::new(15, FAINT));
}

/// Above a stage's upper edge: its name and its bytes.
fn label(sheet: &mut Sheet<'_>, stage: usize, top: Option<&f64>, (name, bytes): (&str, &str)) {
    let [left, right] = STAGES.get(stage).copied().unwrap_or_default();
    let top = top.copied().unwrap_or_default().round() as i32;
    let ink = Lettering::new(16, INK);
    sheet.text_within(name, (left, top - 25), right - left + 60, &ink.bold());
    sheet.text_within(bytes, (left, top - 7), right - left + 60, &ink);
}
