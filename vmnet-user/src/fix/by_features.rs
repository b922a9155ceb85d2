//! Actions from a device's state alone: what is switched off and could be on. Causes know better; this stands in for them.

use crate::model::{
    cause::{Action, FeatureChange},
    fix::{DeviceState, Splits, burst_for},
};

/// In the order in which they depend on each other.
const WANTED: [&str; 7] = [
    "tx-checksum-ip-generic",
    "tx-checksum-ipv4",
    "tx-checksum-ipv6",
    "tx-scatter-gather",
    "tx-tcp-segmentation",
    "tx-tcp6-segmentation",
    "tx-generic-segmentation",
];
/// The largest super-packet of a device without BIG TCP.
const GSO_MAX_SIZE: u32 = 65_536;
/// The smallest that IPv6 allows: the most segments of a super-packet.
const LEAST_MTU: u32 = 1280;
/// `GSO_MAX_SEGS`.
const GSO_MAX_SEGS: u32 = 65_535;

/// What to switch on, and why the rest cannot be.
#[must_use]
pub(super) fn actions_by_features(state: &DeviceState) -> (Vec<Action>, Vec<String>) {
    let interface = || state.name.clone();
    let off = |name: &&&str| state.features.get(name).is_some_and(|feature| !feature.active);
    let fixed = |name: &&str| state.features.get(name).is_some_and(|feature| feature.fixed());
    // The kernel takes the checksum for any protocol or those by family, not both.
    let has_generic = state
        .features
        .get("tx-checksum-ip-generic")
        .is_some_and(|feature| feature.active || !feature.fixed());
    let changes: Vec<FeatureChange> = WANTED
        .iter()
        .filter(off)
        .filter(|name| {
            !(fixed(name) || has_generic && ["tx-checksum-ipv4", "tx-checksum-ipv6"].contains(name))
        })
        .map(|name| FeatureChange { feature: (*name).to_owned(), on: true })
        .collect();
    let mut actions = Vec::new();
    if !changes.is_empty() {
        actions.push(Action::Features { interface: interface(), changes });
    }
    let limits = state.limits;
    let below = |now: Option<u32>, most: Option<u32>, usual: u32| {
        let wanted = most.map_or(usual, |most| most.min(usual));
        now.filter(|now| *now < wanted).map(|_| wanted)
    };
    let gso_max_size = below(limits.gso_max_size, limits.tso_max_size, GSO_MAX_SIZE);
    let gso_ipv4_max_size = below(limits.gso_ipv4_max_size, limits.tso_max_size, GSO_MAX_SIZE);
    let gso_max_segs = below(limits.gso_max_segs, limits.tso_max_segs, GSO_MAX_SEGS);
    if gso_max_size.or(gso_ipv4_max_size).or(gso_max_segs).is_some() {
        actions.push(Action::GsoLimits {
            interface: interface(),
            gso_max_size,
            gso_ipv4_max_size,
            gso_max_segs,
        });
    }
    let burst_bytes = burst_for(GSO_MAX_SIZE, LEAST_MTU);
    for qdisc in &state.qdiscs {
        let (handle, parent) = (qdisc.handle, qdisc.parent);
        match qdisc.splits {
            Splits::AboveBurst { burst_bytes: now, .. } if now < u64::from(burst_bytes) => {
                actions.push(Action::TbfBurst { interface: interface(), handle, parent, burst_bytes });
            }
            Splits::SplitGso { on: Some(true) } => {
                actions.push(Action::CakeNoSplit { interface: interface(), handle, parent });
            }
            _ => {}
        }
    }
    let beyond = ["tx-tcp-segmentation", "tx-tcp6-segmentation"]
        .iter()
        .filter(off)
        .filter(|name| fixed(name))
        .map(|name| format!("{name} is off [fixed]: the host or the driver does not offer it, and nothing in here can change that"))
        .collect();
    (actions, beyond)
}
