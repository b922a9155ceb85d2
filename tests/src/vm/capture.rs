//! An independent witness: what passes the tap, by tcpdump.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::host_end::{Host, Running, TAP};

/// A capture that runs.
#[derive(Debug)]
pub(super) struct Capture {
    tcpdump: Running,
}

impl Capture {
    /// Starts, and returns when packets are being captured.
    pub(super) fn start(host: &Host, bytes_per_packet: u32, pcap: &Path) -> Result<Self> {
        let mut command = host.command("tcpdump");
        command.args([
            "-i",
            TAP,
            "-n",
            "-U",
            "-Z",
            "root",
            "-B",
            "65536",
            "-s",
            &bytes_per_packet.to_string(),
            "-w",
        ]);
        command.arg(pcap).stderr(Stdio::piped());
        let mut tcpdump = Running::start(&mut command)?;
        let mut said = String::new();
        if let Some(stderr) = tcpdump.0.stderr.take() {
            let mut reader = BufReader::new(stderr);
            while reader.read_line(&mut said)? > 0 {
                if said.contains("listening on") {
                    return Ok(Self { tcpdump });
                }
            }
        }
        bail!("tcpdump did not start: {}", said.trim())
    }

    /// Ends it and returns the pcap.
    pub(super) fn finish(mut self, pcap: &Path) -> Result<Vec<u8>> {
        // On SIGINT tcpdump writes what it still holds.
        kill(Pid::from_raw(self.tcpdump.0.id().cast_signed()), Signal::SIGINT)?;
        self.tcpdump.0.wait()?;
        fs::read(pcap).with_context(|| format!("{} could not be read", pcap.display()))
    }
}
