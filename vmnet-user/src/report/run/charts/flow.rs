//! The ledger as a flow: what became of every byte of TCP payload.
//!
//! A fate keeps its colour and its height from left to right. Where fates share a stage they lie upon each other, else each has a lane.

use plotters::prelude::*;

use super::reason;
use super::{ChartError, Table};
use crate::model::ledger::Entry;
use crate::report::kit::canvas::{Area, BODY_TOP, HEIGHT, LEFT, RIGHT};
use crate::report::kit::colours::{BLUE, FAINT, GREY, INK, PURPLE, SKY, VERMILLION, YELLOW, edge};
use crate::report::kit::format;
use crate::report::kit::hover::Hovers;
use crate::report::kit::lettering::{Lettering, write_within};
use crate::report::kit::sheet::{Topic, Words, empty_sheet, sheet};
use crate::report::run::schema::RunReport;
use crate::units;

const TOPIC: Topic = Topic { stem: "flow", subject: "Where every byte of TCP payload went" };
/// Left and right ends of the four stages, between which the flows bend.
const STAGES: [[i32; 2]; 4] = [[LEFT, 210], [320, 560], [670, 900], [1000, RIGHT]];
const TOP: i32 = BODY_TOP + 8;
const BOTTOM: i32 = HEIGHT - 50;
/// Above each lane: its name and its bytes.
const LABEL: i32 = 46;
/// What there is can be seen and pointed at.
const THINNEST: f64 = 3.0;

/// What became of bytes, in the ledger's order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Hardware,
    Software,
    Unaggregated,
    Small,
    Dropped,
    Pending,
}

impl Fate {
    const ALL: [Self; 6] =
        [Self::Hardware, Self::Software, Self::Unaggregated, Self::Small, Self::Dropped, Self::Pending];

    fn bytes(self, entry: &Entry) -> u64 {
        match self {
            Self::Hardware => entry.hardware_bytes,
            Self::Software => entry.software_bytes,
            Self::Unaggregated => entry.unaggregated_bytes,
            Self::Small => entry.small_bytes,
            Self::Dropped => entry.dropped_bytes,
            Self::Pending => entry.pending_bytes,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Hardware => "whole to the device",
            Self::Software => "segmented in software",
            Self::Unaggregated => "full-size singles",
            Self::Small => "small packets",
            Self::Dropped => "dropped",
            Self::Pending => "not yet seen to leave",
        }
    }

    fn colour(self) -> RGBColor {
        match self {
            Self::Hardware => BLUE,
            Self::Software => VERMILLION,
            Self::Unaggregated => YELLOW,
            Self::Small => GREY,
            Self::Dropped => PURPLE,
            Self::Pending => SKY,
        }
    }

    fn was_built(self) -> bool {
        matches!(self, Self::Hardware | Self::Software)
    }

    fn left(self) -> bool {
        !matches!(self, Self::Dropped | Self::Pending)
    }
}

