//! What an answer is made of: states, how far to trust them, and by which bytes they are told apart.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ledger::Entry;

/// Bulk below this is too little to judge by.
pub const MIN_BULK_BYTES: u64 = 1 << 20;
/// Bulk below this share of payload likewise, in percent.
pub const MIN_BULK_PERCENT: u64 = 5;
/// What "engaged", "software" and "not built" take, in percent.
pub const MOST_PERCENT: u64 = 95;
/// What must have been built of bulk for "engaged" and "software", in percent.
pub const MIN_BUILT_PERCENT: u64 = 50;
/// Super-packets of fewer segments in the median are thin.
pub const THIN_BELOW_SEGS: f64 = 4.0;
/// Packets at the driver that windows with every hook must have seen for a proof by the light ledger.
pub const FEWEST_AUDITED_PACKETS: u64 = 1_000;
/// `proven` allows each identity a slack of one in this many.
pub const SLACK_ONE_IN: u64 = 1_000;

/// Is TSO happening?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The device got at least 95 % of the bytes that were built as super-packets in super-packets.
    Engaged,
    /// The CPU segmented at least 95 % of them.
    Software,
    /// Some of each, or too few were built.
    Partial,
    /// TCP built full-size singles, no super-packets.
    NotBuilt,
    /// Too little bulk to judge by.
    NothingToOffload,
    /// What is unexplained could change the answer, or witnesses disagree.
    Inconclusive,
}

impl State {
    /// As in JSON, and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Engaged => "engaged",
            Self::Software => "software",
            Self::Partial => "partial",
            Self::NotBuilt => "not-built",
            Self::NothingToOffload => "nothing-to-offload",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// How far to trust the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Inferred.
    Weak,
    /// One witness.
    Supported,
    /// Exact counting at both stages, every identity within its slack, slack ≤ 0.1 %, kernel counters agree. Or all
    /// that, but for less than 1 % that no program saw and the kernel counted ([`Bound`]).
    Proven,
}

/// One source of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Witness {
    /// `tracing`, `kernel-counters`, `device-statistics`.
    pub name: String,
    /// What it says.
    pub says: Says,
    /// Its figures, or why it is silent.
    pub detail: String,
}

/// What a witness says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// Nothing.
    Silent,
    /// Packets are longer than any single.
    SuperPackets,
    /// They are not.
    NoSuperPackets,
    /// The answer itself.
    #[serde(untagged)]
    State(State),
}

impl Says {
    /// As in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::SuperPackets => "super-packets",
            Self::NoSuperPackets => "no-super-packets",
            Self::State(state) => state.name(),
        }
    }

    /// Whether that is what the verdict says. None where either of them leaves it open.
    #[must_use]
    pub fn agrees(self, state: State) -> Option<bool> {
        match (self, state) {
            (Self::Silent, _) | (_, State::Inconclusive) => None,
            (Self::SuperPackets | Self::NoSuperPackets, State::NothingToOffload) => None,
            (Self::SuperPackets, _) => Some(matches!(state, State::Engaged | State::Partial)),
            // A run of which a part left whole may look like one of which nothing did, to counters of packets.
            (Self::NoSuperPackets, _) => Some(matches!(state, State::Software | State::NotBuilt)),
            (Self::State(said), _) => Some(said == state),
        }
    }
}

/// Payload that left, by class, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// In super-packets that the driver got whole.
    pub hardware: u64,
    /// Segmented by the CPU.
    pub software: u64,
    /// In full singles.
    pub unaggregated: u64,
    /// The part of `unaggregated` that was forwarded: TCP on this machine did not build it.
    pub forwarded_singles: u64,
    /// In small singles.
    pub small: u64,
}

impl Classes {
    /// Of a row of the ledger. Forwarded payload that was not in super-packets is taken to be in full singles.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        Self {
            hardware: entry.hardware_bytes,
            software: entry.software_bytes,
            unaggregated: entry.unaggregated_bytes,
            forwarded_singles: entry
                .forwarded_bytes
                .saturating_sub(entry.built_bytes())
                .min(entry.unaggregated_bytes),
            small: entry.small_bytes,
        }
    }

    /// The same, with so many bytes of what was built segmented in software.
    pub(crate) fn with_software(&self, software: u64) -> Self {
        let software = software.min(self.built());
        Self { hardware: self.built() - software, software, ..*self }
    }

    /// What was built into super-packets.
    pub(crate) fn built(&self) -> u64 {
        self.hardware.saturating_add(self.software)
    }

    /// What super-packets carried, or could have carried.
    pub(crate) fn bulk(&self) -> u64 {
        self.built().saturating_add(self.unaggregated)
    }

    /// Whether most of the bulk was segmented before it came to this machine, or to this interface: none of it was for TSO here to do.
    #[must_use]
    pub fn is_mostly_forwarded_singles(&self) -> bool {
        self.forwarded_singles.saturating_mul(2) >= self.bulk() && self.forwarded_singles > 0
    }

    /// The state that these bytes make, by the thresholds alone. What was dropped has no part in it, so loss
    /// does not turn bulk into too little bulk. Never [`State::Inconclusive`].
    #[must_use]
    pub fn state(&self) -> State {
        let [hardware, software, unaggregated, small] =
            [self.hardware, self.software, self.unaggregated, self.small].map(u128::from);
        let built = hardware + software;
        let bulk = built + unaggregated;
        let local_singles = unaggregated - u128::from(self.forwarded_singles).min(unaggregated);
        let at_least = |part: u128, percent: u64, whole: u128| part * 100 >= whole * u128::from(percent);
        if bulk < u128::from(MIN_BULK_BYTES) || !at_least(bulk, MIN_BULK_PERCENT, bulk + small) {
            State::NothingToOffload
        } else if at_least(local_singles, MOST_PERCENT, bulk) {
            State::NotBuilt
        } else if !at_least(built, MIN_BUILT_PERCENT, bulk) {
            State::Partial
        } else if at_least(hardware, MOST_PERCENT, built) {
            State::Engaged
        } else if at_least(software, MOST_PERCENT, built) {
            State::Software
        } else {
            State::Partial
        }
    }

    /// The class, and the state, where `bytes` more in that class would change the state.
    #[must_use]
    pub fn least_favourable(&self, bytes: u64) -> Option<(&'static str, State)> {
        let now = self.state();
        let with = |add: fn(&mut Self, u64)| {
            let mut classes = *self;
            add(&mut classes, bytes);
            classes.state()
        };
        [
            ("hardware", with(|classes, bytes| classes.hardware = classes.hardware.saturating_add(bytes))),
            ("software", with(|classes, bytes| classes.software = classes.software.saturating_add(bytes))),
            (
                "unaggregated",
                with(|classes, bytes| classes.unaggregated = classes.unaggregated.saturating_add(bytes)),
            ),
            ("small", with(|classes, bytes| classes.small = classes.small.saturating_add(bytes))),
        ]
        .into_iter()
        .find(|(_, state)| *state != now)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Engaged => "engaged",
            Self::Software => "software",
            Self::Partial => "partial",
            Self::NotBuilt => "not-built",
            Self::NothingToOffload => "nothing-to-offload",
            Self::Inconclusive => "inconclusive",
        })
    }
}
