//! When the programs count. Where a device segments, each one behind it sees a packet for each segment, and a hook for each of those is what no body
//! can make cheap: then they count for a while at a time. What a device counts itself is read at the same edges.

use std::time::{Duration, Instant};

use super::{watch::Reading, way::Way, world::World};
use crate::probes::path::PathProbes;

/// The first window: long enough for a short transfer as a whole.
const FIRST: Duration = Duration::from_millis(400);
/// The others.
pub(super) const WINDOW: Duration = Duration::from_millis(100);
/// From the start of one to the start of the next.
const BETWEEN: Duration = Duration::from_millis(2_000);
/// So many singles at all queues in a second are worth a closed window.
const MANY_SINGLES_PER_S: f64 = 50_000.0;

/// Counting, or not, and what was counted.
pub(super) struct Windows<'a> {
    world: &'a mut World,
    way: &'a Way,
    probes: Option<&'a mut PathProbes>,
    /// Whether every packet is to be counted, whatever that costs.
    exact: bool,
    /// The start of the one that is open.
    open: Option<Reading>,
    /// When that opened, or the last one did.
    since: Instant,
    is_first: bool,
    counted: Vec<(Reading, Reading)>,
}

impl<'a> Windows<'a> {
    /// Opens the first.
    pub(super) fn open(
        world: &'a mut World,
        way: &'a Way,
        probes: Option<&'a mut PathProbes>,
        exact: bool,
    ) -> anyhow::Result<Self> {
        let since = Instant::now();
        let mut windows =
            Self { world, way, probes, exact, open: None, since, is_first: true, counted: Vec::new() };
        windows.open = Some(windows.read()?);
        Ok(windows)
    }

    fn read(&mut self) -> anyhow::Result<Reading> {
        Reading::take(self.world, &self.way.stops, self.probes.as_deref())
    }

    /// When [`Self::turn`] is due.
    pub(super) fn next(&self) -> Instant {
        let length = match (&self.open, self.is_first) {
            (None, _) => BETWEEN,
            (Some(_), true) => FIRST,
            (Some(_), false) => WINDOW,
        };
        self.since + length
    }

    /// Closes the window that is open where that saves something, or opens the next.
    pub(super) fn turn(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        let Some(from) = self.open.take() else {
            if let Some(probes) = &mut self.probes {
                probes.resume().map_err(anyhow::Error::msg)?;
            }
            self.since = now;
            self.open = Some(self.read()?);
            return Ok(());
        };
        let to = self.read()?;
        let seconds = to.at().duration_since(from.at()).as_secs_f64();
        let is_dear = to.singles_since(&from) as f64 > MANY_SINGLES_PER_S * seconds;
        if self.exact || self.probes.is_none() || (self.is_first && !is_dear) {
            // It stays open, and is looked at again.
            self.since = now;
            self.open = Some(from);
            return Ok(());
        }
        if let Some(probes) = &mut self.probes {
            probes.pause();
        }
        if self.is_first {
            self.since = now;
        }
        self.is_first = false;
        self.counted.push((from, to));
        Ok(())
    }

    /// Whether a window is open, so that there is something to wait for.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The last reading of the one that is open, and whether nothing moved any more since the one before.
    pub(super) fn look(&mut self, last: Option<&Reading>) -> anyhow::Result<(Reading, bool)> {
        let reading = self.read()?;
        let is_at_rest = last.is_some_and(|last| reading.is_same(last));
        Ok((reading, is_at_rest))
    }

    /// All of them. `last` ends the one that is open.
    pub(super) fn end(mut self, last: Option<Reading>) -> Vec<(Reading, Reading)> {
        if let (Some(from), Some(to)) = (self.open.take(), last) {
            self.counted.push((from, to));
        }
        self.counted
    }
}
