//! The end that sends.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use tokio::task::{JoinError, JoinSet};

use super::{
    CONFIRMATION_BYTES, POLL_MS, SERVER_SAYS, Stop,
    address::ServerAddress,
    args::ClientArgs,
    resolve,
    summary::{EndedBy, SCHEMA, Summary},
};
use crate::device::tcp_info::TcpInfo;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nothing may move before the server counts as hung.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an interrupted client still waits for the server's word.
const INTERRUPT_PATIENCE: Duration = Duration::from_secs(2);
/// A server's reason is a line.
const MOST_WORDS: u64 = 200;

/// Why the transfer failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The name means nothing.
    #[error("cannot look up {server}: {cause}")]
    Resolve {
        /// As asked for.
        server: ServerAddress,
        /// Why not.
        cause: io::Error,
    },
    /// Nobody there.
    #[error("cannot connect to {server}: {cause}{}", connect_remedy(cause, server.port))]
    Connect {
        /// As asked for.
        server: ServerAddress,
        /// Why not.
        cause: io::Error,
    },
    /// The connection broke.
    #[error("the connection broke after {sent_bytes} bytes: {cause}; see what the server says")]
    Broken {
        /// Given to the kernel by then.
        sent_bytes: u64,
        /// How it broke.
        cause: io::Error,
    },
    /// The server ended it, and said why.
    #[error(
        "the server ended the connection: {said}; wait until it is free, or raise its --max-connections or --idle-timeout"
    )]
    Refused {
        /// What it said.
        said: String,
    },
    /// Nothing moves.
    #[error("nothing moved for {} s after {sent_bytes} bytes: the server, or the path to it, hangs", STALL_TIMEOUT.as_secs())]
    Stalled {
        /// Given to the kernel by then.
        sent_bytes: u64,
    },
    /// Not our server.
    #[error(
        "the server ended the connection without a word on the {sent_bytes} bytes sent: is it a `vmnet load server`?"
    )]
    Unconfirmed {
        /// Given to the kernel.
        sent_bytes: u64,
    },
    /// Not all arrived, or not our server.
    #[error("sent {sent_bytes} bytes, but the server says it got {received_bytes}")]
    Mismatch {
        /// Given to the kernel.
        sent_bytes: u64,
        /// What the server says.
        received_bytes: u64,
    },
    /// A thread ended badly.
    #[error("a stream's thread failed: {0}")]
    Thread(JoinError),
}

fn connect_remedy(cause: &io::Error, port: u16) -> String {
    match cause.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("; nothing listens there: run `vmnet load server --listen [::]:{port}` at the other end")
        }
        io::ErrorKind::TimedOut => {
            format!("; no answer: is the address right, and port {port} let through the firewall?")
        }
        _ => String::new(),
    }
}

/// Connects all streams, sends on all of them at once, and waits for the server's word on each.
///
/// # Errors
/// When a stream cannot connect, breaks or hangs, or the server did not get what was sent.
pub async fn send(args: &ClientArgs, stop: Stop) -> Result<Summary, ClientError> {
    let (server, count) = (args.server.clone(), args.streams);
    let connections =
        tokio::task::spawn_blocking(move || connect(&server, count)).await.map_err(ClientError::Thread)??;

    let start = Instant::now();
    let mut streams = JoinSet::new();
    for (index, connection) in (0..u64::from(count)).zip(connections) {
        let stream = Stream {
            connection,
            stop: stop.clone(),
            deadline: if args.bytes.is_some() { None } else { start.checked_add(args.time) },
            quota: args.bytes.map(|bytes| share(bytes, count.into(), index)),
            nodelay: args.nodelay,
            sent_bytes: 0,
        };
        let message_bytes = usize::try_from(args.message_bytes).unwrap_or(usize::MAX);
        streams.spawn_blocking(move || stream.run(message_bytes));
    }
    let mut outcomes = Vec::new();
    while let Some(outcome) = streams.join_next().await {
        match outcome.map_err(ClientError::Thread)? {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => {
                // The others need not go on, and this error is the one to tell.
                stop.want();
                return Err(error);
            }
        }
    }
    Ok(summarize(args, start, &outcomes))
}

