//! What watching cost: the programs hook by hook, and the tool itself.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::{ChartError, Table};
use crate::model::fact::Known as _;
use crate::model::hook::HookState;
use crate::model::hook::{HookReport, ProgramsMethod};
use crate::report::kit::canvas::{Area, BODY_TOP, HEIGHT, LEFT, RIGHT};
use crate::report::kit::colours::{FAINT, GRID, INK, PURPLE};
use crate::report::kit::format;
use crate::report::kit::lettering::{Lettering, write, write_within};
use crate::report::kit::sheet::{Topic, Words, empty_sheet, sheet};
use crate::report::run::schema::RunReport;

const TOPIC: Topic = Topic { stem: "probes", subject: "What the probes themselves cost" };
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

pub(super) fn draw(report: &RunReport) -> Result<String, ChartError> {
    let hooks = &report.probes.hooks;
    let tool = tool(report);
    if hooks.is_empty() {
        let why = format!("no programs ran, so none took time; {tool}");
        return empty_sheet(report, TOPIC, &why);
    }
    let duration_s = report.window.duration_s;
    let busy: Vec<Option<f64>> = hooks.iter().map(|hook| cpus(hook, duration_s)).collect();
    let all: f64 = busy.iter().flatten().sum();
    let measured = busy.iter().any(Option::is_some);
    let share = report
        .overhead
        .cpu_share
        .known()
        .map(|share| format!("{} of all CPUs' time", format::percent(share)));
    let programs = match (measured, share) {
        (true, None) => format!("the probes took {} of one CPU", format::percent(all)),
        (true, Some(share)) => format!("the probes took {} of one CPU, {share}", format::percent(all)),
        (false, Some(share)) => {
            let from = report.overhead.cpu_share_method.map_or("", ProgramsMethod::in_words);
            format!("the probes took {share}{from}")
        }
        (false, None) => UNASKED.to_owned(),
    };
    let said: Vec<String> = hooks.iter().take(ROWS).map(|hook| said(hook, duration_s)).collect();
    let description = format!(
        "Bars of the time that each hook's program took, events times nanoseconds an event, as a share of one CPU over {}. \
         Events are those of all interfaces. {}. {tool}.",
        format::duration(duration_s),
        said.join("; ")
    );
    let words = Words { topic: TOPIC, finding: Some(programs), description: &description };
    sheet(report, words, |area, hovers| {
        let rows = i32::try_from(hooks.len().min(ROWS + 1)).unwrap_or(1).max(1);
        let row_height = ((HEIGHT - BODY_TOP - 130) / rows).clamp(27, 40);
        let mut y = BODY_TOP + 18;
        let small = Lettering::new(15, FAINT);
        write(area, "hook, and how it is attached", (LEFT, y), &small)?;
        for (head, right) in [("events", EVENTS), ("ns/event", NS), ("% of one CPU", COST)] {
            write(area, head, (right, y), &small.anchored(HPos::Right))?;
        }
        area.draw(&PathElement::new([(LEFT, y + 8), (RIGHT, y + 8)], GRID))?;
        let longest = busy.iter().flatten().copied().fold(0.0, f64::max);
        for (hook, said) in hooks.iter().zip(&said) {
            y += row_height;
            row(area, y, hook, duration_s, longest)?;
            hovers.area([(LEFT, y - 20), (RIGHT, y + 7)], said);
        }
        if hooks.len() > ROWS {
            y += row_height;
            write(area, &format!("{} more: see the table", hooks.len() - ROWS), (LEFT, y), &small)?;
        }
        y += 26;
        area.draw(&PathElement::new([(LEFT, y - 8), (RIGHT, y - 8)], GRID))?;
        write_within(area, &tool, (LEFT, y + 18), RIGHT - LEFT, &Lettering::new(17, INK))?;
        let note = "events of all interfaces; the time of a program has its clock reads in it";
        write_within(area, note, (LEFT, y + 44), RIGHT - LEFT, &small)
    })
}

/// The user side.
fn tool(report: &RunReport) -> String {
    let overhead = &report.overhead;
    let cpu = overhead.user_cpu_share.known().map_or_else(
        || "the CPU time of vmnet itself is not known".to_owned(),
        |share| format!("vmnet itself took {} of all CPUs' time", format::percent(share)),
    );
    let memory = overhead
        .rss_bytes
        .known()
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

fn said(hook: &HookReport, duration_s: f64) -> String {
    let name = format!("{} ({})", hook.hook, hook.kind);
    match (hook.events.known(), hook.ns_per_event.known(), cpus(hook, duration_s)) {
        (Some(events), Some(ns), Some(cpus)) => format!(
            "{name}: {} events of {} ns, {} of one CPU",
            format::count(events),
            format::significant(ns),
            format::percent(cpus)
        ),
        (None, Some(ns), None) if hook.state == HookState::Attached => {
            format!("{name}: {} ns an event", format::significant(ns))
        }
        _ => {
            let why = hook.reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            format!("{name}: {}{why}", state(hook))
        }
    }
}

fn row(area: &Area<'_>, y: i32, hook: &HookReport, duration_s: f64, longest: f64) -> Result<(), ChartError> {
    let attached = hook.state == HookState::Attached;
    let ink = if attached { INK } else { FAINT };
    write_within(area, &hook.hook, (LEFT, y), 220, &Lettering::new(16, ink).bold())?;
    write_within(area, &hook.kind, (LEFT + 230, y), 120, &Lettering::new(16, ink))?;
    if !attached {
        let why = hook.reason.as_deref().map_or_else(String::new, |why| format!(": {why}"));
        let text = format!("{}{why}", state(hook));
        return write_within(area, &text, (LEFT + 370, y), RIGHT - LEFT - 370, &Lettering::new(15, FAINT));
    }
    let number = |text: Option<String>, right| {
        let text = text.unwrap_or_else(|| "–".to_owned());
        write(area, &text, (right, y), &Lettering::new(16, ink).anchored(HPos::Right))
    };
    number(hook.events.known().map(format::count), EVENTS)?;
    number(hook.ns_per_event.known().filter(|ns| ns.is_finite()).map(format::significant), NS)?;
    let cost = cpus(hook, duration_s);
    number(cost.map(format::percent), COST)?;
    if let Some(cpus) = cost.filter(|_| longest > 0.0) {
        let width = ((cpus / longest * f64::from(RIGHT - BARS)).round() as i32).max(1);
        area.draw(&Rectangle::new([(BARS, y - 15), (BARS + width, y + 3)], PURPLE.filled()))?;
    }
    Ok(())
}

pub(super) fn table(report: &RunReport) -> Table {
    let mut table = Table::new([
        "hook",
        "kind",
        "state",
        "events",
        "ns per event",
        "net ns per event",
        "share of one CPU",
        "why not attached",
    ]);
    let unknown = || "not measured".to_owned();
    for hook in &report.probes.hooks {
        table.row([
            hook.hook.clone(),
            hook.kind.clone(),
            state(hook).to_owned(),
            hook.events.known().map_or_else(unknown, |events| events.to_string()),
            hook.ns_per_event.known().map_or_else(unknown, format::significant),
            hook.net_ns_per_event.known().map_or_else(unknown, format::significant),
            cpus(hook, report.window.duration_s).map_or_else(unknown, format::percent),
            hook.reason.clone().unwrap_or_default(),
        ]);
    }
    table
}
