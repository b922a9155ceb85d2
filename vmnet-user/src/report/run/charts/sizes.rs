//! Packet sizes before the decision and after it, one above the other on one axis.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::reason;
use super::{ChartError, Table};
use crate::model::sample::Counting;
use crate::report::kit::axes::tick;
use crate::report::kit::canvas::{Area, BODY_TOP, HEIGHT, LEFT, RIGHT, WIDTH};
use crate::report::kit::colours::{FAINT, GREEN, GRID, INK, PURPLE};
use crate::report::kit::format;
use crate::report::kit::hover::Hovers;
use crate::report::kit::lettering::{FONT, Lettering, font_size, text_width, write};
use crate::report::kit::sheet::{Topic, Words, dashes, empty_sheet, sheet};
use crate::report::run::schema::{Bucket, RunReport};

const TOPIC: Topic =
    Topic { stem: "sizes", subject: "Packet sizes before and after the segmentation decision" };
const AXIS_LEFT: i32 = LEFT + 75;
/// Of each of two panels.
const PANEL_HEIGHT: i32 = 190;
/// Between panels.
const GAP: i32 = 18;
/// A share that would be less than a fifth of a pixel high does not stretch the axis.
const VISIBLE_PERCENT: f64 = 0.1;
const HEADING: i32 = 38;
const BOTTOM_AXIS: i32 = 58;

/// One stage's packets.
pub(in crate::report) struct Panel {
    heading: String,
    colour: RGBColor,
    bars: Vec<Bar>,
    pub(in crate::report) packets: u64,
    pub(in crate::report) mean_bytes: f64,
}

/// A bucket's share of the bytes of its stage.
struct Bar {
    lower: f64,
    upper: f64,
    share_percent: f64,
    packets: u64,
}

impl Panel {
    /// Bytes of a bucket are its packets times its middle: a bucket is an eighth wide at most, so that is within 6 %.
    pub(in crate::report) fn new(heading: impl Into<String>, colour: RGBColor, buckets: &[Bucket]) -> Self {
        let sound: Vec<_> = buckets.iter().filter(|b| b.upper > b.lower && b.count > 0).collect();
        let bytes = |b: &Bucket| b.count as f64 * (b.lower as f64 + (b.upper - 1) as f64) / 2.0;
        let all_bytes: f64 = sound.iter().map(|b| bytes(b)).sum();
        let packets = sound.iter().fold(0_u64, |sum, b| sum.saturating_add(b.count));
        let bars = sound
            .iter()
            .map(|b| Bar {
                // The axis is logarithmic, and has no place for 0.
                lower: b.lower.max(1) as f64,
                upper: b.upper.max(2) as f64,
                share_percent: if all_bytes > 0.0 { bytes(b) / all_bytes * 100.0 } else { 0.0 },
                packets: b.count,
            })
            .collect();
        let mean_bytes = if packets > 0 { all_bytes / packets as f64 } else { 0.0 };
        Self { heading: heading.into(), colour, bars, packets, mean_bytes }
    }

    pub(in crate::report) fn said(&self) -> String {
        if self.packets == 0 {
            return format!("{}: no TCP packet with payload", self.heading);
        }
        format!(
            "{}: {} packets of about {}",
            self.heading,
            format::count(self.packets),
            format::mean_bytes(self.mean_bytes)
        )
    }
}

pub(in crate::report) fn draw(report: &RunReport) -> Result<String, ChartError> {
    let Some(sizes) = &report.sizes else {
        let why = reason(report, "sizes", "packets are not seen one by one without programs");
        return empty_sheet(report, TOPIC, why);
    };
    let panels = [
        // Not the colours of the paths: a length is not yet a fate.
        Panel::new("Before: handed to the interface", GREEN, &sizes.queued),
        Panel::new(after_heading(report), PURPLE, sizes.driver.as_deref().unwrap_or_default()),
    ];
    if panels.iter().all(|panel| panel.packets == 0) {
        return empty_sheet(report, TOPIC, "no TCP packet with payload was sent");
    }
    let [before, after] = &panels;
    let finding = (before.packets > 0 && after.packets > 0).then(|| {
        format!(
            "TCP packets of about {} were handed over, the driver got packets of about {}",
            format::mean_bytes(before.mean_bytes),
            format::mean_bytes(after.mean_bytes)
        )
    });
    let description = format!(
        "Two histograms over packet length on one logarithmic axis, MTU {} marked. {}. {}. Bars are shares of bytes.",
        report.interface.mtu,
        before.said(),
        after.said()
    );
    let words = Words { topic: TOPIC, finding, description: &description };
    let axis = Axis::new(&panels, report.interface.mtu);
    sheet(report, words, |area, hovers| axis.draw_all(area, hovers, &panels))
}

