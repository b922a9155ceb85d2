//! `sctp-bulk serve PORT`: takes one SCTP connection after the other, and says how much came by each.
//! `sctp-bulk send ADDRESS:PORT BYTES`: sends so much. SCTP builds super-packets too (`GSO_BY_FRAGS`), which have no one size of segment.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use anyhow::{Context as _, Result, bail};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrIn, accept, bind, connect, listen,
    socket,
};

const WRITE_BYTES: usize = 32_768;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", port] => serve(port.parse()?),
        ["send", to, bytes] => send(to.parse()?, bytes.parse()?),
        _ => bail!("usage: sctp-bulk serve PORT | send ADDRESS:PORT BYTES"),
    }
}

fn sctp() -> Result<OwnedFd> {
    socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, SockProtocol::Sctp)
        .context("an SCTP socket")
}

fn serve(port: u16) -> Result<()> {
    let listening = sctp()?;
    bind(listening.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, port)).context("bind")?;
    listen(&listening, Backlog::new(1)?).context("listen")?;
    loop {
        let accepted = accept(listening.as_raw_fd()).context("accept")?;
        // SAFETY: `accept` has just made it, and nobody else knows it.
        let mut connection = File::from(unsafe { OwnedFd::from_raw_fd(accepted) });
        let mut buffer = vec![0; WRITE_BYTES];
        let mut received = 0;
        loop {
            match connection.read(&mut buffer)? {
                0 => break,
                bytes => received += bytes,
            }
        }
        println!("received {received} bytes by SCTP");
    }
}

fn send(to: SocketAddrV4, bytes: usize) -> Result<()> {
    let connection = sctp()?;
    connect(connection.as_raw_fd(), &SockaddrIn::from(to)).with_context(|| format!("connecting to {to}"))?;
    let mut connection = File::from(connection);
    let buffer = vec![0; WRITE_BYTES];
    let mut left = bytes;
    while left != 0 {
        left -=
            connection.write(&buffer[..left.min(WRITE_BYTES)]).with_context(|| format!("sending to {to}"))?;
    }
    Ok(())
}
