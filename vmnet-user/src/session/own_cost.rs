//! What the programs themselves take, where the kernel kept their run times in the first window alone: to keep them takes two clock
//! reads for each run of each program, which is more than most of the programs.

/// Time that programs ran for, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RunNs {
    /// Those that count all the time.
    pub(super) always: u64,
    /// Those of windows.
    pub(super) in_windows: u64,
}

impl RunNs {
    pub(super) fn since(self, then: Self) -> Self {
        Self {
            always: self.always.saturating_sub(then.always),
            in_windows: self.in_windows.saturating_sub(then.in_windows),
        }
    }
}

/// Packets that the hook at the queue counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Queued {
    /// Since the run began.
    pub(super) all: u64,
    /// Of them, while a window was open.
    pub(super) in_windows: u64,
}

/// What the first window showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FirstWindow {
    /// The programs' time in it.
    pub(super) ran: RunNs,
    /// Packets in it.
    pub(super) packets: u64,
}

impl FirstWindow {
    /// The whole run's time: every packet took as much as those in the first window. None where there was none.
    pub(super) fn scaled_to(&self, queued: Queued) -> Option<u64> {
        let scaled = |ns: u64, packets: u64| {
            u64::try_from(u128::from(ns) * u128::from(packets) / u128::from(self.packets)).ok()
        };
        if self.packets == 0 {
            return None;
        }
        scaled(self.ran.always, queued.all)?.checked_add(scaled(self.ran.in_windows, queued.in_windows)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_all_the_time_is_scaled_to_all_packets_and_windows_hooks_to_theirs() {
        let first = FirstWindow { ran: RunNs { always: 1_000, in_windows: 9_000 }, packets: 10 };
        assert_eq!(first.scaled_to(Queued { all: 100, in_windows: 20 }), Some(10_000 + 18_000));
        // A run that ended in its first window: nothing is estimated.
        assert_eq!(first.scaled_to(Queued { all: 10, in_windows: 10 }), Some(10_000));
    }

    #[test]
    fn a_window_without_packets_tells_nothing_and_absurd_counts_do_not_panic() {
        let empty = FirstWindow { ran: RunNs::default(), packets: 0 };
        assert_eq!(empty.scaled_to(Queued { all: 5, in_windows: 5 }), None);
        let absurd = FirstWindow { ran: RunNs { always: u64::MAX, in_windows: 1 }, packets: 1 };
        assert_eq!(absurd.scaled_to(Queued { all: u64::MAX, in_windows: 0 }), None);
    }
}
