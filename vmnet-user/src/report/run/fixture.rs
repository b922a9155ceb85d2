//! Runs as they come out of the model, for the tests of everything that is drawn from them.

use std::collections::BTreeMap;

use crate::benchmark::Benchmark;
use crate::benchmark::Iperf3;
use crate::model::audit::{Audit, Missed};
use crate::model::breaks::{CSUM_GENERIC, GSO, SCATTER_GATHER, TSO_ECN, TSO4, TSO6};
use crate::model::cause::{By, Cause, CauseId, Fix, Limit, LimitKind};
use crate::model::chain;
use crate::model::correlation::Correlations;
use crate::model::cost::{Cost, CostMethod};
use crate::model::ending::RunEnding;
use crate::model::fact::Why;
use crate::model::hook::HookState;
use crate::model::hook::{HookReport, ProgramsMethod};
use crate::model::identity::{Identity, IdentityId, Unit};
use crate::model::interface::{Interface, Netns};
pub(crate) use crate::model::interval_fixture::{second, unknown};
use crate::model::ledger::{Entry, Other, Protocol};
use crate::model::machine::Machine;
use crate::model::machine_fixture;
use crate::model::reasons::{Reason, ReasonId};
use crate::model::sample::{Counting, Mode};
use crate::model::slow::{Answer, Slow};
use crate::model::throughput::{CpuShare, Interval, QueueRate};
use crate::model::uso::UdpVerdict;
use crate::model::verdict::{Confidence, Says, State, Verdict, Witness};
use crate::report::run::schema::{
    Bucket, EventReport, LedgerReport, Overhead, Probes, RunReport, SCHEMA, Sizes, ThroughputReport,
    WindowInfo,
};

const NOT_ASKED: Why = Why::is("not asked for (--overhead)");
const NOTHING_SEGMENTED: Why = Why::is("the CPU segmented nothing for this device");

/// All that TCP sent, it sent over IPv4; and the chain shows it.
fn over_ipv4(mut report: RunReport) -> RunReport {
    if let Some(tcp) = &mut report.ledger.tcp {
        tcp.ipv4.clone_from(&tcp.total);
    }
    let tcp = report.ledger.tcp.as_ref();
    report.chain =
        report.machine.as_ref().map(|machine| chain::links_of_run(machine, tcp)).map_err(Clone::clone);
    report
}

fn machine_without_csum() -> Machine {
    let mut machine = machine_fixture::virtio();
    machine.not_offered(&["CSUM", "HOST_TSO4", "HOST_TSO6", "HOST_ECN"]);
    machine.device.never_have(&[SCATTER_GATHER, CSUM_GENERIC, GSO, TSO4, TSO6, TSO_ECN]);
    machine
}

/// A row of the ledger without traffic: nothing was retransmitted, and that is known.
fn nothing_sent() -> Entry {
    Entry { retransmitted_bytes: Some(0), ..Entry::default() }
}

