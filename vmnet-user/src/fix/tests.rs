//! Fixing, undoing and restoring on a model of the kernel, with a real journal.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::model::{
    cause::FeatureChange,
    fix::testing::{ModelKernel, NAMES, any_cpus, any_device, cake, device, tbf, with_channels},
};
use crate::report::kit::json::Explained as _;

fn here() -> Here {
    Here { boot_id: "b".to_owned(), netns: 7, netns_cookie: Some(70), is_of_process_1: false }
}

fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    (directory, store)
}

fn fixed(kernel: &mut ModelKernel, store: &Store) -> FixReport {
    let (actions, _) = actions_by_features(&kernel.devices[0]);
    apply(kernel, store, &here(), "ens4", &actions, || false).unwrap()
}

fn off_in_every_way() -> ModelKernel {
    let mut device =
        device(&["tx-tcp6-segmentation", "tx-udp-segmentation"], &["rx-gro", "tx-checksum-ipv4"]);
    device.limits.gso_max_size = Some(8_000);
    device.limits.gso_ipv4_max_size = Some(9_000);
    device.limits.gso_max_segs = Some(1);
    device.qdiscs = vec![tbf(4_000, 1_000_000), cake(true)];
    ModelKernel::of(with_channels(2, device))
}

#[test]
fn a_preview_changes_nothing_and_says_what_a_fix_then_does() {
    let mut kernel = off_in_every_way();
    let before = kernel.devices.clone();
    let (actions, _) = actions_by_features(&before[0]);
    let preview = preview(&mut kernel, &here(), "ens4", &actions).unwrap();
    assert_eq!((&kernel.devices, kernel.steps), (&before, 0));
    let (_directory, store) = store();
    let report = fixed(&mut kernel, &store);
    let asked = |report: &FixReport| -> Vec<_> {
        report.changes.iter().map(|change| (change.what.clone(), change.requested.clone())).collect()
    };
    assert_eq!(asked(&preview), asked(&report));
    assert_eq!(preview.commands, report.commands);
    assert!(report.ok(), "{report:?}");
    assert_eq!(report.changes.len(), 10, "{:?}", asked(&report));
}

#[test]
fn what_was_before_two_fixes_is_what_comes_back() {
    let (_directory, store) = store();
    let mut kernel = off_in_every_way();
    let before = kernel.devices.clone();
    fixed(&mut kernel, &store);
    // In between, as everybody does: one bit goes on that nobody asked for.
    kernel.want("tx-tcp-segmentation", false);
    kernel.want("tx-tcp-mangleid-segmentation", true);
    fixed(&mut kernel, &store);
    let report = undo(&mut kernel, &store, &here(), "ens4", false).unwrap();
    assert!(report.ok() && report.journal.is_none(), "{report:?}");
    assert_eq!(kernel.devices, before);
    assert!(matches!(undo(&mut kernel, &store, &here(), "ens4", false), Err(FixError::NoJournal { .. })));
}

#[test]
fn what_the_kernel_refuses_leaves_no_journal() {
    let (directory, store) = store();
    let mut kernel = ModelKernel { refuses: Some("Operation not permitted"), ..off_in_every_way() };
    let report = fixed(&mut kernel, &store);
    assert!(!report.ok() && report.journal.is_none(), "{report:?}");
    assert!(
        report
            .changes
            .iter()
            .all(|change| change.note.as_deref() == Some("refused: Operation not permitted"))
    );
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "the lock alone");
}

#[test]
fn a_signal_between_changes_leaves_the_rest_undone_and_a_journal_that_restores() {
    for steps_before_it in 0..4 {
        let (_directory, store) = store();
        let mut kernel = off_in_every_way();
        let before = kernel.devices.clone();
        let (actions, _) = actions_by_features(&before[0]);
        let mut asked = 0;
        let came = || {
            asked += 1;
            asked > steps_before_it
        };
        let report = apply(&mut kernel, &store, &here(), "ens4", &actions, came).unwrap();
        assert!(report.interrupted && !report.ok());
        assert_eq!(kernel.steps, steps_before_it);
        assert_eq!(report.journal.is_some(), steps_before_it > 0);
        let restored = restore(&mut kernel, &store, &here(), false, None, || false).unwrap();
        assert!(restored.ok(), "{restored:?}");
        assert_eq!(kernel.devices, before);
    }
}

