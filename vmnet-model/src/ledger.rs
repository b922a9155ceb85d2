//! Where every byte went.

use serde::{Deserialize, Serialize};
use vmnet_common::{Class, Counters, Lane, LaneCounts, SEGS_BUCKETS, Stage, bucket_lower, bucket_upper};

use super::tally::{Tally, bounded, cell, lane, scaled_up};
use crate::fact::Why;
use crate::null_because;
use crate::{stats, units};

null_because! {
    not_asked: Why::is(RETRANSMITS_UNKNOWN);
    no_median: Why::is("there were no super-packets, or it is UDP, for which none is kept");
}

/// Why `retransmitted_bytes` is None where programs counted.
pub const RETRANSMITS_UNKNOWN: &str = "TCP's own count of what it retransmitted could not be had: the senders are no sockets of this interface's \
     addresses (forwarded, or sent through a device above), they are too many to be asked at every sample, or some closed while they were";

/// One transport protocol's bytes and packets. Bytes are payload: headers excluded, retransmits included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Protocol {
    /// Both families together.
    #[serde(flatten)]
    pub total: Entry,
    /// IPv4.
    pub ipv4: Entry,
    /// IPv6.
    pub ipv6: Entry,
}

/// What became of bytes, by one name in every table, chart, line and help: left in super-packets that the driver got whole,
pub const OFFLOADED: &str = "offloaded";
/// left in segments that the CPU made of super-packets,
pub const SEGMENTED: &str = "segmented in software";
/// left in packets of a full segment that were never part of a super-packet,
pub const SINGLES: &str = "full-size singles";
/// or in smaller ones.
pub const SMALL: &str = "small packets";

/// One row of the ledger. The six `_bytes` from `hardware` to `pending` add up to `payload_bytes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Entry {
    /// Queued to the interface in the window (or, if more left than was queued, what left).
    pub payload_bytes: u64,
    /// Left in super-packets that the driver got whole.
    pub hardware_bytes: u64,
    /// Left in super-packets that the CPU segmented for this device.
    pub software_bytes: u64,
    /// Left in full-size singles.
    pub unaggregated_bytes: u64,
    /// Left in smaller singles.
    pub small_bytes: u64,
    /// Dropped between queue and driver, or by the driver.
    pub dropped_bytes: u64,
    /// Queued, and not seen to leave or drop.
    pub pending_bytes: u64,
    /// Retransmitted, as TCP itself says; part of the above. None where the senders' sockets could not be asked.
    #[serde(serialize_with = "not_asked")]
    pub retransmitted_bytes: Option<u64>,
    /// Super-packets at the queue.
    pub super_packets_queued: u64,
    /// Super-packets that the driver took whole.
    pub super_packets_to_driver: u64,
    /// skbs that the driver took.
    pub packets_to_driver: u64,
    /// Segments made in software that the driver took.
    pub segments_made: u64,
    /// Packets without payload, at the queue.
    pub control_packets: u64,
    /// Median wire segments of the super-packets queued; None where there were none, and for UDP.
    #[serde(serialize_with = "no_median")]
    pub median_gso_segs: Option<f64>,
    /// Payload inside tunnels.
    pub tunnel_bytes: u64,
    /// Payload forwarded from another interface.
    pub forwarded_bytes: u64,
    /// How it is known what was segmented.
    #[serde(default)]
    pub method: Method,
    /// The least that `software_bytes` can be; the same where it is exact.
    #[serde(default)]
    pub software_bytes_at_least: u64,
    /// The most that `software_bytes` can be; the same where it is exact.
    #[serde(default)]
    pub software_bytes_at_most: u64,
}

/// How it is known what was segmented in software.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Packet by packet.
    #[default]
    Counted,
    /// In sum by the device's packets and bytes; whose it was by the features that each super-packet needed.
    Allotted,
    /// By the share in windows in which every segment was counted.
    Windows,
    /// Only that it is between a least and a most.
    Bounds,
}

/// Neither TCP nor UDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Other {
    /// skbs that the driver took.
    pub packets_to_driver: u64,
    /// Their length, link header included.
    pub bytes: u64,
}

impl Protocol {
    /// TCP's ledger, from what was counted in a window.
    #[must_use]
    pub fn tcp(counted: &Counters) -> Self {
        Self::of(counted, Lane::Tcp4, Lane::Tcp6).with_median(counted)
    }

    /// UDP's, likewise. Its singles have no MSS to be judged by: `unaggregated` are those close to the MTU.
    #[must_use]
    pub fn udp(counted: &Counters) -> Self {
        Self::of(counted, Lane::Udp4, Lane::Udp6)
    }

