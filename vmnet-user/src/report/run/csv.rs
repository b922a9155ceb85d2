//! The intervals of a run as CSV: one row each, for a spreadsheet or a data frame.
//!
//! Columns are named as in JSON, units and all. What was not measured is an empty cell, never 0. There are only numbers in it, in full
//! precision, so that nothing in a cell can be taken for a formula.

use crate::model::fact::Known as _;
use crate::model::throughput::{CpuShare, Interval, Merged, QueueRate};
use crate::report::kit::document::CsvError;
use crate::report::run::schema::RunReport;

/// A column: its name, and its cell in an interval's row.
type Column<T> = (&'static str, fn(&T) -> Cell);

/// Of every interval.
const INTERVAL: &[Column<Interval>] = &[
    ("t_s", |of| number(of.t_s)),
    ("duration_s", |of| number(of.duration_s)),
    ("wire_gbps", |of| number(of.wire_gbps.known())),
    ("goodput_gbps", |of| number(of.goodput_gbps.known())),
    ("hardware_gbps", |of| number(of.hardware_gbps.known())),
    ("software_gbps", |of| number(of.software_gbps.known())),
    ("unaggregated_gbps", |of| number(of.unaggregated_gbps.known())),
    ("small_gbps", |of| number(of.small_gbps.known())),
    ("software_share", |of| number(of.software_share.known())),
    ("segmentation_cpu", |of| number(of.segmentation_cpu.known())),
    ("segmentation_ns_per_byte", |of| number(of.segmentation_ns_per_byte.known())),
    ("retransmitted_bytes", |of| count(of.retransmitted_bytes.known())),
    ("mean_queued_bytes", |of| number(of.mean_queued_bytes.known())),
    ("mean_driver_bytes", |of| number(of.mean_driver_bytes.known())),
    ("segments_per_packet", |of| number(of.segments_per_packet)),
    ("rtt_us", |of| number(of.rtt_us)),
];

/// Of intervals that stand for several; empty in the others.
const MERGED: &[Column<Merged>] = &[
    ("merged_intervals", |of| count(u64::from(of.intervals))),
    ("wire_gbps_lowest", |of| number(lowest(of.wire_gbps))),
    ("wire_gbps_highest", |of| number(highest(of.wire_gbps))),
    ("goodput_gbps_lowest", |of| number(lowest(of.goodput_gbps))),
    ("goodput_gbps_highest", |of| number(highest(of.goodput_gbps))),
    ("software_share_lowest", |of| number(lowest(of.software_share))),
    ("software_share_highest", |of| number(highest(of.software_share))),
    ("segmentation_cpu_lowest", |of| number(lowest(of.segmentation_cpu))),
    ("segmentation_cpu_highest", |of| number(highest(of.segmentation_cpu))),
    ("busiest_cpu_lowest", |of| number(lowest(of.busiest_cpu))),
    ("busiest_cpu_highest", |of| number(highest(of.busiest_cpu))),
];

/// Of each CPU, in the order of `cpus` in JSON: `cpu0_busy` and so on.
const CPU: &[Column<CpuShare>] = &[
    ("busy", |of| number(of.busy)),
    ("softirq", |of| number(of.softirq)),
    ("steal", |of| number(of.steal)),
    ("segmenting", |of| number(of.segmenting)),
    ("tcp_gbps", |of| number(of.tcp_gbps)),
];

/// Of each transmit queue, in the order of `queues` in JSON: `queue0_gbps` and so on.
const QUEUE: &[Column<QueueRate>] =
    &[("gbps", |of| number(of.gbps)), ("packets_per_s", |of| number(of.packets_per_s))];

/// A header, and a row for each interval. There are as many CPUs and queues as the row with the most has.
///
/// # Errors
/// The writer's own, in memory.
pub fn samples(report: &RunReport) -> Result<String, CsvError> {
    let samples = &report.throughput.samples;
    let cpus = samples.iter().map(|sample| sample.cpus.len()).max().unwrap_or(0);
    let queues = samples.iter().map(|sample| sample.queues.len()).max().unwrap_or(0);
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());

    let alone = INTERVAL.iter().map(name).chain(MERGED.iter().map(name)).map(str::to_owned);
    let header = alone.chain(numbered("cpu", cpus, CPU)).chain(numbered("queue", queues, QUEUE));
    writer.write_record(header)?;
    for sample in samples {
        let cells = row(INTERVAL, Some(sample)).chain(row(MERGED, sample.merged.as_ref()));
        let cpus = (0..cpus).flat_map(|cpu| row(CPU, sample.cpus.get(cpu)));
        let queues = (0..queues).flat_map(|queue| row(QUEUE, sample.queues.get(queue)));
        writer.write_record(cells.chain(cpus).chain(queues))?;
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    String::from_utf8(bytes).map_err(|_| CsvError::NotText)
}

fn name<T>(column: &Column<T>) -> &'static str {
    column.0
}

