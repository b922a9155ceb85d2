//! Ctrl-C, SIGTERM and whatever else would end this process while something is being changed: the change under way is finished and read back, and no other begun.

use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};

/// Holds the signals back, and tells whether one has come.
#[derive(Debug)]
pub struct Interrupt {
    signals: Option<SignalFd>,
    came: bool,
}

impl Interrupt {
    /// From now on. Call it before threads are started. Where the kernel refuses, signals end the process as ever, which the journal
    /// bears too.
    #[must_use]
    pub fn hold_back() -> Self {
        let mut set = SigSet::empty();
        for signal in [
            Signal::SIGINT,
            Signal::SIGTERM,
            Signal::SIGHUP,
            Signal::SIGQUIT,
            Signal::SIGUSR1,
            Signal::SIGUSR2,
            Signal::SIGALRM,
            Signal::SIGTSTP,
        ] {
            set.add(signal);
        }
        let signals = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).ok();
        let signals = signals.filter(|_| set.thread_block().is_ok());
        Self { signals, came: false }
    }

    /// Whether a signal has come since.
    pub fn came(&mut self) -> bool {
        self.came |=
            self.signals.as_ref().is_some_and(|signals| matches!(signals.read_signal(), Ok(Some(_))));
        self.came
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_noticed_and_stays_noticed() {
        let mut interrupt = Interrupt::hold_back();
        assert!(!interrupt.came());
        // To this thread alone, which holds it back.
        nix::sys::signal::raise(Signal::SIGTERM).unwrap();
        assert!(interrupt.came());
        assert!(interrupt.came());
    }
}
