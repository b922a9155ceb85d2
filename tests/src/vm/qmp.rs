//! QEMU's monitor, over its socket (docs/interop/qmp-spec.rst of QEMU).

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};

use super::host_end::Running;
use crate::interrupt;

/// How long QEMU may take to listen, and to answer: far longer than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether something has come to pass.
const LOOK: Duration = Duration::from_millis(5);

/// A monitor that takes commands.
#[derive(Debug)]
pub(super) struct Monitor {
    stream: BufReader<UnixStream>,
}

impl Monitor {
    /// Connects as soon as QEMU listens. An error if it ends before.
    pub(super) fn connect(socket: &Path, machine: &mut Running) -> Result<Self> {
        let started = Instant::now();
        let stream = loop {
            interrupt::check()?;
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(error) if started.elapsed() > PATIENCE => {
                    return Err(error).context("QEMU's monitor does not listen");
                }
                Err(_) if machine.0.try_wait()?.is_some() => bail!("QEMU ended before its monitor listened"),
                Err(_) => thread::sleep(LOOK),
            }
        };
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut monitor = Self { stream: BufReader::new(stream) };
        // It speaks first.
        monitor.line()?;
        monitor.execute("qmp_capabilities", &json!({}))?;
        Ok(monitor)
    }

    /// One command, and what it returns. An error is QEMU's own description.
    pub(super) fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let line = json!({"execute": command, "arguments": arguments});
        self.stream.get_mut().write_all(format!("{line}\n").as_bytes())?;
        loop {
            let answer = self.line().with_context(|| format!("QEMU's monitor, {command}"))?;
            if let Some(error) = answer.get("error") {
                bail!("QEMU refuses {command}: {}", error["desc"].as_str().unwrap_or("without a reason"));
            }
            if let Some(value) = answer.get("return") {
                return Ok(value.clone());
            }
            // Anything else is an event.
        }
    }

    /// Plugs in a device, in the words of the command line's `-device`.
    pub(super) fn plug_in(&mut self, device: &str) -> Result<()> {
        let line = format!("device_add {device}");
        let said = self.execute("human-monitor-command", &json!({"command-line": line}))?;
        match said.as_str().map(str::trim) {
            Some("") => Ok(()),
            said => bail!("QEMU does not take {device}: {}", said.unwrap_or_default()),
        }
    }

    /// Writes the machine's state to a file. It is stopped, and stays so.
    pub(super) fn save(&mut self, file: &Path) -> Result<()> {
        self.execute("stop", &json!({}))?;
        // As fast as it goes, in one pass: nothing runs meanwhile.
        self.execute("migrate-set-parameters", &json!({"max-bandwidth": 1_u64 << 40}))?;
        self.execute("migrate", &json!({"uri": uri(file)}))?;
        self.wait_for_migration("saved")
    }

    /// Takes over the state of that file. It stays stopped.
    pub(super) fn restore(&mut self, file: &Path) -> Result<()> {
        // Or QEMU sends frames of its own in the guest's name, to announce where it is now.
        self.execute("migrate-set-parameters", &json!({"announce-rounds": 0}))?;
        self.execute("migrate-incoming", &json!({"uri": uri(file)}))?;
        self.wait_for_migration("restored")
    }

    /// Lets the machine run.
    pub(super) fn resume(&mut self) -> Result<()> {
        self.execute("cont", &json!({})).map(drop)
    }

    fn wait_for_migration(&mut self, done: &str) -> Result<()> {
        let started = Instant::now();
        loop {
            interrupt::check()?;
            let progress = self.execute("query-migrate", &json!({}))?;
            match progress["status"].as_str() {
                Some("completed") => return Ok(()),
                Some("failed" | "cancelled") => {
                    let why = progress["error-desc"].as_str().unwrap_or("QEMU does not say why");
                    bail!("the state was not {done}: {why}");
                }
                _ if started.elapsed() > PATIENCE => bail!("the state was not {done} in time: {progress}"),
                _ => thread::sleep(LOOK),
            }
        }
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(anyhow!("QEMU has ended"));
        }
        Ok(serde_json::from_str(&line)?)
    }
}

fn uri(file: &Path) -> String {
    format!("file:{}", file.display())
}