/// Thirty seconds at 11 Gbit/s with TSO off.
pub(crate) fn software() -> RunReport {
    let samples: Vec<_> =
        (1..=30_u32).map(|s| second(f64::from(s), 11.0 + 0.4 * (f64::from(s) * 1.7).sin(), 1.0)).collect();
    let tcp = Entry {
        payload_bytes: 41_220_000_000,
        hardware_bytes: 0,
        software_bytes: 41_117_000_000,
        unaggregated_bytes: 82_000_000,
        small_bytes: 21_000_000,
        retransmitted_bytes: Some(1_300_000),
        super_packets_queued: 957_000,
        packets_to_driver: 27_380_000,
        segments_made: 27_300_000,
        control_packets: 1_204,
        median_gso_segs: Some(30.0),
        ..Entry::default()
    };
    over_ipv4(RunReport {
        schema: SCHEMA.to_owned(),
        interface: Interface {
            name: "ens4".to_owned(),
            ifindex: 2,
            netns: Netns { name: None, inode: 4_026_531_840 },
            driver: Some("virtio_net".to_owned()),
            mtu: 1500,
            queues: Some(8),
            kernel: "6.1.0-28-amd64".to_owned(),
            terminal: true,
            qdisc: Some("mq".to_owned()),
        },
        window: WindowInfo {
            start: "2026-11-22T10:11:12Z".to_owned(),
            duration_s: 30.004,
            ended_by: RunEnding::Command,
        },
        verdict: Verdict {
            state: State::Software,
            confidence: Confidence::Proven,
            basis: None,
            bound: None,
            summary: "99.8 % of 41.2 GB of bulk TCP was segmented in software".to_owned(),
            thin: false,
            witnesses: vec![
                witness(
                    "tracing",
                    Says::State(State::Software),
                    "0 of 957000 super-packets reached the driver whole",
                ),
                witness("kernel-counters", Says::NoSuperPackets, "1.00 segments per packet"),
                witness("device-statistics", Says::Silent, "virtio_net counts no super-packets"),
            ],
            udp: Some(UdpVerdict {
                state: State::NothingToOffload,
                confidence: Confidence::Proven,
                built_bytes: 0,
                hardware_share: None,
                software_share: None,
                summary: "no program handed UDP super-packets (UDP_SEGMENT) to ens4, or too few to judge by"
                    .to_owned(),
                causes: Vec::new(),
            }),
        },
        ledger: LedgerReport {
            tcp: Some(Protocol { total: tcp.clone(), ipv4: tcp, ipv6: nothing_sent() }),
            udp: Some(Protocol { total: nothing_sent(), ipv4: nothing_sent(), ipv6: nothing_sent() }),
            other: Some(Other { packets_to_driver: 12, bytes: 504 }),
        },
        sizes: Some(Sizes {
            queued: buckets(&[
                (64, 72, 800),
                (1408, 1536, 57_000),
                (4096, 4608, 3_000),
                (14_336, 16_384, 20_000),
                (28_672, 32_768, 60_000),
                (40_960, 45_056, 500_000),
                (45_056, 49_152, 80_000),
                (61_440, 65_536, 294_000),
            ]),
            driver: Some(buckets(&[(64, 72, 800), (832, 896, 210_000), (1408, 1536, 27_170_000)])),
            segs: buckets(&[(1, 2, 57_800), (30, 32, 957_000)]),
            gso_size: buckets(&[(1408, 1536, 957_000)]),
        }),
        throughput: ThroughputReport {
            wire_gbps: Ok(11.5),
            received_bytes: Some(1 << 20),
            goodput_gbps: Ok(10.99),
            samples,
            correlation: Correlations::default(),
        },
        cost: Cost {
            method: CostMethod::Fexit,
            segmentation_calls: Ok(957_000),
            segmentation_ns: Ok(39_060_000_000),
            own_ns: Some(120_000_000),
            skb_segment_ns: Ok(35_000_000_000),
            ns_per_byte: Ok(0.95),
            ns_per_byte_interval: Ok([0.93, 0.97]),
            cores: Ok(1.31),
        },
        reasons: Ok(vec![reason(ReasonId::Tso4Missing, 41_117_000_000, 1.0)]),
        chain: Err(Why::NoPrograms),
        causes: Ok(vec![Cause {
            id: CauseId::HostNoCsum,
            share: Ok(0.9987),
            title: "the host never offered checksum offload, so the driver could not consider TSO".to_owned(),
            detail: "the negotiated virtio features lack CSUM (bit 0)".to_owned(),
            fix: Fix {
                by: By::Host,
                commands: vec!["QEMU: -device virtio-net-pci,csum=on".to_owned()],
                actions: Vec::new(),
            },
        }]),
        slow: slow(
            Answer::Yes,
            "CPU 2 is 98 % busy, with this traffic, and segmentation alone takes 44.9 % of the CPU time",
        ),
        prediction: None,
        audit: Some(Audit {
            ok: true,
            drained: true,
            identities: [
                IdentityId::WireBytes,
                IdentityId::WireSegments,
                IdentityId::DriverPackets,
                IdentityId::DevicePackets,
                IdentityId::DeviceBytes,
                IdentityId::QdiscPackets,
                IdentityId::SegmentCounts,
            ]
            .map(|name| identity(name, Some(0)))
            .to_vec(),
            missed: Missed {
                stack_overflows: Some(0),
                unmatched_exits: Some(0),
                unmatched_xmits: Some(0),
                unreadable_packets: Some(0),
                uncountable_calls: Some(0),
                events_lost: Some(0),
                recursion_misses: Some(0),
                kprobe_misses: Some(0),
            },
        }),
        probes: Probes {
            mode: Mode::Fentry,
            counting: Counting::Exact,
            exact_share: 1.0,
            counting_reason: "--exact was given".to_owned(),
            fell_because: Vec::new(),
            hooks: vec![HookReport {
                hook: "net_dev_queue".to_owned(),
                kind: "tp_btf".to_owned(),
                state: HookState::Attached,
                events: Ok(1_014_800),
                ns_per_event: Err(NOT_ASKED),
                net_ns_per_event: Err(NOT_ASKED),
                instructions: Some(930),
                reason: None,
            }],
        },
        overhead: Overhead {
            cpu_share: Err(NOT_ASKED),
            cpu_share_method: None,
            user_cpu_share: Ok(0.001),
            rss_bytes: Ok(12_000_000),
        },
        benchmark: Some(Benchmark {
            command: ["iperf3", "-c", "10.0.0.2", "-t", "30", "--json"].map(str::to_owned).into(),
            exit_code: Some(0),
            signal: None,
            stdout: None,
            iperf3: Some(Iperf3 {
                streams: 1,
                sent_bytes: 41_218_700_000,
                received_bytes: Some(41_210_000_000),
                received_seconds: Some(30.0),
                seconds: 30.0,
                sent_gbps: 10.991_65,
                retransmits: Some(898),
            }),
            ..Benchmark::default()
        }),
        events: Vec::new(),
        machine: Ok(machine_without_csum()),
        unmeasured: BTreeMap::new(),
    })
}

