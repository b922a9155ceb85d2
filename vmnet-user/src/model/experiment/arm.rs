//! The ways for a device to be set.

use serde::{Deserialize, Serialize};

/// One thing that an arm sets. Everything else is as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "set", rename_all = "kebab-case")]
pub enum Setting {
    /// A feature, by the kernel's name (`tx-tcp-segmentation`).
    Feature {
        /// Which.
        feature: String,
        /// Wanted or not.
        on: bool,
    },
    /// `gso_max_segs` of the device.
    GsoMaxSegs {
        /// Segments.
        segs: u32,
    },
    /// `gso_max_size` of the device.
    GsoMaxSize {
        /// Bytes.
        bytes: u32,
    },
    /// Combined channels (`ethtool -L`).
    Channels {
        /// How many.
        count: u32,
    },
    /// Transmit packet steering.
    Xps {
        /// On: as it was found, or, where it was off, each queue its share of the CPUs. Off: no queue has any.
        on: bool,
    },
    /// vmnet's own programs.
    Profiler {
        /// Attached or not.
        on: bool,
    },
}

/// What an arm is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// What the others are held against.
    Base,
    /// What is tried.
    Treatment,
    /// The base once more under another name: whatever difference it shows is chance, or a fault of the experiment.
    Placebo,
}

/// One way for the device to be set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Arm {
    /// `tso=on`.
    pub name: String,
    /// What it is there for.
    pub role: Role,
    /// What it sets; empty where the device stays as it was found.
    pub settings: Vec<Setting>,
}

impl Arm {
    /// Whether vmnet's programs are attached under it.
    #[must_use]
    pub fn is_profiled(&self) -> bool {
        !self.settings.iter().any(|setting| matches!(setting, Setting::Profiler { on: false }))
    }
}
