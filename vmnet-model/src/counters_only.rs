//! The verdict without programs: never more than the interface's and the qdisc's counters can know.

use super::answer::{Verdict, left_whole, summary};
use super::delta::Delta;
use super::sample::Window;
use super::state::{Confidence, MIN_BULK_BYTES, State};
use super::witness::{self, FULL_FRAMES_FROM, KernelCounters, NO_SUPER_PACKETS_UP_TO, longest_single_bytes};
use crate::features::Features;

/// Below this many segments per packet, something else than the qdisc feeds the device.
const NO_SUPER_PACKETS_FROM: f64 = 0.97;
/// Share of segments in super-packets from which TSO is engaged whatever hides in the rest.
const ENGAGED_FROM: f64 = 0.95;
/// And from which it is likely, where TSO was active throughout.
const LIKELY_FROM: f64 = 0.5;
/// Most bytes of a super-packet: `GSO_LEGACY_MAX_SIZE`, which an IPv4 length cannot exceed either.
const LONGEST_SUPER_PACKET_BYTES: u32 = 65_536;
/// IPv4 and TCP headers with timestamps.
const TCP_HEADERS_BYTES: u32 = 52;
/// Ethernet, IPv4 and UDP without payload: the shortest packets that are common.
const SHORTEST_FRAME_BYTES: f64 = 42.0;
const LINK_HEADER_BYTES: u32 = 14;

/// The verdict of a window from kernel counters alone.
#[must_use]
pub fn verdict(interface: &str, window: &Window<'_>) -> Verdict {
    let delta = window.delta();
    let counters = delta.as_ref().map(|delta| KernelCounters::of(window, delta));
    let opinion = match &counters {
        Some(counters) => Opinion::of(window, counters),
        None => Opinion::inconclusive("fewer than two samples"),
    };
    let witnesses = counters.map(|counters| witness::without_programs(window, &counters)).unwrap_or_default();
    Verdict {
        state: opinion.state,
        confidence: opinion.confidence,
        basis: Some(opinion.basis),
        bound: None,
        // Counters know no protocol.
        summary: if opinion.state == State::Engaged && !window.conditions.terminal {
            left_whole("super-packets", interface)
        } else {
            summary(interface, window.conditions.terminal, opinion.state, false, None)
        },
        thin: false,
        witnesses,
        udp: None,
    }
}

struct Opinion {
    state: State,
    confidence: Confidence,
    basis: String,
}

impl Opinion {
    fn weak(state: State, basis: impl Into<String>) -> Self {
        Self { state, confidence: Confidence::Weak, basis: basis.into() }
    }

    fn inconclusive(basis: impl Into<String>) -> Self {
        Self::weak(State::Inconclusive, basis)
    }

    fn of(window: &Window<'_>, counters: &KernelCounters) -> Self {
        let Some((packets, bytes)) = counters.sent else {
            return Self::inconclusive("the interface's counters went backwards: it was recreated");
        };
        let Some(mean) = counters.mean_packet_bytes else {
            return Self::weak(State::NothingToOffload, "the device sent nothing");
        };
        if bytes < MIN_BULK_BYTES {
            let basis = format!("the device sent {bytes} bytes, less than the bulk that a verdict takes");
            return Self::weak(State::NothingToOffload, basis);
        }
        let no_super_packets = mean <= longest_single_bytes(window.mtu());
        if counters.counts_segments || (counters.may_count_segments && no_super_packets) {
            return Self::inconclusive(
                "this driver counts the segments of super-packets that it got whole, or may: vmnet check sees them frame by frame",
            );
        }
        match seen(window, counters) {
            Seen::SuperPackets { share, ratio } => {
                by_super_packets(window, share, &ratio).unwrap_or_else(|| {
                    Self::inconclusive(format!(
                        "{ratio}, and what the other segments were cannot be determined"
                    ))
                })
            }
            Seen::Singles { ratio } => by_singles(window, packets, mean, &ratio),
            Seen::Unclear { why } => Self::inconclusive(why),
        }
    }
}

/// What the counters show.
enum Seen {
    /// At least `share` of the segments were in super-packets.
    SuperPackets {
        share: f64,
        ratio: String,
    },
    /// One segment per packet.
    Singles {
        ratio: String,
    },
    Unclear {
        why: String,
    },
}

