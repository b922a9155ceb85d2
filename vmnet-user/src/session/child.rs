//! COMMAND: started as the person who called, listened to, and ended with them.

use std::{
    io::ErrorKind,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use nix::{
    sys::{
        prctl::set_child_subreaper,
        signal::{Signal, kill, killpg},
        termios::{SetArg, Termios, tcgetattr, tcsetattr},
        wait::{WaitPidFlag, waitpid},
    },
    unistd::Pid,
};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    process::Command,
    task::JoinHandle,
    time::timeout,
};

use super::{
    Caller, pty,
    stop::{Number, Stop},
    watcher::end_with_us,
};
use crate::benchmark::{Iperf3, prints_json_for_us};

/// Of what the command prints this much is kept, enough for iperf3's JSON of a long test with many streams.
const MOST_OUTPUT: usize = 16 << 20;
/// A command that got Ctrl-C from the terminal has this long before it is told again.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where what a command prints is shown. It is kept in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prints {
    /// Standard output.
    Stdout,
    /// Standard error, as standard output belongs to JSON.
    Stderr,
    /// Nowhere.
    Nowhere,
}

/// A command that runs.
pub(crate) struct Child {
    child: tokio::process::Child,
    /// Its own process group, where it has one, so that all that it starts can be ended with it.
    group: Option<Pid>,
    output: JoinHandle<()>,
    /// How the terminal was, where it has ours.
    terminal: Option<Termios>,
    /// What it printed so far.
    printed: Arc<Mutex<Vec<u8>>>,
    status: Option<std::io::Result<ExitStatus>>,
}

/// A command that has ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) exit_code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: Vec<u8>,
}

impl Ended {
    /// What to tell the person, if it failed by itself.
    pub(crate) fn failure(&self, command: &[String], by_itself: bool) -> Option<String> {
        let name = command.first().map_or("", String::as_str);
        match (self.exit_code, self.signal) {
            (Some(0), _) if by_itself => {
                Iperf3::error(&self.stdout).map(|error| format!("{name} says: {error}"))
            }
            (Some(0), _) => None,
            (Some(code), _) if by_itself => Some(format!("{name} failed with exit code {code}")),
            (None, Some(signal)) if by_itself => Some(format!("{name} was ended by signal {signal}")),
            _ => None,
        }
    }
}

