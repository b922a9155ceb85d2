//! Lines of text, from values: whoever prints them knows the terminal and what to do when it goes away.

use crate::model::fact::Known as _;
use crate::model::interface::Interface;
use crate::model::sample::Mode;
use crate::model::throughput::Interval;
use crate::report::kit::format;
use crate::report::kit::screen::Detail;
use crate::report::kit::style::{Style, Tone};

/// What one column says. The columns of a mode are one table, so that heads and values cannot come apart.
struct Column {
    head: &'static str,
    width: usize,
    value: fn(&Interval) -> Option<String>,
}

/// With programs. Device, CPU and not built are shares of the bulk: what left in super-packets, what was segmented, what
/// left in full-size singles.
const TRACED: &[Column] = &[
    Column { head: "time", width: 7, value: time },
    Column { head: "Gbit/s", width: 9, value: |i| i.goodput_gbps.known().map(gbps) },
    Column { head: "offloaded %", width: 13, value: |i| share_of_bulk(i, i.hardware_gbps.known()) },
    Column { head: "in software %", width: 15, value: |i| share_of_bulk(i, i.software_gbps.known()) },
    Column { head: "singles %", width: 11, value: |i| share_of_bulk(i, i.unaggregated_gbps.known()) },
    Column { head: "segmenting", width: 13, value: segmenting },
    Column { head: "packet before → after", width: 24, value: packet },
];

/// The same, for a small terminal.
const TRACED_IN_SHORT: &[Column] = &[
    Column { head: "time", width: 8, value: time },
    Column { head: "Gbit/s", width: 9, value: |i| i.goodput_gbps.known().map(gbps) },
    Column { head: "offloaded", width: 12, value: |i| percent_of_bulk(i, i.hardware_gbps.known()) },
    Column { head: "in software", width: 13, value: |i| percent_of_bulk(i, i.software_gbps.known()) },
    Column { head: "singles", width: 10, value: |i| percent_of_bulk(i, i.unaggregated_gbps.known()) },
    Column { head: "busiest CPU", width: 14, value: busiest },
];

/// Without programs, for a small terminal.
const COUNTED_IN_SHORT: &[Column] = &[
    Column { head: "time", width: 8, value: time },
    Column { head: "wire Gbit/s", width: 14, value: |i| i.wire_gbps.known().map(gbps) },
    Column { head: "segments/packet", width: 18, value: |i| i.segments_per_packet.map(format::significant) },
    Column { head: "busiest CPU", width: 14, value: busiest },
];

/// Without programs: what is on the wire, and how many wire segments the device saw in one packet.
const COUNTED: &[Column] = &[
    Column { head: "time", width: 7, value: time },
    Column { head: "wire Gbit/s", width: 14, value: |i| i.wire_gbps.known().map(gbps) },
    Column { head: "offloaded %", width: 13, value: |i| share_of_bulk(i, i.hardware_gbps.known()) },
    Column { head: "in software %", width: 15, value: |i| share_of_bulk(i, i.software_gbps.known()) },
    Column { head: "segmenting", width: 13, value: segmenting },
    Column { head: "segments/packet", width: 18, value: |i| i.segments_per_packet.map(format::significant) },
];

/// What is being looked at, and how it ends: `ens4  virtio_net, 8 queues, MTU 1500, kernel 6.1 · probes: fentry · …`.
#[must_use]
pub fn introduction(interface: &Interface, mode: Mode, style: &Style) -> String {
    let mut facts = Vec::new();
    if let Some(driver) = &interface.driver {
        facts.push(driver.clone());
    }
    match interface.queues {
        Some(1) => facts.push("1 queue".to_owned()),
        Some(queues) => facts.push(format!("{queues} queues")),
        None => {}
    }
    facts.push(format!("MTU {}", interface.mtu));
    facts.push(format!("kernel {}", interface.kernel));
    let probes = match mode {
        Mode::Fentry => "fentry",
        Mode::Kprobe => "kprobe",
        Mode::Tracepoint => "tracepoint",
        Mode::Counters => "none, counters only",
    };
    let first = format!("{}  ", style.paint(Tone::Heading, &style.data(&interface.name)));
    style.paragraph(&first, &style.data(&format!("{} · probes: {probes} · Ctrl-C ends", facts.join(", "))))
}

/// The same in short: `ens4, virtio_net, 8 queues. Ctrl-C ends.`
#[must_use]
pub fn introduction_in_short(interface: &Interface, mode: Mode, style: &Style) -> String {
    let mut facts = vec![interface.name.clone()];
    facts.extend(interface.driver.clone());
    facts.extend(interface.queues.map(|queues| format::plural(queues, "queue")));
    let without = if mode == Mode::Counters { " Counters only, no programs." } else { "" };
    style.paragraph("", &style.data(&format!("{}.{without} Ctrl-C ends.", facts.join(", "))))
}

/// The heads of the columns, a newline at the end.
#[must_use]
pub fn columns(mode: Mode, detail: Detail, style: &Style) -> String {
    row(table(mode, detail).iter().map(|column| (column.head.to_owned(), column.width)), style)
}

/// One interval, a newline at the end. What is not known is `–`.
#[must_use]
pub fn line(interval: &Interval, mode: Mode, detail: Detail, style: &Style) -> String {
    row(
        table(mode, detail)
            .iter()
            .map(|column| ((column.value)(interval).unwrap_or_else(|| "–".to_owned()), column.width)),
        style,
    )
}

fn table(mode: Mode, detail: Detail) -> &'static [Column] {
    match (mode, detail) {
        (Mode::Counters, Detail::Whole) => COUNTED,
        (Mode::Counters, _) => COUNTED_IN_SHORT,
        (_, Detail::Whole) => TRACED,
        _ => TRACED_IN_SHORT,
    }
}

