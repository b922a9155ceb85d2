//! What the answer stands on: the chain, the audit, the hooks, and what happened meanwhile.

use crate::model::audit::Audit;
use crate::model::chain::{LinkState, first_broken};
use crate::model::fact::{Known as _, Why};
use crate::model::hook::HookState;
use crate::model::hook::ProgramsMethod;
use crate::model::identity::Identity;
use crate::report::kit::format;
use crate::report::kit::parts::{Cell, Facts, Grid, Mark, Row};
use crate::report::run::schema::RunReport;
use crate::report::run::text;

/// Events told here; a device that flaps must not fill the page.
const MOST_EVENTS: usize = 200;

/// The chain link by link.
pub(super) fn chain(report: &RunReport) -> Option<Grid> {
    let mut grid = Grid::new(
        "The chain that offload depends on, as it was at the end",
        ["Link", "State", "What shows it"],
    );
    let chain = report.chain.as_ref().ok()?;
    let first = first_broken(chain).map(|link| link.link);
    for link in chain {
        let mark = match link.state {
            LinkState::Ok => Mark::good("holds"),
            LinkState::Partial => Mark { sign: "◐", ..Mark::unsure("one family only") },
            LinkState::Broken if first == Some(link.link) => Mark::bad("breaks here first"),
            LinkState::Broken => Mark::bad("broken"),
            LinkState::Unknown => Mark::unsure("not known"),
            LinkState::NotApplicable => Mark::none("no such link"),
        };
        grid.row(
            format::sentence(link.link.words()).trim_end_matches('.'),
            vec![Cell::Mark(mark), Cell::words(&link.evidence)],
        );
    }
    Some(grid)
}

/// The identities.
pub(super) fn identities(audit: &Audit) -> Grid {
    let mut grid = Grid::new(
        "Counts from different sources that must agree: left − right = residual, which the slack has to cover",
        ["Identity", "#Left", "Counted by", "#Right", "Counted by", "#Residual", "#Slack", "Unit", "Holds"],
    );
    grid.rows.extend(audit.identities.iter().map(identity));
    grid
}

fn identity(identity: &Identity) -> Row {
    let holds = match identity.ok {
        Some(true) => Mark::good("yes"),
        Some(false) => Mark::bad("no"),
        None => Mark::none("not measured"),
    };
    let residual = identity.residual.map(|residual| {
        let sign = if residual < 0 { "−" } else { "" };
        format!("{sign}{}", format::exact(residual.unsigned_abs()))
    });
    Row {
        name: identity.name.to_string(),
        note: identity.note.clone(),
        cells: vec![
            Cell::exact(identity.left),
            Cell::Code(identity.left_source.clone()),
            Cell::exact(identity.right),
            Cell::Code(identity.right_source.clone()),
            residual.map_or(Cell::Unknown, Cell::Number),
            Cell::exact(identity.slack),
            Cell::words(identity.unit.name()),
            Cell::Mark(holds),
        ],
    }
}

/// What was missed.
pub(super) fn missed(report: &RunReport, audit: &Audit) -> Facts {
    let why = report.unmeasured.get("audit.missed.kprobe_misses");
    let why = why.map_or(Why::KernelSilent, |why| Why::from(why.clone()));
    let mut facts = Facts::default();
    for (count, what) in text::what_could_be_missed(&audit.missed) {
        facts.add_fact(what, &count.ok_or_else(|| why.clone()), |count| format::exact(*count));
    }
    facts
}

/// Hook by hook.
pub(super) fn hooks(report: &RunReport) -> Grid {
    let mut grid = Grid::new(
        "Hooks, of all interfaces together",
        ["Hook", "Kind", "State", "#Ran, times", "#ns a time", "#net ns", "Why not"],
    );
    let ns = |ns: Option<f64>| ns.map_or(Cell::Unknown, |ns| Cell::Number(format!("{ns:.0}")));
    for hook in &report.probes.hooks {
        let state = match hook.state {
            HookState::Attached => Mark::good("attached"),
            HookState::SwitchedOff => Mark::bad("switched off"),
            HookState::Absent => Mark::none("absent"),
        };
        grid.row(
            &hook.hook,
            vec![
                Cell::Code(hook.kind.clone()),
                Cell::Mark(state),
                Cell::exact(hook.events.known()),
                ns(hook.ns_per_event.known()),
                ns(hook.net_ns_per_event.known()),
                Cell::words(hook.reason.as_deref().unwrap_or_default()),
            ],
        );
    }
    grid
}

/// What the tool took, and how it counted.
pub(super) fn overhead(report: &RunReport) -> Facts {
    let overhead = &report.overhead;
    let mut facts = Facts::default();
    facts.add("Mode", report.probes.mode.name());
    facts.add_fact("Programs in the kernel", &overhead.cpu_share, |share| {
        let from = overhead.cpu_share_method.map_or("", ProgramsMethod::in_words);
        format!("{} of all CPUs’ time{from}", format::percent(*share))
    });
    facts.add_fact("vmnet itself", &overhead.user_cpu_share, |share| {
        format!("{} of all CPUs’ time", format::percent(*share))
    });
    facts.add_fact("Its memory", &overhead.rss_bytes, |bytes| format::bytes(*bytes));
    facts
}

/// What happened meanwhile.
pub(super) fn events(report: &RunReport) -> Option<Grid> {
    let mut grid = Grid::new("Events", ["After, s", "Kind", "What"]);
    for event in report.events.iter().take(MOST_EVENTS) {
        grid.row(
            format!("{:.2}", event.t_s),
            vec![Cell::Code(event.kind.name().to_owned()), Cell::words(&event.text)],
        );
    }
    let more = report.events.len().saturating_sub(MOST_EVENTS);
    grid.more = (more > 0).then(|| format!("{} more are in the JSON.", format::exact(more as u64)));
    (!grid.rows.is_empty()).then_some(grid)
}
