//! The built-in TCP load: a server that discards and counts, a client that sends in bulk, in small writes, over several streams.
//!
//! On the wire there is nothing but the payload asked for, and, when a stream is done, 8 bytes back: how much the server got. So a
//! transfer of *n* bytes is *n* bytes of TCP payload, which the profiler's ledger can be held against.

use std::{
    io::{self, Write},
    net::TcpListener,
};

mod address;
mod args;
mod client;
mod resolve;
mod server;
mod stop;
mod summary;

pub use address::{DEFAULT_PORT, ServerAddress};
pub use args::{ClientArgs, Limits, LoadArgs, LoadCommand, ServerArgs};
pub use client::{ClientError, send};
pub use server::{Connection, Received, ServerError, bind, reach, serve};
pub use stop::Stop;
pub use summary::{EndedBy, SCHEMA, Summary};

/// Bytes of the server's reply: the count of what it got, as a `u64` in network order.
const CONFIRMATION_BYTES: usize = 8;
/// How often a blocked read or write looks whether it should stop.
const POLL_MS: u64 = 200;

/// What the server says, in a line, instead of a count where it ends a connection early. No count begins with these bytes.
const SERVER_SAYS: &str = "vmnet load server: ";

/// Takes the server's port. Before privileges go, as a port below 1024 takes one.
///
/// # Errors
/// When the port cannot be had.
pub fn listener(args: &LoadArgs) -> Result<Option<TcpListener>, ServerError> {
    match &args.command {
        LoadCommand::Server(args) => bind(args.listen).map(Some),
        LoadCommand::Client(_) => Ok(None),
    }
}

/// Runs `vmnet load …`: results on standard output, remarks on standard error. A server has its `listener` already.
///
/// # Errors
/// When the server cannot listen, the client cannot connect, or the server did not get what was sent.
pub async fn run(args: LoadArgs, listener: Option<TcpListener>) -> anyhow::Result<()> {
    let stop = Stop::on_signals()?;
    match args.command {
        LoadCommand::Server(args) => {
            let listener = listener.map_or_else(|| bind(args.listen), Ok)?;
            let address = listener.local_addr()?;
            writeln!(io::stderr(), "listening on {address}: {}. Ctrl-C ends", reach(address))?;
            // A reader of the lines who went away is no reason to end for those who still send.
            let print = |connection: &Connection| drop(writeln!(io::stdout(), "{connection}"));
            let total = serve(listener, args.once, args.limits, stop, print).await?;
            writeln!(io::stderr(), "{total}")?;
        }
        LoadCommand::Client(args) => {
            let summary = send(&args, stop).await?;
            let text = if args.json { serde_json::to_string_pretty(&summary)? } else { summary.to_string() };
            writeln!(io::stdout(), "{text}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
