//! From a measured run to a trial: which part of it counts, what it amounts to, and what the guards look at.

use std::time::Duration;

use crate::model::breaks::Family;
use crate::model::comparison::Stretch;
use crate::model::event::EventKind;
use crate::model::experiment::{Arm, BusiestCpu, Figures, MetricId, Signs, expected};
use crate::model::fact::Known as _;
use crate::model::fix::DeviceState;
use crate::model::identity::Identity;
use crate::model::sample::{QdiscCounters, Sample};
use crate::model::throughput::{CpuShare, Interval, mean};
use crate::recording::Run;
use crate::report::ab::schema::ThroughputFrom;
use crate::report::run::schema::RunReport;

/// Of a run that is shorter than ten warm-ups, a tenth is left out.
const MOST_OF_RUN: f64 = 0.1;

/// The rule by which the beginning of each run is left out, in words.
pub(super) fn warm_up_rule(warm_up: Duration) -> String {
    format!(
        "of each run of the benchmark, what vmnet measures is taken from {} after traffic began (a tenth of the run, where that is less) until \
         traffic ended, or from its first byte to its last where that leaves nothing; a first run of the benchmark is not counted at all",
        crate::report::kit::format::duration(warm_up.as_secs_f64())
    )
}

/// What a trial amounts to.
pub(super) struct Measured {
    pub(super) measured_s: f64,
    pub(super) figures: Figures,
    pub(super) busiest_cpu: Option<BusiestCpu>,
}

impl Measured {
    /// Of the part that counts.
    pub(super) fn of(
        report: &RunReport,
        samples: &[Sample],
        from: ThroughputFrom,
        warm_up: Duration,
    ) -> Self {
        let kept = steady(&report.throughput.samples, warm_up.as_secs_f64());
        let said = report.benchmark.as_ref().and_then(crate::benchmark::Benchmark::said);
        // What is forwarded has no sockets here that could tell what they retransmitted.
        let goodput_gbps =
            mean(kept, |interval| interval.goodput_gbps.known().or_else(|| interval.payload_gbps()));
        let payload_gbps = mean(kept, Interval::payload_gbps);
        let gbps = match from {
            ThroughputFrom::Benchmark => said.and_then(|said| said.gbps),
            ThroughputFrom::Ledger => goodput_gbps,
            ThroughputFrom::Counters => mean(kept, |interval| interval.wire_gbps.known()),
        };
        // Where the benchmark counts transactions, bytes are still counted by the ledger.
        let rate = gbps.or(goodput_gbps).filter(|gbps| *gbps > 0.0);
        let cpus = cpus_over(samples, kept);
        let busy_cpus = (!cpus.is_empty()).then(|| cpus.iter().map(|cpu| cpu.busy).sum::<f64>());
        let per_payload = |amount: Option<f64>| Some(amount? / payload_gbps.filter(|gbps| *gbps > 0.0)?);
        let retransmitted_gbps = mean(kept, |interval| {
            Some(interval.retransmitted_bytes.known()? as f64 * 8.0 / 1e9 / interval.duration_s)
        });
        let figures = [
            (MetricId::ThroughputGbps, gbps),
            (MetricId::TransactionsPerS, said.and_then(|said| said.transactions_per_s)),
            // CPU seconds per second over bytes per second, in ns: 8 bits a byte, 10⁹ of each cancel out.
            (MetricId::CpuNsPerByte, busy_cpus.zip(rate).map(|(cpus, gbps)| cpus * 8.0 / gbps)),
            (MetricId::RttUs, median(kept.iter().filter_map(|interval| interval.rtt_us))),
            (MetricId::RetransmittedPpm, per_payload(retransmitted_gbps).map(|share| share * 1e6)),
            (
                MetricId::SegmentationNsPerByte,
                per_payload(mean(kept, |interval| interval.segmentation_cpu.known())).map(|cpus| cpus * 8.0),
            ),
            (MetricId::PacketToDriverBytes, mean_packet(kept)),
        ];
        Self {
            measured_s: kept.iter().map(|interval| interval.duration_s).sum(),
            figures: figures
                .into_iter()
                .filter_map(|(metric, value)| Some((metric, value.filter(|value| value.is_finite())?)))
                .collect(),
            busiest_cpu: busiest(&cpus),
        }
    }
}