fn numbered<T>(what: &str, how_many: usize, columns: &[Column<T>]) -> impl Iterator<Item = String> {
    (0..how_many)
        .flat_map(move |index| columns.iter().map(move |column| format!("{what}{index}_{}", column.0)))
}

/// The cells of something; empty ones where there is none.
fn row<T>(columns: &'static [Column<T>], of: Option<&T>) -> impl Iterator<Item = String> {
    columns.iter().map(move |(_, cell)| of.and_then(cell).unwrap_or_default())
}

/// None where nothing was measured.
type Cell = Option<String>;

/// The shortest digits that are this very number and no other; None where it is none.
fn number(number: impl Into<Option<f64>>) -> Cell {
    number.into().filter(|number| number.is_finite()).map(|number| number.to_string())
}

fn count(count: impl Into<Option<u64>>) -> Cell {
    count.into().map(|count| count.to_string())
}

fn lowest(range: Option<[f64; 2]>) -> Option<f64> {
    range.map(|[lowest, _]| lowest)
}

fn highest(range: Option<[f64; 2]>) -> Option<f64> {
    range.map(|[_, highest]| highest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::report::run::{fixture, json};

    type Row = BTreeMap<String, String>;

    /// Read again: the header, and each row by column.
    fn read(text: &str) -> (Vec<String>, Vec<Row>) {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
        (header, reader.deserialize().map(Result::unwrap).collect())
    }

    fn rows(report: &RunReport) -> Vec<Row> {
        read(&samples(report).unwrap()).1
    }

    fn merged() -> Merged {
        Merged {
            intervals: 3,
            wire_gbps: Some([1.25, 9.5]),
            goodput_gbps: Some([1.0, 9.0]),
            software_share: None,
            segmentation_cpu: Some([0.0, 0.1 + 0.2]),
            busiest_cpu: Some([0.5, 1.0]),
        }
    }

    /// Where a column's cell is in JSON.
    fn in_json<'a>(sample: &'a Value, column: &str) -> &'a Value {
        let end = |name: &str, end: usize| {
            let range = &sample["merged"][name];
            range.get(end).unwrap_or(range)
        };
        if column == "merged_intervals" {
            return sample["merged"].get("intervals").unwrap_or(&Value::Null);
        }
        if let Some(name) = column.strip_suffix("_lowest") {
            return end(name, 0);
        }
        if let Some(name) = column.strip_suffix("_highest") {
            return end(name, 1);
        }
        for (prefix, list) in [("cpu", "cpus"), ("queue", "queues")] {
            let numbered = column.strip_prefix(prefix).and_then(|rest| rest.split_once('_'));
            if let Some((Ok(index), name)) = numbered.map(|(index, name)| (index.parse::<usize>(), name)) {
                return &sample[list][index][name];
            }
        }
        &sample[column]
    }

    /// Every number of the JSON is there, and no other.
    fn assert_same_as_json(report: &RunReport) {
        let value = json::to_value(report).unwrap();
        let expected = value["throughput"]["samples"].as_array().unwrap();
        let (header, rows) = read(&samples(report).unwrap());
        assert_eq!(rows.len(), expected.len());
        for (row, sample) in rows.iter().zip(expected) {
            let mut filled = 0;
            for column in &header {
                let cell = &row[column];
                match in_json(sample, column) {
                    Value::Null => assert_eq!(cell, "", "{column}"),
                    number => {
                        filled += 1;
                        assert_eq!(cell.parse::<f64>().ok(), number.as_f64(), "{column}: {cell}");
                    }
                }
            }
            assert_eq!(filled, numbers(sample), "a number of the JSON has no column: {header:?}");
        }
    }

    fn numbers(value: &Value) -> usize {
        match value {
            Value::Number(_) => 1,
            Value::Array(elements) => elements.iter().map(numbers).sum(),
            Value::Object(members) => members.values().map(numbers).sum(),
            _ => 0,
        }
    }

    #[test]
    fn every_number_of_the_samples_in_json_has_its_cell_and_every_null_an_empty_one() {
        use fixture::{counters, engaged, flipped, idle, software};
        let mut merging = software();
        for sample in merging.throughput.samples.iter_mut().step_by(2) {
            sample.merged = Some(merged());
        }
        for report in [software(), engaged(), flipped(), idle(), counters(), merging] {
            assert_same_as_json(&report);
        }
    }

    #[test]
    fn columns_are_named_and_ordered_as_in_json_with_their_units() {
        let mut report = fixture::software();
        report.throughput.samples.truncate(1);
        let sample = &mut report.throughput.samples[0];
        sample.cpus.truncate(2);
        sample.queues.truncate(1);
        let text = samples(&report).unwrap();
        let header = text.lines().next().unwrap();
        assert_eq!(
            header,
            "t_s,duration_s,wire_gbps,goodput_gbps,hardware_gbps,software_gbps,unaggregated_gbps,small_gbps,\
             software_share,segmentation_cpu,segmentation_ns_per_byte,retransmitted_bytes,mean_queued_bytes,\
             mean_driver_bytes,segments_per_packet,rtt_us,merged_intervals,wire_gbps_lowest,wire_gbps_highest,\
             goodput_gbps_lowest,goodput_gbps_highest,software_share_lowest,software_share_highest,\
             segmentation_cpu_lowest,segmentation_cpu_highest,busiest_cpu_lowest,busiest_cpu_highest,\
             cpu0_busy,cpu0_softirq,cpu0_steal,cpu0_segmenting,cpu0_tcp_gbps,\
             cpu1_busy,cpu1_softirq,cpu1_steal,cpu1_segmenting,cpu1_tcp_gbps,\
             queue0_gbps,queue0_packets_per_s"
        );
    }

    #[test]
    fn a_run_without_samples_is_a_header() {
        let mut report = fixture::software();
        report.throughput.samples.clear();
        let text = samples(&report).unwrap();
        assert_eq!(text.lines().count(), 1);
        assert!(text.starts_with("t_s,") && text.ends_with("busiest_cpu_highest\n"), "{text}");
    }

    #[test]
    fn rows_with_fewer_cpus_or_queues_than_another_have_empty_cells() {
        let mut report = fixture::software();
        let many = &mut report.throughput.samples;
        many.truncate(3);
        many[0].cpus.truncate(1);
        many[1].cpus.clear();
        many[1].queues.clear();
        many[2].cpus.truncate(4);
        many[2].queues.truncate(2);
        let rows = rows(&report);
        assert!(rows.iter().all(|row| row.contains_key("cpu3_busy") && row.contains_key("queue7_gbps")));
        assert!(rows.iter().all(|row| !row.contains_key("cpu4_busy")));
        assert_eq!((rows[0]["cpu0_busy"].as_str(), rows[0]["cpu1_busy"].as_str()), ("0.2", ""));
        assert_eq!((rows[1]["cpu0_busy"].as_str(), rows[1]["queue0_gbps"].as_str()), ("", ""));
        assert_ne!(rows[2]["cpu3_busy"], "");
        assert_same_as_json(&report);
    }

    #[test]
    fn what_was_not_measured_is_empty_and_a_zero_is_a_zero() {
        let mut report = fixture::software();
        report.throughput.samples = vec![fixture::unknown(1.0), fixture::second(2.0, 0.0, 0.0)];
        let rows = rows(&report);
        assert_eq!((rows[0]["goodput_gbps"].as_str(), rows[1]["goodput_gbps"].as_str()), ("", "0"));
        assert_eq!((rows[0]["retransmitted_bytes"].as_str(), rows[0]["merged_intervals"].as_str()), ("", ""));
    }

    #[test]
    fn what_is_no_finite_number_is_empty() {
        let mut report = fixture::software();
        report.throughput.samples.truncate(1);
        let sample = &mut report.throughput.samples[0];
        sample.wire_gbps = Ok(f64::NAN);
        sample.goodput_gbps = Ok(f64::INFINITY);
        sample.cpus[0].busy = f64::NEG_INFINITY;
        sample.merged = Some(Merged { wire_gbps: Some([f64::NAN, 1.0]), ..merged() });
        let rows = rows(&report);
        for column in ["wire_gbps", "goodput_gbps", "cpu0_busy", "wire_gbps_lowest"] {
            assert_eq!(rows[0][column], "", "{column}");
        }
        assert_eq!(rows[0]["wire_gbps_highest"], "1");
    }

    proptest! {
        #[test]
        fn any_number_comes_back_as_it_was_and_is_no_formula(any in any::<f64>(), bytes: u64) {
            let mut report = fixture::software();
            report.throughput.samples.truncate(1);
            let sample = &mut report.throughput.samples[0];
            (sample.goodput_gbps, sample.retransmitted_bytes) = (Ok(any), Ok(bytes));
            let text = samples(&report).unwrap();
            prop_assert!(!text.contains(['"', '\r', '=', '+', '@', '\t']), "{text}");
            let row = read(&text).1.remove(0);
            prop_assert_eq!(row["goodput_gbps"].parse().ok(), any.is_finite().then_some(any));
            prop_assert_eq!(row["retransmitted_bytes"].parse(), Ok(bytes));
        }
    }
}
