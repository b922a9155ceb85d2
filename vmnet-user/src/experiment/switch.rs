//! Setting a device as an arm has it, and putting it back whatever happens.

use std::{path::PathBuf, thread, time::Duration};

use crate::{
    fix::{Here, Journal, JournalError, Kernel, Store},
    model::fix::{DeviceState, Step, not_as_before, said_of_feature, way_back},
};

/// Somebody else may be switching at the same moment.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// A device that is switched to and fro. Its journal is on disk before anything is changed; when this value goes, whether at the end, by an error or
/// by a panic, the device is as it was.
pub(super) struct Switch<'a, K: Kernel> {
    kernel: &'a mut K,
    store: &'a Store,
    before: DeviceState,
    journal: Option<PathBuf>,
}

/// What came of putting everything back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Back {
    /// Whether every feature, limit and queue is as it was; None where that cannot be read.
    pub(super) restored: Option<bool>,
    /// What is not as it was, or why it is not known.
    pub(super) not_as_before: Vec<String>,
    /// The journal, where it is still needed.
    pub(super) journal: Option<PathBuf>,
}

/// Why an arm was not reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum SwitchError {
    /// The device is not there any more, or cannot be asked.
    #[error("{0}")]
    Device(String),
    /// The kernel refused, or made something else of it: one line each.
    #[error("{}", .0.join("; "))]
    NotTaken(Vec<String>),
}

impl<'a, K: Kernel> Switch<'a, K> {
    /// Keeps what the device is like now. Nothing is changed yet.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub(super) fn begin(
        kernel: &'a mut K,
        store: &'a Store,
        here: &Here,
        before: DeviceState,
    ) -> Result<Self, JournalError> {
        let journal = Journal::new("ab", here, before.clone(), Vec::new());
        let journal = store.keep_for_experiment(&journal)?;
        Ok(Self { kernel, store, before, journal: Some(journal) })
    }

    /// What the device was like.
    pub(super) fn before(&self) -> &DeviceState {
        &self.before
    }

    /// Makes the device as `target` has it, wherever it was before. Returns its state as the kernel left it.
    ///
    /// # Errors
    /// When it is not as `target` has it now.
    pub(super) fn to(&mut self, target: &DeviceState) -> Result<DeviceState, SwitchError> {
        let now = self.now().map_err(SwitchError::Device)?;
        let mut lines = Vec::new();
        for step in way_back(target, &now) {
            if let Err(why) = self.kernel.carry_out(&step) {
                lines.push(format!("{}: {why}", step.command()));
            }
        }
        let after = self.now().map_err(SwitchError::Device)?;
        let not_taken = not_taken(&self.before, target, &after);
        if not_taken.is_empty() {
            return Ok(after);
        }
        lines.extend(not_taken);
        Err(SwitchError::NotTaken(lines))
    }

    /// What is not any more as it was left: somebody else changed it.
    pub(super) fn drift(&mut self, settled: &DeviceState) -> Result<Vec<String>, SwitchError> {
        let now = self.now().map_err(SwitchError::Device)?;
        Ok(not_as_before(settled, &now))
    }

    /// Puts everything back, and says whether it is.
    pub(super) fn back(mut self) -> Back {
        self.put_back()
    }

    /// Puts everything back and keeps the journal, as it is not for good.
    pub(super) fn back_for_now(&mut self) -> Back {
        let mut back = Back::default();
        for attempt in 0..TRIES {
            if attempt > 0 {
                thread::sleep(BETWEEN_TRIES);
            }
            back = self.try_to_put_back();
            if back.restored == Some(true) {
                break;
            }
        }
        back
    }

    fn put_back(&mut self) -> Back {
        let Some(journal) = self.journal.take() else {
            return Back { restored: Some(true), ..Back::default() };
        };
        let mut back = self.back_for_now();
        if back.restored != Some(true) {
            return Back { journal: Some(journal), ..back };
        }
        if let Err(why) = self.store.remove(&journal) {
            back.not_as_before.push(why);
            back.journal = Some(journal);
        }
        back
    }

    fn try_to_put_back(&mut self) -> Back {
        let refused: Vec<String> = match self.now() {
            Ok(now) => way_back(&self.before, &now).iter().filter_map(|step| self.refusal(step)).collect(),
            Err(why) => return Back { not_as_before: vec![why], ..Back::default() },
        };
        match self.now() {
            Ok(now) => {
                let lines = not_as_before(&self.before, &now);
                let restored = Some(lines.is_empty());
                // What was refused does not matter where all is as it was.
                let refused = if lines.is_empty() { Vec::new() } else { refused };
                Back { restored, not_as_before: lines.into_iter().chain(refused).collect(), journal: None }
            }
            Err(why) => Back { not_as_before: vec![why], ..Back::default() },
        }
    }

    fn refusal(&mut self, step: &Step) -> Option<String> {
        self.kernel.carry_out(step).err().map(|why| format!("{}: {why}", step.command()))
    }

    /// Why the device is not there any more; None where it is, or nobody can say.
    pub(super) fn why_gone(&mut self) -> Option<String> {
        let is_gone = matches!(self.kernel.name_of(self.before.ifindex), Ok(None));
        is_gone.then(|| self.now().err()).flatten()
    }

    /// The device as it is now, by whatever name.
    fn now(&mut self) -> Result<DeviceState, String> {
        let (name, ifindex) = (&self.before.name, self.before.ifindex);
        match self.kernel.name_of(ifindex)? {
            None => Err(format!(
                "{name} (index {ifindex}) is gone: removed, or moved to another network namespace"
            )),
            Some(now) => self.kernel.read(&now),
        }
    }
}

