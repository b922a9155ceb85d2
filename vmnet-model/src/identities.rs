//! The identities, one function each. Left and right always come from different sources.

use vmnet_common::{Caller, Class, Counters, Lane, Split, Stage};

use super::delta::{Delta, QdiscDelta};
use super::driver_semantics::{CountedAs, DriverSemantics};
use super::hook::{Hook, HookState};
use super::identity::{Identity, IdentityId, Unit};
use super::sample::Window;
use super::slack::Edges;
use super::tally::{TCP_AND_UDP_LANES, TCP_LANES, Tally, bounded, cell, lane, scaled_up};
use crate::audited::OF_WINDOWS;

/// `__skb_gso_segment` and `skb_segment` nest in tunnels, so a CPU can be inside a few calls at once.
const CALLS_IN_FLIGHT_PER_CPU: u64 = 4;

/// What a VLAN tag adds to a packet.
const VLAN_TAG_BYTES: u64 = 4;

const QUEUE: &str = "net_dev_queue";
const XMIT: &str = "net_dev_xmit";
const XMIT_AND_DROPS: &str = "net_dev_xmit + kfree_skb";
const QUEUE_AND_SEGMENTATION: &str = "net_dev_queue + __skb_gso_segment";
const QUEUE_AND_FORECAST: &str = "net_dev_queue + its forecast";

/// What the sign of a difference between the two sides means.
const QUEUED_AGAINST_LEFT: &str =
    "positive: queued and not seen to leave or drop; negative: left without having been queued";
const QDISC: &str = "qdisc";

/// All identities of a window, measured or not.
pub(crate) fn all(window: &Window<'_>, delta: &Delta, counted: &Counters) -> Vec<Identity> {
    let facts = Facts::of(window, delta, counted);
    let [wire_bytes, wire_segments, driver_packets] = match delta.light {
        None => [facts.wire_bytes(), facts.wire_segments(), facts.driver_packets()],
        Some(_) => OF_WINDOWS.map(|name| facts.of_windows(name)),
    };
    let mut identities = vec![
        wire_bytes,
        wire_segments,
        driver_packets,
        facts.device_packets(),
        facts.device_bytes(),
        facts.qdisc_packets(),
        facts.qdisc_bytes(),
        facts.tcp_bytes_sent(),
        facts.segment_counts(),
        facts.entries_exits(),
        facts.sendmsg_bytes(),
    ];
    // Where the drops that are none would have shown.
    let about_drops =
        if delta.light.is_some() { IdentityId::DevicePackets } else { IdentityId::WireSegments };
    let freed = delta.freed_after_sending;
    if let Some(identity) = identities.iter_mut().find(|identity| identity.name == about_drops && freed != 0)
    {
        identity.note += &format!(
            ". {freed} frees by kfree_skb were of packets that had been sent (a driver's completions) and are no \
             drops"
        );
    }
    identities
}

/// What the identities are made of.
struct Facts<'a> {
    window: &'a Window<'a>,
    delta: &'a Delta,
    counted: &'a Counters,
    edges: Edges<'a>,
    queue: Tally,
    driver: Tally,
    dropped: Tally,
    driver_dropped: Tally,
    tcp_queue: Tally,
    /// Segmentation at or below the qdisc, all lanes.
    at_device: Split,
    hooks: BetweenHooks,
}

/// What hook is held against hook for.
struct BetweenHooks {
    queue: Tally,
    driver: Tally,
    dropped: Tally,
    driver_dropped: Tally,
    at_device: Split,
    /// Lanes of which no formula tells how many segments there are.
    left_out: bool,
}

