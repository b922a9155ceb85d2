//! Scenarios: the test binaries `tests/tests/*.rs`. Those named `vm_…` use virtual machines, those named `browser…` look at
//! reports in a browser, the others use network namespaces.

use std::cmp::Reverse;
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use testbed::{interrupt, skip, tally};

use super::binaries::{Binary, Kind};
use super::harness::{self, Selection};
use super::summary::{Phase, Skip};

/// Measure throughput against throughput, on both CPUs: beside others they would find other work than their own.
const WANT_THE_MACHINE: [&str; 2] = [
    "ns_ab::what_tso_causes_is_found_and_the_placebo_causes_nothing",
    "ns_ab::identical_arms_show_nothing_beyond_chance",
];

/// These take longest. Whoever begins with them ends soonest.
const LONGEST: [&str; 10] = [
    "vm_ab::on_virtio_net",
    "vm_causes::whatever",
    "browser::",
    "ns_ab::",
    "vm_exact::in_the_middle",
    "vm_audit::without_any_one_hook",
    "vm_truth::what_the_packets_are",
    "vm_paths::whatever",
    "vm_rungs::every_rung",
    "vm_reasons::whatever",
];

/// How many run at once, on two cores. An emulated guest keeps less than one of them busy, scenarios in namespaces less than that.
const AT_ONCE: usize = 4;

/// What takes a turn: a test in guests, which share nothing; or all tests of a binary that has them one after another, as they look at the
/// same processes of this machine.
#[derive(Debug, Clone)]
struct Turn<'a> {
    binary: &'a Binary,
    tests: Vec<String>,
}

impl<'a> Turn<'a> {
    fn names(&self) -> impl Iterator<Item = String> {
        self.tests.iter().map(|test| format!("{}::{test}", self.binary.name))
    }

    /// Whose turn comes first: what takes longest, then guests, which take longer than others.
    fn place(&self) -> (usize, Reverse<Kind>, Option<String>) {
        let first = self.names().next();
        let is_first = |long: &&str| first.as_ref().is_some_and(|name| name.starts_with(long));
        let place = LONGEST.iter().position(is_first).unwrap_or(LONGEST.len());
        (place, Reverse(self.binary.kind), first)
    }

    /// One of its tests alone.
    fn only(&self, name: &str) -> Option<Self> {
        let test = self.tests.iter().find(|test| format!("{}::{test}", self.binary.name) == name)?;
        Some(Self { binary: self.binary, tests: vec![test.clone()] })
    }

    /// Those of its tests that want the machine for themselves, and the others.
    fn apart(self) -> [Self; 2] {
        let binary = self.binary;
        let wants = |test: &String| WANT_THE_MACHINE.contains(&format!("{}::{test}", binary.name).as_str());
        let (alone, others) = self.tests.into_iter().partition(wants);
        [alone, others].map(|tests| Turn { binary, tests })
    }

    fn run(&self) -> Phase {
        let mut phase = Phase::new(name(self.binary.kind));
        let started = Instant::now();
        if interrupt::check().is_err() {
            phase.failed.extend(self.names().map(|name| format!("{name}: interrupted")));
        } else {
            run_some(self.binary, &self.tests, &mut phase);
        }
        phase.duration = started.elapsed();
        phase
    }
}

/// All of them, side by side: they assert counts, verdicts and ratios, none of them speed. Those that do want the machine come last.
pub(super) fn all(binaries: &[Binary]) -> Vec<Phase> {
    let binaries: Vec<&Binary> = binaries.iter().filter(|binary| binary.kind != Kind::Unit).collect();
    let (turns, unlisted) = listed(&binaries);
    let (mut alone, mut others) = (Vec::new(), Vec::new());
    for turn in turns {
        let [wants_the_machine, does_not] = turn.apart();
        alone.extend(Some(wants_the_machine).filter(|turn| !turn.tests.is_empty()));
        others.extend(Some(does_not).filter(|turn| !turn.tests.is_empty()));
    }
    let mut phases = side_by_side_in(others.clone(), unlisted);
    phases.push(super::phase("experiments", |phase| {
        // One that is called otherwise by now would be measured beside others, and nobody would know.
        if alone.iter().map(|turn| turn.tests.len()).sum::<usize>() != WANT_THE_MACHINE.len() {
            phase.require(Err(anyhow!("not all of {WANT_THE_MACHINE:?} are there")));
        }
        for turn in &alone {
            run_some(turn.binary, &turn.tests, phase);
        }
    }));
    once_more(&mut phases, |name| passes(name, others.iter().chain(&alone)));
    phases
}

/// The scenarios of these binaries, several at once.
pub(super) fn side_by_side(binaries: &[&Binary]) -> Vec<Phase> {
    let (turns, unlisted) = listed(binaries);
    let mut phases = side_by_side_in(turns.clone(), unlisted);
    once_more(&mut phases, |name| passes(name, turns.iter()));
    phases
}

/// Whether the test of that name, in one of these turns, passes now.
fn passes<'a>(name: &str, mut among: impl Iterator<Item = &'a Turn<'a>>) -> bool {
    let second = among.find_map(|turn| turn.only(name)).map(|turn| turn.run());
    second.is_some_and(|second| second.failed.is_empty() && second.passed == 1)
}

