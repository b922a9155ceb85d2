//! What happened in a window.

use super::delta::{Delta, both, sockets_between};
use super::frees;
use super::light::Light;
use super::sample::{Counting, Retransmitted, Window};

impl Window<'_> {
    /// The longest MTU that the interface had: what was sent under another one is judged by it as well.
    #[must_use]
    pub fn mtu(&self) -> u32 {
        self.samples.iter().filter_map(|sample| sample.mtu).fold(self.conditions.mtu, u32::max)
    }

    /// From the first sample to the last. Counters of less than 64 bits are added up over consecutive samples, so
    /// they may wrap as often as there are samples. None with fewer than two samples.
    #[must_use]
    pub fn delta(&self) -> Option<Delta> {
        let delta = self.differences().reduce(Delta::then)?;
        // Sockets are dear to ask, so only the samples at the edges know them.
        let (first, last) = (self.samples.first()?, self.samples.last()?);
        let sockets = both(first.sockets, last.sockets, sockets_between);
        let retransmitted = both(first.retransmitted, last.retransmitted, Retransmitted::between);
        Some(self.completed(Delta { sockets, retransmitted, ..delta }))
    }

    /// Between consecutive samples, in order of time.
    pub fn intervals(&self) -> impl Iterator<Item = Delta> {
        self.differences().map(|delta| self.completed(delta))
    }

    /// Where counting is light, the hooks at the driver counted nothing, or only now and then.
    fn completed(&self, mut delta: Delta) -> Delta {
        delta.freed_after_sending = frees::take_out(self, &mut delta);
        if self.conditions.counting == Counting::Light && delta.traced.is_some() {
            let light = Light::of(self, &delta).map(Box::new);
            if let Some(counted) = delta.traced.as_deref_mut() {
                // A packet that was in the driver, or in `skb_segment`, as a window began or ended: no fault of the light ledger's, which
                // does not use either.
                let health = &mut counted.health;
                (health.unmatched_xmits, health.lost_starts, health.unmatched_skb_segment_exits) = (0, 0, 0);
                if let Ok(light) = &light {
                    light.fill(counted);
                }
            }
            delta.light = Some(light);
        }
        delta
    }

    fn differences(&self) -> impl Iterator<Item = Delta> {
        self.samples.windows(2).filter_map(|pair| match pair {
            [earlier, later] => Some(Delta::between(earlier, later)),
            _ => None,
        })
    }

    /// From the first sample to the last.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        match (self.samples.first(), self.samples.last()) {
            (Some(first), Some(last)) => last.at_ns.saturating_sub(first.at_ns),
            _ => 0,
        }
    }
}
