//! What held the senders up, by the account that the kernel's TCP keeps of each socket: its own congestion window, the receiver's window, or
//! the room in the send buffer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One socket that may send, at one moment. Times and counts are since it was made; None where the kernel does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// Its number, never used again while the machine runs.
    pub cookie: u64,
    /// `tcpi_busy_time` (4.10): time with something to send or not acknowledged yet, µs. Holds the next two.
    pub busy_us: Option<u64>,
    /// `tcpi_rwnd_limited`: the part of it that the receiver's window held it up, µs.
    pub rwnd_limited_us: Option<u64>,
    /// `tcpi_sndbuf_limited`: the part of it that a full send buffer held it up, µs.
    pub sndbuf_limited_us: Option<u64>,
    /// `tcpi_bytes_sent` (4.19): payload, retransmits included.
    pub bytes_sent: Option<u64>,
    /// `tcpi_total_retrans`: segments.
    pub retransmitted_segs: Option<u32>,
    /// `tcpi_rtt`: smoothed round trip, µs.
    pub rtt_us: Option<u32>,
    /// `tcpi_snd_cwnd`: congestion window, segments.
    pub cwnd_segs: Option<u32>,
    /// `tcpi_snd_mss`: bytes.
    pub mss_bytes: Option<u32>,
    /// `tcpi_delivery_rate_app_limited` (4.9): the application gave less than could be sent.
    pub app_limited: Option<bool>,
    /// `tcpi_pacing_rate`: what it would pace itself to, bytes a second.
    pub pacing_bytes_per_s: Option<u64>,
    /// `tcpi_max_pacing_rate`: what the application lets it have, bytes a second; None where it set nothing.
    pub most_pacing_bytes_per_s: Option<u64>,
}

/// What held the senders up during a window: sums over the sockets that lived at its end. What closed before is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderLimits {
    /// Sockets that were busy sending in the window.
    pub sockets: u32,
    /// Σ time with something to send or not acknowledged yet, µs; holds the next two.
    pub busy_us: u64,
    /// Σ of it, held up by the receivers' windows, µs.
    pub rwnd_limited_us: u64,
    /// Σ of it, held up by full send buffers, µs.
    pub sndbuf_limited_us: u64,
    /// Σ payload sent, bytes; None where the kernel does not tell (before 4.19).
    pub bytes_sent: Option<u64>,
    /// Σ segments retransmitted.
    pub retransmitted_segs: u64,
    /// Median of their round trips at the window's end, µs.
    pub rtt_us: Option<u32>,
    /// Median of their congestion windows at its end, segments.
    pub cwnd_segs: Option<u32>,
    /// Σ of their congestion windows at its end, bytes: more cannot be in flight.
    pub cwnd_bytes: Option<u64>,
    /// Those whose last rate was limited by the application.
    pub app_limited_sockets: u32,
    /// When that was, since the run began; None in recordings of before.
    #[serde(default)]
    pub after_ns: Option<u64>,
    /// Those that sent a hundredth of it all or more; 0 in recordings of before.
    #[serde(default)]
    pub bulk_sockets: u32,
    /// Σ of what these would pace themselves to at its end, bytes a second; None where one has no such rate, and in recordings of before.
    #[serde(default)]
    pub pacing_bytes_per_s: Option<u64>,
    /// Those of them to which the application set a most (`SO_MAX_PACING_RATE`).
    #[serde(default)]
    pub capped_sockets: u32,
}

/// Sockets that sent less than one in so many of all bytes have no part in what all are paced to.
const BULK_ONE_IN: u64 = 100;

