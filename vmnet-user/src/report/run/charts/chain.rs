//! The chain that TSO depends on, link by link, and what broke it.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::model::cause::{By, Cause};
use crate::model::chain::{Link, LinkName, LinkState, first_broken};
use crate::model::fact::Known as _;
use crate::report::kit::chart::Picture;
use crate::report::kit::colours::{BLUE, FAINT, GREY, INK, VERMILLION, YELLOW, edge};
use crate::report::kit::format;
use crate::report::kit::lettering::{Lettering, lines_in};
use crate::report::kit::marks::{Column, Marks};
use crate::report::kit::sheet::{BODY_TOP, HEIGHT, LEFT, Point, RIGHT, Sheet};
use crate::report::run::schema::RunReport;

const GAP: i32 = 14;
const BOX_TOP: i32 = BODY_TOP + 34;
/// From a box's upper edge to its evidence.
const EVIDENCE: i32 = 102;
const EVIDENCE_LINE: i32 = 17;
const EVIDENCE_LINES: usize = 14;
const EVIDENCE_TEXT: Lettering = Lettering::new(14, INK);
/// Below the chain.
const CAUSE_GAP: i32 = 48;
/// Where what is said of a cause begins, behind what it is.
const CAUSE_LEFT: i32 = LEFT + 96;

/// A link's name, and what it asks.
fn words(link: LinkName) -> [&'static str; 2] {
    match link {
        LinkName::Offered => ["Offered", "by the host"],
        LinkName::Negotiated => ["Negotiated", "driver and host"],
        LinkName::Hw => ["Switchable", "hw_features"],
        LinkName::Wanted => ["Wanted", "asked for"],
        LinkName::Active => ["Active", "dev->features"],
        LinkName::Allowed => ["Allowed", "for this packet"],
        LinkName::Taken => ["Taken", "by the driver"],
    }
}

fn word(state: LinkState) -> &'static str {
    match state {
        LinkState::Ok => "holds",
        LinkState::Partial => "in part",
        LinkState::Broken => "broken",
        LinkState::Unknown => "not known",
        LinkState::NotApplicable => "no link",
    }
}

fn colour(state: LinkState) -> RGBColor {
    match state {
        LinkState::Ok => BLUE,
        LinkState::Partial => YELLOW,
        LinkState::Broken => VERMILLION,
        LinkState::Unknown | LinkState::NotApplicable => GREY,
    }
}

pub(super) fn of(report: &RunReport) -> Result<Picture<'_>, String> {
    const COLUMNS: [Column; 4] = [
        Column::words("link"),
        Column::words("of what"),
        Column::words("state"),
        Column::words("what shows it"),
    ];
    let chain = report.chain.as_ref().map_err(ToString::to_string)?;
    if chain.is_empty() {
        return Err("it has no links".to_owned());
    }
    let broken = first_broken(chain);
    let finding = match broken {
        Some(link) => {
            let holds = if link.state == LinkState::Broken { "is broken" } else { "holds only in part" };
            format!("the first link that {holds}: {}", words(link.link).join(", "))
        }
        None if chain.iter().any(|link| link.state == LinkState::Unknown) => {
            "no link is known to be broken".to_owned()
        }
        None => "every link holds".to_owned(),
    };
    let cause = report.causes.iter().flatten().next();
    let row = |link: &Link| {
        let [name, question] = words(link.link);
        [name.into(), question.into(), word(link.state).into(), link.evidence.as_str().into()]
    };
    let cause = cause.map_or_else(String::new, |cause| format!(" {} {}", cause_said(cause), fixer(cause)));
    Ok(Picture {
        finding: Some(finding),
        how: format!("Boxes in the chain's order, each with its state.{cause}"),
        marks: Marks::new(&COLUMNS, chain.iter().map(row)),
        named: chain.len(),
        body: Box::new(move |sheet| {
            let first = chain.iter().position(|link| broken.is_some_and(|broken| broken == link));
            let bottom = draw_links(sheet, chain, first);
            draw_cause(sheet, report, bottom + CAUSE_GAP);
        }),
    })
}

fn cause_said(cause: &Cause) -> String {
    let share = cause.share.known();
    let share = share.map_or_else(String::new, |share| format!(" (explains {})", format::percent(share)));
    format!("{}{share}: {}.", cause.id.name(), cause.title)
}

fn fixer(cause: &Cause) -> String {
    match cause.fix.by {
        By::None => "Nothing is to be fixed.".to_owned(),
        by => format!("{} can fix it.", format::capitalised(by.words())),
    }
}

/// Boxes side by side, as tall as the longest evidence, and no taller than leaves room for the cause. Returns where they end.
fn draw_links(sheet: &mut Sheet<'_>, chain: &[Link], first: Option<usize>) -> i32 {
    let count = i32::try_from(chain.len()).unwrap_or(1).max(1);
    let width = ((RIGHT - LEFT) - (count - 1) * GAP) / count;
    let lines = chain.iter().map(|link| lines_in(&link.evidence, inner(width), &EVIDENCE_TEXT)).max();
    let bottom = BOX_TOP + EVIDENCE + lines.unwrap_or(0).clamp(5, EVIDENCE_LINES) as i32 * EVIDENCE_LINE + 4;
    for (index, (link, left)) in chain.iter().zip((LEFT..).step_by((width + GAP) as usize)).enumerate() {
        draw_link(sheet, link, [left, left + width, bottom], first == Some(index));
        let y = BOX_TOP + 40;
        // Between a box and the one before it: a line, or a gap from where the chain is broken.
        if index > 0 && first.is_some_and(|first| index >= first) {
            for x in [left - GAP + 2, left - 5] {
                sheet.line([(x, y), (x + 3, y)], VERMILLION.stroke_width(3));
            }
        } else if index > 0 {
            sheet.line([(left - GAP, y), (left, y)], INK.stroke_width(2));
        }
        sheet.mark([(left, BOX_TOP), (left + width, bottom)], index);
    }
    bottom
}

