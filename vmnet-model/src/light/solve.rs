//! The equation, solved for what segmentation added.

use vmnet_common::LANES;

use super::terms::{Amount, Supers, Terms, VLAN_TAG_BYTES};
use crate::driver_semantics::CountedAs;
use crate::ledger::Method;

/// No frame is shorter than its link header.
const SHORTEST_FRAME_BYTES: u64 = 14;
/// Nor longer than a super-packet with its headers; BIG TCP's are.
const LONGEST_FRAME_BYTES: u64 = (1 << 16) + 256;
/// Where more than one in this many packets or bytes would have to be unseen, it was something else.
const UNSEEN_ONE_IN: u64 = 100;
/// A count may be off by one in this many.
const EXACT_ONE_IN: u64 = 1_000;

/// What the device counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) packets: u64,
    /// As lengths of skbs.
    pub(crate) bytes: u64,
    pub(crate) counted_as: CountedAs,
    /// The most packets that the qdisc was given and the hook before it did not see.
    pub(crate) unseen_at_the_queue: u64,
    /// What the edges of the window explain.
    pub(crate) slack_packets: u64,
    pub(crate) slack_bytes: u64,
}

/// What became of one lane's super-packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Segmented {
    /// Those that were segmented, as best known.
    pub(crate) supers: Supers,
    /// How far that goes.
    pub(crate) extent: Extent,
    /// Packets that segmentation added: at least, at most.
    pub(crate) added: (u64, u64),
}

/// How well it is known which super-packets were segmented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Just those.
    #[default]
    Exact,
    /// Those, and perhaps some more.
    AtLeast,
    /// Only how many packets it added, and not exactly.
    Between,
}

/// What became of all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Solution {
    pub(crate) method: Method,
    /// By lane.
    pub(crate) lanes: [Segmented; LANES],
}

impl Solution {
    /// By the segmentation hook.
    pub(crate) fn counted(terms: &[Terms; LANES]) -> Self {
        let lanes = std::array::from_fn(|lane| {
            let split = &terms[lane].split;
            Segmented::known(Supers {
                packets: split.calls,
                segs: split.segs,
                header_bytes: split.bytes_out.saturating_sub(split.bytes_in),
                payload_bytes: split.payload_bytes,
            })
        });
        Self { method: Method::Counted, lanes }
    }

    /// By what the device shows.
    pub(crate) fn found(terms: &[Terms; LANES], seen: &Seen) -> Self {
        let gap = Gap::of(terms, seen);
        let foreseen = std::array::from_fn(|lane| terms[lane].forecast);
        let hypotheses = [
            (Method::Counted, [Supers::default(); LANES], Supers::default()),
            (Method::Counted, std::array::from_fn(|lane| terms[lane].supers), Supers::default()),
            (Method::Allotted, foreseen, sum(terms.iter().map(|terms| terms.forecast_uncertain))),
        ];
        let mut fitting: Vec<_> = hypotheses
            .iter()
            .filter_map(|(method, lanes, uncertain)| {
                Some((gap.unseen(&sum(lanes.iter().copied()), uncertain)?, *method, lanes))
            })
            .collect();
        // The least unseen; the ends before the forecast.
        fitting.sort_by_key(|(unseen, ..)| unseen.bytes);
        let Some((unseen, method, lanes)) = fitting.first() else { return Self::open(terms, &gap) };
        // Of the unseen, some may have been segments of super-packets that were seen.
        let more = unseen.segments_at_most(gap.shortest_header());
        let is_exact = more.saturating_mul(EXACT_ONE_IN) <= gap.supers.added_packets();
        let lanes = std::array::from_fn(|lane| {
            let known = Segmented::known(lanes[lane]);
            let most = terms[lane].supers.added_packets();
            let added = (known.added.0, known.added.1.saturating_add(more).min(most.max(known.added.1)));
            let extent = if added.0 == added.1 { Extent::Exact } else { Extent::AtLeast };
            Segmented { extent, added, ..known }
        });
        Self { method: if is_exact { *method } else { Method::Bounds }, lanes }
    }