impl<K: Kernel> Drop for Switch<'_, K> {
    fn drop(&mut self) {
        // At the end this has been done. Here there is an error or a panic, and nobody who would tell.
        let back = self.put_back();
        if back.restored != Some(true) {
            log::error!(
                "{} is not as it was: {}; `sudo vmnet restore` puts back what the journal says",
                self.before.name,
                back.not_as_before.join("; ")
            );
        }
    }
}

/// What is not as the target has it: features that it names have to be active as they are wanted, and of all others only what is wanted is
/// compared, for the kernel switches by itself what depends on them.
fn not_taken(before: &DeviceState, target: &DeviceState, after: &DeviceState) -> Vec<String> {
    let mut lines = Vec::new();
    for feature in target.features.iter() {
        let Some(now) = after.features.get(&feature.name) else {
            lines.push(format!("{} is not there any more", feature.name));
            continue;
        };
        let is_named =
            before.features.get(&feature.name).is_none_or(|before| before.wanted != feature.wanted);
        if now.wanted != feature.wanted || is_named && now.active != feature.wanted {
            let asked = if feature.wanted { "on" } else { "off" };
            lines.push(format!("{} was to be {asked}, and is {}", feature.name, said_of_feature(now)));
        }
    }
    let rest = DeviceState { features: after.features.clone(), ..target.clone() };
    lines.extend(not_as_before(&rest, after));
    lines
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        device::change::Changer,
        model::{
            experiment::{Arm, Role, Setting},
            fix::testing::{ModelKernel, NAMES, any_device, device},
        },
    };

    const ALL: [&str; 4] =
        ["tx-scatter-gather", "tx-checksum-ip-generic", "tx-tcp-segmentation", "tx-tcp6-segmentation"];

    fn here() -> Here {
        Here { boot_id: "b".to_owned(), netns: 7, netns_cookie: Some(70), is_of_process_1: false }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        (directory, store)
    }

    fn experiments(store: &Store) -> usize {
        store.list().unwrap().1.len()
    }

    fn with(state: &DeviceState, settings: &[Setting]) -> DeviceState {
        let arm = Arm { name: "arm".to_owned(), role: Role::Treatment, settings: settings.to_vec() };
        arm.target(state, 4).unwrap()
    }

    fn feature(name: &str, on: bool) -> Setting {
        Setting::Feature { feature: name.to_owned(), on }
    }

    #[test]
    fn there_and_back_leaves_nothing_but_what_was_there() {
        let (_directory, store) = store();
        let mut kernel = ModelKernel::of(device(&ALL, &[]));
        let before = kernel.devices[0].clone();
        let off =
            with(&before, &[feature("tx-tcp-segmentation", false), feature("tx-tcp6-segmentation", false)]);
        let mut switch = Switch::begin(&mut kernel, &store, &here(), before.clone()).unwrap();
        let settled = switch.to(&off).unwrap();
        assert_eq!(settled.features.active("tx-tcp-segmentation"), Some(false));
        assert_eq!(switch.drift(&settled).unwrap(), [""; 0]);
        switch.to(&before).unwrap();
        switch.to(&off).unwrap();
        let back = switch.back();
        assert_eq!(back, Back { restored: Some(true), ..Back::default() });
        assert_eq!((&kernel.devices[0], experiments(&store)), (&before, 0));
    }

    #[test]
    fn a_panic_and_an_error_put_back_too() {
        let (_directory, store) = store();
        let mut kernel = ModelKernel::of(device(&ALL, &[]));
        let before = kernel.devices[0].clone();
        let off = with(&before, &[feature("tx-scatter-gather", false)]);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let mut switch = Switch::begin(&mut kernel, &store, &here(), before.clone()).unwrap();
            assert_eq!(switch.to(&off).unwrap().features.active("tx-tcp-segmentation"), Some(false));
            panic!("in the middle of an arm");
        }));
        assert!(panicked.is_err());
        assert_eq!((&kernel.devices[0], experiments(&store)), (&before, 0));
    }

    /// The loopback device of a namespace of this thread's own.
    #[test]
    fn a_panic_leaves_a_real_device_as_it_was() {
        testbed::skip_unless!(testbed::skip::root());
        let in_a_namespace = thread::spawn(|| {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            let (_directory, store) = store();
            let here = Here::read().unwrap();
            let mut kernel = Changer::open().unwrap();
            let before = Kernel::read(&mut kernel, "lo").unwrap();
            let off = with(
                &before,
                &[feature("tx-tcp-segmentation", false), feature("tx-tcp6-segmentation", false)],
            );
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let mut switch = Switch::begin(&mut kernel, &store, &here, before.clone()).unwrap();
                let settled = switch.to(&off).unwrap();
                assert_eq!(settled.features.active("tx-tcp-segmentation"), Some(false));
                panic!("in the middle of an arm");
            }));
            assert!(panicked.is_err());
            assert_eq!((Kernel::read(&mut kernel, "lo").unwrap(), experiments(&store)), (before, 0));
        });
        in_a_namespace.join().unwrap();
    }

    #[test]
    fn what_the_kernel_does_not_make_of_it_is_told() {
        let (_directory, store) = store();
        // Without checksums TSO is wanted and not active.
        let mut kernel = ModelKernel::of(device(&["tx-scatter-gather"], &[]));
        let before = kernel.devices[0].clone();
        let on = with(&before, &[feature("tx-tcp-segmentation", true)]);
        let mut switch = Switch::begin(&mut kernel, &store, &here(), before.clone()).unwrap();
        let said = switch.to(&on).unwrap_err().to_string();
        assert_eq!(said, "tx-tcp-segmentation was to be on, and is off [requested on]");
        assert_eq!(switch.back().restored, Some(true));
        assert_eq!(kernel.devices[0], before);
    }

    #[test]
    fn a_kernel_that_refuses_is_told_and_so_is_a_meddler() {
        let (_directory, store) = store();
        let mut kernel =
            ModelKernel { refuses: Some("Operation not permitted"), ..ModelKernel::of(device(&ALL, &[])) };
        let before = kernel.devices[0].clone();
        let off = with(&before, &[feature("tx-tcp-segmentation", false)]);
        let mut switch = Switch::begin(&mut kernel, &store, &here(), before.clone()).unwrap();
        let said = switch.to(&off).unwrap_err().to_string();
        assert!(
            said.contains("Operation not permitted") && said.contains("was to be off, and is on"),
            "{said}"
        );
        drop(switch);
        kernel.refuses = None;
        let mut switch = Switch::begin(&mut kernel, &store, &here(), before.clone()).unwrap();
        let settled = switch.to(&off).unwrap();
        switch.kernel.want("rx-gro", true);
        assert_eq!(switch.drift(&settled).unwrap(), ["rx-gro was off, is on"]);
        assert_eq!(switch.back().restored, Some(true));
        assert_eq!(kernel.devices[0], before);
    }

    #[test]
    fn a_device_that_is_gone_keeps_its_journal() {
        let (_directory, store) = store();
        let mut kernel = ModelKernel::of(device(&ALL, &[]));
        let before = kernel.devices[0].clone();
        let off = with(&before, &[feature("tx-tcp-segmentation", false)]);
        let mut switch = Switch::begin(&mut kernel, &store, &here(), before).unwrap();
        switch.to(&off).unwrap();
        switch.kernel.devices.clear();
        assert!(matches!(switch.to(&off), Err(SwitchError::Device(why)) if why.contains("is gone")));
        let back = switch.back();
        assert_eq!(back.restored, None);
        assert!(back.journal.is_some_and(|path| path.exists()));
        assert_eq!(experiments(&store), 1);
    }

    #[test]
    fn a_device_that_was_renamed_is_put_back_all_the_same() {
        let (_directory, store) = store();
        let mut kernel = ModelKernel::of(device(&ALL, &[]));
        let before = kernel.devices[0].clone();
        let off = with(&before, &[feature("tx-tcp-segmentation", false)]);
        let mut switch = Switch::begin(&mut kernel, &store, &here(), before.clone()).unwrap();
        switch.to(&off).unwrap();
        switch.kernel.devices[0].name = "other0".to_owned();
        assert_eq!(switch.back().restored, Some(true));
        assert_eq!(kernel.devices[0].features, before.features);
    }

    #[test]
    fn an_interrupted_experiment_stands_in_the_way_of_the_next() {
        let (_directory, store) = store();
        let mut kernel = ModelKernel::of(device(&ALL, &[]));
        let before = kernel.devices[0].clone();
        let off = with(&before, &[feature("tx-tcp-segmentation", false)]);
        let mut switch = Switch::begin(&mut kernel, &store, &here(), before.clone()).unwrap();
        switch.to(&off).unwrap();
        // As SIGKILL does.
        std::mem::forget(switch);
        let now = kernel.devices[0].clone();
        let refused = Switch::begin(&mut kernel, &store, &here(), now).err().unwrap().to_string();
        assert!(refused.contains("sudo vmnet restore"), "{refused}");
        let report = crate::fix::restore(&mut kernel, &store, &here(), false, None, || false).unwrap();
        assert!(report.ok(), "{report:?}");
        assert_eq!((&kernel.devices[0], experiments(&store)), (&before, 0));
    }

    fn any_setting() -> impl Strategy<Value = Setting> {
        prop_oneof![
            (0..NAMES.len(), any::<bool>()).prop_map(|(name, on)| feature(NAMES[name], on)),
            (1u32..1_000).prop_map(|segs| Setting::GsoMaxSegs { segs }),
            (1_000u32..=65_536).prop_map(|bytes| Setting::GsoMaxSize { bytes }),
            (1u32..8).prop_map(|count| Setting::Channels { count }),
            any::<bool>().prop_map(|on| Setting::Xps { on }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_is_set_comes_back(
            before in any_device(),
            arms in proptest::collection::vec(proptest::collection::vec(any_setting(), 0..4), 1..5),
        ) {
            let (_directory, store) = store();
            let mut kernel = ModelKernel::of(before);
            let before = kernel.devices[0].clone();
            let mut switch = Switch::begin(&mut kernel, &store, &here(), before.clone()).unwrap();
            for settings in arms {
                let arm = Arm { name: "arm".to_owned(), role: Role::Treatment, settings };
                // What the device cannot have is told before anything is set.
                if let Ok(target) = arm.target(&before, 4) {
                    let _ = switch.to(&target);
                }
            }
            prop_assert_eq!(switch.back().restored, Some(true));
            prop_assert_eq!(&kernel.devices[0], &before);
            prop_assert_eq!(experiments(&store), 0);
        }
    }
}
