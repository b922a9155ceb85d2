use super::{
    testing::{cake, device, tbf},
    *,
};
use crate::{
    cause::{Action, FeatureChange},
    fix::testing::ModelKernel,
};

const TX: &str = "tx-checksum-ip-generic";
const SG: &str = "tx-scatter-gather";
const TSO: &str = "tx-tcp-segmentation";
const TSO6: &str = "tx-tcp6-segmentation";
const GSO: &str = "tx-generic-segmentation";

fn on(features: &[&str]) -> Action {
    let changes = features.iter().map(|name| FeatureChange { feature: (*name).to_owned(), on: true });
    Action::Features { interface: "ens4".to_owned(), changes: changes.collect() }
}

fn limits(size: Option<u32>, segs: Option<u32>) -> Action {
    Action::GsoLimits {
        interface: "ens4".to_owned(),
        gso_max_size: size,
        gso_ipv4_max_size: None,
        gso_max_segs: segs,
    }
}

fn burst(burst_bytes: u32) -> Action {
    let qdisc = tbf(0, 0);
    Action::TbfBurst { interface: "ens4".to_owned(), handle: qdisc.handle, parent: qdisc.parent, burst_bytes }
}

/// Plans, carries out, and tells what came of it.
fn done(before: &DeviceState, actions: &[Action]) -> Vec<Change> {
    let mut kernel = ModelKernel::of(before.clone());
    let plan = plan(actions, std::slice::from_ref(before));
    let mut changes = plan.impossible;
    for step in &plan.steps {
        kernel.carry_out(step).unwrap();
        changes.extend(step.changes(before, Outcome::Done(&kernel.devices[0])));
    }
    changes
}

fn told(change: &Change) -> String {
    format!(
        "{} → {}: {}",
        change.before,
        change.after.as_deref().unwrap(),
        change.note.as_deref().unwrap_or("ok")
    )
}

#[test]
fn what_comes_back_is_told_as_the_kernel_left_it() {
    let all = [SG, TX, TSO, TSO6, GSO];
    let without = |off: &'static str| all.into_iter().filter(|name| *name != off).collect::<Vec<_>>();
    let cases: [(DeviceState, &[&str], &str); 7] = [
        (device(&without(TSO), &[]), &[TSO], "off → on: ok"),
        // Checksum off: TSO was wanted all the time, and asking for it again changes nothing.
        (
            device(&without(TX), &[]),
            &[TSO],
            "off [requested on] → off [requested on]: requested, not active: tx-checksum-ip-generic is off",
        ),
        (device(&without(TX), &[]), &[TX], "off → on: ok"),
        (
            device(&[], &[]),
            &[TSO],
            "off → off [requested on]: requested, not active: tx-checksum-ip-generic and tx-scatter-gather are off",
        ),
        (device(&without(SG), &[]), &[SG], "off → on: ok"),
        (
            device(&all, &[TSO]),
            &[TSO],
            "off [fixed] → off [fixed]: fixed: nothing inside this machine can switch it, its host or driver does not have it",
        ),
        (device(&all, &[]), &["tx-teleportation"], "not there → not there: this kernel has no such feature"),
    ];
    for (before, asked, expected) in cases {
        let changes = done(&before, &[on(asked)]);
        assert_eq!(changes.iter().map(told).collect::<Vec<_>>(), [expected]);
        assert_eq!(changes[0].ok, Some(expected.ends_with(": ok")), "{expected}");
    }
}

#[test]
fn what_is_as_it_should_be_is_not_asked_for() {
    let mut state = device(&[SG, TX, TSO], &[]);
    state.qdiscs = vec![tbf(70_000, 700_000), cake(false)];
    let no_split =
        Action::CakeNoSplit { interface: "ens4".to_owned(), handle: cake(false).handle, parent: u32::MAX };
    let actions = [on(&[SG, TX, TSO]), limits(Some(65_536), Some(65_535)), burst(65_600), no_split];
    assert_eq!(plan(&actions, &[state]), Plan::default());
}

#[test]
fn features_of_one_device_are_one_request_and_each_is_asked_for_once() {
    let state = device(&[], &[]);
    let plan = plan(&[on(&[TX]), limits(Some(9_000), None), on(&[SG, TX, TSO])], &[state]);
    assert_eq!(plan.steps.len(), 2, "{plan:?}");
    assert_eq!(
        plan.steps[0].command(),
        "ethtool -K ens4 tx-checksum-ip-generic on tx-scatter-gather on tx-tcp-segmentation on"
    );
    assert_eq!(plan.steps[1].command(), "ip link set dev ens4 gso_max_size 9000");
}