pub(in crate::report) fn table(report: &RunReport) -> Table {
    let mut table = Table::new(["stage", "skb length from, bytes", "below, bytes", "packets"]);
    for (stage, buckets) in report.sizes.iter().flat_map(|sizes| {
        let driver = sizes.driver.as_deref().unwrap_or_default();
        [("handed to the interface", sizes.queued.as_slice()), ("taken by the driver", driver)]
    }) {
        for bucket in buckets {
            let Bucket { lower, upper, count } = bucket;
            table.row([stage.to_owned(), lower.to_string(), upper.to_string(), count.to_string()]);
        }
    }
    table
}

/// What the driver got, and how much of the time it was looked at.
fn after_heading(report: &RunReport) -> &'static str {
    let driver = report.sizes.as_ref().and_then(|sizes| sizes.driver.as_ref());
    match (driver, report.probes.counting) {
        (None, _) => "After: not counted one by one",
        (_, Counting::Light) => "After: taken by the driver, in windows",
        (_, Counting::Exact) => "After: taken by the driver",
    }
}

/// What both panels share.
pub(in crate::report) struct Axis {
    lowest_log: f64,
    highest_log: f64,
    highest_percent: f64,
    mtu: u32,
    /// Of a panel, in pixels.
    height: i32,
}

impl Axis {
    pub(in crate::report) fn new(panels: &[Panel], mtu: u32) -> Self {
        let bars =
            || panels.iter().flat_map(|panel| &panel.bars).filter(|bar| bar.share_percent >= VISIBLE_PERCENT);
        let mtu_bytes = f64::from(mtu.max(1));
        let lowest = bars().map(|bar| bar.lower).fold(mtu_bytes, f64::min) * 0.8;
        let highest = bars().map(|bar| bar.upper).fold(mtu_bytes, f64::max) * 1.25;
        let tallest = bars().map(|bar| bar.share_percent).fold(0.0, f64::max);
        // Head room for the MTU's label.
        let highest_percent = (tallest * 1.2).clamp(1.0, 115.0);
        let count = i32::try_from(panels.len()).unwrap_or(i32::MAX).max(1);
        let room = HEIGHT - BODY_TOP - 4 - BOTTOM_AXIS;
        Self {
            lowest_log: lowest.max(1.0).log10(),
            highest_log: highest.log10(),
            highest_percent,
            mtu,
            height: ((room + GAP) / count - HEADING - GAP).clamp(10, PANEL_HEIGHT),
        }
    }

    /// 1, 2, 5 in every decade; fewer where there are many decades.
    fn ticks(&self) -> Vec<f64> {
        let decades = self.highest_log - self.lowest_log;
        let steps: &[f64] = if decades > 5.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        (0..=20)
            .flat_map(|decade| steps.iter().map(move |step| step.log10() + f64::from(decade)))
            .filter(|log| (self.lowest_log..=self.highest_log).contains(log))
            .collect()
    }

    /// All panels, one above the other.
    pub(in crate::report) fn draw_all(
        &self,
        area: &Area<'_>,
        hovers: &mut Hovers,
        panels: &[Panel],
    ) -> Result<(), ChartError> {
        let mut top = BODY_TOP + 4;
        for (index, panel) in panels.iter().enumerate() {
            self.draw(area, top, panel, index + 1 == panels.len())?;
            self.hover(hovers, top, panel);
            top += HEADING + self.height + GAP;
        }
        Ok(())
    }

