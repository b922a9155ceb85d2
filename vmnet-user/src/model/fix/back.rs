//! The way back to a journaled state, and whether it was reached.

use super::{
    change::said_of_feature,
    device::{DeviceState, Splits},
    plan::id,
    step::{FeatureRequest, LimitRequest, Step},
};

/// The requests that lead from `now` to `before`: every wanted bit one by one (a person's `ethtool -K tso on` sets
/// `tx-tcp-mangleid-segmentation` beside), limits, and the options of qdiscs that are still there.
#[must_use]
pub fn way_back(before: &DeviceState, now: &DeviceState) -> Vec<Step> {
    let mut steps = Vec::new();
    // Qdiscs first: while they split, nothing depends on the features.
    for qdisc in &before.qdiscs {
        let current = now.qdisc(qdisc.handle).filter(|current| {
            qdisc.handle != 0 && (&current.kind, current.parent) == (&qdisc.kind, qdisc.parent)
        });
        let Some(current) = current.filter(|current| current.options != qdisc.options) else { continue };
        match (qdisc.splits, current.splits) {
            (Splits::AboveBurst { .. }, _) => {
                steps.push(Step::TbfBurst { device: id(now), qdisc: qdisc.clone(), burst_bytes: None });
            }
            (Splits::SplitGso { on: Some(on) }, Splits::SplitGso { on: other }) if other != Some(on) => {
                steps.push(Step::CakeSplitGso {
                    device: id(now),
                    handle: qdisc.handle,
                    parent: qdisc.parent,
                    on,
                });
            }
            // Never touched by a fix.
            _ => {}
        }
    }
    let request = limits_back(before, now);
    if !request.is_empty() {
        steps.push(Step::Limits { device: id(now), request });
    }
    let requests: Vec<FeatureRequest> = before
        .features
        .iter()
        .filter_map(|feature| {
            let current = now.features.get(&feature.name)?;
            (!current.fixed() && current.wanted != feature.wanted).then(|| FeatureRequest {
                bit: current.bit,
                name: feature.name.clone(),
                on: feature.wanted,
            })
        })
        .collect();
    if !requests.is_empty() {
        steps.push(Step::Features { device: id(now), requests });
    }
    steps
}

fn limits_back(before: &DeviceState, now: &DeviceState) -> LimitRequest {
    let differs = |before: Option<u32>, now: Option<u32>| before.filter(|_| before != now);
    let gso_max_size = differs(before.limits.gso_max_size, now.limits.gso_max_size);
    let ipv4 = before.limits.gso_ipv4_max_size;
    LimitRequest {
        gso_max_size,
        // From 6.3, setting the one sets the other with it, unless that comes in the same request.
        gso_ipv4_max_size: if gso_max_size.is_some() {
            ipv4
        } else {
            differs(ipv4, now.limits.gso_ipv4_max_size)
        },
        gso_max_segs: differs(before.limits.gso_max_segs, now.limits.gso_max_segs),
    }
}

/// What is not as it was, one line each; empty when everything is.
#[must_use]
pub fn not_as_before(before: &DeviceState, now: &DeviceState) -> Vec<String> {
    let mut lines = Vec::new();
    for feature in before.features.iter() {
        let current = now.features.get(&feature.name);
        if current.is_none_or(|now| (now.wanted, now.active) != (feature.wanted, feature.active)) {
            let is = current.map_or_else(|| "not there".to_owned(), said_of_feature);
            lines.push(format!("{} was {}, is {is}", feature.name, said_of_feature(feature)));
        }
    }
    let limits = [
        ("gso_max_size", before.limits.gso_max_size, now.limits.gso_max_size),
        ("gso_ipv4_max_size", before.limits.gso_ipv4_max_size, now.limits.gso_ipv4_max_size),
        ("gso_max_segs", before.limits.gso_max_segs, now.limits.gso_max_segs),
    ];
    let said = |value: Option<u32>| value.map_or_else(|| "not told".to_owned(), |value| value.to_string());
    for (what, was, is) in limits {
        if was != is {
            lines.push(format!("{what} was {}, is {}", said(was), said(is)));
        }
    }
    for qdisc in before.qdiscs.iter().filter(|qdisc| qdisc.splits != Splits::No) {
        let name = format!("qdisc {} {:x}:", qdisc.kind, qdisc.handle >> 16);
        match now.qdisc(qdisc.handle) {
            Some(current) if (&current.kind, current.parent) == (&qdisc.kind, qdisc.parent) => {
                if current.options != qdisc.options {
                    lines.push(format!("the options of {name} are not as they were"));
                }
            }
            _ => lines.push(format!("{name} is not there any more")),
        }
    }
    lines
}