/// An answer, with a CPU that is full.
fn slow(without_tso: Answer, why: &str) -> Option<Slow> {
    let brief = "CPU 2 is 98 % busy, with this traffic".to_owned();
    let text =
        "vCPU 2 is busy 98 % of the time, all together 36 %: one flow or one queue is bound to it".to_owned();
    let limits = vec![Limit { kind: LimitKind::Cpu, share: 0.98, brief, text }];
    Some(Slow { without_tso, why: why.to_owned(), limits })
}

/// TSO on, and everything whole.
pub(crate) fn engaged() -> RunReport {
    let mut report = software();
    report.verdict.state = State::Engaged;
    report.verdict.summary = "99.8 % of 41.2 GB of bulk TCP left whole".to_owned();
    report.verdict.witnesses = vec![
        witness(
            "tracing",
            Says::State(State::Engaged),
            "957000 of 957000 super-packets reached the driver whole",
        ),
        witness("kernel-counters", Says::SuperPackets, "29.50 segments per packet"),
    ];
    if let Some(tcp) = &mut report.ledger.tcp {
        tcp.total.hardware_bytes = tcp.total.software_bytes;
        tcp.total.software_bytes = 0;
        tcp.total.super_packets_to_driver = tcp.total.super_packets_queued;
        tcp.total.segments_made = 0;
    }
    report.throughput.samples =
        (1..=30_u32).map(|s| second(f64::from(s), 24.0 + 0.8 * (f64::from(s) * 1.3).sin(), 0.0)).collect();
    if let Some(sizes) = &mut report.sizes {
        sizes.driver = Some(sizes.queued.clone());
    }
    report.cost.segmentation_calls = Ok(0);
    report.cost.segmentation_ns = Ok(0);
    report.cost.ns_per_byte = Err(NOTHING_SEGMENTED);
    report.cost.ns_per_byte_interval = Err(NOTHING_SEGMENTED);
    report.cost.cores = Ok(0.0);
    report.reasons = Ok(Vec::new());
    report.causes = Ok(vec![Cause {
        id: CauseId::NotTheBottleneck,
        share: Err(Why::is("it explains no bytes of its own")),
        title: "TSO is engaged: if throughput disappoints, the limit is elsewhere".to_owned(),
        detail: "vCPU 0 is busy 99 % of the time, all together 60 %".to_owned(),
        fix: Fix { by: By::None, commands: Vec::new(), actions: Vec::new() },
    }]);
    report.machine = Ok(machine_fixture::virtio());
    report.slow = slow(Answer::No, "TSO happens");
    over_ipv4(report)
}

