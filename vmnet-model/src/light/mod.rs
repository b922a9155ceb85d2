//! The light ledger: where every byte went, without a hook per segment.
//!
//! A super-packet passes once, at `net_dev_queue`, and once more at `__skb_gso_segment` if it is segmented. What the driver got
//! the kernel counts itself: `tx_packets` and `tx_bytes` of the device, D and T. With singles S and super-packets W at the queue,
//! d made and dropped, x that segmentation added and u that no program saw, **D = S + W − d + x + u**, and the same in bytes.
//!
//! Where functions are hooked, x is counted, lane by lane. Elsewhere x is what the device shows: nothing, everything, or what the
//! queue foresaw (`need & ~dev->features`), which is believed only where packets *and* bytes say the same. In any other case
//! there are a least and a most.

mod audited;
mod beside;
mod entry;
mod fill;
pub(crate) mod ledger;
mod payload;
mod solve;
mod terms;
mod view;

use vmnet_common::{Class, Counters, LANES, Lane};

pub use self::beside::beside;
pub use self::ledger::Light;
use self::solve::{Seen, Solution};
use self::terms::{Distribution, Terms};
pub use self::view::LightView;
use super::delta::Delta;
use super::driver_semantics::{CountedAs, DriverRow, DriverSemantics};
use super::hook::Hook;
use super::sample::Window;
use super::slack::Edges;

#[cfg(test)]
mod tests;

impl Light {
    /// The light ledger of a window, whose difference is `delta`.
    ///
    /// # Errors
    /// Why it takes the exact hooks, in words.
    pub fn of(window: &Window<'_>, delta: &Delta) -> Result<Self, String> {
        let counted = delta.traced.as_deref().ok_or("no programs counted")?;
        let link = delta.link.ok_or("the interface's counters decreased: it was recreated during the run")?;
        let hooked = window.conditions.hooks.counts(Hook::SkbGsoSegment);
        if let Some(why) = needs_exact_hooks(delta, counted, hooked) {
            return Err(why);
        }
        let edges = Edges::of(window, delta);
        let slack = edges.reading(link.tx_packets).saturating_add(edges.ring(1));
        let semantics = semantics(window, delta)?;
        if semantics.packets == CountedAs::WireSegments && !hooked {
            return Err(
                "the device counts wire segments, and no function is hooked that counts them too".to_owned()
            );
        }
        let terms = Lane::ALL.map(|lane| Terms::of(counted, lane));
        let mtu = u64::from(window.mtu());
        let distributions = Lane::ALL.map(|lane| Distribution::of(counted, lane, mtu));
        let backlog = edges.backlog_of(
            terms.iter().map(|terms| terms.segs()).sum(),
            terms.iter().map(|terms| terms.bytes() + terms.supers.header_bytes).sum(),
        );
        let mean = link.tx_bytes.checked_div(link.tx_packets).unwrap_or(0).saturating_add(1);
        let seen = Seen {
            packets: link.tx_packets,
            bytes: semantics.length_bytes(link.tx_packets, link.tx_bytes),
            counted_as: semantics.packets,
            unseen_at_the_queue: unseen_at_the_queue(delta, &terms),
            slack_packets: slack.saturating_add(backlog.0),
            slack_bytes: edges
                .reading(link.tx_bytes)
                .saturating_add(edges.ring(mean))
                .saturating_add(backlog.1),
        };
        let solution = if hooked { Solution::counted(&terms) } else { Solution::found(&terms, &seen) };
        let expected = solution.expected(&terms, seen.counted_as);
        let (device_bytes, counted_as) = (seen.bytes, seen.counted_as);
        Ok(Self { terms, distributions, solution, expected, device_bytes, counted_as })
    }
}

/// What the device's counters count: as its row says, or as a window in which every hook counted shows.
///
/// # Errors
/// Why they do not serve, in words.
pub fn semantics(window: &Window<'_>, delta: &Delta) -> Result<DriverSemantics, String> {
    if let DriverRow::Known(semantics) = window.conditions.driver {
        return Ok(semantics);
    }
    let counted = delta.traced.as_deref().ok_or("no programs counted")?;
    let link = delta.link.ok_or("the interface's counters decreased")?;
    let edges = Edges::of(window, delta);
    let slack = edges.reading(link.tx_packets).saturating_add(edges.ring(1));
    DriverSemantics::ask(counted, &link, slack)
}

/// What was seen of packets that the light way cannot count.
fn needs_exact_hooks(delta: &Delta, counted: &Counters, hooked: bool) -> Option<String> {
    let uncountable = counted.segmentation.uncountable;
    if uncountable != 0 {
        return Some(format!(
            "{uncountable} calls made segments that no length tells (GSO_PARTIAL, fragment lists, GSO_BY_FRAGS)"
        ));
    }
    let other = Terms::of(counted, Lane::Other);
    let others = counted.stages[0][Lane::Other as usize].cells[Class::Control as usize];
    if other.supers.packets != 0 || others.segs > others.packets {
        return Some("super-packets of neither TCP nor UDP passed (SCTP, ESP)".to_owned());
    }
    let splits = delta.qdisc.is_some_and(|qdisc| qdisc.may_segment);
    (splits && !hooked).then(|| {
        "the qdisc may segment by itself (tbf, cake), and no function is hooked that counts it".to_owned()
    })
}

/// Wire segments that the qdisc was given beyond those that the hook before it saw: each packet has one at least. 0 where no
/// qdisc tells.
fn unseen_at_the_queue(delta: &Delta, terms: &[Terms; LANES]) -> u64 {
    let queued: u64 = terms.iter().map(Terms::segs).sum();
    let given = delta.qdisc.filter(|qdisc| !qdisc.may_segment).map_or(0, |qdisc| qdisc.packets);
    given.saturating_sub(queued)
}
