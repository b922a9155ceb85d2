//! Why the CPU cut super-packets up: one bar a reason, its two families side by side.

use plotters::prelude::*;

use super::{ChartError, Table};
use crate::model::reasons::Reason;
use crate::report::kit::canvas::{Area, BODY_TOP, HEIGHT, LEFT, RIGHT};
use crate::report::kit::colours::{APRICOT, FAINT, GRID, INK, VERMILLION};
use crate::report::kit::format;
use crate::report::kit::hover::Hovers;
use crate::report::kit::lettering::{Lettering, write, write_within};
use crate::report::kit::sheet::{Key, Topic, Words, empty_sheet, filled, legend, sheet};
use crate::report::run::schema::RunReport;

const TOPIC: Topic = Topic { stem: "reasons", subject: "Why super-packets were segmented in software" };
/// More bars than this do not fit; the rest is one.
const BARS: usize = 8;
/// Of a row, for its text and for the space below it.
const TEXT: i32 = 25;
const SPACE: i32 = 11;
/// What a bar of all bytes is long; to its right is room for its numbers.
const LONGEST: i32 = RIGHT - LEFT - 220;

/// A bar.
struct Row {
    text: String,
    share: f64,
    bytes: u64,
    families: [u64; 2],
}

impl Row {
    fn of(reason: &Reason) -> Self {
        Self {
            text: reason.text.clone(),
            share: if reason.share.is_finite() { reason.share.clamp(0.0, 1.0) } else { 0.0 },
            bytes: reason.bytes,
            families: [reason.ipv4_bytes, reason.ipv6_bytes],
        }
    }

    /// What does not fit, as one.
    fn rest(rows: &[Self]) -> Option<Self> {
        let sum = |of: fn(&Self) -> u64| rows.iter().map(of).fold(0, u64::saturating_add);
        (!rows.is_empty()).then(|| Self {
            text: format!("{} more reasons together: see the table", rows.len()),
            share: rows.iter().map(|row| row.share).sum::<f64>().min(1.0),
            bytes: sum(|row| row.bytes),
            families: [sum(|row| row.families[0]), sum(|row| row.families[1])],
        })
    }

    /// Pixels of either family; what there is can be seen.
    fn widths(&self) -> [i32; 2] {
        let all = self.families[0] as f64 + self.families[1] as f64;
        self.families.map(|bytes| {
            if bytes == 0 || all <= 0.0 {
                return 0;
            }
            ((f64::from(LONGEST) * self.share * bytes as f64 / all).round() as i32).max(2)
        })
    }

    fn said(&self) -> String {
        let [ipv4, ipv6] = self.families.map(format::bytes);
        format!(
            "{}: {} ({}; IPv4 {ipv4}, IPv6 {ipv6})",
            self.text,
            format::percent(self.share),
            format::bytes(self.bytes)
        )
    }
}

pub(super) fn draw(report: &RunReport) -> Result<String, ChartError> {
    let reasons = match &report.reasons {
        Ok(reasons) => reasons,
        Err(why) => return empty_sheet(report, TOPIC, &why.to_string()),
    };
    if reasons.is_empty() {
        return empty_sheet(report, TOPIC, "nothing was segmented");
    }
    let mut rows: Vec<Row> = reasons.iter().map(Row::of).collect();
    if rows.len() > BARS {
        let rest = rows.split_off(BARS - 1);
        rows.extend(Row::rest(&rest));
    }
    let all = reasons.iter().map(|reason| reason.bytes).fold(0, u64::saturating_add);
    let finding = reasons.first().map(|first| {
        format!(
            "{} of the {} that were segmented: {}",
            format::percent(first.share),
            format::bytes(all),
            first.text
        )
    });
    let said: Vec<String> = rows.iter().map(Row::said).collect();
    let description =
        format!("Bars of the share of TCP payload that the CPU segmented, by reason. {}.", said.join(". "));
    let words = Words { topic: TOPIC, finding, description: &description };
    sheet(report, words, |area, hovers| {
        let families = [(VERMILLION, "IPv4", 0), (APRICOT, "IPv6", 1)];
        let present = families.into_iter().filter(|(.., family)| {
            rows.iter().any(|row| row.families.get(*family).is_some_and(|bytes| *bytes != 0))
        });
        let keys: Vec<_> = present.map(|(colour, name, _)| (Key::Fill(colour), name.to_owned())).collect();
        let mut top = legend(area, BODY_TOP, &keys)? + 10;
        // Few bars are taller.
        let count = i32::try_from(rows.len()).unwrap_or(1).max(1);
        let height = ((HEIGHT - 40 - top) / count).clamp(57, 84);
        for row in &rows {
            bar(area, hovers, [top, top + height - SPACE], row)?;
            top += height;
        }
        let note = format!(
            "% of {} of TCP payload that went into segmentation, whether or not it then left; the line is all of it",
            format::bytes(all)
        );
        write_within(area, &note, (LEFT, top + 14), RIGHT - LEFT, &Lettering::new(15, FAINT))
    })
}

fn bar(area: &Area<'_>, hovers: &mut Hovers, [top, lower]: [i32; 2], row: &Row) -> Result<(), ChartError> {
    write_within(
        area,
        &format::capitalised(&row.text),
        (LEFT, top + 16),
        RIGHT - LEFT,
        &Lettering::new(17, INK),
    )?;
    let upper = top + TEXT;
    area.draw(&Rectangle::new([(LEFT, upper), (LEFT + LONGEST, lower)], GRID))?;
    let mut x = LEFT;
    for (width, colour) in row.widths().into_iter().zip([VERMILLION, APRICOT]) {
        if width > 0 {
            filled(area, [(x, upper), (x + width, lower)], colour)?;
            x += width;
        }
    }
    let numbers = format!("{} · {}", format::percent(row.share), format::bytes(row.bytes));
    write(area, &numbers, (LEFT + LONGEST + 14, (upper + lower) / 2 + 6), &Lettering::new(17, INK).bold())?;
    hovers.area([(LEFT, top), (RIGHT, lower)], &row.said());
    Ok(())
}

pub(super) fn table(report: &RunReport) -> Table {
    let mut table =
        Table::new(["reason", "share of what was segmented", "bytes", "IPv4, bytes", "IPv6, bytes"]);
    for reason in report.reasons.iter().flatten() {
        table.row([
            reason.text.clone(),
            format::percent(reason.share),
            reason.bytes.to_string(),
            reason.ipv4_bytes.to_string(),
            reason.ipv6_bytes.to_string(),
        ]);
    }
    table
}
