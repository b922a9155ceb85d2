//! The answer, then the evidence, then what to do.

mod cost;
mod evidence;
mod proof;
mod said;

use std::path::{Path, PathBuf};

pub use self::cost::cost;
pub use self::evidence::{evidence, gist};
pub use self::proof::{audit_in_short, basis, testimonies, why_no_audit};
pub use self::said::{benchmark, how_it_ended, what_it_said};

pub(super) use self::evidence::udp_worth_a_line;
pub(in crate::report) use self::proof::what_could_be_missed;

use crate::benchmark::Iperf3;
use crate::model::cause::{Cause, CauseId};
use crate::model::ending::RunEnding;
use crate::model::fact::Known as _;
use crate::model::ledger::{Entry, OFFLOADED, SEGMENTED};
use crate::model::sample::Mode;
use crate::model::shell::quoted;
use crate::model::verdict::{Classes, Confidence, MIN_BULK_BYTES, State};
use crate::report::kit::document::Document as _;
use crate::report::kit::format;
use crate::report::kit::style::{Style, Tone};
use crate::report::run::schema::RunReport;
use crate::report::run::why;
use crate::units;

/// All that a run says to a person, a newline at the end of each line. `files` are where the reports went.
#[must_use]
pub fn answer(report: &RunReport, files: &[PathBuf], style: &Style) -> String {
    let mut text = headline(report, style);
    for line in evidence(report) {
        text += &style.paragraph("  ", &style.data(&line));
    }
    text += &proof::witnesses(report, style);
    text += &proof::audit(report, style);
    text += &proof::confidence(report, style);
    let causes = report.causes.as_deref().unwrap_or_default();
    text += &style.section("WHY", &why::why(causes));
    text += &style.verbatim("FIX", &why::mend(report.interface.place(), causes));
    text += &style.section("COST", &cost(report));
    text += &style.section("RUN", &report.benchmark.as_ref().map(benchmark).unwrap_or_default());
    text += &style.section("EVENT", &events(report));
    text += &style.section("SLOW?", &slow(report));
    text += &style.section("NEXT", &next(report));
    text += &style.section("LIMIT", &limits(report));
    for line in where_it_is(files) {
        text += &style.paragraph("      ", &style.data(&line));
    }
    text
}

/// Where the reports went: the page, and beside it in a few words what lies in the same directory. Without a page, each file.
fn where_it_is(files: &[PathBuf]) -> Vec<String> {
    let is_page = |file: &&PathBuf| file.file_name().is_some_and(|name| name == RunReport::PAGE);
    let Some(page) = files.iter().find(is_page) else {
        return files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
    };
    let beside = files.iter().filter(|file| *file != page && file.parent() == page.parent());
    let (charts, others): (Vec<&PathBuf>, Vec<&PathBuf>) =
        beside.partition(|file| file.extension().is_some_and(|kind| kind == "svg"));
    let charts = match charts.len() {
        0 => None,
        1 => Some("1 chart".to_owned()),
        several => Some(format!("{several} charts")),
    };
    let named = |file: &PathBuf| file.file_name().map(|name| Path::new(name).display().to_string());
    let beside: Vec<String> = charts.into_iter().chain(others.into_iter().filter_map(named)).collect();
    let page = page.to_string_lossy();
    vec![if beside.is_empty() { page.into_owned() } else { format!("{page}  (and {})", beside.join(", ")) }]
}

/// The state in one word, as it stands at the head of the answer.
#[must_use]
pub fn state_word(report: &RunReport) -> &'static str {
    match report.verdict.state {
        State::Engaged if report.verdict.thin => "ENGAGED, THIN",
        State::Engaged => "ENGAGED",
        State::Software => "SOFTWARE",
        State::Partial => "PARTIAL",
        State::NotBuilt => "NOT BUILT",
        State::NothingToOffload => "NOTHING TO OFFLOAD",
        State::Inconclusive => "INCONCLUSIVE",
    }
}

