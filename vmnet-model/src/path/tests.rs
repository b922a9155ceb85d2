use proptest::prelude::*;
use vmnet_common::{AtDevice, Foreseen, Passed, Refusal};

use super::*;
use crate::{
    breaks::TSO4, cause::CauseId, machine::Machine, machine_fixture, offload::Offload, state::Confidence,
};

/// Each super-packet of the tests is worth so many segments of this payload, behind this header.
const SEGS: u64 = 40;
const MSS: u64 = 1_448;
const HEADER: u64 = 66;

fn passed(super_packets: u64, singles: u64) -> Passed {
    let payload = SEGS * MSS;
    Passed {
        super_packets,
        segments: super_packets * SEGS,
        payload_bytes: super_packets * payload,
        unsent_header_bytes: super_packets * (SEGS - 1) * HEADER,
        super_bytes: super_packets * (payload + HEADER),
        singles,
        single_bytes: singles * (MSS + HEADER),
    }
}

/// A device that was queued that and segmented so many of the super-packets.
fn device(after: Option<usize>, super_packets: u64, singles: u64, segmented: u64) -> Seen {
    let all = passed(super_packets, singles);
    Seen {
        after,
        side: Side::Transmit,
        is_filtered: true,
        is_encrypted: false,
        counted: AtDevice { all, ours: all, ..AtDevice::default() },
        is_hooked: false,
        own: Some(Own {
            packets: super_packets + singles + segmented * (SEGS - 1),
            bytes: bytes(&all) + segmented * (SEGS - 1) * HEADER,
        }),
        counts: Counts::Skbs,
        dropped: 0,
        moving: 0,
    }
}

fn foreseen(mut seen: Seen, refusal: Refusal) -> Seen {
    let all = seen.counted.all;
    let of = |of: Passed| Foreseen {
        packets: of.super_packets,
        segments: of.segments,
        payload_bytes: of.payload_bytes,
    };
    seen.counted.foreseen[refusal as usize] = of(all);
    seen.counted.ours_foreseen[refusal as usize] = of(seen.counted.ours);
    seen
}

fn incoming(after: usize, packets: u64, bytes: u64) -> Seen {
    Seen {
        side: Side::Receive,
        own: Some(Own { packets, bytes }),
        counted: AtDevice::default(),
        ..device(Some(after), 0, 0, 0)
    }
}

fn states(seen: &[Seen]) -> Vec<State> {
    judge(seen).iter().map(|step| step.state).collect()
}

fn names(seen: &[Seen]) -> Vec<Named> {
    (0..seen.len()).map(|index| Named { device: format!("dev{index}"), namespace: None }).collect()
}

fn answer(seen: &[Seen]) -> Verdict {
    verdict(seen, &judge(seen), &names(seen))
}

use State::{Segmented, Singles, Unknown, Whole};

