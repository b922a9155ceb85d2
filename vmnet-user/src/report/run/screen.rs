//! A run on one screen: the answer, how fast, what became of the packets, what that took, what the limit is, and what to do.

use std::path::PathBuf;

use super::remedy;
use super::schema::RunReport;
use super::text::{
    came_in, confidence_word, failure, is_encrypted, is_told_by_code, sent_elsewhere, tone, udp_worth_a_line,
};
use crate::model::cause::experiment;
use crate::model::cost::Cost;
use crate::model::fact::Known as _;
use crate::model::ledger::{Entry, OFFLOADED, SEGMENTED, SINGLES};
use crate::model::sample::Mode;
use crate::model::slow::Answer;
use crate::model::state::State;
use crate::report::kit::document::Document as _;
use crate::report::kit::format;
use crate::report::kit::screen::Screen;
use crate::report::kit::style::{Style, Tone};
use crate::report::kit::typed::Typed;
use crate::units;

/// Below this share, TSO is active for none of it.
const NEXT_TO_NOTHING: f64 = 0.001;

/// The screen of a run. `files` are where the reports went.
#[must_use]
pub fn screen(report: &RunReport, files: &[PathBuf], typed: &Typed, style: &Style) -> String {
    let (tone, word) = word(report);
    let mut screen = Screen::new(style, tone, word, &sentence(report));
    screen.gap();
    if let Some(how) = failure(report) {
        // With JSON it printed nothing that a person would have seen.
        let above = if is_told_by_code(report) { "; what it printed stands above" } else { "" };
        screen.row("Command", &format!("failed ({how}){above}"));
    }
    let said = report.benchmark.as_ref().and_then(super::text::what_it_said);
    screen.row("Command", said.as_deref().unwrap_or_default());
    let ending = report.window.ended_by;
    screen.row("Cut short", if ending.is_cut_short() { ending.words() } else { "" });
    screen.row("Speed", &speed(report));
    screen.row("Packets", &packets(report));
    screen.row("CPU", &cpu(report));
    screen.row("Limit", &limit(report));
    screen.row("UDP", &udp(report));
    screen.row("Event", &events(report));
    screen.row("Weak", &without_programs(report));
    screen.row("But", reach(report));
    let name = &report.interface.name;
    let label = if report.verdict.state == State::Inconclusive { "Found" } else { "Why" };
    remedy::rows_as(label, &mut screen, name, report.causes.as_deref().unwrap_or_default(), typed);
    slow(&mut screen, report, typed);
    next(&mut screen, report, typed);
    match page(files) {
        Some(page) => screen.command("Report", &format!("{page}   details: -v")),
        None => screen.row("Report", "none was written; details: -v"),
    }
    screen.finish()
}

fn page(files: &[PathBuf]) -> Option<String> {
    let is_page = |file: &&PathBuf| file.file_name().is_some_and(|name| name == RunReport::PAGE);
    files.iter().find(is_page).or(files.first()).map(|file| file.to_string_lossy().into_owned())
}

/// Whether TSO happens, in a word.
pub(in crate::report) const fn answer_word(state: State) -> &'static str {
    match state {
        State::Engaged => "YES",
        State::Software | State::NotBuilt => "NO",
        State::Partial => "PARTLY",
        State::NothingToOffload => "NO TRAFFIC",
        State::Inconclusive => "NOT KNOWN",
    }
}

/// The same, but of a command that failed before it sent anything.
fn word(report: &RunReport) -> (Tone, &'static str) {
    let state = report.verdict.state;
    if state == State::NothingToOffload && failure(report).is_some() {
        return (Tone::Bad, "FAILED");
    }
    (tone(state), answer_word(state))
}