impl Child {
    pub(crate) fn start(words: &[String], caller: &Caller, prints: Prints) -> Result<Self, String> {
        let Some((program, arguments)) = words.split_first() else { return Err("no command".to_owned()) };
        let mut command = Command::new(program);
        let shown = if prints_json_for_us(words) { Prints::Nowhere } else { prints };
        let terminal = (shown == Prints::Stdout).then(pty::open).flatten();
        let (listen, speak) = match terminal {
            Some((listen, speak)) => (Some(listen), Stdio::from(speak)),
            None => (None, Stdio::piped()),
        };
        command.args(arguments).stdout(speak).kill_on_drop(true);
        // At a terminal it stays in our group, where Ctrl-C reaches it and it may read what is typed.
        let own_group = !in_foreground();
        if own_group {
            command.process_group(0);
        } else {
            // Whom it leaves behind becomes our child, and is found by that.
            set_child_subreaper(true).unwrap_or_else(|error| log::debug!("no subreaper: {error}"));
        }
        let terminal = if own_group { None } else { tcgetattr(std::io::stdin()).ok() };
        caller.become_of(&mut command);
        end_with_us(&mut command, caller.stays_root(), own_group);
        let mut child = command.spawn().map_err(|error| {
            let hint = match error.kind() {
                ErrorKind::NotFound => "; is it installed, and in the PATH?",
                _ => "",
            };
            format!("{program} could not be started: {error}{hint}")
        })?;
        let group = child.id().filter(|_| own_group).and_then(|pid| i32::try_from(pid).ok());
        // It holds the command's end of the terminal, which must not stay open here.
        drop(command);
        let piped = child.stdout.take();
        let printed = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&printed);
        let output = tokio::spawn(async move {
            if let Some(mut terminal) = listen {
                gather(&mut terminal, &mut tokio::io::stdout(), &kept).await;
            } else if let Some(mut pipe) = piped {
                match shown {
                    Prints::Nowhere => gather(&mut pipe, &mut tokio::io::sink(), &kept).await,
                    Prints::Stderr => gather(&mut pipe, &mut tokio::io::stderr(), &kept).await,
                    Prints::Stdout => gather(&mut pipe, &mut tokio::io::stdout(), &kept).await,
                }
            }
        });
        Ok(Self { child, group: group.map(Pid::from_raw), output, terminal, printed, status: None })
    }

    /// Resolves when it has ended. May be dropped and called again.
    pub(crate) async fn ended(&mut self) {
        if self.status.is_none() {
            self.status = Some(self.child.wait().await);
        }
    }

    /// What came of it, and all that it printed.
    pub(crate) async fn collect(mut self) -> Result<Ended, String> {
        use std::os::unix::process::ExitStatusExt;
        self.ended().await;
        let status = match self.status.take() {
            Some(Ok(status)) => status,
            Some(Err(error)) => return Err(format!("waiting for the command failed: {error}")),
            None => return Err("the command's end was missed".to_owned()),
        };
        // A grandchild may hold the pipe open for ever.
        if timeout(PATIENCE, &mut self.output).await.is_err() {
            self.output.abort();
        }
        self.end_those_left_behind();
        if let Some(terminal) = self.terminal.as_ref().filter(|_| in_foreground()) {
            let _ = tcsetattr(std::io::stdin(), SetArg::TCSADRAIN, terminal);
        }
        let stdout = self.printed.lock().map(|mut printed| std::mem::take(&mut *printed)).unwrap_or_default();
        Ok(Ended { exit_code: status.code(), signal: status.signal(), stdout })
    }

    /// After Ctrl-C or SIGTERM: at a terminal the command got Ctrl-C as well; otherwise it is told.
    pub(crate) async fn interrupted(&mut self, signal: Number, stop: &mut Stop) {
        if signal.is(Signal::SIGINT) && self.group.is_none() {
            let _ = timeout(PATIENCE, self.ended_or(stop)).await;
        }
        self.end(stop).await;
    }

    /// Ends it: asked, told, killed.
    pub(crate) async fn end(&mut self, stop: &mut Stop) {
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
            if self.status.is_none() {
                self.signal(signal);
                // Ctrl-Z may have stopped it, and who is stopped takes no notice.
                self.signal(Signal::SIGCONT);
                let _ = timeout(PATIENCE, self.ended_or(stop)).await;
            }
        }
        self.end_those_left_behind();
    }

    /// Ends what it started and did not wait for: its group, and at a terminal, where it has none of its own, who became our child. Who began a
    /// session means to outlive both.
    fn end_those_left_behind(&self) {
        if let Some(group) = self.group {
            let _ = killpg(group, Signal::SIGTERM);
            let _ = killpg(group, Signal::SIGCONT);
            return;
        }
        let command = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        let session = nix::unistd::getsid(None).map_or(-1, Pid::as_raw);
        for (pid, of) in adopted().into_iter().filter(|(pid, _)| Some(pid.as_raw()) != command) {
            if of == session {
                let _ = kill(pid, Signal::SIGTERM);
                let _ = kill(pid, Signal::SIGCONT);
            }
            // Those of before, that have ended.
            let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
        }
    }

    /// Resolves when it has ended, or at another Ctrl-C.
    async fn ended_or(&mut self, stop: &mut Stop) {
        tokio::select! {
            () = self.ended() => {}
            _ = stop.wanted() => {}
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            let _ = killpg(group, signal);
        } else if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

/// Our children, and theirs, each with its session.
fn adopted() -> Vec<(Pid, i32)> {
    let Ok(processes) = procfs::process::all_processes() else { return Vec::new() };
    let all: Vec<(i32, i32, i32)> = processes
        .filter_map(|process| process.ok()?.stat().ok())
        .map(|stat| (stat.pid, stat.ppid, stat.session))
        .collect();
    let mut found: Vec<(Pid, i32)> = Vec::new();
    let mut parents = vec![nix::unistd::getpid().as_raw()];
    while let Some(parent) = parents.pop() {
        for (pid, _, session) in all.iter().filter(|(_, ppid, _)| *ppid == parent) {
            // What was read while processes came and went might go round in a circle.
            if !found.iter().any(|(known, _)| known.as_raw() == *pid) {
                found.push((Pid::from_raw(*pid), *session));
                parents.push(*pid);
            }
        }
    }
    found
}

/// Whether this process, and so its child, is in the foreground of a terminal, whose Ctrl-C goes to both.
fn in_foreground() -> bool {
    nix::unistd::tcgetpgrp(std::io::stdin()).is_ok_and(|foreground| foreground == nix::unistd::getpgrp())
}

async fn gather(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    kept: &Mutex<Vec<u8>>,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count) = from.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        let Some(bytes) = buffer.get(..count) else { break };
        if let Ok(mut kept) = kept.lock() {
            let room = MOST_OUTPUT.saturating_sub(kept.len());
            kept.extend_from_slice(bytes.get(..room.min(count)).unwrap_or_default());
        }
        // Nobody listening is no reason to stop the command.
        let _ = to.write_all(bytes).await;
        let _ = to.flush().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_we_interrupted_did_not_fail() {
        let ended = Ended { exit_code: Some(1), signal: None, stdout: Vec::new() };
        assert_eq!(ended.failure(&["x".to_owned()], false), None);
        assert_eq!(ended.failure(&["x".to_owned()], true), Some("x failed with exit code 1".to_owned()));
        let told = br#"{"start": {}, "error": "error - unable to connect to server"}"#.to_vec();
        let well = Ended { exit_code: Some(0), signal: None, stdout: told };
        let failure = well.failure(&["iperf3".to_owned()], true);
        assert_eq!(failure.as_deref(), Some("iperf3 says: error - unable to connect to server"));
    }
}
