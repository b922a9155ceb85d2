//! Offload features as the kernel keeps them: three sets (what can be switched, what is wanted, what is active), not one flag.

use serde::{Deserialize, Serialize};

/// One feature, by the name that this kernel gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Feature {
    /// Its place in `netdev_features_t`.
    pub bit: u32,
    /// `tx-tcp-segmentation` and the like.
    pub name: String,
    /// In `dev->features`: packets get it now.
    pub active: bool,
    /// In `dev->wanted_features`: asked for, whether or not it could be had.
    pub wanted: bool,
    /// In `dev->hw_features`: can be switched.
    pub changeable: bool,
    /// In `NETIF_F_NEVER_CHANGE`: cannot be switched on any device.
    pub never_changes: bool,
}

impl Feature {
    /// What `ethtool -k` writes as `[fixed]`.
    #[must_use]
    pub fn fixed(&self) -> bool {
        !self.changeable || self.never_changes
    }
}

/// All features of an interface, in the kernel's order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct FeatureSet {
    features: Vec<Feature>,
}

impl FeatureSet {
    /// In the kernel's order.
    #[must_use]
    pub fn new(features: Vec<Feature>) -> Self {
        Self { features }
    }

    /// One feature; None where this kernel has none by that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Feature> {
        self.features.iter().find(|feature| feature.name == name)
    }

    /// Whether a feature is active; None where this kernel has none by that name.
    #[must_use]
    pub fn active(&self, name: &str) -> Option<bool> {
        self.get(name).map(|feature| feature.active)
    }

    /// Has a feature wanted or not. What becomes active then is the kernel's to say.
    pub fn want(&mut self, name: &str, on: bool) {
        if let Some(feature) = self.features.iter_mut().find(|feature| feature.name == name) {
            feature.wanted = on;
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Feature> {
        self.features.iter()
    }

    /// `dev->features`.
    #[must_use]
    pub fn active_bits(&self) -> u64 {
        let active = self.features.iter().filter(|feature| feature.active);
        active.fold(0, |bits, feature| bits | 1_u64.checked_shl(feature.bit).unwrap_or_default())
    }

    /// Those that the model needs.
    #[must_use]
    pub fn offloads(&self) -> Features {
        Features {
            tso4: self.active("tx-tcp-segmentation"),
            tso6: self.active("tx-tcp6-segmentation"),
            tso_ecn: self.active("tx-tcp-ecn-segmentation"),
            uso: self.active("tx-udp-segmentation"),
            gso: self.active("tx-generic-segmentation"),
        }
    }
}

/// Active offloads that matter here; None where the kernel could not be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// `tx-tcp-segmentation`.
    pub tso4: Option<bool>,
    /// `tx-tcp6-segmentation`.
    pub tso6: Option<bool>,
    /// `tx-tcp-ecn-segmentation`.
    pub tso_ecn: Option<bool>,
    /// `tx-udp-segmentation`.
    pub uso: Option<bool>,
    /// `tx-generic-segmentation`.
    pub gso: Option<bool>,
}
