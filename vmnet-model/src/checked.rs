//! Judging what became of super-packets that were sent on purpose (`vmnet check`): did the driver get each whole, or its segments?
//!
//! The counter that tells is the interface's own, and other traffic moves it too. What is certain is used as such: where
//! everything that was sent has left, a driver that got the segments has counted *at least* all of them, so a count plainly below
//! that is no cut. The other way round it takes a bound on what others sent meanwhile, for which pauses between the sends are watched.

use serde::{Deserialize, Serialize};

use super::features::FeatureSet;
use crate::features::Features;

/// Rounds that must say the same before it is believed: one could be a burst of others.
pub const ROUNDS_TO_BELIEVE: usize = 2;
/// Packets that any interface may send of its own accord (ARP, neighbour discovery), seen in the pauses or not.
const STRAY_PACKETS: f64 = 4.0;
/// Others may send faster while we send than in any pause we watched; by this factor they are still believed to be explained.
const BURST_FACTOR: f64 = 2.0;

/// A type of super-packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Type {
    /// TCP over IPv4, as long as TCP itself makes them.
    Tcp4,
    /// TCP over IPv6, likewise.
    Tcp6,
    /// TCP over IPv4 with CWR, as after a congestion mark.
    Tcp4Ecn,
    /// TCP over IPv6 with CWR.
    Tcp6Ecn,
    /// UDP GSO over IPv4.
    Udp4,
    /// UDP GSO over IPv6.
    Udp6,
    /// TCP over IPv4 with a priority tag (802.1Q, VLAN 0) in the frame.
    Tcp4Vlan,
    /// TCP over IPv4, one byte below `gso_max_size`.
    Tcp4Max,
}

impl Type {
    /// All of them, in the order in which they are sent.
    pub const ALL: [Self; 8] = [
        Self::Tcp4,
        Self::Tcp6,
        Self::Tcp4Ecn,
        Self::Tcp6Ecn,
        Self::Udp4,
        Self::Udp6,
        Self::Tcp4Vlan,
        Self::Tcp4Max,
    ];

    /// As it stands in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp4 => "tcp4",
            Self::Tcp6 => "tcp6",
            Self::Tcp4Ecn => "tcp4-ecn",
            Self::Tcp6Ecn => "tcp6-ecn",
            Self::Udp4 => "udp4",
            Self::Udp6 => "udp6",
            Self::Tcp4Vlan => "tcp4-vlan",
            Self::Tcp4Max => "tcp4-max",
        }
    }

    /// Whether the device offers to take it whole, by its active features. None where they are not known. No feature tells tagged
    /// or longest ones apart: they are offered where plain TCP is.
    #[must_use]
    pub fn offered(self, active: &Features) -> Option<bool> {
        match self {
            Self::Tcp4 | Self::Tcp4Vlan | Self::Tcp4Max => active.tso4,
            Self::Tcp6 => active.tso6,
            Self::Tcp4Ecn => both(active.tso4, active.tso_ecn),
            Self::Tcp6Ecn => both(active.tso6, active.tso_ecn),
            Self::Udp4 | Self::Udp6 => active.uso,
        }
    }

    /// Whether it is switched off, by the features that it takes: the device could take it whole, and is not asked to. None where they are not
    /// known.
    #[must_use]
    pub fn switched_off(self, features: &FeatureSet) -> Option<bool> {
        let names: &[&str] = match self {
            Self::Tcp4 | Self::Tcp4Vlan | Self::Tcp4Max => &["tx-tcp-segmentation"],
            Self::Tcp6 => &["tx-tcp6-segmentation"],
            Self::Tcp4Ecn => &["tx-tcp-segmentation", "tx-tcp-ecn-segmentation"],
            Self::Tcp6Ecn => &["tx-tcp6-segmentation", "tx-tcp-ecn-segmentation"],
            Self::Udp4 | Self::Udp6 => &["tx-udp-segmentation"],
        };
        let taken = names.iter().map(|name| features.get(name)).collect::<Option<Vec<_>>>()?;
        let off = || taken.iter().filter(|feature| !feature.active);
        Some(off().next().is_some() && off().all(|feature| !feature.fixed()))
    }

    /// Whether it has a part in the state. Plain TCP always has, whatever the features say; CWR has where the device offers it,
    /// as the CPU is meant to do it elsewhere. UDP has none, as in the verdict of a run: it stays whole where TSO alone is
    /// off. Tagged and longest ones have none, as TCP does not send them through this interface.
    #[must_use]
    pub fn counts(self, active: &Features) -> bool {
        match self {
            Self::Tcp4 | Self::Tcp6 => true,
            Self::Tcp4Ecn | Self::Tcp6Ecn => self.offered(active) == Some(true),
            Self::Udp4 | Self::Udp6 | Self::Tcp4Vlan | Self::Tcp4Max => false,
        }
    }
}

