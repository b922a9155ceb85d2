//! The built-in TCP load: a server that discards and counts, a client that sends in bulk, in small writes, over several streams.
//!
//! On the wire there is nothing but the payload asked for, and, when a stream is done, 8 bytes back: how much the server got. So a
//! transfer of *n* bytes is *n* bytes of TCP payload, which the profiler's ledger can be held against.

use std::io::{self, Write};

mod address;
mod args;
mod client;
mod server;
mod stop;
mod summary;

pub use address::{DEFAULT_PORT, ServerAddress};
pub use args::{ClientArgs, LoadArgs, LoadCommand, ServerArgs};
pub use client::{ClientError, send};
pub use server::{Connection, Received, ServerError, bind, serve};
pub use stop::Stop;
pub use summary::{EndedBy, SCHEMA, Summary};

/// Bytes of the server's reply: the count of what it got, as a `u64` in network order.
const CONFIRMATION_BYTES: usize = 8;
/// How often a blocked read or write looks whether it should stop.
const POLL_MS: u64 = 200;

/// Runs `vmnet load …`: results on standard output, remarks on standard error.
///
/// # Errors
/// When the server cannot listen, the client cannot connect, or the server did not get what was sent.
pub async fn run(args: LoadArgs) -> anyhow::Result<()> {
    let stop = Stop::on_signals()?;
    match args.command {
        LoadCommand::Server(args) => {
            let listener = bind(args.listen)?;
            writeln!(io::stderr(), "listening on {}; Ctrl-C ends", listener.local_addr()?)?;
            // A reader of the lines who went away is no reason to end for those who still send.
            let print = |connection: &Connection| drop(writeln!(io::stdout(), "{connection}"));
            let total = serve(listener, args.once, stop, print).await?;
            writeln!(io::stderr(), "{} connections, {} bytes received", total.connections, total.bytes)?;
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