    fn of(counted: &Counters, ipv4: Lane, ipv6: Lane) -> Self {
        Self::of_families(Entry::of(counted, ipv4), Entry::of(counted, ipv6))
    }

    pub(crate) fn of_families(ipv4: Entry, ipv6: Entry) -> Self {
        Self { total: ipv4.plus(&ipv6), ipv4, ipv6 }
    }

    /// With the median of TCP's super-packets, of both families together.
    pub(crate) fn with_median(mut self, counted: &Counters) -> Self {
        self.total.median_gso_segs = median_gso_segs(&counted.queued_segs);
        self
    }
}

impl Other {
    /// What was neither TCP nor UDP.
    #[must_use]
    pub fn of(counted: &Counters) -> Self {
        let driver = Tally::of(counted, Stage::Driver, &[Lane::Other]);
        Self { packets_to_driver: driver.packets, bytes: driver.bytes }
    }
}

impl Entry {
    /// One lane's row.
    #[must_use]
    pub fn of(counted: &Counters, of: Lane) -> Self {
        let queue = lane(counted, Stage::Queue, of);
        let driver = lane(counted, Stage::Driver, of);
        let [full, small] = loose_segments(counted, of);

        let made = cell(driver, Class::Made);
        let built = |class| cell(driver, class).payload_bytes;
        let hardware_bytes = built(Class::Super);
        let software_bytes = made.payload_bytes + full.payload_bytes + small.payload_bytes;
        let unaggregated_bytes = built(Class::Full) + built(Class::LooseFull) - full.payload_bytes;
        let small_bytes =
            built(Class::Small) + built(Class::LooseSmall) + built(Class::Control) - small.payload_bytes;
        let dropped_bytes = Tally::of(counted, Stage::Dropped, &[of]).payload_bytes
            + Tally::of(counted, Stage::DriverDropped, &[of]).payload_bytes;

        let left = hardware_bytes + software_bytes + unaggregated_bytes + small_bytes + dropped_bytes;
        let queued = Tally::of(counted, Stage::Queue, &[of]);
        let pending_bytes = queued.payload_bytes.saturating_sub(left);
        Self {
            payload_bytes: left + pending_bytes,
            hardware_bytes,
            software_bytes,
            unaggregated_bytes,
            small_bytes,
            dropped_bytes,
            pending_bytes,
            retransmitted_bytes: None,
            super_packets_queued: cell(queue, Class::Super).packets,
            super_packets_to_driver: cell(driver, Class::Super).packets,
            packets_to_driver: Tally::of(counted, Stage::Driver, &[of]).packets,
            segments_made: made.packets + full.packets + small.packets,
            control_packets: cell(queue, Class::Control).packets,
            median_gso_segs: None,
            tunnel_bytes: bounded(queue.tunnel_payload_bytes),
            forwarded_bytes: queued.forwarded_payload_bytes,
            method: Method::Counted,
            software_bytes_at_least: software_bytes,
            software_bytes_at_most: software_bytes,
        }
    }

    /// Payload that was built into super-packets and left.
    #[must_use]
    pub fn built_bytes(&self) -> u64 {
        self.hardware_bytes.saturating_add(self.software_bytes)
    }

    /// Payload that super-packets carried or could have carried.
    #[must_use]
    pub fn bulk_bytes(&self) -> u64 {
        self.built_bytes().saturating_add(self.unaggregated_bytes)
    }

    /// software / built; None where nothing was built.
    #[must_use]
    pub fn software_share(&self) -> Option<f64> {
        units::share(self.software_bytes, self.built_bytes())
    }

    /// retransmitted / payload; None where nothing was sent, and where it is not known.
    #[must_use]
    pub fn retransmitted_share(&self) -> Option<f64> {
        units::share(self.retransmitted_bytes?, self.payload_bytes)
    }

    /// Where bulk went: "60.0 % offloaded, 39.0 % segmented in software, 1.0 % full-size singles".
    #[must_use]
    pub fn shares_in_words(&self) -> String {
        let percent = |part| units::percent(units::share(part, self.bulk_bytes()).unwrap_or(0.0));
        format!(
            "{} {OFFLOADED}, {} {SEGMENTED}, {} {SINGLES}",
            percent(self.hardware_bytes),
            percent(self.software_bytes),
            percent(self.unaggregated_bytes),
        )
    }

