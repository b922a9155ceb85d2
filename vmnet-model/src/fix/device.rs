//! What of a device can be changed here, as it stands at one moment: enough to put it back bit by bit.

use serde::{Deserialize, Serialize};

use super::channels::ChannelState;
use crate::{features::FeatureSet, machine::Limits};

/// One device's changeable state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceState {
    /// Its index in its network namespace.
    pub ifindex: u32,
    /// Its name.
    pub name: String,
    /// Every feature: can be switched, wanted, active.
    pub features: FeatureSet,
    /// GSO and TSO limits.
    pub limits: Limits,
    /// Its transmit qdiscs, in the kernel's order.
    pub qdiscs: Vec<QdiscState>,
    /// Its channels; None where the driver does not tell. Journals of before did not have them.
    #[serde(default)]
    pub channels: Option<ChannelState>,
    /// Transmit packet steering: for each transmit queue in use, the CPUs that are sent to it. Empty where it cannot be read, as with
    /// devices that can have one queue only; and in journals of before.
    #[serde(default)]
    pub xps: Vec<Vec<u32>>,
    /// What tells it from another device that has its name and index by now. None where the kernel does not tell, and in journals of
    /// before.
    #[serde(default)]
    pub identity: Option<DeviceIdentity>,
}

/// What a device keeps for as long as it lives, and another one hardly has as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceIdentity {
    /// The address that it came with, or where it was made without one, the one that it has.
    pub hardware_address: String,
    /// As `ethtool -i` names it.
    pub driver: Option<String>,
    /// `veth`, `vlan`, …; None of hardware.
    pub kind: Option<String>,
    /// The device on its bus that it is of, as a path of `/sys`.
    pub parent: Option<String>,
    /// Index of the interface below, or of a veth's peer.
    pub link: Option<u32>,
}

impl DeviceIdentity {
    /// In what the device that is there now differs from this one, in words; nothing where it is the same.
    #[must_use]
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let none = || "none".to_owned();
        let link = |link: Option<u32>| link.map_or_else(none, |index| format!("index {index}"));
        [
            ("hardware address", self.hardware_address.clone(), now.hardware_address.clone()),
            ("driver", self.driver.clone().unwrap_or_else(none), now.driver.clone().unwrap_or_else(none)),
            ("kind", self.kind.clone().unwrap_or_else(none), now.kind.clone().unwrap_or_else(none)),
            ("parent", self.parent.clone().unwrap_or_else(none), now.parent.clone().unwrap_or_else(none)),
            ("link", link(self.link), link(now.link)),
        ]
        .into_iter()
        .filter(|(_, was, is)| was != is)
        .map(|(what, was, is)| format!("its {what} was {was} and is {is}"))
        .collect()
    }
}

impl DeviceState {
    /// The qdisc with that handle.
    #[must_use]
    pub fn qdisc(&self, handle: u32) -> Option<&QdiscState> {
        self.qdiscs.iter().find(|qdisc| qdisc.handle == handle)
    }
}

/// One qdisc, with its options as the kernel gave them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QdiscState {
    /// `tbf`, `cake`, …
    pub kind: String,
    /// `major << 16`; 0 for one that the kernel made by default, which cannot be changed.
    pub handle: u32,
    /// Handle of its parent; `0xffff_ffff` for the root.
    pub parent: u32,
    /// `TCA_OPTIONS` as dumped.
    #[serde(with = "hex::serde")]
    pub options: Vec<u8>,
    /// What of that decides about segmentation.
    pub splits: Splits,
}

/// What a qdisc's options say about segmentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Splits {
    /// tbf splits what is longer than its burst.
    AboveBurst {
        /// Bytes, as near as the kernel's clock ticks (64 ns) tell.
        burst_bytes: u64,
        /// Bytes per second.
        rate_bytes_per_s: u64,
        /// Bytes that may wait; a packet longer than this is dropped whole.
        limit_bytes: u32,
        /// Whether there is a peak rate, whose own bucket (`mtu`) bounds packets too.
        has_peak_rate: bool,
    },
    /// cake splits everything while `split-gso` is on.
    SplitGso {
        /// None where the kernel does not tell.
        on: Option<bool>,
    },
    /// Not by an option that is known here.
    No,
}
