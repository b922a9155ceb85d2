//! What `vmnet fix` can do to a machine, as values: planned here, carried out and journaled elsewhere.

use crate::shell::quoted;
use serde::{Deserialize, Serialize};

/// One change of the running machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// Switch features, in one request, so that the kernel resolves what depends on what.
    Features {
        /// The device: the interface, or one above it.
        interface: String,
        /// By the kernel's names (`tx-tcp-segmentation`), in the order in which they depend on each other.
        changes: Vec<FeatureChange>,
    },
    /// Raise what a super-packet may be (`ip link set … gso_max_size`). None: left as it is.
    GsoLimits {
        /// The device.
        interface: String,
        /// Bytes.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        gso_max_size: Option<u32>,
        /// Bytes (6.3).
        #[serde(skip_serializing_if = "Option::is_none", default)]
        gso_ipv4_max_size: Option<u32>,
        /// Segments.
        #[serde(skip_serializing_if = "Option::is_none", default)]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FeatureChange {
    /// The kernel's name.
    pub feature: String,
    /// On or off.
    pub on: bool,
}

impl Action {
    /// Switches features on.
    #[must_use]
    pub fn switch_on<'a>(interface: &str, features: impl IntoIterator<Item = &'a str>) -> Self {
        let changes =
            features.into_iter().map(|feature| FeatureChange { feature: feature.to_owned(), on: true });
        Self::Features { interface: interface.to_owned(), changes: changes.collect() }
    }

    /// The command that a person would type for the same. Names are quoted for a shell.
    #[must_use]
    pub fn command(&self) -> String {
        match self {
            Self::Features { interface, changes } => {
                let mut words = format!("ethtool -K {}", quoted(interface));
                for change in changes {
                    let state = if change.on { "on" } else { "off" };
                    words.push_str(&format!(" {} {state}", quoted(&change.feature)));
                }
                words
            }
            Self::GsoLimits { interface, gso_max_size, gso_ipv4_max_size, gso_max_segs } => {
                let mut words = format!("ip link set dev {}", quoted(interface));
                for (name, value) in [
                    ("gso_max_size", gso_max_size),
                    ("gso_ipv4_max_size", gso_ipv4_max_size),
                    ("gso_max_segs", gso_max_segs),
                ] {
                    if let Some(value) = value {
                        words.push_str(&format!(" {name} {value}"));
                    }
                }
                words
            }
            Self::TbfBurst { interface, handle, parent, burst_bytes } => format!(
                "tc qdisc change dev {} {} handle {:x}: tbf … burst {burst_bytes} (its rate and limit as they are)",
                quoted(interface),
                parent_words(*parent),
                handle >> 16,
            ),
            Self::CakeNoSplit { interface, handle, parent } => format!(
                "tc qdisc change dev {} {} handle {:x}: cake no-split-gso",
                quoted(interface),
                parent_words(*parent),
                handle >> 16,
            ),
        }
    }
}

/// `TC_H_ROOT`, or a class of another qdisc.
fn parent_words(parent: u32) -> String {
    if parent == u32::MAX {
        "root".to_owned()
    } else {
        format!("parent {:x}:{:x}", parent >> 16, parent & 0xffff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_what_a_person_would_type() {
        let action = Action::switch_on("ens4", ["tx-scatter-gather", "tx-tcp-segmentation"]);
        assert_eq!(action.command(), "ethtool -K ens4 tx-scatter-gather on tx-tcp-segmentation on");
        let limits = Action::GsoLimits {
            interface: "ens4".to_owned(),
            gso_max_size: Some(65_536),
            gso_ipv4_max_size: None,
            gso_max_segs: Some(65_535),
        };
        assert_eq!(limits.command(), "ip link set dev ens4 gso_max_size 65536 gso_max_segs 65535");
        let cake =
            Action::CakeNoSplit { interface: "ens4".to_owned(), handle: 0x8001_0000, parent: u32::MAX };
        assert_eq!(cake.command(), "tc qdisc change dev ens4 root handle 8001: cake no-split-gso");
    }
}
