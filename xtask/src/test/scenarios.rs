//! Scenarios: the test binaries `tests/tests/*.rs`. Those named `vm_…` use virtual machines, those named `browser…` look at
//! reports in a browser, the others use network namespaces.

use std::fs;
use std::path::PathBuf;

use testbed::{interrupt, paths, skip, tally};

use super::binaries::{Binary, Kind};
use super::harness::{self, Selection};
use super::summary::{Phase, Skip};

/// Measure throughput against throughput, on both CPUs: beside guests they would find other work than their own.
const WANT_THE_MACHINE: [&str; 1] = ["ns_ab"];

/// Namespaces and the browser on one side, one guest after the other on the other: each leaves the second core idle for much of
/// its time. These scenarios assert counts, verdicts and ratios, none of them speed. Those that do want the machine come last.
pub(super) fn side_by_side(binaries: &[Binary]) -> Vec<Phase> {
    let (alone, others): (Vec<&Binary>, Vec<&Binary>) =
        binaries.iter().partition(|binary| WANT_THE_MACHINE.contains(&binary.name.as_str()));
    let (guests, mut phases) = super::beside(
        || (run(Kind::VirtualMachines, &others), Vec::new()),
        || vec![run(Kind::Namespaces, &others), run(Kind::Browser, &others)],
    );
    phases.push(guests);
    phases.push(super::phase("experiments", |phase| run_all(&alone, phase)));
    phases
}

/// All of one kind, one after the other.
pub(super) fn run(kind: Kind, binaries: &[&Binary]) -> Phase {
    super::phase(name(kind), |phase| {
        let of_kind: Vec<&Binary> = binaries.iter().copied().filter(|binary| binary.kind == kind).collect();
        run_all(&of_kind, phase);
        if kind == Kind::VirtualMachines {
            once_more(phase, |test| {
                let (binary, test) = test.split_once("::").unwrap_or_default();
                let mut second = Phase::new("once more");
                if let Some(binary) = of_kind.iter().find(|known| known.name == binary) {
                    run_some(binary, &[test.to_owned()], &mut second);
                }
                second.failed.is_empty() && second.passed == 1
            });
        }
    })
}

fn run_all(binaries: &[&Binary], phase: &mut Phase) {
    for binary in binaries {
        if interrupt::check().is_err() {
            phase.failed.push("interrupted".to_owned());
            return;
        }
        run_some(binary, &[], phase);
    }
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

/// Guests are emulated on a machine that others use too, and some scenarios depend on how far a guest gets in a second. So what
/// failed is tried once more by itself, and told; what fails twice has failed. Where many fail, something is wrong, and nothing is
/// tried again.
fn once_more(phase: &mut Phase, passes: impl Fn(&str) -> bool) {
    const MOST: usize = 3;
    if phase.failed.is_empty() || phase.failed.len() > MOST {
        return;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn after_once_more(passes: bool, failed: &[&str]) -> Phase {
        let mut phase = Phase::new("virtual machines");
        phase.failed = failed.iter().map(|name| (*name).to_owned()).collect();
        once_more(&mut phase, |_| passes);
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
