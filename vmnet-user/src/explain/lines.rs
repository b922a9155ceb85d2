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
pub(super) fn of(pasted: &Pasted, virtio: bool) -> Vec<Line> {
    let mut lines: Vec<Line> =
        pasted.features.iter().filter_map(|(feature, line)| feature_line(feature, line, virtio)).collect();
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

fn feature_line(feature: &Feature, line: &str, virtio: bool) -> Option<Line> {
    let offload = Offload::of(feature);
    let what = match feature.name.as_str() {
        TSO4 => "TSO of TCP over IPv4",
        TSO6 => "TSO of TCP over IPv6",
        "tcp-segmentation-offload" => "TSO",
        TSO_ECN => "TSO of packets that carry CWR (ECN)",
        GSO => "segmentation in software as late as possible (GSO)",
        "tx-udp-segmentation" => "segmentation of UDP (USO)",
        CSUM_GENERIC | "tx-checksumming" => "transmit checksum offload, which TSO requires",
        SCATTER_GATHER | "scatter-gather" => "scatter-gather, which TSO requires",
        "rx-gro" => "merging of received packets (GRO), on which forwarding depends",
        _ => return None,
    };
    let why = match offload {
        Offload::On | Offload::OnFixed => return None,
        Offload::Off => "is switched off; it can be switched on",
        Offload::OffThoughWanted => {
            "was asked for, and the kernel keeps it off because something that it depends on is off"
        }
        Offload::OffFixed if virtio => {
            "cannot be switched on: the host does not offer it, and ethtool -K answers \"Could not change any device features\""
        }
        Offload::OffFixed => {
            "cannot be switched on: the driver has none, and ethtool -K answers \"Could not change any device features\""
        }
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
