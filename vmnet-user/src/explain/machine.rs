//! The [`Machine`] of which what was pasted is a part: what is not there is a reason in its place.

use std::collections::BTreeMap;

use super::paste::{Paste, Pasted};
use crate::model::breaks::{CSUM_GENERIC, SCATTER_GATHER, TSO_ECN, TSO4, TSO6};
use crate::model::fact::{Fact, Why};
use crate::model::features::{Feature, FeatureSet};
use crate::model::machine::{Device, Limits, Machine, Queues, Relation, Stacked, Virtio};

const NOT_GIVEN: Why = Why::is("not in what was given");
/// Drivers behind which there is a host that offers or does not.
const VIRTIO: &str = "virtio_net";
/// `ethtool` prints the group before its features, and people cut out the group alone.
const GROUPS: [(&str, &[&str]); 3] = [
    ("tcp-segmentation-offload", &[TSO4, TSO6]),
    ("tx-checksumming", &[CSUM_GENERIC]),
    ("scatter-gather", &[SCATTER_GATHER]),
];

/// As far as it is known.
pub(super) fn of(name: &str, paste: &Paste) -> Option<Machine> {
    let pasted = paste.interfaces.get(name)?;
    let device = device(name, pasted);
    Some(Machine {
        virtio: virtio(&device),
        stack: stack(name, paste),
        kernel: paste.kernel.clone().unwrap_or_else(|| "not in what was given".to_owned()),
        module_parameters: BTreeMap::new(),
        queues: Queues {
            tx: Err(NOT_GIVEN),
            channels: Err(NOT_GIVEN),
            xps: Err(NOT_GIVEN),
            rps: Err(NOT_GIVEN),
            irqs: Err(NOT_GIVEN),
            statistics: Err(NOT_GIVEN),
            statistics_source: None,
        },
        qdiscs: if pasted.qdiscs.is_empty() { Err(NOT_GIVEN) } else { Ok(pasted.qdiscs.clone()) },
        cpus_online: Err(NOT_GIVEN),
        tcp_ecn: Err(NOT_GIVEN),
        forwarding: Err(NOT_GIVEN),
        ingress: Vec::new(),
        setters: Vec::new(),
        setters_unread: Vec::new(),
        nfqueues: Err(NOT_GIVEN),
        redirects: Err(NOT_GIVEN),
        device,
    })
}

fn device(name: &str, pasted: &Pasted) -> Device {
    let link = pasted.link.clone().unwrap_or_default();
    let is_known = pasted.link.is_some();
    let driver = pasted.driver.clone();
    // ethtool -i names drivers of software, too, by other words than their kind.
    let by_driver = driver.as_deref().and_then(|driver| match driver {
        "802.1Q VLAN Support" => Some("vlan"),
        "veth" | "bridge" | "tun" | "vxlan" | "dummy" | "macvlan" => Some(driver),
        "bonding" => Some("bond"),
        _ => None,
    });
    let kind = link.kind.clone().or(by_driver.map(str::to_owned));
    Device {
        name: name.to_owned(),
        ifindex: link.ifindex,
        driver: driver.filter(|_| kind.is_none()),
        loopback: link.loopback || name == "lo",
        up: link.up || !is_known,
        terminal: kind.is_none() && !link.loopback && name != "lo" && link.below.is_none(),
        kind,
        mtu: if is_known { link.mtu } else { 1_500 },
        speed_mbps: Err(NOT_GIVEN),
        features: features(pasted),
        limits: Limits {
            gso_max_size: link.gso_max_size,
            gso_ipv4_max_size: link.gso_ipv4_max_size,
            gso_max_segs: link.gso_max_segs,
            tso_max_size: link.tso_max_size,
            tso_max_segs: link.tso_max_segs,
        },
        outer_checksum: None,
    }
}

