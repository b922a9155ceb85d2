//! The light ledger beside the exact one, of the same counters.

use proptest::prelude::*;
use vmnet_common::{Class, Lane, Stage};

use super::*;
use crate::audit::Audit;
use crate::audited::Audited;
use crate::identity::IdentityId;
use crate::ledger::Entry;
use crate::ledger::{Method, Protocol};
use crate::ledgers::Ledgers;
use crate::testing::{HEADER, MSS, Scene};
use crate::verdict::{Confidence, State, Verdict};

fn light(scene: &Scene, segmentation: bool) -> Result<Entry, String> {
    let view = LightView::of(&scene.window(), segmentation);
    let delta = view.window().delta().unwrap();
    let light = Light::of(&view.window(), &delta)?;
    Ok(light.tcp(delta.traced.as_deref().unwrap()).total)
}

fn exact(scene: &Scene) -> Entry {
    Protocol::tcp(&scene.traced()).total
}

fn without_method(entry: &Entry) -> Entry {
    Entry { method: Method::Counted, ..entry.clone() }
}

#[test]
fn with_the_segmentation_hook_it_is_the_exact_ledger() {
    let mut scene = Scene::new();
    scene
        .whole(1_000, 44)
        .cut(2_000, 40)
        .full(300)
        .small(50, 100)
        .control(70)
        .cut_above(5, 30)
        .forwarded_cut(20, 30)
        .forwarded_singles(10)
        .retransmitted(5)
        .dropped_by_qdisc(3);
    for unforeseen in [false, true] {
        if unforeseen {
            scene.unforeseen();
        }
        assert_eq!(light(&scene, true).unwrap(), exact(&scene));
    }
}

#[test]
fn all_whole_or_all_segmented_is_counted_by_the_device_alone() {
    for whole in [true, false] {
        let mut scene = Scene::new();
        if whole {
            scene.whole(1_000, 44)
        } else {
            scene.cut(1_000, 44)
        };
        scene.full(30).small(5, 100).control(70).dropped_by_qdisc(9).unforeseen();
        assert_eq!(light(&scene, false).unwrap(), exact(&scene));
    }
}

#[test]
fn what_the_queue_foresaw_allots_what_the_device_counted() {
    let mut scene = Scene::new();
    scene.whole(1_000, 44).cut(300, 7).full(30).forwarded_cut(2, 30);
    let found = light(&scene, false).unwrap();
    assert_eq!(found.method, Method::Allotted);
    assert_eq!(without_method(&found), exact(&scene));
}

#[test]
fn a_forecast_that_the_device_does_not_bear_out_is_not_believed() {
    let mut scene = Scene::new();
    scene.whole(1_000, 44).cut(300, 7).unforeseen();
    let forecast = &mut scene.counters().forecast[Lane::Tcp4 as usize];
    (forecast.packets, forecast.segs) = (300, 300 * 8);
    (forecast.payload_bytes, forecast.unsent_header_bytes) = (300 * 8 * MSS, 300 * 7 * HEADER);
    let found = light(&scene, false).unwrap();
    assert_eq!(found.method, Method::Bounds);
    let truth = exact(&scene).software_bytes;
    assert!((found.software_bytes_at_least..=found.software_bytes_at_most).contains(&truth), "{found:?}");
}

#[test]
fn equal_bytes_in_whole_packets_of_44_and_segmented_ones_of_2_are_inside_the_bounds() {
    let mut scene = Scene::new();
    scene.whole(1_000, 44).cut(22_000, 2).unforeseen();
    let found = light(&scene, false).unwrap();
    assert_eq!(found.method, Method::Bounds);
    let half = 44_000 * MSS;
    assert!(found.software_bytes_at_least < half && half <= found.software_bytes_at_most, "{found:?}");
    // By packets it would be 34 %, which is inside as well: no estimate passes for a count.
    assert!(found.software_bytes_at_most < half + half / 10, "{found:?}");
}

#[test]
fn frames_as_light_as_headers_that_nobody_foresaw_may_have_been_unseen() {
    // A thousand of them are a fifth of all that passed: too many to be overlooked, and too like segments to be told apart.
    for frame_bytes in [60, 66] {
        let mut scene = Scene::new();
        scene.whole(90, 44).bypassing(1_000, frame_bytes);
        let found = light(&scene, false).unwrap();
        assert_eq!((found.method, found.software_bytes_at_least), (Method::Bounds, 0), "{found:?}");
        let view = LightView::of(&scene.window(), false);
        assert_ne!(judged(&view.window()).confidence, Confidence::Proven);
    }
}

