//! Why TSO does not happen, and who can mend it: the first broken link of the chain.

mod action;
pub mod host;

pub use action::{Action, FeatureChange};
use serde::{Deserialize, Serialize};

/// One cause, by its stable id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// From the catalogue: `host-no-csum`, `turned-off`, …
    pub id: CauseId,
    /// Share of the bytes that are not in hardware which this explains; None where no traffic was seen.
    pub share: Option<f64>,
    /// One line.
    pub title: String,
    /// What shows it.
    pub detail: String,
    /// Who can mend it, and how.
    pub fix: Fix,
}

/// The catalogue's ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the catalogue's table says what each is")]
pub enum CauseId {
    HostNoCsum,
    HostNoTso,
    OneFamily,
    HostNoEcn,
    DriverNoTso,
    DriverParam,
    CsumOff,
    SgOff,
    TurnedOff,
    UpperDevice,
    VlanStack,
    Tunnel,
    QdiscSplits,
    TooLarge,
    MtuSmaller,
    Ipsec,
    Wireguard,
    Nfqueue,
    NotBuilt,
    GroOff,
    SmallWrites,
    NotTheBottleneck,
    HostResegments,
    Unexplained,
}

/// Who can mend a cause, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fix {
    /// Who.
    pub by: By,
    /// Commands and settings, ready to copy.
    pub commands: Vec<String>,
    /// What `vmnet fix` would do by itself; empty where nothing inside this machine helps, or a person has to choose.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub actions: Vec<Action>,
}

/// Who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// root on this machine.
    GuestRoot,
    /// Whoever runs the host.
    Host,
    /// Whoever wrote or configures the application.
    Application,
    /// Nobody; it is so by design.
    None,
}
