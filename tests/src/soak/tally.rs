//! What came of a soak, counted.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use super::operation::Answer;

/// All that is counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) seed: u64,
    pub(super) kernel: String,
    pub(super) seconds: f64,
    pub(super) operations: BTreeMap<&'static str, OfKind>,
    /// By name; of those that came before the operation had ended.
    pub(super) disturbances: BTreeMap<String, u64>,
    /// Put back by `vmnet restore` after a SIGKILL, or after the device had gone.
    pub(super) restored: u64,
    /// Journals of devices that are gone, which `restore` refused and `--forget` removed.
    pub(super) forgotten: u64,
    pub(super) absent_modes: Vec<String>,
    pub(super) faults: Vec<Fault>,
    pub(super) growth: Value,
    pub(super) was_interrupted: bool,
}

/// Of one kind of operation.
#[derive(Debug, Default)]
pub(super) struct OfKind {
    pub(super) count: u64,
    pub(super) disturbed: u64,
    pub(super) right: u64,
    pub(super) undecided: u64,
    pub(super) either: u64,
    pub(super) wrong: u64,
}

/// What should not have been.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    /// None of the soak as a whole.
    pub(super) operation: Option<u64>,
    pub(super) what: String,
}

impl Tally {
    pub(super) fn count(&mut self, kind: &'static str, disturbance: Option<String>, answer: Option<&Answer>) {
        let of_kind = self.operations.entry(kind).or_default();
        of_kind.count += 1;
        if let Some(name) = disturbance {
            of_kind.disturbed += 1;
            *self.disturbances.entry(name).or_default() += 1;
        }
        match answer {
            None => {}
            Some(Answer::Right) => of_kind.right += 1,
            Some(Answer::Undecided) => of_kind.undecided += 1,
            Some(Answer::Either) => of_kind.either += 1,
            Some(Answer::False(_)) => of_kind.wrong += 1,
        }
    }

    /// Of all kinds.
    pub(super) fn sum(&self, of: impl Fn(&OfKind) -> u64) -> u64 {
        self.operations.values().map(of).sum()
    }

    pub(super) fn to_json(&self) -> Value {
        let operations: BTreeMap<_, _> =
            self.operations.iter().map(|(kind, of)| (kind, of.to_json())).collect();
        let faults: Vec<Value> = self
            .faults
            .iter()
            .map(|fault| json!({ "operation": fault.operation, "what": fault.what }))
            .collect();
        json!({
            "seed": self.seed,
            "kernel": self.kernel,
            "seconds": self.seconds,
            "interrupted": self.was_interrupted,
            "operations": operations,
            "disturbances": self.disturbances,
            "restored_after_kill_or_loss": self.restored,
            "forgotten_as_the_device_is_gone": self.forgotten,
            "modes_that_do_not_work_here": self.absent_modes,
            "memory_of_long_runs": self.growth,
            "faults": faults,
        })
    }
}

impl OfKind {
    fn to_json(&self) -> Value {
        json!({
            "count": self.count, "disturbed": self.disturbed, "right": self.right, "undecided": self.undecided,
            "either": self.either, "false": self.wrong,
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, kernel, seconds, .. } = self;
        let how = if self.was_interrupted { ", interrupted" } else { "" };
        writeln!(f, "kernel {kernel}, seed {seed}, {seconds:.0} s{how}\n")?;
        writeln!(
            f,
            "{:<12} {:>6} {:>10} {:>7} {:>10} {:>7} {:>6}",
            "operation", "count", "disturbed", "right", "undecided", "either", "false"
        )?;
        for (kind, of) in &self.operations {
            let OfKind { count, disturbed, right, undecided, either, wrong } = of;
            writeln!(
                f,
                "{kind:<12} {count:>6} {disturbed:>10} {right:>7} {undecided:>10} {either:>7} {wrong:>6}"
            )?;
        }
        writeln!(f, "\n{:<28} {:>6}", "in the middle of it", "count")?;
        for (name, count) in &self.disturbances {
            writeln!(f, "{name:<28} {count:>6}")?;
        }
        writeln!(
            f,
            "\nput back by restore {}, forgotten as the device was gone {}",
            self.restored, self.forgotten
        )?;
        for (name, key) in [("amid churn", "amid_churn"), ("quiet", "quiet")] {
            let of = &self.growth[key];
            if of.is_object() {
                let slope = of["slope_kib_per_minute"].as_f64().unwrap_or_default();
                writeln!(
                    f,
                    "memory of a long run, {name}: {} KiB at first, {} at most, {} at last, {slope:+.1} KiB a minute",
                    of["first_kib"], of["most_kib"], of["last_kib"]
                )?;
            }
        }
        for mode in &self.absent_modes {
            writeln!(f, "not here: {mode}")?;
        }
        if self.faults.is_empty() {
            return write!(f, "\nno fault: nothing left behind, no answer false");
        }
        write!(f, "\n{} fault{}", self.faults.len(), if self.faults.len() == 1 { "" } else { "s" })?;
        for Fault { operation, what } in &self.faults {
            match operation {
                Some(number) => write!(f, "\n  operation {number}: {what}")?,
                None => write!(f, "\n  {what}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_and_fault_is_counted_where_it_belongs() {
        let mut tally = Tally::default();
        let wrong = Answer::False("engaged".to_owned());
        for answer in [Some(&Answer::Right), Some(&Answer::Undecided), Some(&wrong), None] {
            tally.count("run", None, answer);
        }
        tally.count("run", Some("SIGKILL".to_owned()), Some(&Answer::Either));
        assert!(tally.to_string().contains("no fault"));
        tally.faults.push(Fault { operation: Some(3), what: "a process is left".to_owned() });
        let json = tally.to_json();
        let of = json!({"count": 5, "disturbed": 1, "right": 1, "undecided": 1, "either": 1, "false": 1});
        assert_eq!(json["operations"]["run"], of);
        assert_eq!(json["disturbances"]["SIGKILL"], 1);
        assert_eq!(json["faults"][0]["operation"], 3);
        assert!(tally.to_string().contains("1 fault\n  operation 3: a process is left"), "{tally}");
    }
}
