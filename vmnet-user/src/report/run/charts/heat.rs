//! Every transmit queue and every CPU over time.

mod rows;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use self::rows::{Cell, Group, Row, groups};
use crate::model::throughput::Interval;
use crate::report::kit::chart::Picture;
use crate::report::kit::colours::{FAINT, INK, SHADES, shade};
use crate::report::kit::format;
use crate::report::kit::lettering::Lettering;
use crate::report::kit::marks::{Column, Marks};
use crate::report::kit::over_time::is_placed;
use crate::report::kit::plot::{Axis, Frame, Plot, stretch};
use crate::report::kit::sheet::{BODY_TOP, HEIGHT, LEFT, MOST_HOVERS, RIGHT, Sheet};
use crate::report::run::schema::RunReport;

const AXIS_LEFT: i32 = LEFT + 110;
const AXIS_BOTTOM: i32 = HEIGHT - 44;
const TOP: i32 = BODY_TOP + 44;
/// Above each group.
const HEADING: i32 = 25;
const TALLEST: i32 = 30;
/// The height of a line of labels.
const LABEL: i32 = 15;

/// What is drawn.
struct Heat {
    groups: Vec<Group>,
    across: Axis,
    /// Intervals of a cell at most.
    each: usize,
    notes: String,
}

pub(super) fn of(report: &RunReport) -> Result<Picture<'_>, String> {
    let samples: Vec<&Interval> =
        report.throughput.samples.iter().filter(|sample| is_placed(sample)).collect();
    let Some(first) = samples.first() else {
        return Err("the run ended before its first interval did".to_owned());
    };
    let (groups, absent) = groups(&samples);
    if groups.iter().all(|group| group.rows.is_empty()) {
        return Err(absent.join("; "));
    }
    let from_s = first.t_s - first.duration_s;
    let to_s = samples.iter().map(|sample| sample.t_s).fold(from_s, f64::max);
    let busiest = groups.iter().filter_map(Group::busiest).reduce(|one, next| format!("{one}; {next}"));
    let each = groups.iter().flat_map(|group| &group.rows).map(|row| row.intervals).max().unwrap_or(1);
    let means =
        if each > 1 { format!(" Colours are means of up to {each} intervals.") } else { String::new() };
    let mut notes: Vec<String> = groups.iter().filter_map(Group::aggregation).collect();
    notes.dedup();
    notes.extend(absent);
    let how = format!(
        "Heat map over {}: a row each for {}. Darkest is nothing, brightest is all; what was not measured is hatched.{means} {}",
        format::duration(to_s),
        groups.iter().map(Group::counted).collect::<Vec<_>>().join(", "),
        notes.iter().map(|note| format!("{note}. ")).collect::<String>()
    );
    let marks = marks(&groups);
    let heat = Heat { groups, across: Axis::time(from_s, to_s), each, notes: notes.join("; ") };
    Ok(Picture { finding: busiest, how, marks, named: 0, body: Box::new(move |sheet| heat.draw(sheet)) })
}

fn marks(groups: &[Group]) -> Marks {
    const COLUMNS: [Column; 5] = [
        Column::words("which"),
        Column::words("what"),
        Column::words("mean"),
        Column::words("highest"),
        Column::words("highest in, s since the run began"),
    ];
    let unknown = || "not measured".to_owned();
    let rows = groups.iter().flat_map(|group| group.rows.iter().map(move |row| (group, row)));
    Marks::new(
        &COLUMNS,
        rows.map(|(group, row)| {
            let peak = row.peak();
            [
                row.name.as_str().into(),
                group.what.into(),
                row.mean().map_or_else(unknown, row.said).into(),
                peak.map_or_else(unknown, |(highest, _)| (row.said)(highest)).into(),
                peak.map_or_else(unknown, |(_, cell)| stretch(cell.from_s, cell.to_s)).into(),
            ]
        }),
    )
}

