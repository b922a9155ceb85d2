//! A QEMU that runs: its monitor, and what goes over the guest's second serial port.

use std::io::{Read, Write as _};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, bail};

use super::Vm;
use super::host_end::Running;
use super::qemu::{self, Birth, Files};
use super::qmp::Monitor;
use super::serial::{Parser, Piece};
use crate::interrupt;

/// How often Ctrl-C is looked for while nothing comes.
const LOOK: Duration = Duration::from_millis(100);

/// How long QEMU may take to end after the guest has said its last word.
const POWER_OFF: Duration = Duration::from_secs(20);

/// Ended on drop.
#[derive(Debug)]
pub(super) struct Machine {
    running: Running,
    /// When QEMU was.
    pub(super) started: Instant,
    pub(super) monitor: Monitor,
    to_guest: ChildStdin,
    from_guest: Receiver<Vec<u8>>,
    from_qemu: Receiver<Vec<u8>>,
    parser: Parser,
    /// Pieces that were looked at, and not taken.
    heard: Vec<Piece>,
}

impl Machine {
    /// Starts QEMU, by a command that has no arguments yet.
    pub(super) fn start(mut qemu: Command, vm: &Vm, files: &Files<'_>, birth: Birth<'_>) -> Result<Self> {
        qemu.args(qemu::arguments(vm, files, birth))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let started = Instant::now();
        let mut running = Running::start(&mut qemu)?;
        let (Some(to_guest), Some(stdout), Some(stderr)) =
            (running.0.stdin.take(), running.0.stdout.take(), running.0.stderr.take())
        else {
            bail!("QEMU has no standard streams");
        };
        let (from_guest, from_qemu) = (chunks_of(stdout), chunks_of(stderr));
        let monitor = Monitor::connect(&files.monitor(), &mut running).map_err(|error| {
            // It has ended, or is ended here, so that what it said comes to an end.
            let _ = running.0.kill();
            let said: Vec<u8> = from_qemu.iter().flatten().collect();
            anyhow!("{error:#}. {}", String::from_utf8_lossy(&said).trim())
        })?;
        Ok(Self {
            running,
            started,
            monitor,
            to_guest,
            from_guest,
            from_qemu,
            parser: Parser::default(),
            heard: Vec::new(),
        })
    }

    /// What the guest sent next. Waits until `deadline`, and returns nothing when it has passed.
    pub(super) fn next(&mut self, deadline: Instant) -> Result<Option<Vec<Piece>>> {
        if !self.heard.is_empty() {
            return Ok(Some(std::mem::take(&mut self.heard)));
        }
        loop {
            interrupt::check()?;
            match self.from_guest.recv_timeout(LOOK) {
                Ok(bytes) => return Ok(Some(self.parser.feed(&bytes))),
                Err(RecvTimeoutError::Timeout) if Instant::now() > deadline => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    // Ctrl-C ends QEMU as well.
                    interrupt::check()?;
                    let said: Vec<u8> = self.from_qemu.iter().flatten().collect();
                    bail!("ended before the script did. {}", String::from_utf8_lossy(&said).trim());
                }
            }
        }
    }

    /// Whether the guest says so in time. What comes with that word is what comes next.
    pub(super) fn is_alive(&mut self, within: Duration) -> Result<bool> {
        let deadline = Instant::now() + within;
        let mut heard = Vec::new();
        while let Some(pieces) = self.next(deadline)? {
            let is_alive = pieces.contains(&Piece::Alive);
            heard.extend(pieces);
            if is_alive {
                self.heard = heard;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells the guest to go, with what no two machines share: the time, and something to stir into its random numbers.
    pub(super) fn go(&mut self) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        self.say(&format!("{} {}-{}", now.as_secs(), std::process::id(), now.as_nanos()))
    }

    /// A line for the guest.
    pub(super) fn say(&mut self, line: &str) -> Result<()> {
        self.to_guest
            .write_all(format!("{line}\n").as_bytes())
            .and_then(|()| self.to_guest.flush())
            .context("the guest waits for an answer")
    }

    /// The end of its output is the end of QEMU.
    pub(super) fn wait_for_end(mut self) -> Result<()> {
        let said = Instant::now();
        while said.elapsed() < POWER_OFF {
            interrupt::check()?;
            if let Err(RecvTimeoutError::Disconnected) = self.from_guest.recv_timeout(LOOK) {
                self.running.0.wait()?;
                return Ok(());
            }
        }
        bail!("did not power off in {} s", POWER_OFF.as_secs())
    }
}

/// What comes, as it comes, until the end. The thread ends with the stream.
fn chunks_of(mut stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}
