//! How the answer is found.

use vmnet_common::Counters;

pub use super::answer::Verdict;
use super::answer::summary;
pub use super::state::{
    Classes, Confidence, FEWEST_AUDITED_PACKETS, MIN_BUILT_PERCENT, MIN_BULK_BYTES, MIN_BULK_PERCENT,
    MOST_PERCENT, SLACK_ONE_IN, Says, State, THIN_BELOW_SEGS, Witness,
};

use super::audit::Audit;
use super::bound::{Bound, UNSEEN_ONE_IN};
use super::counters_only;
use super::delta::Delta;
use super::hook::Hook;
use super::identity::IdentityId;
use super::ledger::Entry;
use super::sample::{Counting, Mode, Window};
use super::unexplained::Unexplained;
use super::witness;
use crate::audited::OF_WINDOWS;

impl Verdict {
    /// The verdict of a window. `interface` is its name, for the summary; `tcp` the total of TCP's ledger, None in
    /// `counters` mode; `audit` what [`Audit::of`] made of the same window.
    #[must_use]
    pub fn of(interface: &str, window: &Window<'_>, tcp: Option<&Entry>, audit: Option<&Audit>) -> Self {
        let mut verdict = match (tcp, window.delta()) {
            (Some(tcp), Some(Delta { traced: Some(counted), light, .. }))
                if window.conditions.mode != Mode::Counters =>
            {
                let needs_exact_hooks = light.and_then(Result::err);
                Self::traced(interface, window, (&counted, needs_exact_hooks), tcp, audit)
            }
            _ => counters_only::verdict(interface, window),
        };
        if let Some(why) = window.cut_short {
            let basis = verdict.basis.take().map(|basis| format!("{basis}; ")).unwrap_or_default();
            verdict.basis = Some(format!("{basis}the run was cut short: {why}"));
            verdict.confidence = verdict.confidence.min(Confidence::Supported);
        }
        verdict
    }

    fn traced(
        interface: &str,
        window: &Window<'_>,
        (counted, needs_exact_hooks): (&Counters, Option<String>),
        tcp: &Entry,
        audit: Option<&Audit>,
    ) -> Self {
        let classes = Classes::of(tcp);
        let seen = classes.state();
        let findings = witness::all(window, tcp, seen);
        let unexplained = Unexplained::of(window, tcp, audit);
        let extremes = [tcp.software_bytes_at_least, tcp.software_bytes_at_most]
            .map(|software| classes.with_software(software));

        let doubt = if let Some(disagreement) = &findings.disagreement {
            Some(disagreement.clone())
        } else if let Some(why) = needs_exact_hooks {
            Some(format!("the light ledger does not count this: {why}"))
        } else if let Some(other) = extremes.iter().map(Classes::state).find(|state| *state != seen) {
            Some(format!(
                "between {} and {} bytes were segmented in software, which is {seen} or {other}",
                tcp.software_bytes_at_least, tcp.software_bytes_at_most
            ))
        } else {
            extremes.iter().find_map(|classes| classes.least_favourable(unexplained.bytes())).map(
                |(class, state)| {
                    format!(
                        "what was seen is {seen}, but {unexplained} would make it {state} if it were {class}"
                    )
                },
            )
        };
        let state = if doubt.is_some() { State::Inconclusive } else { seen };
        let (confidence, basis, bound) = match doubt {
            Some(doubt) => (Confidence::Weak, Some(doubt), None),
            None => {
                let bound = audit.and_then(|audit| Bound::of(window, counted, &extremes, audit));
                match not_proven(window, audit, &findings, bound.as_ref()) {
                    None => (Confidence::Proven, None, bound),
                    Some(why) => (Confidence::Supported, Some(format!("not proven: {why}")), bound),
                }
            }
        };
        let thin = state == State::Engaged && tcp.median_gso_segs.is_some_and(|segs| segs < THIN_BELOW_SEGS);
        let shares = (state == State::Partial).then(|| tcp.shares_in_words());
        let came_in_singly = state == State::Partial && classes.is_mostly_forwarded_singles();
        let summary = match shares {
            Some(shares) if came_in_singly => {
                format!(
                    "most bulk TCP that left through {interface} was forwarded, and came in already segmented: {shares}"
                )
            }
            shares => summary(interface, window.conditions.terminal, state, thin, shares.as_deref()),
        };
        Self { state, confidence, basis, bound, summary, thin, witnesses: findings.witnesses, udp: None }
    }
}

