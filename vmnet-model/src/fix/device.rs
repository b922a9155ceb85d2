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
