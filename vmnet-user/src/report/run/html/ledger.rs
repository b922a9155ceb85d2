//! Where every byte went.

use crate::model::ledger::Entry;
use crate::report::kit::format;
use crate::report::kit::parts::{Cell, Grid, Part, Row};
use crate::report::run::schema::RunReport;

/// A row of the ledger: its name, what it means, and where it stands in an entry.
type Line = (&'static str, &'static str, fn(&Entry) -> Option<u64>);

const BYTES: [Line; 10] = [
    ("Hardware", "in super-packets that the driver got whole", |entry| Some(entry.hardware_bytes)),
    ("Software", "in super-packets that the CPU segmented", |entry| Some(entry.software_bytes)),
    ("Unaggregated", "in full-size singles", |entry| Some(entry.unaggregated_bytes)),
    ("Small", "in smaller singles", |entry| Some(entry.small_bytes)),
    ("Dropped", "before the wire", |entry| Some(entry.dropped_bytes)),
    ("Pending", "queued, and not seen to leave", |entry| Some(entry.pending_bytes)),
    ("Payload", "queued to the interface, retransmits included", |entry| Some(entry.payload_bytes)),
    ("Retransmitted", "as TCP itself says; part of the payload", |entry| entry.retransmitted_bytes),
    ("In tunnels", "part of the payload", |entry| Some(entry.tunnel_bytes)),
    ("Forwarded", "from another interface; part of the payload", |entry| Some(entry.forwarded_bytes)),
];

const PACKETS: [Line; 6] = [
    ("Super-packets queued", "before the decision", |entry| Some(entry.super_packets_queued)),
    ("Super-packets to the driver", "whole", |entry| Some(entry.super_packets_to_driver)),
    ("Packets to the driver", "of any size", |entry| Some(entry.packets_to_driver)),
    ("Segments made", "in software", |entry| Some(entry.segments_made)),
    ("Control packets", "without payload, at the queue", |entry| Some(entry.control_packets)),
    ("Median super-packet", "in segments; kept for TCP as a whole", |entry| {
        entry.median_gso_segs.map(|median| median.round() as u64)
    }),
];

pub(super) fn part(report: &RunReport) -> Part {
    let part = Part::new("ledger", "Ledger", "where every byte went, exact");
    let Some(tcp) = &report.ledger.tcp else {
        let why = report.unmeasured.get("ledger.tcp").map_or("nothing was counted by path", String::as_str);
        return Part::new("ledger", "Ledger", format!("none: {why}"));
    };
    let udp = report.ledger.udp.as_ref();
    let entries: [Option<&Entry>; 5] = [
        Some(&tcp.total),
        Some(&tcp.ipv4),
        Some(&tcp.ipv6),
        udp.map(|udp| &udp.ipv4),
        udp.map(|udp| &udp.ipv6),
    ];
    let grid = |caption: &str, lines: &[Line]| {
        const HEAD: [&str; 6] = ["", "#TCP", "#TCP, IPv4", "#TCP, IPv6", "#UDP, IPv4", "#UDP, IPv6"];
        let mut grid = Grid::new(caption, HEAD);
        grid.rows.extend(lines.iter().map(|(name, note, value)| Row {
            name: (*name).to_owned(),
            note: (*note).to_owned(),
            cells: entries.iter().map(|entry| Cell::exact(entry.and_then(value))).collect(),
        }));
        grid
    };
    let part = part
        .grid(grid("Payload in bytes, exact. The first six add up to the seventh.", &BYTES))
        .grid(grid("Packets, exact.", &PACKETS));
    report.ledger.other.iter().fold(part, |part, other| {
        part.note(format!(
            "Neither TCP nor UDP: {} packets to the driver, {} bytes with their headers. UDP has no part in the answer.",
            format::exact(other.packets_to_driver),
            format::exact(other.bytes)
        ))
    })
}
