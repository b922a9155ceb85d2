//! Ctrl-C, SIGTERM, the terminal that goes away, and every other signal that would end this process at once; in an experiment, Ctrl-Z too. A
//! terminal that would stop it in the background does not.

use std::{fmt, future::poll_fn, io, task::Poll};

use nix::sys::signal::{SigHandler, SigSet, Signal as Name};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Those that end what goes on whatever whoever started this process made of them.
const ALWAYS: [i32; 2] = [libc::SIGINT, libc::SIGTERM];
/// Those that end a process unless it listens. Left out: SIGPIPE (a reader that has gone ends nothing), and what says that the process itself
/// went wrong, after which nothing may be relied on.
const UNLESS_IGNORED: [i32; 12] = [
    // `nohup` means to outlive the terminal.
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGSTKFLT,
    libc::SIGXCPU,
    libc::SIGXFSZ,
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGIO,
    libc::SIGPWR,
];

/// A signal. Real-time ones have no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(i32);

impl Number {
    /// Whether it is that one.
    pub(crate) fn is(self, name: Name) -> bool {
        self.0 == name as i32
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Name::try_from(self.0) {
            Ok(name) => f.write_str(name.as_str()),
            Err(_) => write!(f, "signal {}", self.0),
        }
    }
}

/// Listens for the wish to stop, from now on: what comes while nobody waits for it is not lost.
pub(crate) struct Stop {
    signals: Vec<(Number, Signal)>,
    /// The last that ends what goes on.
    came: Option<Number>,
    /// Whether Ctrl-Z came, and nobody has taken it yet.
    is_to_be_suspended: bool,
}

impl Stop {
    pub(crate) fn listen() -> io::Result<Self> {
        not_stopped_by_terminal();
        let mut stop = Self { signals: Vec::new(), came: None, is_to_be_suspended: false };
        for number in ALWAYS {
            stop.add(number)?;
        }
        let real_time = libc::SIGRTMIN()..=libc::SIGRTMAX();
        for number in UNLESS_IGNORED.into_iter().chain(real_time).filter(|number| !is_ignored(*number)) {
            stop.add(number)?;
        }
        Ok(stop)
    }

    /// The same, and for Ctrl-Z, which stops a process only once it says so: for those who have to put something back before.
    pub(crate) fn listen_for_suspension_too() -> io::Result<Self> {
        let mut stop = Self::listen()?;
        if !is_ignored(libc::SIGTSTP) {
            stop.add(libc::SIGTSTP)?;
            hold(Name::SIGCONT)?;
        }
        Ok(stop)
    }

    fn add(&mut self, number: i32) -> io::Result<()> {
        self.signals.push((Number(number), signal(SignalKind::from_raw(number))?));
        Ok(())
    }

    /// Resolves at the next signal, and says which.
    pub(crate) async fn wanted(&mut self) -> Number {
        let number = poll_fn(|context| {
            for (number, signal) in &mut self.signals {
                if signal.poll_recv(context).is_ready() {
                    return Poll::Ready(*number);
                }
            }
            Poll::Pending
        })
        .await;
        if number.is(Name::SIGTSTP) {
            self.is_to_be_suspended = true;
        } else {
            self.came = Some(number);
        }
        number
    }

    /// The last signal that ends what goes on, whoever waited for it.
    pub(crate) async fn came(&mut self) -> Option<Number> {
        loop {
            // Polled, not waited for: what has come is there at once.
            tokio::select! {
                biased;
                _ = self.wanted() => {}
                () = std::future::ready(()) => return self.came,
            }
        }
    }

    /// Whether Ctrl-Z came, of which this is the last that is heard.
    pub(crate) fn take_suspension(&mut self) -> bool {
        std::mem::take(&mut self.is_to_be_suspended)
    }
}

/// Whether whoever stopped this process lets it go on already, before it has come to stop: nobody would do so again. Where SIGCONT is held
/// ([`Stop::listen_for_suspension_too`]), the kernel keeps one only if it came after the last SIGTSTP (`prepare_signal`).
pub(crate) fn is_to_go_on_already() -> bool {
    let mut set = SigSet::empty();
    set.add(Name::SIGCONT);
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the set and the time live as long as the call, and a null pointer says that no details are wanted.
    unsafe {
        libc::sigtimedwait(set.as_ref(), std::ptr::null_mut(), &raw const at_once) == Name::SIGCONT as i32
    }
}

/// Keeps a signal for whoever asks for it. What is started by std does not inherit that.
fn hold(name: Name) -> io::Result<()> {
    let mut set = SigSet::empty();
    set.add(name);
    Ok(set.thread_block()?)
}

/// A terminal stops who reads from it or sets it in the background. Who is stopped puts nothing back, and a COMMAND that is stopped never ends,
/// so neither is: to this process, and to what it starts, the kernel answers a read with EIO, and does the rest.
fn not_stopped_by_terminal() {
    for name in [Name::SIGTTIN, Name::SIGTTOU] {
        // SAFETY: no handler is set.
        let _ = unsafe { nix::sys::signal::signal(name, SigHandler::SigIgn) };
    }
}

/// Whether whoever started this process wants it to take no notice of that one.
fn is_ignored(number: i32) -> bool {
    // SAFETY: an all-zero `sigaction` is a valid value to be written over, and a null new action changes nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(number, std::ptr::null(), &raw mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signal_that_came_while_nobody_waited_is_known_afterwards() {
        let mut stop = Stop::listen_for_suspension_too().unwrap();
        assert_eq!(stop.came().await, None);
        for name in [Name::SIGTERM, Name::SIGQUIT, Name::SIGTSTP] {
            nix::sys::signal::raise(name).unwrap();
            // The handler wakes the runtime, which then tells.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        for _ in 0..100 {
            if stop.came().await.is_some_and(|number| number.is(Name::SIGQUIT)) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert!(stop.came().await.is_some_and(|number| number.is(Name::SIGQUIT)), "and stays known");
        assert!(stop.take_suspension() && !stop.take_suspension(), "Ctrl-Z ends nothing, and is taken once");
    }

    #[test]
    fn a_signal_is_called_by_its_name_where_it_has_one() {
        assert_eq!(Number(libc::SIGALRM).to_string(), "SIGALRM");
        assert_eq!(Number(40).to_string(), "signal 40");
    }
}
