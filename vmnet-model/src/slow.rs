//! "Is this why I am slow?": whether it is for want of TSO that a run was not faster, from what the run itself saw. An experiment
//! (`vmnet ab`) decides it; this says what to expect of one.

use serde::{Deserialize, Serialize};

use crate::cause::{Elsewhere, Limit, LimitKind};
use crate::cost::Cost;
use crate::fact::Known as _;
use crate::ledger::Entry;
use crate::state::State;
use crate::units;

/// Whether the want of TSO limits throughput, and what else was seen to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Slow {
    /// Because TSO does not happen?
    pub without_tso: Answer,
    /// What that is taken from.
    pub why: String,
    /// What stands out as a limit, the plainest first.
    pub limits: Vec<Limit>,
}

/// An answer to "is it because TSO does not happen?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// What is full spends a good part of its time on segmentation alone.
    Yes,
    /// What is full does the segmenting, and what that takes of it is not known, or is little by itself.
    Likely,
    /// TSO happens, or something else holds the traffic at this rate.
    No,
    /// This run cannot tell.
    NotKnown,
}

/// Of the time of the CPUs that are full: from here on, segmentation alone is worth the answer "yes". Without it they would do at least
/// this much more.
const WORTH_A_YES: f64 = 0.15;
/// Of the bulk: less in software leaves little to gain.
const LITTLE_IN_SOFTWARE: f64 = 0.05;
/// Of the time without anything to send: less than this may be how a benchmark begins and ends,
const MOSTLY_IDLE: f64 = 0.7;
/// as may all of it in a run that is shorter, in seconds.
const LONG_ENOUGH_S: f64 = 5.0;
/// A sender whose own CPU segments looks like one that gives little: its sockets wait for it. Only where the busiest CPU is idle for more than
/// half of the time does it wait for something else.
const RESTS: f64 = 0.5;

/// Whether a limit holds traffic at a rate, whatever the CPU does.
fn holds_the_rate(limit: &Limit, elsewhere: &Elsewhere) -> bool {
    match limit.kind {
        LimitKind::Shaped | LimitKind::Paced | LimitKind::Link => true,
        LimitKind::Application => limit.share >= MOSTLY_IDLE && elsewhere.duration_s >= LONG_ENOUGH_S,
        LimitKind::Steal
        | LimitKind::Cpu
        | LimitKind::Queue
        | LimitKind::Receiver
        | LimitKind::SendBuffer
        | LimitKind::CongestionControl => false,
    }
}

/// How much an "engaged" says of throughput.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// False where packets go on inside this machine: what is below may segment them.
    pub terminal: bool,
    /// Super-packets were of few segments: [`crate::verdict::Verdict::thin`].
    pub thin: bool,
}

impl Slow {
    /// The answer of a run. `tcp` is None where no programs counted.
    #[must_use]
    pub fn of(state: State, reach: Reach, tcp: Option<&Entry>, cost: &Cost, elsewhere: &Elsewhere) -> Self {
        let mut limits = elsewhere.limits();
        limits.retain(|limit| limit.kind != LimitKind::Application || rests(elsewhere));
        let (without_tso, why) = answer(state, reach, tcp, cost, elsewhere, &limits);
        Self { without_tso, why, limits }
    }

    /// `likely: CPU 2 is 98 % busy, with this traffic, and the CPU segments in software`.
    #[must_use]
    pub fn said(&self) -> String {
        format!("{}: {}", self.without_tso.word(), self.why)
    }
}

impl Answer {
    fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Likely => "likely",
            Self::No => "no",
            Self::NotKnown => "not known",
        }
    }
}

fn answer(
    state: State,
    reach: Reach,
    tcp: Option<&Entry>,
    cost: &Cost,
    elsewhere: &Elsewhere,
    limits: &[Limit],
) -> (Answer, String) {
    let undone = match state {
        State::NothingToOffload => return (Answer::NotKnown, "no bulk TCP was sent in this run".to_owned()),
        State::Inconclusive => return (Answer::NotKnown, "it is not known whether TSO happens".to_owned()),
        State::Engaged => return of_engaged(reach),
        State::Partial if tcp.is_some_and(|tcp| share_without(tcp) < LITTLE_IN_SOFTWARE) => {
            return (Answer::No, "nearly all of the bulk is offloaded".to_owned());
        }
        State::Software | State::Partial => "segments in software",
        State::NotBuilt => "handles every segment by itself",
    };
    let of = |kind: LimitKind| limits.iter().find(|limit| limit.kind == kind);
    if let Some(cpu) = of(LimitKind::Cpu) {
        return of_a_full_cpu(cpu, undone, cost, elsewhere);
    }
    if let Some(held) = limits.iter().find(|limit| holds_the_rate(limit, elsewhere)) {
        return (Answer::No, format!("{}, and no CPU is full", held.brief));
    }
    if let Some(receiver) = of(LimitKind::Receiver) {
        return (Answer::NotKnown, format!("no CPU is full here; {}", receiver.brief));
    }
    let busiest = elsewhere.busiest_cpu().map_or_else(
        || "how busy the CPUs were is not known".to_owned(),
        |(index, cpu)| format!("no CPU is full (CPU {index}: {:.0} %)", cpu.busy * 100.0),
    );
    (Answer::NotKnown, busiest)
}

fn of_engaged(reach: Reach) -> (Answer, String) {
    let (answer, why) = match reach {
        Reach { thin: true, .. } => {
            (Answer::NotKnown, "TSO happens, with few segments in a packet, which saves little")
        }
        Reach { terminal: false, .. } => {
            (Answer::No, "TSO happens here; whether a device below segments, `vmnet path` tells")
        }
        Reach { .. } => (Answer::No, "TSO happens"),
    };
    (answer, why.to_owned())
}

