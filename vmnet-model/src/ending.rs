//! How a run came to its end.

use serde::{Deserialize, Serialize};

/// What ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RunEnding {
    /// Its time was up.
    Duration,
    /// The command ended.
    Command,
    /// A signal came.
    Interrupt,
    /// The interface was removed, or moved to another namespace.
    InterfaceGone,
    /// The interface got another name.
    InterfaceRenamed,
    /// The recording has no end.
    NotRecorded,
}

impl RunEnding {
    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Duration => "duration",
            Self::Command => "command",
            Self::Interrupt => "interrupt",
            Self::InterfaceGone => "interface gone",
            Self::InterfaceRenamed => "interface renamed",
            Self::NotRecorded => "not recorded",
        }
    }

    /// Whether it ended before it was meant to.
    #[must_use]
    pub const fn is_cut_short(self) -> bool {
        matches!(self, Self::InterfaceGone | Self::InterfaceRenamed | Self::NotRecorded)
    }
}