#[test]
fn three_unseen_super_packets_are_no_segments() {
    let mut scene = Scene::new();
    scene.whole(100_000, 45).unforeseen();
    for bytes in [65_226; 3] {
        scene.bypassing(1, bytes);
    }
    let found = light(&scene, false).unwrap();
    assert_eq!((found.software_bytes_at_least, found.software_bytes_at_most), (0, 0));
    assert_eq!(found.hardware_bytes, 4_500_000 * MSS);
}

#[test]
fn a_thousand_bypassing_frames_could_be_segments_only_as_far_as_they_weigh_no_more() {
    for (frame_bytes, most) in [(66, 1_000), (1_514, 1_000)] {
        let mut scene = Scene::new();
        scene.whole(20_000, 44).unforeseen().bypassing(1_000, frame_bytes);
        let found = light(&scene, false).unwrap();
        assert_eq!(found.software_bytes_at_least, 0, "{frame_bytes}");
        // 1,000 packets more are 24 super-packets of 44 segments, in a bucket that reaches to 47.
        assert!(found.software_bytes_at_most <= (most / 43 + 1) * 47 * 1_500, "{frame_bytes}: {found:?}");
        assert_eq!(found.hardware_bytes, 880_000 * MSS, "{frame_bytes}");
    }
}

#[test]
fn where_the_kernel_skips_programs_what_is_left_over_is_unseen() {
    let mut scene = Scene::new();
    scene.cut(20_000, 44).unseen_cut(10, 44);
    let found = light(&scene, false).unwrap();
    assert_eq!(found.software_bytes, 880_000 * MSS);
    assert_eq!(found.hardware_bytes, 0);
}

#[test]
fn what_the_qdisc_dropped_whole_counts_in_no_term() {
    let mut scene = Scene::new();
    scene.whole(1_000, 44).cut(500, 20);
    let counters = scene.counters();
    // 30 of the segmented kind come to the queue, are foreseen, and go no further.
    for stage in [Stage::Queue, Stage::Dropped] {
        let lane = &mut counters.stages[stage as usize][Lane::Tcp4 as usize];
        let cell = &mut lane.cells[Class::Super as usize];
        cell.packets += 30;
        cell.segs += 30 * 20;
        cell.payload_bytes += 30 * 20 * MSS;
        cell.bytes += 30 * (20 * MSS + HEADER);
        lane.unsent_header_bytes += 30 * 19 * HEADER;
    }
    for segmentation in [true, false] {
        let found = light(&scene, segmentation).unwrap();
        let truth = exact(&scene);
        assert_eq!(found.dropped_bytes, truth.dropped_bytes);
        assert_eq!(
            (found.hardware_bytes, found.software_bytes),
            (truth.hardware_bytes, truth.software_bytes)
        );
    }
}

#[test]
fn a_counter_that_lies_is_not_solved_away() {
    // Packets without bytes, bytes without packets, fewer packets than were queued.
    let lies: [fn(&mut Scene); 3] = [
        |scene| scene.last().link.tx_packets += 5_000,
        |scene| scene.last().link.tx_bytes += 500_000_000,
        |scene| scene.last().link.tx_packets -= 500,
    ];
    for (number, lie) in lies.iter().enumerate() {
        let mut scene = Scene::new();
        scene.whole(10_000, 44);
        lie(&mut scene);
        let view = LightView::of(&scene.window(), false);
        let delta = view.window().delta().unwrap();
        let light = Light::of(&view.window(), &delta).unwrap();
        let link = delta.link.unwrap();
        assert_ne!(light.expected(), (link.tx_packets, link.tx_bytes), "number {number}");
    }
}

