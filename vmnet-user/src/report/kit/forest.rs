//! Changes with their intervals, a row each, around the line of no change. The axis is the logarithm of the ratio: halving is as far to the
//! left as doubling is to the right.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::colours::{FAINT, GRID, INK};
use super::format::signed;
use super::lettering::{Lettering, text_width};
use super::marks::{Column, Marks};
use super::plot::Frame;
use super::sheet::{LEFT, Point, RIGHT, Sheet};

/// Ratios beyond these are drawn as arrows.
const FARTHEST: f64 = 64.0;
/// What may stand on the axis, in percent, where there is room: the first have precedence.
const TICKS: [f64; 27] = [
    0.0, 300.0, -75.0, 100.0, -50.0, 2900.0, -97.0, 900.0, -90.0, 10.0, -10.0, 1.0, -1.0, 20.0, -20.0, 2.0,
    -2.0, 50.0, -33.0, 5.0, -5.0, 200.0, -67.0, 0.5, -0.5, 0.2, -0.2,
];
/// Height of a group's heading.
const HEADING: i32 = 26;
/// Rows are no farther apart, and no closer.
const ROW: (i32, i32) = (13, 68);
/// From here on a row has room for a second line.
const TWO_LINES: i32 = 44;

/// Below the rows, the axis has its labels and its title.
pub(in crate::report) const BELOW: i32 = 66;

/// One dot.
pub(in crate::report) struct Row {
    /// What it is of; neighbours of one group have one heading. Empty where the name says it.
    pub(in crate::report) group: String,
    pub(in crate::report) name: String,
    /// What it is made of.
    pub(in crate::report) figures: String,
    /// In percent; None where it is not known.
    pub(in crate::report) change: Option<f64>,
    pub(in crate::report) interval: Option<[f64; 2]>,
    pub(in crate::report) colour: RGBColor,
    /// Whether its interval leaves out 0: a full dot, else a ring.
    pub(in crate::report) is_clear: bool,
    /// To the right of it, and below that.
    pub(in crate::report) said: String,
    pub(in crate::report) below: String,
}

/// What all rows say.
pub(in crate::report) fn marks(rows: &[Row]) -> Marks {
    const COLUMNS: [Column; 5] = [
        Column::words("what"),
        Column::words("of what"),
        Column::words("figures"),
        Column::words("change [95 % interval]"),
        Column::words("what may be said"),
    ];
    Marks::new(
        &COLUMNS,
        rows.iter().map(|row| {
            let Row { group, name, figures, said, below, .. } = row;
            let [what, of] = if group.is_empty() { [name, group] } else { [group, name] };
            [what, of, figures, said, below].map(|text| text.as_str().into())
        }),
    )
}

/// All rows, from `top` to at most `bottom`; what has no room is in the table. Returns where they end.
pub(in crate::report) fn draw(
    sheet: &mut Sheet<'_>,
    rows: &[Row],
    [top, bottom]: [i32; 2],
    title: &str,
) -> i32 {
    let groups: Vec<&[Row]> = rows.chunk_by(|left, right| left.group == right.group).collect();
    let headings = groups.iter().filter(|group| group.iter().any(|row| !row.group.is_empty())).count();
    let [headings, count] =
        [headings, rows.len()].map(|count| i32::try_from(count).unwrap_or(i32::MAX / 1000));
    let height = ((bottom - top - HEADING * headings) / count.max(1)).clamp(ROW.0, ROW.1);
    let end = (top + HEADING * headings + height * count).min(bottom);
    let names = if height < TWO_LINES { 364 } else { 330 };
    let frame = Frame { left: LEFT + names, right: RIGHT - 300, top, bottom: end };
    let ends = rows.iter().flat_map(|row| row.change.into_iter().chain(row.interval.into_iter().flatten()));
    let axis = Axis::new(frame, ends);
    axis.draw(sheet, title);
    let mut y = top;
    for (index, row) in rows.iter().enumerate() {
        let begins = index
            .checked_sub(1)
            .and_then(|before| rows.get(before))
            .is_none_or(|before| before.group != row.group);
        let heading = if begins && !row.group.is_empty() { HEADING } else { 0 };
        if y + heading + height > bottom {
            break;
        }
        if heading > 0 {
            sheet.text(&row.group, (LEFT, y + 18), &Lettering::new(17, INK).bold());
            y += heading;
        }
        row.draw(sheet, &axis, [y, y + height]);
        sheet.mark([(LEFT, y), (RIGHT, y + height)], index);
        y += height;
    }
    end
}