/// Short enough for one line of 80 columns with an ordinary name.
fn sentence(report: &RunReport) -> String {
    let name = format::shortened(&format::printable(&report.interface.name), 32);
    let confidence = confidence_word(report.verdict.confidence);
    let tcp = report.ledger.tcp.as_ref().map(|tcp| &tcp.total);
    match (report.verdict.state, tcp) {
        (State::Engaged, _) if report.verdict.thin => {
            format!("packets leave {name} whole, and few segments in each ({confidence})")
        }
        (State::Engaged, _) if !report.interface.terminal => {
            format!("large packets leave {name} whole ({confidence})")
        }
        (State::Partial, Some(tcp)) => match units::share(tcp.hardware_bytes, tcp.bulk_bytes()) {
            Some(share) if share >= NEXT_TO_NOTHING => {
                format!("TSO is active for {} of the bytes on {name} ({confidence})", units::percent(share))
            }
            // Some of it was segmented, and the rest never was in super-packets.
            Some(_) => format!("next to nothing left {name} in large packets ({confidence})"),
            None => format!("TSO is active for a part of the traffic on {name} ({confidence})"),
        },
        (State::NothingToOffload | State::Inconclusive, _) => super::text::state_sentence(report),
        _ => format!("{} ({confidence})", super::text::state_sentence(report)),
    }
}

/// Payload's rate where it is known, beside the link's where that has one.
fn speed(report: &RunReport) -> String {
    let (rate, kind) = match (report.throughput.goodput_gbps.known(), report.throughput.wire_gbps.known()) {
        (Some(rate), _) => (rate, ""),
        (None, Some(rate)) => (rate, ", headers included"),
        (None, None) => return String::new(),
    };
    if report.verdict.state == State::NothingToOffload {
        return String::new();
    }
    let device = report.machine.as_ref().ok().map(|machine| &machine.device);
    let link = match device {
        Some(device) if device.has_a_link() => match device.speed_mbps.known() {
            Some(mbps) => format!("; the link has {}", format::rate(f64::from(mbps) / 1e3)),
            None => String::new(),
        },
        Some(device) if device.driver.as_deref() == Some("virtio_net") => {
            "; the link's speed is not known here".to_owned()
        }
        _ => String::new(),
    };
    // A benchmark's own figure is of its own time, and the live table's of a second.
    let time = format::duration(report.window.duration_s);
    format!("{}{kind} over the run's {time}{link}", format::rate(rate))
}

/// What became of the bulk: of what, and how.
fn packets(report: &RunReport) -> String {
    let Some(tcp) = report.ledger.tcp.as_ref().map(|tcp| &tcp.total) else {
        let basis = report.verdict.basis.as_ref().filter(|_| report.verdict.state == State::Inconclusive);
        return basis.map_or_else(|| report.verdict.summary.clone(), |why| format::capitalised(why));
    };
    let bulk = tcp.bulk_bytes();
    if bulk == 0 || report.verdict.state == State::NothingToOffload {
        return format!("{} of TCP in all", format::bytes(tcp.payload_bytes));
    }
    let share = |bytes| units::share(bytes, bulk).filter(|share| *share >= 0.000_5).map(format::percent);
    let parts =
        [(tcp.hardware_bytes, OFFLOADED), (tcp.software_bytes, SEGMENTED), (tcp.unaggregated_bytes, SINGLES)];
    let mut parts = parts;
    // What became of most of it comes first.
    parts.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    let parts: Vec<String> =
        parts.into_iter().filter_map(|(bytes, what)| Some(format!("{} {what}", share(bytes)?))).collect();
    let became = became(tcp).map(|segments| format!(": each large packet became {segments} on average"));
    let thin = tcp.median_gso_segs.filter(|_| report.verdict.thin);
    let thin = thin.map(|segments| format!(": {segments} segments in a packet, in the median"));
    format!(
        "{} of bulk TCP, {}{}",
        format::bytes(bulk),
        parts.join(", "),
        thin.or(became).unwrap_or_default()
    )
}

/// How many segments software made of one super-packet, in the mean, where it made any worth telling.
fn became(tcp: &Entry) -> Option<String> {
    let segmented =
        tcp.super_packets_queued.checked_sub(tcp.super_packets_to_driver).filter(|some| *some > 0)?;
    let each = tcp.segments_made as f64 / segmented as f64;
    (each >= 1.5).then(|| format!("{each:.0}"))
}

