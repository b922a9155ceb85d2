//! Runs for the tests of recordings: traffic as a busy machine has it, without a machine.

use std::collections::BTreeMap;

use vmnet_common::{Caller, Class, Counters, Lane, Refusal, Stage, bucket};

use super::run::{CommandEnded, End, Event, Start, Surroundings, Taken};
use super::write::Writer;
use crate::model::ending::RunEnding;
use crate::model::event::What;
use crate::model::hook::ProgramsMethod;
use crate::model::machine::QueueCounters;
use crate::model::machine_fixture;
use crate::model::sample::{CpuWork, Sample};
use crate::model::testing::{HEADER, MSS, Scene, sample_at};
use crate::report::run::fixture;

/// Numbers that no compressor can foresee, the same each time.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Between 0 and `below` − 1.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below.max(1)
    }
}

/// A machine under load: every second each CPU sends super-packets of every size, some of them segmented.
pub(crate) struct Load {
    noise: Noise,
    second: u64,
    pub(crate) by_cpu: Vec<Counters>,
    queues: Vec<QueueCounters>,
    last: Sample,
}

impl Load {
    pub(crate) fn new(cpus: usize, queues: usize) -> Self {
        let mut last = sample_at(0);
        last.cpus.resize(cpus, last.cpus[0]);
        last.queues = vec![QueueCounters { packets: Some(0), bytes: Some(0), kicks: Some(0) }; queues];
        last.work = vec![CpuWork::default(); cpus];
        Self {
            noise: Noise::new(0x7e57),
            second: 0,
            by_cpu: vec![Counters::default(); cpus],
            queues: last.queues.clone(),
            last,
        }
    }

    pub(crate) fn first(&self) -> Sample {
        self.last.clone()
    }

    /// One second later.
    pub(crate) fn next(&mut self) -> Sample {
        self.second += 1;
        let mut sample = sample_at(self.second);
        sample.at_ns += self.noise.below(200_000);
        sample.read_ns += self.noise.below(50_000);
        sample.cpus = self.last.cpus.clone();
        for cpu in &mut sample.cpus {
            cpu.busy_ns += 10_000_000 * self.noise.below(100);
            cpu.softirq_ns += 10_000_000 * self.noise.below(30);
            cpu.total_ns += 1_000_000_000;
        }
        for counters in &mut self.by_cpu {
            send(counters, &mut self.noise);
        }
        let mut sum = Box::<Counters>::default();
        self.by_cpu.iter().for_each(|cpu| sum.add(cpu));
        for queue in &mut self.queues {
            let packets = 2_000 + self.noise.below(900);
            let grown = |count: Option<u64>, by: u64| count.map(|count| count + by);
            queue.packets = grown(queue.packets, packets);
            queue.bytes = grown(queue.bytes, packets * 40_000 + self.noise.below(40_000));
            queue.kicks = grown(queue.kicks, packets / 3);
        }
        sample.queues.clone_from(&self.queues);
        let driver = &sum.stages[Stage::Driver as usize][Lane::Tcp4 as usize];
        sample.link.tx_packets = driver.cells.iter().map(|cell| cell.packets).sum();
        sample.link.tx_bytes = driver.cells.iter().map(|cell| cell.bytes).sum();
        if let Some(qdisc) = &mut sample.qdisc {
            qdisc.packets = driver.cells.iter().map(|cell| cell.segs).sum();
            qdisc.bytes = sample.link.tx_bytes + driver.unsent_header_bytes;
        }
        sample.work = self.by_cpu.iter().map(CpuWork::of).collect();
        // Now and then nobody sends.
        sample.rtt_us = (!self.second.is_multiple_of(4)).then(|| 100 + self.noise.below(900) as u32);
        sample.traced = Some(sum);
        self.last = sample.clone();
        sample
    }
}

