//! What no program saw, as a number. Some kernels skip programs now and then, and some senders pass no tracepoint: the
//! device, the qdisc or TCP's own sockets count such packets all the same. So their bytes have a bound, and a state
//! that stands with all of them against it is proven within that bound.

use serde::{Deserialize, Serialize};
use vmnet_common::{Counters, Lane, Stage};

use super::audit::Audit;
use super::hook::{Hook, HookState};
use super::identity::{Identity, IdentityId};
use super::sample::{Counting, Window};
use super::state::{Classes, State};
use super::tally::Tally;
use crate::audited::OF_WINDOWS;

/// A proof within a bound allows unseen bytes of less than one in this many of bulk.
pub const UNSEEN_ONE_IN: u64 = 100;
/// No packet of an Ethernet device is shorter than its link header.
const SHORTEST_PACKET_BYTES: u64 = 14;

/// What holds though not every packet was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bound {
    /// The least that the share which decides the state can be, 0 to 1: of the payload in super-packets, what left whole
    /// (`engaged`) or was segmented in software (`software`); of bulk, what was not built (`not-built`), or the largest
    /// class (`partial`).
    pub share_at_least: f64,
    /// The most that no program can have seen, as a part of bulk.
    pub unseen_share: f64,
    /// Both in a sentence.
    pub text: String,
}

impl Bound {
    /// The bound of a window whose ledger shows these classes, with the least and with the most that can have been segmented. None where nothing is unexplained, where what is
    /// unexplained is not what programs did not see, and where it could change the state.
    pub(crate) fn of(
        window: &Window<'_>,
        counted: &Counters,
        extremes: &[Classes; 2],
        audit: &Audit,
    ) -> Option<Self> {
        let unseen_bytes = unseen_bytes(window, counted, audit)?;
        if extremes.iter().any(|classes| classes.least_favourable(unseen_bytes).is_some()) {
            return None;
        }
        // With the least software, then with the most.
        let [least, most] = extremes;
        let classes = if least.state() == State::Engaged { most } else { least };
        let (built, bulk) = (classes.built(), classes.bulk());
        let (part, whole, what) = match classes.state() {
            State::Engaged => (classes.hardware, built, "of the payload in super-packets left whole"),
            State::Software => {
                (classes.software, built, "of the payload in super-packets was segmented in software")
            }
            State::NotBuilt => (classes.unaggregated, bulk, "of bulk TCP was not built into super-packets"),
            State::Partial if classes.hardware >= classes.software.max(classes.unaggregated) => {
                (classes.hardware, bulk, "of bulk TCP left whole")
            }
            State::Partial if classes.software >= classes.unaggregated => {
                (classes.software, bulk, "of bulk TCP was segmented in software")
            }
            State::Partial => (classes.unaggregated, bulk, "of bulk TCP was not built into super-packets"),
            // There is no share that decides.
            State::NothingToOffload | State::Inconclusive => return None,
        };
        let share_at_least = part as f64 / whole.saturating_add(unseen_bytes).max(1) as f64;
        let unseen_share = unseen_bytes as f64 / bulk.max(1) as f64;
        let text = format!(
            "at least {} {what}, counting the {} that no program saw against it",
            percent_at_least(share_at_least),
            percent_at_most(unseen_share),
        );
        Some(Self { share_at_least, unseen_share, text })
    }

    /// Whether it is close enough to be a proof.
    pub(crate) fn proves(&self) -> bool {
        self.unseen_share * (UNSEEN_ONE_IN as f64) < 1.0
    }
}

/// Rounded down, so that it does not promise more than is known.
fn percent_at_least(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 99.9 {
        format!("{:.2} %", (percent * 100.0).floor() / 100.0)
    } else {
        format!("{:.1} %", (percent * 10.0).floor() / 10.0)
    }
}

/// Rounded up.
fn percent_at_most(share: f64) -> String {
    format!("{:.2} %", (share * 1e4).ceil() / 100.0)
}

/// The most bytes that no program can have seen, over all identities that fail: None if none fails, and if one of them fails
/// in a way that packets which no program saw do not explain.
fn unseen_bytes(window: &Window<'_>, counted: &Counters, audit: &Audit) -> Option<u64> {
    // A hook that was switched off, or events that are known to be missed, are in no counter of the kernel.
    let switched_off = Hook::all().any(|hook| window.conditions.hooks[hook] == HookState::SwitchedOff);
    if switched_off || audit.missed.packets() != 0 {
        return None;
    }
    let is_light = window.conditions.counting == Counting::Light;
    let gaps = Gaps { audit, counted, is_light, mtu: u64::from(window.mtu()) };
    let mut failing = audit.identities.iter().filter(|identity| identity.ok == Some(false)).peekable();
    failing.peek()?;
    failing.try_fold(0, |most: u64, identity| Some(most.max(gaps.unseen_bytes(identity)?)))
}