impl Row {
    fn draw(&self, sheet: &mut Sheet<'_>, axis: &Axis, [top, bottom]: [i32; 2]) {
        let (y, height) = ((top + bottom) / 2, bottom - top);
        let (right, name_at) = (axis.frame.right + 22, if self.group.is_empty() { LEFT } else { LEFT + 14 });
        let (names, room) = (axis.frame.left - name_at - 12, RIGHT - right);
        // Half of a dot.
        let dot = if height >= 24 { 8 } else { 5 };
        if let Some(interval) = self.interval {
            axis.bar(sheet, y, interval, self.colour, dot);
        }
        if let Some(change) = self.change {
            axis.dot(sheet, y, change, self, dot);
        }
        if height < TWO_LINES {
            let letters = (height - 4).clamp(9, 13);
            let (y, lettering) = (y + letters / 2, Lettering::new(letters, INK));
            let name = format!("{}: {}", self.name, self.figures);
            sheet.text_within(&name, (name_at, y), names, &lettering);
            return sheet.text_within(&self.said, (right, y), room, &lettering);
        }
        let name = Lettering::new(16, INK);
        let name = if self.group.is_empty() { name.bold() } else { name };
        sheet.text_within(&self.name, (name_at, y - 3), names, &name);
        sheet.text_within(&self.figures, (name_at, y + 18), names, &Lettering::new(15, FAINT));
        sheet.text_within(&self.said, (right, y - 3), room, &Lettering::new(17, INK).bold());
        let lines = if height >= 60 { 2 } else { 1 };
        sheet.text_lines(&self.below, (right, y + 16), (room, lines), &Lettering::new(14, FAINT));
    }
}

struct Axis {
    frame: Frame,
    lowest: f64,
    highest: f64,
}

impl Axis {
    /// Room for all of `percents`; 0 is in sight.
    fn new(frame: Frame, percents: impl Iterator<Item = f64>) -> Self {
        let (lowest, highest) = percents
            .map(log)
            .fold((-0.02_f64, 0.02_f64), |(lowest, highest), log| (lowest.min(log), highest.max(log)));
        let room = (highest - lowest) * 0.06;
        Self { frame, lowest: lowest - room, highest: highest + room }
    }

    fn x(&self, percent: f64) -> i32 {
        let Frame { left, right, .. } = self.frame;
        let part = (log(percent) - self.lowest) / (self.highest - self.lowest);
        left + (part * f64::from(right - left)).round() as i32
    }

    /// The lines, their labels, and what they measure.
    fn draw(&self, sheet: &mut Sheet<'_>, title: &str) {
        let Frame { left, right, top, bottom } = self.frame;
        let lettering = Lettering::new(15, INK).anchored(HPos::Center);
        let mut taken: Vec<(i32, i32)> = Vec::new();
        for percent in TICKS {
            let x = self.x(percent);
            // Without decimals that are none.
            let label = format!("{} %", signed(percent).trim_end_matches(".0"));
            let half = text_width(&label, 15) / 2 + 8;
            let within = (left..=right).contains(&x) && x + half <= RIGHT;
            if !within || taken.iter().any(|(from, to)| x - half < *to && x + half > *from) {
                continue;
            }
            taken.push((x - half, x + half));
            if percent == 0.0 {
                sheet.dashes(x, [top, bottom], INK);
            } else {
                sheet.line([(x, top), (x, bottom)], GRID);
            }
            sheet.text(&label, (x, bottom + 20), &lettering);
        }
        sheet.text(title, ((left + right) / 2, bottom + 44), &lettering);
    }

    /// An interval: its ends are marked where the dot's size leaves room for it.
    fn bar(&self, sheet: &mut Sheet<'_>, y: i32, ends: [f64; 2], colour: RGBColor, dot: i32) {
        let [from, to] = ends.map(|end| self.x(end));
        let (thick, high) = (dot * 3 / 8, dot * 9 / 8);
        // What has no width is still seen.
        sheet.rect([(from, y - thick), (to.max(from + 1), y + thick)], colour.filled());
        for (x, end) in [from, to].into_iter().zip(ends) {
            if is_off(end) {
                arrow(sheet, (x, y), end, colour, dot);
            } else {
                sheet.rect([(x - 1, y - high), (x + 1, y + high)], colour.filled());
            }
        }
    }

    /// A change: full where it is clear, a ring where it is not.
    fn dot(&self, sheet: &mut Sheet<'_>, y: i32, at: f64, row: &Row, dot: i32) {
        let at_point = (self.x(at), y);
        if is_off(at) {
            return arrow(sheet, at_point, at, row.colour, dot);
        }
        sheet.circle(at_point, dot, row.colour.filled());
        if !row.is_clear {
            sheet.circle(at_point, dot * 5 / 8, WHITE.filled());
        }
    }
}

/// It lies beyond what is drawn.
fn arrow(sheet: &mut Sheet<'_>, (x, y): Point, towards: f64, colour: RGBColor, dot: i32) {
    let (length, half) = (dot * 14 / 8, dot * 9 / 8);
    let back = if towards > 0.0 { -length } else { length };
    sheet.polygon([(x, y), (x + back, y - half), (x + back, y + half)], colour.filled());
}

fn is_off(percent: f64) -> bool {
    let ratio = 1.0 + percent / 100.0;
    !(FARTHEST.recip()..=FARTHEST).contains(&ratio)
}

fn log(percent: f64) -> f64 {
    (1.0 + percent / 100.0).clamp(FARTHEST.recip(), FARTHEST).ln()
}
