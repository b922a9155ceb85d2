//! Ctrl-C, SIGTERM, and the terminal that goes away.

use std::io;

use nix::sys::signal::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for the wish to stop, from now on: what comes while nobody waits for it is not lost.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
    /// None under `nohup`, which means to outlive the terminal.
    hangup: Option<Signal>,
    came: Option<Number>,
}

impl Stop {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if hangup_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) },
            came: None,
        })
    }

    /// Resolves at the next signal, and says which.
    pub(crate) async fn wanted(&mut self) -> Number {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        let number = tokio::select! {
            _ = self.interrupt.recv() => Number::SIGINT,
            _ = self.terminate.recv() => Number::SIGTERM,
            _ = hangup => Number::SIGHUP,
        };
        self.came = Some(number);
        number
    }

    /// The last signal that came, whoever waited for it.
    pub(crate) async fn came(&mut self) -> Option<Number> {
        // Polled once: what has come is there at once.
        tokio::select! {
            biased;
            _ = self.wanted() => {}
            () = std::future::ready(()) => {}
        }
        self.came
    }
}

/// Whether whoever started this process wants it to live on without its terminal.
fn hangup_is_ignored() -> bool {
    // SAFETY: an all-zero `sigaction` is a valid value to be written over, and a null new action changes nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGHUP, std::ptr::null(), &raw mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signal_that_came_while_nobody_waited_is_known_afterwards() {
        let mut stop = Stop::listen().unwrap();
        assert_eq!(stop.came().await, None);
        nix::sys::signal::raise(Number::SIGTERM).unwrap();
        // The handler wakes the runtime, which then tells.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert_eq!(stop.came().await, Some(Number::SIGTERM));
        assert_eq!(stop.came().await, Some(Number::SIGTERM), "and stays known");
    }
}
