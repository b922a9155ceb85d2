//! What is done: one command of `vmnet`, and what it may answer.

use std::path::Path;

use serde_json::Value;

use super::disturbance::Disturbance;
use super::draw::Draw;
use super::stage::Stage;

/// What a command is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Check,
    Doctor,
    /// Until its duration ends.
    Run,
    /// Until its COMMAND ends.
    RunCommand,
    Ab,
    Fix,
    /// `fix --undo`, after a fix.
    Undo,
    /// After a fix.
    Restore,
    Path,
}

/// One command, and what is known of it beforehand.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) kind: Kind,
    /// Its words, without the program.
    pub(super) words: Vec<String>,
    /// How long it takes when nothing comes between, about.
    pub(super) planned_s: f64,
    /// Whether the result is on standard output; else it is in [`RESULT`].
    pub(super) says_result: bool,
    /// TSO while it runs.
    pub(super) tso: bool,
}

/// Where a result is, below the operation's own directory.
pub(super) const RESULT: &str = "result.json";

/// Emulated, as it is.
const SLOWER_IN_A_GUEST: f64 = 4.0;

/// What an answer is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Right,
    /// It says that it does not know, or there was too little to tell.
    Undecided,
    /// What was asked about changed meanwhile: it may be either.
    Either,
    False(String),
}

impl Kind {
    /// With how often each is drawn.
    const OFTEN: [(Self, usize); 9] = [
        (Self::Run, 5),
        (Self::RunCommand, 4),
        (Self::Ab, 3),
        (Self::Check, 3),
        (Self::Doctor, 2),
        (Self::Fix, 2),
        (Self::Undo, 2),
        (Self::Restore, 1),
        (Self::Path, 2),
    ];

    pub(super) fn draw(draw: &mut Draw) -> Self {
        let all: Vec<Self> =
            Self::OFTEN.iter().flat_map(|(kind, times)| std::iter::repeat_n(*kind, *times)).collect();
        draw.one_of(&all)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Doctor => "doctor",
            Self::Run => "run",
            Self::RunCommand => "run COMMAND",
            Self::Ab => "ab",
            Self::Fix => "fix",
            Self::Undo => "fix --undo",
            Self::Restore => "restore",
            Self::Path => "path",
        }
    }

    /// About, on a machine that is not busy: what comes between is to come before the end.
    fn takes_s(self) -> f64 {
        match self {
            Self::Check | Self::Fix => 0.2,
            Self::Doctor => 0.12,
            Self::Undo | Self::Restore => 0.02,
            Self::Run | Self::RunCommand | Self::Path => 1.5,
            Self::Ab => 4.0,
        }
    }

    /// Whether there has to be something to fix. These take Ctrl-Z for the wish to end them: what is being changed is finished first, and
    /// nothing more is begun.
    pub(super) fn is_about_a_fix(self) -> bool {
        matches!(self, Self::Fix | Self::Undo | Self::Restore)
    }

    /// Whether there has to be a fix before it, which it puts back.
    pub(super) fn is_after_a_fix(self) -> bool {
        matches!(self, Self::Undo | Self::Restore)
    }

    /// Whether the device is not the same all the time that it runs.
    pub(super) fn changes_the_device(self) -> bool {
        matches!(self, Self::Ab | Self::Fix | Self::Undo | Self::Restore)
    }

    /// Whether there may be a journal afterwards: of a fix, which stays; of what was cut off before it had put back.
    pub(super) fn may_leave_a_journal(self, disturbance: Disturbance) -> bool {
        let cut_off = disturbance.kills() || disturbance.changes_the_device();
        match self {
            Self::Fix => true,
            Self::Undo | Self::Restore => {
                cut_off || matches!(disturbance, Disturbance::Signal(_) | Disturbance::Suspended(_))
            }
            Self::Ab => cut_off,
            Self::Check | Self::Doctor | Self::Run | Self::RunCommand | Self::Path => false,
        }
    }
}

