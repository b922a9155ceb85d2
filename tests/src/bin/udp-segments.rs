//! `udp-segments ADDRESS:PORT SECONDS`: UDP handed to the kernel many segments at a time (`UDP_SEGMENT`, Linux 4.18), as QUIC does.
//!
//! Nobody needs to listen: what comes back is not looked at. It says how many segments it handed over.

use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};

const SEGMENT_BYTES: i32 = 1_400;
const SEGMENTS: usize = 40;
const PAUSE: Duration = Duration::from_millis(10);

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [to, seconds] = words.as_slice() else { bail!("usage: udp-segments ADDRESS:PORT SECONDS") };
    let any = if to.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(any).context("a UDP socket")?;
    setsockopt(&socket, UdpGsoSegment, &SEGMENT_BYTES).context("UDP_SEGMENT")?;
    let payload = vec![0; SEGMENTS * usize::try_from(SEGMENT_BYTES)?];
    let until = Instant::now() + Duration::try_from_secs_f64(seconds.parse()?)?;
    let mut handed = 0;
    while Instant::now() < until {
        socket.send_to(&payload, to.as_str()).with_context(|| format!("sending to {to}"))?;
        handed += SEGMENTS;
        thread::sleep(PAUSE);
    }
    println!("{handed} segments");
    Ok(())
}