/// Every turn, and an empty phase for each kind; with what a binary that names no tests had to say.
fn listed<'a>(binaries: &[&'a Binary]) -> (Vec<Turn<'a>>, Vec<(Kind, Phase)>) {
    let kinds = Kind::SCENARIOS.into_iter().filter(|kind| binaries.iter().any(|binary| binary.kind == *kind));
    let mut phases: Vec<(Kind, Phase)> = kinds.map(|kind| (kind, Phase::new(name(kind)))).collect();
    let mut turns = Vec::new();
    for binary in binaries {
        match binary.tests() {
            Ok(tests) if binary.kind == Kind::VirtualMachines => {
                turns.extend(tests.into_iter().map(|test| Turn { binary, tests: vec![test] }));
            }
            Ok(tests) => turns.push(Turn { binary, tests }),
            Err(error) => {
                if let Some((_, phase)) = phases.iter_mut().find(|(kind, _)| *kind == binary.kind) {
                    phase.require(Err(error));
                }
            }
        }
    }
    (turns, phases)
}

/// A phase's time is the sum of what its turns took.
fn side_by_side_in(mut waiting: Vec<Turn<'_>>, phases: Vec<(Kind, Phase)>) -> Vec<Phase> {
    // Taken from the end.
    waiting.sort_by_key(|turn| Reverse(turn.place()));
    let shared = Mutex::new((waiting, phases));
    let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(turn) = lock().0.pop() else { return };
                    let ran = turn.run();
                    if let Some((_, phase)) = lock().1.iter_mut().find(|(kind, _)| *kind == turn.binary.kind)
                    {
                        phase.join(ran);
                    }
                }
            });
        }
    });
    let (_, phases) = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    phases.into_iter().map(|(_, phase)| phase).collect()
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Unit => "unit tests",
        Kind::Namespaces => "namespaces",
        Kind::Browser => "browser",
        Kind::VirtualMachines => "virtual machines",
    }
}

/// These tests of a binary, or all where none is named; with what they say of skips and guests.
pub(super) fn run_some(binary: &Binary, tests: &[String], phase: &mut Phase) {
    let directory = match tempfile::tempdir().context("no place for what scenarios say of themselves") {
        Ok(directory) => directory,
        Err(error) => return phase.require(Err(error)),
    };
    let (skips, guests) = (directory.path().join("skips"), directory.path().join("guests"));
    let environment = [(skip::SKIPS_FILE, skips.clone()), (tally::GUESTS_FILE, guests.clone())];
    harness::run(binary, &Selection { tests, environment: &environment }, phase);
    for line in fs::read_to_string(&skips).unwrap_or_default().lines() {
        let (name, reason) = line.split_once('\t').unwrap_or((line, "no reason given"));
        phase.skipped.push(Skip { name: name.to_owned(), reason: reason.to_owned() });
        // For the harness a skipped scenario is one that ended well.
        phase.passed = phase.passed.saturating_sub(1);
    }
    for line in fs::read_to_string(&guests).unwrap_or_default().lines() {
        let start = line.split('\t').next().unwrap_or_default();
        *phase.guests.entry(start.to_owned()).or_default() += 1;
    }
}

/// Scenarios run beside each other, guests are emulated, and the machine may have other users: some depend on how far one gets in a
/// second. So what failed is tried once more by itself, and told; what fails twice has failed. Where many fail, something is wrong,
/// and nothing is tried again.
fn once_more(phases: &mut [Phase], passes: impl Fn(&str) -> bool) {
    const MOST: usize = 5;
    if phases.iter().map(|phase| phase.failed.len()).sum::<usize>() > MOST {
        return;
    }
    for phase in phases {
        for name in std::mem::take(&mut phase.failed) {
            println!("\n{name} failed, and is tried once more");
            if passes(&name) {
                phase.passed += 1;
                phase.at_second_try.push(name);
            } else {
                phase.failed.push(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_once_more(passes: bool, failed: &[&str]) -> Phase {
        let mut phase = Phase::new("virtual machines");
        phase.failed = failed.iter().map(|name| (*name).to_owned()).collect();
        once_more(std::slice::from_mut(&mut phase), |_| passes);
        phase
    }

    #[test]
    fn what_goes_well_at_the_second_try_has_passed_and_is_told() {
        let phase = after_once_more(true, &["a", "b"]);
        assert_eq!((phase.passed, phase.failed.len()), (2, 0));
        assert_eq!(phase.at_second_try, ["a", "b"]);
    }

    #[test]
    fn what_fails_twice_has_failed_and_where_many_fail_none_is_tried_again() {
        let phase = after_once_more(false, &["a"]);
        assert_eq!((phase.passed, phase.failed, phase.at_second_try.len()), (0, vec!["a".to_owned()], 0));
        let phase = after_once_more(true, &["a", "b", "c", "d", "e", "f"]);
        assert_eq!((phase.passed, phase.failed.len()), (0, 6));
    }
}
