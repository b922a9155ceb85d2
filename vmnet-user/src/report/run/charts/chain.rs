//! The chain that TSO depends on, link by link, and what broke it.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::{ChartError, Table};
use crate::model::cause::{By, Cause};
use crate::model::chain::{Link, LinkName, LinkState, first_broken};
use crate::model::fact::Known as _;
use crate::report::kit::canvas::{Area, BODY_TOP, HEIGHT, LEFT, RIGHT};
use crate::report::kit::colours::{BLUE, FAINT, GREY, INK, VERMILLION, YELLOW, edge};
use crate::report::kit::format;
use crate::report::kit::hover::Hovers;
use crate::report::kit::lettering::{Lettering, lines_in, write, write_lines, write_within};
use crate::report::kit::sheet::{Topic, Words, empty_sheet, sheet};
use crate::report::run::schema::RunReport;

const TOPIC: Topic = Topic { stem: "chain", subject: "The chain that TSO depends on" };
const GAP: i32 = 14;
const BOX_TOP: i32 = BODY_TOP + 34;
/// From a box's upper edge to its evidence.
const EVIDENCE: i32 = 102;
const EVIDENCE_LINE: i32 = 17;
const EVIDENCE_LINES: usize = 14;
/// Below the chain.
const CAUSE_GAP: i32 = 48;
/// Where what is said of a cause begins, behind what it is.
const CAUSE_LEFT: i32 = LEFT + 96;

const EVIDENCE_TEXT: Lettering = Lettering::new(14, INK);

fn name(link: LinkName) -> &'static str {
    match link {
        LinkName::Offered => "Offered",
        LinkName::Negotiated => "Negotiated",
        LinkName::Hw => "Switchable",
        LinkName::Wanted => "Wanted",
        LinkName::Active => "Active",
        LinkName::Allowed => "Allowed",
        LinkName::Taken => "Taken",
    }
}