/// Why the state is not proven, or None where it is.
fn not_proven(
    window: &Window<'_>,
    audit: Option<&Audit>,
    findings: &witness::Findings,
    bound: Option<&Bound>,
) -> Option<String> {
    let hooks = &window.conditions.hooks;
    let is_light = window.conditions.counting == Counting::Light;
    let needed: &[Hook] = if is_light {
        &[Hook::NetDevQueue]
    } else {
        &[Hook::NetDevQueue, Hook::NetDevStartXmit, Hook::NetDevXmit]
    };
    for &hook in needed {
        if !hooks.counts(hook) {
            return Some(format!("{} was not counted", hook.name()));
        }
    }
    let Some(audit) = audit else {
        return Some("there was no audit".to_owned());
    };
    let is_bounded = bound.is_some_and(Bound::proves);
    if let Some(failed) = audit.identities.iter().find(|identity| identity.ok == Some(false))
        && !is_bounded
    {
        let too_much = bound.map_or_else(String::new, |_| {
            format!(", and a proof allows for less than {} % that no program saw", 100 / UNSEEN_ONE_IN)
        });
        return Some(format!("{} does not hold: {}{too_much}", failed.name, failed.figures()));
    }
    if audit.missed.total() != 0 {
        return Some(format!("{} events were missed", audit.missed.total()));
    }
    // One that fails is within the bound, or we would not be here.
    let holds = |name| audit.identity(name).is_some_and(|identity| identity.ok.is_some());
    if is_light && let Some(why) = not_audited(window) {
        return Some(why);
    }
    if let Some(name) =
        [IdentityId::WireSegments, IdentityId::DevicePackets].into_iter().find(|name| !holds(*name))
    {
        let note = audit.identity(name).map_or("absent", |identity| identity.note.as_str());
        return Some(format!("{name} was not measured: {note}"));
    }
    // A window is short, so that its edges are a larger share of it; what it shows was judged above.
    let decides = |name: IdentityId| name.bears_on_the_ledger() && !(is_light && OF_WINDOWS.contains(&name));
    let loose = audit.identities.iter().filter(|identity| decides(identity.name)).find(|identity| {
        let value = identity.left.unwrap_or(0).max(identity.right.unwrap_or(0));
        identity.slack.is_some_and(|slack| slack.saturating_mul(SLACK_ONE_IN) > value)
    });
    if let Some(loose) = loose {
        return Some(format!("the slack of {} is more than 0.1 %: {}", loose.name, loose.figures()));
    }
    match &findings.kernel_counters {
        witness::Agreement::Agrees => None,
        witness::Agreement::Silent(_) if holds(IdentityId::DeviceBytes) => None,
        witness::Agreement::Silent(why) => {
            Some(format!("kernel counters are silent ({why}), and so are the device's bytes"))
        }
        // Their ratio has the unseen packets in it, and the audit has counted them.
        witness::Agreement::Differs(_) if is_bounded && holds(IdentityId::QdiscPackets) => None,
        witness::Agreement::Differs(how) => Some(format!("kernel counters do not quite agree: {how}")),
    }
}