/// Whether whoever sends has time left.
fn rests(elsewhere: &Elsewhere) -> bool {
    elsewhere.busiest_cpu().is_some_and(|(_, cpu)| cpu.busy < RESTS)
}

/// The bulk that left without the device's help, as a share of it.
fn share_without(tcp: &Entry) -> f64 {
    let without = tcp.software_bytes.saturating_add(tcp.unaggregated_bytes);
    units::share(without, tcp.bulk_bytes()).unwrap_or(0.0)
}

fn of_a_full_cpu(full: &Limit, undone: &str, cost: &Cost, elsewhere: &Elsewhere) -> (Answer, String) {
    let busy: f64 = elsewhere.cpus.iter().map(|cpu| cpu.busy).sum();
    let share = cost.cores.known().map(|cores| cores / busy).filter(|share| share.is_finite());
    match share {
        Some(share) if share >= WORTH_A_YES && !cost.method.is_sampled() => (
            Answer::Yes,
            format!("{}, and segmentation alone takes {} of the CPU time", full.brief, units::percent(share)),
        ),
        _ => (Answer::Likely, format!("{}, and the CPU {undone}", full.brief)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::senders::SenderLimits;
    use crate::throughput::CpuShare;

    fn cpus(busy: &[f64]) -> Elsewhere {
        let cpu = |busy: &f64| CpuShare { busy: *busy, softirq: 0.3, ..CpuShare::default() };
        Elsewhere { cpus: busy.iter().map(cpu).collect(), duration_s: 1.0, ..Elsewhere::default() }
    }

    fn cost(cores: Option<f64>) -> Cost {
        let mut cost = Cost::unmeasured(&crate::fact::Why::NoPrograms);
        cost.cores = cores.ok_or(crate::fact::Why::NoPrograms);
        cost.method = crate::cost::CostMethod::Fexit;
        cost
    }

    fn said(state: State, cores: Option<f64>, elsewhere: &Elsewhere) -> (Answer, String) {
        let slow = Slow::of(state, Reach { terminal: true, thin: false }, None, &cost(cores), elsewhere);
        (slow.without_tso, slow.why)
    }

    #[test]
    fn a_full_cpu_that_segments_is_why_and_by_how_much_decides_how_sure_that_is() {
        let full = cpus(&[0.2, 0.99]);
        let (yes, why) = said(State::Software, Some(0.4), &full);
        assert_eq!(yes, Answer::Yes);
        assert_eq!(
            why,
            "CPU 1 is 99 % busy, with this traffic, and segmentation alone takes 33.6 % of the CPU time"
        );
        for cores in [None, Some(0.05)] {
            assert_eq!(said(State::Software, cores, &full).0, Answer::Likely);
        }
        assert_eq!(said(State::NotBuilt, None, &full).0, Answer::Likely);
    }

    #[test]
    fn what_holds_the_rate_while_no_cpu_is_full_is_not_for_want_of_tso() {
        let shaped = Elsewhere { wire_gbps: Some(0.99), shaped_gbps: Some(1.0), ..cpus(&[0.3, 0.4]) };
        let (no, why) = said(State::Software, Some(0.2), &shaped);
        assert_eq!(no, Answer::No);
        assert!(why.contains("tbf"), "{why}");
        // A CPU that is full as well is no reason to look away.
        let both = Elsewhere { cpus: cpus(&[0.99, 0.4]).cpus, ..shaped };
        assert_eq!(said(State::Software, Some(0.5), &both).0, Answer::Yes);
    }

    #[test]
    fn a_sender_that_segments_by_itself_is_not_taken_for_an_application_that_rests() {
        let gives_little = |busy: f64, duration_s: f64| Elsewhere {
            senders: Some(SenderLimits {
                sockets: 1,
                busy_us: (duration_s * 270_000.0) as u64,
                app_limited_sockets: 1,
                ..SenderLimits::default()
            }),
            duration_s,
            ..cpus(&[busy, 0.1])
        };
        assert_eq!(said(State::Software, Some(0.1), &gives_little(0.2, 10.0)).0, Answer::No);
        for (busy, duration_s) in [(0.65, 10.0), (0.2, 2.0)] {
            let (answer, why) = said(State::Software, Some(0.1), &gives_little(busy, duration_s));
            assert_eq!(answer, Answer::NotKnown, "{why}");
        }
    }

    #[test]
    fn where_nothing_stands_out_nothing_is_claimed() {
        let idle = cpus(&[0.3, 0.61]);
        assert_eq!(
            said(State::Software, Some(0.2), &idle),
            (Answer::NotKnown, "no CPU is full (CPU 1: 61 %)".to_owned())
        );
        assert_eq!(said(State::Inconclusive, None, &cpus(&[1.0])).0, Answer::NotKnown);
        assert_eq!(said(State::NothingToOffload, None, &cpus(&[1.0])).0, Answer::NotKnown);
        assert_eq!(said(State::Engaged, None, &cpus(&[1.0])).0, Answer::No);
    }

    #[test]
    fn that_tso_happens_denies_neither_what_is_below_nor_that_it_saves_little() {
        let of = |terminal, thin| {
            Slow::of(State::Engaged, Reach { terminal, thin }, None, &cost(None), &cpus(&[1.0])).said()
        };
        assert_eq!(of(true, false), "no: TSO happens");
        assert!(of(false, false).contains("vmnet path") && of(false, true).starts_with("not known"));
    }
}
