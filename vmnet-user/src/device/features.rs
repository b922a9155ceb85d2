//! Offload features of an interface: which there are, which are active (`ethtool -k`).

use std::collections::BTreeSet;

use super::{
    attributes::{attribute, attributes, text, u32_at},
    ethtool::{ETHTOOL_FLAG_COMPACT_BITSETS, Ethtool, EthtoolError},
    netlink::NetlinkError,
};
use crate::model::features::{Feature, FeatureSet};

// `linux/ethtool_netlink.h`.
const ETHTOOL_MSG_FEATURES_GET: u8 = 11;
const ETHTOOL_A_FEATURES_HW: u16 = 2;
const ETHTOOL_A_FEATURES_WANTED: u16 = 3;
const ETHTOOL_A_FEATURES_ACTIVE: u16 = 4;
const ETHTOOL_A_FEATURES_NOCHANGE: u16 = 5;
const ETHTOOL_A_BITSET_SIZE: u16 = 2;
const ETHTOOL_A_BITSET_BITS: u16 = 3;
const ETHTOOL_A_BITSET_VALUE: u16 = 4;
const ETHTOOL_A_BITSET_BITS_BIT: u16 = 1;
const ETHTOOL_A_BITSET_BIT_INDEX: u16 = 1;
const ETHTOOL_A_BITSET_BIT_NAME: u16 = 2;

/// More bits than any kernel has features: a larger figure is not believed.
pub(super) const MOST_FEATURES: usize = 1024;
const WHAT: &str = "features";

/// Asks the kernel about features. Keep it open for repeated reads: the names are asked for once, then only the bits (some 10 µs).
#[derive(Debug)]
pub struct FeatureReader {
    ethtool: Ethtool,
    /// Name of each bit; None before the first read, an empty name for a bit without one.
    names: Option<Vec<String>>,
}

impl FeatureReader {
    /// Opens the socket, in the network namespace of this thread. No privilege is needed.
    ///
    /// # Errors
    /// When the kernel has no ethtool netlink, or refuses the socket.
    pub fn open() -> Result<Self, EthtoolError> {
        Ok(Self { ethtool: Ethtool::open()?, names: None })
    }

    /// The features of an interface now.
    ///
    /// # Errors
    /// When the interface is gone, or the kernel cannot be asked.
    pub fn read(&mut self, ifindex: u32) -> Result<FeatureSet, EthtoolError> {
        let malformed =
            |missing| EthtoolError::Netlink { what: WHAT, cause: NetlinkError::Malformed { missing } };
        let names = match self.names.take() {
            Some(names) => names,
            None => {
                let reply = self.ethtool.get(ETHTOOL_MSG_FEATURES_GET, WHAT, ifindex, 0)?;
                parse_names(&reply).ok_or_else(|| malformed("feature names"))?
            }
        };
        let names = self.names.insert(names);
        let reply =
            self.ethtool.get(ETHTOOL_MSG_FEATURES_GET, WHAT, ifindex, ETHTOOL_FLAG_COMPACT_BITSETS)?;
        parse_features(&reply, names).ok_or_else(|| malformed("feature bits"))
    }
}

/// The set of hardware features names every bit that has a name, set or not.
pub(super) fn parse_names(reply: &[u8]) -> Option<Vec<String>> {
    let bitset = attribute(reply, ETHTOOL_A_FEATURES_HW)?;
    let mut names = Vec::new();
    for (kind, bit) in attributes(attribute(bitset, ETHTOOL_A_BITSET_BITS)?) {
        if kind != ETHTOOL_A_BITSET_BITS_BIT {
            continue;
        }
        let index = usize::try_from(u32_at(attribute(bit, ETHTOOL_A_BITSET_BIT_INDEX)?, 0)?).ok()?;
        if index >= MOST_FEATURES {
            return None;
        }
        if names.len() <= index {
            names.resize(index + 1, String::new());
        }
        let slot = names.get_mut(index)?;
        *slot = attribute(bit, ETHTOOL_A_BITSET_BIT_NAME).map(text).unwrap_or_default();
    }
    Some(names).filter(|names| !names.is_empty())
}

pub(super) fn parse_features(reply: &[u8], names: &[String]) -> Option<FeatureSet> {
    let bits = |kind| compact_bits(attribute(reply, kind)?);
    let (active, wanted) = (bits(ETHTOOL_A_FEATURES_ACTIVE)?, bits(ETHTOOL_A_FEATURES_WANTED)?);
    let (changeable, never) = (bits(ETHTOOL_A_FEATURES_HW)?, bits(ETHTOOL_A_FEATURES_NOCHANGE)?);
    let named = names.iter().enumerate().filter(|(_, name)| !name.is_empty());
    let features = named.map(|(index, name)| Feature {
        bit: u32::try_from(index).unwrap_or(u32::MAX),
        name: name.clone(),
        active: active.contains(&index),
        wanted: wanted.contains(&index),
        changeable: changeable.contains(&index),
        never_changes: never.contains(&index),
    });
    Some(FeatureSet::new(features.collect()))
}

/// The bits set in a compact bitset: words of 32, least significant bit first.
fn compact_bits(bitset: &[u8]) -> Option<BTreeSet<usize>> {
    let size = usize::try_from(u32_at(attribute(bitset, ETHTOOL_A_BITSET_SIZE)?, 0)?).ok()?;
    let words = attribute(bitset, ETHTOOL_A_BITSET_VALUE)?;
    if size > MOST_FEATURES || words.len() < size.div_ceil(32) * 4 {
        return None;
    }
    let set = |index: &usize| u32_at(words, index / 32 * 4).is_some_and(|word| word >> (index % 32) & 1 == 1);
    Some((0..size).filter(set).collect())
}

#[cfg(test)]
#[path = "features_tests.rs"]
mod tests;
