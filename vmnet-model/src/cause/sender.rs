//! `not-built`, `gro-off`, `small-writes`: what never was a super-packet.

use super::{Action, By, Cause, CauseId, Evidence, Fix, Found, limits};
use crate::shell::quoted;
use crate::{
    ledger::Entry,
    machine::{Ingress, Machine, OtherEnd},
    state::State,
};

/// Below this share of the TCP payload, singles are the ends of what was written, not a way of writing.
const MANY: f64 = 0.05;
/// Less than this in small packets is chatter.
const CHATTER_BYTES: u64 = 64 << 10;
/// IPv4 and TCP with timestamps.
const TCP_HEADERS_BYTES: f64 = 52.0;
const BUILT_NONE: &str = "TCP builds no super-packets";

/// Full-size singles: TCP built none, or they came in as singles.
pub(super) fn not_built(evidence: &Evidence<'_>) -> Vec<Found> {
    let machine = evidence.machine;
    let limited = machine.device.limits.gso_max_segs == Some(1);
    let Some(traffic) = &evidence.traffic else {
        let mut found = Vec::new();
        // Within a machine that costs little: a loopback is as it should be.
        if limited || !machine.device.loopback && limits::shortest_beyond(machine).is_some() {
            found.push(Found { cause: built_none(machine, limited, BUILT_NONE), bytes: None });
        }
        // What only ends here needs no GRO for the device's sake.
        if machine.forwarding == Ok(true) && machine.ingress.iter().any(Ingress::hands_on_singles) {
            found.push(Found { cause: came_in_segmented(evidence), bytes: None });
        }
        return found;
    };
    let Some(total) = traffic.tcp.map(|tcp| &tcp.total) else { return Vec::new() };
    if !is_many(total.unaggregated_bytes, total) {
        return Vec::new();
    }
    let bytes = Some(total.unaggregated_bytes);
    let forwarded = total.forwarded_bytes.saturating_mul(2) >= total.unaggregated_bytes;
    if !forwarded && writes_less_than_a_segment(evidence) {
        // They are `small_writes`' to explain.
        return Vec::new();
    }
    // Of a TSO that works, recovery from loss and small windows leave singles.
    let mostly = total.unaggregated_bytes.saturating_mul(2) >= total.bulk_bytes();
    let title = if mostly { BUILT_NONE } else { "TCP builds no super-packets for a part of the traffic" };
    let cause = if forwarded { came_in_segmented(evidence) } else { built_none(machine, limited, title) };
    vec![Found { cause, bytes }]
}

fn is_many(bytes: u64, total: &Entry) -> bool {
    bytes != 0 && bytes as f64 >= MANY * total.payload_bytes as f64
}

fn built_none(machine: &Machine, limited: bool, title: &str) -> Cause {
    let (detail, fix) = if limited {
        (
            format!(
                "gso_max_segs of {} is 1, so sockets that connect now build packets of one segment",
                machine.device.name
            ),
            limits::raise(machine),
        )
    } else if let Some(longest) = limits::shortest_beyond(machine) {
        (
            format!(
                "the MTU of {} is {}, and a super-packet may have {longest} bytes: no two segments fit into one, so that there is nothing to put together; within this machine that costs little",
                machine.device.name, machine.device.mtu
            ),
            limits::make_room_for_two(machine, longest),
        )
    } else {
        (
            "full-size singles at the device's queue, from local sockets; what makes TCP do that: TCP-MD5 or TCP-AO \
             signatures (BGP), IPsec without offload, a socket that connected while gso_max_segs was 1, or a window that loss or \
             congestion marks keep small"
                .to_owned(),
            Fix::none(),
        )
    };
    Cause { id: CauseId::NotBuilt, share: super::NO_SHARE, title: title.to_owned(), detail, fix }
}

/// What is written at a time does not fill one segment.
fn writes_less_than_a_segment(evidence: &Evidence<'_>) -> bool {
    let written = evidence.traffic.as_ref().and_then(|traffic| traffic.mean_write_bytes);
    written.is_some_and(|bytes| bytes + TCP_HEADERS_BYTES < f64::from(evidence.machine.device.mtu))
}

