//! A sample as a row of whole numbers, and back. Every column has a name, which stands in the file.

use std::collections::HashMap;
use std::sync::LazyLock;

use vmnet_common::{COUNTED_LATER, Counters};

use crate::model::features::Features;
use crate::model::link_counters::LinkCounters;
use crate::model::machine::QueueCounters;
use crate::model::sample::{
    CpuTimes, CpuWork, MissedByKernel, QdiscCounters, Retransmitted, Sample, SocketTotals,
};

/// CPUs that have columns of their own; what others count goes to the last of them.
pub(super) const MOST_CPUS: usize = 512;
/// Transmit queues that have columns of their own; what others count is left out.
pub(super) const MOST_QUEUES: usize = 4096;
/// Columns for queues that may come while the run goes on (`ethtool -L`). Columns that nobody uses take no room.
const SPARE_QUEUES: usize = 256;

/// Columns that a sample has once. A group's own name is 1 where the group is there; `Option`s are 0 where there is none,
/// else the value and one.
pub(super) const SCALARS: [&str; 38] = [
    "at_ns",
    "read_ns",
    "moved_segs",
    "traced",
    "cpus",
    "queues",
    "missed.recursion_misses",
    "missed.kprobe_misses",
    "link.tx_packets",
    "link.tx_bytes",
    "link.tx_dropped",
    "link.tx_errors",
    "qdisc",
    "qdisc.bytes",
    "qdisc.packets",
    "qdisc.packets_are_32_bit",
    "qdisc.drops",
    "qdisc.requeues",
    "qdisc.backlog_packets",
    "qdisc.backlog_bytes",
    "qdisc.may_segment",
    "features.tso4",
    "features.tso6",
    "features.tso_ecn",
    "features.uso",
    "features.gso",
    "sockets",
    "sockets.bytes_sent",
    "sockets.bytes_not_sent",
    "sockets.bytes_discarded",
    "sockets.live",
    "sockets.lower_bound",
    "sockets.read_ns",
    "rtt_us",
    "every_segment",
    "retransmitted.tcp4",
    "retransmitted.tcp6",
    "mtu",
];

/// Those of them that came after the first version: a recording from before lacks them, and has 0 in their place, which is
/// "not known".
const ADDED_LATER: [&str; 5] = ["rtt_us", "every_segment", "retransmitted.tcp4", "retransmitted.tcp6", "mtu"];

/// What version 1 had of retransmits, by CPU and family: all, and those that came from a device above.
const RETRANSMITTED_IN_VERSION_1: [[&str; 2]; 2] = [
    ["queue.tcp4.retransmitted_payload_bytes", "queue.tcp4.upper_retransmitted_payload_bytes"],
    ["queue.tcp6.retransmitted_payload_bytes", "queue.tcp6.upper_retransmitted_payload_bytes"],
];

/// Columns that each CPU has before its [`Counters`].
const CPU_TIMES: [&str; 4] = ["busy_ns", "softirq_ns", "steal_ns", "total_ns"];

/// Columns that each transmit queue has, each an `Option`.
pub(super) const QUEUE: [&str; 3] = ["packets", "bytes", "kicks"];

/// The names of the columns that each CPU has, in this version's order: its times, then the words of its [`Counters`].
pub(super) static PER_CPU: LazyLock<Vec<String>> =
    LazyLock::new(|| CPU_TIMES.iter().map(|name| format!("cpu.{name}")).chain(Counters::names()).collect());

/// How many columns there are of each kind. They follow each other: scalars, then each CPU's, then each queue's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) cpus: usize,
    pub(super) queues: usize,
}

impl Shape {
    /// Wide enough for runs that begin with this sample.
    pub(super) fn of(first: &Sample) -> Self {
        Self {
            cpus: first.cpus.len().clamp(1, MOST_CPUS),
            queues: first.queues.len().clamp(SPARE_QUEUES, MOST_QUEUES),
        }
    }

    pub(super) fn columns(self) -> usize {
        SCALARS.len() + self.cpus * PER_CPU.len() + self.queues * QUEUE.len()
    }
}

