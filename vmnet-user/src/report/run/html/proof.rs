//! What the answer stands on: witnesses, the audit, the probes, and what happened meanwhile.

use crate::model::audit::Audit;
use crate::model::fact::Why;
use crate::model::hook::ProgramsMethod;
use crate::model::identity::Identity;
use crate::model::verdict::Confidence;
use crate::report::kit::format;
use crate::report::kit::parts::{Cell, Facts, Grid, Mark, Part, Row};
use crate::report::run::charts::probes::marks;
use crate::report::run::schema::RunReport;
use crate::report::run::text;

/// Events told here; a device that flaps must not fill the page.
const MOST_EVENTS: usize = 200;

pub(super) fn witnesses(report: &RunReport) -> Part {
    let mut grid = Grid::new("Witnesses", ["Witness", "Says", "How it knows"]);
    let (mark, said) = match &report.audit {
        None => (Mark::none("none"), text::why_no_audit(report).to_owned()),
        Some(audit) => {
            let mark = if audit.ok { Mark::good("holds") } else { Mark::bad("does not hold") };
            (mark, text::audit_in_short(audit))
        }
    };
    let gist = format!("audit: {}, {said}", mark.word);
    for testimony in text::testimonies(report) {
        let mark = match testimony.agrees {
            Some(true) => Mark::good("agrees"),
            Some(false) => Mark::bad("contradicts"),
            None => Mark::none(&testimony.says),
        };
        grid.row(&testimony.name, vec![Cell::Mark(mark), Cell::words(&testimony.detail)]);
    }
    grid.row("audit", vec![Cell::Mark(mark), Cell::words(said)]);
    let basis = text::basis(report).unwrap_or_else(|| match report.verdict.confidence {
        Confidence::Proven => "proven".to_owned(),
        Confidence::Supported => "one witness alone".to_owned(),
        Confidence::Weak => "inferred".to_owned(),
    });
    let basis = format::sentence(&basis);
    let confidence = format::capitalised(text::confidence_word(report.verdict.confidence));
    let basis = if basis.starts_with(&confidence) { basis } else { format!("{confidence}: {basis}") };
    let part = Part::new("audit", "Witnesses and audit", gist).said(basis).grid(grid);
    match &report.audit {
        None => part,
        Some(audit) => part.grid(identities(audit)).heading("What was missed").facts(missed(report, audit)),
    }
}

fn identities(audit: &Audit) -> Grid {
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

fn missed(report: &RunReport, audit: &Audit) -> Facts {
    let why = report.unmeasured.get("audit.missed.kprobe_misses");
    let why = why.map_or(Why::KernelSilent, |why| Why::from(why.clone()));
    let mut facts = Facts::default();
    for (count, what) in text::what_could_be_missed(&audit.missed) {
        facts.add_fact(what, &count.ok_or_else(|| why.clone()), |count| format::exact(*count));
    }
    facts
}

/// What the tool took, how it counted, and what happened meanwhile.
pub(super) fn probes(report: &RunReport) -> Part {
    let (overhead, probes) = (&report.overhead, &report.probes);
    let mut facts = Facts::default();
    facts.add("Mode", probes.mode.name());
    facts.add_fact("Programs in the kernel", &overhead.cpu_share, |share| {
        let from = overhead.cpu_share_method.map_or("", ProgramsMethod::in_words);
        format!("{} of all CPUs’ time{from}", format::percent(*share))
    });
    facts.add_fact("vmnet itself", &overhead.user_cpu_share, |share| {
        format!("{} of all CPUs’ time", format::percent(*share))
    });
    facts.add_fact("Its memory", &overhead.rss_bytes, |bytes| format::bytes(*bytes));
    let hooks = format::plural(probes.hooks.len() as u64, "hook");
    let hooks = if probes.hooks.is_empty() { "no programs ran".to_owned() } else { hooks };
    let count = format::plural(report.events.len() as u64, "event");
    let part = Part::new("probes", "Probes and events", format!("{}, {hooks}; {count}", probes.mode.name()));
    let hooks = (!probes.hooks.is_empty()).then(|| Grid::behind("Hooks, of all interfaces", &marks(report)));
    let part = part
        .facts(facts)
        .grids(hooks)
        .list(probes.fell_because.iter().map(|why| format!("not a better way to count: {why}")));
    if report.events.is_empty() {
        return part.note("Nothing happened meanwhile: no feature was switched, no program lost its place.");
    }
    part.grid(events(report))
}

fn events(report: &RunReport) -> Grid {
    let mut grid = Grid::new("Events", ["After, s", "Kind", "What"]);
    for event in report.events.iter().take(MOST_EVENTS) {
        let kind = Cell::Code(event.kind.name().to_owned());
        grid.row(format!("{:.2}", event.t_s), vec![kind, Cell::words(&event.text)]);
    }
    let more = report.events.len().saturating_sub(MOST_EVENTS);
    grid.more = (more > 0).then(|| format!("{} more are in the JSON.", format::exact(more as u64)));
    grid
}
