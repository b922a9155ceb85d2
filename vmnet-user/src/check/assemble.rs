//! The report, from what was seen.

use std::collections::BTreeMap;

use super::{
    Ends, NOBODY,
    alone::Alone,
    ask::Question,
    frames::{DESTINATION_4, DESTINATION_6, PORT, SOURCE_4, SOURCE_6, TTL, VLAN_ID},
    shape::{Limits, is_udp},
    stack::Level,
    written,
};
use crate::model::checked;
use crate::model::checked::{
    CountsBy, Doubt, Fate, Pause, Round, State, Type, UdpState, fastest_others_per_s,
};
use crate::model::features::FeatureSet;
use crate::model::features::Features;
use crate::model::interface::Interface;
use crate::report::check;
use crate::report::check::{
    Background, BelowReport, CheckReport, CostComparison, Frames, TapReport, TypeReport, TypeState, UdpReport,
};
use crate::stats::of_sorted;

/// All that is known when the asking has ended.
pub(super) struct Seen<'a> {
    pub(super) described: Interface,
    pub(super) limits: &'a Limits,
    pub(super) ends: &'a Ends,
    pub(super) levels: &'a [Level],
    /// Or why they cannot be read.
    pub(super) features: &'a Result<FeatureSet, String>,
    pub(super) questions: &'a [Question],
    /// Level by level.
    pub(super) pauses: &'a [Vec<Pause>],
    /// What was asked by itself, as nothing came to it.
    pub(super) alone: &'a Alone,
    pub(super) duration_s: f64,
}

pub(super) fn report(seen: Seen<'_>) -> CheckReport {
    let active = seen.features.as_ref().map(FeatureSet::offloads).unwrap_or_default();
    let answered: Vec<(TypeReport, Fate)> =
        seen.questions.iter().map(|question| of_type(&seen, question, &active)).collect();
    let counting = answered.iter().filter(|(one, _)| one.counts).map(|(_, fate)| *fate);
    // TCP hands over one segment at a time, whatever becomes of those that were made by hand.
    let why_none = (seen.ends.destination != NOBODY).then(|| seen.limits.why_tcp_builds_none()).flatten();
    let state = if why_none.is_some() { State::NotBuilt } else { checked::state(counting) };
    let of_udp = answered.iter().filter(|(one, _)| is_udp(one.kind)).map(|(_, fate)| *fate);
    let udp = udp(checked::udp_state(of_udp, programs_get_eio(&seen)), &seen.described.name);
    let types: Vec<TypeReport> = answered.into_iter().map(|(one, _)| one).collect();
    CheckReport {
        schema: check::SCHEMA.to_owned(),
        state,
        udp,
        summary: summary(state, why_none, &types, &seen.described),
        cost: compare(&types, asked_alone(&seen).as_deref()),
        causes: Err(check::NO_CAUSES),
        frames: frames(&seen),
        background: background(seen.pauses.first().map_or(&[], Vec::as_slice)),
        driver_counts_by: seen.levels.first().map_or(CountsBy::Unknown, |level| level.counts_by),
        below: seen.levels.iter().skip(1).map(Level::name).collect(),
        notes: notes(&seen, state, &types),
        duration_s: seen.duration_s,
        unmeasured: BTreeMap::new(),
        types,
        interface: seen.described,
    }
}

/// From this on the CPU makes the checksums that a device does not (`udp_send_skb`, 10154dbded6d).
const CHECKSUMS_IN_SOFTWARE_FROM: (u32, u32) = (6, 11);

/// By the kernel's own rule, as a packet socket is not asked for checksums that a program's socket is.
fn programs_get_eio(seen: &Seen<'_>) -> bool {
    let Ok(features) = seen.features else { return false };
    let made = ["tx-checksum-ipv4", "tx-checksum-ip-generic", "tx-checksum-ipv6"];
    let makes_checksums = made.iter().any(|name| features.active(name) == Some(true));
    let before = version(&seen.described.kernel).is_some_and(|version| version < CHECKSUMS_IN_SOFTWARE_FROM);
    !makes_checksums && before
}

