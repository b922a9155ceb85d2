//! The built-in TCP load: a server that discards and counts, a client that sends in bulk, in small writes, over several streams.
//!
//! On the wire there is nothing but the payload asked for, and, when a stream is done, 8 bytes back: how much the server got. So a
//! transfer of *n* bytes is *n* bytes of TCP payload, which the profiler's ledger can be held against.

mod address;
mod args;
mod client;
mod server;
mod stop;
mod summary;

pub use address::{DEFAULT_PORT, ServerAddress};
pub use args::{ClientArgs, LoadArgs, LoadCommand, ServerArgs};
pub use client::{ClientError, send};
pub use server::{Received, ServerError, bind, serve};
pub use stop::Stop;
pub use summary::{EndedBy, Summary};

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
            eprintln!("listening on {}; Ctrl-C ends", listener.local_addr()?);
            let total = serve(listener, args.once, stop, |connection| println!("{connection}")).await?;
            eprintln!("{} connections, {} bytes received", total.connections, total.bytes);
        }
        LoadCommand::Client(args) => {
            let summary = send(&args, stop).await?;
            if args.json {
                println!("{}", serde_json::to_string_pretty(&summary)?);
            } else {
                println!("{summary}");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