impl BetweenHooks {
    /// Of all lanes; without [`Lane::Other`] where its super-packets have no one length of segment (SCTP's `GSO_BY_FRAGS`): each hook tells
    /// lanes apart by the same rule, so that the others stay comparable.
    fn of(counted: &Counters) -> Self {
        let has_others = cell(lane(counted, Stage::Queue, Lane::Other), Class::Super).packets != 0;
        let left_out = has_others && counted.segmentation.uncountable != 0;
        let lanes: &[Lane] = if left_out { &TCP_AND_UDP_LANES } else { &Lane::ALL };
        let of = |stage| Tally::of(counted, stage, lanes);
        let splits = &counted.segmentation.splits[Caller::Device as usize];
        let splits: Vec<Split> = lanes.iter().map(|lane| splits[*lane as usize]).collect();
        Self {
            queue: of(Stage::Queue),
            driver: of(Stage::Driver),
            dropped: of(Stage::Dropped),
            driver_dropped: of(Stage::DriverDropped),
            at_device: sum(&splits),
            left_out,
        }
    }

    fn note(&self, note: &'static str) -> &'static str {
        if self.left_out {
            "of TCP and UDP alone: other super-packets have no one length of segment"
        } else {
            note
        }
    }
}

/// An identity that could be measured.
struct Measured {
    name: IdentityId,
    left: (u64, &'static str),
    right: (u64, &'static str),
    slack: u64,
    note: &'static str,
}

impl Measured {
    fn identity(self) -> Identity {
        let (left, right) = (self.left.0, self.right.0);
        let residual = i128::from(left) - i128::from(right);
        let residual = i64::try_from(residual).unwrap_or(if residual < 0 { i64::MIN } else { i64::MAX });
        Identity {
            name: self.name,
            left: Some(left),
            left_source: self.left.1.to_owned(),
            right: Some(right),
            right_source: self.right.1.to_owned(),
            residual: Some(residual),
            slack: Some(self.slack),
            ok: Some(residual.unsigned_abs() <= self.slack),
            unit: self.name.unit(),
            note: self.note.to_owned(),
        }
    }
}

fn unmeasured(name: IdentityId, left: &str, right: &str, why: impl Into<String>) -> Identity {
    Identity {
        name,
        left: None,
        left_source: left.to_owned(),
        right: None,
        right_source: right.to_owned(),
        residual: None,
        slack: None,
        ok: None,
        unit: name.unit(),
        note: why.into(),
    }
}

impl<'a> Facts<'a> {
    fn of(window: &'a Window<'a>, delta: &'a Delta, counted: &'a Counters) -> Self {
        let of = |stage| Tally::of(counted, stage, &Lane::ALL);
        Self {
            window,
            delta,
            counted,
            edges: Edges::of(window, delta),
            queue: of(Stage::Queue),
            driver: of(Stage::Driver),
            dropped: of(Stage::Dropped),
            driver_dropped: of(Stage::DriverDropped),
            tcp_queue: Tally::of(counted, Stage::Queue, &TCP_LANES),
            at_device: sum(&counted.segmentation.splits[Caller::Device as usize]),
            hooks: BetweenHooks::of(counted),
        }
    }

    /// Why an identity that needs these hooks is unmeasured. A hook that the person switched off does not excuse it.
    fn absent(&self, hooks: &[Hook]) -> Option<String> {
        let absent = hooks.iter().find(|hook| self.window.conditions.hooks[**hook] == HookState::Absent)?;
        Some(format!("{} is not hooked", absent.name()))
    }

    /// Where counting is light, hook against hook is of the windows.
    fn of_windows(&self, name: IdentityId) -> Identity {
        let audited = self.window.audited.and_then(|audited| {
            audited.identities.iter().find(|identity| identity.name == name && identity.ok.is_some())
        });
        audited.cloned().unwrap_or_else(|| {
            let why = "counted only in windows with every hook, and there was none that could be audited";
            unmeasured(name, QUEUE, XMIT_AND_DROPS, why)
        })
    }

    /// What says how many packets and bytes went to the driver.
    fn to_driver(&self) -> &'static str {
        match (&self.delta.light, self.window.conditions.hooks.counts(Hook::SkbGsoSegment)) {
            (None, _) => XMIT,
            (Some(_), true) => QUEUE_AND_SEGMENTATION,
            (Some(_), false) => QUEUE_AND_FORECAST,
        }
    }

    /// What says how many wire segments and bytes the qdisc was given.
    fn to_qdisc(&self) -> &'static str {
        if self.delta.light.is_some() { QUEUE } else { XMIT }
    }