#[test]
fn a_device_that_is_gone_renamed_or_elsewhere_keeps_its_journal_until_it_is_forgotten() {
    type Change = fn(&mut ModelKernel, &mut Here);
    let cases: [(Change, &str); 3] = [
        (|kernel, _| kernel.devices.clear(), "gone"),
        (|kernel, _| kernel.devices[0].name = "other0".to_owned(), "called other0 now"),
        (|_, here| here.netns = 8, "another network namespace (inode 7)"),
    ];
    for (change, said) in cases {
        let (_directory, store) = store();
        let mut kernel = off_in_every_way();
        fixed(&mut kernel, &store);
        let mut here = here();
        change(&mut kernel, &mut here);
        let (devices, steps) = (kernel.devices.clone(), kernel.steps);
        assert!(undo(&mut kernel, &store, &here, "ens4", false).is_err());
        let report = restore(&mut kernel, &store, &here, false, None, || false).unwrap();
        assert!(report.devices[0].problem.as_ref().unwrap().contains(said), "{report:?}");
        assert!(!report.devices[0].removed && store.read(7, 2).unwrap().is_some());
        assert_eq!((&kernel.devices, kernel.steps), (&devices, steps), "nothing is changed for {said}");
        assert!(restore(&mut kernel, &store, &here, true, None, || false).unwrap().ok());
        assert_eq!(store.list().unwrap().0.len(), 0);
    }
}

#[test]
fn after_a_boot_there_is_nothing_to_put_back() {
    let (_directory, store) = store();
    let mut kernel = off_in_every_way();
    fixed(&mut kernel, &store);
    let now = kernel.devices.clone();
    let rebooted = Here { boot_id: "c".to_owned(), ..here() };
    assert!(matches!(undo(&mut kernel, &store, &rebooted, "ens4", false), Err(FixError::NoJournal { .. })));
    let report = restore(&mut kernel, &store, &rebooted, false, None, || false).unwrap();
    testbed::schema::validate(&serde_json::to_value(&report).unwrap()).unwrap();
    assert!(report.ok() && report.devices[0].removed, "{report:?}");
    assert_eq!(kernel.devices, now);
}

#[test]
fn a_device_above_is_put_back_with_the_one_it_was_changed_for() {
    let (_directory, store) = store();
    let vlan = crate::model::fix::DeviceState {
        ifindex: 3,
        name: "ens4.5".to_owned(),
        ..device(&["tx-scatter-gather", "tx-checksum-ip-generic"], &[])
    };
    let mut kernel = off_in_every_way();
    kernel.devices.push(vlan);
    let before = kernel.devices.clone();
    let tso = FeatureChange { feature: "tx-tcp-segmentation".to_owned(), on: true };
    let actions = [Action::Features { interface: "ens4.5".to_owned(), changes: vec![tso] }];
    let report = apply(&mut kernel, &store, &here(), "ens4", &actions, || false).unwrap();
    assert!(report.ok() && kernel.devices[1] != before[1] && kernel.devices[0] == before[0], "{report:?}");
    // If either journal is damaged, neither device is touched.
    let path = store.path(7, 3);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 2]).unwrap();
    let steps = kernel.steps;
    assert!(matches!(
        undo(&mut kernel, &store, &here(), "ens4", false),
        Err(FixError::Journal(JournalError::Damaged { .. }))
    ));
    assert_eq!(kernel.steps, steps);
    fs::write(&path, whole).unwrap();
    assert!(undo(&mut kernel, &store, &here(), "ens4", false).unwrap().ok());
    assert_eq!(kernel.devices, before);
    assert_eq!(store.list().unwrap().0.len(), 0);
}