/// `6.1.0-50-amd64`, `7.2.13+deb14-cloud-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn udp(state: UdpState, name: &str) -> UdpReport {
    let summary = match state {
        UdpState::Engaged => format!("UDP super-packets (UDP_SEGMENT, QUIC) leave {name} whole"),
        UdpState::Software => {
            format!("UDP super-packets (UDP_SEGMENT, QUIC) are segmented in software on {name}")
        }
        UdpState::Partial => {
            format!("UDP super-packets (UDP_SEGMENT, QUIC) leave {name} whole for one family only")
        }
        UdpState::Refused => format!(
            "programs that ask for UDP_SEGMENT get EIO on {name}: it makes no checksums, and only from 6.11 on does the kernel make them instead"
        ),
        UdpState::Inconclusive => {
            format!("this check cannot tell what becomes of UDP super-packets on {name}")
        }
    };
    UdpReport { state, summary }
}

fn of_type(seen: &Seen<'_>, question: &Question, active: &Features) -> (TypeReport, Fate) {
    let mut fates = question.fates(seen.levels, seen.pauses);
    // Of other types something may have come that far.
    let unreached = fates.get_mut(seen.alone.depth).filter(|fate| seen.alone.depth > 0 && fate.is_none());
    let was_asked_alone = unreached.is_some();
    if let Some(fate) = unreached {
        *fate = Some(seen.alone.fate(question.kind));
    }
    let is_asked_alone = |depth: usize| was_asked_alone && depth == seen.alone.depth;
    // A tunnel's own device takes whatever it is given, also where nothing ever leaves.
    if let Some(tunnel) = seen.levels.iter().position(Level::is_tunnel) {
        fates.resize(fates.len().max(tunnel + 2), None);
        let behind = fates.iter_mut().skip(tunnel + 1).filter(|fate| fate.is_none());
        behind.for_each(|fate| *fate = Some(Fate::Unknown(Doubt::BehindATunnel)));
    }
    let (fate, at) = match question.refused {
        Some(_) => (Fate::Refused, None),
        None => checked::through_the_stack(&fates),
    };
    let at_name = at.and_then(|depth| seen.levels.get(depth)).map(Level::name);
    let sent = question.sent();
    let rounds = question.rounds.first().map_or(&[][..], Vec::as_slice);
    let mut sends_ns = question.sends_ns.clone();
    sends_ns.sort_unstable_by(f64::total_cmp);
    let ns = if question.refused.is_some() { None } else { of_sorted(&sends_ns, 0.5) };
    let others_per_s = mean_per_s(seen.pauses.first().map_or(&[], Vec::as_slice));
    let duration_s: f64 = rounds.iter().map(|round| round.duration_s).sum();
    let segments = question.shape.segments;
    let payload_bytes = question.shape.payload_bytes as u64;
    let below = question.rounds.iter().zip(&fates).zip(seen.levels).skip(1);
    let report = TypeReport {
        kind: question.kind,
        state: state_of(fate),
        counts: question.kind.counts(active),
        offered: question.kind.offered(active),
        switched_off: seen.features.as_ref().ok().and_then(|set| question.kind.switched_off(set)),
        reason: reason(question, fate, at, at_name.as_deref(), is_asked_alone),
        sent,
        bytes_per_packet: question.shape.frame_bytes as u64,
        payload_bytes_per_packet: payload_bytes,
        gso_size_bytes: question.shape.gso_size.into(),
        segments_per_packet: segments,
        driver_packets: (sent > 0).then(|| rounds.iter().map(|round| round.driver_packets).sum()),
        tapped: of_tap(rounds),
        background_packets: others_per_s.filter(|_| sent > 0).map(|per_s| per_s * duration_s),
        expected_whole: sent,
        expected_cut: sent.saturating_mul(segments),
        cut_at: at_name.filter(|_| fate == Fate::Cut),
        below: below
            .map(|((rounds, fate), level)| BelowReport {
                interface: level.name(),
                driver_packets: rounds.iter().map(|round| round.driver_packets).sum(),
                tapped: of_tap(rounds),
                state: fate.map(state_of),
            })
            .collect(),
        ns_per_super_packet: ns,
        ns_per_byte: ns.map(|ns| ns / payload_bytes as f64),
    };
    (report, fate)
}

fn of_tap(rounds: &[Round]) -> Option<TapReport> {
    let (round, tapped) = rounds.iter().find_map(|round| Some((round, round.tapped?)))?;
    Some(TapReport { sent: round.sent, whole: tapped.whole, singles: tapped.singles })
}

fn state_of(fate: Fate) -> TypeState {
    match fate {
        Fate::Whole => TypeState::Whole,
        Fate::Cut => TypeState::Cut,
        Fate::Refused => TypeState::Refused,
        Fate::Unknown(_) => TypeState::Inconclusive,
    }
}

/// How a device below was asked to which nothing came.
const ALONE: &str = " (asked by itself: what is sent to the interface's own address does not come that far)";