    /// Where counting is light, what waits in the qdisc stands between the hook and the kernel's counters.
    fn waiting(&self, unit: Unit) -> u64 {
        if self.delta.light.is_some() { self.edges.backlog(unit, &self.queue) } else { 0 }
    }

    fn wire_bytes(&self) -> Identity {
        const NAME: IdentityId = IdentityId::WireBytes;
        if let Some(why) = self.absent(&[
            Hook::NetDevQueue,
            Hook::SkbGsoSegment,
            Hook::NetDevStartXmit,
            Hook::NetDevXmit,
            Hook::KfreeSkb,
        ]) {
            return unmeasured(NAME, QUEUE_AND_SEGMENTATION, XMIT_AND_DROPS, why);
        }
        let between = &self.hooks;
        let headers_added = between.at_device.bytes_out.saturating_sub(between.at_device.bytes_in);
        // A tag that lies beside the packet at the queue is part of it at the driver.
        let tags_added = |tally: &Tally| tally.tagged_packets * VLAN_TAG_BYTES;
        let left = between.queue.bytes.saturating_add(headers_added) + tags_added(&between.queue);
        let right = between.driver.bytes + between.dropped.bytes + between.driver_dropped.bytes;
        let right = right + tags_added(&between.dropped);
        Measured {
            name: NAME,
            left: (left, QUEUE_AND_SEGMENTATION),
            right: (right, XMIT_AND_DROPS),
            slack: self.between_the_hooks(Unit::Bytes, left.max(right)),
            note: between.note(QUEUED_AGAINST_LEFT),
        }
        .identity()
    }

    fn wire_segments(&self) -> Identity {
        const NAME: IdentityId = IdentityId::WireSegments;
        if let Some(why) =
            self.absent(&[Hook::NetDevQueue, Hook::NetDevStartXmit, Hook::NetDevXmit, Hook::KfreeSkb])
        {
            return unmeasured(NAME, QUEUE, XMIT_AND_DROPS, why);
        }
        let between = &self.hooks;
        let (left, right) =
            (between.queue.segs, between.driver.segs + between.dropped.segs + between.driver_dropped.segs);
        Measured {
            name: NAME,
            left: (left, QUEUE),
            right: (right, XMIT_AND_DROPS),
            slack: self.between_the_hooks(Unit::Packets, left.max(right)),
            note: between.note(QUEUED_AGAINST_LEFT),
        }
        .identity()
    }

    fn driver_packets(&self) -> Identity {
        const NAME: IdentityId = IdentityId::DriverPackets;
        if let Some(why) = self.absent(&[
            Hook::NetDevQueue,
            Hook::SkbGsoSegment,
            Hook::NetDevStartXmit,
            Hook::NetDevXmit,
            Hook::KfreeSkb,
        ]) {
            return unmeasured(NAME, QUEUE_AND_SEGMENTATION, XMIT_AND_DROPS, why);
        }
        let between = &self.hooks;
        let packets_added = between.at_device.segs.saturating_sub(between.at_device.calls);
        let left = between.queue.packets.saturating_add(packets_added);
        let right = between.driver.packets + between.dropped.packets + between.driver_dropped.packets;
        Measured {
            name: NAME,
            left: (left, QUEUE_AND_SEGMENTATION),
            right: (right, XMIT_AND_DROPS),
            slack: self.between_the_hooks(Unit::Packets, left.max(right)),
            note: between.note("positive: queued or made, and not seen to leave or drop; negative: left without having been queued"),
        }
        .identity()
    }

