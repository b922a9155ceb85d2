//! `kfree_skb` is not always a drop: some drivers complete what they have sent with it (`dev_kfree_skb_any` in vmxnet3). The
//! programs cannot tell by the packet alone; the counts can: where all that was queued was sent, nothing was dropped. (Clones that taps
//! get are told apart by the programs: `pkt_type`.)

use vmnet_common::{Counters, Lane, Stage};

use super::delta::Delta;
use super::identity::Unit;
use super::light::Light;
use super::sample::{Counting, Window};
use super::slack::Edges;
use super::tally::Tally;

/// Frees of fewer than one in this many packets are left alone: they decide nothing.
const FEWEST_ONE_IN: u64 = 1_000;

/// What remains open may be one in this many of the frees: packets that no program saw.
const OPEN_ONE_IN: u64 = 100;

/// Takes frees of what had been sent out of what was dropped. Gives their number; 0 where they are drops, and where the counts
/// do not decide it.
pub(crate) fn take_out(window: &Window<'_>, delta: &mut Delta) -> u64 {
    let Some(counted) = delta.traced.as_deref() else { return 0 };
    let (queue, freed) = (of(counted, Stage::Queue), of(counted, Stage::Dropped));
    // What the qdisc dropped it has counted itself.
    let are_drops = delta.qdisc.is_some_and(|qdisc| qdisc.drops >= freed.packets);
    if freed.segs.saturating_mul(FEWEST_ONE_IN) <= queue.segs || are_drops {
        return 0;
    }
    let mut without = delta.clone();
    if let Some(counted) = without.traced.as_deref_mut() {
        counted.stages[Stage::Dropped as usize] = Default::default();
    }
    let all_was_sent = match window.conditions.counting {
        Counting::Exact => is_even(window, delta, counted, &queue, freed.segs),
        Counting::Light => {
            let open = freed.packets / OPEN_ONE_IN;
            !device_bears_out(window, delta, open) && device_bears_out(window, &without, open)
        }
    };
    if !all_was_sent {
        return 0;
    }
    *delta = without;
    freed.packets
}

fn of(counted: &Counters, stage: Stage) -> Tally {
    Tally::of(counted, stage, &Lane::ALL)
}

/// Whether the driver took all that was queued, within what the edges explain, which the frees are beyond.
fn is_even(window: &Window<'_>, delta: &Delta, counted: &Counters, queue: &Tally, freed_segs: u64) -> bool {
    let taken = of(counted, Stage::Driver).segs.saturating_add(of(counted, Stage::DriverDropped).segs);
    let edges = Edges::of(window, delta);
    let slack = edges.backlog(Unit::Packets, queue).saturating_add(edges.reading(queue.segs));
    queue.segs.abs_diff(taken) <= slack.max(freed_segs / OPEN_ONE_IN) && freed_segs > slack
}

/// Whether the device counted what the queue and segmentation add up to, but for so many packets.
fn device_bears_out(window: &Window<'_>, delta: &Delta, open: u64) -> bool {
    let (Ok(light), Some(link)) = (Light::of(window, delta), delta.link) else { return false };
    let edges = Edges::of(window, delta);
    let slack = edges.reading(link.tx_packets).saturating_add(edges.ring(1));
    light.expected().0.abs_diff(link.tx_packets) <= slack.max(open)
}

#[cfg(test)]
mod tests {
    use crate::audit::Audit;
    use crate::identity::IdentityId;
    use crate::ledger::Entry;
    use crate::ledgers::Ledgers;
    use crate::light::LightView;
    use crate::testing::Scene;
    use crate::verdict::{Confidence, State, Verdict};

    use super::*;

    fn ledger(window: &Window<'_>) -> Entry {
        let delta = window.delta().unwrap();
        Ledgers::of(&delta, delta.traced.as_deref().unwrap()).tcp.total
    }

    fn judged(window: &Window<'_>) -> Verdict {
        Verdict::of("v0", window, Some(&ledger(window)), Audit::of(window).as_ref())
    }

    #[test]
    fn what_a_driver_completes_by_kfree_skb_is_no_drop() {
        for [freed_whole, freed_segments] in [[10_000, 0], [4_000, 0], [0, 200_000]] {
            let mut scene = Scene::new();
            scene.whole(10_000, 44).cut(5_000, 44).freed_after_sending(freed_whole, freed_segments, 44);
            let views = [true, false].map(|segmentation| LightView::of(&scene.window(), segmentation));
            for window in [scene.window(), views[0].window(), views[1].window()] {
                assert_eq!(ledger(&window).dropped_bytes, 0);
                let verdict = judged(&window);
                assert_eq!((verdict.state, verdict.confidence), (State::Partial, Confidence::Proven));
                let audit = Audit::of(&window).unwrap();
                let told = [IdentityId::WireSegments, IdentityId::DevicePackets]
                    .iter()
                    .any(|name| audit.identity(*name).unwrap().note.contains("had been sent"));
                assert!(told, "{audit:?}");
            }
        }
    }

    #[test]
    fn a_kernel_that_skips_programs_now_and_then_does_not_make_drops_of_them() {
        let mut scene = Scene::new();
        scene.whole(10_000, 44).unseen_at_the_driver(3, 44).unseen_whole(5, 44);
        scene.freed_after_sending(10_000, 0, 44);
        let verdict = judged(&scene.window());
        assert_eq!((verdict.state, verdict.confidence), (State::Engaged, Confidence::Proven), "{verdict:?}");
        assert_eq!(ledger(&scene.window()).dropped_bytes, 0);
    }

    #[test]
    fn what_never_left_was_dropped() {
        let mut scene = Scene::new();
        scene.whole(10_000, 44).dropped_by_qdisc(5_000);
        assert_ne!(ledger(&scene.window()).dropped_bytes, 0);
        // Also where nobody but the program counted it.
        scene.last().qdisc.as_mut().unwrap().drops = 0;
        assert_ne!(ledger(&scene.window()).dropped_bytes, 0);
        let view = LightView::of(&scene.window(), true);
        assert_ne!(ledger(&view.window()).dropped_bytes, 0);
    }

    #[test]
    fn drops_and_frees_together_are_left_as_they_are() {
        let mut scene = Scene::new();
        scene.whole(10_000, 44).dropped_by_qdisc(5_000).freed_after_sending(10_000, 0, 44);
        scene.last().qdisc.as_mut().unwrap().drops = 5_000;
        assert_ne!(ledger(&scene.window()).dropped_bytes, 0);
    }
}