/// Identities that fail, and what it takes to believe that they fail for want of programs.
struct Gaps<'a> {
    audit: &'a Audit,
    counted: &'a Counters,
    /// Whether hook against hook is of windows alone.
    is_light: bool,
    mtu: u64,
}

impl Gaps<'_> {
    /// The most bytes that were unseen, by one identity that fails. None if it fails in the other direction (the programs
    /// saw more than there was), or if counters that should move together did not.
    fn unseen_bytes(&self, identity: &Identity) -> Option<u64> {
        let residual = identity.residual?;
        if self.is_light && OF_WINDOWS.contains(&identity.name) {
            // The whole run has its own identities; a window has to fit as well as they do.
            let whole = identity.left.max(identity.right).unwrap_or(0);
            let most = residual.unsigned_abs().saturating_add(identity.slack?);
            return (most.saturating_mul(UNSEEN_ONE_IN) < whole).then_some(0);
        }
        let is_unseen = match identity.name {
            // The programs are on the left.
            IdentityId::DevicePackets | IdentityId::DeviceBytes | IdentityId::TcpBytesSent => residual < 0,
            // And here on the right.
            IdentityId::QdiscPackets | IdentityId::QdiscBytes | IdentityId::SendmsgBytes => residual > 0,
            // Programs on both sides: what left without having been queued was unseen at the queue. What was queued and
            // not seen to leave was unseen at the driver if the device counted it, else it never left.
            IdentityId::WireBytes | IdentityId::WireSegments | IdentityId::DriverPackets => {
                residual < 0 || self.device_counted_what_was_queued()
            }
            // Two programs of one call: skipped together or not at all.
            IdentityId::SegmentCounts | IdentityId::EntriesExits => false,
        };
        if !is_unseen {
            return None;
        }
        let most = residual.unsigned_abs().saturating_add(identity.slack?);
        match identity.name {
            // The bytes beside them say how large the packets were.
            IdentityId::DevicePackets => {
                let bytes = most_device_bytes(self.audit.identity(IdentityId::DeviceBytes)?)?;
                let least = identity.beyond_slack().saturating_mul(SHORTEST_PACKET_BYTES);
                (bytes >= least).then_some(bytes)
            }
            IdentityId::DriverPackets => self.bytes_beside(IdentityId::WireBytes),
            // Where there are none: no segment carries more than the MTU.
            IdentityId::QdiscPackets => {
                Some(self.bytes_beside(IdentityId::QdiscBytes).unwrap_or(most.saturating_mul(self.mtu)))
            }
            IdentityId::WireSegments => {
                Some(self.bytes_beside(IdentityId::WireBytes).unwrap_or(most.saturating_mul(self.mtu)))
            }
            _ => Some(most),
        }
    }

    /// The most bytes that an identity of bytes leaves open. None where it is not measured.
    fn bytes_beside(&self, bytes: IdentityId) -> Option<u64> {
        let bytes = self.audit.identity(bytes).filter(|bytes| bytes.ok.is_some())?;
        Some(bytes.residual?.unsigned_abs().saturating_add(bytes.slack?))
    }

    /// Whether the device counted nearly all of what was queued and not seen to leave. What is missing may be the headers of
    /// segments that were never made, at most a tenth.
    fn device_counted_what_was_queued(&self) -> bool {
        let on_wire = |stage| {
            let tally = Tally::of(self.counted, stage, &Lane::ALL);
            tally.bytes.saturating_add(tally.unsent_header_bytes)
        };
        let left = [Stage::Driver, Stage::Dropped, Stage::DriverDropped].map(on_wire);
        let missing = on_wire(Stage::Queue).saturating_sub(left.into_iter().fold(0, u64::saturating_add));
        let by_device = self.audit.identity(IdentityId::DeviceBytes).and_then(most_device_bytes).unwrap_or(0);
        u128::from(by_device) * 10 >= u128::from(missing) * 9
    }
}