fn both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    Some(one? && other?)
}

/// One round of one type of super-packet, at one device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Round {
    /// Super-packets sent.
    pub sent: u64,
    /// Segments that each would be cut into.
    pub segments_each: u64,
    /// By how much `tx_packets` grew, ours and others'.
    pub driver_packets: u64,
    /// By how much the counters of drops and errors grew, of device and qdisc, ours and others'.
    pub lost_packets: u64,
    /// From the reading before to the reading after, seconds.
    pub duration_s: f64,
    /// Whether all that was sent had left the queues when it was read (`SIOCOUTQ` 0).
    pub settled: bool,
    /// What a tap saw of it; None where there was none, or it missed frames.
    pub tapped: Option<Tapped>,
}

/// The frames of a round that a tap saw on their way to the driver: ours alone, whatever others send and drivers count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tapped {
    /// Super-packets.
    pub whole: u64,
    /// Frames of one segment.
    pub singles: u64,
}

impl Tapped {
    /// Whether none came.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Round {
    /// What the driver gets if every one passes whole.
    #[must_use]
    pub fn whole(&self) -> u64 {
        self.sent
    }

    /// What the driver gets if every one is segmented.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.sent.saturating_mul(self.segments_each)
    }
}

/// A pause in which nothing was sent, at the same device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pause {
    /// By how much `tx_packets` grew: all others'.
    pub driver_packets: u64,
    /// Seconds.
    pub duration_s: f64,
}

/// What one `tx_packets` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CountsBy {
    /// One skb, so that a super-packet counts once (virtio-net and the software devices).
    Skb,
    /// Not known: many drivers of hardware count the segments of a super-packet that they took whole.
    Unknown,
    /// Not told in time: what was sent is counted when more is sent (virtio-net with `napi_tx=0`, which also lets go of a packet's
    /// memory before it has left).
    Late,
}

/// Why it is not known what became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Doubt {
    /// Nothing was sent.
    #[error("time ran out before any was sent")]
    NotSent,
    /// A device below of which nothing is known.
    #[error(
        "what was sent to this machine's own address did not come that far, and it cannot be asked by itself"
    )]
    NotReached,
    /// Behind a tunnel.
    #[error(
        "it goes into a tunnel, and by which device that leaves is not known, or nothing came there; `vmnet path ADDRESS` follows it"
    )]
    BehindATunnel,
    /// They were still on their way when the counters were read.
    #[error("what was sent had not left the queue when time ran out")]
    NotSettled,
    /// Fewer packets than super-packets.
    #[error(
        "the driver counted fewer packets than were sent: they were dropped on the way, or are counted elsewhere"
    )]
    TooFew,
    /// The driver may count segments of what it got whole.
    #[error(
        "this driver may count the segments of a super-packet that it got whole, so its count does not tell"
    )]
    CountsSegments,
    /// Counted when more is sent.
    #[error(
        "this driver counts what it has sent only when more is sent (napi_tx=0), so its count does not tell; use vmnet run"
    )]
    CountsLate,
    /// Others sent too much.
    #[error("other traffic moves the counters too much; try again when it is quieter, or use vmnet run")]
    Blurred,
    /// Neither all nor none, and others do not explain it.
    #[error("some seem to have passed whole and some not")]
    Mixed,
    /// Rounds disagree.
    #[error("it changed while it was looked at")]
    Changed,
    /// Too few rounds were clear.
    #[error("time ran out before it was seen twice")]
    SeenOnce,
}

/// What became of a type of super-packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The driver got each whole.
    Whole,
    /// The CPU cut each up, and the driver got the segments.
    Cut,
    /// The kernel did not take it from us.
    Refused,
    /// Not known.
    Unknown(Doubt),
}

/// The fastest that others sent in any of the pauses, packets per second.
#[must_use]
pub fn fastest_others_per_s(pauses: &[Pause]) -> f64 {
    pauses
        .iter()
        .filter(|pause| pause.duration_s > 0.0)
        .map(|pause| pause.driver_packets as f64 / pause.duration_s)
        .fold(0.0, f64::max)
}

