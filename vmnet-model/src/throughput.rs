//! A run, interval by interval.

use serde::{Deserialize, Serialize};
use vmnet_common::{Caller, Class, Counters, Lane, Stage};

use super::delta::Delta;
use super::hook::Hook;
use super::ledger::{Protocol, RETRANSMITS_UNKNOWN};
use super::machine::QueueCounters;
use super::sample::{Counting, CpuTimes, CpuWork, Mode, Window};
use super::tally::{TCP_LANES, Tally, bounded, cell, lane};
use super::units::share;
use super::witness::KernelCounters;
use crate::fact::{self, Fact, Known, Why};
use crate::null_because;

null_because! {
    not_compared: Why::is("it takes packets, and a qdisc that counts their segments");
    nobody_sent: Why::is(
        "no TCP socket of the interface's addresses was sending when they were looked at (they are not at a run's end), \
         the kernel did not tell, or the recording is from before this was kept"
    );
    not_timed: Why::is("no programs ran, or segmentation is not timed by CPU on this rung");
    not_counted: Why::is("no programs ran, or their counts by CPU could not be read");
    not_by_queue: Why::is("the device does not count it by queue, or it was recreated");
    never_measured: Why::is("in none of the merged intervals was it measured");
}

const WIRE_UNMEASURED: Why = Why::is(
    "neither programs nor a qdisc counted the headers that segmentation adds, and the device's own bytes leave them out",
);
pub(crate) const NOTHING_SENT: Why = Why::is("nothing was sent in that interval");
const NO_TIME: Why = Why::is("no time passed");

/// Time of so many CPUs over a while, per byte. None without bytes.
fn per_byte(cpus: f64, duration_ns: u64, bytes: u64) -> Option<f64> {
    (bytes != 0).then(|| cpus * duration_ns as f64 / bytes as f64)
}

/// One interval of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Interval {
    /// Its end, since the run began.
    pub t_s: f64,
    /// Its length.
    pub duration_s: f64,
    /// Bytes on the wire, all headers from the link layer up.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub wire_gbps: Fact<f64>,
    /// TCP payload less retransmits.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub goodput_gbps: Fact<f64>,
    /// TCP payload that left in super-packets.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub hardware_gbps: Fact<f64>,
    /// TCP payload segmented by the CPU.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub software_gbps: Fact<f64>,
    /// TCP payload in full-size singles.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub unaggregated_gbps: Fact<f64>,
    /// TCP payload in small singles.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub small_gbps: Fact<f64>,
    /// software / (hardware + software); None where nothing was built.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub software_share: Fact<f64>,
    /// CPUs busy segmenting.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub segmentation_cpu: Fact<f64>,
    /// Segmentation time per byte of TCP and UDP payload sent.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub segmentation_ns_per_byte: Fact<f64>,
    /// Retransmitted TCP payload.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub retransmitted_bytes: Fact<u64>,
    /// Mean length of TCP packets with payload, before the decision.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub mean_queued_bytes: Fact<f64>,
    /// And after it.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub mean_driver_bytes: Fact<f64>,
    /// Wire segments per packet that the device counted, from kernel counters alone.
    #[serde(serialize_with = "not_compared")]
    pub segments_per_packet: Option<f64>,
    /// Smoothed round trip of TCP, µs, at its end: the median over the interface's sockets that sent, or waited for an
    /// acknowledgement, in it. None where none did.
    #[serde(serialize_with = "nobody_sent")]
    pub rtt_us: Option<f64>,
    /// One per CPU; empty where they could not be compared.
    pub cpus: Vec<CpuShare>,
    /// One per transmit queue, by the device's own statistics; empty where it has none, or they could not be compared.
    pub queues: Vec<QueueRate>,
    /// Where this stands for several intervals, whose means it holds: their extremes. None where it is one.
    pub merged: Option<Merged>,
}

/// Shares of one CPU's time, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CpuShare {
    /// All but idle, iowait and steal.
    pub busy: f64,
    /// The part in softirq.
    pub softirq: f64,
    /// Taken by the hypervisor.
    pub steal: f64,
    /// The part inside `__skb_gso_segment` for this interface; None where the rung cannot time it.
    #[serde(serialize_with = "not_timed")]
    pub segmenting: Option<f64>,
    /// TCP payload that this CPU handed to the driver; None without programs.
    #[serde(serialize_with = "not_counted")]
    pub tcp_gbps: Option<f64>,
}

