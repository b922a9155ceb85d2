//! The end that discards.

use std::{
    fmt,
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::{POLL_MS, Stop, address::DEFAULT_PORT};

/// Read at once; larger gains nothing on loopback, smaller costs calls.
const READ_BYTES: usize = 256 * 1024;
/// With `--once`: how long the last stream of a client may be behind the one before, when that has ended already.
const ONCE_GRACE_MS: u64 = 200;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is taken, not of this machine, or not allowed.
    #[error("cannot listen on {address}: {cause}{}", if cause.kind() == io::ErrorKind::AddrInUse { "; another server has it: end that, or give --listen another port" } else { "" })]
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// Why not.
        cause: io::Error,
    },
    /// It listened, and then could not go on.
    #[error("cannot accept connections: {0}")]
    Accept(io::Error),
}

/// What one connection brought.
#[derive(Debug)]
pub struct Connection {
    /// The client.
    pub peer: SocketAddr,
    /// Payload received.
    pub bytes: u64,
    /// From its acceptance to its end.
    pub seconds: f64,
    /// What ended it before its time.
    pub error: Option<String>,
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {} bytes in {:.3} s", self.peer, self.bytes, self.seconds)?;
        match &self.error {
            Some(error) => write!(f, ", cut short: {error}"),
            None => Ok(()),
        }
    }
}

/// All connections together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Connections that ended.
    pub connections: u64,
    /// Payload received.
    pub bytes: u64,
}

impl Received {
    fn add(&mut self, connection: &Connection) {
        self.connections += 1;
        self.bytes += connection.bytes;
    }
}

/// Listens at `address`; where none is given at port 5310 of all addresses, IPv6 and IPv4, or IPv4 alone where the kernel has no IPv6.
///
/// # Errors
/// When the address cannot be had.
pub fn bind(address: Option<SocketAddr>) -> Result<TcpListener, ServerError> {
    let listen = |address| TcpListener::bind(address).map_err(|cause| ServerError::Listen { address, cause });
    let any = |ip: IpAddr| SocketAddr::new(ip, DEFAULT_PORT);
    match address {
        Some(address) => listen(address),
        None => match listen(any(Ipv6Addr::UNSPECIFIED.into())) {
            Err(ServerError::Listen { cause, .. }) if cause.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
                listen(any(Ipv4Addr::UNSPECIFIED.into()))
            }
            listener => listener,
        },
    }
}

/// Accepts connections and discards what they bring, until stopped, or with `once` until the first client's streams have ended. `report` gets
/// each connection when it has ended.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    once: bool,
    stop: Stop,
    mut report: impl FnMut(&Connection),
) -> Result<Received, ServerError> {
    listener.set_nonblocking(true).map_err(ServerError::Accept)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(ServerError::Accept)?;
    let mut connections = JoinSet::new();
    let mut received = Received::default();
    loop {
        let idle = once && received.connections > 0 && connections.is_empty();
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let stop = stop.clone();
                    // A thread of its own: blocking calls are cheaper than readiness for a few busy streams.
                    connections.spawn_blocking(move || discard(stream, peer, &stop));
                }
                // That one went away before it was accepted.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    stop.want();
                    return Err(ServerError::Accept(error));
                }
            },
            Some(Ok(connection)) = connections.join_next() => {
                report(&connection);
                received.add(&connection);
            }
            () = tokio::time::sleep(Duration::from_millis(ONCE_GRACE_MS)), if idle => break,
            () = stop.wanted() => break,
        }
    }
    while let Some(ended) = connections.join_next().await {
        if let Ok(connection) = ended {
            report(&connection);
            received.add(&connection);
        }
    }
    Ok(received)
}

fn discard(stream: tokio::net::TcpStream, peer: SocketAddr, stop: &Stop) -> Connection {
    let start = Instant::now();
    let mut bytes = 0;
    let result = stream.into_std().and_then(|stream| count_and_confirm(stream, stop, &mut bytes));
    Connection {
        peer,
        bytes,
        seconds: start.elapsed().as_secs_f64(),
        error: result.err().map(|error| error.to_string()),
    }
}

/// Reads to the end of the stream, then tells how much it was. `bytes` holds what was read so far also when it fails.
fn count_and_confirm(mut stream: TcpStream, stop: &Stop, bytes: &mut u64) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_millis(POLL_MS)))?;
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => *bytes += u64::try_from(length).map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if stop.is_wanted() {
            return Err(io::Error::other("the server was stopped"));
        }
    }
    stream.write_all(&bytes.to_be_bytes())
}