/// Judges one round by itself. `others_per_s` as of [`fastest_others_per_s`].
#[must_use]
pub fn judge_round(round: &Round, others_per_s: f64, counts_by: CountsBy) -> Fate {
    let (seen, whole, cut) = (round.driver_packets, round.whole(), round.cut());
    if round.sent == 0 || cut <= whole {
        return Fate::Unknown(Doubt::NotSent);
    }
    if counts_by == CountsBy::Late {
        return Fate::Unknown(Doubt::CountsLate);
    }
    if !round.settled {
        return Fate::Unknown(Doubt::NotSettled);
    }
    if seen < whole {
        return Fate::Unknown(Doubt::TooFew);
    }
    let gap = (cut - whole) as f64;
    let by_others = (BURST_FACTOR * others_per_s * round.duration_s + STRAY_PACKETS).min(gap);
    let excess = (seen - whole) as f64;
    // Had they been cut, all of these would have been counted, here or as lost, beside whatever others sent. What is left open is that
    // some were cut: others must explain all that is more than the super-packets, and it must stay plainly below.
    if seen.saturating_add(round.lost_packets) < cut {
        return match (excess <= by_others, excess * 4.0 < gap * 3.0) {
            (true, true) => Fate::Whole,
            (false, _) => Fate::Unknown(Doubt::Mixed),
            (true, false) => Fate::Unknown(Doubt::Blurred),
        };
    }
    // As many as the segments, or more: were they whole, others would have to have sent all the rest.
    let plainly = by_others * 2.0 <= gap && excess * 2.0 >= gap && excess - gap <= by_others;
    match (plainly, counts_by) {
        (true, CountsBy::Skb) => Fate::Cut,
        (true, CountsBy::Unknown) => Fate::Unknown(Doubt::CountsSegments),
        (true, CountsBy::Late) => Fate::Unknown(Doubt::CountsLate),
        (false, _) => Fate::Unknown(Doubt::Blurred),
    }
}

/// Judges one round by the frames that a tap saw of it.
fn judge_tapped(round: &Round, tapped: Tapped) -> Fate {
    let (whole, cut) = (round.whole(), round.cut());
    if round.sent == 0 || cut <= whole {
        return Fate::Unknown(Doubt::NotSent);
    }
    match (tapped.whole, tapped.singles) {
        (seen, 0) if seen == whole => Fate::Whole,
        (0, seen) if seen == cut => Fate::Cut,
        (1.., 1..) => Fate::Unknown(Doubt::Mixed),
        _ if !round.settled => Fate::Unknown(Doubt::NotSettled),
        (seen, 0) if seen < whole => Fate::Unknown(Doubt::TooFew),
        (0, seen) if seen < cut => Fate::Unknown(Doubt::TooFew),
        // Another check, of the same interface at the same time.
        _ => Fate::Unknown(Doubt::Blurred),
    }
}

/// Judges all rounds of a type at one device: those that are clear must agree, and there must be [`ROUNDS_TO_BELIEVE`] of them, or one that
/// a tap saw. A single count against the frames themselves is one that came late (virtio counts as it reaps).
#[must_use]
pub fn judge(rounds: &[Round], pauses: &[Pause], counts_by: CountsBy) -> Fate {
    let others_per_s = fastest_others_per_s(pauses);
    let (mut whole, mut cut, mut doubts) = (0_usize, 0_usize, Vec::new());
    let mut seen = Fate::Unknown(Doubt::NotSent);
    for round in rounds {
        let (fate, weight) = match round.tapped {
            Some(tapped) => (judge_tapped(round, tapped), ROUNDS_TO_BELIEVE),
            None => (judge_round(round, others_per_s, counts_by), 1),
        };
        if round.tapped.is_some() {
            seen = fate;
        }
        match fate {
            Fate::Whole => whole += weight,
            Fate::Cut => cut += weight,
            Fate::Unknown(doubt) => doubts.push(doubt),
            Fate::Refused => {}
        }
    }
    match (whole, cut) {
        (1, _) if seen == Fate::Cut => Fate::Cut,
        (_, 1) if seen == Fate::Whole => Fate::Whole,
        (1.., 1..) => Fate::Unknown(Doubt::Changed),
        (ROUNDS_TO_BELIEVE.., 0) => Fate::Whole,
        (0, ROUNDS_TO_BELIEVE..) => Fate::Cut,
        _ => Fate::Unknown(doubts.into_iter().max().unwrap_or(if whole + cut > 0 {
            Doubt::SeenOnce
        } else {
            Doubt::NotSent
        })),
    }
}