impl SenderLimits {
    /// What happened between two looks; a socket that is new in the second counts from its beginning. None where this kernel keeps no
    /// such account (before 4.10), or no socket was busy.
    #[must_use]
    pub fn between(before: &[Sender], after: &[Sender]) -> Option<Self> {
        let earlier: BTreeMap<u64, &Sender> = before.iter().map(|sender| (sender.cookie, sender)).collect();
        let mut sum = Self { bytes_sent: Some(0), ..Self::default() };
        let (mut busy, mut sent) = (Vec::new(), Vec::new());
        for sender in after {
            let begin = earlier.get(&sender.cookie).copied();
            let grown = |of: fn(&Sender) -> Option<u64>| {
                Some(of(sender)?.saturating_sub(begin.and_then(of).unwrap_or_default()))
            };
            let Some(busy_us) = grown(|sender| sender.busy_us).filter(|busy_us| *busy_us > 0) else {
                continue;
            };
            sum.busy_us += busy_us;
            sum.rwnd_limited_us += grown(|sender| sender.rwnd_limited_us).unwrap_or_default();
            sum.sndbuf_limited_us += grown(|sender| sender.sndbuf_limited_us).unwrap_or_default();
            sum.retransmitted_segs +=
                grown(|sender| sender.retransmitted_segs.map(u64::from)).unwrap_or_default();
            let bytes_sent = grown(|sender| sender.bytes_sent);
            sum.bytes_sent = sum.bytes_sent.zip(bytes_sent).map(|(sum, more)| sum + more);
            sum.app_limited_sockets += u32::from(sender.app_limited == Some(true));
            sent.push(bytes_sent);
            busy.push(*sender);
        }
        if busy.is_empty() {
            return None;
        }
        sum.sockets = u32::try_from(busy.len()).unwrap_or(u32::MAX);
        sum.rtt_us = median(busy.iter().filter_map(|sender| sender.rtt_us));
        sum.cwnd_segs = median(busy.iter().filter_map(|sender| sender.cwnd_segs));
        sum.cwnd_bytes = busy
            .iter()
            .map(|sender| Some(u64::from(sender.cwnd_segs?) * u64::from(sender.mss_bytes?)))
            .sum::<Option<u64>>();
        // A benchmark's control connection has a rate too, which it never makes use of.
        let is_bulk = |bytes: &Option<u64>| {
            bytes.zip(sum.bytes_sent).is_none_or(|(bytes, all)| bytes.saturating_mul(BULK_ONE_IN) >= all)
        };
        let bulk = || busy.iter().zip(&sent).filter(|(_, bytes)| is_bulk(bytes)).map(|(sender, _)| sender);
        let pacing_bytes_per_s = bulk()
            .map(|sender| sender.pacing_bytes_per_s)
            .try_fold(0_u64, |sum, rate| Some(sum.saturating_add(rate?)));
        let bulk_sockets = bulk().count();
        let capped = bulk().filter(|sender| sender.most_pacing_bytes_per_s.is_some()).count();
        sum.pacing_bytes_per_s = pacing_bytes_per_s;
        sum.bulk_sockets = u32::try_from(bulk_sockets).unwrap_or(u32::MAX);
        sum.capped_sockets = u32::try_from(capped).unwrap_or(u32::MAX);
        Some(sum)
    }

    /// Share of the busy time in which the receivers' windows held the senders up.
    #[must_use]
    pub fn rwnd_limited_share(&self) -> f64 {
        self.rwnd_limited_us as f64 / self.busy_us.max(1) as f64
    }

    /// Share of the busy time in which full send buffers held the senders up.
    #[must_use]
    pub fn sndbuf_limited_share(&self) -> f64 {
        self.sndbuf_limited_us as f64 / self.busy_us.max(1) as f64
    }
}

/// Looks at the senders, one after the other, while a run goes on.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    first: Vec<Sender>,
    last: Vec<Sender>,
    /// Between the first look and the last that saw a sender.
    limits: Option<SenderLimits>,
}

impl Looks {
    /// Begins with this look.
    #[must_use]
    pub fn begin(first: Vec<Sender>) -> Self {
        Self { last: first.clone(), first, limits: None }
    }

    /// Adds the next look, so long after the first. Gives what happened since the one before; None where no socket was busy.
    pub fn add(&mut self, now: Vec<Sender>, after_ns: u64) -> Option<SenderLimits> {
        let since_last = SenderLimits::between(&self.last, &now);
        // A command's sockets are gone when the run ends, those that sent before one that says that it ends. What the last look said that saw
        // them all is kept.
        let sent = |limits: &SenderLimits| limits.bytes_sent.unwrap_or(u64::MAX);
        if let Some(limits) = SenderLimits::between(&self.first, &now)
            && self.limits.as_ref().is_none_or(|known| sent(known) <= sent(&limits))
        {
            self.limits = Some(SenderLimits { after_ns: Some(after_ns), ..limits });
        }
        self.last = now;
        since_last
    }