fn seen(window: &Window<'_>, counters: &KernelCounters) -> Seen {
    let mtu = window.mtu();
    // No segment is longer than MTU and link header, so a mean above that gives a lower bound without any qdisc.
    let by_length = counters
        .mean_packet_bytes
        .filter(|mean| *mean > longest_single_bytes(mtu))
        .map(|mean| mean / f64::from(mtu.saturating_add(LINK_HEADER_BYTES).max(1)));
    let (ratio, words) = match (&counters.segments_per_packet, by_length) {
        (Ok(ratio), _) => (*ratio, format!("{ratio:.2} segments per packet of the device")),
        (Err(why), Some(ratio)) => {
            (ratio, format!("at least {ratio:.2} segments per packet of the device, by its length ({why})"))
        }
        (Err(why), None) => {
            return Seen::Unclear {
                why: format!("{why}, and packets are no longer than singles in the mean"),
            };
        }
    };
    if ratio > NO_SUPER_PACKETS_UP_TO {
        Seen::SuperPackets { share: share_in_super_packets(window, ratio), ratio: words }
    } else if ratio >= NO_SUPER_PACKETS_FROM {
        Seen::Singles { ratio: words }
    } else {
        Seen::Unclear { why: format!("{words}: packets reach the device without passing the qdisc") }
    }
}

/// The least share of segments that were in super-packets, from segments per packet R. With a share p in super-packets
/// of k segments, 1/R = p/k + (1 − p), so p = (1 − 1/R) / (1 − 1/k), least for the largest k.
fn share_in_super_packets(window: &Window<'_>, ratio: f64) -> f64 {
    let conditions = window.conditions;
    let mss = window.mtu().saturating_sub(TCP_HEADERS_BYTES).max(1);
    let by_size = (LONGEST_SUPER_PACKET_BYTES / mss).max(2);
    let most_segs = conditions.gso_max_segs.map_or(by_size, |segs| segs.clamp(2, by_size));
    ((1.0 - 1.0 / ratio) / (1.0 - 1.0 / f64::from(most_segs))).clamp(0.0, 1.0)
}

fn by_super_packets(window: &Window<'_>, share: f64, ratio: &str) -> Option<Opinion> {
    if let Some(changed) = changed_over_time(window) {
        return Some(changed);
    }
    let basis = format!("{ratio}: at least {:.1} % of the segments were in super-packets", 100.0 * share);
    let features = || window.samples.iter().map(|sample| &sample.features);
    if features().all(tso_inactive) {
        let whose = "TSO was off at each look: what left whole was sent while it was on, before or between, or was UDP's or another protocol's";
        return Some(Opinion::inconclusive(format!("{basis}, but {whose}")));
    }
    if share >= ENGAGED_FROM && features().any(|features| features.uso != Some(false)) {
        let whose = "they may be UDP's as well as TCP's, as the device takes both (tx-udp-segmentation)";
        return Some(Opinion::weak(State::Engaged, format!("{basis}; {whose}")));
    }
    if share >= ENGAGED_FROM {
        return Some(Opinion { state: State::Engaged, confidence: Confidence::Supported, basis });
    }
    (share >= LIKELY_FROM && window.samples.iter().all(|sample| tso_active(&sample.features))).then(|| {
        let basis = format!(
            "{basis}, and TSO was active throughout; up to {:.1} % of the segments may be pure ACKs, small packets, \
             UDP, or super-packets that the CPU segmented",
            100.0 * (1.0 - share)
        );
        Opinion::weak(State::Engaged, basis)
    })
}

/// Some intervals with super-packets, others with full singles only.
fn changed_over_time(window: &Window<'_>) -> Option<Opinion> {
    let (mut with, mut without) = (0, 0);
    for delta in window.intervals() {
        let counters = KernelCounters::of(window, &delta);
        if !carries_bulk(&delta) {
            continue;
        }
        match seen(window, &counters) {
            Seen::SuperPackets { share, .. } if share >= LIKELY_FROM => with += 1,
            Seen::Singles { .. } if full_frames(window, &counters) => without += 1,
            _ => (),
        }
    }
    (with != 0 && without != 0).then(|| {
        Opinion::weak(
            State::Partial,
            format!("{with} intervals with super-packets, {without} with full singles only"),
        )
    })
}

fn carries_bulk(delta: &Delta) -> bool {
    delta.link.is_some_and(|link| link.tx_bytes >= MIN_BULK_BYTES)
}

