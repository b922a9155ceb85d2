//! Sending the super-packets, type by type and round by round, with pauses between to see what others send.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use super::{
    Ends,
    error::CheckError,
    frames::{self, Envelope, Frame},
    shape::{self, Limits, Shape},
    socket::PacketSocket,
    stack::Level,
    tap::Taps,
    watch::{Reading, Watch},
};
use crate::model::checked::{self, Fate, Pause, ROUNDS_TO_BELIEVE, Round, Type};

/// Super-packets of one type in a round.
const SENDS_PER_ROUND: usize = 4;
/// Rounds at most beside the tapped one, where other traffic blurs the counters.
const MOST_ROUNDS: usize = 5;
/// Between the sends of one type and those of the next.
const PAUSE: Duration = Duration::from_millis(2);
/// How long what was sent may take to leave, before the rest is not sent at all.
const LEAVES_WITHIN: Duration = Duration::from_millis(200);
/// How often that is looked at.
const LOOK: Duration = Duration::from_micros(50);
/// A driver adds to its counter a moment after it has freed the packet: so long between two looks that must be the same.
const REST: Duration = Duration::from_micros(300);
/// Looks at most: on a busy interface no two are the same.
const MOST_LOOKS_FOR_REST: usize = 4;

/// One type, what is sent for it, and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) kind: Type,
    pub(super) shape: Shape,
    frame: Frame,
    /// Level by level, then round by round.
    pub(super) rounds: Vec<Vec<Round>>,
    /// What each send took.
    pub(super) sends_ns: Vec<f64>,
    /// The error number with which the kernel did not take it.
    pub(super) refused: Option<i32>,
}

impl Question {
    /// Level by level, from the interface down. None for a level below that got nothing at all.
    pub(super) fn fates(&self, levels: &[Level], pauses: &[Vec<Pause>]) -> Vec<Option<Fate>> {
        let judged = self.rounds.iter().zip(levels).zip(pauses).enumerate();
        judged
            .map(|(depth, ((rounds, level), pauses))| {
                let tapped = rounds.iter().find_map(|round| round.tapped);
                let nothing_came = tapped.map_or_else(
                    || rounds.iter().all(|round| round.driver_packets < round.sent),
                    |tapped| tapped.is_nothing(),
                );
                if depth > 0 && nothing_came && rounds.iter().all(|round| round.settled) {
                    return None;
                }
                Some(checked::judge(rounds, pauses, level.counts_by))
            })
            .collect()
    }

    pub(super) fn sent(&self) -> u64 {
        self.rounds.first().map_or(0, |rounds| rounds.iter().map(|round| round.sent).sum())
    }
}

/// Those that can be asked of this interface.
pub(super) fn questions(limits: &Limits, ends: &Ends) -> Vec<Question> {
    Type::ALL
        .into_iter()
        // Where all are tagged, one that is tagged is no type of its own.
        .filter(|kind| !(ends.tagged && *kind == Type::Tcp4Vlan))
        .filter_map(|kind| {
            let tagged = kind == Type::Tcp4Vlan || ends.tagged;
            let shape = shape::shape(kind, limits, tagged)?;
            let envelope = Envelope { source: ends.own, destination: ends.destination, tagged };
            let frame = frames::build(kind, &shape, &envelope)?;
            Some(Question { kind, shape, frame, rounds: Vec::new(), sends_ns: Vec::new(), refused: None })
        })
        .collect()
}

/// The asking of one interface.
#[derive(Debug)]
pub(super) struct Asking<'a> {
    interface: &'a str,
    socket: &'a PacketSocket,
    levels: &'a [Level],
    watch: Watch,
    /// There in the round that they are for alone: what they see takes time, and the sends are timed.
    taps: Option<Taps>,
    /// Level by level.
    pauses: Vec<Vec<Pause>>,
    deadline: Instant,
}

/// Whether everything that was sent has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    All,
    NotAll,
}

impl<'a> Asking<'a> {
    /// No round is begun after `deadline`.
    pub(super) fn new(
        interface: &'a str,
        socket: &'a PacketSocket,
        levels: &'a [Level],
        watch: Watch,
        deadline: Instant,
    ) -> Self {
        Self {
            interface,
            socket,
            levels,
            watch,
            taps: None,
            pauses: vec![Vec::new(); levels.len()],
            deadline,
        }
    }