/// The state as a sentence about the interface. Printable, without markup.
#[must_use]
pub fn state_sentence(report: &RunReport) -> String {
    let name = format::shortened(&format::printable(&report.interface.name), 32);
    match report.verdict.state {
        // "The device did it" would be more than is known where the packets go on inside this machine.
        State::Engaged if !report.interface.terminal => format!("super-packets leave {name} whole"),
        State::Engaged => format!("TSO is happening on {name}"),
        State::Software => format!("TSO is not happening on {name}"),
        State::Partial if came_in_singly(report) => {
            format!("most of what left {name} was forwarded, and came in already segmented")
        }
        State::Partial => {
            let shares =
                report.ledger.tcp.as_ref().map(|tcp| format!(" ({})", offloaded_and_not(&tcp.total)));
            format!("TSO is active for only part of the traffic on {name}{}", shares.unwrap_or_default())
        }
        State::NotBuilt => format!("no super-packets were built for {name}"),
        State::NothingToOffload if let Some(how) = failure(report) => {
            format!("the command failed ({how}) before bulk TCP left {name}")
        }
        State::NothingToOffload => format!("too little bulk TCP left {name} to judge by"),
        State::Inconclusive => format!("this run cannot tell whether TSO is happening on {name}"),
    }
}

/// `75 % offloaded, 25 % segmented in software`, of what was built into super-packets.
fn offloaded_and_not(tcp: &Entry) -> String {
    let share = |bytes| units::percent(units::share(bytes, tcp.built_bytes()).unwrap_or(0.0));
    format!("{} {OFFLOADED}, {} {SEGMENTED}", share(tcp.hardware_bytes), share(tcp.software_bytes))
}

/// Whether there was next to nothing for TSO to do here.
fn came_in_singly(report: &RunReport) -> bool {
    let tcp = report.ledger.tcp.as_ref();
    tcp.is_some_and(|tcp| Classes::of(&tcp.total).is_mostly_forwarded_singles())
}

/// How the command failed, if it did by itself: what ends a run ends its command too.
pub(super) fn failure(report: &RunReport) -> Option<String> {
    if report.window.ended_by != RunEnding::Command {
        return None;
    }
    let benchmark = report.benchmark.as_ref()?;
    let signal = benchmark.signal.map(|signal| format!("signal {signal}"));
    let code = benchmark.exit_code.filter(|code| *code != 0).map(|code| format!("exit code {code}"));
    // With -J, some versions of iperf3 end with 0 all the same.
    signal.or(code).or_else(|| said_in_json(report))
}

fn said_in_json(report: &RunReport) -> Option<String> {
    let printed = report.benchmark.as_ref()?.stdout.as_deref()?;
    Iperf3::error(printed.as_bytes())
}

/// Whether it is known by its code alone, and not by what it said in JSON.
pub(super) fn is_told_by_code(report: &RunReport) -> bool {
    said_in_json(report).is_none()
}

/// The confidence in one word.
#[must_use]
pub fn confidence_word(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Weak => "weak",
        Confidence::Supported => "supported",
        Confidence::Proven => "proven",
    }
}

/// Whether the state is as it should be.
#[must_use]
pub fn tone(state: State) -> Tone {
    match state {
        State::Engaged => Tone::Good,
        State::Software | State::NotBuilt => Tone::Bad,
        State::Partial | State::NothingToOffload | State::Inconclusive => Tone::Unsure,
    }
}

fn headline(report: &RunReport, style: &Style) -> String {
    let tone = tone(report.verdict.state);
    let sentence = format!("{} ({})", state_sentence(report), confidence_word(report.verdict.confidence));
    let first = format!("{}  ", style.paint(tone, state_word(report)));
    style.paragraph(&first, &style.data(&sentence))
}

fn events(report: &RunReport) -> Vec<String> {
    const SHOWN: usize = 10;
    let mut lines: Vec<String> = report
        .events
        .iter()
        .take(SHOWN)
        .map(|event| format!("at {:.2} s: {}", event.t_s, event.text))
        .collect();
    if report.events.len() > SHOWN {
        lines.push(format!("and {} more, in run.json", report.events.len() - SHOWN));
    }
    lines
}

