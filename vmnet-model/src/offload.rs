//! One offload of one interface in words: the kernel keeps three sets (can be switched, wanted, active), of which `ethtool -k` shows one and
//! hints at the others.

use serde::{Deserialize, Serialize};

use super::breaks::{TSO4, TSO6};
use super::fact::{Fact, Why};
use super::features::{Feature, FeatureSet};

/// How an offload stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Offload {
    /// Active, and can be switched off.
    On,
    /// Active, and cannot be switched.
    OnFixed,
    /// Not asked for, and can be switched on.
    Off,
    /// Not there: the driver has none, or the host did not offer it.
    OffFixed,
    /// Asked for, and the kernel does not make it active: something that it depends on is missing.
    OffThoughWanted,
}

impl Offload {
    /// Of a feature.
    #[must_use]
    pub fn of(feature: &Feature) -> Self {
        match (feature.active, feature.fixed(), feature.wanted) {
            (true, true, _) => Self::OnFixed,
            (true, false, _) => Self::On,
            (false, true, _) => Self::OffFixed,
            (false, false, true) => Self::OffThoughWanted,
            (false, false, false) => Self::Off,
        }
    }

    /// Of a feature by its name in the kernel.
    ///
    /// # Errors
    /// Why it is not known.
    pub fn named(features: &Fact<FeatureSet>, name: &str) -> Fact<Self> {
        let set = features.as_ref().map_err(Clone::clone)?;
        set.get(name).map(Self::of).ok_or(Why::is("this kernel knows no such feature"))
    }

    /// TSO of IPv4 and of IPv6.
    ///
    /// # Errors
    /// Why they are not known.
    pub fn tso(features: &Fact<FeatureSet>) -> [Fact<Self>; 2] {
        [TSO4, TSO6].map(|name| Self::named(features, name))
    }

    /// Whether packets get it.
    #[must_use]
    pub const fn active(self) -> bool {
        matches!(self, Self::On | Self::OnFixed)
    }

    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::OnFixed => "on, and cannot be switched",
            Self::Off => "off, can be switched on",
            Self::OffFixed => "off, cannot be switched on",
            Self::OffThoughWanted => "off, though it is wanted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine_fixture::virtio;

    #[test]
    fn the_three_sets_make_five_states() {
        let mut machine = virtio();
        let of = |features: &Fact<FeatureSet>| Offload::tso(features)[0].clone().unwrap();
        assert_eq!(of(&machine.device.features), Offload::On);
        assert_eq!(of(&machine.device.drop_out(&[TSO4]).features), Offload::OffThoughWanted);
        assert_eq!(of(&machine.device.turn_off(&[TSO4]).features), Offload::Off);
        assert_eq!(of(&machine.device.never_have(&[TSO4]).features), Offload::OffFixed);
        let fixed = Feature {
            bit: 0,
            name: TSO4.to_owned(),
            active: true,
            wanted: true,
            changeable: true,
            never_changes: true,
        };
        assert_eq!(Offload::of(&fixed), Offload::OnFixed);
        assert!(Offload::named(&machine.device.features, "tx-no-such").is_err());
    }
}
