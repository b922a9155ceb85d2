//! What watching cost: the programs hook by hook, and the tool itself.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::model::fact::Known as _;
use crate::model::hook::{HookReport, HookState};
use crate::report::kit::chart::Picture;
use crate::report::kit::colours::{FAINT, GRID, INK, PURPLE};
use crate::report::kit::format;
use crate::report::kit::lettering::Lettering;
use crate::report::kit::marks::{Column, Marks, Value};
use crate::report::kit::sheet::{BODY_TOP, HEIGHT, LEFT, RIGHT, Sheet};
use crate::report::run::schema::RunReport;

/// Hooks beyond this are in the table alone.
const ROWS: usize = 14;
/// Right ends of the columns of numbers.
const EVENTS: i32 = LEFT + 470;
const NS: i32 = EVENTS + 120;
const COST: i32 = NS + 130;
const BARS: i32 = COST + 20;
const UNASKED: &str = "what each probe costs was not asked for: vmnet run --overhead measures it";

/// CPUs that a hook kept busy. None where it was not measured.
fn cpus(hook: &HookReport, duration_s: f64) -> Option<f64> {
    let cpus = hook.events.known()? as f64 * hook.ns_per_event.known()? / (duration_s * 1e9);
    (cpus.is_finite() && cpus >= 0.0).then_some(cpus)
}

/// A row for each hook.
pub(in crate::report::run) fn marks(report: &RunReport) -> Marks {
    const COLUMNS: [Column; 8] = [
        Column::words("hook"),
        Column::words("kind"),
        Column::words("state"),
        Column::count("events"),
        Column::number("each", "ns"),
        Column::number("each, net", "ns").quiet(),
        Column::share("of one CPU"),
        Column::words("why not"),
    ];
    let row = |hook: &HookReport| {
        // What is not attached has no numbers to be unknown.
        let number = |value: Value| if hook.state == HookState::Attached { value } else { "".into() };
        [
            hook.hook.as_str().into(),
            hook.kind.as_str().into(),
            state(hook).into(),
            number(hook.events.known().into()),
            number(hook.ns_per_event.known().into()),
            number(hook.net_ns_per_event.known().into()),
            number(cpus(hook, report.window.duration_s).into()),
            hook.reason.clone().unwrap_or_default().into(),
        ]
    };
    Marks::new(&COLUMNS, report.probes.hooks.iter().map(row))
}

pub(super) fn of(report: &RunReport) -> Result<Picture<'_>, String> {
    let hooks = &report.probes.hooks;
    let tool = tool(report);
    if hooks.is_empty() {
        return Err(format!("no programs ran, so none took time; {tool}"));
    }
    let duration_s = report.window.duration_s;
    let costs: Vec<Option<f64>> = hooks.iter().map(|hook| cpus(hook, duration_s)).collect();
    if !costs.iter().any(Option::is_some) {
        return Err(UNASKED.to_owned());
    }
    Ok(Picture {
        finding: Some(finding(report, &costs)),
        how: format!(
            "Bars of the time that each hook's program took, events times nanoseconds an event, as a share of one CPU over {}. Events are \
             those of all interfaces. {}.",
            format::duration(duration_s),
            tool
        ),
        marks: marks(report),
        named: ROWS,
        body: Box::new(move |sheet| draw(sheet, hooks, &costs, &tool)),
    })
}

fn finding(report: &RunReport, costs: &[Option<f64>]) -> String {
    let took = format::percent(costs.iter().flatten().sum::<f64>());
    let share = report.overhead.cpu_share.known();
    let share =
        share.map_or_else(String::new, |share| format!(", {} of all CPUs' time", format::percent(share)));
    format!("the probes took {took} of one CPU{share}")
}

fn draw(sheet: &mut Sheet<'_>, hooks: &[HookReport], costs: &[Option<f64>], tool: &str) {
    let rows = i32::try_from(hooks.len().min(ROWS + 1)).unwrap_or(1).max(1);
    let row_height = ((HEIGHT - BODY_TOP - 130) / rows).clamp(27, 40);
    let mut y = BODY_TOP + 18;
    let small = Lettering::new(15, FAINT);
    sheet.text("hook, and how it is attached", (LEFT, y), &small);
    for (head, right) in [("events", EVENTS), ("ns/event", NS), ("% of one CPU", COST)] {
        sheet.text(head, (right, y), &small.anchored(HPos::Right));
    }
    sheet.line([(LEFT, y + 8), (RIGHT, y + 8)], GRID);
    let longest = costs.iter().flatten().copied().fold(0.0, f64::max);
    for (index, (hook, cost)) in hooks.iter().zip(costs).take(ROWS).enumerate() {
        y += row_height;
        draw_row(sheet, y, hook, (*cost, longest));
        sheet.mark([(LEFT, y - 20), (RIGHT, y + 7)], index);
    }
    if hooks.len() > ROWS {
        y += row_height;
        sheet.text(&format!("{} more: see the table", hooks.len() - ROWS), (LEFT, y), &small);
    }
    y += 26;
    sheet.line([(LEFT, y - 8), (RIGHT, y - 8)], GRID);
    sheet.text_within(tool, (LEFT, y + 18), RIGHT - LEFT, &Lettering::new(17, INK));
    let note = "events of all interfaces; the time of a program has its clock reads in it";
    sheet.text_within(note, (LEFT, y + 44), RIGHT - LEFT, &small);
}

/// The user side.
fn tool(report: &RunReport) -> String {
    let overhead = &report.overhead;
    let cpu = overhead.user_cpu_share.known().map_or_else(
        || "the CPU time of vmnet itself is not known".to_owned(),
        |share| format!("vmnet itself took {} of all CPUs' time", format::percent(share)),
    );
    let memory = overhead.rss_bytes.known();
    let memory = memory
        .map_or_else(|| "memory not known".to_owned(), |rss| format!("{} of memory", format::bytes(rss)));
    format!("{cpu}, {memory}")
}

fn state(hook: &HookReport) -> &'static str {
    match hook.state {
        HookState::Attached => "attached",
        HookState::SwitchedOff => "switched off",
        HookState::Absent => "absent",
    }
}

fn draw_row(sheet: &mut Sheet<'_>, y: i32, hook: &HookReport, (cost, longest): (Option<f64>, f64)) {
    let attached = hook.state == HookState::Attached;
    let ink = Lettering::new(16, if attached { INK } else { FAINT });
    sheet.text_within(&hook.hook, (LEFT, y), 220, &ink.bold());
    sheet.text_within(&hook.kind, (LEFT + 230, y), 120, &ink);
    if !attached {
        let why = hook.reason.as_deref().map_or_else(String::new, |why| format!(": {why}"));
        let text = format!("{}{why}", state(hook));
        return sheet.text_within(&text, (LEFT + 370, y), RIGHT - LEFT - 370, &Lettering::new(15, FAINT));
    }
    let ns = hook.ns_per_event.known().filter(|ns| ns.is_finite());
    let numbers =
        [hook.events.known().map(format::count), ns.map(format::significant), cost.map(format::percent)];
    for (text, right) in numbers.into_iter().zip([EVENTS, NS, COST]) {
        sheet.text(text.as_deref().unwrap_or("–"), (right, y), &ink.anchored(HPos::Right));
    }
    if let Some(cpus) = cost.filter(|_| longest > 0.0) {
        let width = ((cpus / longest * f64::from(RIGHT - BARS)).round() as i32).max(1);
        sheet.rect([(BARS, y - 15), (BARS + width, y + 3)], PURPLE.filled());
    }
}
