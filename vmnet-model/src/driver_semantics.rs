//! What a device's own counters count. Drivers differ, so it is a table; a driver that has no row is
//! asked: its counters are held against the programs in the first window with traffic.

use serde::{Deserialize, Serialize};
use vmnet_common::{Counters, Lane, Stage};

use super::tally::Tally;
use crate::link_counters::LinkCounters;

/// What a frame check sequence adds to a packet, bytes.
const FCS_BYTES: i64 = 4;
/// What `eth_type_trans` takes from a packet before lo counts it, bytes.
const LINK_HEADER_BYTES: i64 = 14;
/// What a device may add to the length of each packet, or leave out, as far as is known.
const BEYOND_LENGTH: [i64; 3] = [0, FCS_BYTES, -LINK_HEADER_BYTES];
/// Fewer packets tell nothing: what else moved the counters outweighs.
const FEWEST_PACKETS: u64 = 64;

/// What one `tx_packets` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CountedAs {
    /// One skb: a super-packet that the driver took whole counts once.
    Skbs,
    /// One packet on the wire: such a super-packet counts as its segments, and its bytes include their
    /// headers.
    WireSegments,
}

/// What `tx_packets` and `tx_bytes` of a device mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriverSemantics {
    /// What one `tx_packets` stands for.
    pub packets: CountedAs,
    /// What `tx_bytes` adds to a packet's length (a frame check sequence), or leaves out (lo's link header).
    pub bytes_beyond_length: i64,
    /// Whether frames that are too short for a wire are made longer before they are counted.
    #[serde(default)]
    pub pads_short_frames: bool,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriverRow {
    /// Its sources were read.
    Known(DriverSemantics),
    /// The first window with traffic decides.
    #[default]
    AskTheFirstWindow,
}

/// The drivers, or kinds of link, whose sources were read (5.10 to 6.18).
const ROWS: [(&str, DriverSemantics); 5] = [
    // `free_old_xmit`: one packet an skb, of `skb->len`, when its descriptor is reaped.
    (
        "virtio_net",
        DriverSemantics { packets: CountedAs::Skbs, bytes_beyond_length: 0, pads_short_frames: false },
    ),
    // `veth_xmit` and `veth_get_stats64`: one packet an skb, of the length that came in.
    ("veth", DriverSemantics { packets: CountedAs::Skbs, bytes_beyond_length: 0, pads_short_frames: false }),
    // `e1000_clean_tx_irq` and `igb_clean_tx_irq`: `gso_segs` a super-packet, and as many headers. (e1000e and ixgbe read what the hardware counts.)
    (
        "e1000",
        DriverSemantics { packets: CountedAs::WireSegments, bytes_beyond_length: 0, pads_short_frames: true },
    ),
    (
        "igb",
        DriverSemantics { packets: CountedAs::WireSegments, bytes_beyond_length: 0, pads_short_frames: true },
    ),
    // `loopback_xmit` takes the link header away before it counts.
    (
        "lo",
        DriverSemantics {
            packets: CountedAs::Skbs,
            bytes_beyond_length: -LINK_HEADER_BYTES,
            pads_short_frames: false,
        },
    ),
];

impl DriverRow {
    /// The row of a driver, or of a link's kind; `lo` for the loopback device, which has neither.
    #[must_use]
    pub fn of(driver: &str) -> Self {
        let row = ROWS.iter().find(|(name, _)| *name == driver);
        row.map_or(Self::AskTheFirstWindow, |(_, semantics)| Self::Known(*semantics))
    }

    /// What the row says, else what comes nearest, where every packet was counted at the driver all the time.
    #[must_use]
    pub fn or_nearest(self, counted: &Counters, link: &LinkCounters) -> DriverSemantics {
        match self {
            Self::Known(semantics) => semantics,
            Self::AskTheFirstWindow => DriverSemantics::nearest(counted, link),
        }
    }
}

