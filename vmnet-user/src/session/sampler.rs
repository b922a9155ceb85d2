//! Reading everything at one moment.

use std::{
    borrow::Cow,
    net::IpAddr,
    time::{Duration, Instant},
};

use anyhow::Result;
use vmnet_common::{ClosedSockets, Counters, Stage};

use super::{
    own_cost::{FirstWindow, Queued, RunNs},
    stop::Stop,
};
use crate::device::features::FeatureReader;
use crate::device::interface::describe;
use crate::device::links::{Link, LinkError, LinkReader};
use crate::device::qdisc::QdiscReader;
use crate::device::sockets::{SocketBytes, SocketReader};
use crate::device::{cpu, machine, queue_stats, rings};
use crate::model::driver_semantics::{DriverRow, DriverSemantics};
use crate::model::event::What;
use crate::model::features::FeatureSet;
use crate::model::hook::Hooks;
use crate::model::hook::ProgramsMethod;
use crate::model::interface::Interface;
use crate::model::machine::QueueCounters;
use crate::model::sample::{
    Conditions, Counting, CpuWork, MissedByKernel, Mode, Retransmitted, Sample, SocketTotals,
};
use crate::model::senders::{Looks, Sender, SenderLimits};
use crate::model::verdict::FEWEST_AUDITED_PACKETS;
use crate::probes::events::RareEvent;
use crate::probes::{Attached, RunTime};
use crate::recording::Taken;

/// How often live sockets are asked for while others close.
const SOCKET_LOOKS: usize = 3;

/// With more, the kernel is asked for them at a window's edges alone: the answer takes time with every socket of the namespace.
const MOST_SOCKETS_AT_EVERY_SAMPLE: u64 = 200;

/// As events name the hook whose entry was not seen.
const NET_DEV_XMIT: u64 = 3;

/// Reads samples. Sockets to the kernel stay open, so that a sample costs little.
pub(super) struct Sampler {
    pub(super) link: Link,
    /// What the report says of it; the qdisc as of the last sample.
    described: Interface,
    pub(super) netns_inode: u64,
    pub(super) attached: Option<Attached>,
    events: Vec<RareEvent>,
    /// `dev->features` as the run began, and then as the last event has them.
    known_features: Option<u64>,
    /// Reasons for parts that cannot be read, by part.
    pub(super) unreadable: Vec<(&'static str, String)>,
    /// What the interface is called now; `link` says what it was called when the run began.
    called: String,
    links: LinkReader,
    qdiscs: Option<QdiscReader>,
    features: Option<FeatureReader>,
    sockets: Option<SocketReader>,
    /// More than are asked for at every sample, when they were last looked at.
    sockets_are_many: bool,
    senders: Looks,
    addresses: Vec<IpAddr>,
    conditions: Conditions,
    by_cpu: Vec<Counters>,
    tells_queues: bool,
    /// Whether the hooks per segment have counted since the last sample.
    every_segment: bool,
    /// Whether the kernel keeps the programs' run times to the end.
    keeps_run_times: bool,
    /// Why every segment is counted all the time, though less was asked for.
    counting_reason: Option<String>,
    begun: Instant,
    /// The device's.
    begun_tx_packets: u64,
    begun_monotonic_ns: u64,
    begun_cpu_ns: Option<u64>,
    begun_ran: Option<RunNs>,
    /// Packets at the queue when the run began, and since.
    begun_queued: u64,
    queued: Queued,
    /// What the programs took in the first window, once it is over, program by program.
    first_window: Option<(FirstWindow, Vec<RunTime>)>,
    taken: Taken,
}

/// What the interface's TCP sockets say.
#[derive(Clone, Copy)]
struct Sockets {
    totals: SocketTotals,
    retransmitted: Retransmitted,
}

impl Sampler {
    pub(super) fn open(interface: &str) -> Result<Self> {
        let mut links = LinkReader::open()?;
        let link = links.link(interface)?;
        let addresses = links.addresses(link.ifindex)?;
        let described = describe(&link, None)?;
        let mut unreadable = Vec::new();
        let mut or_reason = |part, error: &dyn std::error::Error| unreadable.push((part, error.to_string()));
        let qdiscs = QdiscReader::open().map_err(|error| or_reason("qdisc", &error)).ok();
        let features = FeatureReader::open().map_err(|error| or_reason("features", &error)).ok();
        let sockets = SocketReader::open().map_err(|error| or_reason("sockets", &error)).ok();
        let ring = rings::tx_ring(link.ifindex).ok();
        let conditions = Conditions {
            mtu: link.mtu,
            gso_max_segs: link.gso_max_segs,
            ring_slots: ring.zip(described.queues).map(|(ring, queues)| rings::ring_slots(ring, queues)),
            terminal: described.terminal,
            mode: Mode::Counters,
            counting: Counting::Exact,
            driver: DriverRow::of(if link.loopback {
                "lo"
            } else {
                described.driver.as_deref().unwrap_or_default()
            }),
            hooks: Hooks::default(),
        };
        Ok(Self {
            netns_inode: described.netns.inode,
            described,
            attached: None,
            events: Vec::new(),
            known_features: None,
            unreadable,
            called: link.name.clone(),
            links,
            qdiscs,
            features,
            sockets,
            sockets_are_many: false,
            senders: Looks::default(),
            addresses,
            conditions,
            by_cpu: Vec::new(),
            tells_queues: true,
            every_segment: false,
            keeps_run_times: false,
            counting_reason: None,
            begun: Instant::now(),
            begun_tx_packets: 0,
            begun_monotonic_ns: 0,
            begun_cpu_ns: None,
            begun_ran: None,
            begun_queued: 0,
            queued: Queued::default(),
            first_window: None,
            taken: Taken::default(),
            link,
        })
    }