/// What one transmit queue sent, as the device counts: the headers that TSO adds are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueueRate {
    /// Bytes; None where the device does not count them by queue.
    #[serde(serialize_with = "not_by_queue")]
    pub gbps: Option<f64>,
    /// skbs a second, super-packets counted once; None likewise.
    #[serde(serialize_with = "not_by_queue")]
    pub packets_per_s: Option<f64>,
}

/// The extremes of intervals that were merged into one: \[lowest, highest\], None where nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Merged {
    /// How many there were.
    pub intervals: u32,
    /// Of `wire_gbps`.
    #[serde(serialize_with = "never_measured")]
    pub wire_gbps: Option<[f64; 2]>,
    /// Of `goodput_gbps`.
    #[serde(serialize_with = "never_measured")]
    pub goodput_gbps: Option<[f64; 2]>,
    /// Of `software_share`.
    #[serde(serialize_with = "never_measured")]
    pub software_share: Option<[f64; 2]>,
    /// Of `segmentation_cpu`.
    #[serde(serialize_with = "never_measured")]
    pub segmentation_cpu: Option<[f64; 2]>,
    /// Of the busiest CPU's `busy`.
    #[serde(serialize_with = "never_measured")]
    pub busiest_cpu: Option<[f64; 2]>,
}

/// The window, interval by interval.
#[must_use]
pub fn intervals(window: &Window<'_>) -> Vec<Interval> {
    window.intervals().map(|delta| Interval::of(window, &delta)).collect()
}

/// The whole window as one interval. None with fewer than two samples.
#[must_use]
pub fn whole(window: &Window<'_>) -> Option<Interval> {
    window.delta().map(|delta| Interval::of(window, &delta))
}

/// Mean over time; None where an interval lacks it, or there is none.
#[must_use]
pub fn mean(intervals: &[Interval], value: impl Fn(&Interval) -> Option<f64>) -> Option<f64> {
    let seconds: f64 = intervals.iter().map(|interval| interval.duration_s).sum();
    let sum =
        intervals.iter().map(|interval| Some(value(interval)? * interval.duration_s)).sum::<Option<f64>>()?;
    (seconds > 0.0).then(|| sum / seconds)
}

/// The same of what each interval has a reason for where it lacks it.
///
/// # Errors
/// The first interval's reason.
pub fn mean_of(intervals: &[Interval], fact: impl Fn(&Interval) -> &Fact<f64>) -> Fact<f64> {
    let why =
        || intervals.iter().find_map(|interval| fact(interval).as_ref().err()).cloned().unwrap_or(NO_TIME);
    mean(intervals, |interval| fact(interval).known()).ok_or_else(why)
}

impl Interval {
    /// TCP payload that left, by whichever path, retransmits included. None unless all of it is known.
    #[must_use]
    pub fn payload_gbps(&self) -> Option<f64> {
        let classes = [&self.hardware_gbps, &self.software_gbps, &self.unaggregated_gbps, &self.small_gbps];
        classes.into_iter().map(Known::known).sum()
    }

    fn of(window: &Window<'_>, delta: &Delta) -> Self {
        let counted = counts(window, delta);
        let tcp = counted.clone().map(|counted| Protocol::tcp(counted).total);
        let gbps = |bytes: u64| gbps(bytes, delta.duration_ns).ok_or(NO_TIME);
        let tcp_gbps = |bytes: fn(&super::ledger::Entry) -> u64| match &tcp {
            Ok(tcp) => gbps(bytes(tcp)),
            Err(why) => Err(why.clone()),
        };
        let retransmitted_bytes = counted.clone().and_then(|counted| {
            delta.retransmitted_bytes(counted, &TCP_LANES).ok_or(Why::is(RETRANSMITS_UNKNOWN))
        });
        let goodput_gbps = match (&counted, &retransmitted_bytes) {
            (Ok(counted), Ok(retransmitted)) => {
                let left = Tally::of(counted, Stage::Driver, &TCP_LANES).payload_bytes;
                gbps(left.saturating_sub(*retransmitted))
            }
            (Err(why), _) | (_, Err(why)) => Err(why.clone()),
        };
        let segmentation_cpu = counted.clone().and_then(|counted| segmentation_cpu(window, delta, counted));
        Self {
            t_s: seconds(delta.end_ns),
            duration_s: seconds(delta.duration_ns),
            wire_gbps: wire_bytes(window, delta).and_then(gbps),
            goodput_gbps,
            hardware_gbps: tcp_gbps(|tcp| tcp.hardware_bytes),
            software_gbps: tcp_gbps(|tcp| tcp.software_bytes),
            unaggregated_gbps: tcp_gbps(|tcp| tcp.unaggregated_bytes),
            small_gbps: tcp_gbps(|tcp| tcp.small_bytes),
            software_share: tcp.and_then(|tcp| tcp.software_share().ok_or(NOTHING_SENT)),
            segmentation_ns_per_byte: segmentation_cpu.clone().and_then(|cpus| {
                let bytes = counted.clone().map(transport_payload_bytes)?;
                per_byte(cpus, delta.duration_ns, bytes).ok_or(untimed(window))
            }),
            segmentation_cpu,
            retransmitted_bytes,
            mean_queued_bytes: mean_data_packet(&counted, Stage::Queue),
            mean_driver_bytes: mean_data_packet(&counted, Stage::Driver),
            segments_per_packet: KernelCounters::of(window, delta).segments_per_packet.ok(),
            rtt_us: delta.rtt_us.map(f64::from),
            cpus: cpus(window, delta),
            queues: delta.queues.iter().map(|queue| QueueRate::of(queue, delta.duration_ns)).collect(),
            merged: None,
        }
    }
}