/// A sample's values, column by column. `by_cpu` is what each CPU counted: `sample.traced` is their sum.
pub(super) fn row(sample: &Sample, by_cpu: &[Counters], shape: Shape) -> Vec<u64> {
    let mut row = Vec::with_capacity(shape.columns());
    row.extend(scalars(sample, shape));
    let mut counted: Vec<Counters> = by_cpu.iter().take(shape.cpus).copied().collect();
    counted.resize_with(shape.cpus, Counters::default);
    if let Some(last) = counted.last_mut() {
        by_cpu.iter().skip(shape.cpus).for_each(|beyond| last.add(beyond));
    }
    for (cpu, counters) in counted.iter().enumerate() {
        let times = sample.cpus.get(cpu).copied().unwrap_or_default();
        row.extend([times.busy_ns, times.softirq_ns, times.steal_ns, times.total_ns]);
        row.extend(bytemuck::cast_slice::<Counters, u64>(std::slice::from_ref(counters)));
    }
    for queue in 0..shape.queues {
        let queue = sample.queues.get(queue).copied().unwrap_or_default();
        row.extend([queue.packets, queue.bytes, queue.kicks].map(from_option));
    }
    row
}

/// The sample of a row, by this version's columns.
pub(super) fn sample(row: &Row<'_>) -> Sample {
    let at = |name: &str| row.scalar(name);
    let option = |name: &str| to_option(at(name));
    let flag = |name: &str| option(name).map(|value| value != 0);
    let cpus = row.shape.cpus;
    let per_cpu: Vec<(CpuTimes, Counters)> = (0..cpus).map(|cpu| row.cpu(cpu)).collect();
    let traced = (at("traced") != 0).then(|| {
        let mut sum = Box::<Counters>::default();
        per_cpu.iter().for_each(|(_, counters)| sum.add(counters));
        sum
    });
    let told = |name: &str, most: usize| usize::try_from(at(name)).unwrap_or(usize::MAX).min(most);
    Sample {
        at_ns: at("at_ns"),
        read_ns: at("read_ns"),
        moved_segs: at("moved_segs"),
        every_segment: at("every_segment") != 0,
        work: match traced {
            Some(_) => per_cpu.iter().map(|(_, counters)| CpuWork::of(counters)).collect(),
            None => Vec::new(),
        },
        traced,
        missed: MissedByKernel {
            recursion_misses: option("missed.recursion_misses"),
            kprobe_misses: option("missed.kprobe_misses"),
        },
        link: LinkCounters {
            tx_packets: at("link.tx_packets"),
            tx_bytes: at("link.tx_bytes"),
            tx_dropped: at("link.tx_dropped"),
            tx_errors: at("link.tx_errors"),
        },
        mtu: option("mtu").map(|mtu| u32::try_from(mtu).unwrap_or(u32::MAX)),
        qdisc: (at("qdisc") != 0).then(|| QdiscCounters {
            bytes: at("qdisc.bytes"),
            packets: at("qdisc.packets"),
            packets_are_32_bit: at("qdisc.packets_are_32_bit") != 0,
            drops: at("qdisc.drops"),
            requeues: at("qdisc.requeues"),
            backlog_packets: at("qdisc.backlog_packets"),
            backlog_bytes: at("qdisc.backlog_bytes"),
            may_segment: at("qdisc.may_segment") != 0,
        }),
        features: Features {
            tso4: flag("features.tso4"),
            tso6: flag("features.tso6"),
            tso_ecn: flag("features.tso_ecn"),
            uso: flag("features.uso"),
            gso: flag("features.gso"),
        },
        cpus: per_cpu.iter().take(told("cpus", cpus)).map(|(times, _)| *times).collect(),
        queues: (0..told("queues", row.shape.queues)).map(|queue| row.queue(queue)).collect(),
        sockets: (at("sockets") != 0).then(|| SocketTotals {
            bytes_sent: at("sockets.bytes_sent"),
            bytes_not_sent: at("sockets.bytes_not_sent"),
            bytes_discarded: at("sockets.bytes_discarded"),
            live: at("sockets.live"),
            lower_bound: at("sockets.lower_bound") != 0,
            read_ns: at("sockets.read_ns"),
        }),
        retransmitted: match (option("retransmitted.tcp4"), option("retransmitted.tcp6")) {
            (Some(ipv4), Some(ipv6)) => Some(Retransmitted { ipv4, ipv6 }),
            _ => row.retransmitted_before_version_2(),
        },
        rtt_us: option("rtt_us").map(|us| u32::try_from(us).unwrap_or(u32::MAX)),
    }
}

/// A row as it stands in a file, whose columns may be more, or in another order.
pub(super) struct Row<'a> {
    pub(super) values: &'a [u64],
    pub(super) shape: Shape,
    pub(super) places: &'a Places,
}

