//! How it is proven: the witnesses, the audit, and what the confidence rests on.

use super::confidence_word;
use crate::model::audit::{Audit, Missed};
use crate::model::sample::Counting;
use crate::model::verdict::{Confidence, Says, Witness};
use crate::report::kit::format;
use crate::report::kit::style::Style;
use crate::report::run::schema::RunReport;

/// A witness, held against the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Testimony {
    /// Who.
    pub name: String,
    /// Whether it says the same as the verdict; None where either of them leaves it open.
    pub agrees: Option<bool>,
    /// In a word or two what it says where that cannot be judged: `silent`, `says software`.
    pub says: String,
    /// Its figures, or why it is silent; may be empty.
    pub detail: String,
}

/// Every witness, held against the verdict.
#[must_use]
pub fn testimonies(report: &RunReport) -> Vec<Testimony> {
    let heard = |witness: &Witness| Testimony {
        name: witness.name.replace('-', " "),
        agrees: witness.says.agrees(report.verdict.state),
        says: match witness.says {
            Says::Silent => "silent".to_owned(),
            says => format!("says {}", says.name()),
        },
        detail: witness.detail.clone(),
    };
    report.verdict.witnesses.iter().map(heard).collect()
}

pub(super) fn witnesses(report: &RunReport, style: &Style) -> String {
    let heading = format!("  {:<11}", "witnesses");
    let mut text = String::new();
    for (index, Testimony { name, agrees, says, detail }) in testimonies(report).into_iter().enumerate() {
        let first = if index == 0 { heading.clone() } else { " ".repeat(heading.len()) };
        let mark = match agrees {
            Some(true) => "✓".to_owned(),
            Some(false) => "✗".to_owned(),
            None => says,
        };
        let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
        text += &style.paragraph(&first, &style.data(&format!("{name} {mark}{detail}")));
    }
    text
}

/// Why there is no audit.
#[must_use]
pub fn why_no_audit(report: &RunReport) -> &str {
    report.unmeasured.get("audit").map_or("without programs there is nothing to audit", String::as_str)
}

/// The audit in a phrase: `7 of 7, nothing missed`.
#[must_use]
pub fn audit_in_short(audit: &Audit) -> String {
    let measured = audit.identities.iter().filter(|identity| identity.ok.is_some()).count();
    let held = audit.identities.iter().filter(|identity| identity.ok == Some(true)).count();
    let mut sums = format!("{held} of {measured}");
    let unmeasured = audit.identities.len() - measured;
    if unmeasured > 0 {
        sums += &format!(" ({unmeasured} not measured)");
    }
    let missed: Vec<String> = what_could_be_missed(&audit.missed)
        .into_iter()
        .filter_map(|(count, what)| {
            count.filter(|count| *count > 0).map(|count| format!("{} {what}", format::count(count)))
        })
        .collect();
    sums += &if missed.is_empty() {
        ", nothing missed".to_owned()
    } else {
        format!(", missed: {}", missed.join(", "))
    };
    if !audit.drained {
        sums += "; traffic had not come to rest at the end";
    }
    sums
}

pub(super) fn audit(report: &RunReport, style: &Style) -> String {
    let heading = format!("  {:<11}", "audit");
    let Some(audit) = &report.audit else {
        return style.paragraph(&heading, &style.data(&format!("none: {}", why_no_audit(report))));
    };
    let sums = format!("{} {}", if audit.ok { "✓" } else { "✗" }, audit_in_short(audit));
    let mut text = style.paragraph(&heading, &style.data(&sums));
    let indent = " ".repeat(heading.len());
    for identity in audit.identities.iter().filter(|identity| identity.ok == Some(false)) {
        let mut line = format!("✗ {}", identity.name);
        if let (Some(left), Some(right)) = (identity.left, identity.right) {
            line +=
                &format!(": {left} ({}) against {right} ({})", identity.left_source, identity.right_source);
        }
        if let (Some(residual), Some(slack)) = (identity.residual, identity.slack) {
            line += &format!(", off by {residual} {}, slack {slack}", identity.unit);
        }
        if !identity.note.is_empty() {
            line += &format!(": {}", identity.note);
        }
        text += &style.paragraph(&indent, &style.data(&line));
    }
    text
}

/// All that can be missed, in words, with how much was; None where it cannot be determined.
pub(in crate::report) fn what_could_be_missed(missed: &Missed) -> [(Option<u64>, &'static str); 8] {
    [
        (missed.stack_overflows, "stack overflows"),
        (missed.unmatched_exits, "exits without entry"),
        (missed.unmatched_xmits, "transmits without start or end"),
        (missed.unreadable_packets, "unreadable packets"),
        (missed.uncountable_calls, "uncountable calls"),
        (missed.events_lost, "events lost"),
        (missed.recursion_misses, "program runs skipped"),
        (missed.kprobe_misses, "kprobe hits skipped"),
    ]
}

/// What the confidence rests on, or what it lacks: `proven within a bound: at least 99.7 % …`, `not proven: wire-segments
/// does not hold`.
#[must_use]
pub fn basis(report: &RunReport) -> Option<String> {
    let verdict = &report.verdict;
    if let (Some(bound), None) = (&verdict.bound, &verdict.basis) {
        return Some(format!("{} within a bound: {}", confidence_word(verdict.confidence), bound.text));
    }
    let bound = verdict.bound.as_ref().map(|bound| format!("; {}", bound.text)).unwrap_or_default();
    let Some(basis) = verdict.basis.as_ref() else { return proof(report) };
    let basis = basis.strip_prefix("not proven: ").unwrap_or(basis);
    let why = match verdict.confidence {
        Confidence::Proven => "proven by ",
        Confidence::Supported => "not proven: ",
        Confidence::Weak => "inferred from ",
    };
    Some(format!("{why}{basis}{bound}"))
}

/// What a proof rests on, by name: what was counted, what held, who agreed; and what was not there. None for what is not proven.
fn proof(report: &RunReport) -> Option<String> {
    let audit = report.audit.as_ref().filter(|_| report.verdict.confidence == Confidence::Proven)?;
    let after = match report.probes.counting {
        Counting::Light => "what the driver got by the kernel's own counters",
        Counting::Exact => "again as the driver got it",
    };
    let held = audit.identities.iter().filter(|identity| identity.ok == Some(true)).count();
    let unmeasured = audit.identities.iter().filter(|identity| identity.ok.is_none()).count();
    let mut said = format!(
        "proven: every packet was counted before the decision, and {after}; {held} identities hold within their slack"
    );
    if unmeasured > 0 {
        said += &format!(" ({unmeasured} could not be measured)");
    }
    let names = |wanted: &dyn Fn(&Testimony) -> bool| -> Vec<String> {
        testimonies(report)
            .into_iter()
            .filter(|witness| wanted(witness))
            .map(|witness| witness.name)
            .collect()
    };
    let (agreeing, silent) =
        (names(&|witness| witness.agrees == Some(true)), names(&|witness| witness.says == "silent"));
    if !agreeing.is_empty() {
        said += &format!("; agreeing: {}", agreeing.join(", "));
    }
    if !silent.is_empty() {
        said += &format!("; silent: {}", silent.join(", "));
    }
    Some(said)
}

pub(super) fn confidence(report: &RunReport, style: &Style) -> String {
    let line = |basis: String| style.paragraph(&format!("  {:<11}", "confidence"), &style.data(&basis));
    basis(report).map(line).unwrap_or_default()
}