impl Heat {
    fn draw(&self, sheet: &mut Sheet<'_>) {
        self.colour_bar(sheet);
        let has_note = !self.notes.is_empty();
        if has_note {
            let at = (LEFT, HEIGHT - 10);
            sheet.text_within(&self.notes, at, RIGHT - LEFT, &Lettering::new(14, FAINT));
        }
        let rows: usize = self.groups.iter().map(|group| group.rows.len()).sum();
        let bottom = AXIS_BOTTOM - if has_note { 20 } else { 0 };
        let room = bottom - TOP - self.groups.len() as i32 * HEADING;
        // In hundredths of a pixel, so that 64 rows fill the room.
        let height = (room * 100 / rows.max(1) as i32).clamp(100, TALLEST * 100);
        let every = (LABEL * 100 + height - 1) / height;
        let frame = Frame { left: AXIS_LEFT, right: RIGHT, top: TOP, bottom };
        let plot = Plot { frame, across: self.across.clone(), up: Axis::new(0.0, 1.0, "") };
        let mut top = TOP * 100;
        for group in &self.groups {
            let at = (AXIS_LEFT, top / 100 + 18);
            sheet.text_within(&group.heading(), at, RIGHT - AXIS_LEFT, &Lettering::new(15, INK).bold());
            top += HEADING * 100;
            let first = top;
            for (index, row) in group.rows.iter().enumerate() {
                let edges = [top / 100, ((top + height) / 100).max(top / 100 + 1)];
                draw_row(sheet, &plot, edges, (group, row));
                if index as i32 % every == 0 {
                    let at = (AXIS_LEFT - 8, (edges[0] + edges[1]) / 2 + 5);
                    let end = Lettering::new(13, INK).anchored(HPos::Right);
                    sheet.text(&format::shortened(&row.name, 14), at, &end);
                }
                point_at(sheet, &plot, edges, (row, MOST_HOVERS / rows.max(1)));
                top += height;
            }
            sheet.rect([(AXIS_LEFT - 1, first / 100 - 1), (RIGHT, top / 100)], FAINT);
        }
        plot.label_below(sheet, top / 100 + 3);
        let unit = self.across.title.split(' ').next().unwrap_or_default();
        let right = Lettering::new(14, INK).anchored(HPos::Right);
        sheet.text(unit, (AXIS_LEFT - 14, top / 100 + 24), &right);
    }

    /// What the shades mean, for queues and for CPUs.
    fn colour_bar(&self, sheet: &mut Sheet<'_>) {
        const BAR: [i32; 2] = [LEFT + 20, LEFT + 20 + SHADES as i32 * 10];
        let top = BODY_TOP + 4;
        let ink = Lettering::new(15, INK);
        sheet.text("0", (BAR[0] - 10, top + 14), &ink.anchored(HPos::Right));
        for step in 0..SHADES {
            let left = BAR[0] + step as i32 * 10;
            let colour = shade(step as f64 / (SHADES - 1) as f64);
            sheet.rect([(left, top), (left + 10, top + 18)], colour.filled());
        }
        let mut all: Vec<String> = self.groups.iter().filter_map(Group::all).collect();
        all.dedup();
        let each = self.each;
        let mean = if each > 1 { format!("; means of up to {each} intervals") } else { String::new() };
        let missing = RIGHT - 150;
        let text = format!("{}{mean}", all.join(" · "));
        sheet.text_within(&text, (BAR[1] + 10, top + 14), missing - BAR[1] - 40, &ink);
        sheet.hatched([(missing, top), (missing + 18, top + 18)]);
        sheet.text("not measured", (missing + 26, top + 14), &ink);
    }
}

/// A row's cells; neighbours of one shade are one rectangle.
fn draw_row(sheet: &mut Sheet<'_>, plot: &Plot, [top, bottom]: [i32; 2], (group, row): (&Group, &Row)) {
    let step = |cell: &Cell| cell.mean.map(|mean| (group.part(mean) * (SHADES - 1) as f64).round() as usize);
    for run in row.cells.chunk_by(|left, right| step(left) == step(right)) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let corners = [(plot.x(first.from_s), top), (plot.x(last.to_s), bottom)];
        match first.mean {
            Some(mean) => sheet.rect(corners, shade(group.part(mean)).filled()),
            None => sheet.hatched(corners),
        }
    }
}

/// A row in as many parts as can be pointed at.
fn point_at(sheet: &mut Sheet<'_>, plot: &Plot, [top, bottom]: [i32; 2], (row, most): (&Row, usize)) {
    let each = row.cells.len().div_ceil(most.max(1)).max(1);
    for part in row.cells.chunks(each) {
        let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
        let known: Vec<f64> = part.iter().filter_map(|cell| cell.mean).collect();
        let says = match part.iter().filter_map(|cell| cell.highest).reduce(f64::max) {
            None => "not measured".to_owned(),
            Some(highest) => {
                let mean = known.iter().sum::<f64>() / known.len() as f64;
                let is_several = part.len() > 1 || row.intervals > 1;
                let peak = format!(" on average, {} at most", (row.said)(highest));
                let gap = if known.len() < part.len() { "; a part was not measured" } else { "" };
                format!("{}{}{gap}", (row.said)(mean), if is_several { &peak } else { "" })
            }
        };
        let words = format!("{}, {}: {says}", row.title(), stretch(first.from_s, last.to_s));
        sheet.says([(plot.x(first.from_s), top), (plot.x(last.to_s), bottom)], &words);
    }
}