/// The part of a run that counts: by the rule that a comparison leaves out the ends by, less the warm-up. A short run on a machine that is busy
/// with others may be all ends: then it is what had traffic, or one trial would cost the experiment its figure.
fn steady(intervals: &[Interval], warm_up_s: f64) -> &[Interval] {
    let kept = Stretch::of(intervals).kept(intervals);
    let whole_s: f64 = kept.iter().map(|interval| interval.duration_s).sum();
    let left_out_s = warm_up_s.min(whole_s * MOST_OF_RUN);
    let mut passed_s = 0.0;
    let first = kept.iter().position(|interval| {
        let is_warm = passed_s >= left_out_s;
        passed_s += interval.duration_s;
        is_warm
    });
    let kept = first.and_then(|first| kept.get(first..)).unwrap_or_default();
    if kept.is_empty() { with_traffic(intervals) } else { kept }
}

/// From the first interval in which something was sent to the last.
fn with_traffic(intervals: &[Interval]) -> &[Interval] {
    let has_traffic = |interval: &Interval| {
        let rate = interval.payload_gbps().or(interval.wire_gbps.known());
        rate.is_some_and(|gbps| gbps > 0.0)
    };
    let first = intervals.iter().position(has_traffic);
    let last = intervals.iter().rposition(has_traffic);
    first.zip(last).and_then(|(first, last)| intervals.get(first..=last)).unwrap_or_default()
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    crate::stats::of_sorted(&values, 0.5)
}

fn mean_packet(intervals: &[Interval]) -> Option<f64> {
    let payload = mean(intervals, Interval::payload_gbps)?;
    let packets = mean(intervals, |interval| {
        let gbps = interval.payload_gbps()?;
        // An interval in which nothing was sent has no packets.
        if gbps > 0.0 {
            Some(gbps / interval.mean_driver_bytes.known().filter(|mean| *mean > 0.0)?)
        } else {
            Some(0.0)
        }
    })?;
    (packets > 0.0).then(|| payload / packets)
}

/// Each CPU over the time of these intervals, from the samples at its two ends: the kernel counts in ticks, and where a CPU is hard
/// pressed, a tenth of a second may pass without one that it gets later. Empty where none of them is known.
fn cpus_over(samples: &[Sample], intervals: &[Interval]) -> Vec<CpuShare> {
    let at = |t_s: f64| samples.iter().min_by_key(|sample| sample.at_ns.abs_diff((t_s * 1e9) as u64));
    let ends = intervals.first().zip(intervals.last());
    let samples = ends.and_then(|(first, last)| at(first.t_s - first.duration_s).zip(at(last.t_s)));
    let Some((first, last)) = samples.filter(|(first, last)| first.cpus.len() == last.cpus.len()) else {
        return Vec::new();
    };
    let is_timed = intervals.iter().flat_map(|interval| &interval.cpus).any(|cpu| cpu.segmenting.is_some());
    let duration_ns = last.at_ns.saturating_sub(first.at_ns);
    let segmenting = |cpu: usize| {
        let worked = last.work.get(cpu)?.segmentation_ns.saturating_sub(first.work.get(cpu)?.segmentation_ns);
        is_timed.then(|| (worked as f64 / duration_ns as f64).min(1.0)).filter(|share| share.is_finite())
    };
    let shares = first.cpus.iter().zip(&last.cpus).enumerate().map(|(cpu, (first, last))| {
        Some(CpuShare { segmenting: segmenting(cpu), ..CpuShare::of(&last.since(first))? })
    });
    CpuShare::in_their_places(shares)
}

/// By its mean over the whole time, not the one that is busiest now and then.
fn busiest(cpus: &[CpuShare]) -> Option<BusiestCpu> {
    let busiest = cpus.iter().max_by(|a, b| a.busy.total_cmp(&b.busy))?;
    Some(BusiestCpu { busy: busiest.busy, segmenting: busiest.segmenting })
}