fn reason(
    question: &Question,
    fate: Fate,
    depth: Option<usize>,
    at: Option<&str>,
    is_asked_alone: impl Fn(usize) -> bool,
) -> Option<String> {
    let on = |what: String| match (depth, at) {
        (Some(1..), Some(name)) => format!("on {name}, below: {what}"),
        _ => what,
    };
    match fate {
        Fate::Whole => None,
        Fate::Cut => depth.filter(|depth| *depth > 0).map(|depth| {
            let alone = if is_asked_alone(depth) { ALONE } else { "" };
            format!(
                "whole on the interface itself, and segmented on {}, below{alone}",
                at.unwrap_or_default()
            )
        }),
        Fate::Unknown(doubt) => Some(on(doubt.to_string())),
        Fate::Refused => Some(refusal(question.kind, question.refused.unwrap_or_default())),
    }
}

fn refusal(kind: Type, errno: i32) -> String {
    let answer = std::io::Error::from_raw_os_error(errno);
    match errno {
        libc::EINVAL if is_udp(kind) => {
            format!(
                "this kernel takes no UDP super-packets from a packet socket (they came with 6.2): {answer}"
            )
        }
        libc::ENOMEM => format!("the kernel failed to segment it, and dropped it: {answer}"),
        _ => format!("the kernel did not take it: {answer}"),
    }
}

fn summary(state: State, why_none: Option<&str>, types: &[TypeReport], interface: &Interface) -> String {
    let name = &interface.name;
    let named = |wanted: TypeState| {
        let names: Vec<&str> =
            types.iter().filter(|one| one.counts && one.state == wanted).map(|one| one.kind.name()).collect();
        names.join(", ")
    };
    match state {
        // "The device did it" would be more than is known where the packets go on inside this machine.
        State::Engaged if interface.terminal => {
            format!("TSO is happening on {name}: the driver got every super-packet whole")
        }
        State::Engaged => format!("super-packets leave {name} whole"),
        State::Software => {
            let at = types.iter().find(|one| one.counts).and_then(|one| one.cut_at.as_ref());
            let below =
                at.filter(|at| *at != name).map(|at| format!(", on {at} below it")).unwrap_or_default();
            format!("TSO is not happening on {name}: every super-packet was segmented in software{below}")
        }
        State::Partial => format!(
            "TSO is happening on {name} for {}, and not for {}",
            named(TypeState::Whole),
            named(TypeState::Cut)
        ),
        State::NotBuilt => {
            format!("TCP builds no super-packets for {name}: {}", why_none.unwrap_or("its limits allow none"))
        }
        State::Inconclusive => format!("this check cannot tell whether TSO is happening on {name}"),
    }
}

/// The level that was asked by itself: what was timed on the interface did not come there.
fn asked_alone(seen: &Seen<'_>) -> Option<String> {
    Some(seen.alone.depth)
        .filter(|depth| *depth > 0)
        .and_then(|depth| seen.levels.get(depth))
        .map(Level::name)
}

/// TCP that was segmented against TCP that was not, or else UDP: the way there is the same, and so are the bytes. None where the former was
/// no dearer: it is the same work and more, so the times are then those of something else that ran. What was segmented `elsewhere` is not what was
/// timed.
fn compare(types: &[TypeReport], elsewhere: Option<&str>) -> Option<CostComparison> {
    let of = |state: TypeState, udp: bool| {
        let is_it =
            |one: &&TypeReport| one.state == state && is_udp(one.kind) == udp && one.ns_per_byte.is_some();
        let is_timed = |one: &&TypeReport| one.cut_at.is_none() || one.cut_at.as_deref() != elsewhere;
        types.iter().filter(is_timed).find(is_it)
    };
    let cut = of(TypeState::Cut, false)?;
    let whole = of(TypeState::Whole, false).or_else(|| of(TypeState::Whole, true))?;
    let (cut_ns, whole_ns) = (cut.ns_per_byte?, whole.ns_per_byte?);
    (whole_ns > 0.0 && cut_ns > whole_ns).then(|| CostComparison {
        whole: whole.kind,
        cut: cut.kind,
        whole_ns_per_byte: whole_ns,
        cut_ns_per_byte: cut_ns,
        segmentation_ns_per_byte: cut_ns - whole_ns,
        ratio: cut_ns / whole_ns,
    })
}

