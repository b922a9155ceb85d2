//! What was found, in sentences.

use super::confidence_word;
use crate::model::cause::Cause;
use crate::model::fact::Known as _;
use crate::model::ledger::{Entry, OFFLOADED, SEGMENTED, SINGLES};
use crate::model::reasons::Reason;
use crate::model::verdict::State;
use crate::report::kit::format;
use crate::report::run::schema::RunReport;
use crate::stats;
use crate::units;

/// Beyond these, reasons are told in run.json only.
pub(super) const MOST_REASONS: usize = 5;

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

/// UDP: whether it is segmented, where programs hand it over to be; else how much there was of it.
fn beside(report: &RunReport) -> Vec<String> {
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
        _ => {
            let beside = |bytes| {
                format!(
                    "UDP beside it: {}, none of it in super-packets to speak of; it has no part in the answer",
                    format::bytes(bytes)
                )
            };
            udp_worth_a_line(report).map(beside).into_iter().collect()
        }
    }
}

/// UDP's payload, bytes. Less is chatter (DNS, NTP).
pub(in crate::report::run) fn udp_worth_a_line(report: &RunReport) -> Option<u64> {
    let bytes = report.ledger.udp.as_ref()?.total.payload_bytes;
    (bytes >= 1 << 20).then_some(bytes)
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