/// What the guards look at, but for the device's settings and the benchmark's own end, which the loop knows.
pub(super) fn signs(run: &Run, report: &RunReport, arm: &Arm, settled: &DeviceState) -> Signs {
    let tcp = report.ledger.tcp.as_ref();
    let family = tcp.map_or(Family::Ipv4, |tcp| {
        if tcp.ipv6.payload_bytes > tcp.ipv4.payload_bytes { Family::Ipv6 } else { Family::Ipv4 }
    });
    let failed = report.audit.iter().flat_map(|audit| &audit.identities);
    let samples = run.timeline.samples();
    let qdiscs =
        samples.first().and_then(|first| first.qdisc).zip(samples.last().and_then(|last| last.qdisc));
    Signs {
        expected: expected(arm, settled, family),
        state: tcp.map(|_| report.verdict.state),
        drift: report
            .events
            .iter()
            .filter(|event| event.kind == EventKind::FeaturesChanged)
            .map(|event| event.text.clone())
            .collect(),
        failed_identities: failed
            .filter(|identity| identity.ok == Some(false))
            .map(|identity| (identity.name.to_string(), unexplained_share(identity)))
            .collect(),
        steal_share: {
            let cpus = cpus_over(samples, &report.throughput.samples);
            let sum = |of: fn(&CpuShare) -> f64| cpus.iter().map(of).sum::<f64>();
            let had_work = sum(|cpu| cpu.busy + cpu.steal);
            (!cpus.is_empty()).then(|| if had_work > 0.0 { sum(|cpu| cpu.steal) / had_work } else { 0.0 })
        },
        retransmitted_share: tcp.and_then(|tcp| tcp.total.retransmitted_share()),
        qdisc_drop_share: qdiscs.and_then(|(before, after)| drop_share(before, after)),
        benchmark_failed: None,
    }
}

/// How much of what an identity is about it leaves unexplained; all, where that cannot be determined.
fn unexplained_share(identity: &Identity) -> f64 {
    let whole = identity.left.max(identity.right);
    identity
        .residual
        .zip(whole.filter(|whole| *whole > 0))
        .map_or(1.0, |(residual, whole)| residual.unsigned_abs() as f64 / whole as f64)
}