/// What is off, what is seen, what each device does, and the answer.
type Row = (&'static str, [Seen; 3], [State; 3], State, Option<usize>);

#[test]
fn each_row_of_the_prototype_is_named_right() {
    let (n, s) = (10_000, 500);
    let cut = n * SEGS + s;
    let rows: [Row; 4] = [
        (
            "all on",
            [device(None, n, s, 0), device(Some(0), n, s, 0), device(Some(1), n, s, 0)],
            [Whole; 3],
            Whole,
            Some(2),
        ),
        (
            "the tunnel",
            [device(None, n, s, 0), device(Some(0), n, s, n), device(Some(1), 0, cut, 0)],
            [Whole, Segmented, Singles],
            Segmented,
            Some(1),
        ),
        (
            "the uplink",
            [device(None, n, s, 0), device(Some(0), n, s, 0), device(Some(1), n, s, n)],
            [Whole, Whole, Segmented],
            Segmented,
            Some(2),
        ),
        (
            "the pod",
            [device(None, n, s, n), device(Some(0), 0, cut, 0), device(Some(1), 0, cut, 0)],
            [Segmented, Singles, Singles],
            Segmented,
            Some(0),
        ),
    ];
    for (what, seen, expected, state, step) in rows {
        assert_eq!(states(&seen), expected, "{what}");
        let answer = answer(&seen);
        assert_eq!(
            (answer.state, answer.step, answer.confidence),
            (state, step, Confidence::Proven),
            "{what}"
        );
        for step in &judge(&seen)[1..] {
            let audit = step.audit.unwrap();
            assert!(audit.ok && audit.residual == 0 && audit.unit == Unit::Packets, "{what}: {audit:?}");
        }
    }
}

#[test]
fn what_gro_merges_again_is_a_cost_and_no_loss() {
    let (n, s) = (10_000, 500);
    let seen = [
        device(None, n, s, n),
        incoming(0, n * SEGS + s, (n * SEGS + s) * (MSS + HEADER)),
        device(Some(1), n, s, 0),
    ];
    let steps = judge(&seen);
    assert_eq!(steps.iter().map(|step| step.state).collect::<Vec<_>>(), [Segmented, Singles, Whole]);
    assert_eq!(steps[2].merged_before, Some(n * (SEGS - 1)));
    let audit = steps[2].audit.unwrap();
    assert!(audit.ok && audit.unit == Unit::Segments, "{audit:?}");
    assert!(answer(&seen).summary.contains("GRO merges them again before dev2"));
}

#[test]
fn what_is_lost_between_two_devices_is_a_gap_and_not_merged() {
    let seen = [device(None, 10_000, 0, 0), device(Some(0), 9_000, 0, 0)];
    let steps = judge(&seen);
    let audit = steps[1].audit.unwrap();
    assert!(!audit.ok && audit.residual < 0, "{audit:?}");
    assert_eq!(steps[1].merged_before, Some(0));
    assert_eq!(answer(&seen).confidence, Confidence::Supported);
}

#[test]
fn what_the_stack_segments_between_two_devices_is_put_down_to_neither() {
    let n = 10_000;
    let seen = [device(None, n, 0, 0), device(Some(0), 0, n * SEGS, 0)];
    let answer = answer(&seen);
    assert_eq!((answer.state, answer.step), (Segmented, Some(1)));
    assert!(answer.summary.contains("behind dev0 before they come to dev1"), "{}", answer.summary);
    // And fragments of these.
    let fragments = [device(None, n, 0, 0), device(Some(0), 0, 2 * n * SEGS, 0)];
    assert_eq!(verdict(&fragments, &judge(&fragments), &names(&fragments)).state, Segmented);
    let machine = machine_fixture::virtio();
    let found = causes(&machine, &machine, &fragments[1], &judge(&fragments)[1], false);
    assert_eq!(found.first().map(|cause| cause.id), Some(CauseId::MtuSmaller));
}

#[test]
fn what_others_send_by_the_same_device_changes_nothing() {
    // As much again goes elsewhere, and is what is segmented.
    let mut uplink = device(Some(0), 20_000, 0, 10_000);
    uplink.counted.ours = passed(10_000, 0);
    let behind = device(Some(1), 10_000, 0, 0);
    let sender = device(None, 10_000, 0, 0);
    assert_eq!(states(&[sender, uplink, behind]), [Whole, Whole, Whole]);
    // Ours is what is segmented: what the device counts is the same.
    let behind = device(Some(1), 0, 10_000 * SEGS, 0);
    assert_eq!(states(&[sender, uplink, behind]), [Whole, Segmented, Singles]);
    assert_eq!(judge(&[sender, uplink])[1].others, 10_000);
    // Nothing behind tells whose it was: the features that each needed do, where they tell all of it.
    assert_eq!(states(&[sender, uplink]), [Whole, Unknown]);
    let half = passed(10_000, 0);
    let half =
        Foreseen { packets: half.super_packets, segments: half.segments, payload_bytes: half.payload_bytes };
    uplink.counted.foreseen[Refusal::TunnelMissing as usize] = half;
    assert_eq!(states(&[sender, uplink]), [Whole, Whole]);
    uplink.counted.ours_foreseen[Refusal::TunnelMissing as usize] = half;
    assert_eq!(states(&[sender, uplink]), [Whole, Segmented]);
}

#[test]
fn a_device_without_counters_of_its_own_is_known_by_the_next() {
    let (n, s) = (10_000, 500);
    let bond = Seen {
        counts: Counts::Others,
        own: Some(Own { packets: n * SEGS + s, bytes: 1 }),
        ..device(None, n, s, 0)
    };
    let seen = [bond, device(Some(0), n, s, n)];
    assert_eq!(states(&seen), [Whole, Segmented]);
    assert_eq!(judge(&seen)[0].witnesses, [Witness::NextQueue]);
    assert_eq!(states(&[bond]), [Unknown]);
}

#[test]
fn a_driver_that_may_count_segments_proves_whole_and_not_segmented() {
    let of = |segmented: u64, counts: Counts| Seen { counts, ..device(None, 10_000, 0, segmented) };
    for counts in [Counts::Unknown, Counts::WireSegments] {
        assert_eq!(states(&[of(0, counts)]), [Whole], "{counts:?}");
        assert_eq!(states(&[of(10_000, counts)]), [Unknown], "{counts:?}");
    }
    // The device lacks what they need: then they were segmented, whatever it counts.
    assert_eq!(states(&[foreseen(of(10_000, Counts::Unknown), Refusal::Tso4Missing)]), [Segmented]);
}

#[test]
fn ways_that_part_are_told_with_their_shares_and_audited_together() {
    let seen = [device(None, 10_000, 0, 0), device(Some(0), 2_500, 0, 0), device(Some(0), 7_500, 0, 7_500)];
    let steps = judge(&seen);
    assert_eq!(branches(&seen, &steps), [Branch { after: 0, steps: vec![1, 2], shares: vec![0.25, 0.75] }]);
    assert!(steps[1].audit.unwrap().ok && steps[2].audit.unwrap().ok);
    assert_eq!(answer(&seen).step, Some(2));
}

#[test]
fn an_address_that_is_translated_on_the_way_is_followed_by_how_much_there_is() {
    let mut translated = device(Some(0), 10_000, 20, 10_000);
    translated.counted.ours = Passed::default();
    assert_eq!(states(&[device(None, 10_000, 20, 0), translated]), [Whole, Segmented]);
    // Somebody else's traffic is not ours for want of any.
    let mut others = device(Some(0), 100_000, 20, 0);
    others.counted.ours = Passed::default();
    assert_eq!(states(&[device(None, 10_000, 20, 0), others]), [Whole, Unknown]);
}

#[test]
fn what_ipsec_encrypts_was_segmented_before_and_is_not_called_whole() {
    let encrypted = |after| Seen { is_encrypted: true, ..device(after, 0, 10_000, 0) };
    let seen = [device(None, 5_000, 0, 0), encrypted(Some(0))];
    let said = answer(&seen);
    assert_eq!((said.state, said.step), (Segmented, Some(1)), "{}", said.summary);
    assert!(said.summary.contains("by IPsec"), "{}", said.summary);
    let alone = answer(&[encrypted(None)]);
    assert_eq!((alone.state, alone.step), (Singles, Some(0)));
    assert!(alone.summary.contains("IPsec encrypts them"), "{}", alone.summary);
}

#[test]
fn too_little_is_no_answer() {
    let seen = [device(None, 5, 3, 5)];
    let answer = answer(&seen);
    assert_eq!((answer.state, answer.step), (Unknown, None));
    assert!(answer.summary.contains("too little passed dev0"), "{}", answer.summary);
    assert_eq!(answer_of_nothing().state, Unknown);
}

fn answer_of_nothing() -> Verdict {
    verdict(&[], &[], &[])
}

/// A rule by port leads them by another device, or a filter hands them on: the routes of the address know nothing of it.
#[test]
fn what_left_the_way_is_no_all_clear() {
    let (n, s) = (10_000, 500);
    let elsewhere_from_the_first = [device(None, 0, 0, 0), device(Some(0), 0, n * SEGS, 0)];
    let behind_a_router = [device(None, n, s, 0), device(Some(0), n, s, 0), device(Some(1), 0, 0, 0)];
    for (seen, said) in
        [(&elsewhere_from_the_first[..], "came to dev1 as singles"), (&behind_a_router, "did not pass dev2")]
    {
        let answer = answer(seen);
        assert_eq!((answer.state, answer.confidence), (Unknown, Confidence::Weak), "{answer:?}");
        assert!(answer.summary.contains(said), "{answer:?}");
    }
    // Of ports of a bond one alone may have carried it.
    let by_one_port = [device(None, n, s, 0), device(Some(0), n, s, 0), device(Some(0), 0, 0, 0)];
    assert_eq!(answer(&by_one_port).state, Whole);
}

#[test]
fn singles_from_the_first_device_on_are_segmented_nowhere() {
    let seen = [device(None, 10, 100_000, 0), device(Some(0), 10, 100_000, 0)];
    assert_eq!(states(&seen), [Singles, Singles]);
    assert_eq!(answer(&seen).state, Singles);
}

#[test]
fn witnesses_that_contradict_each_other_leave_it_unknown() {
    let mut seen = device(None, 10_000, 0, 0);
    seen.is_hooked = true;
    seen.counted.segmented = Foreseen { packets: 10_000, segments: 10_000 * SEGS, payload_bytes: 1 };
    assert_eq!(states(&[seen]), [Unknown]);
}

#[test]
fn a_few_packets_that_no_program_saw_are_counted_and_leave_the_answer() {
    let mut seen = device(None, 10_000, 0, 0);
    let unseen = 20 * (SEGS * MSS + HEADER);
    seen.own = seen.own.map(|own| Own { packets: own.packets + 20, bytes: own.bytes + unseen });
    let step = &judge(&[seen])[0];
    // Each of them could as well be a segment more, which is a header.
    let told = step.unseen_bytes.unwrap();
    assert!(step.state == Whole && told <= unseen && told >= unseen - 20 * HEADER, "{told} of {unseen}");
    assert!(step.witnesses.contains(&Witness::DeviceBytes));
}

#[test]
fn the_cause_of_a_step_is_that_of_the_catalogue() {
    let whole = machine_fixture::virtio();
    let mut off = whole.clone();
    off.device.turn_off(&[TSO4]);
    let by = |machine: &Machine, refusal: Refusal, segmented: u64| {
        let seen = [foreseen(device(None, 10_000, 0, segmented), refusal)];
        let found = causes(machine, machine, &seen[0], &judge(&seen)[0], true);
        found.first().map(|cause| cause.id)
    };
    assert_eq!(by(&off, Refusal::Tso4Missing, 10_000), Some(CauseId::OneFamily));
    assert_eq!(by(&whole, Refusal::TunnelMissing, 10_000), Some(CauseId::Tunnel));
    assert_eq!(by(&whole, Refusal::TooLarge, 10_000), Some(CauseId::TooLarge));
    assert_eq!(by(&whole, Refusal::QdiscSplits, 0), None);
}

#[test]
fn a_limit_is_told_by_what_it_does_on_this_way() {
    let of = |seen: &Seen, is_first: bool| {
        let limit = crate::machine::Limits { gso_max_size: Some(8_000), ..Default::default() };
        limits("eth0", &limit, seen, is_first).first().map(|limit| limit.effect)
    };
    let sending = device(None, 10, 0, 0);
    assert_eq!(of(&sending, true), Some(Effect::Sizes));
    assert_eq!(of(&sending, false), Some(Effect::Idle));
    assert_eq!(of(&foreseen(sending, Refusal::TooLarge), false), Some(Effect::Segments));
    assert_eq!(of(&incoming(0, 10, 10), true), Some(Effect::Never));
    let usual = crate::machine::Limits {
        gso_max_size: Some(65_536),
        gso_max_segs: Some(65_535),
        ..Default::default()
    };
    assert!(limits("eth0", &usual, &sending, true).is_empty());
}

fn any_seen() -> impl Strategy<Value = Seen> {
    let count = prop_oneof![0..100_000_u64, any::<u64>()];
    let passed = proptest::array::uniform7(count.clone()).prop_map(|[a, b, c, d, e, f, g]| Passed {
        super_packets: a,
        segments: b,
        payload_bytes: c,
        unsent_header_bytes: d,
        super_bytes: e,
        singles: f,
        single_bytes: g,
    });
    (
        passed.clone(),
        passed,
        proptest::array::uniform4(count),
        any::<[bool; 3]>(),
        proptest::option::of(0..4_usize),
    )
        .prop_map(
            |(all, ours, [packets, bytes, dropped, moving], [sends, is_filtered, is_hooked], after)| Seen {
                is_encrypted: false,
                after,
                side: if sends { Side::Transmit } else { Side::Receive },
                is_filtered,
                counted: AtDevice { all, ours, ..AtDevice::default() },
                is_hooked,
                own: Some(Own { packets, bytes }),
                counts: Counts::Skbs,
                dropped,
                moving,
            },
        )
}

proptest! {
    #[test]
    fn whatever_is_counted_comes_to_an_answer(seen in proptest::collection::vec(any_seen(), 0..6)) {
        let steps = judge(&seen);
        let verdict = verdict(&seen, &steps, &names(&seen));
        prop_assert!(verdict.step.is_none_or(|step| step < seen.len()));
        for step in &steps {
            prop_assert!(step.cut.is_none_or(|cut| (0.0..=1.0).contains(&cut)));
        }
        let _ = branches(&seen, &steps);
    }

    #[test]
    fn the_share_that_is_segmented_is_what_was(n in 100..100_000_u64, singles in 0..1_000_u64, part in 0..=100_u64) {
        let segmented = n * part / 100;
        let step = &judge(&[device(None, n, singles, segmented)])[0];
        let expected = segmented as f64 / n as f64;
        prop_assert!((step.cut.unwrap() - expected).abs() < 1e-9);
        prop_assert_eq!(step.unseen_bytes, Some(0));
    }
}

/// A tunnel that segments, and what is behind it.
fn behind_a_tunnel(behind: &[&Machine], has_checksum: Option<bool>) -> Option<OffloadBelow> {
    let mut tunnel = machine_fixture::virtio();
    (tunnel.virtio, tunnel.device) = (None, machine_fixture::device("vx0", 5, Some("vxlan")));
    tunnel.device.outer_checksum = has_checksum;
    let machines: Vec<Option<&Machine>> =
        std::iter::once(&tunnel).chain(behind.iter().copied()).map(Some).collect();
    let seen: Vec<Seen> = (0..machines.len()).map(|place| device(place.checked_sub(1), 100, 0, 0)).collect();
    offload_below(&seen, &machines, 0)
}

#[test]
fn behind_a_tunnel_the_first_device_that_does_not_segment_inside_it_is_named_with_who_can_change_it() {
    const INSIDE: &str = "tx-udp_tnl-segmentation";
    let nic = machine_fixture::virtio();
    let on = behind_a_tunnel(&[&nic], None).unwrap();
    assert_eq!((on.step, on.state), (1, Offload::On));
    assert!(on.text.ends_with("is ens4: tx-udp_tnl-segmentation is on there"), "{}", on.text);

    let mut off = nic.clone();
    off.device.turn_off(&[INSIDE]);
    let off = behind_a_tunnel(&[&off], None).unwrap();
    assert_eq!(off.commands, ["ethtool -K ens4 tx-udp_tnl-segmentation on"]);

    let mut not_offered = nic.clone();
    not_offered.device.never_have(&[INSIDE]);
    let of_a_host = behind_a_tunnel(&[&not_offered], None).unwrap();
    assert!(of_a_host.text.ends_with("is not offered; ask the host"), "{}", of_a_host.text);
    assert!(of_a_host.commands[0].starts_with("QEMU"), "{:?}", of_a_host.commands);
    not_offered.virtio = None;
    let of_a_driver = behind_a_tunnel(&[&not_offered], None).unwrap();
    assert!(of_a_driver.text.ends_with("another NIC"), "{}", of_a_driver.text);

    // A pair that has it is passed, and the next is asked.
    let mut pair = machine_fixture::virtio();
    (pair.virtio, pair.device) = (None, machine_fixture::device("v0", 6, Some("veth")));
    let second = behind_a_tunnel(&[&pair, &not_offered], None).unwrap();
    assert_eq!((second.step, second.device.as_str()), (2, "ens4"));
    let inside = behind_a_tunnel(&[&pair], None).unwrap();
    assert!(inside.text.contains("no device behind it segments"), "{}", inside.text);

    // The feature for an outer checksum is another one, which this device does not know.
    assert_eq!(behind_a_tunnel(&[&nic], Some(true)), None);
    assert_eq!(behind_a_tunnel(&[], None), None);
}