    fn device_packets(&self) -> Identity {
        let source = "IFLA_STATS64 tx_packets";
        let link = match self.link() {
            Ok(link) => link,
            Err(why) => return unmeasured(IdentityId::DevicePackets, self.to_driver(), source, why),
        };
        let left = match self.counted_as(&link) {
            CountedAs::Skbs => self.driver.packets,
            CountedAs::WireSegments => self.driver.segs,
        };
        let right = link.tx_packets;
        Measured {
            name: IdentityId::DevicePackets,
            left: (left, self.to_driver()),
            right: (right, source),
            slack: self
                .edges
                .reading(left.max(right))
                .saturating_add(self.edges.ring(1))
                .saturating_add(self.waiting(Unit::Packets)),
            note: self.device_note(),
        }
        .identity()
    }

    fn device_bytes(&self) -> Identity {
        let source = "IFLA_STATS64 tx_bytes";
        let link = match self.link() {
            Ok(link) => link,
            Err(why) => return unmeasured(IdentityId::DeviceBytes, self.to_driver(), source, why),
        };
        let headers = match self.counted_as(&link) {
            CountedAs::Skbs => 0,
            CountedAs::WireSegments => self.driver.unsent_header_bytes,
        };
        let left = self.driver.bytes.saturating_add(headers);
        let right = match &self.delta.light {
            Some(Ok(light)) => light.device_bytes(),
            _ => self.semantics(&link).length_bytes(link.tx_packets, link.tx_bytes),
        };
        let mean_packet = self.driver.bytes.checked_div(self.driver.packets).unwrap_or(0).saturating_add(1);
        Measured {
            name: IdentityId::DeviceBytes,
            left: (left, self.to_driver()),
            right: (right, source),
            slack: self
                .edges
                .reading(left.max(right))
                .saturating_add(self.edges.ring(mean_packet))
                .saturating_add(self.waiting(Unit::Bytes))
                .saturating_add(if self.semantics(&link).pads_short_frames {
                    self.driver.padding_bytes
                } else {
                    0
                }),
            note: self.device_note(),
        }
        .identity()
    }

    /// What the device's counters count, where every packet was counted at the driver.
    fn semantics(&self, link: &crate::link_counters::LinkCounters) -> DriverSemantics {
        self.window.conditions.driver.or_nearest(self.counted, link)
    }

    /// Where the device counts wire segments, it is held against those.
    fn counted_as(&self, link: &crate::link_counters::LinkCounters) -> CountedAs {
        match &self.delta.light {
            Some(Ok(light)) => light.counted_as(),
            _ => self.semantics(link).packets,
        }
    }

    fn device_note(&self) -> &'static str {
        if self.is_mostly_local_tcp(self.delta.link) {
            "negative: local TCP that no program saw; TCP's own bytes_sent lacks as much at net_dev_queue (see tcp-bytes-sent). \
             Some kernels do not run programs in the context of certain processes"
        } else if self.window.conditions.ring_slots.is_none() {
            "the ring's size is unknown, so nothing is granted for packets that the device had not counted yet; \
             negative: packets that passed no tracepoint (PACKET_QDISC_BYPASS, XDP, netpoll, pktgen)"
        } else {
            "positive: taken by the driver and not counted by the device; negative: packets that passed no \
             tracepoint (PACKET_QDISC_BYPASS, XDP, netpoll, pktgen)"
        }
    }

    /// Whether TCP's sockets sent at least half as much more than `net_dev_queue` saw as the device counted more than
    /// `net_dev_xmit` saw.
    fn is_mostly_local_tcp(&self, link: Option<crate::link_counters::LinkCounters>) -> bool {
        let (Some(sockets), Some(link)) = (self.delta.sockets, link) else { return false };
        let slack = self.edges.reading_sockets(sockets.bytes_sent);
        let unqueued = sockets.bytes_sent.saturating_sub(self.local_tcp_payload()).saturating_sub(slack);
        let unseen = link.tx_bytes.saturating_sub(self.driver.bytes);
        unqueued != 0 && unqueued.saturating_mul(2) >= unseen
    }

