//! A recording in perfect order whose counters say anything at all: they have a report, a page and pictures, and the report is the same
//! when it is read back.
//!
//! The input is a list of edits of a real run: eleven bytes each, what to do, which word, and its new value.

use std::sync::LazyLock;

use vmnet_common::Counters;

use crate::model::{sample::Sample, timeline::Timeline};
use crate::recording::{self, Run, Writer};
use crate::report::run;

/// A run that the documentation shows.
static SEED: LazyLock<Run> = LazyLock::new(|| {
    recording::read(include_bytes!("../../../reports/gallery/tso-off/run.vmnet").as_slice())
        .expect("a whole recording")
});

const WORDS: usize = size_of::<Counters>() / 8;

pub(super) fn any(bytes: &[u8]) {
    let Run { start, timeline, events, end, torn } = &*SEED;
    let Some(first) = timeline.samples().first() else { return };
    let mut sample = Sample { traced: Some(Box::default()), work: Vec::new(), ..first.clone() };
    let mut counted = [Counters::default()];
    let mut run = Run {
        start: start.clone(),
        timeline: Timeline::default(),
        events: events.clone(),
        end: end.clone(),
        torn: torn.clone(),
    };
    run.timeline.push(sample.clone(), &start.conditions);
    let mut writer = Writer::begin(Vec::new(), start, &sample, &counted).expect("room");
    for edit in bytes.chunks_exact(11).take(4_000) {
        let place = usize::from(u16::from_le_bytes([edit[1], edit[2]]));
        let value = u64::from_le_bytes(edit[3..11].try_into().expect("eight bytes"));
        if edit[0] % 8 != 0 {
            set(&mut sample, &mut counted[0], place, value);
            continue;
        }
        sample.at_ns = sample.at_ns.saturating_add(1 + value % 10_000_000_000);
        sample.traced = Some(Box::new(counted[0]));
        writer.sample(&sample, &counted).expect("room");
        run.timeline.push(sample.clone(), &start.conditions);
    }
    let Some(report) = recording::report(&run) else { return };
    // Drawing takes a hundred times as long as all the rest.
    if bytes.len().is_multiple_of(16) {
        let _ = run::page(&report);
    }
    let Some(end) = end else { return };
    let file = writer.end(end).expect("room");
    let back = recording::read(file.as_slice()).expect("as it was written");
    let back = recording::report(&back).expect("as many samples");
    assert_eq!(back.verdict, report.verdict);
    assert_eq!(back.ledger.tcp, report.ledger.tcp);
}

fn set(sample: &mut Sample, counted: &mut Counters, place: usize, value: u64) {
    if let Some(word) =
        bytemuck::cast_slice_mut::<Counters, u64>(std::slice::from_mut(counted)).get_mut(place % (WORDS + 64))
    {
        *word = value;
        return;
    }
    let queues = sample.queues.len().max(1);
    match place % (WORDS + 64) - WORDS {
        0 => sample.link.tx_packets = value,
        1 => sample.link.tx_bytes = value,
        2 => sample.link.tx_dropped = value,
        3 => sample.moved_segs = value,
        4 => sample.read_ns = value,
        5 => sample.qdisc = None,
        6 => sample.qdisc.get_or_insert_default().packets = value,
        7 => sample.qdisc.get_or_insert_default().bytes = value,
        8 => sample.qdisc.get_or_insert_default().may_segment = value.is_multiple_of(2),
        9 => sample.sockets = None,
        10 => sample.sockets.get_or_insert_default().bytes_sent = value,
        11 => sample.sockets.get_or_insert_default().bytes_not_sent = value,
        12 => sample.cpus.clear(),
        13 => sample.queues.clear(),
        14 => sample.missed.recursion_misses = Some(value >> 1),
        place if place < 40 => {
            let cpus = sample.cpus.len().max(1);
            if let Some(cpu) = sample.cpus.get_mut(place % cpus) {
                let times = [&mut cpu.busy_ns, &mut cpu.softirq_ns, &mut cpu.steal_ns, &mut cpu.total_ns];
                if let Some(time) = times.into_iter().nth(place % 4) {
                    *time = value;
                }
            }
        }
        place => {
            if let Some(queue) = sample.queues.get_mut(place % queues) {
                queue.bytes = Some(value >> 1);
                queue.packets = (!value.is_multiple_of(3)).then_some(value >> 1);
            }
        }
    }
}
