//! What the counters since boot say: the verdict of a run without programs, whose window is all the time that the interface has been there.

use super::paste::Pasted;
use crate::model::answer::Verdict;
use crate::model::counters_only;
use crate::model::driver_semantics::DriverRow;
use crate::model::hook::Hooks;
use crate::model::link_counters::LinkCounters;
use crate::model::machine::Machine;
use crate::model::sample::{Conditions, Counting, MissedByKernel, Mode, QdiscCounters, Sample, Window};

/// As far as the qdisc's bytes may be from the interface's, and still be of the same time.
const SAME_TIME: f64 = 0.1;
/// The qdiscs below `mq`, where nothing of it counts twice.
const ROOT: u32 = u32::MAX;

/// The verdict, which is never more than `weak` or `supported`; None where no counters were given.
pub(super) fn verdict(machine: &Machine, pasted: &Pasted) -> Option<Verdict> {
    let [tx_bytes, tx_packets, tx_errors, tx_dropped] = pasted.link.as_ref()?.sent?;
    let link = LinkCounters { tx_packets, tx_bytes, tx_dropped, tx_errors };
    let device = &machine.device;
    let conditions = Conditions {
        mtu: device.mtu,
        gso_max_segs: device.limits.gso_max_segs,
        ring_slots: None,
        terminal: device.terminal,
        mode: Mode::Counters,
        counting: Counting::Light,
        driver: DriverRow::of(row(machine)),
        hooks: Hooks::default(),
    };
    let features = device.features.as_ref().map(|features| features.offloads()).unwrap_or_default();
    let sample = |at_ns, link, qdisc| Sample {
        at_ns,
        read_ns: 0,
        moved_segs: 0,
        every_segment: false,
        traced: None,
        missed: MissedByKernel::default(),
        link,
        mtu: Some(device.mtu),
        qdisc,
        features,
        cpus: Vec::new(),
        work: Vec::new(),
        queues: Vec::new(),
        sockets: None,
        retransmitted: None,
        rtt_us: None,
    };
    let qdisc = qdisc(pasted, tx_bytes);
    let samples = [
        sample(
            0,
            LinkCounters::default(),
            qdisc.map(|qdisc| QdiscCounters { packets_are_32_bit: false, ..zero(qdisc) }),
        ),
        sample(1, link, qdisc),
    ];
    let window = Window {
        samples: &samples,
        conditions: &conditions,
        drained: true,
        rested_at_start: true,
        cut_short: None,
        audited: None,
    };
    Some(counters_only::verdict(&device.name, &window))
}

fn zero(qdisc: QdiscCounters) -> QdiscCounters {
    QdiscCounters { may_segment: qdisc.may_segment, ..QdiscCounters::default() }
}

/// Whose row of driver semantics it is.
fn row(machine: &Machine) -> &str {
    let device = &machine.device;
    if device.loopback {
        "lo"
    } else {
        device.driver.as_deref().or(device.kind.as_deref()).unwrap_or_default()
    }
}

/// The root's counters, or None where they are of another time than the interface's.
fn qdisc(pasted: &Pasted, tx_bytes: u64) -> Option<QdiscCounters> {
    let root = pasted.qdiscs.iter().find(|qdisc| qdisc.parent == ROOT)?;
    let counts = root.counters?;
    let same = counts.bytes.abs_diff(tx_bytes) as f64 <= SAME_TIME * tx_bytes as f64;
    let may_segment =
        pasted.qdiscs.iter().any(|qdisc| matches!(qdisc.kind.as_str(), "tbf" | "cake" | "netem" | "taprio"));
    same.then_some(QdiscCounters {
        bytes: counts.bytes,
        packets: counts.segments,
        packets_are_32_bit: false,
        drops: counts.drops,
        requeues: counts.requeues,
        backlog_packets: 0,
        backlog_bytes: 0,
        may_segment,
    })
}