fn full_frames(window: &Window<'_>, counters: &KernelCounters) -> bool {
    counters.mean_packet_bytes.is_some_and(|mean| mean >= FULL_FRAMES_FROM * f64::from(window.mtu()))
}

fn by_singles(window: &Window<'_>, packets: u64, mean: f64, ratio: &str) -> Opinion {
    let conditions = window.conditions;
    let figures = format!("{ratio}, mean packet {mean:.0} bytes at MTU {}", window.mtu());
    if mean < FULL_FRAMES_FROM * f64::from(window.mtu()) {
        let most_bulk = most_bulk_bytes(packets, mean, window.mtu());
        return if most_bulk < MIN_BULK_BYTES as f64 {
            Opinion::weak(
                State::NothingToOffload,
                format!("{figures}: no more than {most_bulk:.0} bytes can have been in full singles"),
            )
        } else {
            Opinion::inconclusive(format!("{figures}: up to {most_bulk:.0} bytes of bulk may be among them"))
        };
    }
    let inactive = window.samples.iter().all(|sample| tso_inactive(&sample.features));
    match conditions.gso_max_segs {
        Some(1) => Opinion::weak(
            State::NotBuilt,
            format!("{figures}, and gso_max_segs is 1, so TCP builds no super-packets"),
        ),
        Some(segs) if segs > 1 && inactive => Opinion::weak(
            State::Software,
            format!(
                "{figures}, TSO inactive at every sample, gso_max_segs {segs}: TCP builds super-packets whose \
                     segments the device gets"
            ),
        ),
        Some(_) => Opinion::inconclusive(format!(
            "{figures}, and TSO is not known to have been inactive: singles may be segmented, or may never have been built"
        )),
        None => Opinion::inconclusive(format!(
            "{figures}, and gso_max_segs is unknown: singles may be segmented, or may never have been built"
        )),
    }
}

/// The most payload that full singles can have carried. With a share f of packets of full length F and the others of
/// at least s, the mean m ≥ f·F + (1 − f)·s, so f ≤ (m − s) / (F − s). The share *of payload* has no such bound, as
/// the others may carry none.
fn most_bulk_bytes(packets: u64, mean: f64, mtu: u32) -> f64 {
    // "Full" begins below the MTU: at MSS − 36.
    let full = (f64::from(mtu) - 60.0 + f64::from(LINK_HEADER_BYTES)).max(SHORTEST_FRAME_BYTES + 1.0);
    let share = ((mean - SHORTEST_FRAME_BYTES) / (full - SHORTEST_FRAME_BYTES)).clamp(0.0, 1.0);
    packets as f64 * share * f64::from(mtu)
}

fn tso_active(features: &Features) -> bool {
    features.tso4 == Some(true) && features.tso6 != Some(false)
}

