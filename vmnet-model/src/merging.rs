//! Many intervals as fewer: a day at one sample a second is more than a page can show, or a person wants in a file. Means are
//! of what was measured, and the extremes are kept beside them.

use super::fact::{Fact, Known, Why};
use super::throughput::{CpuShare, Interval, Merged, NOTHING_SENT, QueueRate};

/// At most `most` intervals in place of these, each standing for about as many neighbours. What is few enough stays as it is.
#[must_use]
pub fn merged(intervals: &[Interval], most: usize) -> Vec<Interval> {
    let each = intervals.len().div_ceil(most.max(1));
    if each <= 1 { intervals.to_vec() } else { intervals.chunks(each).filter_map(one).collect() }
}

/// Neighbours as one. None of none.
fn one(parts: &[Interval]) -> Option<Interval> {
    let last = parts.last()?;
    if parts.len() == 1 {
        return Some(last.clone());
    }
    let time = |part: &Interval| part.duration_s;
    let sent = |part: &Interval| payload_gbps(part) * part.duration_s;
    let over_time = |of: Of| mean(parts, time, |part| of(part).known()).ok_or_else(|| why(parts, of));
    let by_bytes = |of: Of| mean(parts, sent, |part| of(part).known()).ok_or_else(|| why(parts, of));
    let by_packets = |of: Of| per_packet(parts, sent, |part| of(part).known()).ok_or_else(|| why(parts, of));
    let (hardware_gbps, software_gbps) =
        (over_time(|part| &part.hardware_gbps), over_time(|part| &part.software_gbps));
    let software_share = match (&hardware_gbps, &software_gbps) {
        (Ok(hardware), Ok(software)) if hardware + software > 0.0 => Ok(software / (hardware + software)),
        _ => Err(why(parts, |part| &part.software_share)),
    };
    Some(Interval {
        t_s: last.t_s,
        duration_s: parts.iter().map(time).sum(),
        wire_gbps: over_time(|part| &part.wire_gbps),
        goodput_gbps: over_time(|part| &part.goodput_gbps),
        hardware_gbps,
        software_gbps,
        unaggregated_gbps: over_time(|part| &part.unaggregated_gbps),
        small_gbps: over_time(|part| &part.small_gbps),
        software_share,
        segmentation_cpu: over_time(|part| &part.segmentation_cpu),
        segmentation_ns_per_byte: by_bytes(|part| &part.segmentation_ns_per_byte),
        retransmitted_bytes: parts
            .iter()
            .filter_map(|part| part.retransmitted_bytes.known())
            .reduce(u64::saturating_add)
            .ok_or_else(|| why(parts, |part| &part.retransmitted_bytes)),
        mean_queued_bytes: by_packets(|part| &part.mean_queued_bytes),
        mean_driver_bytes: by_packets(|part| &part.mean_driver_bytes),
        segments_per_packet: per_packet(
            parts,
            |part| part.wire_gbps.known().unwrap_or(0.0) * part.duration_s,
            |part| part.segments_per_packet,
        ),
        rtt_us: mean(parts, time, |part| part.rtt_us),
        cpus: each_place(parts, |part| part.cpus.len(), cpu),
        queues: each_place(parts, |part| part.queues.len(), queue),
        merged: Some(extremes(parts)),
    })
}

/// One of an interval's quantities.
type Of = fn(&Interval) -> &Fact<f64>;

/// Why none of the parts knows it: the first one's reason.
fn why<T>(parts: &[Interval], of: impl Fn(&Interval) -> &Fact<T>) -> Why {
    parts.iter().find_map(|part| of(part).as_ref().err()).cloned().unwrap_or(NOTHING_SENT)
}

fn payload_gbps(part: &Interval) -> f64 {
    let classes = [&part.hardware_gbps, &part.software_gbps, &part.unaggregated_gbps, &part.small_gbps];
    classes.into_iter().filter_map(Known::known).sum()
}

/// Weighted, over the parts that know it.
fn mean<T>(parts: &[T], weight: impl Fn(&T) -> f64, value: impl Fn(&T) -> Option<f64>) -> Option<f64> {
    let known = parts.iter().filter_map(|part| Some((weight(part), value(part)?)));
    let (weights, sum) = known.fold((0.0, 0.0), |(weights, sum), (w, v)| (weights + w, sum + w * v));
    (weights > 0.0).then(|| sum / weights)
}

/// A mean per packet: the parts' packets are to their amounts as 1 to their means.
fn per_packet(
    parts: &[Interval],
    amount: impl Fn(&Interval) -> f64,
    value: impl Fn(&Interval) -> Option<f64>,
) -> Option<f64> {
    mean(parts, amount, |part| value(part).filter(|mean| *mean > 0.0).map(f64::recip)).map(f64::recip)
}

/// Place by place, where all parts have as many.
fn each_place<T>(
    parts: &[Interval],
    length: impl Fn(&Interval) -> usize,
    of: impl Fn(&[Interval], usize) -> T,
) -> Vec<T> {
    let Some(first) = parts.first().map(&length) else { return Vec::new() };
    let same = parts.iter().all(|part| length(part) == first);
    if same { (0..first).map(|place| of(parts, place)).collect() } else { Vec::new() }
}

