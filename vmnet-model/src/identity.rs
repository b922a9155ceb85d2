//! One identity: two counts from different sources that must agree.

use std::fmt;

use crate::fact::Why;
use crate::null_because;
use serde::{Deserialize, Serialize};

null_because! {
    see_note: Why::is("the identity's own note says why");
}

/// The identities, in the order in which a report has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum IdentityId {
    /// Bytes queued, and added by segmentation, against bytes taken or dropped.
    WireBytes,
    /// Wire segments queued against wire segments taken or dropped.
    WireSegments,
    /// skbs queued, and made by segmentation, against skbs taken or dropped.
    DriverPackets,
    /// skbs against what the device counted.
    DevicePackets,
    /// Bytes against what the device counted.
    DeviceBytes,
    /// Wire segments against what the qdisc counted.
    QdiscPackets,
    /// Bytes against what the qdisc counted.
    QdiscBytes,
    /// TCP payload queued against what TCP's sockets say they sent.
    TcpBytesSent,
    /// Segments made by length after the call, and by payload before it.
    SegmentCounts,
    /// Calls entered and left.
    EntriesExits,
    /// What applications wrote against what TCP sent for the first time or holds unsent.
    SendmsgBytes,
}

/// What an identity compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Wire segments.
    Segments,
    /// skbs.
    Packets,
    /// Bytes.
    Bytes,
    /// Calls of functions.
    Calls,
}

impl IdentityId {
    /// As in JSON, and for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WireBytes => "wire-bytes",
            Self::WireSegments => "wire-segments",
            Self::DriverPackets => "driver-packets",
            Self::DevicePackets => "device-packets",
            Self::DeviceBytes => "device-bytes",
            Self::QdiscPackets => "qdisc-packets",
            Self::QdiscBytes => "qdisc-bytes",
            Self::TcpBytesSent => "tcp-bytes-sent",
            Self::SegmentCounts => "segment-counts",
            Self::EntriesExits => "entries-exits",
            Self::SendmsgBytes => "sendmsg-bytes",
        }
    }

    /// What it compares.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::WireBytes
            | Self::DeviceBytes
            | Self::QdiscBytes
            | Self::TcpBytesSent
            | Self::SendmsgBytes => Unit::Bytes,
            Self::WireSegments | Self::QdiscPackets | Self::SegmentCounts => Unit::Segments,
            Self::DriverPackets | Self::DevicePackets => Unit::Packets,
            Self::EntriesExits => Unit::Calls,
        }
    }

    /// Whether it bears on the ledger: a residual stands for packets that are in no class, or in a wrong one.
    #[must_use]
    pub const fn bears_on_the_ledger(self) -> bool {
        match self {
            Self::WireBytes
            | Self::WireSegments
            | Self::DriverPackets
            | Self::DevicePackets
            | Self::DeviceBytes
            | Self::QdiscPackets
            | Self::QdiscBytes => true,
            Self::TcpBytesSent | Self::SegmentCounts | Self::EntriesExits | Self::SendmsgBytes => false,
        }
    }
}

impl Unit {
    /// As in JSON, and for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Segments => "segments",
            Self::Packets => "packets",
            Self::Bytes => "bytes",
            Self::Calls => "calls",
        }
    }
}

impl fmt::Display for IdentityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Two counts from different sources that must agree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Identity {
    /// Stable name in kebab-case.
    pub name: IdentityId,
    /// None where it could not be measured.
    #[serde(serialize_with = "see_note")]
    pub left: Option<u64>,
    /// What counted it.
    pub left_source: String,
    /// None where it could not be measured.
    #[serde(serialize_with = "see_note")]
    pub right: Option<u64>,
    /// What counted it.
    pub right_source: String,
    /// left − right.
    #[serde(serialize_with = "see_note")]
    pub residual: Option<i64>,
    /// How much residual the edges of the window explain.
    #[serde(serialize_with = "see_note")]
    pub slack: Option<u64>,
    /// |residual| ≤ slack; None where unmeasured.
    #[serde(serialize_with = "see_note")]
    pub ok: Option<bool>,
    /// What is compared.
    pub unit: Unit,
    /// Why it is unmeasured, or what a residual here means.
    pub note: String,
}

impl Identity {
    /// How far the residual goes beyond its slack; 0 where it holds or is unmeasured.
    #[must_use]
    pub fn beyond_slack(&self) -> u64 {
        match (self.ok, self.residual, self.slack) {
            (Some(false), Some(residual), Some(slack)) => residual.unsigned_abs().saturating_sub(slack),
            _ => 0,
        }
    }

    /// Its figures, in words.
    #[must_use]
    pub fn figures(&self) -> String {
        let number = |value: Option<u64>| value.map_or_else(|| "?".to_owned(), |value| value.to_string());
        format!(
            "{} {} by {}, {} by {}, slack {}",
            number(self.left),
            self.unit,
            self.left_source,
            number(self.right),
            self.right_source,
            number(self.slack),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_and_units_are_called_in_json_as_they_are_on_the_screen() {
        for id in [IdentityId::WireBytes, IdentityId::TcpBytesSent, IdentityId::EntriesExits] {
            assert_eq!(serde_json::to_value(id).unwrap(), id.name());
            assert_eq!(serde_json::to_value(id.unit()).unwrap(), id.unit().name());
        }
    }
}