fn tso_inactive(features: &Features) -> bool {
    features.tso4 == Some(false) && features.tso6 == Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scene;

    fn judged(scene: &mut Scene) -> (State, Confidence) {
        scene.forget_the_programs();
        let verdict = verdict("ens4", &scene.window());
        assert!(verdict.basis.is_some(), "an inference says what it was made from");
        (verdict.state, verdict.confidence)
    }

    #[test]
    fn long_super_packets_are_tcps_only_where_the_device_takes_no_others() {
        for (tso, uso, expected) in [
            (true, Some(false), (State::Engaged, Confidence::Supported)),
            (true, Some(true), (State::Engaged, Confidence::Weak)),
            (true, None, (State::Engaged, Confidence::Weak)),
            (false, Some(true), (State::Inconclusive, Confidence::Weak)),
            (false, Some(false), (State::Inconclusive, Confidence::Weak)),
        ] {
            let mut scene = Scene::counters_only();
            scene.whole(10_000, 44);
            scene.set_features(tso);
            for sample in &mut scene.samples {
                sample.features.uso = uso;
            }
            assert_eq!(judged(&mut scene), expected, "TSO {tso}, USO {uso:?}");
        }
    }

    #[test]
    fn frames_of_a_longer_mtu_that_came_later_are_no_super_packets() {
        let mut scene = Scene::counters_only();
        scene.conditions.mtu = 1_500;
        scene.set_features(false);
        for sample in &mut scene.samples {
            sample.mtu = Some(1_500);
        }
        scene.bypassing(10_000, 9_014);
        scene.without_qdisc();
        scene.last().mtu = Some(9_000);
        let found = judged(&mut scene);
        assert_ne!(found.0, State::Engaged, "{found:?}");
        let witnesses = verdict("ens4", &scene.window()).witnesses;
        let device = witnesses.iter().find(|witness| witness.name == "device-statistics").unwrap();
        assert_eq!(device.says, crate::state::Says::NoSuperPackets, "{device:?}");
    }

    #[test]
    fn fewer_super_packets_are_engaged_only_weakly_and_only_with_tso_active() {
        let mut scene = Scene::counters_only();
        scene.whole(10_000, 10).control(50_000);
        assert_eq!(judged(&mut scene), (State::Engaged, Confidence::Weak));
        scene.set_features(false);
        assert_eq!(judged(&mut scene), (State::Inconclusive, Confidence::Weak));
    }

    #[test]
    fn super_packets_as_long_as_gso_max_segs_allows_are_engaged_whatever_their_length() {
        let mut scene = Scene::counters_only();
        scene.whole(10_000, 10);
        assert_eq!(judged(&mut scene), (State::Engaged, Confidence::Weak));
        scene.conditions.gso_max_segs = Some(10);
        assert_eq!(judged(&mut scene), (State::Engaged, Confidence::Supported));
    }

    #[test]
    fn more_packets_than_the_qdisc_gave_the_device_are_inconclusive() {
        let mut scene = Scene::counters_only();
        scene.full(10_000).bypassing(1_000, 1_514);
        scene.conditions.gso_max_segs = Some(1);
        assert_eq!(judged(&mut scene).0, State::Inconclusive);
    }

    #[test]
    fn full_singles_are_software_only_with_tso_inactive_throughout() {
        let mut scene = Scene::counters_only();
        scene.cut(10_000, 44);
        assert_eq!(judged(&mut scene).0, State::Inconclusive);
        scene.set_features(false);
        assert_eq!(judged(&mut scene), (State::Software, Confidence::Weak));
        scene.samples[0].features.tso4 = Some(true);
        assert_eq!(judged(&mut scene).0, State::Inconclusive);
        scene.samples[0].features.tso4 = None;
        assert_eq!(judged(&mut scene).0, State::Inconclusive);
    }

    #[test]
    fn full_singles_without_room_for_more_segments_are_not_built() {
        let mut scene = Scene::counters_only();
        scene.full(10_000);
        scene.set_features(false);
        scene.conditions.gso_max_segs = Some(1);
        assert_eq!(judged(&mut scene), (State::NotBuilt, Confidence::Weak));
        scene.conditions.gso_max_segs = None;
        assert_eq!(judged(&mut scene).0, State::Inconclusive);
    }

    #[test]
    fn without_a_qdisc_long_packets_are_still_proof_and_short_ones_are_not() {
        let mut scene = Scene::counters_only();
        scene.whole(10_000, 44).without_qdisc();
        assert_eq!(judged(&mut scene), (State::Engaged, Confidence::Supported));
        let mut scene = Scene::counters_only();
        scene.cut(10_000, 44).without_qdisc();
        scene.set_features(false);
        assert_eq!(judged(&mut scene).0, State::Inconclusive);
    }

    #[test]
    fn tso_that_was_switched_off_midway_is_partial() {
        let mut scene = Scene::counters_only();
        scene.whole(10_000, 44);
        scene.tick();
        scene.cut(1_000, 44);
        assert_eq!(judged(&mut scene), (State::Partial, Confidence::Weak));
    }

    #[test]
    fn small_packets_are_nothing_to_offload_only_while_no_bulk_fits_among_them() {
        let mut few = Scene::counters_only();
        few.control(20_000);
        assert_eq!(judged(&mut few), (State::NothingToOffload, Confidence::Weak));
        let mut many = Scene::counters_only();
        many.small(200_000, 200);
        assert_eq!(judged(&mut many).0, State::Inconclusive);
    }

    #[test]
    fn under_a_mebibyte_there_is_nothing_to_offload() {
        let mut scene = Scene::counters_only();
        scene.whole(10, 44);
        assert_eq!(judged(&mut scene).0, State::NothingToOffload);
        assert_eq!(judged(&mut Scene::counters_only()).0, State::NothingToOffload);
    }

    #[test]
    fn an_interface_made_anew_is_inconclusive() {
        let mut scene = Scene::counters_only();
        scene.samples[0].link.tx_packets = 1_000;
        scene.whole(10, 44);
        assert_eq!(judged(&mut scene).0, State::Inconclusive);
    }
}