/// Where a file has this version's columns.
#[derive(Debug)]
pub(super) struct Places {
    /// Of each of [`SCALARS`]; None of what was [`ADDED_LATER`] than the file.
    scalars: Vec<Option<usize>>,
    /// Of each of [`PER_CPU`], within a CPU's; None of what was [`COUNTED_LATER`] than the file.
    per_cpu: Vec<Option<usize>>,
    /// Of each of [`QUEUE`], within a queue's.
    queue: Vec<usize>,
    /// Of each of [`RETRANSMITTED_IN_VERSION_1`]; None where they are not all there.
    retransmitted: Option<[[usize; 2]; 2]>,
    scalars_in_file: usize,
    per_cpu_in_file: usize,
    queue_in_file: usize,
}

impl Places {
    /// By name. The error is a column that the file lacks and should not.
    pub(super) fn find(scalars: &[String], per_cpu: &[String], queue: &[String]) -> Result<Self, String> {
        Ok(Self {
            scalars: find(&SCALARS, scalars, |name| ADDED_LATER.contains(&name))?,
            per_cpu: find(&PER_CPU, per_cpu, |name| {
                COUNTED_LATER.iter().any(|beginning| name.starts_with(beginning))
            })?,
            queue: find(&QUEUE, queue, |_| false)?.into_iter().flatten().collect(),
            retransmitted: retransmitted_in(per_cpu),
            scalars_in_file: scalars.len(),
            per_cpu_in_file: per_cpu.len(),
            queue_in_file: queue.len(),
        })
    }

    /// All columns of the file.
    pub(super) fn columns(&self, shape: Shape) -> usize {
        self.scalars_in_file + shape.cpus * self.per_cpu_in_file + shape.queues * self.queue_in_file
    }
}

fn retransmitted_in(per_cpu: &[String]) -> Option<[[usize; 2]; 2]> {
    let place = |name: &str| per_cpu.iter().position(|there| there == name);
    let family = |[all, from_above]: [&str; 2]| Some([place(all)?, place(from_above)?]);
    let [ipv4, ipv6] = RETRANSMITTED_IN_VERSION_1.map(family);
    Some([ipv4?, ipv6?])
}

/// Where each column that is wanted stands; None of those that may be missing and are.
fn find(
    wanted: &[impl AsRef<str>],
    there: &[String],
    may_be_missing: impl Fn(&str) -> bool,
) -> Result<Vec<Option<usize>>, String> {
    let places: HashMap<&str, usize> =
        there.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
    let place = |name: &str| match places.get(name) {
        None if !may_be_missing(name) => Err(name.to_owned()),
        place => Ok(place.copied()),
    };
    wanted.iter().map(|name| place(name.as_ref())).collect()
}

impl Row<'_> {
    fn scalar(&self, name: &str) -> u64 {
        let known = SCALARS.iter().position(|scalar| *scalar == name);
        let place = known.and_then(|known| self.places.scalars.get(known).copied().flatten());
        place.map_or(0, |place| self.value(place))
    }

    fn value(&self, place: usize) -> u64 {
        self.values.get(place).copied().unwrap_or(0)
    }

    fn cpu(&self, cpu: usize) -> (CpuTimes, Counters) {
        let first = self.places.scalars_in_file + cpu * self.places.per_cpu_in_file;
        let mut values =
            self.places.per_cpu.iter().map(|place| place.map_or(0, |place| self.value(first + place)));
        let mut next = || values.next().unwrap_or(0);
        let times = CpuTimes { busy_ns: next(), softirq_ns: next(), steal_ns: next(), total_ns: next() };
        let mut counters = Counters::default();
        bytemuck::cast_slice_mut::<Counters, u64>(std::slice::from_mut(&mut counters))
            .iter_mut()
            .for_each(|word| *word = next());
        (times, counters)
    }

    /// A hook counted them there.
    fn retransmitted_before_version_2(&self) -> Option<Retransmitted> {
        let [ipv4, ipv6] = self.places.retransmitted?.map(|[all, from_above]| {
            (0..self.shape.cpus).fold(0_u64, |sum, cpu| {
                let first = self.places.scalars_in_file + cpu * self.places.per_cpu_in_file;
                let own = self.value(first + all).saturating_sub(self.value(first + from_above));
                sum.wrapping_add(own)
            })
        });
        Some(Retransmitted { ipv4, ipv6 })
    }

    fn queue(&self, queue: usize) -> QueueCounters {
        let first = self.places.scalars_in_file
            + self.shape.cpus * self.places.per_cpu_in_file
            + queue * self.places.queue_in_file;
        let mut values = self.places.queue.iter().map(|place| to_option(self.value(first + place)));
        let mut next = || values.next().flatten();
        QueueCounters { packets: next(), bytes: next(), kicks: next() }
    }
}

