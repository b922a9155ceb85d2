//! What windows with every hook showed of the light ledger.

use super::identity::{Identity, IdentityId};

/// Identities that only hooks at the driver can tell.
pub(crate) const OF_WINDOWS: [IdentityId; 3] =
    [IdentityId::WireBytes, IdentityId::WireSegments, IdentityId::DriverPackets];
/// What a window with the exact hooks shows of the light ledger.
#[derive(Clone, Debug)]
pub struct Audited {
    /// Packets at the driver.
    pub packets: u64,
    /// A lane whose share does not fit, in words; None where all do.
    pub disagreement: Option<String>,
    /// Hook against hook.
    pub(crate) identities: Vec<Identity>,
}
