//! A document of another machine, which anybody may have written.

use serde::Deserialize;

use super::{PathReport, SCHEMA};
use crate::report::kit::budget::within_budget;

/// What every document begins with.
#[derive(Deserialize)]
struct Head {
    schema: String,
}

/// `path.json`, understood; its numbers of steps are those of steps that it has.
///
/// # Errors
/// In words, why it is none.
pub fn from_json(bytes: &[u8]) -> Result<PathReport, String> {
    within_budget(bytes).map_err(|what| format!("it has {what}, more than any way"))?;
    let in_words = |error: serde_json::Error| error.to_string();
    let Head { schema } = serde_json::from_slice(bytes).map_err(in_words)?;
    if schema != SCHEMA {
        return Err(format!("it is {schema:?}, not {SCHEMA}"));
    }
    let report: PathReport = serde_json::from_slice(bytes).map_err(in_words)?;
    let behind = report.steps.iter().filter_map(|step| step.after);
    let branches =
        report.branches.iter().flat_map(|branch| branch.steps.iter().copied().chain([branch.after]));
    match behind.chain(branches).chain(report.verdict.step).find(|step| *step >= report.steps.len()) {
        Some(step) => Err(format!("it speaks of step {step}, and has {}", report.steps.len())),
        None => Ok(report),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVERLAY: &str = include_str!("testdata/overlay.json");

    #[test]
    fn a_step_that_is_not_there_is_an_error_and_not_a_panic_of_the_join() {
        assert!(from_json(OVERLAY.as_bytes()).is_ok());
        let mut json: serde_json::Value = serde_json::from_str(OVERLAY).unwrap();
        for place in ["/steps/0/after", "/verdict/step"] {
            let mut damaged = json.clone();
            *damaged.pointer_mut(place).unwrap() = u64::MAX.into();
            let why = from_json(damaged.to_string().as_bytes()).unwrap_err();
            assert!(why.contains("step 18446744073709551615"), "{place}: {why}");
        }
        json["schema"] = "vmnet.path/2".into();
        assert!(from_json(json.to_string().as_bytes()).unwrap_err().contains("vmnet.path/2"));
    }
}