/// What the programs counted.
fn counts<'a>(window: &Window<'_>, delta: &'a Delta) -> Fact<&'a Counters> {
    match window.conditions.mode {
        Mode::Counters => Err(Why::NoPrograms),
        _ => delta.traced.as_deref().ok_or(Why::is("the programs' counts could not be read")),
    }
}

/// CPUs busy segmenting, by each call's time or by stack samples.
fn segmentation_cpu(window: &Window<'_>, delta: &Delta, counted: &Counters) -> Fact<f64> {
    let timed = segmentation_ns(window, counted).and_then(|ns| share(ns, delta.duration_ns));
    timed.or_else(|| sampled_cpu(window, delta, counted)).ok_or(untimed(window))
}

/// Why segmentation was not timed in an interval.
const fn untimed(window: &Window<'_>) -> Why {
    match window.conditions.mode {
        Mode::Counters => Why::NoPrograms,
        Mode::Tracepoint => Why::is(
            "stack samples alone time segmentation on this rung, in windows unless --exact: there were too few, or nothing was sent",
        ),
        Mode::Fentry | Mode::Kprobe => {
            Why::is("segmentation was not hooked, or nothing was sent in that interval")
        }
    }
}

impl CpuShare {
    /// None where no time passed on that CPU: the kernel counts it in ticks.
    pub fn of(times: &CpuTimes) -> Option<Self> {
        let of_total = |part| share(part, times.total_ns).map(|share| share.min(1.0));
        Some(Self {
            busy: of_total(times.busy_ns)?,
            softirq: of_total(times.softirq_ns)?,
            steal: of_total(times.steal_ns)?,
            segmenting: None,
            tcp_gbps: None,
        })
    }

    /// By their numbers. Empty where none is known; one that is not, beside others, is offline or rested, and keeps its place.
    pub fn in_their_places(shares: impl Iterator<Item = Option<Self>>) -> Vec<Self> {
        let shares: Vec<Option<Self>> = shares.collect();
        if shares.iter().all(Option::is_none) {
            return Vec::new();
        }
        shares.into_iter().map(Option::unwrap_or_default).collect()
    }

    fn with(self, work: &CpuWork, timed: bool, duration_ns: u64) -> Self {
        Self {
            segmenting: share(work.segmentation_ns, duration_ns)
                .filter(|_| timed)
                .map(|share| share.min(1.0)),
            tcp_gbps: gbps(work.tcp_payload_bytes, duration_ns),
            ..self
        }
    }
}

impl QueueRate {
    fn of(queue: &QueueCounters, duration_ns: u64) -> Self {
        Self {
            gbps: queue.bytes.and_then(|bytes| gbps(bytes, duration_ns)),
            packets_per_s: queue
                .packets
                .and_then(|packets| share(packets, duration_ns))
                .map(|rate| rate * 1e9),
        }
    }
}

/// Each CPU's time, and what it did meanwhile.
fn cpus(window: &Window<'_>, delta: &Delta) -> Vec<CpuShare> {
    let shares = CpuShare::in_their_places(delta.cpus.iter().map(CpuShare::of));
    let timed = times_segmentation(window);
    // The programs count by the CPU's number, as /proc/stat does, and know every CPU that there could be.
    let work = |cpu: usize| delta.work.get(cpu);
    // Where counting is light, nobody counted at the driver, CPU by CPU.
    let at_driver = delta.light.is_none();
    let with_work = |(cpu, share): (usize, CpuShare)| match work(cpu) {
        Some(work) => {
            let share = share.with(work, timed, delta.duration_ns);
            CpuShare { tcp_gbps: share.tcp_gbps.filter(|_| at_driver), ..share }
        }
        None => share,
    };
    shares.into_iter().enumerate().map(with_work).collect()
}

