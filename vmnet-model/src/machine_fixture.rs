//! A virtio-net interface in perfect order, and ways to break it, for tests.

#![allow(
    clippy::unwrap_used,
    clippy::new_without_default,
    missing_docs,
    reason = "tests call it, and it fails as they do"
)]

use std::collections::BTreeMap;

use super::breaks::{CSUM_GENERIC, GSO, SCATTER_GATHER, TSO_ECN, TSO4, TSO6};
use super::features::{Feature, FeatureSet};
use super::machine::{Device, Limits, Machine, Qdisc, QdiscOptions, Queues, Relation, Stacked, Virtio};

const VIRTIO_BITS: [&str; 5] = ["CSUM", "GSO", "HOST_TSO4", "HOST_TSO6", "HOST_ECN"];

/// As a Debian guest with everything offered has it.
pub fn virtio() -> Machine {
    Machine {
        device: device("ens4", 2, None),
        stack: Vec::new(),
        kernel: "6.1.0".to_owned(),
        virtio: Some(Ok(Virtio {
            negotiated: ["CSUM", "HOST_TSO4", "HOST_TSO6", "HOST_ECN"].map(str::to_owned).to_vec(),
            shown: VIRTIO_BITS.map(str::to_owned).to_vec(),
            offered: Err("debugfs is not mounted".into()),
        })),
        module_parameters: BTreeMap::from([
            ("csum".to_owned(), "Y".to_owned()),
            ("gso".to_owned(), "Y".to_owned()),
        ]),
        queues: Queues {
            tx: Ok(1),
            channels: Ok((1, 1)),
            xps: Err("one queue".into()),
            rps: Ok(vec![Vec::new()]),
            irqs: Err("not read".into()),
            statistics: Err("not read".into()),
            statistics_source: None,
        },
        qdiscs: Ok(vec![qdisc("fq_codel", QdiscOptions::None)]),
        cpus_online: Ok(2),
        tcp_ecn: Ok(2),
        forwarding: Ok(false),
        ingress: Vec::new(),
        setters: Vec::new(),
        setters_unread: Vec::new(),
        nfqueues: Ok(0),
        redirects: Ok(false),
    }
}

/// A root qdisc.
pub fn qdisc(kind: &str, options: QdiscOptions) -> Qdisc {
    Qdisc { kind: kind.to_owned(), handle: 0x8001_0000, parent: u32::MAX, options, counters: None }
}

/// A device with every offload on.
pub fn device(name: &str, ifindex: u32, kind: Option<&str>) -> Device {
    let on = |(bit, name): (u32, &str)| Feature {
        bit,
        name: name.to_owned(),
        active: true,
        wanted: true,
        changeable: true,
        never_changes: false,
    };
    let names = [
        (0, SCATTER_GATHER),
        (3, CSUM_GENERIC),
        (14, GSO),
        (16, TSO4),
        (18, TSO_ECN),
        (20, TSO6),
        (26, "tx-udp_tnl-segmentation"),
    ];
    Device {
        name: name.to_owned(),
        ifindex,
        driver: kind.is_none().then(|| "virtio_net".to_owned()),
        kind: kind.map(str::to_owned),
        loopback: false,
        up: true,
        terminal: kind.is_none(),
        mtu: 1500,
        speed_mbps: Err("unknown".into()),
        features: Ok(FeatureSet::new(names.into_iter().map(on).collect())),
        limits: Limits {
            gso_max_size: Some(65_536),
            gso_ipv4_max_size: Some(65_536),
            gso_max_segs: Some(65_535),
            tso_max_size: Some(65_536),
            tso_max_segs: Some(65_535),
        },
        outer_checksum: None,
    }
}

impl Device {
    fn edit(&mut self, names: &[&str], edit: impl Fn(&mut Feature)) {
        let mut features: Vec<Feature> = self.features.as_ref().unwrap().iter().cloned().collect();
        features.iter_mut().filter(|feature| names.contains(&feature.name.as_str())).for_each(edit);
        self.features = Ok(FeatureSet::new(features));
    }

    /// `ethtool -K … off`.
    pub fn turn_off(&mut self, names: &[&str]) -> &mut Self {
        self.edit(names, |feature| (feature.active, feature.wanted) = (false, false));
        self
    }

    /// What the kernel makes of a missing dependency.
    pub fn drop_out(&mut self, names: &[&str]) -> &mut Self {
        self.edit(names, |feature| feature.active = false);
        self
    }

    /// off [fixed].
    pub fn never_have(&mut self, names: &[&str]) -> &mut Self {
        self.edit(names, |feature| {
            (feature.active, feature.wanted, feature.changeable) = (false, false, false);
        });
        self
    }
}

impl Machine {
    /// The host offers less.
    pub fn not_offered(&mut self, bits: &[&str]) -> &mut Self {
        if let Some(Ok(virtio)) = &mut self.virtio {
            virtio.negotiated.retain(|bit| !bits.contains(&bit.as_str()));
        }
        self
    }

    /// Another device over the interface.
    pub fn with_above(&mut self, device: Device) -> &mut Self {
        let distance = u32::try_from(self.stack.len()).unwrap() + 1;
        self.stack.push(Stacked { relation: Relation::Above, distance, device, vlan_id: None, tx_bytes: 0 });
        self
    }

    /// `/sys/module/virtio_net/parameters`.
    pub fn loaded_with(&mut self, parameter: &str) -> &mut Self {
        self.module_parameters.insert(parameter.to_owned(), "N".to_owned());
        self
    }
}
