//! One device: what became of the super-packets that were queued to it.

use serde::{Deserialize, Serialize};
use vmnet_common::Passed;

use super::{
    Audit, Counts, NEARLY_ALL, Own, Seen, Side, State, before, bytes, excess, next, packets, refused,
    segments,
};

/// Below this a share of wire segments that came in super-packets is none: there is nothing to segment.
const HARDLY_ANY: f64 = 0.05;
/// Fewer packets tell nothing of a device.
const FEWEST_PACKETS: u64 = 8;
/// Two witnesses that differ by less than this agree.
const AGREE: f64 = 0.02;
/// Of all bytes: what the device counted beyond what every program saw. Less than this leaves an answer as it is.
const LITTLE_UNSEEN: f64 = 0.01;
/// What a driver may add to a packet's length, or leave out: a frame check sequence, lo's link header.
const BEYOND_LENGTH: [i64; 3] = [0, 4, -14];

/// What tells that packets were segmented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Witness {
    /// Calls of `__skb_gso_segment` for the device.
    Segmentation,
    /// The device's own count of packets.
    DevicePackets,
    /// The device's own count of bytes: each segment has headers of its own.
    DeviceBytes,
    /// What the next device queued.
    NextQueue,
    /// The features that each super-packet needs, and the device lacks.
    Foreseen,
}

/// What is known of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What it does.
    pub state: State,
    /// Why that is not known.
    pub why_unknown: Option<&'static str>,
    /// What passed, that counts here: our packets, or all.
    pub passed: Passed,
    /// Packets of others at the same queue.
    pub others: u64,
    /// The part of what its super-packets are worth that was segmented for it, 0 to 1; None where it is not known, or there were none.
    pub cut: Option<f64>,
    /// Who says so.
    pub witnesses: Vec<Witness>,
    /// Payload that was segmented for it.
    pub cut_bytes: u64,
    /// Our packets when they left; None where it is not known.
    pub sent: Option<u64>,
    /// Mean length at the queue, link header included.
    pub mean_bytes_in: Option<f64>,
    /// Mean length as the device counts it.
    pub mean_bytes_out: Option<f64>,
    /// What the device counted and no program saw, bytes; None where its counters do not tell.
    pub unseen_bytes: Option<u64>,
    /// About so many packets are those.
    pub unseen_packets: u64,
    /// How many packets fewer came than the step before sent: GRO merged them. None where there is nothing to compare with.
    pub merged_before: Option<u64>,
    /// How many more came: something between the devices segmented.
    pub cut_before: Option<u64>,
    /// What the step before sent is what this one queued.
    pub audit: Option<Audit>,
}

/// Whether packets to the destination can be told apart there, or have another address by now.
pub(super) fn passed(seen: &[Seen], index: usize) -> Passed {
    let Some(one) = seen.get(index) else { return Passed::default() };
    if !one.is_filtered || packets(&one.counted.ours) != 0 {
        return if one.is_filtered { one.counted.ours } else { one.counted.all };
    }
    // Behind a translation of addresses they go by another one: as many as came before are taken for ours.
    let came = before(seen, index).map_or(0, |at| segments(&passed(seen, at)));
    let all = segments(&one.counted.all);
    if came >= FEWEST_PACKETS && all >= came / 2 && all <= came.saturating_mul(2) {
        one.counted.all
    } else {
        one.counted.ours
    }
}