/// Whether it is for want of TSO that it was not faster, and what else stands out as a limit.
fn slow(report: &RunReport) -> Vec<String> {
    let Some(slow) = &report.slow else { return Vec::new() };
    let limits = slow.limits.iter().map(|limit| format!("limit: {}", limit.text));
    std::iter::once(slow.said()).chain(limits).collect()
}

/// What to do so that the next run can tell more.
#[must_use]
pub fn next(report: &RunReport) -> Vec<String> {
    let name = quoted(&report.interface.name);
    let mut lines = Vec::new();
    match report.verdict.state {
        State::NothingToOffload => lines.push(match came_in(report) {
            Some(came) => format!(
                "{} came in by {name} meanwhile, and next to nothing left: TSO is the sender's, so run vmnet at the other end, or turn the \
                 benchmark round (iperf3 without -R)",
                format::bytes(came)
            ),
            None if is_encrypted(report) => "what left was encrypted before it came here: on the tunnel's own device vmnet can see what is inside".to_owned(),
            None => {
                let run = report.interface.place().vmnet("run");
                format!("let bulk TCP leave {name} meanwhile: {run} -- iperf3 -c PEER")
            }
        }),
        State::Software | State::Partial | State::Engaged | State::NotBuilt | State::Inconclusive => {}
    }
    if report.audit.as_ref().is_some_and(|audit| !audit.drained)
        && report.verdict.confidence != Confidence::Proven
    {
        lines.push("let the traffic end before the run does, and every byte can be accounted for".to_owned());
    }
    lines
}

/// Whether WireGuard or IPsec sent what left.
pub(super) fn is_encrypted(report: &RunReport) -> bool {
    let is_cipher = |cause: &Cause| matches!(cause.id, CauseId::Wireguard | CauseId::Ipsec);
    report.causes.iter().flatten().any(is_cipher)
}

/// What came in, where that is plainly what the traffic was: more than so many times what left.
pub(super) fn came_in(report: &RunReport) -> Option<u64> {
    const PLAINLY: f64 = 10.0;
    let came = report.throughput.received_bytes?;
    let left = report.throughput.wire_gbps.known()? * 1e9 / 8.0 * report.window.duration_s;
    (came >= MIN_BULK_BYTES && came as f64 > PLAINLY * left).then_some(came)
}

/// What the answer does not prove.
#[must_use]
pub fn limits(report: &RunReport) -> Vec<String> {
    let mut lines = Vec::new();
    let claims_whole = matches!(report.verdict.state, State::Engaged | State::Partial);
    if claims_whole && !report.interface.terminal {
        lines.push(
            "packets that leave this device go on inside this machine: it can only be shown that they left it whole, \
             not where they are segmented"
                .to_owned(),
        );
    } else if claims_whole {
        lines.push("seen from this machine: a host below it may still segment behind the device".to_owned());
    }
    lines.extend(sent_elsewhere(report).map(str::to_owned));
    if report.probes.mode == Mode::Counters {
        lines.push("no programs ran: this is read from the counters of interface and qdisc alone".to_owned());
    }
    if !report.probes.fell_because.is_empty() {
        lines.push(format!(
            "fell back to {}: {}",
            report.probes.mode.name(),
            report.probes.fell_because.join("; ")
        ));
    }
    if report.window.ended_by.is_cut_short() {
        lines.push(format!("the run was cut short: {}", report.window.ended_by.words()));
    }
    lines
}

/// Packets for the interface that were not seen on it.
pub(super) fn sent_elsewhere(report: &RunReport) -> Option<&'static str> {
    let redirects = report.machine.as_ref().is_ok_and(|machine| machine.redirects == Ok(true));
    redirects
        .then_some("tc filters hand packets to other devices (mirred): what leaves by those was not watched")
}

#[cfg(test)]
mod tests;