    fn link(&self) -> Result<crate::link_counters::LinkCounters, String> {
        match &self.delta.light {
            Some(Err(why)) => return Err(format!("the light ledger does not count this: {why}")),
            Some(Ok(light)) if light.uses_up_the_device() => {
                return Err("how much was segmented is known by the device's counts alone".to_owned());
            }
            Some(Ok(_)) => {}
            None => {
                if let Some(why) = self.absent(&[Hook::NetDevStartXmit, Hook::NetDevXmit]) {
                    return Err(why);
                }
            }
        }
        self.delta.link.ok_or_else(|| "the interface's counters went backwards: it was recreated".to_owned())
    }

    fn qdisc_packets(&self) -> Identity {
        let qdisc = match self.qdisc() {
            Ok(qdisc) => qdisc,
            Err(why) => return unmeasured(IdentityId::QdiscPackets, QDISC, self.to_qdisc(), why),
        };
        let (dropped, uncertain) = self.dropped_after_dequeue(&qdisc, self.dropped.segs);
        let given = match self.delta.light {
            Some(_) => self.queue.segs.saturating_sub(self.dropped.segs),
            None => self.driver.segs + self.driver_dropped.segs,
        };
        let (left, right) = (qdisc.packets, given + dropped);
        let slack = self.edges.reading(left.max(right));
        Measured {
            name: IdentityId::QdiscPackets,
            left: (left, QDISC),
            right: (right, self.to_qdisc()),
            slack: slack
                .saturating_add(self.waiting(Unit::Packets))
                .saturating_add(self.edges.requeued(Unit::Packets, &self.queue))
                .saturating_add(uncertain),
            note: "a qdisc counts wire segments; requeued packets count once",
        }
        .identity()
    }

    fn qdisc_bytes(&self) -> Identity {
        let qdisc = match self.qdisc() {
            Ok(qdisc) => qdisc,
            Err(why) => return unmeasured(IdentityId::QdiscBytes, QDISC, self.to_qdisc(), why),
        };
        let on_wire = |tally: &Tally| tally.bytes + tally.unsent_header_bytes;
        let (dropped, uncertain) = self.dropped_after_dequeue(&qdisc, on_wire(&self.dropped));
        // What the CPU puts into packets after the qdisc, it did not count.
        let tags_added = self.queue.tagged_segs.saturating_sub(self.dropped.tagged_segs) * VLAN_TAG_BYTES;
        let given = match self.delta.light {
            Some(_) => on_wire(&self.queue).saturating_sub(on_wire(&self.dropped)) + dropped,
            None => {
                let reached = on_wire(&self.driver) + on_wire(&self.driver_dropped) + dropped;
                reached.saturating_sub(tags_added)
            }
        };
        let (left, right) = (qdisc.bytes, given);
        let mut identity = Measured {
            name: IdentityId::QdiscBytes,
            left: (left, QDISC),
            right: (right, self.to_qdisc()),
            slack: self
                .edges
                .reading(left.max(right))
                .saturating_add(self.waiting(Unit::Bytes))
                .saturating_add(self.edges.requeued(Unit::Bytes, &self.queue))
                .saturating_add(uncertain),
            note: "a qdisc counts the headers that segmentation adds",
        }
        .identity();
        let residual = identity.residual.map_or(0, i64::unsigned_abs);
        let tunnelled = self.queue.tunnel_payload_bytes != 0;
        if identity.ok == Some(false) && tunnelled && residual <= self.headers_of_segments() {
            identity.ok = None;
            identity.note =
                "older kernels take a tunnel's outer headers for all headers of its super-packets \
                             (qdisc_pkt_len_init). No failure"
                    .to_owned();
        }
        identity
    }