fn features(pasted: &Pasted) -> Fact<FeatureSet> {
    let mut features: Vec<Feature> = pasted.features.iter().map(|(feature, _)| feature.clone()).collect();
    for (group, members) in GROUPS {
        let Some(of_group) = features.iter().find(|feature| feature.name == group).cloned() else { continue };
        let prefix = if group == "tx-checksumming" { "tx-checksum-" } else { "tx-" };
        let has_members = match group {
            "tx-checksumming" => features.iter().any(|feature| feature.name.starts_with(prefix)),
            _ => features.iter().any(|feature| members.contains(&feature.name.as_str())),
        };
        features.retain(|feature| feature.name != group);
        if !has_members {
            features
                .extend(members.iter().map(|name| Feature { name: (*name).to_owned(), ..of_group.clone() }));
        }
    }
    if features.is_empty() { Err(NOT_GIVEN) } else { Ok(FeatureSet::new(features)) }
}

/// What driver and host agreed on, from what can be switched: virtio-net makes a feature changeable exactly where its bit was negotiated.
fn virtio(device: &Device) -> Option<Fact<Virtio>> {
    if device.driver.as_deref() != Some(VIRTIO) {
        return None;
    }
    let features = match &device.features {
        Ok(features) => features,
        Err(why) => return Some(Err(why.clone())),
    };
    let bits = [("CSUM", CSUM_GENERIC), ("HOST_TSO4", TSO4), ("HOST_TSO6", TSO6), ("HOST_ECN", TSO_ECN)];
    let known = bits.iter().filter_map(|(bit, name)| Some((*bit, features.get(name)?)));
    let (mut negotiated, mut shown) = (Vec::new(), Vec::new());
    for (bit, feature) in known {
        shown.push(bit.to_owned());
        if feature.active || !feature.fixed() {
            negotiated.push(bit.to_owned());
        }
    }
    let offered = Err(Why::is("inferred from which features can be switched"));
    Some(Ok(Virtio { negotiated, shown, offered }))
}

/// What stands above and below, nearest first.
fn stack(name: &str, paste: &Paste) -> Vec<Stacked> {
    let mut stack = walk(name, paste, Relation::Above, above);
    stack.extend(walk(name, paste, Relation::Below, below));
    stack
}

fn walk(
    name: &str,
    paste: &Paste,
    relation: Relation,
    next_to: impl Fn(&str, &Paste) -> Vec<String>,
) -> Vec<Stacked> {
    /// As the kernel (`MAX_NEST_DEV`).
    const MOST_STEPS: u32 = 8;
    let mut found: Vec<Stacked> = Vec::new();
    let mut row = vec![name.to_owned()];
    for distance in 1..=MOST_STEPS {
        let mut next = Vec::new();
        for place in row {
            for beside in next_to(&place, paste) {
                let is_new = beside != name && found.iter().all(|it| it.device.name != beside);
                if let Some(pasted) = paste.interfaces.get(&beside).filter(|_| is_new) {
                    let link = pasted.link.as_ref();
                    found.push(Stacked {
                        relation,
                        distance,
                        device: device(&beside, pasted),
                        vlan_id: link.and_then(|link| link.vlan_id),
                        tx_bytes: link.and_then(|link| link.sent).map_or(0, |[bytes, ..]| bytes),
                    });
                    next.push(beside);
                }
            }
        }
        row = next;
    }
    found
}

/// A pair's `@` is its other end, not what is below.
fn lower(pasted: &Pasted) -> Option<&String> {
    let link = pasted.link.as_ref()?;
    let is_paired = matches!(link.kind.as_deref(), Some("veth" | "netkit"));
    link.below.as_ref().filter(|_| !is_paired)
}

fn above(name: &str, paste: &Paste) -> Vec<String> {
    let master = paste.interfaces.get(name).and_then(|it| it.link.as_ref()?.master.clone());
    let on_it = paste.interfaces.iter().filter(|(_, it)| lower(it).is_some_and(|below| below == name));
    on_it.map(|(above, _)| above.clone()).chain(master).collect()
}

fn below(name: &str, paste: &Paste) -> Vec<String> {
    let ports = paste
        .interfaces
        .iter()
        .filter(|(_, it)| it.link.as_ref().is_some_and(|link| link.master.as_deref() == Some(name)));
    let own = paste.interfaces.get(name).and_then(lower).cloned();
    ports.map(|(port, _)| port.clone()).chain(own).collect()
}
