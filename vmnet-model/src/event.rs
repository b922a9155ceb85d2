//! What happens rarely enough to be told one by one.

use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// `__skb_gso_segment` failed with `errno` for a packet of `len` bytes.
    SegmentationError {
        /// Positive.
        errno: u64,
        /// skb length.
        len: u64,
    },
    /// `dev->features` changed, as this CPU saw it.
    FeaturesChanged {
        /// At the packet before.
        was: u64,
        /// Now.
        is: u64,
    },
    /// An exit without its entry.
    UnmatchedExit {
        /// 1 `__skb_gso_segment`, 2 `skb_segment`, 3 `net_dev_xmit`.
        function: u64,
    },
}

/// What kind of thing happened, as a report tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// `dev->features` changed.
    FeaturesChanged,
    /// The interface's MTU changed.
    MtuChanged,
    /// `__skb_gso_segment` failed.
    SegmentationError,
    /// An exit without its entry.
    UnmatchedExit,
    /// A limit, the qdisc, or a device around the interface is not as it was when the run began.
    SettingsChanged,
    /// More of them than are told one by one.
    More,
}

impl EventKind {
    /// As in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FeaturesChanged => "features-changed",
            Self::MtuChanged => "mtu-changed",
            Self::SegmentationError => "segmentation-error",
            Self::UnmatchedExit => "unmatched-exit",
            Self::SettingsChanged => "settings-changed",
            Self::More => "more",
        }
    }
}