fn cpu(parts: &[Interval], place: usize) -> CpuShare {
    let over_time = |value: fn(&CpuShare) -> Option<f64>| {
        mean(parts, |part| part.duration_s, |part| part.cpus.get(place).and_then(value))
    };
    CpuShare {
        busy: over_time(|cpu| Some(cpu.busy)).unwrap_or_default(),
        softirq: over_time(|cpu| Some(cpu.softirq)).unwrap_or_default(),
        steal: over_time(|cpu| Some(cpu.steal)).unwrap_or_default(),
        segmenting: over_time(|cpu| cpu.segmenting),
        tcp_gbps: over_time(|cpu| cpu.tcp_gbps),
    }
}

fn queue(parts: &[Interval], place: usize) -> QueueRate {
    let over_time = |value: fn(&QueueRate) -> Option<f64>| {
        mean(parts, |part| part.duration_s, |part| part.queues.get(place).and_then(value))
    };
    QueueRate { gbps: over_time(|queue| queue.gbps), packets_per_s: over_time(|queue| queue.packets_per_s) }
}

fn extremes(parts: &[Interval]) -> Merged {
    let of = |value: fn(&Interval) -> Option<f64>, kept: fn(&Merged) -> Option<[f64; 2]>| {
        let ranges = parts.iter().filter_map(|part| match &part.merged {
            Some(merged) => kept(merged),
            None => value(part).map(|value| [value; 2]),
        });
        ranges.reduce(|[low, high], [lower, higher]| [low.min(lower), high.max(higher)])
    };
    Merged {
        intervals: parts
            .iter()
            .map(|part| part.merged.map_or(1, |merged| merged.intervals))
            .fold(0, u32::saturating_add),
        wire_gbps: of(|part| part.wire_gbps.known(), |merged| merged.wire_gbps),
        goodput_gbps: of(|part| part.goodput_gbps.known(), |merged| merged.goodput_gbps),
        software_share: of(|part| part.software_share.known(), |merged| merged.software_share),
        segmentation_cpu: of(|part| part.segmentation_cpu.known(), |merged| merged.segmentation_cpu),
        busiest_cpu: of(
            |part| part.cpus.iter().map(|cpu| cpu.busy).reduce(f64::max),
            |merged| merged.busiest_cpu,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interval_fixture::{second, unknown};

    #[test]
    fn a_day_keeps_its_bytes_and_its_extremes_however_often_it_is_merged() {
        let mut day: Vec<Interval> = (1..=86_400_u32).map(|s| second(f64::from(s), 10.0, 1.0)).collect();
        day[40_000].goodput_gbps = Ok(0.25);
        day[50_000].goodput_gbps = Ok(24.0);
        let few = merged(&merged(&day, 4_000), 500);
        assert!(few.len() <= 500, "{}", few.len());
        assert_eq!(few.iter().map(|part| part.duration_s).sum::<f64>(), 86_400.0);
        assert_eq!(
            few.iter().filter_map(|part| part.merged).map(|merged| merged.intervals).sum::<u32>(),
            86_400
        );
        let sent = |parts: &[Interval]| {
            parts.iter().filter_map(|part| Some(part.goodput_gbps.known()? * part.duration_s)).sum::<f64>()
        };
        assert!((sent(&few) / sent(&day) - 1.0).abs() < 1e-9);
        let range = few.iter().filter_map(|part| part.merged?.goodput_gbps);
        let range = range.reduce(|[low, high], [lower, higher]| [low.min(lower), high.max(higher)]).unwrap();
        assert_eq!(range, [0.25, 24.0]);
    }

    #[test]
    fn what_is_few_enough_stays_as_it_is() {
        let few: Vec<Interval> = (1..=10_u32).map(|s| second(f64::from(s), 10.0, 1.0)).collect();
        assert_eq!(merged(&few, 10), few);
    }

    #[test]
    fn what_was_not_measured_has_no_weight_and_what_was_never_measured_stays_unknown() {
        let half = merged(&[second(1.0, 10.0, 1.0), unknown(2.0)], 1).remove(0);
        assert_eq!((half.goodput_gbps.known(), half.rtt_us, half.duration_s), (Some(10.0), Some(420.0), 2.0));
        let none = merged(&[unknown(1.0), unknown(2.0)], 1).remove(0);
        assert_eq!((none.goodput_gbps.known(), none.software_share.known(), none.rtt_us), (None, None, None));
        assert_eq!(none.merged.unwrap().goodput_gbps, None);
    }

    #[test]
    fn a_share_is_of_all_bytes_and_a_mean_length_of_all_packets() {
        // 9 Gbit in super-packets of 43 kB, then 1 Gbit in segments.
        let both = merged(&[second(1.0, 9.0, 0.0), second(2.0, 1.0, 1.0)], 1).remove(0);
        assert!((both.software_share.unwrap() - 0.1).abs() < 1e-9);
        let (whole, cut) = (9.0 / 43_214.0, 1.0 / 1514.0);
        assert!((both.mean_driver_bytes.unwrap() - 10.0 / (whole + cut)).abs() < 1e-6);
    }
}
