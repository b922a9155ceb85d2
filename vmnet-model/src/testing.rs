//! Scenes for tests: traffic that every counter of a healthy machine would agree on, and ways to spoil it.

#![allow(
    clippy::unwrap_used,
    clippy::new_without_default,
    missing_docs,
    reason = "tests call it, and it fails as they do"
)]

use vmnet_common::{Caller, Cell, Class, Counters, Lane, Refusal, Stage, bucket};

use super::driver_semantics::DriverRow;
use super::hook::{Hook, HookState, Hooks};
use super::sample::{
    Conditions, Counting, CpuTimes, MissedByKernel, Mode, QdiscCounters, Retransmitted, Sample, SocketTotals,
    Window,
};
use crate::features::Features;
use crate::link_counters::LinkCounters;

/// Payload of a full segment at MTU 1500 with TCP timestamps.
pub const MSS: u64 = 1_448;
/// Ethernet, IPv4, TCP with timestamps.
pub const HEADER: u64 = 66;
pub const SECOND_NS: u64 = 1_000_000_000;
pub const MIB: u64 = 1 << 20;

/// An idle machine's sample, `second` seconds into the run.
pub fn sample_at(second: u64) -> Sample {
    Sample {
        at_ns: second * SECOND_NS,
        read_ns: 100_000,
        moved_segs: 0,
        every_segment: false,
        traced: Some(Box::default()),
        missed: MissedByKernel { recursion_misses: Some(0), kprobe_misses: None },
        link: LinkCounters::default(),
        mtu: None,
        qdisc: Some(QdiscCounters::default()),
        features: Features {
            tso4: Some(true),
            tso6: Some(true),
            tso_ecn: Some(true),
            uso: Some(false),
            gso: Some(true),
        },
        cpus: vec![
            CpuTimes {
                busy_ns: second * SECOND_NS / 2,
                softirq_ns: second * SECOND_NS / 4,
                steal_ns: 0,
                total_ns: second * SECOND_NS,
            };
            2
        ],
        work: Vec::new(),
        queues: Vec::new(),
        sockets: Some(SocketTotals::default()),
        retransmitted: Some(Retransmitted::default()),
        rtt_us: None,
    }
}

/// A run of one second at rest on both sides, with nothing sent yet.
pub struct Scene {
    pub samples: Vec<Sample>,
    pub conditions: Conditions,
    pub drained: bool,
    pub rested_at_start: bool,
}

impl Scene {
    pub fn new() -> Self {
        Self {
            samples: vec![sample_at(0), sample_at(1)],
            conditions: Conditions {
                mtu: 1_500,
                gso_max_segs: Some(65_535),
                ring_slots: Some(256),
                terminal: true,
                mode: Mode::Fentry,
                counting: Counting::Exact,
                driver: DriverRow::of("virtio_net"),
                hooks: Hook::all()
                    .filter(|hook| *hook != Hook::StackSample)
                    .map(|hook| (hook, HookState::Attached))
                    .collect(),
            },
            drained: true,
            rested_at_start: true,
        }
    }

    /// The tracepoint rung: function hooks do not exist there.
    pub fn tracepoints_only() -> Self {
        let mut scene = Self::new();
        scene.conditions.mode = Mode::Tracepoint;
        for hook in [Hook::SkbGsoSegment, Hook::SkbSegment, Hook::TcpSendmsg] {
            scene.conditions.hooks[hook] = HookState::Absent;
        }
        scene
    }

    /// No programs.
    pub fn counters_only() -> Self {
        let mut scene = Self::new();
        scene.conditions.mode = Mode::Counters;
        scene.conditions.hooks = Hooks::default();
        scene
    }