    fn qdisc(&self) -> Result<QdiscDelta, String> {
        let at_driver = self.absent(&[Hook::NetDevStartXmit, Hook::NetDevXmit]);
        if let Some(why) = at_driver.filter(|_| self.delta.light.is_none()) {
            return Err(why);
        }
        if self.window.samples.iter().all(|sample| sample.qdisc.is_none()) {
            return Err("there is no qdisc".to_owned());
        }
        let qdisc = self.delta.qdisc.ok_or_else(|| "the qdisc was replaced during the run".to_owned())?;
        if qdisc.may_segment {
            return Err("the qdisc segments by itself, so it does not count what it was given".to_owned());
        }
        Ok(qdisc)
    }

    /// Of `amount` dropped between queue and driver, what the qdisc had counted as sent: `validate_xmit_skb` drops
    /// after the dequeue. Where both dropped, it cannot be determined which, and all of it is uncertain.
    fn dropped_after_dequeue(&self, qdisc: &QdiscDelta, amount: u64) -> (u64, u64) {
        if qdisc.drops == 0 {
            (amount, 0)
        } else if self.dropped.packets <= qdisc.drops {
            (0, 0)
        } else {
            (0, amount)
        }
    }

    fn tcp_bytes_sent(&self) -> Identity {
        const NAME: IdentityId = IdentityId::TcpBytesSent;
        let source = "tcp_info bytes_sent";
        if let Some(why) = self.absent(&[Hook::NetDevQueue]) {
            return unmeasured(NAME, QUEUE, source, why);
        }
        let Some(sockets) = self.delta.sockets else {
            return unmeasured(NAME, QUEUE, source, "the sockets could not be read");
        };
        let (left, right) = (self.local_tcp_payload(), sockets.bytes_sent);
        let mut identity = Measured {
            name: NAME,
            left: (left, QUEUE),
            right: (right, source),
            slack: self.edges.reading_sockets(left.max(right)),
            note: "TCP payload, retransmits included; negative: sockets of this address sent through another \
                   interface, or a packet was dropped before it was queued",
        }
        .identity();
        if sockets.lower_bound {
            identity.ok = identity.ok.map(|ok| ok || left > right);
            identity.note =
                "sockets came and went between two looks, so the right side is a lower bound".to_owned();
        }
        identity
    }

    fn segment_counts(&self) -> Identity {
        const NAME: IdentityId = IdentityId::SegmentCounts;
        let (from_lengths, from_payload) = ("__skb_gso_segment", "skb_segment");
        if let Some(why) = self.absent(&[Hook::SkbGsoSegment, Hook::SkbSegment]) {
            return unmeasured(NAME, from_lengths, from_payload, why);
        }
        let in_stack = sum(&self.counted.segmentation.splits[Caller::Stack as usize]);
        let left = self.at_device.segs + in_stack.segs;
        let right = bounded(self.counted.skb_segment.segs);
        let calls = self.at_device.calls + in_stack.calls;
        Measured {
            name: NAME,
            left: (left, from_lengths),
            right: (right, from_payload),
            slack: self.edges.in_flight(CALLS_IN_FLIGHT_PER_CPU).min(calls).saturating_mul(scaled_up(
                left.max(right),
                1,
                calls,
            )),
            note: "segments by length after the call, and by payload before it",
        }
        .identity()
    }

