//! Odd lines, in words.

use super::paste::{Paste, Pasted};
use crate::model::breaks::{CSUM_GENERIC, GSO, SCATTER_GATHER, TSO_ECN, TSO4, TSO6};
use crate::model::features::Feature;
use crate::model::offload::Offload;
use crate::model::units::percent;
use crate::report::explain::Line;

/// Retransmissions from which they are worth a word.
const MANY_RETRANSMITTED: f64 = 0.01;

/// Of one interface, in the order in which they matter.
/// `made`: the driver, or the kind; None where it was not given.
pub(super) fn of(pasted: &Pasted, made: Option<&str>) -> Vec<Line> {
    let mut lines: Vec<Line> =
        told(pasted).filter_map(|(feature, line)| feature_line(feature, line, made)).collect();
    lines.extend(pasted.statistics.iter().filter_map(|(name, value)| statistic_line(name, *value)));
    for qdisc in &pasted.qdiscs {
        if let Some(counts) = qdisc.counters.filter(|counts| counts.drops > 0) {
            lines.push(Line {
                line: format!("qdisc {}: dropped {}", qdisc.kind, counts.drops),
                means: "the queue was full and dropped packets: TCP slows down after each, whether TSO is on or not".to_owned(),
            });
        }
    }
    if let Some([_, _, errors, dropped]) = pasted.link.as_ref().and_then(|link| link.sent)
        && errors.saturating_add(dropped) > 0
    {
        lines.push(Line {
            line: format!("TX: errors {errors} dropped {dropped}"),
            means: "the device or its driver lost packets that it was given".to_owned(),
        });
    }
    lines
}

/// Without the group lines whose features are there as well: those say it better.
fn told(pasted: &Pasted) -> impl Iterator<Item = &(Feature, String)> {
    const GROUPS: [(&str, &str); 3] = [
        ("tcp-segmentation-offload", "tx-tcp"),
        ("tx-checksumming", "tx-checksum-"),
        ("scatter-gather", "tx-scatter"),
    ];
    let has = |start: &str| pasted.features.iter().any(|(feature, _)| feature.name.starts_with(start));
    pasted
        .features
        .iter()
        .filter(move |(feature, _)| !GROUPS.iter().any(|(group, start)| feature.name == *group && has(start)))
}

/// Of the whole machine.
pub(super) fn of_machine(paste: &Paste) -> Vec<Line> {
    let Some(tcp) = paste.tcp else { return Vec::new() };
    let share = tcp.retransmitted_share().filter(|share| *share >= MANY_RETRANSMITTED);
    let line = share.map(|share| Line {
        line: format!("TcpRetransSegs {}", tcp.retransmitted_segments.unwrap_or_default()),
        means: format!(
            "TCP retransmitted {} of its segments: the path loses packets, which TSO has no part in",
            percent(share)
        ),
    });
    line.into_iter().collect()
}

fn feature_line(feature: &Feature, line: &str, made: Option<&str>) -> Option<Line> {
    let offload = Offload::of(feature);
    let what = match feature.name.as_str() {
        TSO4 => "TSO of TCP over IPv4",
        TSO6 => "TSO of TCP over IPv6",
        "tcp-segmentation-offload" => "TSO",
        TSO_ECN => "TSO of packets that carry CWR (ECN)",
        GSO => "segmentation in software as late as possible (GSO)",
        "tx-udp-segmentation" => "segmentation of UDP (USO)",
        CSUM_GENERIC | "tx-checksumming" => "transmit checksum offload, which TSO requires,",
        SCATTER_GATHER | "scatter-gather" => "scatter-gather, which TSO requires,",
        "rx-gro" => "merging of received packets (GRO), on which forwarding depends,",
        _ => return None,
    };
    let why = match offload {
        Offload::On | Offload::OnFixed => return None,
        Offload::Off => "is switched off; it can be switched on",
        Offload::OffThoughWanted => {
            "was asked for, and the kernel keeps it off because something that it depends on is off"
        }
        Offload::OffFixed => match made {
            Some("virtio_net") => "cannot be switched on: the host does not offer it",
            Some(_) => "cannot be switched on: the driver has none",
            None => "cannot be switched on: the driver has none, or the host does not offer it",
        },
    };
    Some(Line { line: line.to_owned(), means: format!("{what} {why}") })
}

/// Drivers name their counters as they like; these say what they count.
fn statistic_line(name: &str, value: u64) -> Option<Line> {
    let lower = name.to_ascii_lowercase();
    let counts_tso = ["tso", "lso", "hw_gso"].iter().any(|word| {
        lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == *word)
            || lower.contains("hw_gso_packets")
    });
    let is_sent = !lower.contains("rx")
        && !lower.contains("err")
        && !lower.contains("drop")
        && !lower.contains("bytes");
    (counts_tso && is_sent && value > 0).then(|| Line {
        line: format!("{name}: {value}"),
        means: "the driver counted super-packets that it was given: TSO happened since it was loaded"
            .to_owned(),
    })
}
