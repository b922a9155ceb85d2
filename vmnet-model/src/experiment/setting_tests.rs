use proptest::prelude::*;

use super::*;
use crate::fix::{
    ChannelCount, Kernel as _, not_as_before,
    testing::{CPUS, ModelKernel, NAMES, any_device, device, with_channels},
    way_back,
};

const TSO: &str = "tx-tcp-segmentation";

fn feature(name: &str, on: bool) -> Setting {
    Setting::Feature { feature: name.to_owned(), on }
}

fn of(count: u32, most: u32) -> Option<ChannelCount> {
    Some(ChannelCount { count, most })
}

/// Separate channels, 2 of 4 that receive and 2 of 3 that transmit.
fn separate() -> DeviceState {
    let channels = ChannelState { rx: of(2, 4), tx: of(2, 3), combined: None };
    DeviceState { channels: Some(channels), xps: vec![vec![0], vec![1]], ..device(&[], &[]) }
}

fn with_xps(xps: &[&[u32]]) -> DeviceState {
    DeviceState { xps: xps.iter().map(|cpus| cpus.to_vec()).collect(), ..device(&[], &[]) }
}

fn put(setting: &Setting, mut state: DeviceState) -> DeviceState {
    setting.put_into(&mut state, CPUS).unwrap();
    state
}

#[test]
fn what_a_device_cannot_be_is_said_and_its_state_stays() {
    let plain = || device(&[TSO], &[]);
    let unknown = || {
        let mut state = plain();
        state.limits = crate::machine::Limits {
            gso_max_size: None,
            gso_ipv4_max_size: None,
            gso_max_segs: None,
            tso_max_size: None,
            tso_max_segs: None,
        };
        state
    };
    let cases = [
        (feature("tx-teleportation", true), plain(), "tx-teleportation: this kernel has no such feature"),
        (feature(TSO, true), device(&[], &[TSO]), "tx-tcp-segmentation is fixed off: it cannot be switched"),
        (Setting::GsoMaxSegs { segs: 0 }, plain(), "gso_max_segs has to be 1 at least"),
        (
            Setting::GsoMaxSegs { segs: 65_536 },
            plain(),
            "gso_max_segs 65536 is more than the driver allows (tso_max_segs 65535)",
        ),
        (Setting::GsoMaxSegs { segs: 1 }, unknown(), "gso_max_segs: this kernel has no such limit"),
        (
            Setting::GsoMaxSize { bytes: 512 },
            plain(),
            "gso_max_size has to be 513 at least, for the headers' sake",
        ),
        (
            Setting::GsoMaxSize { bytes: 65_537 },
            plain(),
            "gso_max_size 65537 is more than the driver allows (tso_max_size 65536)",
        ),
        (Setting::GsoMaxSize { bytes: 9_000 }, unknown(), "gso_max_size: this kernel has no such limit"),
        (
            Setting::Channels { count: 2 },
            plain(),
            "the driver does not tell of its channels, so they cannot be set",
        ),
        (Setting::Channels { count: 0 }, with_channels(2, plain()), "without a channel nothing is sent"),
        (
            Setting::Channels { count: 9 },
            with_channels(2, plain()),
            "the driver has 8 combined channels at most, not 9",
        ),
        (Setting::Channels { count: 4 }, separate(), "the driver has 3 transmit channels at most, not 4"),
        (
            Setting::Xps { on: true },
            with_channels(1, plain()),
            "with a single transmit queue there is nothing to steer",
        ),
        (
            Setting::Xps { on: false },
            plain(),
            "which CPUs are sent to which queue (xps_cpus) cannot be read, nor then put back",
        ),
    ];
    for (setting, found, expected) in cases {
        let mut state = found.clone();
        assert_eq!(setting.put_into(&mut state, CPUS), Err(expected.to_owned()));
        assert_eq!(state, found);
    }
    let mut off = with_xps(&[&[], &[]]);
    assert!(Setting::Xps { on: true }.put_into(&mut off, 0).is_err());
}

#[test]
fn a_feature_is_wanted_and_one_that_is_fixed_as_it_should_be_is_left() {
    let state = put(&feature(TSO, false), device(&[TSO], &[]));
    assert!(!state.features.get(TSO).unwrap().wanted);
    let fixed = device(&[], &[TSO]);
    assert_eq!(put(&feature(TSO, false), fixed.clone()), fixed);
    let found = device(&[TSO], &[]);
    assert_eq!(put(&Setting::Profiler { on: false }, found.clone()), found);
}