#[test]
fn what_the_light_way_cannot_count_says_that_it_takes_the_exact_hooks() {
    type Spoil = fn(&mut Scene);
    let spoil: [(&str, bool, Spoil); 5] = [
        ("GSO_PARTIAL", true, |scene| scene.counters().segmentation.uncountable = 1),
        ("SCTP", true, |scene| {
            let other = &mut scene.counters().stages[Stage::Queue as usize][Lane::Other as usize];
            let cell = &mut other.cells[Class::Control as usize];
            (cell.packets, cell.segs) = (1, 20);
        }),
        ("tbf", false, |scene| scene.last().qdisc.as_mut().unwrap().may_segment = true),
        ("recreated", true, |scene| {
            scene.samples[0].link.tx_packets = u64::MAX >> 1;
        }),
        ("neither of skbs nor of segments", true, |scene| {
            scene.conditions.driver = DriverRow::AskTheFirstWindow;
            scene.last().link.tx_packets *= 3;
        }),
    ];
    for (what, segmentation, spoil) in spoil {
        let mut scene = Scene::new();
        scene.whole(1_000, 44);
        assert!(light(&scene, segmentation).is_ok(), "{what}");
        spoil(&mut scene);
        let why = light(&scene, segmentation);
        // An unknown driver is asked about what the light programs cannot see.
        assert!(why.is_err(), "{what}: {why:?}");
    }
}

#[test]
fn a_device_that_counts_wire_segments_serves_where_functions_are_hooked_and_nowhere_else() {
    let mut scene = Scene::new();
    scene.whole(1_000, 44).cut(10, 44);
    scene.conditions.driver = DriverRow::AskTheFirstWindow;
    let link = &mut scene.last().link;
    link.tx_packets = 44 * 1_010;
    link.tx_bytes = 44 * 1_010 * (MSS + HEADER);
    assert_eq!(light(&scene, true).unwrap(), exact(&scene));
    assert!(light(&scene, false).unwrap_err().contains("wire segments"));
}

#[test]
fn a_tag_that_the_cpu_puts_into_each_segment_is_allowed_for() {
    let mut scene = Scene::new();
    scene.vlan_cut(1_000, 40);
    let found = light(&scene, false).unwrap();
    assert_eq!(found.software_bytes, exact(&scene).software_bytes);
}

/// Any mix of a machine at rest on both sides.
fn mix(scene: &mut Scene, [whole, cut, forwarded, full, small, dropped]: [u64; 6], [long, short]: [u64; 2]) {
    scene
        .whole(whole, long)
        .cut(cut, short)
        .forwarded_cut(forwarded, short)
        .full(full)
        .small(small, 300)
        .dropped_by_qdisc(dropped)
        .control(small);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn of_any_mix_it_is_the_exact_ledger_where_segmentation_is_counted_or_foreseen(
        counts in proptest::array::uniform6(0_u64..3_000), lengths in proptest::array::uniform2(2_u64..45),
        segmentation: bool,
    ) {
        let mut scene = Scene::new();
        mix(&mut scene, counts, lengths);
        let found = light(&scene, segmentation).unwrap();
        prop_assert_ne!(found.method, Method::Bounds);
        prop_assert_eq!(without_method(&found), exact(&scene));
    }

    #[test]
    fn of_any_mix_the_bounds_contain_the_exact_ledger_where_nothing_was_foreseen(
        counts in proptest::array::uniform6(0_u64..3_000), lengths in proptest::array::uniform2(2_u64..45),
    ) {
        let mut scene = Scene::new();
        mix(&mut scene, counts, lengths);
        scene.unforeseen();
        let (found, truth) = (light(&scene, false).unwrap(), exact(&scene));
        prop_assert!(found.software_bytes_at_least <= truth.software_bytes, "{:?} {:?}", found, truth);
        prop_assert!(truth.software_bytes <= found.software_bytes_at_most, "{:?} {:?}", found, truth);
        prop_assert_eq!(found.payload_bytes, truth.payload_bytes);
    }

    #[test]
    fn the_six_columns_add_up_and_any_counters_can_be_solved(
        words in proptest::collection::vec(any::<u64>(), size_of::<Counters>() / 8), tx_packets: u64, tx_bytes: u64,
        segmentation: bool,
    ) {
        let mut scene = Scene::new();
        bytemuck::cast_slice_mut::<Counters, u64>(core::slice::from_mut(scene.counters())).copy_from_slice(&words);
        scene.counters().segmentation.uncountable = 0;
        scene.counters().stages[0][Lane::Other as usize] = Default::default();
        (scene.last().link.tx_packets, scene.last().link.tx_bytes) = (tx_packets >> 2, tx_bytes >> 2);
        scene.drained = false;
        if let Ok(found) = light(&scene, segmentation) {
            let six = [
                found.hardware_bytes, found.software_bytes, found.unaggregated_bytes, found.small_bytes,
                found.dropped_bytes, found.pending_bytes,
            ];
            prop_assert_eq!(six.into_iter().map(u128::from).sum::<u128>(), u128::from(found.payload_bytes));
            prop_assert!(found.software_bytes_at_least <= found.software_bytes_at_most);
        }
    }
}

