//! When the hooks per segment count, where counting is light: in a first window, as soon as there is traffic, and now and then
//! after it. In each of them the light ledger is held against every packet.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::verdict::FEWEST_AUDITED_PACKETS;

/// How long the first window lasts from its first packet on, and longer until it has seen what a proof takes: where packets are that
/// rare, to count each of them costs nothing.
const FIRST: Duration = Duration::from_millis(150);
/// It ends sooner when this many packets have reached the driver.
const FIRST_PACKETS: u64 = 20_000;
/// How often it is looked whether there are any, and once there are, how many.
const WAIT: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_millis(50);
/// How long every later window lasts: with [`BETWEEN`], less than a hundredth of the time.
const LATER: Duration = Duration::from_millis(50);
/// From the end of one window to the next.
const BETWEEN: Duration = Duration::from_secs(6);

/// What is to be done at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// Attach: a window begins.
    Open,
    /// Decide whether counting is to be light from here on, and if so detach: the first window ends.
    CloseFirst,
    /// Detach: another window ends.
    Close,
}

/// The schedule of one run.
#[derive(Debug)]
pub(super) struct Windows {
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Open since the run began; no packet yet.
    Waiting {
        look: Instant,
    },
    /// Open.
    Open {
        until: Instant,
        first: bool,
    },
    Closed {
        until: Instant,
    },
    /// None any more: what there is stays as it is.
    Over,
}

impl Windows {
    /// The first window is open, as every hook is attached when a run begins.
    pub(super) fn begin(now: Instant) -> Self {
        Self { state: State::Waiting { look: now + WAIT } }
    }

    /// There are none: every segment is counted all the time, or nothing is.
    pub(super) fn none() -> Self {
        Self { state: State::Over }
    }

    /// Whether every segment is counted now.
    #[cfg(test)]
    fn is_open(&self) -> bool {
        matches!(self.state, State::Waiting { .. } | State::Open { .. })
    }

    /// Whether it matters how many packets there were: in the first window.
    pub(super) fn counts_packets(&self) -> bool {
        matches!(self.state, State::Waiting { .. } | State::Open { first: true, .. })
    }

    /// When to look next; None if never.
    pub(super) fn next(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { look } => Some(look),
            // The first ends by the number of its packets as well.
            State::Open { first: true, .. } => Some(Instant::now() + LOOK),
            State::Open { until, .. } | State::Closed { until } => Some(until),
            State::Over => None,
        }
    }

    /// Looks: `packets` have reached the driver, as the hooks there counted since the run began.
    pub(super) fn look(&mut self, now: Instant, packets: u64) -> Option<Edge> {
        match self.state {
            State::Waiting { .. } if packets == 0 => {
                self.state = State::Waiting { look: now + WAIT };
                None
            }
            State::Waiting { .. } if packets < FIRST_PACKETS => {
                self.state = State::Open { until: now + FIRST, first: true };
                None
            }
            State::Open { first: true, .. } if packets < FEWEST_AUDITED_PACKETS => None,
            State::Open { until, first } if now < until && !(first && packets >= FIRST_PACKETS) => None,
            State::Waiting { .. } | State::Open { first: true, .. } => {
                self.state = State::Closed { until: now + BETWEEN };
                Some(Edge::CloseFirst)
            }
            State::Open { first: false, .. } => {
                self.state = State::Closed { until: now + BETWEEN };
                Some(Edge::Close)
            }
            State::Closed { until } if now >= until => {
                self.state = State::Open { until: now + LATER, first: false };
                Some(Edge::Open)
            }
            State::Closed { .. } | State::Over => None,
        }
    }

    /// Everything stays as it is from now on.
    pub(super) fn end(&mut self) {
        self.state = State::Over;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_window_waits_for_traffic_and_ends_by_time_or_packets_but_not_before_it_has_enough() {
        let begun = Instant::now();
        let mut windows = Windows::begin(begun);
        assert!(windows.is_open());
        let after = |ms| begun + Duration::from_millis(ms);
        assert_eq!(windows.look(after(50), 0), None);
        assert_eq!(windows.look(after(5_000), 0), None);
        assert_eq!(windows.look(after(5_020), 10), None);
        assert_eq!(windows.look(after(5_100), 200), None);
        assert_eq!(windows.look(after(5_170), 300), None);
        assert_eq!(windows.look(after(9_000), FEWEST_AUDITED_PACKETS - 1), None);
        assert_eq!(windows.look(after(9_020), FEWEST_AUDITED_PACKETS), Some(Edge::CloseFirst));
        assert!(!windows.is_open());
        let mut busy = Windows::begin(begun);
        assert_eq!(busy.look(after(20), 1), None);
        assert_eq!(busy.look(after(40), FIRST_PACKETS), Some(Edge::CloseFirst));
    }

    #[tokio::test]
    async fn later_windows_take_less_than_a_hundredth_of_the_time() {
        let mut windows = Windows::begin(Instant::now());
        let mut now = Instant::now();
        windows.look(now, FIRST_PACKETS);
        let begun = now;
        let mut open = Duration::ZERO;
        for _ in 0..20 {
            let next = windows.next().unwrap();
            if windows.is_open() {
                open += next - now;
            }
            now = next;
            assert!(windows.look(now, FIRST_PACKETS).is_some());
        }
        assert!(open.as_secs_f64() / (now - begun).as_secs_f64() < 0.01, "{open:?}");
    }
}