/// What the link asks.
fn question(link: LinkName) -> &'static str {
    match link {
        LinkName::Offered => "by the host",
        LinkName::Negotiated => "driver and host",
        LinkName::Hw => "hw_features",
        LinkName::Wanted => "asked for",
        LinkName::Active => "dev->features",
        LinkName::Allowed => "for this packet",
        LinkName::Taken => "by the driver",
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

pub(super) fn draw(report: &RunReport) -> Result<String, ChartError> {
    let chain = match &report.chain {
        Ok(chain) if chain.is_empty() => return empty_sheet(report, TOPIC, "it has no links"),
        Ok(chain) => chain,
        Err(why) => return empty_sheet(report, TOPIC, &why.to_string()),
    };
    let broken = first_broken(chain);
    let finding = match broken {
        Some(link) => {
            let holds = if link.state == LinkState::Broken { "is broken" } else { "holds only in part" };
            format!("the first link that {holds}: {}, {}", name(link.link), question(link.link))
        }
        None if chain.iter().any(|link| link.state == LinkState::Unknown) => {
            "no link is known to be broken".to_owned()
        }
        None => "every link holds".to_owned(),
    };
    let links: Vec<String> = chain.iter().map(said).collect();
    let cause = report.causes.iter().flatten().next();
    let description = format!(
        "Boxes in the chain's order, each with its state. {}. {}",
        links.join(". "),
        cause.map_or_else(String::new, |cause| format!("{} {}", cause_said(cause), mender(cause)))
    );
    let words = Words { topic: TOPIC, finding: Some(finding), description: &description };
    sheet(report, words, |area, hovers| {
        let count = i32::try_from(chain.len()).unwrap_or(1).max(1);
        let width = ((RIGHT - LEFT) - (count - 1) * GAP) / count;
        // As tall as the longest evidence, and no taller than leaves room for the cause.
        let lines = chain.iter().map(|link| lines_in(&link.evidence, inner(width), &EVIDENCE_TEXT)).max();
        let lines = lines.unwrap_or(0).clamp(5, EVIDENCE_LINES) as i32;
        let bottom = BOX_TOP + EVIDENCE + lines * EVIDENCE_LINE + 4;
        let first = chain.iter().position(|link| broken.is_some_and(|broken| broken == link));
        for (index, (link, left)) in chain.iter().zip((LEFT..).step_by((width + GAP) as usize)).enumerate() {
            let is_first = first == Some(index);
            let is_behind = first.is_some_and(|first| index > first);
            draw_link(area, link, [left, left + width, bottom], is_first)?;
            if index > 0 {
                joint(area, left, is_first || is_behind)?;
            }
            hovers.area([(left, BOX_TOP), (left + width, bottom)], &said(link));
        }
        draw_cause(area, hovers, report, bottom + CAUSE_GAP)
    })
}

fn said(link: &Link) -> String {
    format!("{} ({}): {}: {}", name(link.link), question(link.link), word(link.state), link.evidence)
}

fn cause_said(cause: &Cause) -> String {
    let share = cause
        .share
        .known()
        .map_or_else(String::new, |share| format!(" (explains {})", format::percent(share)));
    format!("{}{share}: {}.", cause.id.name(), cause.title)
}

fn mender(cause: &Cause) -> String {
    match cause.fix.by {
        By::None => "Nothing is to be fixed.".to_owned(),
        by => format!("{} can fix it.", format::capitalised(by.words())),
    }
}

fn draw_link(
    area: &Area<'_>,
    link: &Link,
    [left, right, bottom]: [i32; 3],
    is_first: bool,
) -> Result<(), ChartError> {
    let colour = colour(link.state);
    let line = edge(colour);
    let corners = [(left, BOX_TOP), (right, bottom)];
    let width = if is_first { 5 } else { 2 };
    outline(area, corners, line, width)?;
    if is_first {
        let label =
            if link.state == LinkState::Broken { "first broken link" } else { "first that holds in part" };
        // Above its box, and never past the sheet.
        let (at, anchor) = if left > (LEFT + RIGHT) / 2 { (right, HPos::Right) } else { (left, HPos::Left) };
        write(area, label, (at, BOX_TOP - 12), &Lettering::new(16, INK).bold().anchored(anchor))?;
    }
    let x = left + 12;
    let inner = inner(right - left);
    write_within(area, name(link.link), (x, BOX_TOP + 26), inner, &Lettering::new(17, INK).bold())?;
    write_within(area, question(link.link), (x, BOX_TOP + 45), inner, &Lettering::new(13, FAINT))?;
    sign(area, link.state, (x + 9, BOX_TOP + 68))?;
    write_within(
        area,
        word(link.state),
        (x + 26, BOX_TOP + 74),
        inner - 20,
        &Lettering::new(16, INK).bold(),
    )?;
    write_lines(area, &link.evidence, (x, BOX_TOP + EVIDENCE), (inner, EVIDENCE_LINES), &EVIDENCE_TEXT)?;
    Ok(())
}

fn outline(
    area: &Area<'_>,
    [(left, top), (right, bottom)]: [(i32, i32); 2],
    line: RGBColor,
    width: u32,
) -> Result<(), ChartError> {
    let round = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
    area.draw(&PathElement::new(round, line.stroke_width(width)))?;
    Ok(())
}

/// A state by its shape, for those to whom colours say little: a tick, half a disc, a cross, a ring, a dash.
fn sign(area: &Area<'_>, state: LinkState, (x, y): (i32, i32)) -> Result<(), ChartError> {
    let colour = colour(state);
    let stroke = edge(colour).stroke_width(3);
    match state {
        LinkState::Ok => {
            area.draw(&PathElement::new([(x - 7, y), (x - 2, y + 6), (x + 8, y - 7)], stroke))?;
        }
        LinkState::Broken => {
            area.draw(&PathElement::new([(x - 7, y - 7), (x + 7, y + 7)], stroke))?;
            area.draw(&PathElement::new([(x - 7, y + 7), (x + 7, y - 7)], stroke))?;
        }
        LinkState::Partial => {
            let half: Vec<(i32, i32)> = (0..=12)
                .map(|step| {
                    let angle = std::f64::consts::PI * (0.5 + f64::from(step) / 12.0);
                    (x + (8.0 * angle.cos()).round() as i32, y + (8.0 * angle.sin()).round() as i32)
                })
                .collect();
            area.draw(&Polygon::new(half, edge(colour).filled()))?;
            area.draw(&Circle::new((x, y), 8, edge(colour).stroke_width(2)))?;
        }
        LinkState::Unknown => area.draw(&Circle::new((x, y), 7, stroke))?,
        LinkState::NotApplicable => area.draw(&PathElement::new([(x - 8, y), (x + 8, y)], stroke))?,
    }
    Ok(())
}

/// What of a box's width its text has: capitals are wider than is estimated.
fn inner(width: i32) -> i32 {
    width - 32
}

/// Between a box and the one before it: a line, or a gap from where the chain is broken.
fn joint(area: &Area<'_>, left: i32, is_broken: bool) -> Result<(), ChartError> {
    let y = BOX_TOP + 40;
    if is_broken {
        for x in [left - GAP + 2, left - 5] {
            area.draw(&PathElement::new([(x, y), (x + 3, y)], VERMILLION.stroke_width(3)))?;
        }
    } else {
        area.draw(&PathElement::new([(left - GAP, y), (left, y)], INK.stroke_width(2)))?;
    }
    Ok(())
}

fn draw_cause(area: &Area<'_>, hovers: &mut Hovers, report: &RunReport, top: i32) -> Result<(), ChartError> {
    let causes = report.causes.as_deref().unwrap_or_default();
    let width = RIGHT - CAUSE_LEFT;
    let head = |text: &str, y: i32| write(area, text, (LEFT, y), &Lettering::new(16, FAINT));
    let plain = Lettering::new(17, INK);
    let Some(cause) = causes.first() else {
        head("Why", top)?;
        let why = report.causes.as_ref().err().map_or("no cause was found".to_owned(), ToString::to_string);
        write_lines(area, &why, (CAUSE_LEFT, top), (width, 3), &plain)?;
        return Ok(());
    };
    head("Why", top)?;
    let said = cause_said(cause);
    let mut y = write_lines(area, &said, (CAUSE_LEFT, top), (width, 2), &Lettering::new(18, INK).bold())?;
    if !cause.detail.is_empty() {
        y += 6;
        head("Shown by", y)?;
        y = write_lines(area, &cause.detail, (CAUSE_LEFT, y), (width, 2), &plain)?;
    }
    let commands = cause.fix.commands.first().map_or_else(String::new, |first| {
        let more = cause.fix.commands.len() - 1;
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        format!(" {first}{more}")
    });
    let mend = format!("{}{commands}", mender(cause));
    y += 6;
    head("Mend", y)?;
    y = write_lines(area, &mend, (CAUSE_LEFT, y), (width, if y + 30 < HEIGHT { 2 } else { 1 }), &plain)?;
    if causes.len() > 1 && y + 3 < HEIGHT - 8 {
        y += 6;
        let others: Vec<&str> = causes.iter().skip(1).map(|cause| cause.id.name()).collect();
        head("Also", y)?;
        write_within(area, &others.join(", "), (CAUSE_LEFT, y), width, &plain)?;
    }
    let corners = [(LEFT, top - 20), (RIGHT, y + 6)];
    hovers.area(corners, &format!("{said} {} {mend}", cause.detail));
    Ok(())
}

pub(super) fn table(report: &RunReport) -> Table {
    let mut table = Table::new(["link", "of what", "state", "what shows it"]);
    for link in report.chain.iter().flatten() {
        table.row([
            name(link.link).to_owned(),
            question(link.link).to_owned(),
            word(link.state).to_owned(),
            link.evidence.clone(),
        ]);
    }
    table
}