/// The verdict of a window, by whatever counted it.
fn judged(window: &Window<'_>) -> Verdict {
    let delta = window.delta().unwrap();
    let tcp = Ledgers::of(&delta, delta.traced.as_deref().unwrap()).tcp.total;
    Verdict::of("ens4", window, Some(&tcp), Audit::of(window).as_ref())
}

/// Exact, light, and light without the segmentation hook.
fn verdicts(scene: &Scene) -> [Verdict; 3] {
    let views = [true, false].map(|segmentation| LightView::of(&scene.window(), segmentation));
    [judged(&scene.window()), judged(&views[0].window()), judged(&views[1].window())]
}

type Traffic = fn(&mut Scene);

fn void(_: &mut Scene) {}

#[test]
fn the_light_verdict_is_the_exact_one_and_as_sure() {
    let table: [(&str, Traffic); 13] = [
        ("whole", |s| void(s.whole(10_000, 44))),
        ("segmented", |s| void(s.cut(10_000, 44))),
        ("segmented, and not foreseen", |s| void(s.cut(10_000, 44).unforeseen())),
        ("not built", |s| void(s.full(10_000))),
        ("half and half", |s| void(s.whole(5_000, 44).cut(5_000, 44))),
        ("small packets", |s| void(s.small(10_000, 100))),
        ("under loss", |s| void(s.whole(10_000, 44).retransmitted(9_000).dropped_by_qdisc(50))),
        ("forwarded", |s| void(s.forwarded_cut(10_000, 30).forwarded_singles(100))),
        ("through a vlan", |s| void(s.vlan_cut(10_000, 40))),
        ("thin", |s| void(s.whole(10_000, 3))),
        ("with little unseen", |s| void(s.whole(10_000, 44).unseen_whole(20, 44))),
        ("with some segments unseen", |s| void(s.cut(10_000, 44).unseen_cut(20, 44))),
        ("with much unseen", |s| void(s.cut(10_000, 44).unseen_cut(300, 44))),
    ];
    for (what, traffic) in table {
        let mut scene = Scene::new();
        traffic(&mut scene);
        let [exact, light, without_functions] = verdicts(&scene);
        for found in [&light, &without_functions] {
            assert_eq!(
                (found.state, found.confidence),
                (exact.state, exact.confidence),
                "{what}\n{found:?}\n{exact:?}"
            );
            assert_eq!(found.bound.is_some(), exact.bound.is_some(), "{what}: {found:?}");
        }
    }
}

#[test]
fn at_rest_the_light_identities_hold_exactly_and_say_what_they_are_made_of() {
    let mut scene = Scene::new();
    scene
        .whole(1_000, 44)
        .cut(2_000, 40)
        .full(300)
        .small(50, 100)
        .control(70)
        .forwarded_cut(20, 30)
        .forwarded_singles(10)
        .dropped_by_qdisc(3);
    for (segmentation, source) in
        [(true, "net_dev_queue + __skb_gso_segment"), (false, "net_dev_queue + its forecast")]
    {
        let view = LightView::of(&scene.window(), segmentation);
        let audit = Audit::of(&view.window()).unwrap();
        assert_eq!(audit.identities.len(), 11);
        assert!(audit.ok, "{audit:?}");
        for identity in &audit.identities {
            assert!(identity.ok.is_none() || identity.residual == Some(0), "{identity:?}");
        }
        for name in [IdentityId::DevicePackets, IdentityId::DeviceBytes] {
            let identity = audit.identity(name).unwrap();
            assert_eq!((identity.ok, identity.left_source.as_str()), (Some(true), source));
        }
        for name in [IdentityId::QdiscPackets, IdentityId::QdiscBytes, IdentityId::TcpBytesSent] {
            assert_eq!(audit.identity(name).unwrap().ok, Some(true), "{name}");
        }
    }
}