/// One fate's bytes, and where it lies.
struct Flow {
    fate: Fate,
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
    let there: Vec<(Fate, u64)> = Fate::ALL
        .map(|fate| (fate, fate.bytes(entry)))
        .into_iter()
        .filter(|(_, bytes)| *bytes != 0)
        .collect();
    let all: f64 = there.iter().map(|(_, bytes)| *bytes as f64).sum();
    let lanes = there.len() as f64;
    let room = f64::from(BOTTOM - TOP) - lanes * (f64::from(LABEL) + THINNEST);
    let mut lane = f64::from(TOP);
    let mut stacked = f64::from(TOP + LABEL);
    let mut wire = stacked;
    let mut flows: Vec<Flow> = Vec::new();
    for (fate, bytes) in there {
        let height = (bytes as f64 / all * room).max(THINNEST);
        lane += f64::from(LABEL);
        // What was built is one stage before it parts: it lies where the first of it does.
        let second = match flows.last() {
            Some(before) if fate.was_built() => before.tops.get(1).copied().unwrap_or(lane) + before.height,
            _ => lane,
        };
        let mut tops = vec![stacked, second];
        if fate.left() {
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
    fn outline(&self) -> Vec<(i32, i32)> {
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

    fn draw(&self, area: &Area<'_>) -> Result<(), ChartError> {
        let outline = self.outline();
        let colour = self.fate.colour();
        area.draw(&Polygon::new(outline.clone(), colour.filled()))?;
        if edge(colour) != colour {
            let closed: Vec<_> = outline.iter().chain(outline.first()).copied().collect();
            area.draw(&PathElement::new(closed, edge(colour)))?;
        }
        if let (false, Some(top), [_, [_, right], ..]) = (self.fate.left(), self.tops.last(), STAGES) {
            // It ends here.
            let middle = (top + self.height / 2.0).round() as i32;
            let half = (self.height / 2.0).round() as i32 + 6;
            let end = [(right, middle - half), (right, middle + half)];
            area.draw(&PathElement::new(end, INK.stroke_width(3)))?;
        }
        Ok(())
    }
}

pub(super) fn draw(report: &RunReport) -> Result<String, ChartError> {
    let Some(tcp) = &report.ledger.tcp else {
        return empty_sheet(
            report,
            TOPIC,
            reason(report, "ledger.tcp", "no programs counted packets one by one"),
        );
    };
    let entry = &tcp.total;
    let flows = laid_out(entry);
    let all = flows.iter().map(|flow| flow.bytes).fold(0, u64::saturating_add);
    if flows.is_empty() {
        return empty_sheet(report, TOPIC, "no TCP payload was sent");
    }
    let sum = |of: fn(Fate) -> bool| {
        flows.iter().filter(|flow| of(flow.fate)).map(|flow| flow.bytes).fold(0, u64::saturating_add)
    };
    let (built, left) = (sum(Fate::was_built), sum(Fate::left));
    let told: Vec<String> =
        flows.iter().map(|flow| format!("{}: {}", flow.fate.name(), said(flow.bytes, all))).collect();
    let description = format!(
        "Flows from left to right as wide as their bytes, the thinnest widened to be seen: {} of TCP payload, of which built \
         into super-packets: {}; {}; sent: {}.",
        format::bytes(all),
        said(built, all),
        told.join("; "),
        said(left, all)
    );
    let words = Words { topic: TOPIC, finding: None, description: &description };
    sheet(report, words, |area, hovers| {
        for flow in &flows {
            flow.draw(area)?;
        }
        let again = match entry.retransmitted_bytes {
            None => "retransmits not known".to_owned(),
            Some(0) => "nothing retransmitted".to_owned(),
            Some(bytes) => format!("{} retransmitted", format::bytes(bytes)),
        };
        label(area, 0, f64::from(TOP + LABEL), "TCP payload", &format::bytes(all))?;
        let stacked = f64::from(TOP + LABEL) + flows.iter().map(|flow| flow.height).sum::<f64>();
        write_within(area, &again, (LEFT, stacked.round() as i32 + 22), 210, &Lettering::new(14, FAINT))?;
        if let Some(first) = flows.iter().find(|flow| flow.fate.was_built()) {
            let top = first.tops.get(1).copied().unwrap_or_default();
            label(area, 1, top, "built: super-packets", &said(built, all))?;
        }
        for flow in &flows {
            let (stage, top) = match flow.fate {
                Fate::Hardware | Fate::Software => (2, flow.tops.get(2)),
                _ => (1, flow.tops.get(1)),
            };
            label(area, stage, top.copied().unwrap_or_default(), flow.fate.name(), &said(flow.bytes, all))?;
        }
        if let Some(first) = flows.iter().find(|flow| flow.fate.left()) {
            let gone = if report.interface.terminal { "on the wire" } else { "left this device" };
            label(area, 3, first.tops.get(3).copied().unwrap_or_default(), gone, &said(left, all))?;
        }
        let note = "as wide as their bytes, but never so thin that they cannot be seen; % of TCP payload, retransmits included";
        write_within(area, note, (LEFT, HEIGHT - 20), RIGHT - LEFT, &Lettering::new(15, FAINT))?;
        hover(hovers, &flows, all);
        Ok(())
    })
}

/// Above a stage's upper edge: its name and its bytes.
fn label(area: &Area<'_>, stage: usize, top: f64, name: &str, bytes: &str) -> Result<(), ChartError> {
    let [left, right] = STAGES.get(stage).copied().unwrap_or_default();
    let top = top.round() as i32;
    write_within(area, name, (left, top - 25), right - left + 60, &Lettering::new(16, INK).bold())?;
    write_within(area, bytes, (left, top - 7), right - left + 60, &Lettering::new(16, INK))
}

fn hover(hovers: &mut Hovers, flows: &[Flow], all: u64) {
    for flow in flows {
        let built = if flow.fate.was_built() { "super-packets, " } else { "" };
        let says = format!("{built}{}: {}", flow.fate.name(), said(flow.bytes, all));
        hovers.polygon(&flow.outline(), &says);
    }
}

/// Sums over fates, and the part of them that is no fate.
const SUMS: [(&str, OfEntry); 2] = [
    ("all of it", |entry| Some(entry.payload_bytes)),
    ("of which retransmitted", |entry| entry.retransmitted_bytes),
];

type OfEntry = fn(&Entry) -> Option<u64>;

pub(super) fn table(report: &RunReport) -> Table {
    let mut table =
        Table::new(["what became of it", "payload, bytes", "share", "IPv4, bytes", "IPv6, bytes"]);
    let Some(tcp) = &report.ledger.tcp else { return table };
    let all = tcp.total.payload_bytes;
    let share = |bytes| units::share(bytes, all).map_or_else(|| "of nothing".to_owned(), format::percent);
    for fate in Fate::ALL {
        let [total, ipv4, ipv6] = [&tcp.total, &tcp.ipv4, &tcp.ipv6].map(|entry| fate.bytes(entry));
        table.row([
            fate.name().to_owned(),
            total.to_string(),
            share(total),
            ipv4.to_string(),
            ipv6.to_string(),
        ]);
    }
    for (name, of) in SUMS {
        let [total, ipv4, ipv6] = [&tcp.total, &tcp.ipv4, &tcp.ipv6].map(of);
        let shown =
            |bytes: Option<u64>| bytes.map_or_else(|| "not known".to_owned(), |bytes| bytes.to_string());
        let share = total.map_or_else(|| "not known".to_owned(), share);
        table.row([name.to_owned(), shown(total), share, shown(ipv4), shown(ipv6)]);
    }
    table
}
