//! Histograms of packet lengths, one above the other on one axis and one scale.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::report::kit::chart::Picture;
use crate::report::kit::colours::{FAINT, INK};
use crate::report::kit::format;
use crate::report::kit::lettering::{Lettering, text_width};
use crate::report::kit::marks::{Column, Marks, Value};
use crate::report::kit::plot::{Axis, Frame, Plot};
use crate::report::kit::sheet::{BODY_TOP, HEIGHT, LEFT, RIGHT, Sheet};
use crate::report::run::schema::Bucket;
use crate::units;

/// Of a panel.
const TALLEST: i32 = 190;
/// Between panels, above each, and below the last.
const GAP: i32 = 22;
const HEADING: i32 = 46;
const BOTTOM_AXIS: i32 = 58;
/// A share that would be less than a fifth of a pixel high does not stretch the axis.
const VISIBLE_PERCENT: f64 = 0.1;
/// More panels have no room: they are in the table.
const MOST_PANELS: usize = 5;

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

    fn said(&self) -> String {
        if self.packets == 0 {
            return format!("{}: no TCP packet with payload", self.heading);
        }
        let mean = format::mean_bytes(self.mean_bytes);
        format!("{}: {} packets of about {mean}", self.heading, format::count(self.packets))
    }
}

/// All panels, with the MTU marked.
pub(in crate::report) fn picture<'a>(panels: Vec<Panel>, mtu: u32) -> Result<Picture<'a>, String> {
    if panels.iter().all(|panel| panel.packets == 0) {
        return Err("no TCP packet with payload was sent".to_owned());
    }
    let said: Vec<String> = panels.iter().take(MOST_PANELS).map(Panel::said).collect();
    let mut how = format!(
        "Histograms over packet length, one above the other on one logarithmic axis and one scale, MTU {mtu} marked. {}. Bars are shares \
         of bytes.",
        said.join(". ")
    );
    let left_out = panels.len().saturating_sub(MOST_PANELS);
    if left_out > 0 {
        how += &format!(" {left_out} more in the table.");
    }
    Ok(Picture {
        finding: None,
        how,
        marks: marks(&panels),
        named: 0,
        body: Box::new(move |sheet| draw(sheet, &panels, mtu)),
    })
}

fn marks(panels: &[Panel]) -> Marks {
    const COLUMNS: [Column; 5] = [
        Column::words("packets"),
        Column::words("skb length, bytes"),
        Column::count("count").alone(),
        Column::share("of packets"),
        Column::share("of bytes"),
    ];
    let row = |panel: &Panel, bar: &Bar| -> [Value; 5] {
        [
            panel.heading.as_str().into(),
            format!("{} to {} bytes", bar.lower, bar.upper - 1.0).into(),
            bar.packets.into(),
            units::share(bar.packets, panel.packets).into(),
            (bar.share_percent / 100.0).into(),
        ]
    };
    Marks::new(&COLUMNS, panels.iter().flat_map(|panel| panel.bars.iter().map(move |bar| row(panel, bar))))
}

fn draw(sheet: &mut Sheet<'_>, panels: &[Panel], mtu: u32) {
    let shown = panels.get(..MOST_PANELS).unwrap_or(panels);
    let bars =
        || shown.iter().flat_map(|panel| &panel.bars).filter(|bar| bar.share_percent >= VISIBLE_PERCENT);
    let mtu_bytes = f64::from(mtu.max(1));
    let lowest = bars().map(|bar| bar.lower).fold(mtu_bytes, f64::min) * 0.8;
    let highest = bars().map(|bar| bar.upper).fold(mtu_bytes, f64::max) * 1.25;
    let tallest = bars().map(|bar| bar.share_percent).fold(0.0, f64::max);
    let across = Axis::lengths(lowest.max(1.0), highest, "skb length, link header included (logarithmic)");
    // Head room for the MTU's label.
    let up = Axis::new(0.0, (tallest * 1.2).clamp(1.0, 115.0), "% of bytes");
    let count = i32::try_from(shown.len()).unwrap_or(1).max(1);
    let height = ((HEIGHT - BODY_TOP - BOTTOM_AXIS + GAP) / count - HEADING - GAP).clamp(10, TALLEST);
    let (mut top, mut row) = (BODY_TOP, 0);
    for (index, panel) in shown.iter().enumerate() {
        sheet.rect([(LEFT, top + 5), (LEFT + 18, top + 23)], panel.colour.filled());
        sheet.text(&panel.said(), (LEFT + 26, top + 20), &Lettering::new(18, INK).bold());
        let frame =
            Frame { left: LEFT + 50, right: RIGHT, top: top + HEADING, bottom: top + HEADING + height };
        let across = if index + 1 == shown.len() { across.clone() } else { across.bare() };
        panel.draw(sheet, &Plot { frame, across, up: up.clone() }, mtu, row);
        row += panel.bars.len();
        top += HEADING + height + GAP;
    }
}

impl Panel {
    /// A bar says its packets over the panel's whole height: many are too low to be pointed at. `first` is the first bar's row.
    fn draw(&self, sheet: &mut Sheet<'_>, plot: &Plot, mtu: u32, first: usize) {
        plot.draw(sheet);
        let Frame { left, right, top, bottom } = plot.frame;
        for (row, bar) in (first..).zip(&self.bars).filter(|(_, bar)| bar.share_percent >= VISIBLE_PERCENT) {
            let [from, to] = [bar.lower, bar.upper].map(|length| plot.x(length));
            sheet.rect([(from, plot.y(bar.share_percent)), (to, bottom)], self.colour.filled());
            sheet.mark([(from, top), (to, bottom)], row);
        }
        let x = plot.x(f64::from(mtu.max(1)));
        sheet.dashes(x, [top, bottom], INK);
        let label = format!("MTU {mtu}");
        let is_far = x + text_width(&label, 15) + 8 > RIGHT;
        let (x, anchor) = if is_far { (x - 8, HPos::Right) } else { (x + 8, HPos::Left) };
        sheet.text(&label, (x, top + 14), &Lettering::new(15, INK).anchored(anchor));
        if self.packets == 0 {
            let middle = ((left + right) / 2, (top + bottom) / 2);
            sheet.text("nothing arrived here", middle, &Lettering::new(18, FAINT).anchored(HPos::Center));
        }
    }
}