    /// None of the hypotheses fits: what was added is known in sum at most, and not whose it was.
    fn open(terms: &[Terms; LANES], gap: &Gap) -> Self {
        let all = sum(terms.iter().map(|terms| terms.supers));
        let foreseen = sum(terms.iter().map(|terms| terms.forecast)).added_packets();
        let (few, many) = gap.added(&all);
        // What nobody foresaw may as well have been packets that no program saw, and weigh as little as headers do.
        let few = few.min(foreseen);
        let lanes = std::array::from_fn(|lane| {
            let supers = terms[lane].supers;
            let (own, others) =
                (supers.added_packets(), all.added_packets().saturating_sub(supers.added_packets()));
            let added = (few.saturating_sub(others), many.min(own));
            let middle = added.0 + (added.1.saturating_sub(added.0)) / 2;
            let extent = if own == 0 { Extent::Exact } else { Extent::Between };
            Segmented { supers: part(&supers, middle, own), extent, added }
        });
        Self { method: Method::Bounds, lanes }
    }

    /// What the device should have counted: packets and bytes.
    pub(crate) fn expected(&self, terms: &[Terms; LANES], counted_as: CountedAs) -> Amount {
        let mut expected = Amount::default();
        for (terms, segmented) in terms.iter().zip(&self.lanes) {
            let dropped = &terms.made_and_dropped;
            let (packets, bytes) = match counted_as {
                CountedAs::Skbs => (
                    terms.packets().saturating_add(segmented.supers.added_packets()),
                    terms
                        .bytes()
                        .saturating_add(segmented.supers.header_bytes)
                        .saturating_add(terms.tag_bytes(&segmented.supers)),
                ),
                CountedAs::WireSegments => (terms.segs(), terms.bytes() + terms.supers.header_bytes),
            };
            expected.packets = expected.packets.saturating_add(packets.saturating_sub(dropped.packets));
            expected.bytes = expected.bytes.saturating_add(bytes.saturating_sub(dropped.bytes));
        }
        expected
    }
}

impl Segmented {
    fn known(supers: Supers) -> Self {
        let added = supers.added_packets();
        Self { supers, extent: Extent::Exact, added: (added, added) }
    }
}

/// What the device counted beyond singles and whole super-packets: what segmentation added, and what no program saw.
struct Gap {
    packets: i128,
    bytes: i128,
    slack_packets: i128,
    slack_bytes: i128,
    /// Of all lanes.
    supers: Supers,
    unseen_packets_at_most: i128,
    unseen_bytes_at_most: i128,
    unseen_at_the_queue: i128,
}

/// What no program saw, if a hypothesis is right.
#[derive(Clone, Copy, Debug, Default)]
struct Unseen {
    packets: u64,
    bytes: u64,
}

impl Gap {
    fn of(terms: &[Terms; LANES], seen: &Seen) -> Self {
        let mut gap = Self {
            packets: i128::from(seen.packets),
            bytes: i128::from(seen.bytes),
            slack_packets: i128::from(seen.slack_packets),
            slack_bytes: i128::from(seen.slack_bytes),
            supers: sum(terms.iter().map(|terms| terms.supers)),
            unseen_packets_at_most: i128::from(sum_of(terms, Terms::segs) / UNSEEN_ONE_IN),
            unseen_bytes_at_most: i128::from(seen.bytes / UNSEEN_ONE_IN),
            unseen_at_the_queue: i128::from(seen.unseen_at_the_queue),
        };
        for terms in terms {
            gap.packets -= i128::from(terms.packets()) - i128::from(terms.made_and_dropped.packets);
            gap.bytes -= i128::from(terms.bytes()) - i128::from(terms.made_and_dropped.bytes);
            // A tag that the CPU puts into each segment, or into the whole.
            let (tagged, tagged_segs) = (i128::from(terms.tagged.0), i128::from(terms.tagged.1));
            let tag = i128::from(VLAN_TAG_BYTES);
            gap.bytes -= tag * tagged;
            gap.slack_bytes += tag * (tagged_segs - tagged).max(0);
        }
        gap
    }