/// TSO switched off after twelve seconds, and on again after twenty.
pub(crate) fn flipped() -> RunReport {
    let mut report = software();
    report.verdict.state = State::Partial;
    report.verdict.witnesses = vec![
        witness(
            "tracing",
            Says::State(State::Partial),
            "1480000 of 1740000 super-packets reached the driver whole",
        ),
        witness("kernel-counters", Says::SuperPackets, "6.10 segments per packet"),
    ];
    report.throughput.goodput_gbps = Ok(20.0);
    report.cost.cores = Ok(0.35);
    report.throughput.samples = (1..=30_u32)
        .map(|s| {
            let off = (13..=20).contains(&s);
            second(f64::from(s), if off { 11.0 } else { 23.4 }, if off { 1.0 } else { 0.0 })
        })
        .collect();
    if let Some(tcp) = &mut report.ledger.tcp {
        tcp.total.hardware_bytes = 64_000_000_000;
        tcp.total.software_bytes = 11_000_000_000;
        tcp.total.super_packets_queued = 1_740_000;
        tcp.total.super_packets_to_driver = 1_480_000;
        tcp.total.segments_made = 7_600_000;
        tcp.total.payload_bytes = 75_103_000_000;
    }
    report.reasons = Ok(vec![reason(ReasonId::Tso4Missing, 11_000_000_000, 1.0)]);
    report.events = vec![event(12.02, "tx-tcp-segmentation off"), event(20.01, "tx-tcp-segmentation on")];
    report.machine = Ok(machine_fixture::virtio());
    over_ipv4(report)
}

/// No programs: interface counters and nothing else.
pub(crate) fn counters() -> RunReport {
    let mut report = software();
    report.probes.mode = Mode::Counters;
    report.probes.fell_because = vec!["not permitted to load programs (EPERM): run as root".to_owned()];
    report.probes.hooks.clear();
    report.verdict.confidence = Confidence::Weak;
    report.verdict.basis = Some("segments per packet and TSO inactive".to_owned());
    report.verdict.summary = "one segment per packet at 1514 bytes, and TSO is inactive".to_owned();
    report.verdict.witnesses.remove(0);
    report.ledger = LedgerReport { tcp: None, udp: None, other: None };
    report.sizes = None;
    report.audit = None;
    report.reasons = Err(Why::NoPrograms);
    report.overhead.cpu_share = Err(Why::NoPrograms);
    report.cost = Cost {
        method: CostMethod::None,
        segmentation_calls: Err(Why::NoPrograms),
        segmentation_ns: Err(Why::NoPrograms),
        own_ns: None,
        skb_segment_ns: Err(Why::NoPrograms),
        ns_per_byte: Err(Why::NoPrograms),
        ns_per_byte_interval: Err(Why::NoPrograms),
        cores: Err(Why::NoPrograms),
    };
    report.throughput.goodput_gbps = Err(Why::NoPrograms);
    for sample in &mut report.throughput.samples {
        *sample = Interval {
            wire_gbps: sample.wire_gbps.clone(),
            segments_per_packet: Some(1.0),
            cpus: sample.cpus.clone(),
            ..unknown(sample.t_s)
        };
    }
    report
}

/// Nothing was sent.
pub(crate) fn idle() -> RunReport {
    let mut report = software();
    report.verdict.state = State::NothingToOffload;
    report.verdict.confidence = Confidence::Supported;
    report.verdict.summary = "no bulk TCP was sent".to_owned();
    report.slow = slow(Answer::NotKnown, "no bulk TCP was sent in this run");
    report.verdict.witnesses =
        vec![witness("tracing", Says::State(State::NothingToOffload), "0 super-packets")];
    report.throughput.goodput_gbps = Ok(0.0);
    report.cost = engaged().cost;
    report.reasons = Ok(Vec::new());
    report.throughput.samples = (1..=5_u32).map(|s| second(f64::from(s), 0.0, 0.0)).collect();
    report.ledger.tcp = Some(Protocol::default());
    report.sizes = Some(Sizes { queued: vec![], driver: Some(vec![]), segs: vec![], gso_size: vec![] });
    report.benchmark = None;
    report
}