    /// By counters and clock first; then frame by frame; then by counters again what is still not known.
    pub(super) fn ask_all(&mut self, questions: &mut [Question]) -> Result<(), CheckError> {
        for question in questions.iter_mut() {
            question.rounds = vec![Vec::new(); self.levels.len()];
        }
        for round in 0..=MOST_ROUNDS {
            let is_tapped = round == ROUNDS_TO_BELIEVE;
            self.taps = is_tapped.then(|| Taps::open(self.levels));
            for question in questions.iter_mut() {
                let is_answered = round > ROUNDS_TO_BELIEVE && self.is_answered(question);
                if question.refused.is_some() || is_answered {
                    continue;
                }
                // What has not left would be counted with the next.
                if Instant::now() >= self.deadline || self.ask(question)? == Left::NotAll {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Level by level.
    pub(super) fn into_pauses(self) -> Vec<Vec<Pause>> {
        self.pauses
    }

    fn is_answered(&self, question: &Question) -> bool {
        let is_known = |fate: &Option<Fate>| !matches!(fate, Some(Fate::Unknown(_)));
        question.fates(self.levels, &self.pauses).iter().all(is_known)
    }

    /// A pause, then one round of one type.
    fn ask(&mut self, question: &mut Question) -> Result<Left, CheckError> {
        let before_pause = self.watch.read(self.levels)?;
        thread::sleep(PAUSE);
        let before = self.watch.read(self.levels)?;
        for (pauses, pause) in self.pauses.iter_mut().zip(before.pause_since(&before_pause)) {
            pauses.push(pause);
        }
        let mut sent = 0;
        let mut left = Left::All;
        for _ in 0..SENDS_PER_ROUND {
            match self.socket.send(&question.frame) {
                Ok(_) if self.taps.is_some() => {}
                Ok(took) => question.sends_ns.push(took.as_nanos() as f64),
                Err(error) if was_dropped(&error) => {}
                Err(error) if is_gone(&error) => {
                    return Err(CheckError::WentAway { name: self.interface.to_owned(), cause: error });
                }
                Err(error) => {
                    question.refused = Some(error.raw_os_error().unwrap_or_default());
                    break;
                }
            }
            sent += 1;
            left = self.wait_until_it_left();
            if left == Left::NotAll {
                break;
            }
        }
        let after = self.at_rest()?;
        let duration_s = after.seconds_since(&before);
        let tapped = self.taps.as_ref().map_or_else(|| vec![None; self.levels.len()], Taps::read);
        for ((rounds, counted), tapped) in question.rounds.iter_mut().zip(after.since(&before)).zip(tapped) {
            if sent > 0 {
                rounds.push(Round {
                    sent,
                    segments_each: question.shape.segments,
                    driver_packets: counted.driver_packets,
                    lost_packets: counted.lost_packets,
                    duration_s,
                    settled: left == Left::All,
                    tapped,
                });
            }
        }
        Ok(left)
    }

    fn wait_until_it_left(&self) -> Left {
        let deadline = Instant::now() + LEAVES_WITHIN;
        loop {
            match self.socket.unsent_bytes() {
                Ok(0) => return Left::All,
                _ if Instant::now() >= deadline => return Left::NotAll,
                _ => thread::sleep(LOOK),
            }
        }
    }

    /// The counters, once two looks at them are the same, or after a few.
    fn at_rest(&mut self) -> Result<Reading, CheckError> {
        let mut before = self.watch.read(self.levels)?;
        for _ in 0..MOST_LOOKS_FOR_REST {
            thread::sleep(REST);
            let now = self.watch.read(self.levels)?;
            if now.is_same(&before) {
                return Ok(now);
            }
            before = now;
        }
        Ok(before)
    }
}

/// A qdisc dropped it: it was sent, and is counted as lost.
fn was_dropped(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EAGAIN))
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENETDOWN | libc::ENXIO | libc::ENODEV))
}
