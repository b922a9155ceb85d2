//! The answer, then the evidence, then what to do.

mod said;

use std::path::{Path, PathBuf};

pub use self::said::what_it_said;

use crate::benchmark::{Benchmark, Iperf3};
use crate::model::audit::{Audit, Missed};
use crate::model::cause::{Cause, CauseId};
use crate::model::ending::RunEnding;
use crate::model::fact::Known as _;
use crate::model::hook::ProgramsMethod;
use crate::model::ledger::{Entry, OFFLOADED, SEGMENTED, SINGLES};
use crate::model::reasons::Reason;
use crate::model::sample::{Counting, Mode};
use crate::model::shell::quoted;
use crate::model::verdict::{Classes, Confidence, MIN_BULK_BYTES, Says, State, Witness};
use crate::report::kit::document::Document as _;
use crate::report::kit::format;
use crate::report::kit::style::{Style, Tone};
use crate::report::run::schema::RunReport;
use crate::report::run::why;
use crate::stats;
use crate::units;

/// UDP below this is chatter (DNS, NTP), not worth a line.
pub(super) const UDP_WORTH_A_LINE_BYTES: u64 = 1 << 20;

/// Beyond these, reasons are told in run.json only.
const MOST_REASONS: usize = 5;

/// All that a run says to a person, a newline at the end of each line. `files` are where the reports went.
#[must_use]
pub fn answer(report: &RunReport, files: &[PathBuf], style: &Style) -> String {
    let mut text = headline(report, style);
    for line in evidence(report) {
        text += &style.paragraph("  ", &style.data(&line));
    }
    text += &witnesses(report, style);
    text += &audit(report, style);
    text += &confidence(report, style);
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

/// What decided, in one phrase: `99.8 % of 41.2 GB of bulk TCP was segmented in software`. None without bulk, without
/// programs to count it, and where nothing is decided; the verdict's own summary says why.
#[must_use]
pub fn gist(report: &RunReport) -> Option<String> {
    let entry = &report.ledger.tcp.as_ref()?.total;
    let bulk = entry.bulk_bytes();
    let share = |bytes| units::share(bytes, bulk).map(format::percent);
    let of_bulk = format!("of {} of bulk TCP", format::bytes(bulk));
    Some(match report.verdict.state {
        State::Engaged => format!("{} {of_bulk} left whole", share(entry.hardware_bytes)?),
        State::Software => format!("{} {of_bulk} was segmented in software", share(entry.software_bytes)?),
        State::NotBuilt => {
            format!("{} {of_bulk} was built as full-size singles", share(entry.unaggregated_bytes)?)
        }
        State::Partial => format!(
            "{} {of_bulk} was segmented in software, {} left whole",
            share(entry.software_bytes)?,
            share(entry.hardware_bytes)?
        ),
        State::NothingToOffload | State::Inconclusive => return None,
    })
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

/// What was found, one sentence a line, without a full stop: what decided first.
#[must_use]
pub fn evidence(report: &RunReport) -> Vec<String> {
    let Some(tcp) = report.ledger.tcp.as_ref().map(|tcp| &tcp.total) else {
        return [report.verdict.summary.clone()].into_iter().chain(round_trip(report)).collect();
    };
    let mut lines = Vec::new();
    let gist = gist(report).unwrap_or_else(|| report.verdict.summary.clone());
    lines.push(match fate_of_super_packets(tcp) {
        Some(fate) => format!("{gist}: {fate}"),
        None => gist,
    });
    if let Some(shares) = shares_of_bulk(tcp) {
        lines.push(shares);
    }
    lines.extend(report.reasons.iter().flatten().take(MOST_REASONS).map(reason));
    if report.verdict.thin
        && let Some(median) = tcp.median_gso_segs
    {
        lines.push(format!("thin: half of the super-packets are of {median:.0} segments or fewer"));
    }
    lines.push(payload(report, tcp));
    lines.extend(round_trip(report));
    lines.extend(beside(report));
    lines
}

/// UDP: whether it is segmented, where programs hand it over to be; else how much there was of it.
fn beside(report: &RunReport) -> Vec<String> {
    let payload_bytes = report.ledger.udp.as_ref().map_or(0, |udp| udp.total.payload_bytes);
    match &report.verdict.udp {
        Some(udp) if udp.state != State::NothingToOffload => {
            let mut lines = vec![format!(
                "UDP: {} in super-packets: {} ({})",
                format::bytes(udp.built_bytes),
                udp.summary,
                confidence_word(udp.confidence)
            )];
            let named =
                |cause: &Cause| format!("UDP, {}: {}; {}", cause.id.name(), cause.title, cause.detail);
            lines.extend(udp.causes.iter().map(named));
            lines.extend(
                udp.causes
                    .iter()
                    .flat_map(|cause| &cause.fix.commands)
                    .take(2)
                    .map(|command| format!("UDP, fix: {}", report.interface.place().command(command))),
            );
            lines
        }
        _ if payload_bytes >= UDP_WORTH_A_LINE_BYTES => vec![format!(
            "UDP beside it: {}, none of it in super-packets to speak of; it has no part in the answer",
            format::bytes(payload_bytes)
        )],
        _ => Vec::new(),
    }
}

fn fate_of_super_packets(tcp: &Entry) -> Option<String> {
    if tcp.super_packets_queued == 0 {
        return None;
    }
    let queued = format::count(tcp.super_packets_queued);
    Some(match (tcp.super_packets_to_driver, tcp.segments_made) {
        (0, made) => format!("{queued} super-packets into {} segments", format::count(made)),
        (whole, 0) => format!("{} of {queued} super-packets reached the driver", format::count(whole)),
        (whole, made) => format!(
            "of {queued} super-packets {} reached the driver, the others became {} segments",
            format::count(whole),
            format::count(made)
        ),
    })
}

fn shares_of_bulk(tcp: &Entry) -> Option<String> {
    let bulk = tcp.bulk_bytes();
    let share = |bytes| units::share(bytes, bulk).map(format::percent);
    Some(format!(
        "bulk: {} {OFFLOADED}, {} {SEGMENTED}, {} {SINGLES}",
        share(tcp.hardware_bytes)?,
        share(tcp.software_bytes)?,
        share(tcp.unaggregated_bytes)?
    ))
}

/// `93.1 % of the software-segmented bytes: IPv6 TSO missing (tx-tcp6-segmentation off), 38.2 GB`.
fn reason(reason: &Reason) -> String {
    format!(
        "{} of the software-segmented bytes: {}, {}",
        format::percent(reason.share),
        reason.text,
        format::bytes(reason.bytes)
    )
}

fn payload(report: &RunReport, tcp: &Entry) -> String {
    let mut line = format!(
        "{} of TCP payload in {}",
        format::bytes(tcp.payload_bytes),
        format::duration(report.window.duration_s)
    );
    if let Some(goodput_gbps) = report.throughput.goodput_gbps.known() {
        line += &format!(", {} without retransmits", format::rate(goodput_gbps));
    }
    for (bytes, what) in [
        (tcp.small_bytes, "in small packets"),
        (tcp.dropped_bytes, "dropped before the wire"),
        (tcp.pending_bytes, "still queued"),
        (tcp.retransmitted_bytes.unwrap_or_default(), "retransmitted"),
        (tcp.forwarded_bytes, "forwarded"),
        (tcp.tunnel_bytes, "in tunnels"),
    ] {
        if bytes > 0 {
            line += &format!("; {} {what}", format::bytes(bytes));
        }
    }
    line
}

/// `round trip under load: 0.42 ms in the median`. None without load, or where no socket told.
fn round_trip(report: &RunReport) -> Option<String> {
    if report.verdict.state == State::NothingToOffload {
        return None;
    }
    let told = report.throughput.samples.iter().filter_map(|sample| sample.rtt_us);
    let mut told: Vec<f64> = told.filter(|us| us.is_finite()).collect();
    told.sort_unstable_by(f64::total_cmp);
    let median_us = stats::of_sorted(&told, 0.5)?;
    Some(format!("round trip under load: {} in the median", format::round_trip(median_us)))
}

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

fn witnesses(report: &RunReport, style: &Style) -> String {
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

fn audit(report: &RunReport, style: &Style) -> String {
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
pub(crate) fn what_could_be_missed(missed: &Missed) -> [(Option<u64>, &'static str); 8] {
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

fn confidence(report: &RunReport, style: &Style) -> String {
    let line = |basis: String| style.paragraph(&format!("  {:<11}", "confidence"), &style.data(&basis));
    basis(report).map(line).unwrap_or_default()
}

/// What software segmentation cost, or why that is not known; and what vmnet took meanwhile, where that is known.
#[must_use]
pub fn cost(report: &RunReport) -> Vec<String> {
    let alone = cost_of_packets(report);
    std::iter::once(cost_of_segmentation(report)).chain(alone).chain(own_cost(report)).collect()
}

/// What is not in the cost of segmentation, and is the larger part of it where the path is short.
fn cost_of_packets(report: &RunReport) -> Option<String> {
    let segmented =
        report.cost.segmentation_calls.known() != Some(0) && report.cost.ns_per_byte.known().is_some();
    segmented.then(|| {
        "that is segmentation alone: each segment's own way through driver and stack comes on top, is often the larger part, and is not \
         measured here (vmnet ab measures both)"
            .to_owned()
    })
}

/// What the programs in the kernel took, which is a part of whatever was measured meanwhile.
fn own_cost(report: &RunReport) -> Option<String> {
    let share = format::percent(report.overhead.cpu_share.known()?);
    let from = report.overhead.cpu_share_method.map_or("", ProgramsMethod::in_words);
    Some(format!("vmnet's own programs: {share} of all CPUs' time{from}"))
}

fn cost_of_segmentation(report: &RunReport) -> String {
    let cost = &report.cost;
    if cost.segmentation_calls.known() == Some(0) {
        return "none: the CPU segmented nothing for this device".to_owned();
    }
    let mut parts = Vec::new();
    if let Some(cores) = cost.cores.known() {
        parts.push(format!("{cores:.2} cores"));
    }
    if let Some(ns) = cost.ns_per_byte.known() {
        let mut said = format::ns_per_byte(ns);
        if let Some([low, high]) = cost.ns_per_byte_interval.known() {
            said += &format!(" [{low:.2}, {high:.2}]");
        }
        parts.push(said);
    }
    if let (true, Err(why)) = (parts.is_empty(), &cost.cores) {
        return format!("not measured: {why}");
    }
    let estimated = if cost.method.is_sampled() { ", estimated" } else { "" };
    format!("{} (by {}{estimated})", parts.join(", "), cost.method.name())
}

/// The command, how it ended, and what it said of itself where that was understood.
#[must_use]
pub fn benchmark(benchmark: &Benchmark) -> Vec<String> {
    let command = format::shortened(&benchmark.command.join(" "), 200);
    let mut lines = vec![format!("{command}: {}", how_it_ended(benchmark))];
    lines.extend(what_it_said(benchmark));
    lines
}

/// `exit 0`.
#[must_use]
pub fn how_it_ended(benchmark: &Benchmark) -> String {
    match (benchmark.exit_code, benchmark.signal) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "its end is not known".to_owned(),
    }
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