impl DriverSemantics {
    /// What the device counted in a window, beside what the programs saw its driver take in the same time.
    /// `slack_packets` is what the edges of the window explain.
    ///
    /// Where no super-packet passed whole, skbs and segments are the same, and it is said to count skbs.
    ///
    /// # Errors
    /// Why its counters do not serve, in words.
    pub fn ask(counted: &Counters, link: &LinkCounters, slack_packets: u64) -> Result<Self, String> {
        Self::matching(&Tally::of(counted, Stage::Driver, &Lane::ALL), link, slack_packets)
    }

    /// What is left open then shows as that, and not as another way to count.
    fn nearest(counted: &Counters, link: &LinkCounters) -> Self {
        let driver = Tally::of(counted, Stage::Driver, &Lane::ALL);
        let [skbs, segments] = ways_to_count(&driver);
        let (packets, number, bytes) =
            if link.tx_packets.abs_diff(segments.1) < link.tx_packets.abs_diff(skbs.1) {
                segments
            } else {
                skbs
            };
        let beyond = |each: i64| i128::from(bytes) + i128::from(number) * i128::from(each);
        let off_by = |each: &i64| beyond(*each).abs_diff(i128::from(link.tx_bytes));
        let nearest = BEYOND_LENGTH.into_iter().min_by_key(off_by);
        Self { packets, bytes_beyond_length: nearest.unwrap_or(0), pads_short_frames: true }
    }

    /// What a device counted, as `skb->len`.
    #[must_use]
    pub fn length_bytes(&self, packets: u64, bytes: u64) -> u64 {
        let beyond = i128::from(self.bytes_beyond_length) * i128::from(packets);
        u64::try_from((i128::from(bytes) - beyond).max(0)).unwrap_or(u64::MAX)
    }

    fn matching(driver: &Tally, link: &LinkCounters, slack_packets: u64) -> Result<Self, String> {
        if driver.packets < FEWEST_PACKETS {
            return Err(format!("the driver took {} packets, too few to tell", driver.packets));
        }
        let near = |a: i128, b: u64, slack: u64| a.abs_diff(i128::from(b)) <= u128::from(slack);
        for (packets, number, bytes) in ways_to_count(driver) {
            if !near(i128::from(number), link.tx_packets, slack_packets) {
                continue;
            }
            let mean = bytes.div_ceil(number.max(1)).saturating_add(1);
            // Where all are singles, what is under way at the edges is as long as what is not.
            let under_way = if driver.segs == driver.packets {
                i128::from(mean) * (i128::from(number) - i128::from(link.tx_packets))
            } else {
                0
            };
            let off_by = |bytes_beyond_length: &i64| {
                let counted = i128::from(bytes) + i128::from(number) * i128::from(*bytes_beyond_length);
                (counted - under_way).abs_diff(i128::from(link.tx_bytes))
            };
            // Closer than half of what tells one candidate from the other, or it could be either.
            let apart = number.saturating_mul(FCS_BYTES.unsigned_abs() / 2);
            let most = slack_packets.saturating_mul(mean).min(apart).saturating_add(driver.padding_bytes);
            let nearest = BEYOND_LENGTH.into_iter().min_by_key(off_by);
            if let Some(bytes_beyond_length) = nearest.filter(|nearest| off_by(nearest) <= u128::from(most)) {
                return Ok(Self { packets, bytes_beyond_length, pads_short_frames: true });
            }
        }
        Err(format!(
            "its counters are neither of skbs nor of segments: it counted {} packets of {} bytes, and took {} skbs, or {} \
             segments, of {} bytes",
            link.tx_packets, link.tx_bytes, driver.packets, driver.segs, driver.bytes
        ))
    }
}