/// Why no window with every hook bears the light ledger out, or None where one does.
fn not_audited(window: &Window<'_>) -> Option<String> {
    let Some(audited) = window.audited else {
        return Some("no window with every hook was held against the light ledger".to_owned());
    };
    if let Some(why) = &audited.disagreement {
        return Some(why.clone());
    }
    (audited.packets < FEWEST_AUDITED_PACKETS).then(|| {
        format!(
            "windows with every hook saw {} packets at the driver, and a proof takes {FEWEST_AUDITED_PACKETS}",
            audited.packets
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Protocol;
    use crate::testing::{MIB, MSS, Scene};
    use proptest::prelude::*;

    type Traffic = fn(&mut Scene);

    fn judged(scene: &Scene) -> Verdict {
        let window = scene.window();
        let tcp = Protocol::tcp(&scene.traced()).total;
        Verdict::of("ens4", &window, Some(&tcp), Audit::of(&window).as_ref())
    }

    #[test]
    fn the_state_follows_the_table_up_to_its_edges() {
        const M: u64 = 1_000_000;
        let table = [
            // hardware, software, unaggregated, small → state
            ([950 * M, 50 * M, 0, 0], State::Engaged),
            ([949 * M, 51 * M, 0, 0], State::Partial),
            ([50 * M, 950 * M, 0, 0], State::Software),
            ([51 * M, 949 * M, 0, 0], State::Partial),
            ([50 * M, 0, 50 * M, 0], State::Engaged),
            ([49 * M, 0, 51 * M, 0], State::Partial),
            ([0, 50 * M, 50 * M, 0], State::Software),
            ([50 * M, 0, 950 * M, 0], State::NotBuilt),
            ([51 * M, 0, 949 * M, 0], State::Partial),
            ([MIB, 0, 0, 0], State::Engaged),
            ([MIB - 1, 0, 0, 0], State::NothingToOffload),
            ([5 * M, 0, 0, 95 * M], State::Engaged),
            ([5 * M - 1, 0, 0, 95 * M], State::NothingToOffload),
            ([0, 0, 0, 0], State::NothingToOffload),
            ([u64::MAX, u64::MAX, u64::MAX, u64::MAX], State::Partial),
        ];
        for ([hardware, software, unaggregated, small], state) in table {
            let classes = Classes { hardware, software, unaggregated, small, forwarded_singles: 0 };
            assert_eq!(classes.state(), state, "{classes:?}");
        }
    }

    #[test]
    fn each_plain_state_is_proven_by_a_healthy_run() {
        let table: [(Traffic, State, &str); 6] = [
            (
                |s| {
                    s.whole(10_000, 44);
                },
                State::Engaged,
                "TSO is happening on ens4",
            ),
            (
                |s| {
                    s.cut(10_000, 44);
                },
                State::Software,
                "TSO is not happening on ens4",
            ),
            (
                |s| {
                    s.full(10_000);
                },
                State::NotBuilt,
                "TSO has nothing to do on ens4",
            ),
            (
                |s| {
                    s.whole(5_000, 44).cut(5_000, 44);
                },
                State::Partial,
                "TSO is active for only part of the traffic on ens4",
            ),
            (
                |s| {
                    s.small(10_000, 100);
                },
                State::NothingToOffload,
                "too little bulk TCP left through ens4",
            ),
            (
                |s| {
                    s.whole(10_000, 44).retransmitted(9_000);
                },
                State::Engaged,
                "TSO is happening on ens4",
            ),
        ];
        for (traffic, state, summary) in table {
            let mut scene = Scene::new();
            traffic(&mut scene);
            let verdict = judged(&scene);
            assert_eq!((verdict.state, verdict.confidence), (state, Confidence::Proven), "{verdict:?}");
            assert!(verdict.summary.starts_with(summary), "{}", verdict.summary);
            assert_eq!(verdict.witnesses.len(), 3);
        }
    }

    #[test]
    fn a_working_tso_under_loss_is_still_engaged() {
        let mut scene = Scene::new();
        scene.whole(1_000, 40).retransmitted(20_000).dropped_by_qdisc(5_000_000);
        assert_eq!(judged(&scene).state, State::Engaged);
    }

    #[test]
    fn super_packets_of_three_segments_are_engaged_and_thin_and_of_four_are_not_thin() {
        for (segs, thin) in [(3, true), (4, false)] {
            let mut scene = Scene::new();
            scene.whole(10_000, segs);
            let verdict = judged(&scene);
            assert_eq!((verdict.state, verdict.thin), (State::Engaged, thin));
            assert_eq!(verdict.summary.contains("thin"), thin);
        }
    }

    #[test]
    fn a_device_that_passes_packets_on_is_only_said_to_have_left_them_whole() {
        let mut scene = Scene::new();
        scene.whole(10_000, 44);
        scene.conditions.terminal = false;
        assert!(judged(&scene).summary.starts_with("TCP super-packets left ens4 whole"));
    }

    #[test]
    fn forwarded_singles_are_never_not_built() {
        let mut scene = Scene::new();
        scene.forwarded_singles(10_000);
        assert_eq!(judged(&scene).state, State::Partial);
    }

    #[test]
    fn a_thousand_bypassing_frames_in_a_gigabyte_cost_a_figure_and_in_a_tenth_of_it_the_proof() {
        let mut scene = Scene::new();
        scene.whole(1_000_000_000 / (44 * MSS), 44).bypassing(1_000, 1_000);
        let verdict = judged(&scene);
        assert_eq!((verdict.state, verdict.confidence), (State::Engaged, Confidence::Proven));
        assert!(verdict.bound.unwrap().unseen_share > 0.000_9);
        let mut scene = Scene::new();
        scene.whole(100_000_000 / (44 * MSS), 44).bypassing(1_000, 1_000);
        let verdict = judged(&scene);
        assert_eq!((verdict.state, verdict.confidence), (State::Engaged, Confidence::Supported));
        assert!(verdict.basis.unwrap().contains("device-packets"));
    }

    #[test]
    fn as_much_that_bypassed_as_was_seen_makes_it_inconclusive() {
        let mut scene = Scene::new();
        scene.cut(1_000, 44).bypassing(44_000, 1_514);
        let verdict = judged(&scene);
        assert_eq!(verdict.state, State::Inconclusive);
        assert!(verdict.basis.unwrap().contains("device-bytes"));
    }

    #[test]
    fn data_that_never_left_makes_a_narrow_state_inconclusive_and_a_wide_one_not() {
        for (cut, state) in [(400, State::Inconclusive), (0, State::Engaged)] {
            let mut scene = Scene::new();
            scene.whole(10_000, 44).cut(cut, 44).stuck(100, 44);
            let verdict = judged(&scene);
            assert_eq!(verdict.state, state, "{verdict:?}");
            assert_ne!(verdict.confidence, Confidence::Proven);
        }
    }

    #[test]
    fn missed_events_count_as_super_packets_that_could_be_anything() {
        for (missed, state) in [(10, State::Engaged), (10_000, State::Inconclusive)] {
            let mut scene = Scene::new();
            scene.whole(10_000, 44);
            scene.last().missed.recursion_misses = Some(missed);
            let verdict = judged(&scene);
            assert_eq!(verdict.state, state);
            assert_ne!(verdict.confidence, Confidence::Proven);
        }
    }

    #[test]
    fn witnesses_that_contradict_each_other_are_inconclusive() {
        // The programs saw super-packets leave whole; qdisc and device counted as many packets as segments.
        let mut scene = Scene::new();
        scene.whole(10_000, 44);
        scene.last().link.tx_packets = 440_000;
        let verdict = judged(&scene);
        assert_eq!(verdict.state, State::Inconclusive);
        assert!(verdict.basis.unwrap().contains("contradict"));
    }

    #[test]
    fn segments_that_the_kernel_counted_as_super_packets_contradict_the_programs() {
        let mut scene = Scene::new();
        scene.cut(1_000, 44);
        scene.last().qdisc.as_mut().unwrap().packets *= 44;
        let verdict = judged(&scene);
        assert_eq!(verdict.state, State::Inconclusive);
        assert!(verdict.basis.unwrap().starts_with("the programs and the kernel's counters contradict"));
    }

    #[test]
    fn packets_longer_than_any_single_contradict_programs_that_saw_singles_only() {
        let mut scene = Scene::new();
        scene.cut(1_000, 44).without_qdisc();
        scene.last().link.tx_bytes *= 44;
        let verdict = judged(&scene);
        assert_eq!(verdict.state, State::Inconclusive);
        assert!(verdict.basis.unwrap().starts_with("the programs and the device contradict"));
    }

    #[test]
    fn what_sockets_sent_through_another_interface_leaves_the_state_and_not_the_proof() {
        let mut scene = Scene::new();
        scene.whole(10_000, 44);
        scene.last().sockets.as_mut().unwrap().bytes_sent *= 3;
        let verdict = judged(&scene);
        assert_eq!((verdict.state, verdict.confidence), (State::Engaged, Confidence::Supported));
        assert!(verdict.basis.unwrap().contains("tcp-bytes-sent"));
    }

    #[test]
    fn each_hook_that_is_switched_off_takes_the_proof_away() {
        for hook in [
            Hook::NetDevQueue,
            Hook::NetDevStartXmit,
            Hook::NetDevXmit,
            Hook::SkbGsoSegment,
            Hook::SkbSegment,
            Hook::TcpSendmsg,
        ] {
            let mut scene = Scene::new();
            scene.whole(10_000, 44).cut(100, 44);
            assert_eq!(judged(&scene).confidence, Confidence::Proven);
            scene.switch_off(hook);
            assert_ne!(judged(&scene).confidence, Confidence::Proven, "without {hook:?}");
        }
    }

    #[test]
    fn a_driver_stage_that_is_switched_off_leaves_nothing_to_judge_by() {
        let mut scene = Scene::new();
        scene.whole(10_000, 44).switch_off(Hook::NetDevXmit);
        assert_eq!(judged(&scene).state, State::Inconclusive);
    }

    #[test]
    fn what_sendfile_sent_does_not_take_the_proof_away() {
        let mut scene = Scene::new();
        scene.whole(10_000, 44);
        scene.counters().tcp_sendmsg.bytes = 0;
        assert_eq!(judged(&scene).confidence, Confidence::Proven);
    }

    #[test]
    fn drops_that_nobody_counted_take_the_proof_away() {
        let mut scene = Scene::new();
        scene.whole(10_000, 44).dropped_by_qdisc(100);
        assert_eq!(judged(&scene).confidence, Confidence::Proven);
        scene.switch_off(Hook::KfreeSkb);
        let verdict = judged(&scene);
        assert_eq!((verdict.state, verdict.confidence), (State::Engaged, Confidence::Supported));
    }

    #[test]
    fn without_programs_the_verdict_is_made_of_kernel_counters() {
        let mut scene = Scene::counters_only();
        scene.whole(10_000, 44).forget_the_programs();
        let verdict = Verdict::of("ens4", &scene.window(), None, None);
        assert_eq!((verdict.state, verdict.confidence), (State::Engaged, Confidence::Supported));
        let says: Vec<_> = verdict.witnesses.iter().map(|witness| witness.says.name()).collect();
        assert_eq!(says, ["silent", "super-packets", "super-packets"]);
    }

    #[test]
    fn unseen_packets_of_unknown_length_count_as_packets_of_the_mean_length() {
        // 1,000 of them at 64 kB are 6 % of a gigabyte: enough to doubt, and the device's bytes cannot settle it.
        let mut scene = Scene::new();
        scene.whole(1_000_000_000 / (44 * MSS), 44);
        scene.last().link.tx_packets += 1_000;
        assert_eq!(judged(&scene).state, State::Inconclusive);
    }

    #[test]
    fn without_a_qdisc_the_device_s_own_counts_suffice_for_proof() {
        let mut scene = Scene::new();
        scene.cut(10_000, 44).without_qdisc();
        assert_eq!(judged(&scene).confidence, Confidence::Proven);
    }

    #[test]
    fn tracepoints_alone_can_prove() {
        let mut scene = Scene::tracepoints_only();
        scene.cut(10_000, 44).forwarded_cut(100, 44);
        assert_eq!((judged(&scene).state, judged(&scene).confidence), (State::Software, Confidence::Proven));
    }

    #[test]
    fn slack_of_more_than_a_thousandth_is_no_proof() {
        for (read_ns, confidence) in [(400_000, Confidence::Proven), (600_000, Confidence::Supported)] {
            let mut scene = Scene::new();
            scene.cut(100_000, 44);
            scene.drained = false;
            scene.conditions.ring_slots = Some(0);
            scene.last().read_ns = read_ns;
            assert_eq!(judged(&scene).confidence, confidence, "{read_ns} ns");
        }
    }

    #[test]
    fn a_run_that_was_cut_short_says_so_and_proves_nothing() {
        let mut scene = Scene::new();
        scene.whole(10_000, 44);
        let window = Window { cut_short: Some("the interface is gone"), ..scene.window() };
        let tcp = Protocol::tcp(&scene.traced()).total;
        let verdict = Verdict::of("ens4", &window, Some(&tcp), Audit::of(&window).as_ref());
        assert_eq!(verdict.confidence, Confidence::Supported);
        assert!(verdict.basis.unwrap().contains("the interface is gone"));
    }

    proptest! {
        #[test]
        fn nothing_unexplained_changes_no_state(hardware: u64, software: u64, unaggregated: u64, small: u64) {
            let classes = Classes { hardware, software, unaggregated, small, forwarded_singles: 0 };
            prop_assert_eq!(classes.least_favourable(0), None);
        }

        #[test]
        fn twenty_times_what_was_seen_leaves_no_state_standing(
            hardware in 0_u64..1 << 30, software in 0_u64..1 << 30, unaggregated in 0_u64..1 << 30, small in 0_u64..1 << 30,
        ) {
            let classes = Classes { hardware, software, unaggregated, small, forwarded_singles: 0 };
            let unexplained = 20 * (hardware + software + unaggregated + small) + MIB;
            prop_assert!(classes.least_favourable(unexplained).is_some());
        }

        #[test]
        fn what_could_change_the_state_still_could_if_it_were_more(
            hardware in 0_u64..1 << 30, software in 0_u64..1 << 30, unaggregated in 0_u64..1 << 30, small in 0_u64..1 << 30,
            unexplained in 0_u64..1 << 30, more in 0_u64..1 << 30,
        ) {
            let classes = Classes { hardware, software, unaggregated, small, forwarded_singles: 0 };
            if classes.least_favourable(unexplained).is_some() {
                prop_assert!(classes.least_favourable(unexplained + more).is_some());
            }
        }

        #[test]
        fn a_healthy_run_of_any_mix_gets_the_state_of_its_ledger(
            whole in 0_u64..2_000, cut in 0_u64..2_000, full in 0_u64..50_000, small in 0_u64..50_000, segs in 2_u64..45,
        ) {
            let mut scene = Scene::new();
            scene.whole(whole, segs).cut(cut, segs).full(full).small(small, 300);
            let tcp = Protocol::tcp(&scene.traced()).total;
            let verdict = judged(&scene);
            prop_assert_eq!(verdict.state, Classes::of(&tcp).state(), "{:?}", verdict);
        }
    }
}
