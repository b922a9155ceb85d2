//! The end that discards.
//!
//! Whoever reaches the port can talk to it, so everything that they could have it hold is bounded: connections, the time that one may
//! say nothing, and the memory of each, which is no more than a task's.

use std::{
    cell::RefCell,
    fmt,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    task::JoinSet,
    time::{sleep, sleep_until, timeout},
};

use super::{SERVER_SAYS, Stop, address::DEFAULT_PORT, args::Limits};

/// Read at once; larger gains nothing on loopback, smaller costs calls.
const READ_BYTES: usize = 256 * 1024;
/// With `--once`: how long the last stream of a client may be behind the one before, when that has ended already.
const ONCE_GRACE_MS: u64 = 200;
/// After the kernel had no file or no memory for a connection: what there is too little of now, comes back as others end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
    /// Connections that found no place.
    pub refused: u64,
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, bytes, refused } = self;
        write!(f, "{connections} connections, {bytes} bytes received")?;
        match refused {
            0 => Ok(()),
            refused => write!(f, ", {refused} connections refused"),
        }
    }
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

/// Who can connect to a server that listens at `address`, in words.
#[must_use]
pub fn reach(address: SocketAddr) -> String {
    let ip = address.ip();
    if ip.to_canonical().is_loopback() {
        return "only this machine can connect".to_owned();
    }
    if ip.is_unspecified() {
        let families = if ip.is_ipv6() { "IPv6 and IPv4" } else { "IPv4" };
        return format!(
            "whoever reaches any address of this machine can connect, over {families}; --listen ADDR:{} narrows it down",
            address.port()
        );
    }
    format!("whoever reaches {ip} can connect")
}

/// Accepts connections and discards what they bring, until stopped, or with `once` until the first client's streams have ended. `report` gets
/// each connection when it has ended.
///
/// # Errors
/// When the listener is none any more. What the kernel has too little of at the moment is waited for.
pub async fn serve(
    listener: TcpListener,
    once: bool,
    limits: Limits,
    stop: Stop,
    mut report: impl FnMut(&Connection),
) -> Result<Received, ServerError> {
    listener.set_nonblocking(true).map_err(ServerError::Accept)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(ServerError::Accept)?;
    let mut connections = JoinSet::new();
    let mut received = Received::default();
    let mut short_until = None;
    loop {
        let idle = once && received.connections > 0 && connections.is_empty();
        tokio::select! {
            accepted = listener.accept(), if short_until.is_none() => match accepted {
                Ok((stream, _)) if connections.len() >= limits.connections() => {
                    if received.refused == 0 {
                        log::warn!("{} connections are open, the most: refusing others until one ends", limits.connections());
                    }
                    received.refused += 1;
                    refuse(&stream, &limits);
                }
                Ok((stream, peer)) => {
                    let stop = stop.clone();
                    connections.spawn(async move { discard(stream, peer, limits.idle_timeout, &stop).await });
                }
                Err(error) if is_no_listener(&error) => {
                    stop.want();
                    return Err(ServerError::Accept(error));
                }
                // That one went away before it was accepted.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    log::debug!("cannot accept a connection for now: {error}");
                    short_until = Some(tokio::time::Instant::now() + ACCEPT_PAUSE);
                }
            },
            () = until(short_until), if short_until.is_some() => short_until = None,
            Some(Ok(connection)) = connections.join_next() => {
                report(&connection);
                received.add(&connection);
            }
            () = sleep(Duration::from_millis(ONCE_GRACE_MS)), if idle => break,
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

async fn until(time: Option<tokio::time::Instant>) {
    if let Some(time) = time {
        sleep_until(time).await;
    }
}

/// Whether accepting can never succeed again. accept(2) hands on what went wrong on the network before, and lack of files or memory passes.
fn is_no_listener(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBADF | libc::EINVAL | libc::ENOTSOCK | libc::EFAULT))
}

/// Tells a client that there is no place for it. A new connection has room for a line; one that has not is not worth waiting for.
fn refuse(stream: &TcpStream, limits: &Limits) {
    let line = format!("{SERVER_SAYS}{} connections are open, and it takes no more\n", limits.connections());
    let _ = stream.try_write(line.as_bytes());
}

async fn discard(mut stream: TcpStream, peer: SocketAddr, idle_timeout: Duration, stop: &Stop) -> Connection {
    let start = Instant::now();
    let mut bytes = 0;
    let result = tokio::select! {
        result = count_and_confirm(&mut stream, idle_timeout, &mut bytes) => result,
        () = stop.wanted() => Err(io::Error::other("the server was stopped")),
    };
    Connection {
        peer,
        bytes,
        seconds: start.elapsed().as_secs_f64(),
        error: result.err().map(|error| error.to_string()),
    }
}

/// Reads to the end of the stream, then tells how much it was. `bytes` holds what was read so far also when it fails.
async fn count_and_confirm(
    stream: &mut TcpStream,
    idle_timeout: Duration,
    bytes: &mut u64,
) -> io::Result<()> {
    loop {
        let Ok(readable) = timeout(idle_timeout, stream.readable()).await else {
            let what = format!("nothing came for {} s", idle_timeout.as_secs_f64());
            let _ = stream.try_write(format!("{SERVER_SAYS}{what}\n").as_bytes());
            return Err(io::Error::other(what));
        };
        readable?;
        match into_the_void(stream) {
            Ok(0) => break,
            Ok(length) => *bytes += u64::try_from(length).map_err(io::Error::other)?,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    let told = timeout(idle_timeout, stream.write_all(&bytes.to_be_bytes())).await;
    told.unwrap_or_else(|_| Err(io::Error::other("the client does not take its confirmation")))
}

/// Reads what is there. The buffer is a thread's, as nobody looks at what is in it: a connection that says nothing holds none.
fn into_the_void(stream: &TcpStream) -> io::Result<usize> {
    thread_local! {
        static VOID: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
    }
    VOID.with_borrow_mut(|buffer| stream.try_read(buffer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_connect_is_told_by_the_address() {
        let of = |text: &str| reach(text.parse().unwrap());
        for loopback in ["127.0.0.1:5310", "[::1]:5310", "[::ffff:127.0.0.1]:5310"] {
            assert_eq!(of(loopback), "only this machine can connect", "{loopback}");
        }
        assert!(of("[::]:5310").contains("IPv6 and IPv4"));
        assert!(of("0.0.0.0:80").ends_with("over IPv4; --listen ADDR:80 narrows it down"));
        assert_eq!(of("192.0.2.1:80"), "whoever reaches 192.0.2.1 can connect");
    }

    #[test]
    fn only_a_listener_that_is_none_ends_the_server() {
        for passing in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EPROTO, libc::EPERM] {
            assert!(!is_no_listener(&io::Error::from_raw_os_error(passing)), "{passing}");
        }
        assert!(is_no_listener(&io::Error::from_raw_os_error(libc::EBADF)));
    }
}
