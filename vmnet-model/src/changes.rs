//! What changed between two looks at a machine, in words.

use super::fact;
use super::features::{Feature, FeatureSet};
use super::machine::{Device, Machine, Qdisc, QdiscOptions};

/// One line a change: what it was, and what it is.
#[must_use]
pub fn between(before: &Machine, now: &Machine) -> Vec<String> {
    let mut lines = device(&before.device, &now.device);
    for stacked in &now.stack {
        let known = before.stack.iter().find(|other| other.device.ifindex == stacked.device.ifindex);
        match known {
            Some(known) => lines.extend(device(&known.device, &stacked.device)),
            None => lines.push(format!("{} is there now", stacked.device.name)),
        }
    }
    for stacked in &before.stack {
        if !now.stack.iter().any(|other| other.device.ifindex == stacked.device.ifindex) {
            lines.push(format!("{} is gone", stacked.device.name));
        }
    }
    if let (Ok(before), Ok(now)) = (&before.qdiscs, &now.qdiscs) {
        let (before, now) = (qdiscs(before), qdiscs(now));
        if before != now {
            lines.push(format!("qdisc: {before} → {now}"));
        }
    }
    for setter in &now.setters {
        if !before.setters.contains(setter) {
            lines.push(format!("{}:{} says {}", setter.path, setter.line, setter.text));
        }
    }
    for setter in &before.setters {
        if !now.setters.contains(setter) {
            lines.push(format!("{}:{} no longer says {}", setter.path, setter.line, setter.text));
        }
    }
    lines
}

/// What no sample of a run would show: limits, qdiscs, and devices that came, went, or were switched up or down.
#[must_use]
pub fn beside_samples(before: &Machine, now: &Machine) -> Vec<String> {
    let without_the_rest = |machine: &Machine| {
        let mut copy = machine.clone();
        copy.setters.clear();
        copy.device.features = Err(fact::Why::is(""));
        copy.device.mtu = 0;
        copy
    };
    between(&without_the_rest(before), &without_the_rest(now))
}

/// The tree as it is made, whatever it has counted.
fn qdiscs(all: &[Qdisc]) -> String {
    let one = |qdisc: &Qdisc| match &qdisc.options {
        QdiscOptions::None => qdisc.kind.clone(),
        options => format!("{} {options:?}", qdisc.kind),
    };
    let listed: Vec<String> = all.iter().map(one).collect();
    if listed.is_empty() { "none".to_owned() } else { listed.join(", ") }
}

fn device(before: &Device, now: &Device) -> Vec<String> {
    let name = &now.name;
    let mut lines = Vec::new();
    if let (Ok(before), Ok(now)) = (&before.features, &now.features) {
        lines.extend(features(before, now).map(|change| format!("{name}: {change}")));
    }
    let limit = |what: &str, before: Option<u32>, now: Option<u32>| {
        let said = |value: Option<u32>| value.map_or_else(|| "unknown".to_owned(), |value| value.to_string());
        (before != now).then(|| format!("{name}: {what} {} → {}", said(before), said(now)))
    };
    let (old, new) = (&before.limits, &now.limits);
    lines.extend(limit("gso_max_size", old.gso_max_size, new.gso_max_size));
    lines.extend(limit("gso_ipv4_max_size", old.gso_ipv4_max_size, new.gso_ipv4_max_size));
    lines.extend(limit("gso_max_segs", old.gso_max_segs, new.gso_max_segs));
    lines.extend(limit("MTU", Some(before.mtu), Some(now.mtu)));
    if before.up != now.up {
        lines.push(format!("{name}: {}", if now.up { "up" } else { "down" }));
    }
    lines
}

fn features<'a>(before: &'a FeatureSet, now: &'a FeatureSet) -> impl Iterator<Item = String> + 'a {
    let state = |feature: &Feature| {
        let active = if feature.active { "on" } else { "off" };
        match (feature.active, feature.wanted) {
            (false, true) => format!("{active} [requested on]"),
            (true, false) if !feature.fixed() => format!("{active} [requested off]"),
            _ => active.to_owned(),
        }
    };
    now.iter().filter_map(move |feature| {
        let old = before.get(&feature.name)?;
        let (was, is) = (state(old), state(feature));
        (was != is).then(|| format!("{} {was} → {is}", feature.name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breaks::{TSO4, TSO6};
    use crate::machine::QdiscCounts;
    use crate::machine_fixture::{device, qdisc, virtio};

    #[test]
    fn a_feature_that_was_switched_is_told_with_what_it_was() {
        let mut now = virtio();
        now.device.turn_off(&[TSO4]).drop_out(&[TSO6]);
        assert_eq!(
            between(&virtio(), &now),
            ["ens4: tx-tcp-segmentation on → off", "ens4: tx-tcp6-segmentation on → off [requested on]"]
        );
        assert_eq!(between(&now, &now), Vec::<String>::new());
    }

    #[test]
    fn a_qdisc_that_counts_is_no_change_and_another_one_is() {
        let mut now = virtio();
        if let Ok(qdiscs) = &mut now.qdiscs {
            qdiscs[0].counters = Some(QdiscCounts { bytes: 7, ..QdiscCounts::default() });
        }
        assert_eq!(between(&virtio(), &now), Vec::<String>::new());
        now.qdiscs = Ok(vec![qdisc("cake", QdiscOptions::Cake { split_gso: Some(true) })]);
        assert_eq!(between(&virtio(), &now), ["qdisc: fq_codel → cake Cake { split_gso: Some(true) }"]);
    }

    #[test]
    fn what_samples_show_by_themselves_is_not_told_twice() {
        let mut now = virtio();
        now.device.turn_off(&[TSO4]);
        now.device.mtu = 9000;
        now.device.limits.gso_max_size = Some(16_384);
        now.device.up = false;
        assert_eq!(beside_samples(&virtio(), &now), ["ens4: gso_max_size 65536 → 16384", "ens4: down"]);
    }

    #[test]
    fn limits_and_devices_above_are_told_too() {
        let mut now = virtio();
        now.device.limits.gso_max_segs = Some(1);
        now.with_above(device("ens4.5", 9, Some("vlan")));
        assert_eq!(between(&virtio(), &now), ["ens4: gso_max_segs 65535 → 1", "ens4.5 is there now"]);
        assert_eq!(between(&now, &virtio()), ["ens4: gso_max_segs 1 → 65535", "ens4.5 is gone"]);
    }
}