/// A run in which a little of everything happened: every fate of a byte, many reasons, both families, bursts of retransmits, a cost
/// that follows the throughput, and probes that were timed.
pub(crate) fn eventful() -> RunReport {
    let mut report = flipped();
    report.throughput.samples = (1..=60_u32)
        .map(|s| {
            let noise = f64::from((s * 7_919) % 97) / 97.0;
            let cut = if (20..40).contains(&s) { 0.9 + 0.1 * noise } else { 0.1 * noise };
            let gbps = 24.0 - 12.0 * cut + noise;
            let burst = matches!(s, 11 | 12 | 47);
            let mut second = second(f64::from(s), gbps, cut);
            second.segmentation_cpu = Ok(1.3 * cut + 0.05 * noise);
            second.retransmitted_bytes = Ok(if burst { 90_000_000 } else { 40_000 + 1_000 * u64::from(s) });
            second
        })
        .collect();
    if let Some(tcp) = &mut report.ledger.tcp {
        let mut ipv6 = Entry {
            payload_bytes: 30_000_000_000,
            hardware_bytes: 21_000_000_000,
            software_bytes: 8_000_000_000,
            unaggregated_bytes: 900_000_000,
            small_bytes: 60_000_000,
            dropped_bytes: 39_000_000,
            pending_bytes: 1_000_000,
            ..Entry::default()
        };
        std::mem::swap(&mut ipv6, &mut tcp.ipv6);
        let [four, six] = [&mut tcp.ipv4, &mut tcp.ipv6];
        four.dropped_bytes = 1_000_000;
        four.payload_bytes = four.hardware_bytes
            + four.software_bytes
            + four.unaggregated_bytes
            + four.small_bytes
            + four.dropped_bytes;
        tcp.total = Entry {
            payload_bytes: four.payload_bytes + six.payload_bytes,
            hardware_bytes: four.hardware_bytes + six.hardware_bytes,
            software_bytes: four.software_bytes + six.software_bytes,
            unaggregated_bytes: four.unaggregated_bytes + six.unaggregated_bytes,
            small_bytes: four.small_bytes + six.small_bytes,
            dropped_bytes: four.dropped_bytes + six.dropped_bytes,
            pending_bytes: four.pending_bytes + six.pending_bytes,
            ..tcp.total.clone()
        };
    }
    let bytes = [
        11_000_000_000,
        5_000_000_000,
        2_000_000_000,
        700_000_000,
        200_000_000,
        90_000_000,
        9_000_000,
        600_000,
        1,
    ];
    let all: u64 = bytes.iter().sum();
    report.reasons = Ok(bytes
        .into_iter()
        .zip(ReasonId::ALL)
        .enumerate()
        .map(|(place, (bytes, id))| {
            let ipv6_bytes = if place % 3 == 1 { bytes } else { bytes / 4 };
            let share = bytes as f64 / all as f64;
            Reason { ipv4_bytes: bytes - ipv6_bytes, ipv6_bytes, ..reason(id, bytes, share) }
        })
        .collect());
    let hook = |hook: &str, kind: &str, events: u64, ns: f64| HookReport {
        hook: hook.to_owned(),
        kind: kind.to_owned(),
        state: HookState::Attached,
        events: Ok(events),
        ns_per_event: Ok(ns),
        net_ns_per_event: Ok(ns - 40.0),
        instructions: Some(569),
        reason: None,
    };
    report.probes.hooks = vec![
        hook("net_dev_xmit", "tp_btf", 9_100_000, 61.0),
        hook("net_dev_start_xmit", "tp_btf", 9_100_000, 148.0),
        hook("kfree_skb", "tp_btf", 1_204, 88.5),
        hook("__skb_gso_segment", "fentry+fexit", 260_000, 301.0),
        hook("tcp_sendmsg", "fexit", 2_400_000, 40.2),
        hook("net_dev_queue", "tp_btf", 1_800_000, 190.0),
        HookReport {
            state: HookState::Absent,
            events: Err(Why::is("the hook is not attached, or never ran")),
            ns_per_event: Err(NOT_ASKED),
            net_ns_per_event: Err(NOT_ASKED),
            instructions: None,
            reason: Some("the function is inlined in this kernel".to_owned()),
            ..hook("skb_segment", "kprobe", 0, 0.0)
        },
    ];
    report.overhead = Overhead {
        cpu_share: Ok(0.0089),
        cpu_share_method: Some(ProgramsMethod::RunTimes),
        user_cpu_share: Ok(0.0012),
        rss_bytes: Ok(14_200_000),
    };
    report
}