fn frames(seen: &Seen<'_>) -> Frames {
    let bytes = |question: &Question| question.sent().saturating_mul(question.shape.frame_bytes as u64);
    Frames {
        sent: seen.questions.iter().map(Question::sent).sum(),
        bytes: seen.questions.iter().map(bytes).sum(),
        source_mac: written(seen.ends.own),
        destination_mac: written(seen.ends.destination),
        source_ipv4: SOURCE_4.to_string(),
        destination_ipv4: DESTINATION_4.to_string(),
        source_ipv6: SOURCE_6.to_string(),
        destination_ipv6: DESTINATION_6.to_string(),
        ttl: TTL,
        port: PORT,
        vlan_id: VLAN_ID,
    }
}

fn mean_per_s(pauses: &[Pause]) -> Option<f64> {
    let seconds: f64 = pauses.iter().map(|pause| pause.duration_s).sum();
    let packets: u64 = pauses.iter().map(|pause| pause.driver_packets).sum();
    (seconds > 0.0).then(|| packets as f64 / seconds)
}

fn background(pauses: &[Pause]) -> Background {
    Background {
        pauses: pauses.len() as u64,
        packets_per_s: mean_per_s(pauses),
        most_packets_per_s: (!pauses.is_empty()).then(|| fastest_others_per_s(pauses)),
    }
}