    /// What is fixed during a run, as it is now.
    pub(super) fn look_again(&mut self) -> Result<(), LinkError> {
        let link = self.links.link(&self.called)?;
        if link.ifindex != self.link.ifindex {
            return Err(LinkError::Gone { name: self.called.clone(), ifindex: self.link.ifindex });
        }
        self.addresses = self.links.addresses(link.ifindex)?;
        self.conditions.mtu = link.mtu;
        self.conditions.gso_max_segs = link.gso_max_segs;
        let queues = rings::tx_queues(&link.name).ok();
        let ring = rings::tx_ring(link.ifindex).ok();
        self.conditions.ring_slots = ring.zip(queues).map(|(ring, queues)| rings::ring_slots(ring, queues));
        (self.described.mtu, self.described.queues) = (link.mtu, queues);
        self.tells_queues = true;
        self.link = link;
        Ok(())
    }

    /// The interface has another name from now on.
    pub(super) fn follow(&mut self, name: &str) {
        name.clone_into(&mut self.called);
    }

    /// Sockets of the interface's addresses, with what held them up. None where that cannot be read.
    fn look_at_senders(&mut self) -> Option<Vec<Sender>> {
        self.sockets.as_mut()?.senders(&self.addresses).ok()
    }

    /// What held the sockets up, as far as they lived at the last sample with any that sent.
    pub(super) fn senders(&self) -> Option<&SenderLimits> {
        self.senders.limits()
    }

    /// Looks at the senders. Gives the round trip of those that were busy since the look before.
    fn round_trip_us(&mut self) -> Option<u32> {
        let now = self.look_at_senders()?;
        let after_ns = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.senders.add(now, after_ns)?.rtt_us
    }

    /// What it is called now.
    pub(super) fn called(&self) -> &str {
        &self.called
    }

    pub(super) fn mode(&self) -> Mode {
        self.conditions.mode
    }

    pub(super) fn interface(&self, netns: Option<&str>) -> Interface {
        let mut interface = self.described.clone();
        interface.netns.name = netns.map(str::to_owned);
        interface
    }

    /// What is fixed from now on.
    pub(super) fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Samples will hold what these programs count.
    pub(super) fn use_programs(&mut self, attached: Attached, counting: Counting, keeps_run_times: bool) {
        self.keeps_run_times = keeps_run_times;
        self.conditions.mode = attached.mode;
        self.conditions.hooks = attached.hook_states();
        self.conditions.counting = counting;
        self.every_segment = true;
        self.attached = Some(attached);
    }

    /// Whether super-packets alone are counted, and segments in windows.
    pub(super) fn is_light(&self) -> bool {
        self.attached.is_some() && self.conditions.counting == Counting::Light
    }

