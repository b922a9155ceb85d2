//! `vmnet.list/1`: every interface that can be asked, with what its flags say, and where it is worth asking.

pub mod hint;
mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::text::{answer, choice};
use super::kit::json::Explained;
use crate::model::absences::Reasons;
use crate::model::fact::{self, Fact};
use crate::model::interface::Netns;
use crate::model::machine::Limits;
use crate::model::offload::Offload;

/// The schema's name.
pub const SCHEMA: &str = "vmnet.list/1";

/// The interfaces of a machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ListReport {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// `uname -r`.
    pub kernel: String,
    /// Namespace by namespace, that of the caller first.
    pub namespaces: Vec<NamespaceReport>,
    /// What could not be looked at, in words.
    pub not_visible: Vec<String>,
    /// The command to type next, as words; empty where there is no interface.
    pub next: Vec<String>,
    /// Path of a null → why it was not measured.
    pub unmeasured: BTreeMap<String, String>,
}

/// A network namespace.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NamespaceReport {
    /// Its name is as `--netns` takes it, a name or the number of a process; null for that of the caller.
    pub netns: Netns,
    /// The command of that process.
    pub process: Option<String>,
    /// That of the caller.
    pub own: bool,
    /// In the kernel's order.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<Vec<Listed>>"))]
    pub interfaces: Fact<Vec<Listed>>,
}

/// An interface.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its index in its namespace.
    pub ifindex: u32,
    /// `veth`, `vlan`, `bridge`, …: who made it; null for what a driver made.
    pub kind: Option<String>,
    /// As `ethtool -i` names it.
    pub driver: Option<String>,
    /// The loopback device.
    pub loopback: bool,
    /// `IFF_UP`.
    pub up: bool,
    /// False where packets go on inside this machine.
    pub terminal: bool,
    /// Bytes.
    pub mtu: u32,
    /// TSO of TCP over IPv4.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<Offload>"))]
    pub tso_ipv4: Fact<Offload>,
    /// TSO of TCP over IPv6.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<Offload>"))]
    pub tso_ipv6: Fact<Offload>,
    /// Segmentation of UDP (USO).
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(test, schemars(with = "Option<Offload>"))]
    pub uso: Fact<Offload>,
    /// Limits of super-packets.
    pub limits: Limits,
    /// Sent since it was made, as the driver counts.
    pub tx_packets: u64,
    /// Bytes of those.
    pub tx_bytes: u64,
    /// Interfaces whose packets go through it.
    pub above: Vec<String>,
    /// Interfaces that its packets go through.
    pub below: Vec<String>,
    /// The other end of a pair.
    pub other_end: Option<OtherEnd>,
    /// Where it is worth a closer look.
    pub hint: Option<Hint>,
}

/// The other end of a pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OtherEnd {
    /// Its name there.
    pub name: String,
    /// Its namespace, as `--netns` takes it; null where it is the same.
    pub netns: Option<String>,
}

/// What is worth a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Hint {
    /// What is odd.
    pub text: String,
    /// The subcommand of vmnet that tells more.
    pub command: String,
}

impl ListReport {
    /// From what was found.
    #[must_use]
    pub fn new(kernel: String, namespaces: Vec<NamespaceReport>, not_visible: Vec<String>) -> Self {
        let next = hint::next(&namespaces, "check");
        Self { schema: SCHEMA.to_owned(), kernel, namespaces, not_visible, next, unmeasured: BTreeMap::new() }
    }
}

impl Explained for ListReport {
    fn unmeasured(&mut self) -> &mut Reasons {
        &mut self.unmeasured
    }
}

#[cfg(test)]
mod tests;