fn scalars(sample: &Sample, shape: Shape) -> [u64; SCALARS.len()] {
    let qdisc = sample.qdisc.unwrap_or_default();
    let sockets = sample.sockets.unwrap_or_default();
    let flag = |flag: Option<bool>| from_option(flag.map(u64::from));
    let features = sample.features;
    [
        sample.at_ns,
        sample.read_ns,
        sample.moved_segs,
        u64::from(sample.traced.is_some()),
        sample.cpus.len().min(shape.cpus) as u64,
        sample.queues.len().min(shape.queues) as u64,
        from_option(sample.missed.recursion_misses),
        from_option(sample.missed.kprobe_misses),
        sample.link.tx_packets,
        sample.link.tx_bytes,
        sample.link.tx_dropped,
        sample.link.tx_errors,
        u64::from(sample.qdisc.is_some()),
        qdisc.bytes,
        qdisc.packets,
        u64::from(qdisc.packets_are_32_bit),
        qdisc.drops,
        qdisc.requeues,
        qdisc.backlog_packets,
        qdisc.backlog_bytes,
        u64::from(qdisc.may_segment),
        flag(features.tso4),
        flag(features.tso6),
        flag(features.tso_ecn),
        flag(features.uso),
        flag(features.gso),
        u64::from(sample.sockets.is_some()),
        sockets.bytes_sent,
        sockets.bytes_not_sent,
        sockets.bytes_discarded,
        sockets.live,
        u64::from(sockets.lower_bound),
        sockets.read_ns,
        from_option(sample.rtt_us.map(u64::from)),
        u64::from(sample.every_segment),
        from_option(sample.retransmitted.map(|retransmitted| retransmitted.ipv4)),
        from_option(sample.retransmitted.map(|retransmitted| retransmitted.ipv6)),
        from_option(sample.mtu.map(u64::from)),
    ]
}

/// No counter comes near 2⁶⁴ − 1, which has no place here.
fn from_option(value: Option<u64>) -> u64 {
    value.map_or(0, |value| value.saturating_add(1))
}

