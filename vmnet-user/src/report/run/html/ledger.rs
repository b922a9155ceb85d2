//! Where every byte went, and why super-packets were segmented.

use crate::model::ledger::Entry;
use crate::report::kit::format;
use crate::report::kit::parts::{Cell, Grid, Row};
use crate::report::run::schema::RunReport;

/// A row of the ledger: its name, what it means, and where it stands in an entry.
type Line = (&'static str, &'static str, fn(&Entry) -> u64);

const BYTES: [Line; 6] = [
    ("Hardware", "in super-packets that the driver got whole", |entry| entry.hardware_bytes),
    ("Software", "in super-packets that the CPU segmented", |entry| entry.software_bytes),
    ("Unaggregated", "in full-size singles", |entry| entry.unaggregated_bytes),
    ("Small", "in smaller singles", |entry| entry.small_bytes),
    ("Dropped", "before the wire", |entry| entry.dropped_bytes),
    ("Pending", "queued, and not seen to leave", |entry| entry.pending_bytes),
];

const PARTS: [Line; 2] = [
    ("In tunnels", "part of the payload", |entry| entry.tunnel_bytes),
    ("Forwarded", "from another interface; part of the payload", |entry| entry.forwarded_bytes),
];

const PACKETS: [Line; 5] = [
    ("Super-packets queued", "before the decision", |entry| entry.super_packets_queued),
    ("Super-packets to the driver", "whole", |entry| entry.super_packets_to_driver),
    ("Packets to the driver", "of any size", |entry| entry.packets_to_driver),
    ("Segments made", "by the CPU", |entry| entry.segments_made),
    ("Control packets", "without payload, at the queue", |entry| entry.control_packets),
];

/// Bytes, then packets; None where nothing was counted by path.
pub(super) fn grids(report: &RunReport) -> Option<[Grid; 2]> {
    let (tcp, udp) = (report.ledger.tcp.as_ref()?, report.ledger.udp.as_ref());
    let entries: [Option<&Entry>; 5] = [
        Some(&tcp.total),
        Some(&tcp.ipv4),
        Some(&tcp.ipv6),
        udp.map(|udp| &udp.ipv4),
        udp.map(|udp| &udp.ipv6),
    ];
    let line = |(name, note, value): &Line| Row {
        name: (*name).to_owned(),
        note: (*note).to_owned(),
        cells: entries.iter().map(|entry| Cell::exact(entry.map(value))).collect(),
    };
    const HEAD: [&str; 6] = ["", "#TCP", "#TCP, IPv4", "#TCP, IPv6", "#UDP, IPv4", "#UDP, IPv6"];

    let mut bytes = Grid::new("Payload in bytes, exact. The first six add up to the seventh.", HEAD);
    bytes.rows.extend(BYTES.iter().map(line));
    bytes.rows.push(line(&("Payload", "queued to the interface, retransmits included", |e| e.payload_bytes)));
    bytes.rows.push(Row {
        name: "Retransmitted".to_owned(),
        note: "as TCP itself says; part of the payload".to_owned(),
        cells: entries
            .iter()
            .map(|entry| Cell::exact(entry.and_then(|entry| entry.retransmitted_bytes)))
            .collect(),
    });
    bytes.rows.extend(PARTS.iter().map(line));

    let mut packets = Grid::new("Packets, exact.", HEAD);
    packets.rows.extend(PACKETS.iter().map(line));
    let median = |entry: &Option<&Entry>| match entry.and_then(|entry| entry.median_gso_segs) {
        Some(median) => Cell::Number(format!("{median:.0}")),
        None => Cell::Unknown,
    };
    packets.rows.push(Row {
        name: "Median super-packet".to_owned(),
        note: "in segments; kept for TCP as a whole".to_owned(),
        cells: entries.iter().map(median).collect(),
    });
    Some([bytes, packets])
}

/// Neither TCP nor UDP, in a sentence.
pub(super) fn other(report: &RunReport) -> Option<String> {
    let other = report.ledger.other.as_ref()?;
    Some(format!(
        "Neither TCP nor UDP: {} packets to the driver, {} bytes with their headers. UDP has no part in the answer.",
        format::exact(other.packets_to_driver),
        format::exact(other.bytes)
    ))
}

/// Why super-packets were segmented; None where segmentation was not hooked.
pub(super) fn reasons(report: &RunReport) -> Option<Grid> {
    let reasons = report.reasons.as_ref().ok()?;
    let mut grid = Grid::new(
        "TCP payload that the CPU segmented, by the kernel’s own reason",
        ["Reason", "Name", "#Share", "#Bytes", "#IPv4, bytes", "#IPv6, bytes"],
    );
    for reason in reasons {
        let id = serde_json::to_value(reason.id).ok();
        let id = id.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
        grid.row(
            reason.text.clone(),
            vec![
                Cell::Code(id.to_owned()),
                Cell::Number(format::percent(reason.share)),
                Cell::exact(reason.bytes),
                Cell::exact(reason.ipv4_bytes),
                Cell::exact(reason.ipv6_bytes),
            ],
        );
    }
    Some(grid)
}
