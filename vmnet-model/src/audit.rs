//! The identities a run audits itself with, and what it missed.

use serde::{Deserialize, Serialize};
use vmnet_common::Counters;

use super::delta::Delta;
use super::hook::{Hook, HookState};
use super::identities;
use super::identity::{Identity, IdentityId};
use super::sample::Window;
use crate::fact::Why;
use crate::null_because;

null_because! {
    not_told: Why::is("the kernel does not tell, or the hooks that could miss are not in use");
    not_hooked: Why::is("segmentation is not hooked on this rung");
}

/// The audit of a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Audit {
    /// Every measured identity holds within its slack, and nothing was missed.
    pub ok: bool,
    /// Traffic came to rest before the last sample.
    pub drained: bool,
    /// The identities, in the order of KERNEL numbering.
    pub identities: Vec<Identity>,
    /// What was missed.
    pub missed: Missed,
}

/// What was missed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Missed {
    /// Entries that found the pairing stack full.
    #[serde(serialize_with = "not_told")]
    pub stack_overflows: Option<u64>,
    /// Exits without their entry.
    #[serde(serialize_with = "not_hooked")]
    pub unmatched_exits: Option<u64>,
    /// `net_dev_xmit` without its start, and the other way round.
    #[serde(serialize_with = "not_told")]
    pub unmatched_xmits: Option<u64>,
    /// Packets whose headers could not be read.
    #[serde(serialize_with = "not_told")]
    pub unreadable_packets: Option<u64>,
    /// Calls whose segments the formula cannot count.
    #[serde(serialize_with = "not_hooked")]
    pub uncountable_calls: Option<u64>,
    /// Ring-buffer events lost.
    #[serde(serialize_with = "not_told")]
    pub events_lost: Option<u64>,
    /// Program runs that the kernel skipped.
    #[serde(serialize_with = "not_told")]
    pub recursion_misses: Option<u64>,
    /// kprobe hits that the kernel skipped.
    #[serde(serialize_with = "not_told")]
    pub kprobe_misses: Option<u64>,
}

impl Audit {
    /// The audit of a window. None in `counters` mode, where there is only one source to ask.
    #[must_use]
    pub fn of(window: &Window<'_>) -> Option<Self> {
        let delta = window.delta()?;
        let counted = delta.traced.as_deref()?;
        let identities = identities::all(window, &delta, counted);
        let missed = Missed::of(window, &delta, counted);
        let ok = identities.iter().all(|identity| identity.ok != Some(false)) && missed.total() == 0;
        Some(Self { ok, drained: window.drained, identities, missed })
    }

    /// The identity of that name.
    #[must_use]
    pub fn identity(&self, name: IdentityId) -> Option<&Identity> {
        self.identities.iter().find(|identity| identity.name == name)
    }
}

impl Missed {
    fn of(window: &Window<'_>, delta: &Delta, counted: &Counters) -> Self {
        let hooks = &window.conditions.hooks;
        let segmentation = |count: u64| (hooks[Hook::SkbGsoSegment] != HookState::Absent).then_some(count);
        let health = &counted.health;
        Self {
            stack_overflows: Some(health.stack_overflows),
            unmatched_exits: segmentation(
                health.unmatched_exits.saturating_add(health.unmatched_skb_segment_exits),
            ),
            unmatched_xmits: Some(health.unmatched_xmits.saturating_add(health.lost_starts)),
            unreadable_packets: Some(health.unreadable),
            uncountable_calls: segmentation(counted.segmentation.uncountable),
            events_lost: Some(health.events_lost),
            recursion_misses: delta.missed.recursion_misses,
            kprobe_misses: delta.missed.kprobe_misses,
        }
    }

    /// All that was measured to be missed.
    #[must_use]
    pub fn total(&self) -> u64 {
        let calls = self.uncountable_calls.unwrap_or(0);
        self.packets().saturating_add(calls).saturating_add(self.events_lost.unwrap_or(0))
    }