fn row(cells: impl Iterator<Item = (String, usize)>, style: &Style) -> String {
    let mut line = String::new();
    for (cell, width) in cells {
        // Typeset first: "->" is wider than "→". A value too wide for its column moves the others, it is not cut.
        let cell = style.typeset(&cell);
        line += &format!(" {cell:>width$}", width = width - 1);
    }
    line.push('\n');
    line
}

fn time(interval: &Interval) -> Option<String> {
    Some(format!("{:.1}s", interval.t_s))
}

fn gbps(gbps: f64) -> String {
    // Two decimals in every line, so that the eye can compare; a rate too small for them keeps its digits.
    if gbps > 0.0 && gbps < 0.01 { format::significant(gbps) } else { format!("{gbps:.2}") }
}

fn share_of_bulk(interval: &Interval, part_gbps: Option<f64>) -> Option<String> {
    let bulk_gbps = interval.hardware_gbps.known()?
        + interval.software_gbps.known()?
        + interval.unaggregated_gbps.known()?;
    (bulk_gbps > 0.0).then_some(format::percent_number(part_gbps? / bulk_gbps))
}

fn percent_of_bulk(interval: &Interval, part_gbps: Option<f64>) -> Option<String> {
    share_of_bulk(interval, part_gbps).map(|number| format!("{number} %"))
}

/// `2: 98 %`.
fn busiest(interval: &Interval) -> Option<String> {
    let cpus = interval.cpus.iter().enumerate();
    let (index, cpu) = cpus.max_by(|(_, left), (_, right)| left.busy.total_cmp(&right.busy))?;
    Some(format!("{index}: {:.0} %", cpu.busy * 100.0))
}

fn segmenting(interval: &Interval) -> Option<String> {
    interval.segmentation_cpu.known().map(|cores| format!("{cores:.2} cores"))
}

fn packet(interval: &Interval) -> Option<String> {
    let said = |bytes: Option<f64>| bytes.map_or_else(|| "–".to_owned(), format::mean_bytes);
    if interval.mean_queued_bytes.known().is_none() && interval.mean_driver_bytes.known().is_none() {
        return None;
    }
    Some(format!(
        "{} → {}",
        said(interval.mean_queued_bytes.known()),
        said(interval.mean_driver_bytes.known())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::run::fixture;

    const UNICODE: Style = Style { colour: false, plain: false, width: 100 };

    fn words(line: &str) -> Vec<&str> {
        line.split_whitespace().collect()
    }

    #[test]
    fn the_introduction_names_the_device_and_how_to_end() {
        let report = fixture::software();
        assert_eq!(
            introduction(&report.interface, Mode::Fentry, &UNICODE),
            "ens4  virtio_net, 8 queues, MTU 1500, kernel 6.1.0-28-amd64 · probes: fentry · Ctrl-C ends\n"
        );
    }

    #[test]
    fn an_interval_is_one_line_under_its_heads() {
        let interval = fixture::second(1.0, 11.02, 1.0);
        let head = columns(Mode::Fentry, Detail::Whole, &UNICODE);
        let line = line(&interval, Mode::Fentry, Detail::Whole, &UNICODE);
        assert_eq!(head.chars().count(), line.chars().count());
        assert_eq!(
            words(&line),
            ["1.0s", "11.02", "0.0", "99.8", "0.2", "1.31", "cores", "43.2", "kB", "→", "1.51", "kB"]
        );
    }

    #[test]
    fn what_is_not_known_is_a_dash_and_never_a_zero() {
        let unknown = line(&fixture::unknown(1.0), Mode::Fentry, Detail::Whole, &UNICODE);
        assert_eq!(words(&unknown), ["1.0s", "–", "–", "–", "–", "–", "–"]);
        let plain = line(&fixture::unknown(1.0), Mode::Counters, Detail::Whole, &Style::PLAIN);
        assert_eq!(words(&plain), ["1.0s", "-", "-", "-", "-", "-"]);
    }

    #[test]
    fn an_idle_second_has_a_rate_but_no_shares() {
        let idle = line(&fixture::second(2.0, 0.0, 0.0), Mode::Fentry, Detail::Whole, &UNICODE);
        assert_eq!(words(&idle), ["2.0s", "0.00", "–", "–", "–", "0.00", "cores", "–"]);
    }

    #[test]
    fn without_programs_the_segments_per_packet_are_shown() {
        assert!(columns(Mode::Counters, Detail::Whole, &UNICODE).contains("segments/packet"));
        let report = fixture::counters();
        let line = line(&report.throughput.samples[0], Mode::Counters, Detail::Whole, &UNICODE);
        assert_eq!(words(&line), ["1.0s", "11.92", "–", "–", "–", "1.00"]);
    }

    #[test]
    fn plain_lines_are_ascii_and_stay_aligned() {
        for mode in [Mode::Fentry, Mode::Counters] {
            let head = columns(mode, Detail::Whole, &Style::PLAIN);
            let line = line(&fixture::second(1.0, 11.0, 0.5), mode, Detail::Whole, &Style::PLAIN);
            assert!(head.is_ascii() && line.is_ascii());
            assert_eq!(head.len(), line.len());
        }
    }

    #[test]
    fn a_hostile_name_cannot_steer_the_terminal() {
        let mut interface = fixture::software().interface;
        interface.name = "\x1b[2Jx".to_owned();
        interface.driver = Some("\x07".to_owned());
        let text = introduction(&interface, Mode::Kprobe, &UNICODE);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }
}