#[test]
fn every_null_has_its_reason() {
    let (_directory, store) = store();
    let mut kernel = off_in_every_way();
    let (actions, _) = actions_by_features(&kernel.devices[0]);
    let preview = preview(&mut kernel, &here(), "ens4", &actions).unwrap();
    let done = fixed(&mut kernel, &store);
    for report in [preview, done] {
        let value = serde_json::from_str(&report.to_text().unwrap()).unwrap();
        assert_eq!(testbed::report::unexplained_nulls(&value), Vec::<String>::new());
        testbed::schema::validate(&value).unwrap();
    }
}

#[test]
fn a_name_cannot_steer_the_terminal() {
    let (_directory, store) = store();
    let mut kernel = off_in_every_way();
    kernel.devices[0].name = "a\x1b[2J\u{202E}b".to_owned();
    let (actions, _) = actions_by_features(&kernel.devices[0]);
    let name = kernel.devices[0].name.clone();
    let report = apply(&mut kernel, &store, &here(), &name, &actions, || false).unwrap();
    assert!(report.ok());
    let said = crate::report::fix::text::fix(&report, &crate::report::kit::style::Style::PLAIN);
    assert!(said.chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{202E}')), "{said:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn undo_after_fix_is_identity_whatever_others_wanted_in_between(
        before in any_device(),
        meddled in proptest::collection::vec((0usize..NAMES.len(), any::<bool>()), 0..4),
        channels in proptest::option::of(0u32..10),
        steered in proptest::option::of((0usize..8, any_cpus())),
    ) {
        let (_directory, store) = store();
        let mut kernel = ModelKernel::of(before.clone());
        let report = fixed(&mut kernel, &store);
        if report.journal.is_some() {
            for (name, on) in meddled {
                kernel.want(NAMES[name], on);
            }
            if let Some(count) = channels {
                kernel.set_channels(count);
            }
            if let Some((queue, cpus)) = steered {
                kernel.steer(queue, &cpus);
            }
            let meanwhile = kernel.devices[0].clone();
            let report = undo(&mut kernel, &store, &here(), "ens4", false).unwrap();
            prop_assert!(report.ok(), "{:?}", report);
            // Queues are none of a fix's business, nor of its undo's.
            let after = &mut kernel.devices[0];
            prop_assert_eq!((&after.channels, &after.xps), (&meanwhile.channels, &meanwhile.xps));
            (after.channels, after.xps) = (before.channels, before.xps.clone());
        }
        prop_assert_eq!(&kernel.devices[0], &before);
        prop_assert_eq!(store.list().unwrap().0.len(), 0);
    }

    #[test]
    fn a_fix_killed_anywhere_can_be_restored(before in any_device(), steps in 0usize..5) {
        let (_directory, store) = store();
        let mut kernel = ModelKernel { dies_after: Some(steps), ..ModelKernel::of(before.clone()) };
        let _ = fixed(&mut kernel, &store);
        kernel.dies_after = None;
        prop_assert!(restore(&mut kernel, &store, &here(), false, None, || false).unwrap().ok());
        prop_assert_eq!(&kernel.devices[0], &before);
    }
}

#[test]
fn what_an_experiment_left_is_put_back_first_and_a_fix_stays() {
    let (_directory, store) = store();
    let mut kernel = off_in_every_way();
    let before_the_fix = kernel.devices[0].clone();
    fixed(&mut kernel, &store);
    let as_fixed = kernel.devices[0].clone();
    store.keep_for_experiment(&Journal::new("ab", &here(), as_fixed.clone(), Vec::new())).unwrap();
    kernel.want("tx-tcp-segmentation", false);
    let first = restore(&mut kernel, &store, &here(), false, None, || false).unwrap();
    assert!(first.ok() && first.devices.len() == 1 && first.fixes_kept.len() == 1, "{first:?}");
    assert_eq!(kernel.devices[0], as_fixed);
    let second = restore(&mut kernel, &store, &here(), false, None, || false).unwrap();
    assert!(second.ok() && second.fixes_kept.is_empty(), "{second:?}");
    assert_eq!(kernel.devices[0], before_the_fix);
}