/// Each way to count what a driver took, with how many packets and bytes that makes.
fn ways_to_count(driver: &Tally) -> [(CountedAs, u64, u64); 2] {
    let on_wire = driver.bytes.saturating_add(driver.unsent_header_bytes);
    [(CountedAs::Skbs, driver.packets, driver.bytes), (CountedAs::WireSegments, driver.segs, on_wire)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SKBS: DriverSemantics =
        DriverSemantics { packets: CountedAs::Skbs, bytes_beyond_length: 0, pads_short_frames: false };
    /// As a device that is asked is taken to be.
    const ASKED: DriverSemantics = DriverSemantics { pads_short_frames: true, ..SKBS };

    /// 100 super-packets of 44 segments, and 1,000 singles.
    fn driver() -> Tally {
        Tally {
            packets: 1_100,
            segs: 100 * 44 + 1_000,
            bytes: 100 * (44 * 1_448 + 66) + 1_000 * 1_514,
            unsent_header_bytes: 100 * 43 * 66,
            ..Tally::default()
        }
    }

    fn link(tx_packets: u64, tx_bytes: u64) -> LinkCounters {
        LinkCounters { tx_packets, tx_bytes, ..LinkCounters::default() }
    }

    #[test]
    fn drivers_whose_sources_were_read_have_a_row_and_others_are_asked() {
        assert_eq!(DriverRow::of("virtio_net"), DriverRow::Known(SKBS));
        assert_eq!(DriverRow::of("veth"), DriverRow::Known(SKBS));
        assert_eq!(
            DriverRow::of("lo"),
            DriverRow::Known(DriverSemantics { bytes_beyond_length: -14, ..SKBS })
        );
        assert_eq!(DriverRow::of("e1000e"), DriverRow::AskTheFirstWindow);
    }

    #[test]
    fn a_device_that_is_asked_counts_skbs_or_segments_with_or_without_what_is_not_in_the_length() {
        let seen = driver();
        let on_wire = seen.bytes + seen.unsent_header_bytes;
        for (counted, packets, bytes_beyond_length) in [
            (link(seen.packets, seen.bytes), CountedAs::Skbs, 0),
            (link(seen.packets, seen.bytes + 4 * seen.packets), CountedAs::Skbs, 4),
            (link(seen.packets, seen.bytes - 14 * seen.packets), CountedAs::Skbs, -14),
            (link(seen.segs, on_wire), CountedAs::WireSegments, 0),
            (link(seen.segs, on_wire + 4 * seen.segs), CountedAs::WireSegments, 4),
        ] {
            assert_eq!(
                DriverSemantics::matching(&seen, &counted, 0),
                Ok(DriverSemantics { packets, bytes_beyond_length, ..ASKED })
            );
        }
    }

    #[test]
    fn a_device_whose_counters_lie_or_hardly_moved_does_not_serve() {
        let seen = driver();
        for counted in [link(0, 0), link(seen.packets * 2, seen.bytes), link(seen.packets, seen.bytes / 2)] {
            assert!(DriverSemantics::matching(&seen, &counted, 0).is_err(), "{counted:?}");
        }
        let few = Tally { packets: 63, ..seen };
        assert!(DriverSemantics::matching(&few, &link(63, seen.bytes), 0).is_err());
    }

    #[test]
    fn packets_under_way_do_not_hide_a_frame_check_sequence() {
        // As seen with e1000e: 31 full-size packets of 23,000 were not counted yet.
        let seen = Tally { packets: 23_000, segs: 23_000, bytes: 23_000 * 1_508, ..Tally::default() };
        let counted = link(23_000 - 31, 23_000 * 1_512 - 31 * 1_518);
        let found = DriverSemantics::matching(&seen, &counted, 256).unwrap();
        assert_eq!(found.bytes_beyond_length, 4);
        let plain = link(23_000 - 31, 23_000 * 1_508 - 31 * 1_514);
        assert_eq!(DriverSemantics::matching(&seen, &plain, 256), Ok(ASKED));
    }

    #[test]
    fn what_the_edges_of_the_window_explain_does_not_spoil_the_answer() {
        let seen = driver();
        let late = link(seen.packets - 10, seen.bytes - 10 * 600);
        assert_eq!(DriverSemantics::matching(&seen, &late, 0).ok(), None);
        let seen = Tally { packets: 110_000, segs: 540_000, bytes: seen.bytes * 100, ..seen };
        let late = link(seen.packets - 10, seen.bytes - 10 * 600);
        assert_eq!(DriverSemantics::matching(&seen, &late, 16), Ok(ASKED));
    }
}
