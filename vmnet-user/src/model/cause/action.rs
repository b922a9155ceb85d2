//! What `vmnet fix` can do to a machine, as values: planned here, carried out and journaled elsewhere.

use serde::{Deserialize, Serialize};

/// One change of the running machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// Switch features, in one request, so that the kernel resolves what hangs on what.
    Features {
        /// The device: the interface, or one above it.
        interface: String,
        /// By the kernel's names (`tx-tcp-segmentation`), in the order in which they hang on each other.
        changes: Vec<FeatureChange>,
    },
    /// Raise what a super-packet may be (`ip link set … gso_max_size`). None: left as it is.
    GsoLimits {
        /// The device.
        interface: String,
        /// Bytes.
        gso_max_size: Option<u32>,
        /// Bytes (6.3).
        gso_ipv4_max_size: Option<u32>,
        /// Segments.
        gso_max_segs: Option<u32>,
    },
    /// tbf: raise the burst so that super-packets fit (`tc qdisc change … burst`); rate and everything else stay.
    TbfBurst {
        /// The device.
        interface: String,
        /// Which qdisc.
        handle: u32,
        /// Its parent.
        parent: u32,
        /// Bytes.
        burst_bytes: u32,
    },
    /// cake: `no-split-gso`.
    CakeNoSplit {
        /// The device.
        interface: String,
        /// Which qdisc.
        handle: u32,
        /// Its parent.
        parent: u32,
    },
}

/// One feature to be switched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureChange {
    /// The kernel's name.
    pub feature: String,
    /// On or off.
    pub on: bool,
}