/// Where a sender on this machine segments by itself, its own TSO comes first: to merge what it segmented is a way round.
fn came_in_segmented(evidence: &Evidence<'_>) -> Cause {
    let machine = evidence.machine;
    let names = |of: fn(&Ingress) -> bool| {
        let all = machine.ingress.iter().filter(|ingress| of(ingress));
        all.map(|ingress| ingress.name.as_str()).collect::<Vec<_>>()
    };
    let mut off = names(Ingress::hands_on_singles);
    if off.is_empty() {
        off = names(|ingress| ingress.gro == Some(false));
    }
    // To look into another namespace takes a privilege that a run gives up once it has begun.
    let looked_at = [Some(machine), evidence.before].into_iter().flatten();
    let senders =
        looked_at.flat_map(|machine| &machine.ingress).filter_map(|ingress| ingress.other_end.as_ref());
    let mut senders: Vec<&OtherEnd> = senders.filter(|end| end.lacks_tso()).collect();
    senders.dedup();
    let mut why = Vec::new();
    if !senders.is_empty() {
        let ends: Vec<String> = senders.iter().map(|end| format!("{} in {}", end.name, end.netns)).collect();
        why.push(format!("TSO is off on {}, which sends on this machine's CPUs", ends.join(", ")));
    }
    if !off.is_empty() {
        why.push(format!("GRO is off on {}", off.join(", ")));
    }
    if why.is_empty() {
        why.push("nothing put them together (GRO), though it is on where they could come in".to_owned());
    }
    let actions = off.iter().map(|name| Action::switch_on(name, ["rx-gro"])).collect::<Vec<_>>();
    let mut fix = if actions.is_empty() { Fix::none() } else { Fix::by_root(actions) };
    let of_senders =
        |end: &&OtherEnd| format!("vmnet fix {} --netns {}", quoted(&end.name), quoted(&end.netns));
    fix.commands.splice(0..0, senders.iter().map(of_senders));
    if !senders.is_empty() {
        fix.by = By::GuestRoot;
    }
    Cause {
        id: CauseId::GroOff,
        share: super::NO_SHARE,
        title: if senders.is_empty() {
            "forwarded packets come in already segmented".to_owned()
        } else {
            "forwarded packets come in already segmented: the sender's own end, on this machine, segments them"
                .to_owned()
        },
        detail: format!("forwarded packets that came in one by one: {}", why.join("; ")),
        fix,
    }
}

/// Too little is written at a time.
pub(super) fn small_writes(evidence: &Evidence<'_>) -> Vec<Found> {
    let Some(traffic) = &evidence.traffic else { return Vec::new() };
    let Some(total) = traffic.tcp.map(|tcp| &tcp.total) else { return Vec::new() };
    let written = traffic.mean_write_bytes.filter(|_| writes_less_than_a_segment(evidence));
    // TCP puts small writes together up to a segment: full-size singles that nobody had to build.
    let singles = if written.is_some() { total.unaggregated_bytes } else { 0 };
    let bytes = total.small_bytes.saturating_add(singles);
    let asked =
        traffic.state == State::NothingToOffload || bytes > total.bulk_bytes().saturating_sub(singles);
    if !asked || bytes < CHATTER_BYTES || !is_many(bytes, total) {
        return Vec::new();
    }
    // What is forwarded was written elsewhere: by somebody with a smaller MSS than this device's MTU allows, or in small pieces.
    if total.forwarded_bytes.saturating_mul(2) >= bytes.saturating_add(total.unaggregated_bytes) {
        let is_told = is_many(total.unaggregated_bytes, total);
        let found = Found { cause: came_in_segmented(evidence), bytes: Some(bytes) };
        return if is_told { Vec::new() } else { vec![found] };
    }
    let mean = written.map_or_else(String::new, |bytes| format!(", {bytes:.0} bytes in the mean"));
    let cause = Cause {
        id: CauseId::SmallWrites,
        share: super::NO_SHARE,
        title: "the application sends little at a time: there is nothing to offload".to_owned(),
        detail: format!(
            "most of the payload left in single packets, as it was written: small writes{mean} that are not put together (TCP_NODELAY, request \
             and answer), pacing, or a small window"
        ),
        fix: Fix {
            by: By::Application,
            commands: vec![
                "write more at a time, or let TCP put small writes together: no TCP_NODELAY, or TCP_CORK / MSG_MORE around them"
                    .to_owned(),
            ],
            actions: Vec::new(),
        },
    };
    vec![Found { cause, bytes: Some(bytes) }]
}
