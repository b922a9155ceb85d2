use proptest::prelude::*;

use super::*;
use crate::fix::{
    ChannelState, Kernel as _,
    testing::{ModelKernel, NAMES, any_cpus, any_device, device, with_channels},
};

fn with(channels: u32) -> DeviceState {
    with_channels(channels, device(&[], &[]))
}

fn commands(before: &DeviceState, now: &DeviceState) -> Vec<String> {
    way_back(before, now).iter().map(Step::command).collect()
}

#[test]
fn channels_come_back_before_xps_and_both_before_features() {
    let before = DeviceState { xps: vec![vec![0], vec![1, 32]], ..with(2) };
    let mut kernel = ModelKernel::of(before.clone());
    kernel.set_channels(4);
    kernel.want("rx-gro", true);
    assert_eq!(
        commands(&before, &kernel.devices[0]),
        [
            "ethtool -L ens4 combined 2",
            "echo 01 >/sys/class/net/ens4/queues/tx-0/xps_cpus; \
             echo 01,00000002 >/sys/class/net/ens4/queues/tx-1/xps_cpus",
            "ethtool -K ens4 rx-gro off",
        ]
    );
}

#[test]
fn separate_channels_are_set_in_one_request() {
    let of = |count| Some(ChannelCount { count, most: 4 });
    let channels = |rx, tx| Some(ChannelState { rx: of(rx), tx: of(tx), combined: None });
    let before = DeviceState { channels: channels(1, 2), ..device(&[], &[]) };
    let now = DeviceState { channels: channels(4, 4), ..before.clone() };
    assert_eq!(commands(&before, &now), ["ethtool -L ens4 rx 1 tx 2"]);
    assert_eq!(
        not_as_before(&before, &now),
        ["receive channels were 1, are 4", "transmit channels were 2, are 4"]
    );
}

#[test]
fn masks_that_are_as_they_were_are_written_all_the_same_when_channels_change() {
    // Four queues dealt out anew look the same as two by chance; what the driver makes of them is not known beforehand.
    let before = with(2);
    let now = DeviceState { channels: with(4).channels, ..before.clone() };
    let steps = way_back(&before, &now);
    assert!(
        matches!(&steps[..], [Step::Channels { .. }, Step::Xps { queues, .. }] if queues.len() == 2),
        "{steps:?}"
    );
}

#[test]
fn only_queues_that_are_there_and_differ_are_steered_when_channels_stay() {
    let before = DeviceState { xps: vec![vec![0], vec![1], vec![2]], ..device(&[], &[]) };
    let now = DeviceState { xps: vec![vec![0], vec![0]], ..device(&[], &[]) };
    assert_eq!(commands(&before, &now), ["echo 02 >/sys/class/net/ens4/queues/tx-1/xps_cpus"]);
    assert_eq!(
        not_as_before(&before, &now),
        ["XPS of tx-1 was 02, is 01", "XPS of tx-2 was 04, is not there"]
    );
    assert_eq!(not_as_before(&now, &before)[1], "queues that XPS chooses from were 2, are 3");
}

#[test]
fn what_was_not_read_before_or_cannot_be_read_now_is_never_planned() {
    let (known, unknown) = (with(2), device(&[], &[]));
    assert_eq!(way_back(&unknown, &known), []);
    assert_eq!(not_as_before(&unknown, &known), Vec::<String>::new());
    assert_eq!(way_back(&known, &unknown), []);
    assert_eq!(not_as_before(&known, &unknown), Vec::<String>::new());
}

#[test]
fn a_hostile_name_is_one_word_of_an_echo() {
    let before = DeviceState { name: "a;b".to_owned(), ..with(2) };
    let now = DeviceState { xps: vec![vec![], vec![]], ..before.clone() };
    assert!(commands(&before, &now)[0].starts_with("echo 07 >/sys/class/net/'a;b'/queues/tx-0/xps_cpus; "));
}

#[test]
fn a_change_of_channels_and_of_xps_is_told_as_the_kernel_left_it() {
    let (before, target) = (with(2), with(3));
    let mut kernel = ModelKernel::of(before.clone());
    let mut told = Vec::new();
    for step in way_back(&target, &before) {
        kernel.carry_out(&step).unwrap();
        told.extend(step.changes(&before, crate::fix::Outcome::Done(&kernel.devices[0])));
    }
    let told: Vec<_> = told
        .iter()
        .map(|change| {
            let after = change.after.as_deref().unwrap();
            (change.what.as_str(), change.before.as_str(), after, change.ok)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("combined channels", "2", "3", Some(true)),
            ("XPS of tx-0", "07", "03", Some(true)),
            ("XPS of tx-1", "38", "0c", Some(true)),
            ("XPS of tx-2", "not there", "30", Some(true)),
        ]
    );
}

proptest! {
    #[test]
    fn the_way_back_leads_back_whatever_was_done(
        before in any_device(),
        wanted in proptest::collection::vec((0usize..NAMES.len(), any::<bool>()), 0..4),
        channels in 0u32..10,
        steered in proptest::collection::vec((0usize..8, any_cpus()), 0..3),
    ) {
        let mut kernel = ModelKernel::of(before.clone());
        kernel.set_channels(channels);
        for (name, on) in wanted {
            kernel.want(NAMES[name], on);
        }
        for (queue, cpus) in steered {
            kernel.steer(queue, &cpus);
        }
        let now = kernel.devices[0].clone();
        for step in way_back(&before, &now) {
            prop_assert_eq!(kernel.carry_out(&step), Ok(()));
        }
        prop_assert_eq!(&kernel.devices[0], &before);
        // Whatever differs is told, and only that.
        let differs = (now.channels, &now.xps, &now.features) != (before.channels, &before.xps, &before.features);
        prop_assert_eq!(!not_as_before(&before, &now).is_empty(), differs);
        prop_assert_eq!(not_as_before(&before, &before), Vec::<String>::new());
    }
}
