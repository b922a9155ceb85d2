//! A process with all that it starts, ended together.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::command::shown;

/// Ends with the value, by SIGKILL, group and all.
#[derive(Debug)]
pub(super) struct Group(pub(super) Child);

impl Group {
    /// Starts it as the leader of its group. What it says is lost unless `command` says where it goes.
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let started = command.stdin(Stdio::null()).process_group(0).spawn();
        started.map(Self).with_context(|| format!("`{}`", shown(command)))
    }

    /// The same, in silence.
    pub(super) fn start_silent(command: &mut Command) -> Result<Self> {
        Self::start(command.stdout(Stdio::null()).stderr(Stdio::null()))
    }

    /// Its leader.
    pub(super) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.id()).unwrap_or(i32::MAX))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Fails only if all have ended already.
        let _ = killpg(self.pid(), Signal::SIGKILL);
        let _ = self.0.wait();
    }
}