    /// Packets that reached the driver while the hooks there counted. The device is asked first: kprobes on this CPU rest while a map is
    /// read, and what they would have counted is lost.
    pub(super) fn packets_at_the_driver(&mut self) -> u64 {
        let device = self.links.counters(self.link.ifindex, &self.called).map_or(0, |link| link.tx_packets);
        let since = device.saturating_sub(self.begun_tx_packets);
        if since < FEWEST_AUDITED_PACKETS {
            return since;
        }
        let counted = self.attached.as_ref().and_then(|attached| attached.probes.snapshot().ok());
        counted.map_or(0, |counted| packets_at(&counted.counters, Stage::Driver))
    }

    /// Attaches the hooks at the driver again. The sample that is taken next is the window's beginning.
    pub(super) fn open_window(&mut self) -> Result<(), String> {
        match &mut self.attached {
            Some(attached) => attached.probes.open_window(),
            None => Ok(()),
        }
    }

    /// As a run begins: with the first window open, or with none.
    pub(super) fn begin_with(&mut self, windows: bool) {
        if !self.is_light() {
            return;
        }
        if !windows {
            // There will be no first one to learn from.
            self.know_own_cost();
            self.close_window();
        } else if !self.every_segment {
            match self.open_window() {
                Ok(()) => self.every_segment = true,
                Err(error) => log::warn!("the hooks at the driver could not be attached again: {error}"),
            }
        }
    }

    /// What the device's counters count, as a window showed it: later runs, which may have none, know it from the start.
    pub(super) fn driver_counts(&mut self, semantics: DriverSemantics) {
        self.conditions.driver = DriverRow::Known(semantics);
    }

    /// Detaches them. The sample that was taken last is the window's end.
    pub(super) fn close_window(&mut self) {
        self.every_segment = false;
        if let Some(attached) = &mut self.attached {
            attached.probes.close_window();
        }
    }

    /// Whether the intervals that samples end from now on have every segment counted.
    pub(super) fn every_segment(&mut self, is: bool) {
        self.every_segment = is;
    }

    /// Every segment is counted until the end.
    pub(super) fn stays_exact(&mut self, why: String) {
        self.conditions.counting = Counting::Exact;
        self.counting_reason = Some(why);
    }

    /// Which packets were counted in the end, and why not those that were asked for.
    pub(super) fn counting(&self) -> (Counting, Option<String>) {
        (self.conditions.counting, self.counting_reason.clone())
    }

    /// Rare events that came since the last call.
    pub(super) fn take_events(&mut self) -> Vec<RareEvent> {
        let mut events = std::mem::take(&mut self.events);
        // Each CPU tells of a change at its next packet, which may be long after it, even in a later run.
        events.retain(|event| match event.what {
            What::FeaturesChanged { is, .. } => self.known_features.replace(is) != Some(is),
            // A packet that was there as a window began, or ended.
            What::UnmatchedExit { function: NET_DEV_XMIT } => self.conditions.counting == Counting::Exact,
            _ => true,
        });
        events
    }

    /// Forgets events from before the run: attaching to calls under way leaves exits without entries.
    pub(super) fn discard_events(&mut self) {
        if let Some(attached) = &mut self.attached {
            attached.probes.events();
        }
    }

    /// The first sample, and whether the interface was at rest when it was taken.
    pub(super) async fn first(&mut self) -> Result<(Sample, bool)> {
        self.begun = Instant::now();
        self.begun_monotonic_ns = monotonic_ns();
        self.begun_cpu_ns = machine::own_cpu_time_ns().ok();
        self.begun_ran = self.programs_ran();
        self.first_window = None;
        self.known_features = self.feature_set().map(|set| set.active_bits());
        let mut sample = self.sample(true)?;
        let mut rested = false;
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let now = self.sample(true)?;
            rested = at_rest(&sample, &now);
            sample = now;
            if rested {
                break;
            }
        }
        self.senders = Looks::begin(self.look_at_senders().unwrap_or_default());
        // The run begins with the sample that it keeps.
        self.begun += Duration::from_nanos(sample.at_ns);
        self.begun_monotonic_ns += sample.at_ns;
        sample.at_ns = 0;
        self.begun_tx_packets = sample.link.tx_packets;
        self.begun_queued = sample.traced.as_deref().map_or(0, |counters| packets_at(counters, Stage::Queue));
        self.queued = Queued::default();
        Ok((sample, rested))
    }