/// A day, one interval a second, with a single second of standstill and a single one at three times the rate.
pub(crate) fn day() -> RunReport {
    let mut report = software();
    report.window.duration_s = 86_400.0;
    report.throughput.samples = (1..=86_400_u32)
        .map(|s| {
            let wave = (f64::from(s) / 9_000.0).sin();
            let mut second = second(f64::from(s), 11.0 + 3.0 * wave, if s % 7 == 0 { 0.5 } else { 1.0 });
            second.cpus.truncate(2);
            second.queues.truncate(1);
            second.retransmitted_bytes = Ok(if (50_000..50_400).contains(&s) { 60_000_000 } else { 1_448 });
            second
        })
        .collect();
    for (at, gbps) in [(30_000, 0.0), (60_000, 33.0)] {
        if let Some(sample) = report.throughput.samples.get_mut(at) {
            sample.goodput_gbps = Ok(gbps);
        }
    }
    report
}

/// So many queues and CPUs, each with its own rhythm.
pub(crate) fn wide(queues: u32, cpus: u32) -> RunReport {
    let mut report = software();
    for (s, sample) in (0_u32..).zip(&mut report.throughput.samples) {
        let wave = |place: u32| 0.5 + 0.5 * (f64::from(s) * 0.3 + f64::from(place) * 0.4).sin();
        sample.queues = (0..queues)
            .map(|queue| QueueRate { gbps: Some(wave(queue)), packets_per_s: Some(1e5 * wave(queue)) })
            .collect();
        sample.cpus = (0..cpus)
            .map(|cpu| CpuShare {
                busy: wave(cpu),
                softirq: 0.6 * wave(cpu),
                steal: 0.0,
                segmenting: Some(0.3 * wave(cpu)),
                tcp_gbps: Some(wave(cpu)),
            })
            .collect();
    }
    report
}

/// A reason of IPv4 alone.
pub(crate) fn reason(id: ReasonId, bytes: u64, share: f64) -> Reason {
    Reason { id, bytes, share, ipv4_bytes: bytes, ipv6_bytes: 0, text: id.text().to_owned() }
}

pub(crate) fn event(t_s: f64, text: &str) -> EventReport {
    EventReport { t_s, kind: crate::model::event::EventKind::FeaturesChanged, text: text.to_owned() }
}

pub(crate) fn witness(name: &str, says: Says, detail: &str) -> Witness {
    Witness { name: name.to_owned(), says, detail: detail.to_owned() }
}

/// An identity that holds if its residual is at most 44; unmeasured without one.
pub(crate) fn identity(name: IdentityId, residual: Option<i64>) -> Identity {
    Identity {
        name,
        left: residual.map(|_| 27_300_000),
        left_source: "__skb_gso_segment".to_owned(),
        right: residual.map(|r| 27_300_000_u64.saturating_add_signed(-r)),
        right_source: "net_dev_xmit".to_owned(),
        residual,
        slack: residual.map(|_| 44),
        ok: residual.map(|r| r.abs() <= 44),
        unit: Unit::Segments,
        note: if residual.is_none() { "kprobe only".to_owned() } else { String::new() },
    }
}

fn buckets(rows: &[(u64, u64, u64)]) -> Vec<Bucket> {
    rows.iter().map(|&(lower, upper, count)| Bucket { lower, upper, count }).collect()
}