/// The most bytes that the device counted and no program saw. None where it was not measured.
fn most_device_bytes(bytes: &Identity) -> Option<u64> {
    let most = i128::from(bytes.slack?) - i128::from(bytes.residual?);
    Some(u64::try_from(most).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::Protocol;
    use crate::testing::{HEADER, MSS, Scene};
    use crate::verdict::{Confidence, Verdict};

    fn judged(scene: &Scene) -> Verdict {
        let window = scene.window();
        let tcp = Protocol::tcp(&scene.traced()).total;
        Verdict::of("ens4", &window, Some(&tcp), Audit::of(&window).as_ref())
    }

    fn audit_is_ok(scene: &Scene) -> bool {
        Audit::of(&scene.window()).unwrap().ok
    }

    /// 10,000 super-packets, of which so many per mille left as they say.
    fn mix(software: u64) -> Scene {
        let mut scene = Scene::new();
        scene.whole(10_000 - 10 * software, 44).cut(10 * software, 44);
        scene
    }

    type Traffic = fn(&mut Scene);

    /// Kinds of being unseen, each of 90 and of 110 super-packets: 0.9 and 1.1 % of 10,000, headers included.
    const UNSEEN: [(&str, [Traffic; 2]); 4] = [
        ("whole", [|s| void(s.unseen_whole(89, 44)), |s| void(s.unseen_whole(110, 44))]),
        ("segmented", [|s| void(s.unseen_cut(85, 44)), |s| void(s.unseen_cut(110, 44))]),
        (
            "at the driver",
            [|s| void(s.unseen_at_the_driver(85, 44)), |s| void(s.unseen_at_the_driver(110, 44))],
        ),
        ("at the queue", [|s| void(s.unseen_at_the_queue(85, 44)), |s| void(s.unseen_at_the_queue(110, 44))]),
    ];

    fn void(_: &mut Scene) {}

    #[test]
    fn what_no_program_saw_costs_a_figure_up_to_a_hundredth_of_bulk_and_the_proof_beyond() {
        for (state, software) in [(State::Engaged, 0), (State::Software, 1_000), (State::Partial, 500)] {
            for (how, traffic) in UNSEEN {
                for (traffic, confidence) in
                    traffic.into_iter().zip([Confidence::Proven, Confidence::Supported])
                {
                    let mut scene = mix(software);
                    traffic(&mut scene);
                    let verdict = judged(&scene);
                    let said = format!("{state}, unseen {how}: {verdict:?}");
                    assert_eq!((verdict.state, verdict.confidence), (state, confidence), "{said}");
                    assert!(!audit_is_ok(&scene), "the gap stays visible: {said}");
                    let bound = verdict.bound.expect(&said);
                    assert_eq!(bound.unseen_share < 0.01, confidence == Confidence::Proven, "{said}");
                    assert!((0.008..0.013).contains(&bound.unseen_share), "{said}");
                    assert!(verdict.basis.is_some() == (confidence == Confidence::Supported), "{said}");
                }
            }
        }
    }

    #[test]
    fn the_bound_counts_all_of_it_against_the_state() {
        let mut scene = mix(0);
        scene.unseen_whole(10, 44);
        let bound = judged(&scene).bound.unwrap();
        let seen = (10_000 * 44 * MSS) as f64;
        // The qdisc counts every header, so it says the most.
        let unseen = (10 * 44 * (MSS + HEADER)) as f64;
        assert!((bound.unseen_share - unseen / seen).abs() < 1e-12, "{bound:?}");
        assert!((bound.share_at_least - seen / (seen + unseen)).abs() < 1e-12, "{bound:?}");
        assert_eq!(
            bound.text,
            "at least 99.8 % of the payload in super-packets left whole, counting the 0.11 % that no program saw against it"
        );
    }

    #[test]
    fn on_the_tracepoint_rung_it_is_the_same() {
        for (how, [few, many]) in UNSEEN {
            for (traffic, confidence) in [(few, Confidence::Proven), (many, Confidence::Supported)] {
                let mut scene = Scene::tracepoints_only();
                scene.cut(10_000, 44);
                traffic(&mut scene);
                let verdict = judged(&scene);
                let judged = (verdict.state, verdict.confidence);
                assert_eq!(judged, (State::Software, confidence), "unseen {how}: {verdict:?}");
            }
        }
    }

    #[test]
    fn where_nothing_is_unexplained_there_is_no_bound() {
        assert_eq!(judged(&mix(300)).bound, None);
    }

    #[test]
    fn more_on_the_side_of_the_programs_is_never_bounded() {
        let table: [(&str, Traffic); 4] = [
            ("the device lost packets", |s| {
                s.last().link.tx_packets -= 3;
                s.last().link.tx_bytes -= 3_000;
            }),
            ("the qdisc lost packets", |s| {
                let qdisc = s.last().qdisc.as_mut().unwrap();
                qdisc.packets -= 3;
                qdisc.bytes -= 3_000;
            }),
            ("data never left", |s| void(s.stuck(3, 44))),
            ("two programs of one call differ", |s| s.counters().skb_segment.segs += 3),
        ];
        for (what, spoil) in table {
            let mut scene = mix(0);
            scene.cut(1, 44);
            spoil(&mut scene);
            let verdict = judged(&scene);
            assert_eq!((verdict.confidence, &verdict.bound), (Confidence::Supported, &None), "{what}");
        }
    }

    #[test]
    fn gaps_that_contradict_each_other_are_never_bounded() {
        let mut scene = mix(0);
        scene.unseen_whole(10, 44).last().qdisc.as_mut().unwrap().packets -= 2_000;
        assert_eq!(judged(&scene).bound, None, "the qdisc saw less than the programs, the device more");
        let mut lying = mix(0);
        lying.last().link.tx_packets += 10;
        assert_eq!(judged(&lying).bound, None, "ten packets of no bytes");
    }

    #[test]
    fn a_gap_that_could_change_the_state_is_inconclusive_however_small() {
        // 95.05 % whole: half a percent more in software makes it partial.
        let mut scene = Scene::new();
        scene.whole(9_505, 44).cut(495, 44).unseen_whole(50, 44);
        let verdict = judged(&scene);
        assert_eq!((verdict.state, verdict.bound), (State::Inconclusive, None));
    }

    #[test]
    fn witnesses_that_contradict_each_other_are_never_bounded_away() {
        let mut scene = mix(0);
        scene.unseen_whole(10, 44).last().link.tx_packets = 440_000;
        let verdict = judged(&scene);
        assert_eq!((verdict.state, verdict.bound), (State::Inconclusive, None));
    }

    #[test]
    fn a_hook_that_was_switched_off_is_not_a_program_that_was_skipped() {
        let mut scene = mix(0);
        scene.cut(1, 44).switch_off(Hook::SkbGsoSegment);
        let verdict = judged(&scene);
        assert_eq!((verdict.confidence, verdict.bound), (Confidence::Supported, None));
    }

    #[test]
    fn short_frames_that_bypass_are_counted_by_their_bytes() {
        for frame_bytes in [66, 1_514] {
            let mut scene = mix(0);
            scene.bypassing(1_000, frame_bytes);
            let verdict = judged(&scene);
            assert_eq!((verdict.state, verdict.confidence), (State::Engaged, Confidence::Proven));
            let seen = (10_000 * 44 * MSS) as f64;
            let share = verdict.bound.unwrap().unseen_share;
            assert!((share - (1_000 * frame_bytes) as f64 / seen).abs() < 1e-12, "{frame_bytes}: {share}");
        }
    }

    #[test]
    fn shares_are_rounded_to_the_side_that_promises_less() {
        assert_eq!(percent_at_least(0.998_79), "99.8 %");
        assert_eq!(percent_at_least(0.999_88), "99.98 %");
        assert_eq!(percent_at_least(0.999_999), "99.99 %");
        assert_eq!(percent_at_most(0.000_001), "0.01 %");
        assert_eq!(percent_at_most(0.001_21), "0.13 %");
    }

    proptest! {
        #[test]
        fn a_proof_holds_whatever_the_unseen_was(
            whole in 0_u64..2_000, cut in 0_u64..2_000, full in 0_u64..20_000, unseen in 0_u64..40, segs in 2_u64..45,
            unseen_was_cut: bool,
        ) {
            let mut scene = Scene::new();
            scene.whole(whole, segs).cut(cut, segs).full(full);
            let truth = {
                let mut all = Scene::new();
                all.whole(whole, segs).cut(cut, segs).full(full);
                if unseen_was_cut { all.cut(unseen, segs) } else { all.whole(unseen, segs) };
                judged(&all).state
            };
            if unseen_was_cut { scene.unseen_cut(unseen, segs) } else { scene.unseen_whole(unseen, segs) };
            let verdict = judged(&scene);
            if verdict.confidence == Confidence::Proven {
                prop_assert_eq!(verdict.state, truth, "{:?}", verdict);
            }
        }
    }
}