#[test]
fn without_a_window_that_bears_it_out_it_is_at_most_supported() {
    let mut scene = Scene::new();
    scene.whole(10_000, 44);
    let view = LightView::unaudited(&scene.window(), true);
    let verdict = judged(&view.window());
    assert_eq!((verdict.state, verdict.confidence), (State::Engaged, Confidence::Supported));
    assert!(verdict.basis.unwrap().contains("no window with every hook"));
    let mut few = Scene::new();
    few.whole(900, 44);
    let view = LightView::of(&few.window(), true);
    let verdict = judged(&view.window());
    assert_eq!(verdict.confidence, Confidence::Supported);
    assert!(verdict.basis.unwrap().contains("900 packets"));
}

#[test]
fn a_window_whose_share_does_not_fit_takes_the_proof_away() {
    let mut scene = Scene::new();
    scene.whole(10_000, 44);
    // The hooks at the driver saw a tenth of it segmented, and neither the queue nor the device did.
    let mut odd = Scene::new();
    odd.whole(9_000, 44).cut(1_000, 44);
    odd.counters().segmentation = Counters::default().segmentation;
    odd.unforeseen().last().link = scene.last().link;
    let audited = Audited::of(&odd.window(), false).unwrap();
    assert!(audited.disagreement.is_some());
    let view = LightView::unaudited(&scene.window(), false);
    let window = Window { audited: Some(&audited), ..view.window() };
    assert_ne!(judged(&window).confidence, Confidence::Proven);
}

#[test]
fn bounds_that_leave_the_state_open_are_inconclusive_and_others_are_not_proven() {
    let mut open = Scene::new();
    open.whole(1_000, 44).cut(22_000, 2).unforeseen();
    let view = LightView::of(&open.window(), false);
    assert_eq!(judged(&view.window()).state, State::Inconclusive, "between nothing and a half");
    let mut narrow = Scene::new();
    narrow.whole(10_000, 44).cut(600, 30).unforeseen();
    let view = LightView::of(&narrow.window(), false);
    let verdict = judged(&view.window());
    assert_ne!(verdict.confidence, Confidence::Proven, "{verdict:?}");
}

#[test]
fn what_takes_the_exact_hooks_is_inconclusive_and_says_so() {
    let mut scene = Scene::new();
    scene.whole(10_000, 44).counters().segmentation.uncountable = 1;
    let view = LightView::of(&scene.window(), true);
    let verdict = judged(&view.window());
    assert_eq!(verdict.state, State::Inconclusive);
    assert!(verdict.basis.unwrap().contains("GSO_PARTIAL"));
}

#[test]
fn what_it_says_the_driver_took_is_what_the_hooks_at_the_driver_counted() {
    let mut scene = Scene::new();
    scene.whole(1_000, 44).cut(2_000, 40).full(300).small(50, 100).control(70).cut_above(5, 30);
    for (segmentation, vlan) in [(true, 0), (false, 0), (true, 10)] {
        scene.vlan_cut(vlan, 40);
        let exact = scene.traced();
        let view = LightView::of(&scene.window(), segmentation);
        let filled = view.window().delta().unwrap().traced.unwrap();
        let driver = Stage::Driver as usize;
        for lane in Lane::ALL {
            let (found, truth) =
                (&filled.stages[driver][lane as usize], &exact.stages[driver][lane as usize]);
            assert_eq!(found.cells, truth.cells, "{lane:?}");
            assert_eq!(found.unsent_header_bytes, truth.unsent_header_bytes, "{lane:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_light_proof_is_of_the_exact_state(
        counts in proptest::array::uniform6(0_u64..2_000), lengths in proptest::array::uniform2(2_u64..45),
        unseen in 0_u64..50, foreseen: bool,
    ) {
        let mut scene = Scene::new();
        mix(&mut scene, counts, lengths);
        scene.unseen_whole(unseen, lengths[0]);
        if !foreseen {
            scene.unforeseen();
        }
        let [exact, light, without_functions] = verdicts(&scene);
        for found in [light, without_functions] {
            if found.confidence == Confidence::Proven {
                prop_assert_eq!(found.state, exact.state);
            }
        }
    }
}