pub(super) fn judge(seen: &[Seen], index: usize) -> Step {
    let ours = passed(seen, index);
    let mut step = Step {
        state: State::Unknown,
        why_unknown: None,
        passed: ours,
        others: 0,
        cut: None,
        witnesses: Vec::new(),
        cut_bytes: 0,
        sent: None,
        mean_bytes_in: None,
        mean_bytes_out: None,
        unseen_bytes: None,
        unseen_packets: 0,
        merged_before: None,
        cut_before: None,
        audit: None,
    };
    let Some(one) = seen.get(index) else { return step };
    step.mean_bytes_out = one.own.and_then(|own| mean(own.bytes, own.packets));
    if one.side == Side::Receive {
        step.mean_bytes_in = step.mean_bytes_out;
        received(&mut step, one);
        return step;
    }
    step.others = packets(&one.counted.all).saturating_sub(packets(&ours));
    step.mean_bytes_in = mean(bytes(&ours), packets(&ours));
    if packets(&ours) < FEWEST_PACKETS {
        step.why_unknown = Some("fewer packets passed than tell anything");
        return step;
    }
    step.sent = Some(packets(&ours));
    if (ours.segments as f64) < HARDLY_ANY * segments(&ours) as f64 || excess(&ours) == 0 {
        step.state = State::Singles;
        // There is nothing to segment, so that each packet more is one that no program saw, whatever its length.
        if let Some(own) = one.own.filter(|_| one.counts == Counts::Skbs) {
            let most = packets(&one.counted.all).saturating_add(excess(&one.counted.all));
            step.unseen_packets = own.packets.saturating_add(one.dropped).saturating_sub(most);
            let each = mean(own.bytes, own.packets).unwrap_or(0.0);
            step.unseen_bytes = Some((step.unseen_packets as f64 * each).round() as u64);
        }
        return step;
    }
    let (cut, witnesses) = match cut(seen, index, &ours) {
        Ok(found) => found,
        Err(why) => {
            step.why_unknown = Some(why);
            step.sent = None;
            return step;
        }
    };
    step.state = match cut {
        share if share >= NEARLY_ALL => State::Segmented,
        share if share <= 1.0 - NEARLY_ALL => State::Whole,
        _ => State::Partial,
    };
    step.cut_bytes = (cut * ours.payload_bytes as f64).round() as u64;
    step.cut = Some(cut);
    step.witnesses = witnesses;
    note_unseen(&mut step, one, cut);
    // What no program saw of them is no segment that was made.
    let added = (cut * excess(&ours) as f64).round() as u64;
    step.sent = Some(packets(&ours).saturating_add(added.saturating_sub(step.unseen_packets)));
    step
}

/// What the device counted beyond what every program saw, and about how many packets that is: as long as those that were seen.
fn note_unseen(step: &mut Step, one: &Seen, cut: f64) {
    let Some((rest, slack)) = beyond_headers(one, cut) else { return };
    let unseen = if rest > slack { rest.round() as u64 } else { 0 };
    let each = mean(bytes(&one.counted.all), packets(&one.counted.all)).unwrap_or(1.0).max(1.0);
    step.unseen_bytes = Some(unseen);
    step.unseen_packets = (unseen as f64 / each).ceil() as u64;
}

fn mean(bytes: u64, packets: u64) -> Option<f64> {
    (packets != 0).then(|| bytes as f64 / packets as f64)
}

/// Of a device that packets come in by, their mean length tells whether they are super-packets.
fn received(step: &mut Step, one: &Seen) {
    /// Ethernet with two tags, and a tunnel's headers.
    const LONGEST_SINGLE: f64 = 1_700.0;
    let packets = one.own.map_or(0, |own| own.packets);
    match step.mean_bytes_in {
        Some(mean) if packets >= FEWEST_PACKETS => {
            step.state = if mean > LONGEST_SINGLE { State::Whole } else { State::Singles };
        }
        _ => step.why_unknown = Some("fewer packets came in than tell anything"),
    }
}