fn draw_link(sheet: &mut Sheet<'_>, link: &Link, [left, right, bottom]: [i32; 3], is_first: bool) {
    let (top, line) = (BOX_TOP, edge(colour(link.state)));
    let round = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
    sheet.line(round, line.stroke_width(if is_first { 5 } else { 2 }));
    let ink = Lettering::new(16, INK).bold();
    if is_first {
        let label =
            if link.state == LinkState::Broken { "first broken link" } else { "first that holds in part" };
        // Above its box, and never past the sheet.
        let (at, anchor) = if left > (LEFT + RIGHT) / 2 { (right, HPos::Right) } else { (left, HPos::Left) };
        sheet.text(label, (at, top - 12), &ink.anchored(anchor));
    }
    let (x, inner, [name, question]) = (left + 12, inner(right - left), words(link.link));
    sheet.text_within(name, (x, top + 26), inner, &Lettering::new(17, INK).bold());
    sheet.text_within(question, (x, top + 45), inner, &Lettering::new(13, FAINT));
    sign(sheet, link.state, (x + 9, top + 68));
    sheet.text_within(word(link.state), (x + 26, top + 74), inner - 20, &ink);
    sheet.text_lines(&link.evidence, (x, top + EVIDENCE), (inner, EVIDENCE_LINES), &EVIDENCE_TEXT);
}

/// What of a box's width its text has: capitals are wider than is estimated.
fn inner(width: i32) -> i32 {
    width - 32
}

/// A state by its shape, for those to whom colours say little: a tick, half a disc, a cross, a ring, a dash.
fn sign(sheet: &mut Sheet<'_>, state: LinkState, (x, y): Point) {
    let colour = edge(colour(state));
    let stroke = colour.stroke_width(3);
    match state {
        LinkState::Ok => sheet.line([(x - 7, y), (x - 2, y + 6), (x + 8, y - 7)], stroke),
        LinkState::Broken => sheet.cross((x, y), 7, stroke),
        LinkState::Partial => {
            let corner = |step: i32| {
                let angle = std::f64::consts::PI * (0.5 + f64::from(step) / 12.0);
                (x + (8.0 * angle.cos()).round() as i32, y + (8.0 * angle.sin()).round() as i32)
            };
            sheet.polygon((0..=12).map(corner).collect::<Vec<_>>(), colour.filled());
            sheet.circle((x, y), 8, colour.stroke_width(2));
        }
        LinkState::Unknown => sheet.circle((x, y), 7, stroke),
        LinkState::NotApplicable => sheet.line([(x - 8, y), (x + 8, y)], stroke),
    }
}

fn draw_cause(sheet: &mut Sheet<'_>, report: &RunReport, top: i32) {
    let causes = report.causes.as_deref().unwrap_or_default();
    let (width, plain) = (RIGHT - CAUSE_LEFT, Lettering::new(17, INK));
    let head = |sheet: &mut Sheet<'_>, text: &str, y: i32| {
        sheet.text(text, (LEFT, y), &Lettering::new(16, FAINT));
    };
    head(sheet, "Why", top);
    let Some(cause) = causes.first() else {
        let why = report.causes.as_ref().err().map_or("no cause was found".to_owned(), ToString::to_string);
        sheet.text_lines(&why, (CAUSE_LEFT, top), (width, 3), &plain);
        return;
    };
    let said = cause_said(cause);
    let mut y = sheet.text_lines(&said, (CAUSE_LEFT, top), (width, 2), &Lettering::new(18, INK).bold());
    if !cause.detail.is_empty() {
        y += 6;
        head(sheet, "Shown by", y);
        y = sheet.text_lines(&cause.detail, (CAUSE_LEFT, y), (width, 2), &plain);
    }
    let commands = cause.fix.commands.first().map_or_else(String::new, |first| {
        let more = cause.fix.commands.len() - 1;
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        format!(" {first}{more}")
    });
    let fix = format!("{}{commands}", fixer(cause));
    y += 6;
    head(sheet, "Fix", y);
    y = sheet.text_lines(&fix, (CAUSE_LEFT, y), (width, if y + 30 < HEIGHT { 2 } else { 1 }), &plain);
    if causes.len() > 1 && y + 3 < HEIGHT - 8 {
        y += 6;
        let others: Vec<&str> = causes.iter().skip(1).map(|cause| cause.id.name()).collect();
        head(sheet, "Also", y);
        sheet.text_within(&others.join(", "), (CAUSE_LEFT, y), width, &plain);
    }
    sheet.says([(LEFT, top - 20), (RIGHT, y + 6)], &format!("{said} {} {fix}", cause.detail));
}