/// A machine after a fix, and what it was before.
fn mended() -> (tempfile::TempDir, Store, ModelKernel) {
    let (directory, store) = store();
    let mut kernel = off_in_every_way();
    assert!(fixed(&mut kernel, &store).ok());
    (directory, store, kernel)
}

#[test]
fn a_namespace_with_the_same_number_is_another_and_its_devices_are_left_alone() {
    let (_directory, store, mut kernel) = mended();
    let now = kernel.devices.clone();
    let another = Here { netns_cookie: Some(71), ..here() };
    let restored = restore(&mut kernel, &store, &another, false, None, || false).unwrap();
    let problem = restored.devices[0].problem.clone().unwrap();
    assert!(problem.contains("ens4 (index 2) is another device"), "{problem}");
    assert!(
        problem.contains("its network namespace is gone") && problem.contains("--adopt ens4"),
        "{problem}"
    );
    assert_eq!(kernel.devices, now);
    let undone = undo(&mut kernel, &store, &another, "ens4", false).unwrap_err().to_string();
    assert!(undone.contains("another device") && undone.contains("nothing was changed"), "{undone}");
    // Nor is what is there now kept under the other one's name.
    kernel.want("tx-tcp-segmentation", false);
    let (actions, _) = actions_by_features(&kernel.devices[0]);
    let kept = apply(&mut kernel, &store, &another, "ens4", &actions, || false).unwrap_err().to_string();
    assert!(kept.contains("is of another ens4") && kept.contains("--forget"), "{kept}");
    // Whoever says that it is the same is believed; whoever names another is not.
    assert!(!restore(&mut kernel, &store, &another, false, Some("ens5"), || false).unwrap().ok());
    assert!(restore(&mut kernel, &store, &another, false, Some("ens4"), || false).unwrap().ok());
}

#[test]
fn a_device_that_took_the_place_of_another_is_left_alone_and_what_differs_is_named() {
    type Made = fn(&mut crate::model::fix::DeviceIdentity);
    let changed: [(&str, Made); 5] = [
        ("its hardware address was 52:54:00:00:00:01 and is 02:", |of| {
            of.hardware_address = "02:00".to_owned();
        }),
        ("its driver was virtio_net and is none", |of| of.driver = None),
        ("its kind was none and is veth", |of| of.kind = Some("veth".to_owned())),
        ("its parent was /sys/devices/", |of| of.parent = None),
        ("its link was none and is index 9", |of| of.link = Some(9)),
    ];
    for (said, change) in changed {
        let (_directory, store, mut kernel) = mended();
        change(kernel.devices[0].identity.as_mut().unwrap());
        let now = kernel.devices.clone();
        let restored = restore(&mut kernel, &store, &here(), false, None, || false).unwrap();
        let problem = restored.devices[0].problem.clone().unwrap();
        assert!(problem.contains(said), "{said}: {problem}");
        assert_eq!(kernel.devices, now);
    }
}

#[test]
fn where_the_kernel_does_not_tell_namespaces_apart_only_that_of_process_1_is_certain() {
    for is_of_process_1 in [true, false] {
        let (_directory, store) = store();
        let old = Here { netns_cookie: None, is_of_process_1, ..here() };
        let mut kernel = off_in_every_way();
        let (actions, _) = actions_by_features(&kernel.devices[0]);
        apply(&mut kernel, &store, &old, "ens4", &actions, || false).unwrap();
        let restored = restore(&mut kernel, &store, &old, false, None, || false).unwrap();
        assert_eq!(restored.ok(), is_of_process_1, "{restored:?}");
        if !is_of_process_1 {
            assert!(restored.devices[0].problem.as_ref().unwrap().contains("5.14"), "{restored:?}");
            assert!(restore(&mut kernel, &store, &old, false, Some("ens4"), || false).unwrap().ok());
        }
    }
}
