//! The way back to a journaled state, and whether it was reached.

use super::{
    change::said_of_feature,
    channels::{ChannelCount, ChannelRequest},
    cpu_mask::cpu_mask,
    device::{DeviceState, Splits},
    plan::id,
    step::{FeatureRequest, LimitRequest, QueueCpus, Step},
};

/// The requests that lead from `now` to `before`: every wanted bit one by one (a person's `ethtool -K tso on` sets
/// `tx-tcp-mangleid-segmentation` beside), limits, channels, XPS, and the options of qdiscs that are still there.
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
    let channels = channels_back(before, now);
    if !channels.is_empty() {
        steps.push(Step::Channels { device: id(now), request: channels });
    }
    // After the channels, which have drivers steer anew and queues come and go.
    let queues = xps_back(before, now, !channels.is_empty());
    if !queues.is_empty() {
        steps.push(Step::Xps { device: id(now), queues });
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

fn channels_back(before: &DeviceState, now: &DeviceState) -> ChannelRequest {
    match (&before.channels, &now.channels) {
        (Some(before), Some(now)) => before.request_from(now),
        _ => ChannelRequest::default(),
    }
}

/// Where channels are changed too, every queue that there is to be, for what it has now does not outlive that (`virtnet_set_queues` →
/// `virtnet_set_affinity`). Otherwise the queues that are there and differ.
fn xps_back(before: &DeviceState, now: &DeviceState, channels_change: bool) -> Vec<QueueCpus> {
    // Not readable: nothing of it is known, nor would it be read back.
    if now.xps.is_empty() {
        return Vec::new();
    }
    let wanted = before.xps.iter().enumerate().filter(|(queue, cpus)| {
        channels_change || now.xps.get(*queue).is_some_and(|current| current != *cpus)
    });
    wanted
        .filter_map(|(queue, cpus)| Some(QueueCpus { queue: u32::try_from(queue).ok()?, cpus: cpus.clone() }))
        .collect()
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

/// What is not as it was, one line each; empty when everything is. Channels and XPS that cannot be read are not held against it.
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
    let said =
        |value: Option<u32>| value.map_or_else(|| "not reported".to_owned(), |value| value.to_string());
    for (what, was, is) in limits {
        if was != is {
            lines.push(format!("{what} was {}, is {}", said(was), said(is)));
        }
    }
    lines.extend(other_channels(before, now));
    lines.extend(other_xps(before, now));
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

fn other_channels(before: &DeviceState, now: &DeviceState) -> Vec<String> {
    // Where they were not told then (by an earlier vmnet, say) or are not now, nothing can be said.
    let (Some(was), Some(is)) = (before.channels, now.channels) else { return Vec::new() };
    let said = |count: Option<ChannelCount>| {
        count.map_or_else(|| "not reported".to_owned(), |channels| channels.count.to_string())
    };
    let sorts = [
        ("receive channels", was.rx, is.rx),
        ("transmit channels", was.tx, is.tx),
        ("combined channels", was.combined, is.combined),
    ];
    let differ = sorts.into_iter().filter(|(_, was, is)| was.map(|was| was.count) != is.map(|is| is.count));
    differ.map(|(what, was, is)| format!("{what} were {}, are {}", said(was), said(is))).collect()
}

fn other_xps(before: &DeviceState, now: &DeviceState) -> Vec<String> {
    if before.xps.is_empty() || now.xps.is_empty() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for (queue, was) in before.xps.iter().enumerate() {
        let is = now.xps.get(queue);
        if is != Some(was) {
            let is = is.map_or_else(|| "not there".to_owned(), |cpus| cpu_mask(cpus));
            lines.push(format!("XPS of tx-{queue} was {}, is {is}", cpu_mask(was)));
        }
    }
    if now.xps.len() > before.xps.len() {
        lines.push(format!("queues that XPS chooses from were {}, are {}", before.xps.len(), now.xps.len()));
    }
    lines
}

#[cfg(test)]
#[path = "back_tests.rs"]
mod tests;