    /// The ledger in a sentence: "99.8 % of 41.2 GB of bulk TCP was segmented in software: 0.96 M super-packets into 27.3 M
    /// segments".
    #[must_use]
    pub fn detail(&self) -> String {
        let bulk = self.bulk_bytes();
        let Some(most) =
            [self.hardware_bytes, self.software_bytes, self.unaggregated_bytes].into_iter().max()
        else {
            return String::new();
        };
        let Some(share) = units::share(most, bulk) else {
            return format!("no bulk TCP among {} of payload", scaled(self.payload_bytes, "B"));
        };
        let bulk = format!("{} of {} of bulk TCP", units::percent(share), scaled(bulk, "B"));
        if most == self.software_bytes {
            let cut = self.super_packets_queued.saturating_sub(self.super_packets_to_driver);
            let (cut, made) = (scaled(cut, ""), scaled(self.segments_made, ""));
            format!("{bulk} was segmented in software: {cut} super-packets into {made} segments")
        } else if most == self.hardware_bytes {
            let whole = scaled(self.super_packets_to_driver, "");
            format!("{bulk} went to the device in super-packets: {whole} of them")
        } else if self.forwarded_bytes.saturating_mul(2) >= self.unaggregated_bytes {
            format!("{bulk} was forwarded, and came in one by one")
        } else {
            format!("{bulk} was never built into super-packets")
        }
    }

    fn plus(&self, other: &Self) -> Self {
        Self {
            payload_bytes: self.payload_bytes + other.payload_bytes,
            hardware_bytes: self.hardware_bytes + other.hardware_bytes,
            software_bytes: self.software_bytes + other.software_bytes,
            unaggregated_bytes: self.unaggregated_bytes + other.unaggregated_bytes,
            small_bytes: self.small_bytes + other.small_bytes,
            dropped_bytes: self.dropped_bytes + other.dropped_bytes,
            pending_bytes: self.pending_bytes + other.pending_bytes,
            retransmitted_bytes: self.retransmitted_bytes.zip(other.retransmitted_bytes).map(|(a, b)| a + b),
            super_packets_queued: self.super_packets_queued + other.super_packets_queued,
            super_packets_to_driver: self.super_packets_to_driver + other.super_packets_to_driver,
            packets_to_driver: self.packets_to_driver + other.packets_to_driver,
            segments_made: self.segments_made + other.segments_made,
            control_packets: self.control_packets + other.control_packets,
            median_gso_segs: None,
            tunnel_bytes: self.tunnel_bytes + other.tunnel_bytes,
            forwarded_bytes: self.forwarded_bytes + other.forwarded_bytes,
            method: self.method.max(other.method),
            software_bytes_at_least: self.software_bytes_at_least + other.software_bytes_at_least,
            software_bytes_at_most: self.software_bytes_at_most + other.software_bytes_at_most,
        }
    }
}

/// Packets at the driver that `skb_segment` made.
#[derive(Clone, Copy, Debug, Default)]
struct Segments {
    packets: u64,
    payload_bytes: u64,
}

/// How much of [`Class::LooseFull`] and [`Class::LooseSmall`] at the driver are segments of super-packets that no
/// socket owns (forwarded ones): they were not queued as singles. No mark on the skb tells, so it is a subtraction:
/// what came to the driver less what was queued and not dropped by the qdisc. What the driver dropped is shared in
/// proportion. Never more than the super-packets that vanished between queue and driver were worth, so that a
/// backlog of singles from before the window does not pass for segments.
fn loose_segments(counted: &Counters, of: Lane) -> [Segments; 2] {
    let vanished = vanished_super_packets(counted, of);
    let mut left = vanished;
    [Class::LooseFull, Class::LooseSmall].map(|class| {
        let at = |stage| cell(lane(counted, stage, of), class);
        let (queue, driver) = (at(Stage::Queue), at(Stage::Driver));
        let (dropped, driver_dropped) = (at(Stage::Dropped), at(Stage::DriverDropped));
        let made = |queued: u64, dropped: u64, taken: u64, driver_dropped: u64| {
            let reached = taken + driver_dropped;
            let not_queued = reached.saturating_sub(queued.saturating_sub(dropped));
            scaled_up(taken, not_queued, reached)
        };
        let segments = Segments {
            packets: made(queue.packets, dropped.packets, driver.packets, driver_dropped.packets)
                .min(left.packets),
            payload_bytes: made(
                queue.payload_bytes,
                dropped.payload_bytes,
                driver.payload_bytes,
                driver_dropped.payload_bytes,
            )
            .min(left.payload_bytes),
        };
        left.packets -= segments.packets;
        left.payload_bytes -= segments.payload_bytes;
        segments
    })
}

