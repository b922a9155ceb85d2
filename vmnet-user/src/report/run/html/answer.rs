//! The head of the page: the answer, and the numbers that matter most.

use crate::model::fact::Known as _;
use crate::model::ledger::{Entry, OFFLOADED, SEGMENTED, SINGLES};
use crate::model::verdict::State;
use crate::report::kit::format;
use crate::report::kit::parts::{Tile, circumstances};
use crate::report::kit::style::Tone;
use crate::report::run::schema::RunReport;
use crate::report::run::text;
use crate::units;

/// What stands first.
pub(super) struct Answer {
    pub(super) tone: &'static str,
    pub(super) sign: &'static str,
    pub(super) state: &'static str,
    pub(super) confidence: &'static str,
    pub(super) sentence: String,
    pub(super) evidence: Vec<String>,
    /// Of what, where, and when.
    pub(super) circumstances: Vec<String>,
    pub(super) shares: Result<Shares, String>,
    pub(super) next: Vec<String>,
}

/// The bulk by path.
pub(super) struct Shares {
    /// All of it in one sentence.
    pub(super) said: String,
    pub(super) parts: Vec<Share>,
}

/// One path.
pub(super) struct Share {
    /// Names its colour.
    pub(super) class: &'static str,
    pub(super) label: &'static str,
    pub(super) percent: String,
    pub(super) bytes: String,
    /// 0 to 1.
    pub(super) share: f64,
}

impl Answer {
    pub(super) fn of(report: &RunReport) -> Self {
        let tone = match text::tone(report.verdict.state) {
            Tone::Good => "good",
            Tone::Bad => "bad",
            Tone::Unsure | Tone::Heading => "unsure",
        };
        let sign = match report.verdict.state {
            State::Engaged => "✓",
            State::Software | State::NotBuilt => "✗",
            State::Partial => "◐",
            State::NothingToOffload => "–",
            State::Inconclusive => "?",
        };
        let mut evidence = text::evidence(report).into_iter();
        // The bar shows it.
        let decided = evidence.next();
        let shares = shares(report);
        let rest = evidence.filter(|line| shares.is_err() || !line.starts_with("bulk: "));
        Self {
            tone,
            sign,
            state: text::state_word(report),
            confidence: text::confidence_word(report.verdict.confidence),
            sentence: format::sentence(&text::state_sentence(report)).trim_end_matches('.').to_owned(),
            evidence: decided.into_iter().chain(rest).map(|line| format::sentence(&line)).collect(),
            circumstances: circumstances(
                &report.interface,
                report.probes.mode.name(),
                &report.window.start,
                report.window.duration_s,
            ),
            shares,
            next: text::next(report).iter().map(|step| format::sentence(step)).collect(),
        }
    }
}

fn shares(report: &RunReport) -> Result<Shares, String> {
    let Some(tcp) = report.ledger.tcp.as_ref().map(|tcp| &tcp.total) else {
        return Err(why(report, "ledger.tcp", "bytes were not counted by path"));
    };
    let bulk = tcp.bulk_bytes();
    let part = |class, label, bytes| {
        let share = units::share(bytes, bulk)?;
        Some(Share { class, label, percent: format::percent(share), bytes: format::bytes(bytes), share })
    };
    let parts: Option<Vec<Share>> = [
        part("hardware", OFFLOADED, tcp.hardware_bytes),
        part("software", SEGMENTED, tcp.software_bytes),
        part("unaggregated", SINGLES, tcp.unaggregated_bytes),
    ]
    .into_iter()
    .collect();
    let parts = parts.ok_or_else(|| "no bulk TCP was sent, so there is no share of it".to_owned())?;
    let said: Vec<String> = parts.iter().map(|part| format!("{} {}", part.percent, part.label)).collect();
    let said = format!("Of {} of bulk TCP: {}", format::bytes(bulk), said.join(", "));
    Ok(Shares { said, parts })
}

/// The numbers that matter most.
pub(super) fn tiles(report: &RunReport) -> Vec<Tile> {
    let tcp = report.ledger.tcp.as_ref().map(|tcp| &tcp.total);
    let mut tiles = vec![
        tile(
            "TCP goodput",
            report.throughput.goodput_gbps.known().map(format::rate),
            || "payload, without retransmits".to_owned(),
            || super::unknown(&report.throughput.goodput_gbps),
        ),
        tile(
            "On the wire",
            report.throughput.wire_gbps.known().map(format::rate),
            || "all protocols, with their headers".to_owned(),
            || super::unknown(&report.throughput.wire_gbps),
        ),
        tile(
            "Super-packets built",
            tcp.map(|tcp| format::count(tcp.super_packets_queued)),
            || tcp.map(fate).unwrap_or_default(),
            || why(report, "ledger.tcp", "not measured"),
        ),
        tile(
            "Segmentation cost",
            report.cost.cores.known().map(|cores| format!("{cores:.2} cores")),
            || per_byte(report),
            || {
                let said = text::cost(report).join("; ");
                said.strip_prefix("not measured: ").unwrap_or(&said).to_owned()
            },
        ),
    ];
    if let Some(tcp) = tcp {
        let share = tcp.retransmitted_share();
        tiles.push(tile(
            "Retransmitted",
            tcp.retransmitted_bytes.map(format::bytes),
            || {
                share.map_or_else(
                    || "nothing was sent".to_owned(),
                    |share| format!("{} of TCP payload", format::percent(share)),
                )
            },
            || why(report, "ledger.tcp.retransmitted_bytes", "not measured"),
        ));
    }
    tiles
}

fn fate(tcp: &Entry) -> String {
    if tcp.super_packets_queued == 0 {
        return "by TCP, for this interface".to_owned();
    }
    format!(
        "{} reached the driver whole; {} made in software",
        format::count(tcp.super_packets_to_driver),
        if tcp.segments_made == 1 {
            "1 segment".to_owned()
        } else {
            format!("{} segments", format::count(tcp.segments_made))
        }
    )
}

/// What the terminal says of the cost, less the number that stands above it.
fn per_byte(report: &RunReport) -> String {
    let said = text::cost(report).join("; ");
    let figure = said.split(';').next().unwrap_or_default();
    figure.split_once(" cores, ").map_or(figure, |(_, rest)| rest).to_owned()
}

fn why(report: &RunReport, path: &str, otherwise: &str) -> String {
    report.unmeasured.get(path).cloned().unwrap_or_else(|| otherwise.to_owned())
}

fn tile(
    label: &str,
    value: Option<String>,
    note: impl FnOnce() -> String,
    why: impl FnOnce() -> String,
) -> Tile {
    let note = if value.is_some() { note() } else { why() };
    Tile { label: label.to_owned(), value, note }
}