impl Operation {
    /// `modes` are those that work here; files are to be below `output`.
    pub(super) fn draw(
        kind: Kind,
        draw: &mut Draw,
        stage: &Stage,
        modes: &[&'static str],
        output: &Path,
    ) -> Self {
        let mut words = Words(Vec::new());
        let interface = stage.interface();
        let directory = output.to_string_lossy().into_owned();
        let mut planned_s = kind.takes_s();
        let mut says_result = false;
        match kind {
            Kind::Check => {
                words.add(&["check", interface, "--json", "-"]);
                says_result = true;
            }
            Kind::Doctor => {
                words.add(&["doctor", interface, "--json", "-"]);
                says_result = true;
                if draw.chance(0.5) {
                    words.add(&["--no-check"]);
                }
            }
            Kind::Run | Kind::RunCommand => {
                words.add(&["run", interface, "-i", "100ms", "--json", RESULT]);
                let mode = draw.one_of(modes);
                words.add(&["--mode", mode]);
                if mode != "counters" && draw.chance(0.3) {
                    words.add(&["--exact"]);
                }
                if draw.chance(0.25) {
                    words.add(&["--overhead"]);
                }
                words.add(&["-o", &directory]);
                planned_s = draw.one_of(&[1.0, 2.0, 3.0]);
            }
            Kind::Ab => {
                let seed = (draw.seed() % 1_000).to_string();
                words.add(&["ab", interface, "--json", RESULT, "-o", &directory, "--seed", &seed]);
                words.add(&[
                    "--load",
                    stage.far(),
                    "--time",
                    "300ms",
                    "--cool-down",
                    "0s",
                    "--warm-up",
                    "50ms",
                ]);
                words.add(&["--rehearsal", "--blocks", "1", "--no-placebo"]);
                // Whoever else uses this machine is no reason for a trial not to count here.
                words.add(&["--max-steal", "100", "--max-retransmits", "100"]);
            }
            Kind::Fix => words.add(&["fix", interface, "--json", RESULT]),
            Kind::Undo => words.add(&["fix", interface, "--undo", "--json", RESULT]),
            Kind::Restore => words.add(&["restore", "--json", RESULT]),
            Kind::Path => {
                words.add(&["path", stage.far(), "-d", "1s", "--json", RESULT]);
            }
        }
        words.0.extend(stage.namespace());
        match kind {
            Kind::Run => words.add(&["-d", &format!("{planned_s}s")]),
            Kind::RunCommand => {
                let options = draw.one_of(&["-n 20M -P 2", "-t 1s", "-t 2s -P 4"]);
                words.0.push("--".to_owned());
                words.0.extend(stage.load(options));
            }
            _ => {}
        }
        if stage.is_guest() && !matches!(kind, Kind::Run | Kind::RunCommand) {
            planned_s *= SLOWER_IN_A_GUEST;
        }
        Self { kind, words: words.0, planned_s, says_result, tso: stage.tso }
    }

    /// Whether exit code and result are those of one that did what it is there for.
    pub(super) fn is_done(&self, code: Option<i32>, result: &Value) -> bool {
        // With the load beside it, more trials than may be can have something left unexplained.
        let is_undecided = self.kind == Kind::Ab
            && ["too-many-rejected", "treatment-not-taken"].contains(&text(result, "/window/ended_by"));
        code == Some(0) || code == Some(1) && is_undecided
    }

    /// Holds the result against what is so. None where it gives no answer.
    pub(super) fn judge(&self, result: &Value, disturbance: Disturbance) -> Option<Answer> {
        let answer = self.answer(result)?;
        Some(match answer {
            Answer::False(_) | Answer::Right if disturbance.changes_the_device() => Answer::Either,
            answer => answer,
        })
    }

    fn answer(&self, result: &Value) -> Option<Answer> {
        let state = |at: &str, [on, off]: [&str; 2], open: &[&str]| {
            let said = text(result, at);
            let right = if self.tso { on } else { off };
            match said {
                "" => None,
                said if said == right => Some(Answer::Right),
                said if open.contains(&said) => Some(Answer::Undecided),
                said => Some(Answer::False(format!(
                    "{at} is {said}, and with TSO {} {right} is so",
                    self.on_off()
                ))),
            }
        };
        match self.kind {
            Kind::Run | Kind::RunCommand => {
                state("/verdict/state", ["engaged", "software"], &["inconclusive", "nothing-to-offload"])
            }
            Kind::Check => state("/state", ["engaged", "software"], &["inconclusive"]),
            Kind::Path => {
                let steps = result["steps"].as_array()?;
                let index = steps.iter().position(|step| {
                    ["veth0", "ens4"].contains(&text(step, "/interface/name")) && step["side"] == "transmit"
                })?;
                state(&format!("/steps/{index}/state"), ["whole", "segmented"], &["unknown", "singles"])
            }
            Kind::Doctor => {
                let is_off = result["causes"].as_array()?.iter().any(|cause| cause["id"] == "turned-off");
                Some(if is_off == self.tso {
                    Answer::False(format!("turned-off: {is_off}, with TSO {}", self.on_off()))
                } else {
                    Answer::Right
                })
            }
            Kind::Ab => of_trials(result),
            Kind::Fix | Kind::Undo | Kind::Restore => None,
        }
    }

    fn on_off(&self) -> &'static str {
        if self.tso { "on" } else { "off" }
    }
}