    pub fn window(&self) -> Window<'_> {
        Window {
            samples: &self.samples,
            conditions: &self.conditions,
            drained: self.drained,
            rested_at_start: self.rested_at_start,
            cut_short: None,
            audited: None,
        }
    }

    /// The whole window's counts.
    pub fn traced(&self) -> Box<Counters> {
        self.window().delta().unwrap().traced.unwrap()
    }

    pub fn last(&mut self) -> &mut Sample {
        self.samples.last_mut().unwrap()
    }

    pub fn counters(&mut self) -> &mut Counters {
        self.last().traced.as_mut().unwrap()
    }

    /// Ends the interval and begins another.
    pub fn tick(&mut self) {
        let mut next = self.samples.last().unwrap().clone();
        next.at_ns += SECOND_NS;
        for cpu in &mut next.cpus {
            cpu.busy_ns += SECOND_NS / 2;
            cpu.softirq_ns += SECOND_NS / 4;
            cpu.total_ns += SECOND_NS;
        }
        self.samples.push(next);
    }

    /// `counters` mode looks at everything but the programs.
    pub fn forget_the_programs(&mut self) {
        for sample in &mut self.samples {
            sample.traced = None;
            sample.missed = MissedByKernel::default();
            sample.sockets = None;
            sample.retransmitted = None;
        }
    }

    pub fn set_features(&mut self, tso: bool) {
        for sample in &mut self.samples {
            sample.features.tso4 = Some(tso);
            sample.features.tso6 = Some(tso);
        }
    }

    pub fn without_qdisc(&mut self) {
        for sample in &mut self.samples {
            sample.qdisc = None;
        }
    }

    fn add(&mut self, stage: Stage, class: Class, packets: u64, payload: u64, segs: u64) {
        let cell = Cell {
            packets,
            bytes: packets * (HEADER + payload),
            payload_bytes: packets * payload,
            segs: packets * segs,
        };
        let lane = &mut self.counters().stages[stage as usize][Lane::Tcp4 as usize];
        let to = &mut lane.cells[class as usize];
        to.packets += cell.packets;
        to.bytes += cell.bytes;
        to.payload_bytes += cell.payload_bytes;
        to.segs += cell.segs;
        lane.unsent_header_bytes += packets * (segs - 1) * HEADER;
    }

    fn queued(&mut self, class: Class, packets: u64, payload: u64, segs: u64) {
        self.add(Stage::Queue, class, packets, payload, segs);
        if payload != 0 {
            self.counters().queued_segs[bucket(segs)] += packets;
        }
        if class == Class::Super {
            self.counters().queued_gso_size[bucket(MSS)] += packets;
        }
    }

    fn dequeued(&mut self, packets: u64, payload: u64, segs: u64) {
        if let Some(qdisc) = &mut self.last().qdisc {
            qdisc.packets += packets * segs;
            qdisc.bytes += packets * (payload + segs * HEADER);
        }
    }

    fn driver(&mut self, class: Class, packets: u64, payload: u64, segs: u64) {
        self.add(Stage::Driver, class, packets, payload, segs);
        self.device(packets, packets * (payload + HEADER));
    }

    fn device(&mut self, packets: u64, bytes: u64) {
        let link = &mut self.last().link;
        link.tx_packets += packets;
        link.tx_bytes += bytes;
    }

    fn written(&mut self, payload: u64) {
        let sendmsg = &mut self.counters().tcp_sendmsg;
        sendmsg.calls += 1;
        sendmsg.bytes += payload;
        if let Some(sockets) = &mut self.last().sockets {
            sockets.bytes_sent += payload;
        }
    }

    /// The queue sees that the device lacks what these super-packets need.
    fn foreseen(&mut self, packets: u64, segs: u64) {
        let forecast = &mut self.counters().forecast[Lane::Tcp4 as usize];
        forecast.packets += packets;
        forecast.segs += packets * segs;
        forecast.payload_bytes += packets * segs * MSS;
        forecast.unsent_header_bytes += packets * (segs - 1) * HEADER;
    }

    /// As if no feature had told: a driver that looks at each packet, a limit, a checksum.
    pub fn unforeseen(&mut self) -> &mut Self {
        self.counters().forecast = Counters::default().forecast;
        self
    }

    fn segmented(&mut self, packets: u64, segs: u64, loose: bool) {
        self.foreseen(packets, segs);
        let counters = self.counters();
        counters.segmentation.entries += packets;
        counters.segmentation.exits += packets;
        let split = &mut counters.segmentation.splits[Caller::Device as usize][Lane::Tcp4 as usize];
        split.calls += packets;
        split.segs += packets * segs;
        split.bytes_in += packets * (segs * MSS + HEADER);
        split.bytes_out += packets * segs * (MSS + HEADER);
        split.payload_bytes += packets * segs * MSS;
        split.ns += packets * segs * 700;
        if loose {
            split.loose_payload_bytes += packets * segs * MSS;
            split.loose_segs += packets * segs;
        }
        let refused = &mut counters.segmentation.refused[Lane::Tcp4 as usize][Refusal::Tso4Missing as usize];
        refused.packets += packets;
        refused.payload_bytes += packets * segs * MSS;
        counters.skb_segment.entries += packets;
        counters.skb_segment.exits += packets;
        counters.skb_segment.segs += packets * segs;
        counters.skb_segment.ns += packets * segs * 500;
    }

    /// Super-packets of `segs` full segments that the driver took whole.
    pub fn whole(&mut self, packets: u64, segs: u64) -> &mut Self {
        let payload = segs * MSS;
        self.queued(Class::Super, packets, payload, segs);
        self.dequeued(packets, payload, segs);
        self.driver(Class::Super, packets, payload, segs);
        self.written(packets * payload);
        self
    }

    /// Super-packets that the CPU segmented for this device.
    pub fn cut(&mut self, packets: u64, segs: u64) -> &mut Self {
        self.queued(Class::Super, packets, segs * MSS, segs);
        self.dequeued(packets, segs * MSS, segs);
        self.segmented(packets, segs, false);
        self.driver(Class::Made, packets * segs, MSS, 1);
        self.written(packets * segs * MSS);
        self
    }

    /// Calls of segmentation for one reason, and nothing beside them.
    pub fn refused_for(&mut self, lane: Lane, refusal: Refusal, packets: u64, segs: u64) -> &mut Self {
        let segmentation = &mut self.counters().segmentation;
        let refused = &mut segmentation.refused[lane as usize][refusal as usize];
        refused.packets += packets;
        refused.payload_bytes += packets * segs * MSS;
        let caller = if refusal == Refusal::StackSplits { Caller::Stack } else { Caller::Device };
        let split = &mut segmentation.splits[caller as usize][lane as usize];
        split.calls += packets;
        split.segs += packets * segs;
        split.payload_bytes += packets * segs * MSS;
        self
    }

    /// Super-packets that a device above this one segmented.
    pub fn cut_above(&mut self, packets: u64, segs: u64) -> &mut Self {
        self.queued(Class::Made, packets * segs, MSS, 1);
        self.dequeued(packets * segs, MSS, 1);
        self.driver(Class::Made, packets * segs, MSS, 1);
        self
    }

    /// Super-packets that the IP layer segmented for this device: their segments pass its queue.
    pub fn cut_in_the_stack(&mut self, packets: u64, segs: u64) -> &mut Self {
        self.refused_for(Lane::Tcp4, Refusal::StackSplits, packets, segs).cut_above(packets, segs)
    }

    /// Singles that TCP built with `payload` bytes.
    fn singles(&mut self, class: Class, packets: u64, payload: u64) -> &mut Self {
        self.queued(class, packets, payload, 1);
        self.dequeued(packets, payload, 1);
        self.driver(class, packets, payload, 1);
        self.written(packets * payload);
        self
    }

    pub fn full(&mut self, packets: u64) -> &mut Self {
        self.singles(Class::Full, packets, MSS)
    }

    pub fn small(&mut self, packets: u64, payload: u64) -> &mut Self {
        self.singles(Class::Small, packets, payload)
    }

    pub fn control(&mut self, packets: u64) -> &mut Self {
        self.singles(Class::Control, packets, 0)
    }

    /// Full singles sent a second time.
    pub fn retransmitted(&mut self, packets: u64) -> &mut Self {
        self.full(packets);
        let payload = packets * MSS;
        let counters = self.counters();
        counters.tcp_sendmsg.bytes -= payload;
        if let Some(retransmitted) = &mut self.last().retransmitted {
            retransmitted.ipv4 += payload;
        }
        self
    }

    fn forwarded(&mut self, payload: u64) {
        let counters = self.counters();
        for stage in [Stage::Queue, Stage::Driver] {
            counters.stages[stage as usize][Lane::Tcp4 as usize].forwarded_payload_bytes += payload;
        }
    }

    /// Super-packets of a vlan device above that the CPU segments: their tag lies beside them until after the qdisc.
    pub fn vlan_cut(&mut self, packets: u64, segs: u64) -> &mut Self {
        const TAG: u64 = 4;
        let made = packets * segs;
        self.queued(Class::Super, packets, segs * MSS, segs);
        self.dequeued(packets, segs * MSS, segs);
        self.segmented(packets, segs, false);
        self.driver(Class::Made, made, MSS, 1);
        self.device(0, made * TAG);
        let counters = self.counters();
        let split = &mut counters.segmentation.splits[Caller::Device as usize][Lane::Tcp4 as usize];
        split.bytes_in += packets * TAG;
        split.bytes_out += made * TAG;
        let lane = Lane::Tcp4 as usize;
        counters.stages[Stage::Driver as usize][lane].cells[Class::Made as usize].bytes += made * TAG;
        let queue = &mut counters.stages[Stage::Queue as usize][lane];
        queue.tagged_packets += packets;
        queue.tagged_segs += made;
        queue.upper_payload_bytes += made * MSS;
        self
    }

    /// Forwarded full singles: GRO off on the way in.
    pub fn forwarded_singles(&mut self, packets: u64) -> &mut Self {
        self.queued(Class::LooseFull, packets, MSS, 1);
        self.dequeued(packets, MSS, 1);
        self.driver(Class::LooseFull, packets, MSS, 1);
        self.forwarded(packets * MSS);
        self
    }

    /// Forwarded super-packets that the CPU segmented for this device.
    pub fn forwarded_cut(&mut self, packets: u64, segs: u64) -> &mut Self {
        self.queued(Class::Super, packets, segs * MSS, segs);
        self.dequeued(packets, segs * MSS, segs);
        self.segmented(packets, segs, true);
        self.driver(Class::LooseFull, packets * segs, MSS, 1);
        self.forwarded(packets * segs * MSS);
        self
    }

    /// Full singles that the qdisc dropped on arrival.
    pub fn dropped_by_qdisc(&mut self, packets: u64) -> &mut Self {
        self.queued(Class::Full, packets, MSS, 1);
        self.add(Stage::Dropped, Class::Full, packets, MSS, 1);
        self.written(packets * MSS);
        if let Some(qdisc) = &mut self.last().qdisc {
            qdisc.drops += packets;
        }
        self
    }

    /// Frees by `kfree_skb` of what had been sent: a driver's completions.
    pub fn freed_after_sending(&mut self, whole: u64, segments: u64, segs: u64) -> &mut Self {
        self.add(Stage::Dropped, Class::Super, whole, segs * MSS, segs);
        self.add(Stage::Dropped, Class::Made, segments, MSS, 1);
        self
    }

    /// Super-packets queued that nobody saw again.
    pub fn stuck(&mut self, packets: u64, segs: u64) -> &mut Self {
        self.queued(Class::Super, packets, segs * MSS, segs);
        self.written(packets * segs * MSS);
        self
    }

    /// Frames that reached the device behind the tracepoints' back (`PACKET_QDISC_BYPASS`).
    pub fn bypassing(&mut self, packets: u64, frame_bytes: u64) -> &mut Self {
        self.device(packets, packets * frame_bytes);
        self
    }

    /// Super-packets that left whole while the kernel ran no program: device, qdisc and sockets counted them.
    pub fn unseen_whole(&mut self, packets: u64, segs: u64) -> &mut Self {
        self.dequeued(packets, segs * MSS, segs);
        self.device(packets, packets * (segs * MSS + HEADER));
        self.sent(packets * segs * MSS)
    }

    /// The same, segmented in software.
    pub fn unseen_cut(&mut self, packets: u64, segs: u64) -> &mut Self {
        self.dequeued(packets, segs * MSS, segs);
        self.device(packets * segs, packets * segs * (MSS + HEADER));
        self.sent(packets * segs * MSS)
    }

    /// Seen at the queue alone: the kernel ran no program when the qdisc gave them to the driver, whole.
    pub fn unseen_at_the_driver(&mut self, packets: u64, segs: u64) -> &mut Self {
        self.queued(Class::Super, packets, segs * MSS, segs);
        self.written(packets * segs * MSS);
        self.dequeued(packets, segs * MSS, segs);
        self.device(packets, packets * (segs * MSS + HEADER));
        self
    }

    /// Seen at the driver alone, whole.
    pub fn unseen_at_the_queue(&mut self, packets: u64, segs: u64) -> &mut Self {
        self.dequeued(packets, segs * MSS, segs);
        self.driver(Class::Super, packets, segs * MSS, segs);
        self.sent(packets * segs * MSS)
    }

    /// By TCP's own account, with `tcp_sendmsg` seen: it runs in the sender's context.
    fn sent(&mut self, payload: u64) -> &mut Self {
        self.written(payload);
        self
    }

    /// What `--without-hook` leaves of the counts.
    pub fn switch_off(&mut self, hook: Hook) -> &mut Self {
        let wipe: fn(&mut Counters) = match hook {
            Hook::NetDevQueue => |c| {
                c.stages[Stage::Queue as usize] = Default::default();
            },
            Hook::NetDevStartXmit => |c| {
                let unmatched =
                    c.stages[Stage::Driver as usize][0].cells.iter().map(|cell| cell.packets).sum();
                c.health.unmatched_xmits = unmatched;
                c.stages[Stage::Driver as usize] = Default::default();
            },
            Hook::NetDevXmit => |c| {
                c.stages[Stage::Driver as usize] = Default::default();
            },
            Hook::KfreeSkb => |c| {
                c.stages[Stage::Dropped as usize] = Default::default();
            },
            Hook::SkbGsoSegment => |c| {
                c.segmentation = Counters::default().segmentation;
                c.skb_segment = Counters::default().skb_segment;
            },
            Hook::SkbSegment => |c| c.skb_segment = Counters::default().skb_segment,
            Hook::TcpSendmsg => |c| c.tcp_sendmsg = Counters::default().tcp_sendmsg,
            Hook::InetSockSetState => |c| c.closed_sockets = Counters::default().closed_sockets,
            Hook::StackSample => |c| c.samples = Counters::default().samples,
        };
        self.conditions.hooks[hook] = HookState::SwitchedOff;
        for sample in &mut self.samples {
            wipe(sample.traced.as_mut().unwrap());
        }
        self
    }
}
