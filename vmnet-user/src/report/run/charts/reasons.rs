//! Why the CPU segmented super-packets: one bar a reason, its two families side by side.

use plotters::prelude::*;

use crate::model::reasons::Reason;
use crate::report::kit::chart::Picture;
use crate::report::kit::colours::{APRICOT, FAINT, GRID, INK, VERMILLION};
use crate::report::kit::format::{self, plural};
use crate::report::kit::lettering::Lettering;
use crate::report::kit::marks::{Column, Marks};
use crate::report::kit::sheet::{BODY_TOP, HEIGHT, Key, LEFT, RIGHT, Sheet};
use crate::report::run::schema::RunReport;

/// More bars than this do not fit: the others are in the table.
const BARS: usize = 8;
/// Of a row, for its text and for the space below it.
const TEXT: i32 = 25;
const SPACE: i32 = 11;
/// What a bar of all bytes is long; to its right is room for its numbers.
const LONGEST: i32 = RIGHT - LEFT - 220;
const FAMILIES: [(RGBColor, &str); 2] = [(VERMILLION, "IPv4"), (APRICOT, "IPv6")];

pub(super) fn of(report: &RunReport) -> Result<Picture<'_>, String> {
    const COLUMNS: [Column; 6] = [
        Column::words("reason"),
        Column::words("name").quiet(),
        Column::share("share of what was segmented").alone(),
        Column::bytes("payload").alone(),
        Column::bytes("IPv4"),
        Column::bytes("IPv6"),
    ];
    let reasons = report.reasons.as_deref().map_err(ToString::to_string)?;
    let Some(first) = reasons.first() else { return Err("nothing was segmented".to_owned()) };
    let all = format::bytes(reasons.iter().map(|reason| reason.bytes).fold(0, u64::saturating_add));
    let row = |reason: &Reason| {
        [
            reason.text.as_str().into(),
            name(reason).into(),
            share(reason).into(),
            reason.bytes.into(),
            reason.ipv4_bytes.into(),
            reason.ipv6_bytes.into(),
        ]
    };
    Ok(Picture {
        finding: Some(format!(
            "{} of the {all} that were segmented: {}",
            format::percent(first.share),
            first.text
        )),
        how: "Bars of the share of TCP payload that the CPU segmented, by reason.".to_owned(),
        marks: Marks::new(&COLUMNS, reasons.iter().map(row)),
        named: BARS,
        body: Box::new(move |sheet| draw(sheet, reasons, &all)),
    })
}

fn share(reason: &Reason) -> f64 {
    if reason.share.is_finite() { reason.share.clamp(0.0, 1.0) } else { 0.0 }
}

/// As it stands in the JSON.
fn name(reason: &Reason) -> String {
    let id = serde_json::to_value(reason.id).ok();
    id.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

fn families(reason: &Reason) -> [u64; 2] {
    [reason.ipv4_bytes, reason.ipv6_bytes]
}

fn draw(sheet: &mut Sheet<'_>, reasons: &[Reason], all: &str) {
    let is_there = |family: usize| {
        reasons.iter().any(|reason| families(reason).get(family).is_some_and(|bytes| *bytes > 0))
    };
    let present = FAMILIES.into_iter().enumerate().filter(|(family, _)| is_there(*family));
    let keys: Vec<_> = present.map(|(_, (colour, name))| (Key::Fill(colour), name.to_owned())).collect();
    let mut top = sheet.legend(BODY_TOP, &keys) + 10;
    // Few bars are taller.
    let count = i32::try_from(reasons.len().min(BARS)).unwrap_or(1).max(1);
    let height = ((HEIGHT - 40 - top) / count).clamp(57, 84);
    for (row, reason) in reasons.iter().take(BARS).enumerate() {
        let lower = top + height - SPACE;
        bar(sheet, [top, lower], reason);
        sheet.mark([(LEFT, top), (RIGHT, lower)], row);
        top += height;
    }
    let more = reasons.len().saturating_sub(BARS);
    let more =
        if more > 0 { format!("; {} more in the table", plural(more, "reason")) } else { String::new() };
    let note =
        format!("% of {all} of TCP payload that went into segmentation, whether or not it then left{more}");
    sheet.text_within(&note, (LEFT, top + 14), RIGHT - LEFT, &Lettering::new(15, FAINT));
}

fn bar(sheet: &mut Sheet<'_>, [top, lower]: [i32; 2], reason: &Reason) {
    let said = format::capitalised(&reason.text);
    sheet.text_within(&said, (LEFT, top + 16), RIGHT - LEFT, &Lettering::new(17, INK));
    let upper = top + TEXT;
    sheet.rect([(LEFT, upper), (LEFT + LONGEST, lower)], GRID);
    let all = families(reason).iter().map(|bytes| *bytes as f64).sum::<f64>();
    let mut x = LEFT;
    for (bytes, (colour, _)) in families(reason).into_iter().zip(FAMILIES) {
        if bytes > 0 {
            // What there is can be seen.
            let part = share(reason) * bytes as f64 / all;
            let width = ((f64::from(LONGEST) * part).round() as i32).max(2);
            sheet.filled([(x, upper), (x + width, lower)], colour);
            x += width;
        }
    }
    let numbers = format!("{} · {}", format::percent(share(reason)), format::bytes(reason.bytes));
    let at = (LEFT + LONGEST + 14, (upper + lower) / 2 + 6);
    sheet.text(&numbers, at, &Lettering::new(17, INK).bold());
}