/// What became of a type on its way through the interface and those below it, from the top: cut anywhere is cut. The index is of
/// the device that cut it, or about which there is doubt. A device below that got nothing at all has no part (`None`).
#[must_use]
pub fn through_the_stack(fates: &[Option<Fate>]) -> (Fate, Option<usize>) {
    for (index, fate) in fates.iter().enumerate() {
        match fate {
            Some(Fate::Whole) | None => {}
            Some(other) => return (*other, Some(index)),
        }
    }
    match fates.first() {
        Some(Some(_)) => (Fate::Whole, None),
        _ => (Fate::Unknown(Doubt::NotSent), None),
    }
}

/// The answer for the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Every type that the device offers passes whole.
    Engaged,
    /// None does.
    Software,
    /// Some do.
    Partial,
    /// TCP builds none that it could get: `gso_max_segs` is 1, or no two segments of its MTU fit into one. What becomes of others' is told by type.
    NotBuilt,
    /// Not known.
    Inconclusive,
}

impl State {
    /// As in JSON, and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Engaged => "engaged",
            Self::Software => "software",
            Self::Partial => "partial",
            Self::NotBuilt => "not-built",
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl UdpState {
    /// As in JSON, and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Engaged => "engaged",
            Self::Software => "software",
            Self::Partial => "partial",
            Self::Refused => "refused",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// The answer for UDP super-packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum UdpState {
    /// They pass whole.
    Engaged,
    /// The CPU segments them.
    Software,
    /// Those of one family pass whole.
    Partial,
    /// Programs that ask for them (UDP_SEGMENT) get EIO.
    Refused,
    /// Not known.
    Inconclusive,
}

/// The answer for UDP. `programs_get_eio`: `udp_send_skb` takes no UDP_SEGMENT from a program here, as the device makes no checksums and the kernel is
/// from before 6.11 (10154dbded6d), whatever a packet socket may send.
#[must_use]
pub fn udp_state(fates: impl IntoIterator<Item = Fate>, programs_get_eio: bool) -> UdpState {
    if programs_get_eio {
        return UdpState::Refused;
    }
    match state(fates) {
        State::Engaged => UdpState::Engaged,
        State::Software => UdpState::Software,
        State::Partial => UdpState::Partial,
        // UDP's super-packets are the programs' own.
        State::NotBuilt | State::Inconclusive => UdpState::Inconclusive,
    }
}

/// The answer, from the fates of the types that count. One whole and one cut make it partial whatever the others are;
/// otherwise all must be known.
#[must_use]
pub fn state(counting: impl IntoIterator<Item = Fate>) -> State {
    let (mut whole, mut cut, mut unknown) = (false, false, false);
    for fate in counting {
        match fate {
            Fate::Whole => whole = true,
            Fate::Cut => cut = true,
            Fate::Refused | Fate::Unknown(_) => unknown = true,
        }
    }
    match (whole, cut, unknown) {
        (true, true, _) => State::Partial,
        (true, false, false) => State::Engaged,
        (false, true, false) => State::Software,
        _ => State::Inconclusive,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QUIET: f64 = 0.0;

    #[test]
    fn types_are_called_in_json_as_they_are_on_the_screen() {
        for kind in Type::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }

    #[test]
    fn what_the_device_does_not_offer_has_no_part_in_the_state() {
        let counting = |active: Features| Type::ALL.into_iter().filter(|kind| kind.counts(&active)).count();
        let off = Features::default();
        assert_eq!(counting(off), 2, "plain TCP counts whatever the features say");
        let tso = Features { tso4: Some(true), tso6: Some(true), ..off };
        assert_eq!(counting(tso), 2);
        assert_eq!(counting(Features { tso_ecn: Some(true), ..tso }), 4);
        assert_eq!(counting(Features { uso: Some(true), ..off }), 2, "UDP is not TSO");
    }

    #[test]
    fn udp_is_judged_by_its_own_types_and_refused_where_programs_get_no_segments() {
        let unknown = Fate::Unknown(Doubt::Blurred);
        for (fates, state) in [
            ([Fate::Whole, Fate::Whole], UdpState::Engaged),
            ([Fate::Cut, Fate::Cut], UdpState::Software),
            ([Fate::Cut, Fate::Whole], UdpState::Partial),
            ([Fate::Whole, unknown], UdpState::Inconclusive),
            ([Fate::Refused, Fate::Refused], UdpState::Inconclusive),
        ] {
            assert_eq!(udp_state(fates, false), state, "{fates:?}");
            assert_eq!(udp_state(fates, true), UdpState::Refused);
        }
    }

    #[test]
    fn frames_that_a_tap_saw_decide_by_themselves_whatever_the_counters_say() {
        let tapped = |whole, singles| Round { tapped: Some(Tapped { whole, singles }), ..round(100_000) };
        for (whole, singles, fate) in [
            (4, 0, Fate::Whole),
            (0, 176, Fate::Cut),
            (1, 132, Fate::Unknown(Doubt::Mixed)),
            (3, 0, Fate::Unknown(Doubt::TooFew)),
            (0, 175, Fate::Unknown(Doubt::TooFew)),
            (8, 0, Fate::Unknown(Doubt::Blurred)),
            (0, 0, Fate::Unknown(Doubt::TooFew)),
        ] {
            let pauses = [Pause { driver_packets: 500, duration_s: 0.001 }];
            for counts_by in [CountsBy::Skb, CountsBy::Unknown, CountsBy::Late] {
                assert_eq!(judge(&[tapped(whole, singles)], &pauses, counts_by), fate, "{whole} {singles}");
            }
        }
        // One count that came late is nothing against frames,
        assert_eq!(judge(&[round(176), round(4), tapped(0, 176)], &[], CountsBy::Skb), Fate::Cut);
        assert_eq!(judge(&[round(4), round(176), tapped(4, 0)], &[], CountsBy::Skb), Fate::Whole);
        // and two are: it changed between the counters' rounds and the tap's.
        let rounds = [round(176), round(176), tapped(4, 0)];
        assert_eq!(judge(&rounds, &[], CountsBy::Skb), Fate::Unknown(Doubt::Changed));
        assert_eq!(judge(&rounds, &[], CountsBy::Unknown), Fate::Whole, "counts of segments say nothing");
    }

    fn round(driver_packets: u64) -> Round {
        Round {
            sent: 4,
            segments_each: 44,
            driver_packets,
            lost_packets: 0,
            duration_s: 0.002,
            settled: true,
            tapped: None,
        }
    }

    #[test]
    fn on_a_quiet_interface_the_count_is_the_answer() {
        for (seen, fate) in [
            (0, Fate::Unknown(Doubt::TooFew)),
            (3, Fate::Unknown(Doubt::TooFew)),
            (4, Fate::Whole),
            (8, Fate::Whole),
            (9, Fate::Unknown(Doubt::Mixed)),
            (47, Fate::Unknown(Doubt::Mixed)),
            (175, Fate::Unknown(Doubt::Mixed)),
            (176, Fate::Cut),
            (180, Fate::Cut),
            (181, Fate::Unknown(Doubt::Blurred)),
        ] {
            assert_eq!(judge_round(&round(seen), QUIET, CountsBy::Skb), fate, "{seen} packets");
        }
    }

    #[test]
    fn what_is_still_on_its_way_or_was_lost_is_not_taken_for_whole() {
        let waiting = Round { settled: false, ..round(4) };
        assert_eq!(judge_round(&waiting, QUIET, CountsBy::Skb), Fate::Unknown(Doubt::NotSettled));
        let dropped = Round { lost_packets: 172, ..round(4) };
        assert_ne!(judge_round(&dropped, QUIET, CountsBy::Skb), Fate::Whole);
    }

    #[test]
    fn a_driver_that_may_count_segments_can_show_whole_but_not_cut() {
        assert_eq!(judge_round(&round(4), QUIET, CountsBy::Unknown), Fate::Whole);
        let as_segments = judge_round(&round(176), QUIET, CountsBy::Unknown);
        assert_eq!(as_segments, Fate::Unknown(Doubt::CountsSegments));
    }

    #[test]
    fn a_driver_that_counts_late_shows_nothing() {
        for seen in [4, 176] {
            let judged = judge_round(&round(seen), QUIET, CountsBy::Late);
            assert_eq!(judged, Fate::Unknown(Doubt::CountsLate));
        }
    }

    #[test]
    fn one_clear_round_is_not_believed_and_two_that_disagree_are_not_either() {
        let judged = |seen: &[u64]| {
            let rounds: Vec<_> = seen.iter().map(|seen| round(*seen)).collect();
            judge(&rounds, &[], CountsBy::Skb)
        };
        assert_eq!(judged(&[4]), Fate::Unknown(Doubt::SeenOnce));
        assert_eq!(judged(&[4, 4]), Fate::Whole);
        assert_eq!(judged(&[4, 90, 4]), Fate::Whole);
        assert_eq!(judged(&[176, 176]), Fate::Cut);
        assert_eq!(judged(&[176, 4, 176]), Fate::Unknown(Doubt::Changed));
        assert_eq!(judged(&[]), Fate::Unknown(Doubt::NotSent));
    }

    #[test]
    fn the_first_device_that_cuts_is_the_one() {
        let blurred = Fate::Unknown(Doubt::Blurred);
        for (fates, answer) in [
            (vec![Some(Fate::Whole), Some(Fate::Whole)], (Fate::Whole, None)),
            (vec![Some(Fate::Whole), Some(Fate::Cut)], (Fate::Cut, Some(1))),
            (vec![Some(Fate::Cut), Some(Fate::Cut)], (Fate::Cut, Some(0))),
            (vec![Some(Fate::Whole), None], (Fate::Whole, None)),
            (vec![Some(Fate::Whole), Some(blurred)], (blurred, Some(1))),
        ] {
            assert_eq!(through_the_stack(&fates), answer, "{fates:?}");
        }
    }

    #[test]
    fn the_state_follows_the_types_that_count() {
        let unknown = Fate::Unknown(Doubt::Blurred);
        for (fates, expected) in [
            (vec![Fate::Whole, Fate::Whole], State::Engaged),
            (vec![Fate::Cut, Fate::Cut], State::Software),
            (vec![Fate::Whole, Fate::Cut], State::Partial),
            (vec![Fate::Whole, Fate::Cut, unknown], State::Partial),
            (vec![Fate::Whole, unknown], State::Inconclusive),
            (vec![Fate::Cut, Fate::Refused], State::Inconclusive),
            (vec![], State::Inconclusive),
        ] {
            assert_eq!(state(fates.iter().copied()), expected, "{fates:?}");
        }
    }

    prop_compose! {
        fn sends()(sent in 1_u64..64, segments_each in 2_u64..100, duration_s in 0.0001_f64..0.5)
            -> (u64, u64, f64) { (sent, segments_each, duration_s) }
    }

    proptest! {
        /// Whatever others send, and however wrong the estimate of it is: segments are never taken for super-packets.
        #[test]
        fn what_was_cut_is_never_called_whole(
            (sent, segments_each, duration_s) in sends(),
            others in 0_u64..1_000_000,
            lost_share in 0.0_f64..1.0,
            others_per_s in 0.0_f64..1e7,
        ) {
            let cut = sent * segments_each;
            let lost_packets = (cut as f64 * lost_share) as u64;
            let driver_packets = cut - lost_packets + others;
            let round = Round { sent, segments_each, driver_packets, lost_packets, duration_s, settled: true, tapped: None };
            prop_assert_ne!(judge_round(&round, others_per_s, CountsBy::Skb), Fate::Whole);
        }

        /// As long as others send no more than twice as fast as in the fastest pause.
        #[test]
        fn what_was_whole_is_never_called_cut(
            (sent, segments_each, duration_s) in sends(),
            others_per_s in 0.0_f64..1e7,
            surge in 0.0_f64..2.0,
        ) {
            let others = (others_per_s * surge * duration_s) as u64;
            let driver_packets = sent + others;
            let round = Round { sent, segments_each, driver_packets, lost_packets: 0, duration_s, settled: true, tapped: None };
            prop_assert_ne!(judge_round(&round, others_per_s, CountsBy::Skb), Fate::Cut);
        }

        /// A steady background that is small against the difference does not keep it from an answer.
        #[test]
        fn a_little_traffic_beside_it_does_no_harm(seen_by_others in 0_u64..40) {
            let others_per_s = seen_by_others as f64 / 0.002;
            let whole = round(4 + seen_by_others);
            let cut = round(176 + seen_by_others);
            prop_assert_eq!(judge_round(&whole, others_per_s, CountsBy::Skb), Fate::Whole);
            prop_assert_eq!(judge_round(&cut, others_per_s, CountsBy::Skb), Fate::Cut);
        }

        #[test]
        fn any_numbers_can_be_judged(
            sent: u64, segments_each: u64, driver_packets: u64, lost_packets: u64,
            duration_s in proptest::num::f64::ANY, others_per_s in proptest::num::f64::ANY, settled: bool,
        ) {
            let round = Round { sent, segments_each, driver_packets, lost_packets, duration_s, settled, tapped: None };
            let _ = judge_round(&round, others_per_s, CountsBy::Skb);
        }
    }
}
