//! The browser's process, and the two pipes to it: one JSON message after another, each ended by a zero byte.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Browser, PATIENCE};
use crate::command::find;
use crate::interrupt;

/// How long the browser may take to end by itself before it is ended.
const FAREWELL: Duration = Duration::from_secs(5);

/// How often Ctrl-C is looked for while nothing comes.
const LOOK: Duration = Duration::from_millis(200);

/// A browser process that can be asked.
#[derive(Debug)]
pub(super) struct Pipe {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    last_id: u64,
    /// The longest that one answer may take.
    pub(super) patience: Duration,
    events: VecDeque<Value>,
    // Removed after the process has ended: `drop` comes before the fields do.
    directory: TempDir,
}

impl Pipe {
    /// Starts the browser with these arguments and a fresh profile.
    pub(super) fn start(arguments: &[&str]) -> Result<Self> {
        let program = find(Browser::PROGRAM).ok_or_else(|| {
            anyhow!("{} is not installed (`cargo xtask setup` installs it)", Browser::PROGRAM)
        })?;
        let directory = tempfile::Builder::new().prefix("vmnet-browser-").tempdir()?;
        let said = fs::File::create(directory.path().join("stderr"))?;
        let mut command = Command::new("sh");
        // It listens on descriptor 3 and answers on 4.
        command.args(["-c", r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null"#, "sh"]);
        command.args(["setpriv", "--pdeathsig", "KILL"]).arg(program).args(arguments);
        command.arg("--remote-debugging-pipe");
        command.arg(format!("--user-data-dir={}", directory.path().join("profile").display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(said);
        // A group of its own, so that none of its processes is left.
        command.process_group(0);
        let mut child = command.spawn().context("the browser could not be started")?;
        let to = child.stdin.take().ok_or_else(|| anyhow!("the browser has no standard input"))?;
        let from = child.stdout.take().ok_or_else(|| anyhow!("the browser has no standard output"))?;
        let from = messages_of(BufReader::new(from));
        Ok(Self { child, to, from, last_id: 0, patience: PATIENCE, events: VecDeque::new(), directory })
    }

    /// The process's own directory, its profile in it.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Asks, and waits for the answer. `session` is a tab; none is the browser itself.
    pub(super) fn call(&mut self, session: Option<&str>, method: &str, parameters: &Value) -> Result<Value> {
        let id = self.send(session, method, parameters)?;
        let asked = Instant::now();
        loop {
            let message = self.next(asked).with_context(|| format!("{method} of the browser"))?;
            if message["id"] != id {
                self.events.push_back(message);
                continue;
            }
            if let Some(error) = message.get("error") {
                bail!("the browser refused {method}: {error}");
            }
            return Ok(message["result"].clone());
        }
    }

    /// Waits for an event of this tab.
    pub(super) fn wait_for(&mut self, session: &str, method: &str) -> Result<()> {
        let asked = Instant::now();
        let is_it = |event: &Value| event["sessionId"] == session && event["method"] == method;
        while !self.events.iter().any(is_it) {
            let message = self.next(asked).with_context(|| format!("{method} of the browser"))?;
            self.events.push_back(message);
        }
        Ok(())
    }

    /// Takes what this tab has told so far.
    pub(super) fn events_of(&mut self, session: &str) -> Vec<Value> {
        let (its, others): (Vec<_>, Vec<_>) =
            self.events.drain(..).partition(|event| event["sessionId"] == session);
        self.events = others.into();
        its
    }

    fn send(&mut self, session: Option<&str>, method: &str, parameters: &Value) -> Result<u64> {
        self.last_id += 1;
        let mut message = json!({ "id": self.last_id, "method": method, "params": parameters });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = serde_json::to_vec(&message)?;
        bytes.push(0);
        self.to.write_all(&bytes).and_then(|()| self.to.flush()).map_err(|error| self.gone(&error.into()))?;
        Ok(self.last_id)
    }

    fn next(&self, asked: Instant) -> Result<Value> {
        loop {
            interrupt::check()?;
            match self.from.recv_timeout(LOOK) {
                Ok(message) => return Ok(message),
                Err(RecvTimeoutError::Disconnected) => return Err(self.gone(&anyhow!("it has ended"))),
                Err(RecvTimeoutError::Timeout) if asked.elapsed() < self.patience => {}
                Err(RecvTimeoutError::Timeout) => bail!("no answer in {} s", self.patience.as_secs()),
            }
        }
    }

    fn gone(&self, error: &anyhow::Error) -> anyhow::Error {
        let said = fs::read_to_string(self.directory.path().join("stderr")).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        let last = lines[lines.len().saturating_sub(10)..].join("\n");
        anyhow!("the browser does not answer: {error:#}; its last words:\n{last}")
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // Ending by itself it also waits for its own children.
        if self.send(None, "Browser.close", &json!({})).is_ok() {
            let asked = Instant::now();
            while matches!(self.child.try_wait(), Ok(None)) && asked.elapsed() < FAREWELL {
                // Its last words; then the end of the stream, a moment before that of the process.
                if self.from.recv_timeout(LOOK).is_err() {
                    thread::sleep(Duration::from_millis(10));
                }
            }
        }
        // Fails only if all of the group have ended. Its leader has not been waited for by anyone else, so that the number is
        // either still the group's or nobody's.
        let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// What comes, message by message, until the end. The thread ends with the stream, or when nobody listens.
fn messages_of(mut stream: impl BufRead + Send + 'static) -> Receiver<Value> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        while let Ok(1..) = stream.read_until(0, &mut bytes) {
            if bytes.pop() == Some(0)
                && let Ok(message) = serde_json::from_slice(&bytes)
                && sender.send(message).is_err()
            {
                break;
            }
            bytes.clear();
        }
    });
    receiver
}