/// Time inside `__skb_gso_segment` for this device; None where the rung cannot time it.
pub(crate) fn segmentation_ns(window: &Window<'_>, counted: &Counters) -> Option<u64> {
    times_segmentation(window).then(|| device_segmentation_ns(counted))
}

fn times_segmentation(window: &Window<'_>) -> bool {
    window.conditions.hooks.counts(Hook::SkbGsoSegment)
        && matches!(window.conditions.mode, Mode::Fentry | Mode::Kprobe)
}

fn device_segmentation_ns(counted: &Counters) -> u64 {
    counted.segmentation.splits[Caller::Device as usize].iter().map(|split| bounded(split.ns)).sum()
}

impl CpuWork {
    /// Of what one CPU counted.
    #[must_use]
    pub fn of(counted: &Counters) -> Self {
        Self {
            segmentation_ns: device_segmentation_ns(counted),
            tcp_payload_bytes: Tally::of(counted, Stage::Queue, &TCP_LANES).payload_bytes,
        }
    }
}

/// CPUs busy segmenting, by stack samples: where counting is light, those of windows. What comes in after one is late, and no measure of the time
/// until the next.
fn sampled_cpu(window: &Window<'_>, delta: &Delta, counted: &Counters) -> Option<f64> {
    let takes_samples = window.conditions.counting == Counting::Exact || delta.every_segment;
    let sampled = window.conditions.hooks.counts(Hook::StackSample) && takes_samples;
    let samples = &counted.samples;
    sampled.then(|| share(samples.segmenting, samples.total))?.map(|share| share * delta.cpus.len() as f64)
}

/// With the headers that super-packets get on the wire. The device's own bytes leave those out, so they serve for
/// nothing here.
fn wire_bytes(window: &Window<'_>, delta: &Delta) -> Fact<u64> {
    match (counts(window, delta), delta.qdisc) {
        (Ok(counted), _) => {
            let driver = Tally::of(counted, Stage::Driver, &Lane::ALL);
            Ok(driver.bytes.saturating_add(driver.unsent_header_bytes))
        }
        (Err(_), Some(qdisc)) => Ok(qdisc.bytes),
        (Err(Why::NoPrograms), None) => Err(WIRE_UNMEASURED),
        (Err(why), None) => Err(why),
    }
}

fn transport_payload_bytes(counted: &Counters) -> u64 {
    Tally::of(counted, Stage::Driver, &[Lane::Tcp4, Lane::Tcp6, Lane::Udp4, Lane::Udp6]).payload_bytes
}

