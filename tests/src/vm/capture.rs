//! An independent witness: what passes the tap, by tcpdump.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{ChildStderr, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::host_end::{Host, Running, TAP};

/// A capture that runs.
#[derive(Debug)]
pub(super) struct Capture {
    tcpdump: Running,
    said: BufReader<ChildStderr>,
}

impl Capture {
    /// Starts, and returns when packets are being captured.
    pub(super) fn start(host: &Host, bytes_per_packet: u32, pcap: &Path) -> Result<Self> {
        let mut command = host.command("tcpdump");
        // A buffer of 64 MiB, so that none are lost while the emulator has the CPUs. Immediate, or what came in the last second
        // before the end is still in the ring then, and never written.
        command.args([
            "-i",
            TAP,
            "-n",
            "-U",
            // Otherwise the kernel hands packets over in blocks, up to a second late: SIGINT would lose the last
            // block, and nothing would count it as lost.
            "--immediate-mode",
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
        let stderr = tcpdump.0.stderr.take().ok_or_else(|| anyhow!("tcpdump has no standard error"))?;
        let mut said = BufReader::new(stderr);
        let mut text = String::new();
        while !text.contains("listening on") {
            if said.read_line(&mut text)? == 0 {
                bail!("tcpdump did not start: {}", text.trim());
            }
        }
        Ok(Self { tcpdump, said })
    }

    /// Ends it and returns the pcap. A capture that lost packets is no witness: an error.
    pub(super) fn finish(mut self, pcap: &Path) -> Result<Vec<u8>> {
        // On SIGINT tcpdump writes what it still holds, and says how much it lost.
        kill(Pid::from_raw(self.tcpdump.0.id().cast_signed()), Signal::SIGINT)?;
        let mut text = String::new();
        self.said.read_to_string(&mut text)?;
        self.tcpdump.0.wait()?;
        match dropped_packets(&text) {
            Some(0) => fs::read(pcap).with_context(|| format!("{} could not be read", pcap.display())),
            Some(lost) => bail!("the capture lost {lost} packets"),
            None => bail!("tcpdump did not say whether it lost packets: {}", text.trim()),
        }
    }
}

fn dropped_packets(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.ends_with("dropped by kernel"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tcpdump_lost_is_read_from_its_last_words() {
        let said = "12 packets captured\n12 packets received by filter\n3 packets dropped by kernel\n";
        assert_eq!(dropped_packets(said), Some(3));
        assert_eq!(dropped_packets("tcpdump: error"), None);
    }
}
