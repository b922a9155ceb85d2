//! The interface as every report shows it.

use serde::{Deserialize, Serialize};

use crate::fact;
use crate::shell::Place;

/// The interface and the machine around it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Interface {
    /// Its name when the run began.
    pub name: String,
    /// Its index.
    pub ifindex: u32,
    /// Inode number of its network namespace, and the name it was asked for by.
    pub netns: Netns,
    /// Driver, or the link's kind (veth, vlan) where there is no driver; None where it has neither, as lo.
    pub driver: Option<String>,
    /// MTU in bytes.
    pub mtu: u32,
    /// Transmit queues.
    #[serde(serialize_with = "fact::kernel_silent")]
    pub queues: Option<u32>,
    /// Kernel release.
    pub kernel: String,
    /// False where the packets go on inside this machine (veth, lo, vlan, bond, bridge).
    pub terminal: bool,
    /// The root qdisc's kind.
    #[serde(serialize_with = "fact::kernel_silent")]
    pub qdisc: Option<String>,
}

impl Interface {
    /// As commands name it from where it was asked for.
    #[must_use]
    pub fn place(&self) -> Place<'_> {
        Place { interface: &self.name, netns: self.netns.name.as_deref() }
    }
}

/// A network namespace.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Netns {
    /// As given to `--netns`; None without it.
    pub name: Option<String>,
    /// Inode number.
    pub inode: u64,
}