fn notes(seen: &Seen<'_>, state: State, types: &[TypeReport]) -> Vec<String> {
    let mut notes = Vec::new();
    let interface = &seen.described;
    if seen.limits.gso_max_segs < 2 {
        notes.push(
            "gso_max_segs is below 2, so TCP builds no super-packets for this interface at all, whatever it would do with them"
                .to_owned(),
        );
    }
    if let Err(reason) = seen.features {
        notes.push(format!(
            "features could not be read, so that only plain TCP has a part in the answer: {reason}"
        ));
    }
    if seen.ends.tagged {
        notes.push(
            "the frames bear a tag of VLAN 0 inside this device's own: without it the kernel would misplace their headers, as the device \
             below inserts no tags itself"
                .to_owned(),
        );
    }
    let claims_whole = matches!(state, State::Engaged | State::Partial);
    let reached = |depth: usize| {
        types.iter().any(|one| one.below.get(depth).is_some_and(|below| below.state.is_some()))
    };
    let below: Vec<String> = seen.levels.iter().skip(1).map(Level::name).collect();
    let unreached: Vec<&str> = below
        .iter()
        .enumerate()
        .filter(|(depth, _)| !reached(*depth))
        .map(|(_, name)| name.as_str())
        .collect();
    if !unreached.is_empty() {
        notes.push(if seen.alone.names.is_empty() {
            format!(
                "none of it came to {}, below, so what happens there is not shown",
                unreached.join(" and ")
            )
        } else {
            format!(
                "none of it came to {}, below: {} was asked by itself",
                unreached.join(" and "),
                seen.alone.names.join(" and ")
            )
        });
    }
    if claims_whole && interface.terminal {
        notes.push("seen from this machine: a host below it may still segment behind the device".to_owned());
    } else if claims_whole && (below.is_empty() || !unreached.is_empty()) {
        notes.push(
            "packets that leave this device go on inside this machine: it is shown that they left it whole, not where they are \
             segmented later"
                .to_owned(),
        );
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::ask::questions;
    use crate::check::stack::{Device, Level};
    use crate::model::interface::Netns;
    use crate::report::check::{answer, share};
    use crate::report::kit::json::Explained;
    use crate::report::kit::style::Style;
    use testbed::report::unexplained_nulls;

    const LIMITS: Limits = Limits { mtu_bytes: 1500, gso_max_bytes: 65_536, gso_max_segs: 65_535 };
    const ENDS: Ends = Ends { own: [2, 0, 0, 0, 0, 1], destination: [2, 0, 0, 0, 0, 1], tagged: false };

    /// A quiet interface over another. Types in `cut` are segmented on the one below, UDP is refused.
    fn seen(cut: &[Type]) -> CheckReport {
        let mut questions = questions(&LIMITS, &ENDS);
        for question in &mut questions {
            let segments_each = question.shape.segments;
            let is_cut = cut.contains(&question.kind);
            let round = |driver_packets| Round {
                sent: 4,
                segments_each,
                driver_packets,
                lost_packets: 0,
                duration_s: 0.002,
                settled: true,
                tapped: None,
            };
            question.rounds = vec![Vec::new(), Vec::new()];
            if is_udp(question.kind) {
                question.refused = Some(libc::EINVAL);
                continue;
            }
            question.rounds =
                vec![vec![round(4); 2], vec![round(if is_cut { 4 * segments_each } else { 4 }); 2]];
            question.sends_ns = vec![if is_cut { 33_000.0 } else { 4_000.0 }; 8];
        }
        let level = |name: &str, ifindex| Level {
            devices: vec![Device { name: name.to_owned(), ifindex, mtu_bytes: 1500, is_tunnel: false }],
            counts_by: CountsBy::Skb,
        };
        let pause = Pause { driver_packets: 0, duration_s: 0.002 };
        report(Seen {
            described: Interface {
                name: "ens4.7".to_owned(),
                ifindex: 3,
                netns: Netns { name: None, inode: 1 },
                driver: None,
                mtu: 1500,
                queues: None,
                kernel: "6.1.0".to_owned(),
                terminal: false,
                qdisc: None,
            },
            limits: &LIMITS,
            ends: &ENDS,
            levels: &[level("ens4.7", 3), level("ens4", 2)],
            features: &Err("refused".to_owned()),
            questions: &questions,
            pauses: &[vec![pause; 3], vec![pause; 3]],
            alone: &Alone::default(),
            duration_s: 0.1,
        })
    }

    #[test]
    fn what_is_cut_up_below_is_cut_up_and_it_is_said_where() {
        let report = seen(&[Type::Tcp6]);
        assert_eq!(report.state, State::Partial);
        let tcp6 = &report.types[1];
        assert_eq!((tcp6.state, tcp6.cut_at.as_deref()), (TypeState::Cut, Some("ens4")));
        let cost = report.cost.unwrap();
        assert_eq!((cost.whole, cost.cut), (Type::Tcp4, Type::Tcp6));
        assert!((cost.segmentation_ns_per_byte - (33_000.0 / 64_800.0 - 4_000.0 / 64_240.0)).abs() < 1e-9);
        assert_eq!(seen(&Type::ALL).state, State::Software);
        assert_eq!(seen(&[]).state, State::Engaged);
    }

    #[test]
    fn a_row_to_share_has_no_names_and_no_addresses() {
        let row = share::row(&seen(&[Type::Tcp6]), "QEMU | Standard\u{1b} PC", "2026-11-29");
        assert_eq!(
            row,
            "| none | 6.1.0 | QEMU  Standard PC | PARTIAL | whole | segmented | whole | not taken | counters | 2026-11-29 |"
        );
        assert_eq!(row.matches('|').count(), share::HEAD.lines().next().unwrap().matches('|').count());
    }

    #[test]
    fn a_release_begins_with_its_version() {
        for (release, expected) in [
            ("6.1.0-50-amd64", Some((6, 1))),
            ("7.2.13+deb14-cloud-amd64", Some((7, 2))),
            ("6.18-rc1", Some((6, 18))),
            ("", None),
            ("x.y", None),
        ] {
            assert_eq!(version(release), expected, "{release}");
        }
    }

    #[test]
    fn times_that_cannot_be_are_no_comparison() {
        let mut types = seen(&[Type::Tcp6]).types;
        assert!(compare(&types, None).is_some());
        assert_eq!(compare(&types, Some("ens4")), None, "what was timed was not segmented there");
        types[0].ns_per_byte = types[1].ns_per_byte.map(|ns| ns * 2.0);
        assert_eq!(compare(&types, None), None);
    }

    #[test]
    fn every_null_has_its_reason_and_what_is_written_can_be_read_again() {
        for cut in [&[][..], &[Type::Tcp6], &Type::ALL] {
            let report = seen(cut);
            let text = report.to_text().unwrap();
            let value = serde_json::from_str(&text).unwrap();
            assert_eq!(unexplained_nulls(&value), Vec::<String>::new());
            testbed::schema::validate(&value).unwrap();
            let again: CheckReport = serde_json::from_str(&text).unwrap();
            assert_eq!(again.types, report.types);
        }
    }

    #[test]
    fn the_text_says_the_answer_first_and_fits_a_narrow_terminal() {
        let text = answer(&seen(&[Type::Tcp6]), &Style { width: 80, ..Style::PLAIN });
        assert!(
            text.lines().nth(1).unwrap().starts_with("PARTIAL  TSO is happening on ens4.7 for tcp4"),
            "{text}"
        );
        assert!(text.lines().all(|line| line.len() <= 80) && text.is_ascii(), "{text}");
        assert!(text.contains("tcp6 segmented costs the CPU 8.18 times"), "{text}");
    }
}