/// What segmentation took, and that it is not all.
fn cpu(report: &RunReport) -> String {
    let cost: &Cost = &report.cost;
    let is_offloaded = report.verdict.state == State::Engaged;
    match (cost.segmentation_calls.known(), cost.cores.known()) {
        _ if report.verdict.state == State::NothingToOffload => String::new(),
        (Some(0), _) => "none for segmentation".to_owned(),
        _ if report.verdict.state == State::NotBuilt => {
            "none for segmentation; each segment goes through the stack by itself, and that costs more"
                .to_owned()
        }
        (_, Some(cores)) if is_offloaded => format!("{cores:.2} cores for segmentation"),
        (_, Some(cores)) => {
            let about = if cost.method.is_sampled() { "about " } else { "" };
            format!("{about}{cores:.2} cores for segmentation alone; the extra packets cost more")
        }
        _ => String::new(),
    }
}

fn limit(report: &RunReport) -> String {
    let Some(slow) = &report.slow else { return String::new() };
    match slow.limits.first() {
        _ if report.verdict.state == State::NothingToOffload => String::new(),
        None => "nothing that was measured here stands out".to_owned(),
        Some(limit) => limit.brief.clone(),
    }
}

/// Only where UDP was segmented, or was all there was: it has no part in the answer.
fn udp(report: &RunReport) -> String {
    let is_all = report.verdict.state == State::NothingToOffload;
    if let Some(udp) = report.verdict.udp.as_ref().filter(|udp| is_all && udp.state == State::Engaged) {
        return udp.summary.clone();
    }
    if report.verdict.udp.as_ref().is_some_and(|udp| udp.is_segmented()) {
        return "its large packets (UDP_SEGMENT) are segmented in software: -v".to_owned();
    }
    let alone = udp_worth_a_line(report).filter(|_| is_all).map(|bytes| {
        format!(
            "{} in single packets: no program handed over more at a time (UDP_SEGMENT)",
            format::bytes(bytes)
        )
    });
    alone.unwrap_or_default()
}

fn events(report: &RunReport) -> String {
    match report.events.as_slice() {
        [] => String::new(),
        [one] => format!("at {:.1} s: {}", one.t_s, one.text),
        [first, rest @ ..] => format!("at {:.1} s: {}; {} more: -v", first.t_s, first.text, rest.len()),
    }
}

/// How the next run tells more.
fn next(screen: &mut Screen, report: &RunReport, typed: &Typed) {
    let is_without_traffic = report.verdict.state == State::NothingToOffload && failure(report).is_none();
    if is_without_traffic && came_in(report).is_none() && !is_encrypted(report) {
        // The same once more is no advice.
        if !typed.command.is_empty() {
            return;
        }
        screen.command("Next", &typed.with_benchmark("run", &report.interface.name));
        screen.row("", typed.placeholder());
    } else if failure(report).is_none() {
        screen.row("Next", super::text::next(report).first().map_or("", String::as_str));
    }
}

/// Why nothing but the kernel's counters was read, where that was not asked for.
fn without_programs(report: &RunReport) -> String {
    if report.probes.mode != Mode::Counters || report.probes.fell_because.is_empty() {
        return String::new();
    }
    format!("by the kernel's counters alone: {}", report.probes.fell_because.join("; "))
}

/// How far a machine sees its own packets go.
fn reach(report: &RunReport) -> &'static str {
    match report.verdict.state {
        State::Engaged | State::Partial if !report.interface.terminal => {
            "they go on inside this machine, and may be segmented further on"
        }
        State::Engaged | State::Partial => "a host below may still segment, out of this machine's sight",
        State::NothingToOffload => sent_elsewhere(report).unwrap_or_default(),
        _ => "",
    }
}

/// Whether that is why it is slow, and how to be sure.
fn slow(screen: &mut Screen, report: &RunReport, typed: &Typed) {
    let Some(slow) = report.slow.as_ref().filter(|_| report.verdict.state != State::NothingToOffload) else {
        return;
    };
    screen.row("Slow because of it?", &format::capitalised(&slow.said()));
    let name = &report.interface.name;
    if let Some(options) = experiment(report.causes.as_deref().unwrap_or_default(), name)
        .filter(|_| slow.without_tso != Answer::No)
    {
        screen.command("Prove", &typed.experiment(name, &options));
        screen.row("", typed.placeholder());
    }
}