/// What super-packets that were queued, and neither left nor were dropped as such, are worth in segments, less the
/// segments that are marked as made.
fn vanished_super_packets(counted: &Counters, of: Lane) -> Segments {
    let counts = |stage: Stage| -> &LaneCounts { lane(counted, stage, of) };
    let queue = counts(Stage::Queue);
    let mut vanished = Segments {
        packets: cell(queue, Class::Super).segs + cell(queue, Class::Made).packets,
        payload_bytes: cell(queue, Class::Super).payload_bytes + cell(queue, Class::Made).payload_bytes,
    };
    for stage in [Stage::Driver, Stage::Dropped, Stage::DriverDropped] {
        let (whole, made) = (cell(counts(stage), Class::Super), cell(counts(stage), Class::Made));
        vanished.packets = vanished.packets.saturating_sub(whole.segs + made.packets);
        vanished.payload_bytes =
            vanished.payload_bytes.saturating_sub(whole.payload_bytes + made.payload_bytes);
    }
    vanished
}

/// An amount for people: "41.2 GB".
#[must_use]
pub fn in_bytes(bytes: u64) -> String {
    scaled(bytes, "B")
}

/// A number with a decimal prefix: "41.2 GB", "0.96 M".
fn scaled(value: u64, unit: &str) -> String {
    let (divisor, prefix) = match value {
        0..1_000 => return format!("{value} {unit}").trim_end().to_owned(),
        1_000..500_000 => (1e3, "k"),
        500_000..500_000_000 => (1e6, "M"),
        500_000_000..500_000_000_000 => (1e9, "G"),
        _ => (1e12, "T"),
    };
    let value = value as f64 / divisor;
    let digits = if value < 10.0 { 2 } else { 1 };
    format!("{value:.digits$} {prefix}{unit}")
}