    /// Samples until traffic is at rest, or for `limit`. Gives the last sample, and whether it was.
    pub(super) async fn drain(
        &mut self,
        limit: Duration,
        look: Duration,
        stop: &mut Stop,
    ) -> Result<(Sample, bool), LinkError> {
        let deadline = Instant::now() + limit;
        let mut before = self.sample(true)?;
        loop {
            let hurried = tokio::select! {
                () = tokio::time::sleep(look) => false,
                _ = stop.wanted() => true,
            };
            let now = self.sample(true)?;
            let rested = at_rest(&before, &now);
            if rested || hurried || Instant::now() >= deadline {
                return Ok((now, rested));
            }
            before = now;
        }
    }

    /// Reads everything; `edge` adds what is dear and needed only at a window's ends, and leaves out what only the time between them
    /// is asked for.
    pub(super) fn sample(&mut self, edge: bool) -> Result<Sample, LinkError> {
        let lived_before = if edge || self.sockets_are_many { None } else { self.live_sockets() };
        let start = Instant::now();
        // What is compared with each other is read together: programs, link, qdisc.
        let mut snapshot = match &self.attached {
            Some(attached) => match attached.probes.snapshot() {
                Ok(snapshot) => Some(snapshot),
                Err(error) => {
                    log::warn!("{error}");
                    None
                }
            },
            None => None,
        };
        let (link, mtu) = self.links.counters_and_mtu(self.link.ifindex, &self.called)?;
        let tree = self.qdiscs.as_mut().and_then(|reader| reader.read(self.link.ifindex).ok());
        let read_ns = as_ns(start.elapsed());
        if let Some(snapshot) = &snapshot {
            let all = packets_at(&snapshot.counters, Stage::Queue).saturating_sub(self.begun_queued);
            if self.every_segment {
                self.queued.in_windows += all.saturating_sub(self.queued.all);
            }
            self.queued.all = all;
        }
        let moved_segs =
            snapshot.as_ref().filter(|_| edge).map_or(0, |before| self.moved_since(&before.counters));
        if let Some(tree) = &tree {
            self.described.qdisc.clone_from(&tree.root);
        }
        self.by_cpu =
            snapshot.as_mut().map(|snapshot| std::mem::take(&mut snapshot.by_cpu)).unwrap_or_default();
        let features = self.feature_set().map(|set| set.offloads()).unwrap_or_default();
        let closed = snapshot.as_ref().map(|snapshot| snapshot.counters.closed_sockets);
        let sockets = match lived_before {
            _ if edge => self.sockets(),
            Some(before) => closed.and_then(|closed| self.sockets_since(&before, closed)),
            None => None,
        };
        if let Some(sockets) = sockets {
            self.sockets_are_many = sockets.totals.live > MOST_SOCKETS_AT_EVERY_SAMPLE;
        }
        let retransmitted =
            sockets.filter(|sockets| !sockets.totals.lower_bound).map(|sockets| sockets.retransmitted);
        let sockets = sockets
            .filter(|_| edge)
            .map(|sockets| SocketTotals { read_ns: as_ns(start.elapsed()), ..sockets.totals });
        if let Some(attached) = &mut self.attached {
            let events = attached.probes.events();
            self.events.extend(events);
            attached.probes.flush_log();
        }
        Ok(Sample {
            at_ns: as_ns(start.duration_since(self.begun)),
            read_ns,
            moved_segs,
            every_segment: self.every_segment,
            missed: snapshot.as_ref().map_or_else(MissedByKernel::default, |snapshot| snapshot.missed),
            work: self.by_cpu.iter().map(CpuWork::of).collect(),
            traced: snapshot.map(|snapshot| snapshot.counters),
            link,
            mtu,
            qdisc: tree.and_then(|tree| tree.counters),
            features,
            cpus: cpu::cpu_times().unwrap_or_default(),
            sockets,
            retransmitted,
            // After everything that is compared with each other: it is slow, and only looked at.
            queues: self.queues(),
            rtt_us: if edge { None } else { self.round_trip_us() },
        })
    }