/// The share of stream `index` in `bytes`, so that all shares add up to it.
fn share(bytes: u64, streams: u64, index: u64) -> u64 {
    bytes / streams + u64::from(index < bytes % streams)
}

fn connect(server: &ServerAddress, streams: u16) -> Result<Vec<TcpStream>, ClientError> {
    let addresses =
        resolve::addresses(server).map_err(|cause| ClientError::Resolve { server: server.clone(), cause })?;
    let connect_any = || {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in &addresses {
            match TcpStream::connect_timeout(address, CONNECT_TIMEOUT) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(ClientError::Connect { server: server.clone(), cause: last })
    };
    (0..streams).map(|_| connect_any()).collect()
}

/// One connection while it sends.
struct Stream {
    connection: TcpStream,
    stop: Stop,
    deadline: Option<Instant>,
    quota: Option<u64>,
    nodelay: bool,
    sent_bytes: u64,
}

/// What became of it.
struct Outcome {
    sent_bytes: u64,
    received_bytes: Option<u64>,
    interrupted: bool,
    info: TcpInfo,
    ended: Instant,
}

impl Stream {
    fn run(mut self, message_bytes: usize) -> Result<Outcome, ClientError> {
        let poll = Some(Duration::from_millis(POLL_MS));
        let prepared = self
            .connection
            .set_nodelay(self.nodelay)
            .and_then(|()| self.connection.set_write_timeout(poll))
            .and_then(|()| self.connection.set_read_timeout(poll));
        prepared.map_err(|cause| self.broken(cause))?;

        let interrupted = self.send_messages(&vec![0x5A; message_bytes])?;
        if let Err(cause) = self.connection.shutdown(Shutdown::Write) {
            return Err(self.refused(&[]).unwrap_or_else(|| self.broken(cause)));
        }
        let received_bytes = self.await_confirmation()?;
        let ended = Instant::now();
        match received_bytes {
            Some(received_bytes) if received_bytes != self.sent_bytes => {
                Err(ClientError::Mismatch { sent_bytes: self.sent_bytes, received_bytes })
            }
            _ => Ok(Outcome {
                sent_bytes: self.sent_bytes,
                received_bytes,
                interrupted,
                info: TcpInfo::of(&self.connection).unwrap_or_default(),
                ended,
            }),
        }
    }

    /// Sends until the quota, the deadline or the wish to stop; true for the last.
    fn send_messages(&mut self, message: &[u8]) -> Result<bool, ClientError> {
        let mut moved = Instant::now();
        // What is left of the message begun, so that a write that took a part of it does not shift the next.
        let mut rest = message;
        loop {
            let left = self.quota.map(|quota| quota - self.sent_bytes);
            if left == Some(0) {
                return Ok(false);
            }
            if self.stop.is_wanted() {
                return Ok(true);
            }
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(false);
            }
            let most = left.and_then(|left| usize::try_from(left).ok()).unwrap_or(usize::MAX);
            match self.connection.write(rest.get(..most).unwrap_or(rest)) {
                Ok(length) => {
                    moved = Instant::now();
                    self.sent_bytes += u64::try_from(length).unwrap_or_default();
                    rest = rest.get(length..).filter(|rest| !rest.is_empty()).unwrap_or(message);
                }
                Err(error) if is_passing(&error) => {
                    if moved.elapsed() > STALL_TIMEOUT {
                        return Err(ClientError::Stalled { sent_bytes: self.sent_bytes });
                    }
                }
                Err(cause) => return Err(self.refused(&[]).unwrap_or_else(|| self.broken(cause))),
            }
        }
    }

    /// The server's count. None where it did not come in the time that an interrupted client waits.
    fn await_confirmation(&mut self) -> Result<Option<u64>, ClientError> {
        let mut count = [0; CONFIRMATION_BYTES];
        let mut filled = 0;
        let (mut moved, mut acknowledged, mut interrupted) = (Instant::now(), None, None);
        while let Some(space) = count.get_mut(filled..).filter(|space| !space.is_empty()) {
            match self.connection.read(space) {
                Ok(0) => return Err(ClientError::Unconfirmed { sent_bytes: self.sent_bytes }),
                Ok(length) => filled += length,
                Err(error) if is_passing(&error) => {}
                Err(cause) => return Err(self.refused(&[]).unwrap_or_else(|| self.broken(cause))),
            }
            if self.stop.is_wanted()
                && interrupted.get_or_insert_with(Instant::now).elapsed() > INTERRUPT_PATIENCE
            {
                return Ok(None);
            }
            // What was written may still take long to arrive on a slow path: that is no stall.
            let now_acknowledged = TcpInfo::of(&self.connection).ok().and_then(|info| info.bytes_acked);
            if now_acknowledged != acknowledged {
                (moved, acknowledged) = (Instant::now(), now_acknowledged);
            } else if moved.elapsed() > STALL_TIMEOUT {
                return Err(ClientError::Stalled { sent_bytes: self.sent_bytes });
            }
        }
        self.refused(&count).map_or(Ok(Some(u64::from_be_bytes(count))), Err)
    }

    /// What the server said for an end, if `begun` and what can still be read are its words. They outlive a reset of the connection.
    fn refused(&mut self, begun: &[u8]) -> Option<ClientError> {
        if !begun.is_empty() && !SERVER_SAYS.as_bytes().starts_with(begun) {
            return None;
        }
        let mut words = begun.to_vec();
        let _ = (&mut self.connection).take(MOST_WORDS).read_to_end(&mut words);
        let words = String::from_utf8_lossy(&words);
        let said = words.strip_prefix(SERVER_SAYS)?.lines().next()?.to_owned();
        Some(ClientError::Refused { said })
    }

    fn broken(&self, cause: io::Error) -> ClientError {
        ClientError::Broken { sent_bytes: self.sent_bytes, cause }
    }
}