    /// The part that may stand for packets not counted, or counted in the wrong place. Lost events only go untold, and what calls that cannot be
    /// counted made is counted at the driver.
    #[must_use]
    pub fn packets(&self) -> u64 {
        [
            self.stack_overflows,
            self.unmatched_exits,
            self.unmatched_xmits,
            self.unreadable_packets,
            self.recursion_misses,
            self.kprobe_misses,
        ]
        .into_iter()
        .flatten()
        .fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Mode;
    use crate::testing::{HEADER, MSS, SECOND_NS, Scene};
    use proptest::prelude::*;

    /// Something of everything.
    fn busy() -> Scene {
        let mut scene = Scene::new();
        scene
            .whole(1_000, 44)
            .cut(2_000, 40)
            .full(300)
            .small(50, 100)
            .control(70)
            .forwarded_cut(20, 30)
            .forwarded_singles(10)
            .retransmitted(5)
            .dropped_by_qdisc(3);
        scene
    }

    fn failing(scene: &Scene) -> Vec<IdentityId> {
        let audit = Audit::of(&scene.window()).unwrap();
        audit.identities.into_iter().filter(|i| i.ok == Some(false)).map(|i| i.name).collect()
    }

    fn identity(scene: &Scene, name: IdentityId) -> Identity {
        Audit::of(&scene.window()).unwrap().identity(name).unwrap().clone()
    }

    #[test]
    fn at_rest_every_identity_holds_exactly_and_without_slack() {
        let audit = Audit::of(&busy().window()).unwrap();
        assert_eq!(audit.identities.len(), 11);
        for identity in &audit.identities {
            assert_eq!((identity.residual, identity.slack), (Some(0), Some(0)), "{identity:?}");
            assert_eq!(identity.ok, Some(true), "{identity:?}");
            assert_ne!(identity.left, Some(0), "an identity of nothing shows nothing: {identity:?}");
        }
        assert!(audit.ok);
    }

    #[test]
    fn each_hook_that_is_switched_off_fails_its_identities() {
        let table: [(Hook, &[IdentityId]); 7] = [
            (
                Hook::NetDevQueue,
                &[
                    IdentityId::WireBytes,
                    IdentityId::WireSegments,
                    IdentityId::DriverPackets,
                    IdentityId::TcpBytesSent,
                    IdentityId::SendmsgBytes,
                ],
            ),
            (
                Hook::NetDevStartXmit,
                &[
                    IdentityId::WireBytes,
                    IdentityId::WireSegments,
                    IdentityId::DriverPackets,
                    IdentityId::DevicePackets,
                    IdentityId::DeviceBytes,
                    IdentityId::QdiscPackets,
                    IdentityId::QdiscBytes,
                ],
            ),
            (
                Hook::NetDevXmit,
                &[
                    IdentityId::WireBytes,
                    IdentityId::WireSegments,
                    IdentityId::DriverPackets,
                    IdentityId::DevicePackets,
                    IdentityId::DeviceBytes,
                    IdentityId::QdiscPackets,
                    IdentityId::QdiscBytes,
                ],
            ),
            (Hook::KfreeSkb, &[IdentityId::WireBytes, IdentityId::WireSegments, IdentityId::DriverPackets]),
            (Hook::SkbGsoSegment, &[IdentityId::WireBytes, IdentityId::DriverPackets]),
            (Hook::SkbSegment, &[IdentityId::SegmentCounts]),
            (Hook::TcpSendmsg, &[IdentityId::SendmsgBytes]),
        ];
        for (hook, expected) in table {
            let mut scene = busy();
            scene.switch_off(hook);
            assert_eq!(failing(&scene), expected, "without {hook:?}");
            assert!(!Audit::of(&scene.window()).unwrap().ok, "without {hook:?}");
        }
    }

    #[test]
    fn a_hook_that_the_rung_does_not_have_leaves_its_identities_unmeasured_with_the_reason() {
        let mut scene = Scene::tracepoints_only();
        scene.whole(100, 44).cut(100, 44);
        let audit = Audit::of(&scene.window()).unwrap();
        for name in [
            IdentityId::WireBytes,
            IdentityId::DriverPackets,
            IdentityId::SegmentCounts,
            IdentityId::EntriesExits,
            IdentityId::SendmsgBytes,
        ] {
            let identity = audit.identity(name).unwrap();
            assert_eq!((identity.left, identity.right, identity.ok), (None, None, None), "{name}");
            assert!(identity.note.contains("not hooked"), "{name}: {}", identity.note);
        }
        for name in [IdentityId::WireSegments, IdentityId::DevicePackets, IdentityId::QdiscPackets] {
            assert_eq!(audit.identity(name).unwrap().ok, Some(true), "{name}");
        }
        assert_eq!(audit.missed.uncountable_calls, None);
        assert!(audit.ok);
    }

    #[test]
    fn sockets_are_compared_over_the_whole_window_though_only_its_ends_looked_at_them() {
        let mut scene = busy();
        scene.tick();
        let middle = scene.samples.len() - 2;
        scene.samples[middle].sockets = None;
        scene.full(100);
        for name in [IdentityId::TcpBytesSent, IdentityId::SendmsgBytes] {
            assert_eq!(
                (identity(&scene, name).residual, identity(&scene, name).ok),
                (Some(0), Some(true)),
                "{name}"
            );
        }
    }

    #[test]
    fn the_look_at_the_sockets_comes_last_and_has_its_own_slack() {
        let mut scene = busy();
        scene.drained = false;
        scene.last().read_ns = 0;
        scene.last().sockets.as_mut().unwrap().read_ns = SECOND_NS / 100;
        assert_eq!(identity(&scene, IdentityId::DevicePackets).slack, Some(256));
        let sent = identity(&scene, IdentityId::TcpBytesSent);
        assert_eq!(sent.slack, Some(sent.left.unwrap().div_ceil(50)));
    }

    #[test]
    fn what_comes_vlan_cut_above_gets_its_tags_after_the_qdisc_and_is_no_socket_s_of_this_interface() {
        let mut scene = busy();
        scene.vlan_cut(100, 40);
        for identity in Audit::of(&scene.window()).unwrap().identities {
            assert_eq!((identity.residual, identity.ok), (Some(0), Some(true)), "{identity:?}");
        }
    }

    #[test]
    fn a_qdisc_that_misjudges_a_tunnel_s_headers_is_no_failure_up_to_those_headers() {
        let mut scene = busy();
        let headers = 40 * HEADER;
        scene.last().qdisc.as_mut().unwrap().bytes -= headers;
        assert_eq!(identity(&scene, IdentityId::QdiscBytes).ok, Some(false));
        scene.counters().stages[0][0].tunnel_payload_bytes += MSS;
        assert_eq!(identity(&scene, IdentityId::QdiscBytes).ok, None);
        scene.last().qdisc.as_mut().unwrap().bytes /= 10;
        assert_eq!(identity(&scene, IdentityId::QdiscBytes).ok, Some(false));
    }

    #[test]
    fn a_thousand_bypassing_frames_are_a_residual_of_a_thousand() {
        let mut scene = busy();
        scene.bypassing(1_000, 60);
        let packets = identity(&scene, IdentityId::DevicePackets);
        assert_eq!((packets.residual, packets.ok), (Some(-1_000), Some(false)));
        assert_eq!(identity(&scene, IdentityId::DeviceBytes).residual, Some(-60_000));
        assert_eq!(failing(&scene), [IdentityId::DevicePackets, IdentityId::DeviceBytes]);
    }

    #[test]
    fn local_tcp_that_no_program_saw_is_not_taken_for_senders_that_pass_no_tracepoint() {
        let mut scene = busy();
        scene.unseen_whole(10, 44);
        assert!(identity(&scene, IdentityId::DevicePackets).note.contains("local TCP that no program saw"));
        let mut scene = busy();
        scene.bypassing(1_000, 60);
        assert!(identity(&scene, IdentityId::DevicePackets).note.contains("PACKET_QDISC_BYPASS"));
    }

    #[test]
    fn data_that_never_left_shows_in_the_identities_at_rest() {
        let mut scene = busy();
        scene.stuck(2, 10);
        assert_eq!(identity(&scene, IdentityId::WireSegments).residual, Some(20));
        assert_eq!(identity(&scene, IdentityId::WireBytes).residual, Some((20 * MSS + 2 * HEADER) as i64));
        assert_eq!(
            failing(&scene),
            [IdentityId::WireBytes, IdentityId::WireSegments, IdentityId::DriverPackets]
        );
    }

    #[test]
    fn a_backlog_at_an_edge_that_is_not_at_rest_is_slack_and_no_more_than_that() {
        let mut scene = busy();
        scene.stuck(2, 10);
        scene.drained = false;
        scene.last().read_ns = 0;
        let qdisc = scene.last().qdisc.as_mut().unwrap();
        qdisc.backlog_packets = 2;
        qdisc.backlog_bytes = 20 * (MSS + HEADER);
        assert_eq!(failing(&scene), []);
        scene.stuck(100, 10);
        assert_eq!(
            failing(&scene),
            [IdentityId::WireBytes, IdentityId::WireSegments, IdentityId::DriverPackets]
        );
    }

    #[test]
    fn a_backlog_is_slack_for_the_qdisc_s_own_counts_only_where_it_was_requeued() {
        let mut scene = busy();
        scene.drained = false;
        scene.last().read_ns = 0;
        scene.last().qdisc.as_mut().unwrap().backlog_packets = 5;
        assert_eq!(identity(&scene, IdentityId::QdiscPackets).slack, Some(0));
        scene.last().qdisc.as_mut().unwrap().requeues = 1;
        assert_eq!(identity(&scene, IdentityId::QdiscPackets).slack, Some(5));
    }

    #[test]
    fn what_was_dropped_after_the_dequeue_was_counted_by_the_qdisc() {
        let mut scene = Scene::new();
        scene.full(1_000).dropped_by_qdisc(9);
        let qdisc = scene.last().qdisc.as_mut().unwrap();
        qdisc.drops = 0;
        qdisc.packets += 9;
        qdisc.bytes += 9 * (MSS + HEADER);
        let dequeued = identity(&scene, IdentityId::QdiscPackets);
        assert_eq!((dequeued.residual, dequeued.slack), (Some(0), Some(0)));
        assert_eq!(identity(&scene, IdentityId::QdiscBytes).residual, Some(0));
        // Where the qdisc dropped as well, it cannot be determined which of the nine it had counted.
        scene.last().qdisc.as_mut().unwrap().drops = 4;
        let mixed = identity(&scene, IdentityId::QdiscPackets);
        assert_eq!((mixed.residual, mixed.slack, mixed.ok), (Some(9), Some(9), Some(true)));
    }

    #[test]
    fn the_time_between_reads_is_slack_in_proportion_to_the_rate() {
        let mut scene = busy();
        scene.drained = false;
        scene.last().read_ns = SECOND_NS / 1_000;
        scene.conditions.ring_slots = Some(0);
        let packets = identity(&scene, IdentityId::DevicePackets);
        assert_eq!(packets.slack, Some(packets.left.unwrap().div_ceil(500)));
        scene.conditions.ring_slots = Some(256);
        assert_eq!(identity(&scene, IdentityId::DevicePackets).slack, Some(packets.slack.unwrap() + 256));
        scene.rested_at_start = false;
        assert!(identity(&scene, IdentityId::DevicePackets).slack > Some(packets.slack.unwrap() + 512));
    }

    #[test]
    fn more_sent_than_written_is_no_failure_while_the_hook_counts() {
        let mut scene = busy();
        scene.counters().tcp_sendmsg.bytes -= 1_000_000;
        assert_eq!(identity(&scene, IdentityId::SendmsgBytes).ok, None);
        assert!(Audit::of(&scene.window()).unwrap().ok);
    }

    #[test]
    fn less_sent_than_written_is_a_failure_unless_the_sockets_hold_it() {
        let mut scene = busy();
        scene.counters().tcp_sendmsg.bytes += 1_000_000;
        assert_eq!(identity(&scene, IdentityId::SendmsgBytes).ok, Some(false));
        scene.last().sockets.as_mut().unwrap().bytes_not_sent = 1_000_000;
        assert_eq!(identity(&scene, IdentityId::SendmsgBytes).ok, Some(true));
    }

    #[test]
    fn a_lower_bound_of_sockets_fails_only_on_the_other_side() {
        let mut scene = busy();
        let sockets = scene.last().sockets.as_mut().unwrap();
        sockets.bytes_sent -= 1_000_000;
        sockets.lower_bound = true;
        assert_eq!(identity(&scene, IdentityId::TcpBytesSent).ok, Some(true));
        scene.last().sockets.as_mut().unwrap().bytes_sent += 2_000_000;
        assert_eq!(identity(&scene, IdentityId::TcpBytesSent).ok, Some(false));
    }

    #[test]
    fn a_qdisc_that_segments_by_itself_is_not_compared() {
        let mut scene = busy();
        scene.last().qdisc.as_mut().unwrap().may_segment = true;
        assert_eq!(identity(&scene, IdentityId::QdiscPackets).ok, None);
        scene.without_qdisc();
        assert_eq!(identity(&scene, IdentityId::QdiscBytes).note, "there is no qdisc");
    }

    #[test]
    fn whatever_was_missed_fails_the_audit() {
        let spoil: [fn(&mut Counters); 7] = [
            |c| c.health.stack_overflows = 1,
            |c| c.health.unmatched_exits = 1,
            |c| c.health.unmatched_xmits = 1,
            |c| c.health.lost_starts = 1,
            |c| c.health.unreadable = 1,
            |c| c.health.events_lost = 1,
            |c| c.segmentation.uncountable = 1,
        ];
        for (index, spoil) in spoil.iter().enumerate() {
            let mut scene = busy();
            spoil(scene.counters());
            assert!(!Audit::of(&scene.window()).unwrap().ok, "number {index}");
        }
        let mut scene = busy();
        scene.last().missed.recursion_misses = Some(3);
        let audit = Audit::of(&scene.window()).unwrap();
        assert_eq!(
            (audit.ok, audit.missed.recursion_misses, audit.missed.kprobe_misses),
            (false, Some(3), None)
        );
    }

    #[test]
    fn without_programs_there_is_no_audit() {
        let mut scene = Scene::counters_only();
        scene.forget_the_programs();
        assert_eq!(scene.conditions.mode, Mode::Counters);
        assert_eq!(Audit::of(&scene.window()), None);
    }

    proptest! {
        #[test]
        fn a_residual_is_left_minus_right_and_what_bypasses_is_negative(frames in 1_u64..100_000, len in 60_u64..1_514) {
            let mut scene = busy();
            scene.bypassing(frames, len);
            prop_assert_eq!(identity(&scene, IdentityId::DevicePackets).residual, Some(-(frames as i64)));
            prop_assert_eq!(identity(&scene, IdentityId::DeviceBytes).residual, Some(-((frames * len) as i64)));
        }

        #[test]
        fn arbitrary_counts_never_panic(words in proptest::collection::vec(any::<u64>(), size_of::<Counters>() / 8)) {
            let mut scene = busy();
            bytemuck::cast_slice_mut::<Counters, u64>(core::slice::from_mut(scene.counters())).copy_from_slice(&words);
            scene.drained = false;
            scene.rested_at_start = false;
            scene.last().qdisc.as_mut().unwrap().backlog_bytes = words[0];
            prop_assert!(Audit::of(&scene.window()).is_some());
        }
    }
}