    /// What each transmit queue sent since boot. A device that once did not tell is not asked again.
    fn queues(&mut self) -> Vec<QueueCounters> {
        if !self.tells_queues {
            return Vec::new();
        }
        let told = queue_stats::transmit_queues(&self.called, self.link.ifindex);
        self.tells_queues = told.is_ok();
        told.map(|(queues, _)| queues).unwrap_or_default()
    }

    /// Each CPU's counts as of the last sample: a CPU's place is its number. Empty without programs.
    pub(super) fn by_cpu(&self) -> &[Counters] {
        &self.by_cpu
    }

    pub(super) fn feature_set(&mut self) -> Option<FeatureSet> {
        self.features.as_mut()?.read(self.link.ifindex).ok()
    }

    /// Live sockets plus closed ones, looked at again when some closed meanwhile: those may be in both sums or in neither.
    /// Without the programs, those that closed are not known, and there is no sum.
    fn sockets(&mut self) -> Option<Sockets> {
        let mut closed = self.closed_sockets()?;
        for _ in 0..SOCKET_LOOKS {
            let sockets = self.add_live_sockets(closed)?;
            let closed_by_now = self.closed_sockets()?;
            if closed_by_now == closed {
                return Some(sockets);
            }
            closed = closed_by_now;
        }
        let mut sockets = self.add_live_sockets(closed)?;
        sockets.totals.lower_bound = true;
        Some(sockets)
    }

    /// Wire segments that passed since, at the busier stage.
    fn moved_since(&self, before: &Counters) -> u64 {
        let now = self.attached.as_ref().and_then(|attached| attached.probes.snapshot().ok());
        let segs = |counters: &Counters, stage: Stage| -> u64 {
            let lanes = counters.stages[stage as usize].iter();
            lanes.flat_map(|lane| &lane.cells).fold(0, |sum, cell| sum.wrapping_add(cell.segs))
        };
        now.map_or(0, |now| {
            let moved = now.counters.since(before);
            segs(&moved, Stage::Queue).max(segs(&moved, Stage::Driver))
        })
    }

    fn closed_sockets(&self) -> Option<ClosedSockets> {
        Some(self.attached.as_ref()?.probes.snapshot().ok()?.counters.closed_sockets)
    }

    /// The same with those that had closed when a sample was read; None where one that lived before it does no more. No map is read for it: while
    /// one is, kprobes on this CPU rest, and what they would have counted is lost.
    fn sockets_since(&mut self, before: &[SocketBytes], closed: ClosedSockets) -> Option<Sockets> {
        let live = self.live_sockets()?;
        let all_live = before.iter().all(|then| live.iter().any(|now| now.cookie == then.cookie));
        all_live.then(|| self.totals(&live, closed))
    }

    fn live_sockets(&mut self) -> Option<Vec<SocketBytes>> {
        self.sockets.as_mut()?.live(&self.addresses).ok()
    }

    fn add_live_sockets(&mut self, closed: ClosedSockets) -> Option<Sockets> {
        let live = self.live_sockets()?;
        Some(self.totals(&live, closed))
    }

    fn totals(&self, live: &[SocketBytes], closed: ClosedSockets) -> Sockets {
        let mut totals = SocketTotals {
            bytes_sent: closed.bytes_sent,
            bytes_not_sent: 0,
            bytes_discarded: closed.bytes_discarded,
            live: 0,
            lower_bound: closed.unrouted != 0,
            read_ns: 0,
        };
        let over_ipv6 = closed.bytes_retransmitted_tcp6;
        let mut retransmitted =
            Retransmitted { ipv4: closed.bytes_retransmitted.saturating_sub(over_ipv6), ipv6: over_ipv6 };
        // A peer on this very machine is reached through lo, whatever address it has.
        for socket in live.iter().filter(|socket| !self.addresses.contains(&socket.remote.ip())) {
            // A socket that waits out FIN-WAIT-2 keeps no figures any more: it was counted when it closed.
            let Some(bytes_sent) = socket.bytes_sent else { continue };
            totals.live += 1;
            totals.bytes_sent += bytes_sent;
            totals.bytes_not_sent += socket.bytes_not_sent.unwrap_or_default();
            let of_family =
                if socket.local.is_ipv4() { &mut retransmitted.ipv4 } else { &mut retransmitted.ipv6 };
            *of_family += socket.bytes_retransmitted.unwrap_or_default();
        }
        Sockets { totals, retransmitted }
    }

