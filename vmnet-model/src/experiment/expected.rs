//! What the ledger has to say where an arm has brought about what it is there for.

use super::arm::{Arm, Setting};
use crate::breaks::Family;
use crate::fix::DeviceState;
use crate::state::State;

/// What bulk TCP of that family comes to on a device in that state. None where the arm sets nothing that segmentation depends on: then
/// nothing is promised.
///
/// Since 4.17 TCP builds super-packets whatever the device's features are (`sk_setup_caps`), unless `gso_max_segs` forbids it: an arm that sets
/// something else then brings nothing about.
#[must_use]
pub fn expected(arm: &Arm, settled: &DeviceState, family: Family) -> Option<State> {
    if !arm.settings.iter().any(decides_about_segmentation) {
        return None;
    }
    let sets_segs = |setting: &Setting| matches!(setting, Setting::GsoMaxSegs { .. });
    if settled.limits.gso_max_segs == Some(1) && arm.settings.iter().any(sets_segs) {
        return Some(State::NotBuilt);
    }
    let active = settled.features.active(family.feature())?;
    Some(if active { State::Engaged } else { State::Software })
}

fn decides_about_segmentation(setting: &Setting) -> bool {
    match setting {
        Setting::Feature { feature, .. } => {
            ["tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-scatter-gather"].contains(&feature.as_str())
                || feature.starts_with("tx-checksum")
        }
        Setting::GsoMaxSegs { .. } => true,
        Setting::GsoMaxSize { .. }
        | Setting::Channels { .. }
        | Setting::Xps { .. }
        | Setting::Profiler { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::arm::Role;
    use super::*;
    use crate::fix::testing::device;

    fn arm(settings: Vec<Setting>) -> Arm {
        Arm { name: "arm".to_owned(), role: Role::Treatment, settings }
    }

    fn feature(name: &str) -> Setting {
        Setting::Feature { feature: name.to_owned(), on: true }
    }

    #[test]
    fn what_is_active_decides_by_family_and_what_is_not_about_segmentation_promises_nothing() {
        let all = device(
            &["tx-scatter-gather", "tx-checksum-ip-generic", "tx-tcp-segmentation", "tx-tcp6-segmentation"],
            &[],
        );
        let only_v4 = device(
            &["tx-scatter-gather", "tx-checksum-ip-generic", "tx-tcp-segmentation"],
            &["tx-tcp6-segmentation"],
        );
        let tso = arm(vec![feature("tx-tcp-segmentation")]);
        let cases = [
            (&tso, &all, Family::Ipv4, Some(State::Engaged)),
            (&tso, &all, Family::Ipv6, Some(State::Engaged)),
            (&tso, &only_v4, Family::Ipv6, Some(State::Software)),
            (&tso, &device(&[], &[]), Family::Ipv4, Some(State::Software)),
            (&arm(vec![feature("tx-checksum-ipv4")]), &all, Family::Ipv4, Some(State::Engaged)),
            (&arm(vec![Setting::Xps { on: true }]), &all, Family::Ipv4, None),
            (&arm(Vec::new()), &all, Family::Ipv4, None),
        ];
        for (arm, state, family, outcome) in cases {
            assert_eq!(expected(arm, state, family), outcome, "{arm:?}");
        }
    }

    #[test]
    fn with_one_segment_at_most_nothing_is_built() {
        let mut one = device(&["tx-scatter-gather"], &[]);
        one.limits.gso_max_segs = Some(1);
        let arm = arm(vec![Setting::GsoMaxSegs { segs: 1 }]);
        assert_eq!(expected(&arm, &one, Family::Ipv4), Some(State::NotBuilt));
        // That is not what this arm is for: its trials are to fail for it.
        let on = ["tx-scatter-gather", "tx-checksum-ip-generic", "tx-tcp-segmentation"];
        let mut one = device(&on, &[]);
        one.limits.gso_max_segs = Some(1);
        let tso = self::arm(vec![feature("tx-tcp-segmentation")]);
        assert_eq!(expected(&tso, &one, Family::Ipv4), Some(State::Engaged));
    }
}