#[test]
fn the_limit_for_ipv4_follows_where_the_kernel_has_it_follow() {
    let limits = |bytes, found: DeviceState| {
        let limits = put(&Setting::GsoMaxSize { bytes }, found).limits;
        (limits.gso_max_size, limits.gso_ipv4_max_size)
    };
    let mut big = device(&[], &[]);
    big.limits.tso_max_size = Some(524_280);
    assert_eq!(limits(9_000, big.clone()), (Some(9_000), Some(9_000)));
    assert_eq!(limits(200_000, big.clone()), (Some(200_000), Some(65_536)), "BIG TCP for IPv6 alone");
    big.limits.gso_ipv4_max_size = None;
    assert_eq!(limits(9_000, big), (Some(9_000), None));
    assert_eq!(put(&Setting::GsoMaxSegs { segs: 1 }, device(&[], &[])).limits.gso_max_segs, Some(1));
}

#[test]
fn channels_are_combined_ones_or_both_sorts_and_queues_that_stay_keep_their_cpus() {
    type Channels = [Option<u32>; 3];
    let cases: [(DeviceState, u32, Channels, &[&[u32]]); 6] = [
        (with_channels(4, device(&[], &[])), 2, [None, None, Some(2)], &[&[0, 1], &[2, 3]]),
        (with_channels(2, device(&[], &[])), 4, [None, None, Some(4)], &[&[0, 1, 2], &[3, 4, 5]]),
        (separate(), 1, [Some(1), Some(1), None], &[&[0]]),
        (separate(), 3, [Some(3), Some(3), None], &[&[0], &[1]]),
        // Off stays off.
        (
            DeviceState { xps: vec![vec![]; 2], ..with_channels(2, device(&[], &[])) },
            3,
            [None, None, Some(3)],
            &[&[], &[], &[]],
        ),
        (DeviceState { xps: vec![], ..with_channels(2, device(&[], &[])) }, 3, [None, None, Some(3)], &[]),
    ];
    for (found, count, channels, xps) in cases {
        let state = put(&Setting::Channels { count }, found);
        let is = state.channels.unwrap();
        let counts = [is.rx, is.tx, is.combined].map(|sort| sort.map(|sort| sort.count));
        assert_eq!(counts, channels);
        assert_eq!(state.xps, xps);
    }
}

#[test]
fn xps_is_off_on_every_queue_or_as_found_or_every_queue_has_its_share() {
    type Xps<'a> = &'a [&'a [u32]];
    let cases: [(bool, Xps<'_>, Xps<'_>); 4] = [
        (false, &[&[0, 1], &[2]], &[&[], &[]]),
        (true, &[&[0, 1], &[]], &[&[0, 1], &[]]),
        (true, &[&[], &[]], &[&[0, 2, 4], &[1, 3, 5]]),
        (true, &[&[], &[], &[], &[]], &[&[0, 4], &[1, 5], &[2], &[3]]),
    ];
    for (on, found, expected) in cases {
        assert_eq!(put(&Setting::Xps { on }, with_xps(found)).xps, expected);
    }
}

#[test]
fn channels_and_then_xps_is_about_the_queues_that_there_will_be() {
    let more = || put(&Setting::Channels { count: 3 }, separate());
    assert_eq!(put(&Setting::Xps { on: false }, more()).xps, vec![Vec::<u32>::new(); 3]);
    assert_eq!(put(&Setting::Xps { on: true }, more()).xps, [[0, 3], [1, 4], [2, 5]]);
}

fn any_setting() -> impl Strategy<Value = Setting> {
    prop_oneof![
        (0..NAMES.len(), any::<bool>()).prop_map(|(name, on)| feature(NAMES[name], on)),
        (1u32..65_535).prop_map(|segs| Setting::GsoMaxSegs { segs }),
        (600u32..65_536).prop_map(|bytes| Setting::GsoMaxSize { bytes }),
        (1u32..8).prop_map(|count| Setting::Channels { count }),
        any::<bool>().prop_map(|on| Setting::Xps { on }),
    ]
}

proptest! {
    #[test]
    fn the_way_to_any_arm_ends_there_and_the_way_back_where_it_began(found in any_device(), setting in any_setting()) {
        let mut target = found.clone();
        if setting.put_into(&mut target, CPUS).is_ok() {
            let mut kernel = ModelKernel::of(found.clone());
            for step in way_back(&target, &found) {
                prop_assert_eq!(kernel.carry_out(&step), Ok(()));
            }
            let there = kernel.devices[0].clone();
            prop_assert_eq!(there.channels, target.channels);
            prop_assert_eq!(there.limits, target.limits);
            // New queues are the driver's, where nothing is said of them.
            prop_assert_eq!(&there.xps[..target.xps.len()], &target.xps[..]);
            for (there, wanted) in there.features.iter().zip(target.features.iter()) {
                prop_assert_eq!(there.wanted, wanted.wanted);
            }
            for step in way_back(&found, &there) {
                prop_assert_eq!(kernel.carry_out(&step), Ok(()));
            }
            prop_assert_eq!(&kernel.devices[0], &found);
            prop_assert!(not_as_before(&found, &kernel.devices[0]).is_empty());
        }
    }
}