/// Median segments of super-packets: exact below 16, interpolated within its bucket above. Packets of one segment are
/// left out. Forwarded super-packets count by payload / `gso_size`.
fn median_gso_segs(queued_segs: &[u64; SEGS_BUCKETS]) -> Option<f64> {
    let buckets = queued_segs
        .iter()
        .enumerate()
        .skip(2)
        .map(|(index, &count)| (bucket_lower(index), bucket_upper(index), bounded(count)));
    stats::of_whole_numbers(buckets, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{MSS, Scene};
    use proptest::prelude::*;
    use vmnet_common::Cell;

    fn six(entry: &Entry) -> u128 {
        [
            entry.hardware_bytes,
            entry.software_bytes,
            entry.unaggregated_bytes,
            entry.small_bytes,
            entry.dropped_bytes,
            entry.pending_bytes,
        ]
        .into_iter()
        .map(u128::from)
        .sum()
    }

    #[test]
    fn every_kind_of_traffic_lands_in_its_own_column() {
        let mut scene = Scene::new();
        scene.whole(10, 44).cut(20, 30).full(7).small(5, 100).control(3).dropped_by_qdisc(2).stuck(1, 9);
        let tcp = Protocol::tcp(&scene.traced()).total;
        assert_eq!(tcp.hardware_bytes, 440 * MSS);
        assert_eq!(tcp.software_bytes, 600 * MSS);
        assert_eq!(tcp.unaggregated_bytes, 7 * MSS);
        assert_eq!(tcp.small_bytes, 500);
        assert_eq!(tcp.dropped_bytes, 2 * MSS);
        assert_eq!(tcp.pending_bytes, 9 * MSS);
        assert_eq!(tcp.super_packets_queued, 31);
        assert_eq!(tcp.super_packets_to_driver, 10);
        assert_eq!(tcp.packets_to_driver, 10 + 600 + 7 + 5 + 3);
        assert_eq!(tcp.segments_made, 600);
        assert_eq!(tcp.control_packets, 3);
    }

    #[test]
    fn forwarded_super_packets_that_were_cut_up_are_software_and_forwarded_singles_are_not() {
        for scene in [&mut Scene::new(), &mut Scene::tracepoints_only()] {
            scene.forwarded_cut(10, 40).forwarded_singles(25);
            let tcp = Protocol::tcp(&scene.traced()).total;
            assert_eq!(tcp.software_bytes, 400 * MSS);
            assert_eq!(tcp.segments_made, 400);
            assert_eq!(tcp.unaggregated_bytes, 25 * MSS);
            assert_eq!(tcp.forwarded_bytes, 425 * MSS);
        }
    }

    #[test]
    fn a_backlog_of_forwarded_singles_from_before_the_window_is_not_software() {
        let mut scene = Scene::new();
        scene.forwarded_singles(25);
        scene.counters().stages[Stage::Queue as usize] = Default::default();
        let tcp = Protocol::tcp(&scene.traced()).total;
        assert_eq!((tcp.software_bytes, tcp.unaggregated_bytes), (0, 25 * MSS));
    }

    #[test]
    fn forwarded_singles_that_the_qdisc_dropped_do_not_hide_segments() {
        let mut scene = Scene::new();
        scene.forwarded_cut(10, 40);
        let singles = Cell { packets: 5, bytes: 5 * 1_514, payload_bytes: 5 * MSS, segs: 5 };
        for stage in [Stage::Queue, Stage::Dropped] {
            scene.counters().stages[stage as usize][0].cells[Class::LooseFull as usize] = singles;
        }
        assert_eq!(Protocol::tcp(&scene.traced()).total.software_bytes, 400 * MSS);
    }

    #[test]
    fn more_that_left_than_was_queued_counts_as_what_left() {
        let mut scene = Scene::new();
        scene.whole(10, 44);
        scene.counters().stages[Stage::Queue as usize][0].cells[Class::Super as usize].payload_bytes =
            40 * MSS;
        let tcp = Protocol::tcp(&scene.traced()).total;
        assert_eq!((tcp.payload_bytes, tcp.pending_bytes), (440 * MSS, 0));
    }

    #[test]
    fn the_ledger_reads_as_a_sentence() {
        let mut scene = Scene::new();
        scene.cut(960_000, 28).full(38_000);
        assert_eq!(
            Protocol::tcp(&scene.traced()).total.detail(),
            "99.9 % of 39.0 GB of bulk TCP was segmented in software: 0.96 M super-packets into 26.9 M segments"
        );
        let mut quiet = Scene::new();
        quiet.small(9, 100);
        assert_eq!(Protocol::tcp(&quiet.traced()).total.detail(), "no bulk TCP among 900 B of payload");
    }

    #[test]
    fn the_median_leaves_singles_out() {
        let mut scene = Scene::new();
        scene.full(1_000).whole(10, 3).whole(9, 12);
        assert_eq!(Protocol::tcp(&scene.traced()).total.median_gso_segs, Some(3.0));
        assert_eq!(Protocol::tcp(&scene.traced()).ipv4.median_gso_segs, None);
        let mut singles = Scene::new();
        singles.full(10);
        assert_eq!(Protocol::tcp(&singles.traced()).total.median_gso_segs, None);
    }

    #[test]
    fn what_is_neither_tcp_nor_udp_has_its_own_count() {
        let mut scene = Scene::new();
        scene.counters().stages[Stage::Driver as usize][Lane::Other as usize].cells
            [Class::Control as usize] = Cell { packets: 4, bytes: 240, payload_bytes: 0, segs: 4 };
        assert_eq!(Other::of(&scene.traced()), Other { packets_to_driver: 4, bytes: 240 });
        assert_eq!(Protocol::tcp(&scene.traced()).total, Entry::default());
    }

    fn arbitrary_counters() -> impl Strategy<Value = Box<Counters>> {
        let word = prop_oneof![0_u64..4, 0_u64..1_000_000, any::<u64>()];
        let words = size_of::<Counters>() / size_of::<u64>();
        proptest::collection::vec(word, words).prop_map(|words| {
            let mut counters = Box::<Counters>::default();
            bytemuck::cast_slice_mut::<Counters, u64>(core::slice::from_mut(&mut *counters))
                .copy_from_slice(&words);
            counters
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn the_six_columns_add_up_to_the_payload(counters in arbitrary_counters()) {
            for protocol in [Protocol::tcp(&counters), Protocol::udp(&counters)] {
                for row in [&protocol.total, &protocol.ipv4, &protocol.ipv6] {
                    prop_assert_eq!(six(row), u128::from(row.payload_bytes));
                }
            }
        }

        #[test]
        fn consistent_traffic_of_any_mix_leaves_nothing_pending(
            whole in 0_u64..500, cut in 0_u64..500, full in 0_u64..500, forwarded in 0_u64..500, segs in 2_u64..45,
        ) {
            let mut scene = Scene::new();
            scene.whole(whole, segs).cut(cut, segs).full(full).forwarded_cut(forwarded, segs);
            let tcp = Protocol::tcp(&scene.traced()).total;
            prop_assert_eq!(tcp.pending_bytes, 0);
            prop_assert_eq!(tcp.hardware_bytes, whole * segs * MSS);
            prop_assert_eq!(tcp.software_bytes, (cut + forwarded) * segs * MSS);
        }
    }
}
