//! The command line of `vmnet load`.

use std::{net::SocketAddr, time::Duration};

use clap::{Args, Subcommand, value_parser};

use super::address::ServerAddress;
use crate::units::{parse_bytes, parse_duration};

/// The built-in TCP traffic: bulk, small writes, several streams
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// Which end
    #[command(subcommand)]
    pub command: LoadCommand,
}

/// The two ends
#[derive(Clone, Debug, Subcommand)]
pub enum LoadCommand {
    /// Accept connections, discard what comes, tell each client how much it was
    Server(ServerArgs),
    /// Send to a server, and check that it got everything
    Client(ClientArgs),
}

/// `vmnet load server`.
#[derive(Clone, Debug, Args)]
pub struct ServerArgs {
    /// Where to listen [default: [::]:5310, IPv6 and IPv4]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// End when the first client is done
    #[arg(long)]
    pub once: bool,
    /// How much strangers may take of it
    #[command(flatten)]
    pub limits: Limits,
}

/// What those who connect can have a server hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct Limits {
    /// Connections at once; further ones are told that there is no place, and closed
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = value_parser!(u16).range(1..))]
    pub max_connections: u16,
    /// Close a connection that sends nothing for so long
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "60s")]
    pub idle_timeout: Duration,
}

impl Limits {
    /// Connections at once.
    pub(super) fn connections(&self) -> usize {
        self.max_connections.into()
    }
}

/// `vmnet load client`.
#[derive(Clone, Debug, Args)]
pub struct ClientArgs {
    /// The server; IPv6 with a port as [::1]:5310 [default port: 5310]
    #[arg(value_name = "ADDR[:PORT]")]
    pub server: ServerAddress,
    /// How long to send: 10s, 2m, 500ms
    #[arg(short = 't', long, value_name = "SECONDS", value_parser = parse_duration, default_value = "10s", conflicts_with = "bytes")]
    pub time: Duration,
    /// Send exactly so many bytes, all streams together, instead: 60M, 1G (as in iperf3, k is 1024)
    #[arg(short = 'n', long, value_name = "BYTES", value_parser = parse_bytes)]
    pub bytes: Option<u64>,
    /// Connections at once
    #[arg(short = 'P', long, value_name = "STREAMS", default_value_t = 1, value_parser = value_parser!(u16).range(1..=256))]
    pub streams: u16,
    /// Bytes of one write
    #[arg(long, value_name = "N", value_parser = message_bytes, default_value = "128k")]
    pub message_bytes: u64,
    /// Send each write at once (TCP_NODELAY)
    #[arg(long)]
    pub nodelay: bool,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// Each stream holds one message in memory.
const MOST_MESSAGE_BYTES: u64 = 64 << 20;

fn message_bytes(text: &str) -> Result<u64, String> {
    match parse_bytes(text) {
        Ok(bytes) if bytes > MOST_MESSAGE_BYTES => Err("a message has at most 64M".to_owned()),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(error.to_string()),
    }
}