    /// What happened since the first look, as far as the last that saw a sender knew.
    #[must_use]
    pub fn limits(&self) -> Option<&SenderLimits> {
        self.limits.as_ref()
    }
}

/// The lower one of two.
fn median(values: impl Iterator<Item = u32>) -> Option<u32> {
    let mut values: Vec<u32> = values.collect();
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(cookie: u64, busy_us: u64, rwnd_limited_us: u64) -> Sender {
        Sender {
            cookie,
            busy_us: Some(busy_us),
            rwnd_limited_us: Some(rwnd_limited_us),
            sndbuf_limited_us: Some(0),
            bytes_sent: Some(busy_us * 10),
            retransmitted_segs: Some(1),
            rtt_us: Some(100),
            cwnd_segs: Some(10),
            mss_bytes: Some(1448),
            app_limited: Some(false),
            pacing_bytes_per_s: Some(1_000),
            most_pacing_bytes_per_s: (cookie == 2).then_some(1_000),
        }
    }

    #[test]
    fn only_what_came_between_the_looks_counts_and_a_new_socket_counts_whole() {
        let limits =
            SenderLimits::between(&[sender(1, 1000, 900)], &[sender(1, 3000, 1900), sender(2, 500, 0)])
                .unwrap();
        assert_eq!((limits.sockets, limits.busy_us, limits.rwnd_limited_us), (2, 2500, 1000));
        assert_eq!((limits.bytes_sent, limits.retransmitted_segs), (Some(25_000), 1));
        assert_eq!(limits.cwnd_bytes, Some(28_960));
        assert_eq!((limits.pacing_bytes_per_s, limits.capped_sockets), (Some(2_000), 1));
        assert!((limits.rwnd_limited_share() - 0.4).abs() < 1e-9);
    }

    #[test]
    fn a_control_connection_has_no_part_in_what_the_senders_are_paced_to() {
        let control = Sender { bytes_sent: Some(800), pacing_bytes_per_s: Some(1 << 30), ..sender(1, 40, 0) };
        let limits = SenderLimits::between(&[], &[control, sender(2, 100_000, 0)]).unwrap();
        assert_eq!((limits.sockets, limits.bulk_sockets, limits.capped_sockets), (2, 1, 1));
        assert_eq!(limits.pacing_bytes_per_s, Some(1_000));
    }

    #[test]
    fn a_socket_that_was_not_busy_is_no_sender() {
        assert_eq!(SenderLimits::between(&[sender(1, 1000, 0)], &[sender(1, 1000, 0)]), None);
        assert_eq!(SenderLimits::between(&[], &[]), None);
    }

    #[test]
    fn each_look_tells_what_came_since_the_one_before_and_the_last_that_saw_a_sender_is_kept() {
        let with_rtt = |sender: Sender, rtt_us| Sender { rtt_us: Some(rtt_us), ..sender };
        let mut looks = Looks::begin(vec![sender(1, 1000, 0)]);
        assert_eq!(looks.limits(), None);
        let since = looks.add(vec![with_rtt(sender(1, 2000, 0), 420), sender(2, 500, 0)], 1).unwrap();
        assert_eq!((since.sockets, since.rtt_us), (2, Some(100)), "the lower one of two");
        // The first rests: its round trip is no longer one under load.
        let since = looks.add(vec![sender(1, 2000, 0), with_rtt(sender(2, 900, 0), 700)], 2).unwrap();
        assert_eq!((since.sockets, since.busy_us, since.rtt_us), (1, 400, Some(700)));
        assert_eq!(
            looks.add(vec![sender(3, 40, 0)], 3).unwrap().sockets,
            1,
            "a control connection that ends last"
        );
        assert_eq!(looks.add(Vec::new(), 4), None);
        let limits = looks.limits().unwrap();
        assert_eq!((limits.sockets, limits.busy_us, limits.after_ns), (2, 1900, Some(2)));
    }

    #[test]
    fn a_kernel_that_keeps_no_account_gives_none_and_not_zeros() {
        assert_eq!(SenderLimits::between(&[], &[Sender { cookie: 1, ..Sender::default() }]), None);
        let partly = Sender { bytes_sent: None, ..sender(1, 5, 0) };
        assert_eq!(SenderLimits::between(&[], &[partly]).unwrap().bytes_sent, None);
    }
}