    fn draw(&self, area: &Area<'_>, top: i32, panel: &Panel, is_last: bool) -> Result<(), ChartError> {
        area.draw(&Rectangle::new([(LEFT, top + 9), (LEFT + 18, top + 27)], panel.colour.filled()))?;
        write(area, &panel.said(), (LEFT + 26, top + 24), &Lettering::new(18, INK).bold())?;
        let axis_top = top + HEADING;
        let axis_bottom = axis_top + self.height;
        let below = if is_last { BOTTOM_AXIS } else { 0 };
        let ticks = self.ticks();
        let mut chart = ChartBuilder::on(area)
            .margin_top(axis_top)
            .margin_left(LEFT)
            .margin_right(WIDTH - RIGHT)
            .margin_bottom(HEIGHT - axis_bottom - below)
            .set_label_area_size(LabelAreaPosition::Left, AXIS_LEFT - LEFT)
            .set_label_area_size(LabelAreaPosition::Bottom, below)
            .build_cartesian_2d(
                Lengths { logs: self.lowest_log..self.highest_log, ticks: ticks.clone() },
                0.0..self.highest_percent,
            )?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(FAINT)
            .x_labels(ticks.len())
            .y_labels(if self.height < 100 { 2 } else { 5 })
            .label_style((FONT, font_size(16)).into_font().color(&INK))
            .axis_desc_style((FONT, font_size(16)).into_font().color(&INK))
            .y_label_formatter(&|percent| if *percent > 100.0 { String::new() } else { tick(*percent) })
            .x_desc(if is_last { "skb length, link header included (logarithmic)" } else { "" })
            .y_desc(if self.height < 80 { "%" } else { "% of bytes" })
            .draw()?;
        chart.draw_series(panel.bars.iter().filter(|bar| bar.share_percent >= VISIBLE_PERCENT).map(
            |bar| {
                Rectangle::new(
                    [(bar.lower.log10(), 0.0), (bar.upper.log10(), bar.share_percent)],
                    panel.colour.filled(),
                )
            },
        ))?;
        self.mark_mtu(area, axis_top, axis_bottom)?;
        if panel.packets == 0 {
            let middle = (f64::from(AXIS_LEFT + RIGHT) / 2.0) as i32;
            let lettering = Lettering::new(18, FAINT).anchored(HPos::Center);
            write(area, "nothing arrived here", (middle, (axis_top + axis_bottom) / 2), &lettering)?;
        }
        Ok(())
    }

    fn x(&self, bytes: f64) -> i32 {
        let part = (bytes.log10() - self.lowest_log) / (self.highest_log - self.lowest_log);
        AXIS_LEFT + (part * f64::from(RIGHT - AXIS_LEFT)).round() as i32
    }

    /// A bar says its packets over the panel's whole height: many are too low to be pointed at.
    fn hover(&self, hovers: &mut Hovers, top: i32, panel: &Panel) {
        for bar in panel.bars.iter().filter(|bar| bar.share_percent >= VISIBLE_PERCENT) {
            let says = format!(
                "{}: {} to {} bytes: {} packets, {} of bytes",
                panel.heading,
                bar.lower,
                bar.upper - 1.0,
                format::count(bar.packets),
                format::percent(bar.share_percent / 100.0)
            );
            let from = (self.x(bar.lower), top + HEADING);
            hovers.area([from, (self.x(bar.upper), top + HEADING + self.height)], &says);
        }
    }

    fn mark_mtu(&self, area: &Area<'_>, axis_top: i32, axis_bottom: i32) -> Result<(), ChartError> {
        let x = self.x(f64::from(self.mtu.max(1)));
        dashes(area, x, axis_top, axis_bottom, INK)?;
        let label = format!("MTU {}", self.mtu);
        let (x, anchor) =
            if x + text_width(&label, 15) + 8 > RIGHT { (x - 8, HPos::Right) } else { (x + 8, HPos::Left) };
        write(area, &label, (x, axis_top + 14), &Lettering::new(15, INK).anchored(anchor))
    }
}

/// The horizontal axis: logarithms, read as lengths.
struct Lengths {
    logs: Range<f64>,
    ticks: Vec<f64>,
}

impl Ranged for Lengths {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let part = (value - self.logs.start) / (self.logs.end - self.logs.start);
        limit.0 + (part * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.logs.clone()
    }
}

impl ValueFormatter<f64> for Lengths {
    fn format(log: &f64) -> String {
        length(*log)
    }
}

fn length(log: f64) -> String {
    let bytes = 10_f64.powf(log).round();
    match bytes {
        b if b >= 1e9 => format!("{} GB", tick(b / 1e9)),
        b if b >= 1e6 => format!("{} MB", tick(b / 1e6)),
        b if b >= 1e3 => format!("{} kB", tick(b / 1e3)),
        b => format!("{} B", tick(b)),
    }
}
