//! Scenarios: the test binaries `tests/tests/*.rs`. Those named `vm_…` use virtual machines, those named `browser…` look at
//! reports in a browser, the others use network namespaces.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use testbed::{interrupt, paths, skip, tally};

use super::binaries::{Binary, Kind};
use super::harness::{self, Selection};
use super::summary::{Phase, Skip};

/// Measure throughput against throughput, on both CPUs: beside others they would find other work than their own.
const WANT_THE_MACHINE: [&str; 1] = ["ns_ab"];

/// These take longest. Whoever begins with them ends soonest.
const LONGEST: [&str; 4] = ["vm_causes", "vm_exact", "vm_ab", "browser"];

/// How many run at once. An emulated guest keeps less than one of two cores busy, scenarios in namespaces less than that.
const AT_ONCE: usize = 3;

/// All of them, side by side: they assert counts, verdicts and ratios, none of them speed. Those that do want the machine come last.
pub(super) fn all(binaries: &[Binary]) -> Vec<Phase> {
    let (alone, others): (Vec<&Binary>, Vec<&Binary>) = binaries
        .iter()
        .filter(|binary| binary.kind != Kind::Unit)
        .partition(|binary| WANT_THE_MACHINE.contains(&binary.name.as_str()));
    let mut phases = side_by_side(&others);
    phases.push(super::phase("experiments", |phase| {
        for binary in alone {
            run_some(binary, &[], phase);
        }
    }));
    phases
}

/// These binaries, several at once, as a phase for each kind: its time is the sum of what its binaries took.
pub(super) fn side_by_side(binaries: &[&Binary]) -> Vec<Phase> {
    let mut waiting = binaries.to_vec();
    // Taken from the end.
    waiting.sort_by_key(|binary| {
        let place = LONGEST.iter().position(|name| *name == binary.name).unwrap_or(LONGEST.len());
        std::cmp::Reverse((place, binary.name.clone()))
    });
    let kinds = Kind::SCENARIOS.into_iter().filter(|kind| binaries.iter().any(|binary| binary.kind == *kind));
    let phases: Vec<(Kind, Phase)> = kinds.map(|kind| (kind, Phase::new(name(kind)))).collect();
    let shared = Mutex::new((waiting, phases));
    let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(binary) = lock().0.pop() else { return };
                    let ran = one(binary);
                    if let Some((_, phase)) = lock().1.iter_mut().find(|(kind, _)| *kind == binary.kind) {
                        phase.join(ran);
                    }
                }
            });
        }
    });
    let (_, phases) = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut phases: Vec<Phase> = phases.into_iter().map(|(_, phase)| phase).collect();
    once_more(&mut phases, |test| {
        let (binary, test) = test.split_once("::").unwrap_or_default();
        let mut second = Phase::new("once more");
        if let Some(binary) = binaries.iter().find(|known| known.name == binary) {
            run_some(binary, &[test.to_owned()], &mut second);
        }
        second.failed.is_empty() && second.passed == 1
    });
    phases
}

fn one(binary: &Binary) -> Phase {
    let mut phase = Phase::new(name(binary.kind));
    let started = Instant::now();
    if interrupt::check().is_err() {
        phase.failed.push(format!("{}: interrupted", binary.name));
    } else {
        run_some(binary, &[], &mut phase);
    }
    phase.duration = started.elapsed();
    phase
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
    let file = |what: &str| -> PathBuf { paths::target().join(format!("{what}-{}", binary.name)) };
    let (skips, guests) = (file("skips"), file("guests"));
    for left_behind in [&skips, &guests] {
        let _ = fs::remove_file(left_behind);
    }
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
    const MOST: usize = 3;
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
        let phase = after_once_more(true, &["a", "b", "c", "d"]);
        assert_eq!((phase.passed, phase.failed.len()), (0, 4));
    }
}
