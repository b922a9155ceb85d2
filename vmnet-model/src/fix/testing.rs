//! A model of the kernel: what it makes of wanted features, limits, channels, XPS and qdisc options. Its rules are written from
//! `netdev_fix_features`, `do_setlink`, `ethnl_set_channels` and `virtnet_set_affinity`, not from the code under test.

#![allow(
    clippy::unwrap_used,
    clippy::new_without_default,
    missing_docs,
    reason = "tests call it, and it fails as they do"
)]

mod queues;

use proptest::prelude::*;

use super::{ChannelRequest, DeviceIdentity, DeviceState, QdiscState, Splits, Step};
use crate::{
    features::{Feature, FeatureSet},
    fix::Kernel,
    machine::Limits,
};

pub use queues::{CPUS, any_cpus, with_channels};
use queues::{any_channels, set_channels, set_xps};

pub const NAMES: [&str; 11] = [
    "tx-scatter-gather",
    "tx-checksum-ipv4",
    "tx-checksum-ip-generic",
    "tx-checksum-ipv6",
    "tx-generic-segmentation",
    "tx-tcp-segmentation",
    "tx-tcp-ecn-segmentation",
    "tx-tcp-mangleid-segmentation",
    "tx-tcp6-segmentation",
    "tx-udp-segmentation",
    "rx-gro",
];
const ALL_TSO: [&str; 4] = [
    "tx-tcp-segmentation",
    "tx-tcp-ecn-segmentation",
    "tx-tcp-mangleid-segmentation",
    "tx-tcp6-segmentation",
];

/// What of the wanted features becomes active.
fn kept(wanted: &[(&str, bool)]) -> Vec<&'static str> {
    let mut on: Vec<&'static str> = NAMES
        .into_iter()
        .filter(|name| wanted.iter().any(|(wanted, is_on)| wanted == name && *is_on))
        .collect();
    let has = |on: &[&str], name: &str| on.contains(&name);
    let generic = has(&on, "tx-checksum-ip-generic");
    if generic {
        on.retain(|name| !["tx-checksum-ipv4", "tx-checksum-ipv6"].contains(name));
    }
    let (v4, v6) = (generic || has(&on, "tx-checksum-ipv4"), generic || has(&on, "tx-checksum-ipv6"));
    if !has(&on, "tx-scatter-gather") {
        on.retain(|name| !ALL_TSO.contains(name) && *name != "tx-generic-segmentation");
    }
    if !v4 {
        on.retain(|name| *name != "tx-tcp-segmentation");
    }
    if !v6 {
        on.retain(|name| *name != "tx-tcp6-segmentation");
    }
    if !has(&on, "tx-tcp-segmentation") {
        on.retain(|name| *name != "tx-tcp-mangleid-segmentation");
    }
    if on.iter().filter(|name| ALL_TSO.contains(name)).all(|name| *name == "tx-tcp-ecn-segmentation") {
        on.retain(|name| *name != "tx-tcp-ecn-segmentation");
    }
    if !(v4 && v6) {
        on.retain(|name| *name != "tx-udp-segmentation");
    }
    on
}

fn settle(features: &[Feature]) -> FeatureSet {
    let wanted: Vec<_> = features
        .iter()
        .map(|feature| (feature.name.as_str(), if feature.fixed() { feature.active } else { feature.wanted }))
        .collect();
    let on = kept(&wanted);
    let settled = features.iter().map(|feature| Feature {
        active: if feature.changeable { on.contains(&feature.name.as_str()) } else { feature.active },
        ..feature.clone()
    });
    FeatureSet::new(settled.collect())
}

/// A device with those features wanted; those of `fixed` cannot be switched and are off.
pub fn device(wanted: &[&str], fixed: &[&str]) -> DeviceState {
    let features: Vec<Feature> = (0u32..)
        .zip(NAMES)
        .map(|(bit, name)| Feature {
            bit,
            name: name.to_owned(),
            active: false,
            wanted: wanted.contains(&name) && !fixed.contains(&name),
            changeable: !fixed.contains(&name),
            never_changes: false,
        })
        .collect();
    DeviceState {
        ifindex: 2,
        name: "ens4".to_owned(),
        features: settle(&features),
        limits: Limits {
            gso_max_size: Some(65_536),
            gso_ipv4_max_size: Some(65_536),
            gso_max_segs: Some(65_535),
            tso_max_size: Some(65_536),
            tso_max_segs: Some(65_535),
        },
        qdiscs: Vec::new(),
        channels: None,
        xps: Vec::new(),
        identity: Some(DeviceIdentity {
            hardware_address: "52:54:00:00:00:01".to_owned(),
            driver: Some("virtio_net".to_owned()),
            kind: None,
            parent: Some("/sys/devices/pci0000:00/0000:00:04.0/virtio1".to_owned()),
            link: None,
        }),
    }
}

/// A tbf whose options are its burst and nothing else.
pub fn tbf(burst_bytes: u32, limit_bytes: u32) -> QdiscState {
    QdiscState {
        kind: "tbf".to_owned(),
        handle: 0x8001_0000,
        parent: u32::MAX,
        options: burst_bytes.to_ne_bytes().to_vec(),
        splits: Splits::AboveBurst {
            burst_bytes: burst_bytes.into(),
            rate_bytes_per_s: 125_000_000,
            limit_bytes,
            has_peak_rate: false,
        },
    }
}

pub fn cake(on: bool) -> QdiscState {
    QdiscState {
        kind: "cake".to_owned(),
        handle: 0x8002_0000,
        parent: u32::MAX,
        options: vec![u8::from(on)],
        splits: Splits::SplitGso { on: Some(on) },
    }
}

