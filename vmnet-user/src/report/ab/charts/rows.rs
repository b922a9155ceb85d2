//! Rows of dots with intervals, in groups, around the line of no change.

use plotters::prelude::*;

use crate::report::kit::canvas::{Area, LEFT, RIGHT};
use crate::report::kit::changes::{Axis, Frame, Size};
use crate::report::kit::chart::ChartError;
use crate::report::kit::colours::{FAINT, INK};
use crate::report::kit::hover::Hovers;
use crate::report::kit::lettering::{Lettering, write, write_lines, write_within};

/// Height of a group's heading.
const HEADING: i32 = 26;
/// Rows are no farther apart, and no closer.
const ROW: (i32, i32) = (13, 68);
/// From here on a row has room for a second line.
const TWO_LINES: i32 = 44;

/// One dot.
pub(super) struct Row {
    pub(super) name: String,
    /// What it is made of.
    pub(super) figures: String,
    /// In percent; None where it is not known.
    pub(super) change: Option<f64>,
    pub(super) interval: Option<[f64; 2]>,
    pub(super) colour: RGBColor,
    pub(super) is_clear: bool,
    /// To the right of it.
    pub(super) said: String,
    pub(super) below: String,
}

/// Rows under one heading.
pub(super) struct Group {
    pub(super) heading: String,
    pub(super) rows: Vec<Row>,
}

/// All groups, from `top` to at most `bottom`. Returns where they end.
pub(super) fn draw(
    area: &Area<'_>,
    hovers: &mut Hovers,
    groups: &[Group],
    [top, bottom]: [i32; 2],
    title: &str,
) -> Result<i32, ChartError> {
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX / 1000);
    let rows = || groups.iter().flat_map(|group| &group.rows);
    let room = bottom - top - HEADING * count(groups.len());
    let height = (room / count(rows().count()).max(1)).clamp(ROW.0, ROW.1);
    let end = (top + HEADING * count(groups.len()) + height * count(rows().count())).min(bottom);
    let names = if height < TWO_LINES { 364 } else { 330 };
    let frame = Frame { left: LEFT + names, right: RIGHT - 300, top, bottom: end };
    let axis = Axis::new(
        frame,
        rows().flat_map(|row| row.change.into_iter().chain(row.interval.into_iter().flatten())),
    );
    axis.draw(area, title)?;
    let mut y = top;
    for group in groups {
        if y + HEADING + height > bottom {
            break;
        }
        write(area, &group.heading, (LEFT, y + 18), &Lettering::new(17, INK).bold())?;
        y += HEADING;
        for row in &group.rows {
            // What has no room is in the table.
            if y + height > bottom {
                break;
            }
            row.draw(area, &axis, frame, [y, y + height])?;
            let says = [&row.figures, &row.said, &row.below].map(String::as_str);
            let says = says.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
            hovers
                .area([(LEFT, y), (RIGHT, y + height)], &format!("{}, {}: {says}", group.heading, row.name));
            y += height;
        }
    }
    Ok(end)
}

impl Row {
    fn draw(
        &self,
        area: &Area<'_>,
        axis: &Axis,
        frame: Frame,
        [top, bottom]: [i32; 2],
    ) -> Result<(), ChartError> {
        let y = (top + bottom) / 2;
        let height = bottom - top;
        let (names, right) = (frame.left - LEFT - 26, frame.right + 22);
        let name_at = LEFT + 14;
        let size = if height >= 24 { Size::Large } else { Size::Small };
        if let Some(interval) = self.interval {
            axis.bar(area, y, interval, self.colour, size)?;
        }
        if let Some(change) = self.change {
            axis.dot(area, y, change, self.colour, (self.is_clear, size))?;
        }
        if height < TWO_LINES {
            let letters = (height - 4).clamp(9, 13);
            let name = format!("{}: {}", self.name, self.figures);
            write_within(area, &name, (name_at, y + letters / 2), names, &Lettering::new(letters, INK))?;
            let said = &self.said;
            return write_within(
                area,
                said,
                (right, y + letters / 2),
                RIGHT - right,
                &Lettering::new(letters, INK),
            );
        }
        write_within(area, &self.name, (name_at, y - 3), names, &Lettering::new(16, INK))?;
        write_within(area, &self.figures, (name_at, y + 18), names, &Lettering::new(15, FAINT))?;
        write_within(area, &self.said, (right, y - 3), RIGHT - right, &Lettering::new(17, INK).bold())?;
        let lines = if height >= 60 { 2 } else { 1 };
        write_lines(area, &self.below, (right, y + 16), (RIGHT - right, lines), &Lettering::new(14, FAINT))?;
        Ok(())
    }
}