fn to_option(value: u64) -> Option<u64> {
    value.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use vmnet_common::{Class, Lane, Refusal, Stage, bucket};

    use super::*;
    use crate::model::testing::Scene;

    fn places() -> Places {
        let scalars = SCALARS.map(str::to_owned);
        Places::find(&scalars, &PER_CPU, &QUEUE.map(str::to_owned)).unwrap()
    }

    /// Which column changes where one word of the counters does.
    fn named(edit: impl Fn(&mut Counters)) -> String {
        let mut counters = Counters::default();
        edit(&mut counters);
        let words = bytemuck::cast_slice::<Counters, u64>(std::slice::from_ref(&counters));
        let place = words.iter().position(|word| *word == 1).unwrap();
        Counters::names()[place].clone()
    }

    #[test]
    fn names_stand_where_their_words_do() {
        let driver = |counters: &mut Counters| {
            counters.stages[Stage::Driver as usize][Lane::Tcp6 as usize].cells[Class::Made as usize].segs = 1;
        };
        assert_eq!(named(driver), "driver.tcp6.made.segs");
        assert_eq!(named(|c| c.stages[3][4].tagged_segs = 1), "driver_dropped.other.tagged_segs");
        assert_eq!(named(|c| c.segmentation.splits[1][0].ns = 1), "segmentation.stack.tcp4.ns");
        let refused = |counters: &mut Counters| {
            counters.segmentation.refused[1][Refusal::DriverCheck as usize].payload_bytes = 1;
        };
        assert_eq!(named(refused), "refused.tcp6.driver_check.payload_bytes");
        assert_eq!(named(|c| c.skb_segment.ns = 1), "skb_segment.ns");
        assert_eq!(named(|c| c.tcp_sendmsg.errors = 1), "tcp_sendmsg.errors");
        assert_eq!(named(|c| c.closed_sockets.unrouted = 1), "closed_sockets.unrouted");
        assert_eq!(named(|c| c.samples.failed = 1), "stack_samples.failed");
        assert_eq!(named(|c| c.health.events_lost = 1), "health.events_lost");
        assert_eq!(named(|c| c.driver_len[bucket(1536)] = 1), "driver_len.1536");
        assert_eq!(named(|c| c.queued_gso_size[0] = 1), "queued_gso_size.0");
        assert_eq!(named(|c| c.queued_segs_tcp6[3] = 1), "queued_segs_tcp6.3");
        let forecast =
            |counters: &mut Counters| counters.forecast[Lane::Udp4 as usize].unsent_header_bytes = 1;
        assert_eq!(named(forecast), "forecast.udp4.unsent_header_bytes");
        assert_eq!(offset_of!(Counters, last_features) / 8, Counters::names().len() - 1);
    }

    #[test]
    fn a_sample_comes_back_from_its_row() {
        let mut scene = Scene::new();
        scene.cut(1_000, 44);
        let sent = scene.last();
        sent.rtt_us = Some(0);
        sent.queues = vec![QueueCounters { packets: Some(7), bytes: Some(0), kicks: None }; 3];
        let all = sent.traced.as_deref().copied().unwrap();
        let by_cpu = [all, Counters::default()];
        sent.work = by_cpu.iter().map(CpuWork::of).collect();
        let shape = Shape::of(sent);
        let values = row(sent, &by_cpu, shape);
        let places = places();
        assert_eq!(values.len(), places.columns(shape));
        let back = sample(&Row { values: &values, shape, places: &places });
        assert_eq!(format!("{back:?}"), format!("{sent:?}"));
    }

    #[test]
    fn what_cpus_beyond_the_columns_count_is_not_lost() {
        let mut scene = Scene::new();
        scene.cut(1_000, 44);
        let all = scene.last().traced.as_deref().copied().unwrap();
        let shape = Shape { cpus: 1, queues: 1 };
        let values = row(scene.last(), &[Counters::default(), all], shape);
        let back = sample(&Row { values: &values, shape, places: &places() });
        assert_eq!(back.traced.as_deref(), Some(&all));
    }

    #[test]
    fn columns_are_found_by_name_wherever_they_stand_and_one_that_is_missing_is_named() {
        let mut scalars = SCALARS.map(str::to_owned).to_vec();
        scalars.insert(0, "of a later version".to_owned());
        scalars.swap(1, 9);
        let queue = QUEUE.map(str::to_owned);
        assert!(Places::find(&scalars, &PER_CPU, &queue).is_ok());
        let missing = scalars.iter().position(|name| name == "link.tx_bytes").unwrap();
        scalars.remove(missing);
        assert_eq!(Places::find(&scalars, &PER_CPU, &queue).unwrap_err(), "link.tx_bytes");
    }

    #[test]
    fn a_column_that_came_later_is_unknown_in_a_file_from_before() {
        let mut scene = Scene::new();
        scene.last().rtt_us = Some(420);
        let shape = Shape { cpus: 1, queues: 1 };
        let mut values = row(scene.last(), &[], shape);
        let mut scalars = SCALARS.map(str::to_owned).to_vec();
        let place = scalars.iter().position(|name| name == "rtt_us").unwrap();
        scalars.remove(place);
        values.remove(place);
        let places = Places::find(&scalars, &PER_CPU, &QUEUE.map(str::to_owned)).unwrap();
        let back = sample(&Row { values: &values, shape, places: &places });
        assert_eq!(back.rtt_us, None);
        assert_eq!(back.cpus, scene.last().cpus[..1]);
        assert_eq!(back.sockets, scene.last().sockets);
    }

    #[test]
    fn what_programs_count_since_later_is_nothing_in_a_file_from_before() {
        let mut scene = Scene::new();
        scene.cut(1_000, 44);
        let mut all = scene.last().traced.as_deref().copied().unwrap();
        (all.forecast[0].packets, all.queued_segs_tcp6[2]) = (7, 7);
        let shape = Shape { cpus: 1, queues: 1 };
        let values = row(scene.last(), &[all], shape);
        let first = SCALARS.len();
        let is_new = |name: &str| name.starts_with("forecast.") || name.starts_with("queued_segs_tcp6.");
        let kept =
            |place: usize| place < first || PER_CPU.get(place - first).is_none_or(|name| !is_new(name));
        let values: Vec<u64> =
            values.iter().enumerate().filter(|(place, _)| kept(*place)).map(|(_, value)| *value).collect();
        let per_cpu: Vec<String> = PER_CPU.iter().filter(|name| !is_new(name)).cloned().collect();
        let places = Places::find(&SCALARS.map(str::to_owned), &per_cpu, &QUEUE.map(str::to_owned)).unwrap();
        let back = sample(&Row { values: &values, shape, places: &places });
        all.forecast = Counters::default().forecast;
        all.queued_segs_tcp6[2] = 0;
        assert_eq!(back.traced.as_deref(), Some(&all));
    }
}