/// A trial that counts has the state that its arm brings about, and everything was put back.
fn of_trials(result: &Value) -> Option<Answer> {
    if result["settings"]["restored"] == false {
        return Some(Answer::False("the device was not put back".to_owned()));
    }
    let trials = result["trials"].as_array()?;
    let counted: Vec<&Value> =
        trials.iter().filter(|trial| trial["rejections"].as_array().is_some_and(Vec::is_empty)).collect();
    if let Some(trial) = counted.iter().find(|trial| trial["state"] != trial["expected"]) {
        return Some(Answer::False(format!(
            "a trial that counts is {}, not {}",
            trial["state"], trial["expected"]
        )));
    }
    Some(if counted.is_empty() { Answer::Undecided } else { Answer::Right })
}

/// A text of the JSON, by pointer; empty where there is none.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

struct Words(Vec<String>);

impl Words {
    fn add(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(|word| (*word).to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::Signal;
    use serde_json::json;

    use super::*;

    fn operation(kind: Kind, tso: bool) -> Operation {
        Operation { kind, words: Vec::new(), planned_s: 1.0, says_result: false, tso }
    }

    #[test]
    fn a_state_is_right_undecided_or_false_by_what_was_set() {
        let run = |state: &str| json!({"verdict": {"state": state}});
        for (tso, state, is_right) in [
            (true, "engaged", Some(true)),
            (true, "software", Some(false)),
            (true, "inconclusive", None),
            (false, "software", Some(true)),
            (false, "engaged", Some(false)),
            (false, "partial", Some(false)),
        ] {
            let answer = operation(Kind::Run, tso).judge(&run(state), Disturbance::Nothing).unwrap();
            match is_right {
                Some(true) => assert_eq!(answer, Answer::Right),
                Some(false) => assert!(matches!(answer, Answer::False(_)), "{state}"),
                None => assert_eq!(answer, Answer::Undecided),
            }
            // A signal changes nothing about the device, and somebody who switches TSO does.
            let killed = Disturbance::Signal(Signal::SIGTERM);
            assert_eq!(operation(Kind::Run, tso).judge(&run(state), killed), Some(answer.clone()));
            let switched = operation(Kind::Run, tso).judge(&run(state), Disturbance::Tso).unwrap();
            assert_eq!(switched == Answer::Either, answer != Answer::Undecided);
        }
        assert_eq!(operation(Kind::Run, true).judge(&Value::Null, Disturbance::Nothing), None);
    }

    #[test]
    fn a_cause_that_is_missing_and_one_that_is_not_so_are_false() {
        let doctor = |causes: Value| json!({ "causes": causes });
        let off = json!([{"id": "turned-off"}]);
        let judge = |tso, causes| operation(Kind::Doctor, tso).judge(&doctor(causes), Disturbance::Nothing);
        assert_eq!(judge(true, json!([])), Some(Answer::Right));
        assert_eq!(judge(false, off.clone()), Some(Answer::Right));
        assert!(matches!(judge(true, off), Some(Answer::False(_))));
        assert!(matches!(judge(false, json!([])), Some(Answer::False(_))));
    }

    #[test]
    fn trials_that_count_have_the_state_of_their_arm() {
        let trial = |state: &str, rejections: Value| json!({"state": state, "expected": "engaged", "rejections": rejections});
        let ab = |trials: Value| {
            operation(Kind::Ab, true).judge(&json!({ "trials": trials }), Disturbance::Nothing)
        };
        assert_eq!(ab(json!([trial("engaged", json!([]))])), Some(Answer::Right));
        assert_eq!(ab(json!([trial("software", json!(["why"]))])), Some(Answer::Undecided));
        assert!(matches!(ab(json!([trial("software", json!([]))])), Some(Answer::False(_))));
    }
}