    fn entries_exits(&self) -> Identity {
        const NAME: IdentityId = IdentityId::EntriesExits;
        let (entries, exits) =
            ("entry of __skb_gso_segment + skb_segment", "exit of __skb_gso_segment + skb_segment");
        if let Some(why) = self.absent(&[Hook::SkbGsoSegment]) {
            return unmeasured(NAME, entries, exits, why);
        }
        let (outer, inner) = (&self.counted.segmentation, &self.counted.skb_segment);
        let left = bounded(outer.entries) + bounded(inner.entries);
        let right = bounded(outer.exits) + bounded(inner.exits);
        Measured {
            name: NAME,
            left: (left, entries),
            right: (right, exits),
            slack: self.edges.in_flight(CALLS_IN_FLIGHT_PER_CPU).min(left.max(right)),
            note: "calls that were under way at the edges are entered and not left",
        }
        .identity()
    }

    fn sendmsg_bytes(&self) -> Identity {
        const NAME: IdentityId = IdentityId::SendmsgBytes;
        let (taken, sent) = ("tcp_sendmsg", "net_dev_queue + tcp_info notsent_bytes");
        if let Some(why) = self.absent(&[Hook::TcpSendmsg, Hook::NetDevQueue]) {
            return unmeasured(NAME, taken, sent, why);
        }
        let Some(sockets) = self.delta.sockets else {
            return unmeasured(NAME, taken, sent, "the sockets' unsent bytes could not be read");
        };
        let Some(retransmitted) = self.delta.retransmitted else {
            return unmeasured(NAME, taken, sent, "how much the sockets retransmitted could not be read");
        };
        let first_sent = self
            .local_tcp_payload()
            .saturating_sub(bounded(retransmitted.ipv4) + bounded(retransmitted.ipv6));
        let left = bounded(self.counted.tcp_sendmsg.bytes);
        let right = first_sent.saturating_add_signed(sockets.bytes_not_sent);
        let mut identity = Measured {
            name: NAME,
            left: (left, taken),
            right: (right, sent),
            slack: self
                .edges
                .reading_sockets(left.max(right))
                .saturating_add(self.edges.calls_under_way(left, bounded(self.counted.tcp_sendmsg.calls))),
            note: "what applications wrote against what TCP sent for the first time or holds unsent",
        }
        .identity();
        if identity.ok == Some(false) {
            let attached = self.window.conditions.hooks.counts(Hook::TcpSendmsg);
            if right > left && attached {
                identity.ok = None;
                identity.note =
                    "more was sent than tcp_sendmsg took: sendfile, splice, kTLS and MPTCP do not pass it, and what the \
                     qdisc refused at once TCP sends again as if for the first time. No failure"
                        .to_owned();
            } else if left > right && sockets.lower_bound {
                identity.ok = None;
                identity.note =
                    "sockets came and went between two looks, so what they hold unsent is not known"
                        .to_owned();
            }
        }
        identity
    }

    /// Payload of sockets of this machine whose route leaves through this interface, not through one above it.
    fn local_tcp_payload(&self) -> u64 {
        self.tcp_queue
            .payload_bytes
            .saturating_sub(self.tcp_queue.forwarded_payload_bytes)
            .saturating_sub(self.tcp_queue.upper_payload_bytes)
    }

    /// Headers that the segments of super-packets have beyond those of the super-packets themselves.
    fn headers_of_segments(&self) -> u64 {
        self.queue.unsent_header_bytes
    }

    fn between_the_hooks(&self, unit: Unit, value: u64) -> u64 {
        self.edges.backlog(unit, &self.queue).saturating_add(self.edges.reading(value))
    }
}

fn sum(splits: &[Split]) -> Split {
    splits.iter().fold(Split::default(), |sum, split| Split {
        calls: sum.calls + bounded(split.calls),
        segs: sum.segs + bounded(split.segs),
        bytes_in: sum.bytes_in + bounded(split.bytes_in),
        bytes_out: sum.bytes_out + bounded(split.bytes_out),
        payload_bytes: sum.payload_bytes + bounded(split.payload_bytes),
        loose_payload_bytes: sum.loose_payload_bytes + bounded(split.loose_payload_bytes),
        loose_segs: sum.loose_segs + bounded(split.loose_segs),
        ns: sum.ns + bounded(split.ns),
    })
}