/// The share of our super-packets that was segmented for the device, and who says so.
fn cut(seen: &[Seen], index: usize, ours: &Passed) -> Result<(f64, Vec<Witness>), &'static str> {
    let one = seen.get(index).ok_or("no such device")?;
    let all = &one.counted.all;
    let most = excess(all);
    let mut said: Vec<(Witness, f64)> = Vec::new();
    if one.is_hooked {
        let made = one.counted.segmented;
        said.push((Witness::Segmentation, share(made.segments.saturating_sub(made.packets), most)));
    }
    let foreseen = share(refused(&one.counted.foreseen), most);
    let by_packets = one.own.map(|own| by_packets(one, own));
    match (one.counts, by_packets) {
        (Counts::Skbs, Some(by)) => said.push((Witness::DevicePackets, by)),
        // A driver that counts what is on the wire shows super-packets that left whole as their segments. One that does not shows fewer.
        (Counts::Unknown | Counts::WireSegments, Some(by)) if by <= 1.0 - NEARLY_ALL => {
            said.push((Witness::DevicePackets, by));
        }
        (Counts::Unknown, Some(by)) if foreseen >= NEARLY_ALL => said.push((Witness::DevicePackets, by)),
        _ => {}
    }
    let behind = next(seen, index);
    if said.is_empty()
        && let Some(by) = by_next(seen, &behind, ours)
    {
        return Ok((by, vec![Witness::NextQueue]));
    }
    let Some((_, first)) = said.first().copied() else {
        return Err(match one.counts {
            Counts::WireSegments => {
                "its driver counts the segments of what it took whole, so its counters do not tell"
            }
            Counts::Unknown => {
                "its driver may count the segments of what it took whole, so its counters do not tell"
            }
            _ => "its counters could not be read, and no device behind it tells",
        });
    };
    let mut witnesses: Vec<Witness> =
        said.iter().filter(|(_, by)| (by - first).abs() <= AGREE).map(|(by, _)| *by).collect();
    if said.len() > witnesses.len() {
        return Err("what was counted of segmentation and the device's own counters contradict each other");
    }
    if by_bytes_agrees(one, first) {
        witnesses.push(Witness::DeviceBytes);
    }
    if (foreseen - first).abs() <= AGREE {
        witnesses.push(Witness::Foreseen);
    }
    // The device's sum is of all packets: of ours, as much as must be and as may be.
    let (of_ours, added) = (excess(ours) as f64, first * most as f64);
    let others = most as f64 - of_ours;
    let least = ((added - others) / of_ours).clamp(0.0, 1.0);
    let highest = (added / of_ours).clamp(least, 1.0);
    if highest - least <= AGREE {
        return Ok((f64::midpoint(least, highest), witnesses));
    }
    if let Some(by) = by_next(seen, &behind, ours) {
        witnesses.push(Witness::NextQueue);
        return Ok((by.clamp(least, highest), witnesses));
    }
    // Whose it was by the features that each needed: believed where they say of all what was counted of all.
    if witnesses.contains(&Witness::Foreseen) {
        let of_ours = share(refused(&one.counted.ours_foreseen), excess(ours));
        return Ok((of_ours.clamp(least, highest), witnesses));
    }
    Err("others' packets pass it too, and what was segmented may be theirs")
}

fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { (part as f64 / of as f64).clamp(0.0, 1.0) }
}

/// x / (G − W), x being what the device sent more than it was given.
fn by_packets(one: &Seen, own: Own) -> f64 {
    let all = &one.counted.all;
    let given = packets(all).saturating_sub(one.dropped);
    share(own.packets.saturating_sub(given), excess(all))
}

/// What the device's bytes are beyond those that were queued and the headers of so many segments, and how exact that is. Negative where it counted
/// less. None where the counters are not its own, or tell nothing of lengths.
fn beyond_headers(one: &Seen, cut: f64) -> Option<(f64, f64)> {
    let own = one.own.filter(|_| matches!(one.counts, Counts::Skbs | Counts::Unknown))?;
    let all = &one.counted.all;
    let headers = cut * all.unsent_header_bytes as f64;
    let longer = own.bytes as f64 - bytes(all) as f64;
    // What moved at the edges is of any length.
    let edges = one.moving.saturating_add(one.dropped) as f64 * mean(bytes(all), packets(all)).unwrap_or(0.0);
    let slack = AGREE * all.unsent_header_bytes as f64 + edges;
    let rest = |beyond: &i64| longer - headers - *beyond as f64 * own.packets as f64;
    let fits = BEYOND_LENGTH.iter().map(rest).find(|rest| rest.abs() <= slack);
    let rest = fits.unwrap_or_else(|| rest(&0));
    Some((rest, slack))
}

/// Whether the device's bytes have as many headers more as that share of segments says: a packet that no program saw is longer by far than a header,
/// and a few of them leave the answer as it is.
fn by_bytes_agrees(one: &Seen, cut: f64) -> bool {
    let few = LITTLE_UNSEEN * bytes(&one.counted.all) as f64;
    beyond_headers(one, cut).is_some_and(|(rest, slack)| rest >= -slack && rest <= slack.max(few))
}

/// By what the next devices queued, where nothing merges in between: as many packets, worth as many segments.
fn by_next(seen: &[Seen], behind: &[usize], ours: &Passed) -> Option<f64> {
    let (mut came, mut worth) = (0_u64, 0_u64);
    for index in behind {
        let passed = passed(seen, *index);
        came = came.saturating_add(packets(&passed));
        worth = worth.saturating_add(segments(&passed));
    }
    let slack = (segments(ours) / 100).saturating_add(FEWEST_PACKETS);
    (!behind.is_empty() && worth.abs_diff(segments(ours)) <= slack)
        .then(|| share(came.saturating_sub(packets(ours)), excess(ours)))
}