/// A timeout or a signal: look around, and try again.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn summarize(args: &ClientArgs, start: Instant, outcomes: &[Outcome]) -> Summary {
    let received_bytes = outcomes.iter().map(|outcome| outcome.received_bytes).sum::<Option<u64>>();
    let ended = outcomes.iter().map(|outcome| outcome.ended).max().unwrap_or(start);
    let seconds = ended.duration_since(start).as_secs_f64();
    let interrupted = outcomes.iter().any(|outcome| outcome.interrupted);
    Summary {
        schema: SCHEMA.to_owned(),
        server: args.server.to_string(),
        streams: args.streams,
        message_bytes: args.message_bytes,
        nodelay: args.nodelay,
        ended_by: match args.bytes {
            _ if interrupted => EndedBy::Interrupt,
            Some(_) => EndedBy::Bytes,
            None => EndedBy::Duration,
        },
        sent_bytes: outcomes.iter().map(|outcome| outcome.sent_bytes).sum(),
        received_bytes,
        seconds,
        goodput_gbps: received_bytes
            .filter(|_| seconds > 0.0)
            .map(|bytes| bytes as f64 * 8.0 / seconds / 1e9),
        retransmitted_segments: outcomes
            .iter()
            .map(|outcome| outcome.info.retransmitted_segments.map(u64::from))
            .sum(),
        retransmitted_bytes: outcomes.iter().map(|outcome| outcome.info.bytes_retransmitted).sum(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_shares_of_all_streams_add_up_and_differ_by_one_at_most(bytes: u64, streams in 1u64..300) {
            let shares: Vec<u64> = (0..streams).map(|index| share(bytes, streams, index)).collect();
            prop_assert_eq!(shares.iter().sum::<u64>(), bytes);
            prop_assert!(shares[0] - shares[shares.len() - 1] <= 1);
        }
    }
}