#[test]
fn a_limit_is_raised_no_further_than_the_driver_allows() {
    let mut state = device(&[], &[]);
    state.limits.gso_max_size = Some(8_000);
    let changes = done(&state, &[limits(Some(500_000), None)]);
    assert_eq!(changes[0].after.as_deref(), Some("65536"));
    // 5.10 tells of no limit for IPv4 alone.
    state.limits.gso_ipv4_max_size = None;
    let ipv4 = Action::GsoLimits {
        interface: "ens4".to_owned(),
        gso_max_size: None,
        gso_ipv4_max_size: Some(65_536),
        gso_max_segs: None,
    };
    assert_eq!(done(&state, &[ipv4])[0].ok, Some(false));
}

#[test]
fn a_burst_is_not_raised_where_the_queue_would_then_drop_super_packets_whole() {
    let mut state = device(&[], &[]);
    state.qdiscs = vec![tbf(4_000, 10_000)];
    let refused = done(&state, &[burst(65_600)]);
    assert_eq!(refused[0].ok, Some(false));
    assert!(refused[0].note.as_ref().unwrap().contains("limit of 10000 B"), "{refused:?}");
    state.qdiscs = vec![tbf(4_000, 1_000_000)];
    let raised = done(&state, &[burst(65_600)]);
    assert_eq!((raised[0].ok, raised[0].after.as_deref()), (Some(true), Some("65600 B")));
}

#[test]
fn a_qdisc_that_is_gone_or_another_is_left_alone() {
    let mut state = device(&[], &[]);
    assert!(plan(&[burst(65_600)], std::slice::from_ref(&state)).steps.is_empty());
    state.qdiscs = vec![QdiscState { handle: tbf(0, 0).handle, ..cake(true) }];
    let plan = plan(&[burst(65_600)], &[state]);
    assert!(plan.steps.is_empty());
    assert_eq!(plan.impossible[0].note.as_deref(), Some("this qdisc is no tbf"));
}

#[test]
fn a_refusal_is_told_with_the_kernels_words() {
    let before = device(&[SG, TX], &[]);
    let plan = plan(&[on(&[TSO])], std::slice::from_ref(&before));
    let changes = plan.steps[0].changes(&before, Outcome::Failed("Operation not supported", Some(&before)));
    assert_eq!(told(&changes[0]), "off → off: refused: Operation not supported");
    assert_eq!(changes[0].ok, Some(false));
}

#[test]
fn what_follows_by_itself_is_told_and_what_was_asked_for_is_not_told_twice() {
    let before = device(&[TX, TSO, TSO6, GSO], &[]);
    let mut kernel = ModelKernel::of(before.clone());
    kernel.want(SG, true);
    let names: Vec<_> = followed(&before, &kernel.devices[0], &[SG.to_owned()])
        .into_iter()
        .map(|followed| (followed.what, followed.before, followed.after))
        .collect();
    let follows = |name: &str| (name.to_owned(), "off [requested on]".to_owned(), "on".to_owned());
    assert_eq!(names, [follows(GSO), follows(TSO), follows(TSO6)]);
}

#[test]
fn a_hostile_name_is_one_word_of_a_command() {
    for (name, quoted) in
        [("a;b$(x)", "'a;b$(x)'"), ("it's", r"'it'\''s'"), ("ens4", "ens4"), ("a b", "'a b'")]
    {
        let step = Step::CakeSplitGso {
            device: DeviceId { ifindex: 1, name: name.to_owned() },
            handle: 0x8001_0000,
            parent: 0x0001_000a,
            on: false,
        };
        let expected = format!("tc qdisc change dev {quoted} parent 1:a handle 8001: cake no-split-gso");
        assert_eq!(step.command(), expected);
    }
}

#[test]
fn a_burst_has_room_for_a_header_of_every_segment() {
    // 46 segments of 1448 bytes behind one header of 66 bytes each, as tbf counts them.
    assert!(burst_for(65_536, 1500) >= 65_536 + 14 + 45 * 66);
    assert!(burst_for(65_536, 1500) < 2 * 65_536);
    assert!(burst_for(u32::MAX, 0) == u32::MAX);
}

#[test]
fn asking_again_for_what_is_wanted_is_no_step_unless_what_it_hangs_on_comes_with_it() {
    let state = device(&[TX, TSO, GSO], &[]);
    assert!(plan(&[on(&[TSO])], std::slice::from_ref(&state)).steps.is_empty());
    assert_eq!(plan(&[on(&[SG, TSO])], &[state]).steps.len(), 1);
    let host_offers_nothing = device(&[GSO], &[SG, TX, TSO, TSO6]);
    let plan = plan(&[on(&[SG, GSO])], &[host_offers_nothing]);
    assert!(plan.steps.is_empty() && plan.impossible.len() == 2, "{plan:?}");
}
