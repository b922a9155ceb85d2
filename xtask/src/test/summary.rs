//! What came of it all.

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::exit::Outcome;

/// The phases of `cargo xtask test`. One that is missing from its table has not run, which is a failure.
pub(super) const ALL: [&str; 10] = [
    "tests built, linted",
    "format",
    "unit tests",
    "set up",
    "release build",
    "kernel side linted",
    "namespaces",
    "browser",
    "virtual machines",
    "experiments",
];

/// Those of `--fast`.
pub(super) const FAST: [&str; 4] = ["format", "tests built, linted", "kernel side linted", "unit tests"];

/// Those of `--vm`.
pub(super) const VIRTUAL_MACHINES: [&str; 4] =
    ["tests built, linted", "set up", "release build", "virtual machines"];

/// How many of the slowest tests are told.
const SLOWEST: usize = 10;

/// A test that did not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Skip {
    /// The test.
    pub(super) name: String,
    /// Why.
    pub(super) reason: String,
}

impl Skip {
    /// Debian unstable may have no usable kernel today: the only skip that a gate lets pass.
    fn is_about_sid(&self) -> bool {
        let words = |text: &str| text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "sid");
        words(&self.name) || words(&self.reason)
    }
}

/// A test and how long it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Timed {
    /// Binary and test.
    pub(super) name: String,
    /// From its start to its end.
    pub(super) took: Duration,
}

/// A part of the tests.
#[derive(Debug)]
pub(super) struct Phase {
    name: &'static str,
    /// How long it took.
    pub(super) duration: Duration,
    /// Number of tests (or checks) that went well.
    pub(super) passed: usize,
    /// Names of those that did not, or what else went wrong.
    pub(super) failed: Vec<String>,
    /// Names of those that went well only when they were tried once more: counted as passed, and told.
    pub(super) at_second_try: Vec<String>,
    /// Those that this machine cannot run.
    pub(super) skipped: Vec<Skip>,
    /// How long each test took.
    pub(super) times: Vec<Timed>,
    /// How guests came to life, and how many did so.
    pub(super) guests: BTreeMap<String, usize>,
}

impl Phase {
    /// Nothing has run yet.
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            duration: Duration::ZERO,
            passed: 0,
            failed: Vec::new(),
            at_second_try: Vec::new(),
            skipped: Vec::new(),
            times: Vec::new(),
            guests: BTreeMap::new(),
        }
    }

    /// Adds what another part of the same phase came to.
    pub(super) fn join(&mut self, other: Self) {
        self.duration += other.duration;
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.at_second_try.extend(other.at_second_try);
        self.skipped.extend(other.skipped);
        self.times.extend(other.times);
        for (start, count) in other.guests {
            *self.guests.entry(start).or_default() += count;
        }
    }

    /// A check that counts as one test.
    pub(super) fn count(&mut self, outcome: Result<()>) {
        self.passed += usize::from(outcome.is_ok());
        self.require(outcome);
    }

    /// Something that has to go well, but tests nothing.
    pub(super) fn require(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            eprintln!("error: {error:#}");
            self.failed.push(format!("{error:#}"));
        }
    }
}

/// All phases.
#[derive(Debug)]
pub(super) struct Summary {
    started: Instant,
    expected: Vec<&'static str>,
    phases: Vec<Phase>,
}

impl Summary {
    /// Nothing has run yet. These phases have to.
    pub(super) fn of(expected: &[&'static str]) -> Self {
        Self { started: Instant::now(), expected: expected.to_vec(), phases: Vec::new() }
    }

    /// Takes a phase that has ended.
    pub(super) fn add(&mut self, phase: Phase) {
        self.phases.push(phase);
    }

    /// Prints it; the last line alone is `N passed, M failed, K skipped`.
    pub(super) fn print(mut self) -> Outcome {
        let missing = self.missing();
        println!("\n== summary ==");
        for phase in &self.phases {
            println!(
                "{:<20}{:>7.1} s{:>6} passed{:>4} failed{:>4} skipped",
                phase.name,
                phase.duration.as_secs_f64(),
                phase.passed,
                phase.failed.len(),
                phase.skipped.len()
            );
        }
        println!("{:<20}{:>7.1} s", "from start to end", self.started.elapsed().as_secs_f64());
        self.print_slowest();
        self.print_guests();
        self.phases.extend(missing);
        let failed: Vec<&String> = self.phases.iter().flat_map(|phase| &phase.failed).collect();
        let skipped: Vec<&Skip> = self.phases.iter().flat_map(|phase| &phase.skipped).collect();
        for name in &failed {
            println!("failed: {}", name.lines().next().unwrap_or_default());
        }
        for name in self.phases.iter().flat_map(|phase| &phase.at_second_try) {
            println!("passed at the second try: {name} (what it said at the first stands above)");
        }
        for skip in &skipped {
            println!("skipped: {}: {}", skip.name, skip.reason);
        }
        let refused = if is_gate() { skipped.iter().filter(|skip| !skip.is_about_sid()).count() } else { 0 };
        if refused > 0 {
            println!(
                "in CI, {refused} of the skipped tests count as failed: only sid's kernel may be missing there"
            );
        }
        let passed: usize = self.phases.iter().map(|phase| phase.passed).sum();
        println!("{passed} passed, {} failed, {} skipped", failed.len() + refused, skipped.len() - refused);
        if failed.is_empty() && refused == 0 { Outcome::Done } else { Outcome::Failed }
    }

    /// What should have run and did not, as a failure.
    fn missing(&self) -> Option<Phase> {
        let ran = |name: &&&str| self.phases.iter().any(|phase| phase.name == **name);
        let missing: Vec<String> = self
            .expected
            .iter()
            .filter(|name| !ran(name))
            .map(|name| format!("the phase `{name}` has not run"))
            .collect();
        (!missing.is_empty()).then(|| Phase { failed: missing, ..Phase::new("missing") })
    }

    fn print_slowest(&self) {
        let mut times: Vec<&Timed> = self.phases.iter().flat_map(|phase| &phase.times).collect();
        times.sort_by_key(|timed| std::cmp::Reverse(timed.took));
        for timed in times.iter().take(SLOWEST) {
            println!("slowest:{:>7.1} s  {}", timed.took.as_secs_f64(), timed.name);
        }
    }

    fn print_guests(&self) {
        for (start, count) in self.phases.iter().flat_map(|phase| &phase.guests) {
            println!("guests: {count} {start}");
        }
    }
}

fn is_gate() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(name: &str, reason: &str) -> Skip {
        Skip { name: name.to_owned(), reason: reason.to_owned() }
    }

    #[test]
    fn a_phase_that_did_not_run_is_a_failure() {
        let mut summary = Summary::of(&["format", "unit tests"]);
        summary.add(Phase::new("format"));
        assert_eq!(summary.missing().unwrap().failed, ["the phase `unit tests` has not run"]);
        summary.add(Phase::new("unit tests"));
        assert!(summary.missing().is_none());
    }

    #[test]
    fn only_sids_kernel_may_be_missing_in_ci() {
        assert!(skip("vm_device::tso_is_offered_on_sid", "Debian's kernel sid is not here").is_about_sid());
        assert!(!skip("vm_device::tso_is_offered_on_6_1", "QEMU is not installed").is_about_sid());
        assert!(!skip("veth::both_sides_agree", "needs root, beside others").is_about_sid());
    }
}
