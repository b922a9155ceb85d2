//! What a client did.

use std::fmt;

use crate::model::fact::{self, Why};
use crate::model::null_because;
use serde::{Deserialize, Serialize};

null_because! {
    no_last_word: Why::is("an interrupt did not wait for the server's word");
}

/// The schema's name.
pub const SCHEMA: &str = "vmnet.load/1";

/// What ended the sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// The time was up.
    Duration,
    /// Everything was sent.
    Bytes,
    /// Ctrl-C or SIGTERM.
    Interrupt,
}

/// The result of a client, all streams together. What is not known is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// As it was asked for, with the port.
    pub server: String,
    /// Connections.
    pub streams: u16,
    /// Bytes of one write.
    pub message_bytes: u64,
    /// Whether `TCP_NODELAY` was set.
    pub nodelay: bool,
    /// What ended the sending.
    pub ended_by: EndedBy,
    /// Payload given to the kernel.
    pub sent_bytes: u64,
    /// Payload that the server says it got: the same, or null after an interrupt that could not wait for its word.
    #[serde(serialize_with = "no_last_word")]
    pub received_bytes: Option<u64>,
    /// From the first write to the last word of the server (without it: to the end of sending).
    pub seconds: f64,
    /// Received payload over those seconds, in 10⁹ bits per second.
    #[serde(serialize_with = "no_last_word")]
    pub goodput_gbps: Option<f64>,
    /// `tcpi_total_retrans`.
    #[serde(serialize_with = "fact::kernel_silent")]
    pub retransmitted_segments: Option<u64>,
    /// `tcpi_bytes_retrans`; null before kernel 4.19.
    #[serde(serialize_with = "fact::kernel_silent")]
    pub retransmitted_bytes: Option<u64>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent_bytes, server, streams, message_bytes, seconds, .. } = self;
        let plural = if *streams == 1 { "" } else { "s" };
        let nodelay = if self.nodelay { ", nodelay" } else { "" };
        writeln!(
            f,
            "sent           {sent_bytes} bytes to {server}, {streams} stream{plural}, {message_bytes}-byte writes{nodelay}"
        )?;
        match self.received_bytes {
            Some(bytes) => writeln!(f, "received       {bytes} bytes, says the server")?,
            None => writeln!(f, "received       not known: interrupted before the server could say")?,
        }
        write!(f, "took           {seconds:.3} s")?;
        if let Some(gbps) = self.goodput_gbps {
            write!(f, ", {gbps:.3} Gbit/s")?;
        }
        let known =
            |count: Option<u64>| count.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
        let (segments, bytes) = (known(self.retransmitted_segments), known(self.retransmitted_bytes));
        write!(f, "\nretransmitted  segments: {segments}, bytes: {bytes}")?;
        if self.ended_by == EndedBy::Interrupt {
            write!(f, "\ninterrupted")?;
        }
        Ok(())
    }
}