/// What one CPU sends in a second at some Gbit/s: some 130 of its counters move.
fn send(counters: &mut Counters, noise: &mut Noise) {
    let lane = Lane::Tcp4 as usize;
    for segs in 2..=44_u64 {
        let packets = 20 + noise.below(60);
        let (payload, bytes) = (packets * segs * MSS, packets * (segs * MSS + HEADER));
        let headers = packets * (segs - 1) * HEADER;
        let cut = segs % 4 == 0;
        let queue = &mut counters.stages[Stage::Queue as usize][lane];
        let cell = &mut queue.cells[Class::Super as usize];
        cell.packets += packets;
        cell.bytes += bytes;
        cell.payload_bytes += payload;
        cell.segs += packets * segs;
        queue.unsent_header_bytes += headers;
        counters.queued_len[bucket(segs * MSS + HEADER)] += packets;
        counters.queued_segs[bucket(segs)] += packets;
        counters.queued_gso_size[bucket(MSS)] += packets;
        let driver = &mut counters.stages[Stage::Driver as usize][lane];
        if cut {
            let cell = &mut driver.cells[Class::Made as usize];
            cell.packets += packets * segs;
            cell.bytes += bytes + headers;
            cell.payload_bytes += payload;
            cell.segs += packets * segs;
            counters.driver_len[bucket(MSS + HEADER)] += packets * segs;
            let split = &mut counters.segmentation.splits[Caller::Device as usize][lane];
            split.calls += packets;
            split.segs += packets * segs;
            split.bytes_in += bytes;
            split.bytes_out += bytes + headers;
            split.payload_bytes += payload;
            split.ns += packets * segs * (600 + noise.below(200));
            counters.segmentation.entries += packets;
            counters.segmentation.exits += packets;
            let refused = &mut counters.segmentation.refused[lane][Refusal::Tso4Missing as usize];
            refused.packets += packets;
            refused.payload_bytes += payload;
            counters.skb_segment.entries += packets;
            counters.skb_segment.exits += packets;
            counters.skb_segment.segs += packets * segs;
            counters.skb_segment.ns += packets * segs * (500 + noise.below(200));
        } else {
            let cell = &mut driver.cells[Class::Super as usize];
            cell.packets += packets;
            cell.bytes += bytes;
            cell.payload_bytes += payload;
            cell.segs += packets * segs;
            driver.unsent_header_bytes += headers;
            counters.driver_len[bucket(segs * MSS + HEADER)] += packets;
        }
    }
    for stage in [Stage::Queue, Stage::Driver] {
        let control = &mut counters.stages[stage as usize][lane].cells[Class::Control as usize];
        control.packets += 50;
        control.bytes += 50 * HEADER;
        control.segs += 50;
    }
    counters.tcp_sendmsg.calls += 1_000 + noise.below(1_000);
    counters.tcp_sendmsg.bytes += 100_000_000 + noise.below(100_000_000);
}

/// A run that has begun.
pub(crate) fn start() -> Start {
    Start {
        vmnet: "0.1.0".to_owned(),
        time: "2026-11-22T10:11:12Z".to_owned(),
        interface: fixture::software().interface,
        conditions: Scene::new().conditions,
        rested: true,
        fell_because: Vec::new(),
        hooks: fixture::software().probes.hooks,
        command: vec!["iperf3".to_owned(), "-c".to_owned(), "10.10.1.10".to_owned()],
        private: false,
        interval_s: 1.0,
        machine: Surroundings { machine: Some(machine_fixture::virtio()), unread: None },
        unreadable: BTreeMap::from([("sockets".to_owned(), "no sock_diag".to_owned())]),
        rx_bytes: Some(1_000),
    }
}

/// A run that ended well.
pub(crate) fn end() -> End {
    End {
        ended_by: RunEnding::Command,
        cut_short: None,
        drained: true,
        qdisc: Some("mq".to_owned()),
        machine: Surroundings { machine: Some(machine_fixture::virtio()), unread: None },
        senders: None,
        rx_bytes: Some(5_000),
        hooks: fixture::software().probes.hooks,
        overhead: Taken {
            programs_ns: Some(1_000_000),
            programs_method: Some(ProgramsMethod::RunTimes),
            user_ns: Some(20_000_000),
            rss_bytes: Some(9 << 20),
            wall_ns: 3_000_000_000,
        },
        command: Some(Ok(CommandEnded { exit_code: Some(0), ..CommandEnded::default() })),
        counting: None,
        verdict: None,
    }
}

/// An event of the second second.
pub(crate) fn event() -> Event {
    Event { t_ns: 1_500_000_000, cpu: 1, what: What::FeaturesChanged { was: 1 << 16, is: 0 } }
}

/// A recording of so many seconds, with its end or without.
pub(crate) fn recording(seconds: u64, cpus: usize, queues: usize, end: Option<&End>) -> Vec<u8> {
    let mut load = Load::new(cpus, queues);
    let first = load.first();
    let mut writer = Writer::begin(Vec::new(), &start(), &first, &load.by_cpu).unwrap();
    for second in 1..=seconds {
        let sample = load.next();
        if second == 2 {
            writer.event(&event()).unwrap();
        }
        writer.sample(&sample, &load.by_cpu).unwrap();
    }
    match end {
        Some(end) => writer.end(end).unwrap(),
        None => writer.abandoned(),
    }
}