    fn programs_ran(&self) -> Option<RunNs> {
        let times = self.attached.as_ref()?.probes.run_times()?;
        let sum = |stays| {
            let of = times.iter().filter(|time| time.stays == stays);
            of.map(|time| as_ns(time.run.total)).sum()
        };
        Some(RunNs { always: sum(true), in_windows: sum(false) })
    }

    /// The first window is over, or the run in it: what the programs took in it is known, and the kernel need not keep it any longer.
    pub(super) fn know_own_cost(&mut self) {
        if self.keeps_run_times || self.first_window.is_some() {
            return;
        }
        let ran = self.programs_ran().zip(self.begun_ran).map(|(now, then)| now.since(then));
        let Some(attached) = &mut self.attached else { return };
        if let Some((ran, times)) = ran.zip(attached.probes.run_times()) {
            self.first_window = Some((FirstWindow { ran, packets: self.queued.all }, times));
        }
        attached.probes.forget_run_times();
    }

    /// What each program ran: in the whole run where that was asked for, else in its first window.
    pub(super) fn run_times(&self) -> Option<RunTimes<'_>> {
        if self.keeps_run_times {
            let times = self.attached.as_ref()?.probes.run_times()?;
            return Some(RunTimes { of_each: times.into(), are_of_the_whole_run: true });
        }
        let (_, times) = self.first_window.as_ref()?;
        Some(RunTimes { of_each: times.into(), are_of_the_whole_run: false })
    }

    /// What the tool took from the first sample until the window's end.
    pub(super) fn overhead(&self) -> Taken {
        self.taken
    }

    /// The window ends here: what is taken from now on is not counted.
    pub(super) fn ends_here(&mut self) {
        let since = |now: Option<u64>, then: Option<u64>| Some(now?.saturating_sub(then?));
        let (programs_ns, programs_method) = if self.keeps_run_times {
            let ran = self.programs_ran().zip(self.begun_ran).map(|(now, then)| now.since(then));
            (ran.map(|ran| ran.always.saturating_add(ran.in_windows)), ProgramsMethod::RunTimes)
        } else {
            self.know_own_cost();
            let first = self.first_window.as_ref();
            (first.and_then(|(first, _)| first.scaled_to(self.queued)), ProgramsMethod::FirstWindow)
        };
        self.taken = Taken {
            programs_ns,
            programs_method: programs_ns.map(|_| programs_method),
            user_ns: since(machine::own_cpu_time_ns().ok(), self.begun_cpu_ns),
            rss_bytes: machine::own_rss_bytes().ok(),
            wall_ns: as_ns(self.begun.elapsed()),
        };
    }

    /// Nanoseconds since the run began, of a kernel timestamp; None for what was before.
    pub(super) fn ns_of(&self, time_ns: u64) -> Option<u64> {
        time_ns.checked_sub(self.begun_monotonic_ns)
    }
}

/// What each program ran.
pub(super) struct RunTimes<'a> {
    pub(super) of_each: Cow<'a, [RunTime]>,
    pub(super) are_of_the_whole_run: bool,
}

/// Packets that the hook at a stage has counted.
fn packets_at(counters: &Counters, stage: Stage) -> u64 {
    let lanes = counters.stages[stage as usize].iter();
    lanes.flat_map(|lane| &lane.cells).fold(0, |sum, cell| sum.wrapping_add(cell.packets))
}

/// Nothing moved between two looks, and nothing waits.
fn at_rest(before: &Sample, now: &Sample) -> bool {
    let stages = |sample: &Sample| sample.traced.as_ref().map(|counters| counters.stages);
    let waiting = now.qdisc.is_some_and(|qdisc| qdisc.backlog_packets != 0 || qdisc.backlog_bytes != 0);
    // A pause in a stream that goes on is no rest.
    let unsent = now.sockets.is_some_and(|sockets| sockets.bytes_not_sent != 0);
    !waiting
        && !unsent
        && stages(before) == stages(now)
        && before.link == now.link
        && before.qdisc == now.qdisc
}

/// CLOCK_MONOTONIC, as the kernel's `bpf_ktime_get_ns` counts.
fn monotonic_ns() -> u64 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .map(|time| as_ns(Duration::from(time)))
        .unwrap_or_default()
}

pub(super) fn as_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