/// None where nothing went in, or the counters did not grow together.
fn drop_share(before: QdiscCounters, after: QdiscCounters) -> Option<f64> {
    let dropped = after.drops.checked_sub(before.drops)?;
    let sent = after.packets.checked_sub(before.packets)?;
    crate::units::share(dropped, dropped.checked_add(sent)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::CpuWork;
    use crate::model::testing::sample_at;
    use crate::report::run::fixture;
    use crate::report::run::fixture::second;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9 * b.abs().max(1.0)
    }

    fn measured(report: &RunReport) -> Measured {
        Measured::of(report, &[], ThroughputFrom::Ledger, Duration::from_secs(1))
    }

    #[test]
    fn the_beginning_is_left_out_by_the_rule() {
        let run: Vec<Interval> = (1..=20).map(|s| second(f64::from(s), 10.0, 1.0)).collect();
        assert_eq!(steady(&run, 1.0).len(), 19);
        assert_eq!(steady(&run, 0.0).len(), 20);
        assert_eq!(steady(&run, 5.0).len(), 18, "a tenth at most");
        assert_eq!(steady(&run[..1], 5.0).len(), 1, "one interval is all ends, and has all that was sent");
        assert_eq!(steady(&[], 1.0).len(), 0);
    }

    #[test]
    fn silence_before_the_traffic_is_no_warm_up() {
        let mut run: Vec<Interval> = (1..=3).map(|s| second(f64::from(s), 0.0, 0.0)).collect();
        run.extend((4..=24).map(|s| second(f64::from(s), 10.0, 1.0)));
        // Three silent ones, the one in which traffic began, and one second of warm-up.
        assert_eq!(steady(&run, 1.0).len(), 19);
    }

    #[test]
    fn a_run_that_is_all_ends_counts_from_its_first_byte_to_its_last() {
        let run: Vec<Interval> = [0.0, 0.0, 3.0, 0.0]
            .into_iter()
            .zip(1..)
            .map(|(gbps, s)| second(f64::from(s), gbps, 1.0))
            .collect();
        assert_eq!(steady(&run, 1.0), &run[2..3]);
    }

    #[test]
    fn the_figures_are_those_of_the_part_that_counts() {
        let mut report = fixture::software();
        report.throughput.samples = (1..=20).map(|s| second(f64::from(s), 10.0, 1.0)).collect();
        for sample in &mut report.throughput.samples {
            sample.goodput_gbps = Ok(8.0);
            sample.cpus = vec![CpuShare { segmenting: Some(0.1), ..CpuShare::default() }; 2];
        }
        let samples = (0..=20).map(|s| {
            let mut sample = sample_at(s);
            sample.cpus[0].busy_ns /= 2;
            sample.cpus[1].busy_ns += sample.cpus[0].busy_ns;
            sample.work = [0.1, 0.5]
                .map(|share| CpuWork {
                    segmentation_ns: (s as f64 * share * 1e9) as u64,
                    ..CpuWork::default()
                })
                .into();
            sample
        });
        let samples: Vec<Sample> = samples.collect();
        report.throughput.samples[0].goodput_gbps = Ok(1.0);
        let found = Measured::of(&report, &samples, ThroughputFrom::Ledger, Duration::from_secs(1));
        assert!(near(found.figures[&MetricId::ThroughputGbps], 8.0) && near(found.measured_s, 19.0));
        // One CPU for one gigabyte a second is one nanosecond a byte.
        assert!(near(found.figures[&MetricId::CpuNsPerByte], 1.0));
        assert_eq!(found.busiest_cpu, Some(BusiestCpu { busy: 0.75, segmenting: Some(0.5) }));
    }

    #[test]
    fn ticks_that_a_cpu_gets_later_are_counted_all_the_same() {
        let mut samples: Vec<Sample> = (0..=20).map(sample_at).collect();
        let run: Vec<Interval> = (1..=20).map(|s| second(f64::from(s), 8.0, 1.0)).collect();
        let half = vec![CpuShare { busy: 0.5, softirq: 0.25, ..CpuShare::default() }; 2];
        assert_eq!(cpus_over(&samples, &run[1..]), half);
        // A CPU without a tick in the middle changes nothing; one without any is offline, and keeps its place.
        samples[10].cpus[0] = samples[9].cpus[0];
        assert_eq!(cpus_over(&samples, &run[1..]), half);
        samples[20].cpus[0] = samples[1].cpus[0];
        assert_eq!(cpus_over(&samples, &run[1..]), [CpuShare::default(), half[1]]);
        assert_eq!((cpus_over(&[], &run), cpus_over(&samples, &[])), (Vec::new(), Vec::new()));
    }

    #[test]
    fn what_was_not_measured_is_no_figure() {
        let mut report = fixture::counters();
        report.benchmark = None;
        let found = measured(&report);
        for metric in [MetricId::ThroughputGbps, MetricId::RetransmittedPpm, MetricId::SegmentationNsPerByte]
        {
            assert!(!found.figures.contains_key(&metric), "{metric:?}");
        }
        let mut nothing = fixture::idle();
        nothing.throughput.samples.clear();
        nothing.benchmark = None;
        let found = measured(&nothing);
        assert!(found.figures.is_empty() && found.busiest_cpu.is_none(), "{:?}", found.figures);
    }

    #[test]
    fn drops_are_a_share_of_what_went_in() {
        let counters = |packets, drops| QdiscCounters { packets, drops, ..QdiscCounters::default() };
        assert_eq!(drop_share(counters(100, 5), counters(190, 15)), Some(0.1));
        assert_eq!(drop_share(counters(100, 5), counters(100, 5)), None);
        assert_eq!(drop_share(counters(100, 5), counters(0, 0)), None, "another qdisc by now");
    }
}