/// The kernel, with its devices.
#[derive(Clone, Debug, Default)]
pub struct ModelKernel {
    pub devices: Vec<DeviceState>,
    /// What it answers instead of obeying.
    pub refuses: Option<&'static str>,
    /// Steps after which it is as if the process had been killed: no more is done, and nothing can be read.
    pub dies_after: Option<usize>,
    pub steps: usize,
}

impl ModelKernel {
    pub fn of(device: DeviceState) -> Self {
        Self { devices: vec![device], ..Self::default() }
    }

    /// What somebody else does to the features, as `ethtool -K`.
    pub fn want(&mut self, name: &str, on: bool) {
        for device in &mut self.devices {
            let changed = device.features.iter().map(|feature| Feature {
                wanted: if feature.name == name && !feature.fixed() { on } else { feature.wanted },
                ..feature.clone()
            });
            device.features = settle(&changed.collect::<Vec<_>>());
        }
    }
}

impl ModelKernel {
    /// What somebody else does to channels, as `ethtool -L`; nothing where that is refused.
    pub fn set_channels(&mut self, count: u32) {
        for device in &mut self.devices {
            let Some(now) = device.channels else { continue };
            let request = ChannelRequest {
                rx: now.rx.map(|_| count),
                tx: now.tx.map(|_| count),
                combined: now.combined.map(|_| count),
            };
            let _ = set_channels(device, &request);
        }
    }

    /// What somebody else does to XPS, as `echo`; nothing where there is no such queue.
    pub fn steer(&mut self, queue: usize, cpus: &[u32]) {
        for device in &mut self.devices {
            if let Some(of_queue) = device.xps.get_mut(queue) {
                *of_queue = cpus.to_vec();
            }
        }
    }
}

impl Kernel for ModelKernel {
    fn read(&mut self, name: &str) -> Result<DeviceState, String> {
        if self.dies_after.is_some_and(|most| self.steps > most) {
            return Err("killed".to_owned());
        }
        self.devices
            .iter()
            .find(|device| device.name == name)
            .cloned()
            .ok_or_else(|| format!("no interface {name}"))
    }

    fn name_of(&mut self, ifindex: u32) -> Result<Option<String>, String> {
        Ok(self.devices.iter().find(|device| device.ifindex == ifindex).map(|device| device.name.clone()))
    }

    fn carry_out(&mut self, step: &Step) -> Result<(), String> {
        self.steps += 1;
        if self.dies_after.is_some_and(|most| self.steps > most) {
            return Err("killed".to_owned());
        }
        if let Some(answer) = self.refuses {
            return Err(answer.to_owned());
        }
        let ifindex = step.device().ifindex;
        let device =
            self.devices.iter_mut().find(|device| device.ifindex == ifindex).ok_or("No such device")?;
        match step {
            Step::Features { requests, .. } => {
                let changed = device.features.iter().map(|feature| {
                    let request = requests.iter().find(|request| request.bit == feature.bit);
                    let wanted =
                        request.filter(|_| !feature.fixed()).map_or(feature.wanted, |request| request.on);
                    Feature { wanted, ..feature.clone() }
                });
                device.features = settle(&changed.collect::<Vec<_>>());
            }
            Step::Limits { request, .. } => {
                let limits = &mut device.limits;
                if let Some(size) = request.gso_max_size {
                    if limits.tso_max_size.is_some_and(|most| size > most) {
                        return Err("Invalid argument".to_owned());
                    }
                    limits.gso_max_size = Some(size);
                    limits.gso_ipv4_max_size = limits.gso_ipv4_max_size.map(|_| size);
                }
                if let Some(size) = request.gso_ipv4_max_size {
                    limits.gso_ipv4_max_size = Some(size);
                }
                if let Some(segs) = request.gso_max_segs {
                    limits.gso_max_segs = Some(segs);
                }
            }
            Step::TbfBurst { qdisc, burst_bytes, .. } => {
                let there = device.qdiscs.iter_mut().find(|there| there.handle == qdisc.handle);
                let there = there.ok_or("No such file or directory")?;
                let Splits::AboveBurst { burst_bytes: before, limit_bytes, .. } = qdisc.splits else {
                    return Err("Invalid argument".to_owned());
                };
                let before = u32::try_from(before).unwrap();
                *there = tbf(burst_bytes.unwrap_or(before), limit_bytes);
            }
            Step::CakeSplitGso { handle, on, .. } => {
                let there = device.qdiscs.iter_mut().find(|there| there.handle == *handle);
                *there.ok_or("No such file or directory")? = cake(*on);
            }
            Step::Channels { request, .. } => set_channels(device, request)?,
            Step::Xps { queues, .. } => set_xps(device, queues)?,
        }
        Ok(())
    }
}

/// Any device: some features wanted, some fixed, odd limits, perhaps a qdisc that splits, any channels and XPS.
pub fn any_device() -> impl Strategy<Value = DeviceState> {
    let some = || proptest::sample::subsequence(NAMES.to_vec(), 0..NAMES.len());
    let qdisc = prop_oneof![
        Just(None),
        (500u32..200_000, 500u32..200_000).prop_map(|(burst, limit)| Some(tbf(burst, limit))),
        any::<bool>().prop_map(|on| Some(cake(on))),
    ];
    let limits = (1_000u32..=65_536, proptest::option::of(1_000u32..=65_536), 1u32..=65_535);
    let parts = (some(), some(), limits, qdisc, any_channels());
    parts.prop_map(|(wanted, fixed, (size, ipv4, segs), qdisc, (channels, xps))| {
        let mut device = DeviceState { channels, xps, ..device(&wanted, &fixed) };
        device.limits.gso_max_size = Some(size);
        device.limits.gso_ipv4_max_size = ipv4;
        device.limits.gso_max_segs = Some(segs);
        device.qdiscs.extend(qdisc);
        device
    })
}