/// Mean `skb->len` of TCP packets with payload, bytes.
fn mean_data_packet(counted: &Fact<&Counters>, stage: Stage) -> Fact<f64> {
    let counted = counted.clone()?;
    let (mut packets, mut bytes) = (0_u64, 0_u64);
    for each in TCP_LANES {
        let counts = lane(counted, stage, each);
        for class in
            [Class::Super, Class::Made, Class::Full, Class::Small, Class::LooseFull, Class::LooseSmall]
        {
            let cell = cell(counts, class);
            packets += cell.packets;
            bytes += cell.bytes;
        }
    }
    share(bytes, packets).ok_or(NOTHING_SENT)
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// Bits per nanosecond are gigabits per second.
pub fn gbps(bytes: u64, ns: u64) -> Option<f64> {
    share(bytes, ns).map(|per_ns| per_ns * 8.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::HookState;
    use crate::testing::{HEADER, MSS, Scene};

    fn close(found: Option<f64>, expected: f64) {
        let found = found.expect("measured");
        assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{found} is not {expected}");
    }

    #[test]
    fn each_interval_tells_only_its_own_bytes() {
        let mut scene = Scene::new();
        scene.whole(1_000, 44);
        scene.tick();
        scene.cut(500, 44).retransmitted(100);
        let [first, second] = <[Interval; 2]>::try_from(intervals(&scene.window())).unwrap();
        assert_eq!((first.t_s, second.t_s, second.duration_s), (1.0, 2.0, 1.0));
        close(first.hardware_gbps.known(), (44_000 * MSS * 8) as f64 / 1e9);
        close(first.software_share.known(), 0.0);
        close(second.hardware_gbps.known(), 0.0);
        close(second.software_share.known(), 1.0);
        close(second.goodput_gbps.known(), (22_000 * MSS * 8) as f64 / 1e9);
        assert_eq!(second.retransmitted_bytes.known(), Some(100 * MSS));
        close(second.segments_per_packet, 1.0);
        close(first.segments_per_packet, 44.0);
    }

    #[test]
    fn the_wire_carries_the_headers_that_super_packets_do_not() {
        let mut scene = Scene::new();
        scene.whole(1_000, 44);
        close(whole(&scene.window()).unwrap().wire_gbps.known(), (44_000 * (MSS + HEADER) * 8) as f64 / 1e9);
        let mut without_programs = scene;
        without_programs.forget_the_programs();
        without_programs.conditions.mode = Mode::Counters;
        let interval = whole(&without_programs.window()).unwrap();
        close(interval.wire_gbps.known(), (44_000 * (MSS + HEADER) * 8) as f64 / 1e9);
        assert_eq!((interval.goodput_gbps.known(), interval.mean_queued_bytes.known()), (None, None));
        without_programs.without_qdisc();
        assert_eq!(whole(&without_programs.window()).unwrap().wire_gbps.known(), None);
    }

    #[test]
    fn packets_shrink_between_queue_and_driver_where_the_cpu_segments() {
        let mut scene = Scene::new();
        scene.cut(100, 44).control(1_000);
        let interval = whole(&scene.window()).unwrap();
        close(interval.mean_queued_bytes.known(), (44 * MSS + HEADER) as f64);
        close(interval.mean_driver_bytes.known(), (MSS + HEADER) as f64);
    }

    #[test]
    fn segmentation_is_unmeasured_where_the_rung_cannot_time_it() {
        let mut scene = Scene::new();
        scene.cut(1_000, 44);
        let interval = whole(&scene.window()).unwrap();
        close(interval.segmentation_cpu.known(), f64::from(44_000 * 700) / 1e9);
        close(interval.segmentation_ns_per_byte.known(), 700.0 / MSS as f64);
        let mut tracepoints = Scene::tracepoints_only();
        tracepoints.whole(1_000, 44);
        assert_eq!(whole(&tracepoints.window()).unwrap().segmentation_cpu.known(), None);
        tracepoints.conditions.hooks[Hook::StackSample] = HookState::Attached;
        tracepoints.counters().samples.total = 100;
        tracepoints.counters().samples.segmenting = 25;
        close(whole(&tracepoints.window()).unwrap().segmentation_cpu.known(), 0.5);
        // Between windows a late sample comes in, and tells nothing of that time.
        tracepoints.conditions.counting = Counting::Light;
        let between = whole(&tracepoints.window()).unwrap();
        assert_eq!(
            (between.segmentation_cpu.known(), between.segmentation_ns_per_byte.known()),
            (None, None)
        );
        tracepoints.last().every_segment = true;
        close(whole(&tracepoints.window()).unwrap().segmentation_cpu.known(), 0.5);
    }

    #[test]
    fn the_round_trip_is_the_one_at_the_intervals_end_on_every_rung() {
        let mut scene = Scene::counters_only();
        assert_eq!(whole(&scene.window()).unwrap().rtt_us, None);
        scene.samples[0].rtt_us = Some(9_000);
        scene.last().rtt_us = Some(420);
        assert_eq!(whole(&scene.window()).unwrap().rtt_us, Some(420.0));
    }

    #[test]
    fn an_interval_in_which_nothing_was_built_has_no_share() {
        let mut scene = Scene::new();
        scene.full(100);
        assert_eq!(whole(&scene.window()).unwrap().software_share.known(), None);
    }

    #[test]
    fn cpus_have_shares_of_their_own_time() {
        let scene = Scene::new();
        let cpus = whole(&scene.window()).unwrap().cpus;
        let half = CpuShare { busy: 0.5, softirq: 0.25, ..CpuShare::default() };
        assert_eq!(cpus, [half; 2]);
        // One that is offline keeps its place, or the numbers of those behind it would shift.
        let mut offline = scene;
        offline.samples[1].cpus[0] = offline.samples[0].cpus[0];
        assert_eq!(whole(&offline.window()).unwrap().cpus, [CpuShare::default(), half]);
        let mut still = offline;
        still.samples[1].cpus = still.samples[0].cpus.clone();
        assert_eq!(whole(&still.window()).unwrap().cpus, []);
    }
}