    /// What remains if just these were segmented: nothing within the slack, or more on the side of the device, as much as
    /// packets can weigh. None where it does not fit.
    fn unseen(&self, segmented: &Supers, uncertain: &Supers) -> Option<Unseen> {
        let packets = self.packets - i128::from(segmented.added_packets());
        let bytes = self.bytes - i128::from(segmented.header_bytes);
        let slack_packets = self.slack_packets + i128::from(uncertain.added_packets());
        let slack_bytes = self.slack_bytes + i128::from(uncertain.header_bytes);
        if packets.abs() <= slack_packets && bytes.abs() <= slack_bytes {
            return Some(Unseen::default());
        }
        let (most_packets, most_bytes) = (packets + slack_packets, bytes + slack_bytes);
        let is_gap = most_packets >= 0
            && most_bytes >= 0
            && packets <= self.unseen_packets_at_most
            && bytes <= self.unseen_bytes_at_most
            && most_bytes >= (packets - slack_packets).max(0) * i128::from(SHORTEST_FRAME_BYTES)
            && bytes - slack_bytes <= most_packets * i128::from(LONGEST_FRAME_BYTES);
        let amount = |value: i128| u64::try_from(value.max(0)).unwrap_or(u64::MAX);
        is_gap.then(|| Unseen { packets: amount(most_packets), bytes: amount(most_bytes) })
    }

    /// Packets that segmentation may have added, if nothing is known but the device's counts.
    fn added(&self, supers: &Supers) -> (u64, u64) {
        let most = i128::from(supers.added_packets());
        let few = self.packets - self.slack_packets - self.unseen_at_the_queue;
        let many = self.packets + self.slack_packets;
        // If nothing was unseen, the bytes are their headers. Some may be twice as long as the mean.
        let header = self.shortest_header().max(1);
        let by_bytes = (self.bytes + self.slack_bytes) / i128::from(header);
        let explained = self.bytes - self.slack_bytes <= few.max(0) * i128::from(header) * 4;
        let few = if explained { few } else { 0 };
        let clamp = |value: i128| u64::try_from(value.clamp(0, most)).unwrap_or(0);
        (clamp(few), clamp(many.min(by_bytes)))
    }

    /// The mean header of the super-packets queued, less a half: single ones may have shorter ones.
    fn shortest_header(&self) -> u64 {
        self.supers.header_bytes.checked_div(self.supers.added_packets()).map_or(0, |mean| mean / 2)
    }
}

impl Unseen {
    /// How many of these packets can have been segments of super-packets that were seen, each of which brings a header and
    /// nothing else. The others have to weigh the rest, and no frame is longer than the longest.
    fn segments_at_most(&self, header: u64) -> u64 {
        let heaviest = u128::from(self.packets) * u128::from(LONGEST_FRAME_BYTES);
        let spare = heaviest.saturating_sub(u128::from(self.bytes));
        let each = u128::from(LONGEST_FRAME_BYTES.saturating_sub(header)).max(1);
        u64::try_from(spare / each).unwrap_or(u64::MAX).min(self.packets).min(self.bytes / header.max(1))
    }
}

fn sum_of(terms: &[Terms; LANES], of: impl Fn(&Terms) -> u64) -> u64 {
    terms.iter().fold(0, |sum, terms| sum.saturating_add(of(terms)))
}

fn sum(supers: impl Iterator<Item = Supers>) -> Supers {
    supers.fold(Supers::default(), Supers::plus)
}

/// The part of super-packets whose segmentation adds `added` of `all` packets, as if they were all alike.
fn part(supers: &Supers, added: u64, all: u64) -> Supers {
    let of = |value: u64| {
        let share = u128::from(value) * u128::from(added);
        share.checked_div(u128::from(all)).and_then(|part| u64::try_from(part).ok()).unwrap_or(0)
    };
    let packets = of(supers.packets);
    Supers {
        packets,
        segs: packets.saturating_add(added),
        header_bytes: of(supers.header_bytes),
        payload_bytes: of(supers.payload_bytes),
    }
}
