//! What a newcomer is shown of a run: all that `vmnet` says where its audit closes, and where it does not, the answer and in one line
//! what could not be accounted for.

use serde_json::Value;

/// How an answer begins, as `vmnet run` prints it.
const HEADS: [&str; 6] =
    ["ENGAGED", "SOFTWARE", "PARTIAL", "NOT BUILT", "NOTHING TO OFFLOAD", "INCONCLUSIVE"];

/// Ends the part of an answer that says what was found; behind it stands how that was audited.
const EVIDENCE: &str = "witnesses";

/// The answer of one run, as its lines come.
#[derive(Debug, Default)]
pub(super) struct Answer {
    lines: Vec<String>,
}

impl Answer {
    /// Prints what comes before the answer, and keeps what belongs to it.
    pub(super) fn take(&mut self, line: String) {
        if !self.lines.is_empty() || HEADS.iter().any(|head| line.starts_with(head)) {
            self.lines.push(line);
        } else {
            println!("{line}");
        }
    }

    /// The answer: whole if the audit closes, else its findings and what could not be accounted for. Without a report, whole.
    pub(super) fn to_show(&self, report: Option<&Value>) -> String {
        let whole = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        match report {
            Some(report) if report["audit"]["ok"] == false => {
                let found = self.lines.iter().position(|line| line.trim_start().starts_with(EVIDENCE));
                let found = &self.lines[..found.unwrap_or(self.lines.len())];
                whole(found) + &unaccounted(report).map(|line| format!("  {line}\n")).unwrap_or_default()
            }
            _ => whole(&self.lines),
        }
    }
}

/// `engaged` and the like.
pub(super) fn state(report: &Value) -> &str {
    report["verdict"]["state"].as_str().unwrap_or_default()
}

/// `proven` and the like.
pub(super) fn confidence(report: &Value) -> &str {
    report["verdict"]["confidence"].as_str().unwrap_or("no verdict")
}

/// What two independent counts do not agree on, at most, and what is left of the answer if all of it is held against it.
fn unaccounted(report: &Value) -> Option<String> {
    if let Some(bound) = report["verdict"]["bound"]["text"].as_str() {
        return Some(format!("not every packet was seen by the programs: {bound}"));
    }
    let share = report["audit"]["identities"]
        .as_array()?
        .iter()
        .filter(|identity| identity["ok"] == false)
        .filter_map(|identity| {
            let of = identity["left"].as_f64()?.max(identity["right"].as_f64()?);
            Some(identity["residual"].as_f64()?.abs() / of.max(1.0))
        })
        .fold(0.0, f64::max);
    if share == 0.0 {
        return None;
    }
    let bytes = |class: &str| report["ledger"]["tcp"][class].as_f64();
    let (hardware, software) = (bytes("hardware_bytes")?, bytes("software_bytes")?);
    let decided = hardware.max(software) / (hardware + software).max(1.0);
    Some(format!(
        "the audit could not account for {} of the traffic: with all of that held against it, the answer still stands for {}",
        percent(share, f64::ceil),
        percent(decided * (1.0 - share).max(0.0), f64::floor)
    ))
}

/// Two digits behind the point, in the direction that promises less.
fn percent(share: f64, round: fn(f64) -> f64) -> String {
    format!("{:.2} %", round(share * 10_000.0) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer() -> Answer {
        let mut answer = Answer::default();
        for line in ["ENGAGED  whole (supported)", "  12 GB", "  witnesses  tracing", "  audit ✗ 1 of 6"] {
            answer.take(line.to_owned());
        }
        answer
    }

    fn report(confidence: &str, residual: i64) -> Value {
        json!({
            "verdict": {"state": "engaged", "confidence": confidence, "bound": null},
            "audit": {"ok": residual == 0, "identities": [
                {"left": 1_000_000, "right": 1_000_000, "residual": 0, "ok": true},
                {"left": 999_000, "right": 1_000_000, "residual": residual, "ok": residual == 0},
            ]},
            "ledger": {"tcp": {"hardware_bytes": 100, "software_bytes": 0}},
        })
    }

    #[test]
    fn a_gap_is_one_line_with_the_bound_it_leaves_and_no_screen_of_failed_sums() {
        let shown = answer().to_show(Some(&report("supported", -1_000)));
        assert!(shown.contains("0.10 % of the traffic") && shown.contains("stands for 99.90 %"), "{shown}");
        assert!(!shown.contains('✗') && shown.contains("12 GB"), "{shown}");
    }

    #[test]
    fn a_bound_is_said_in_the_verdict_s_own_words() {
        let mut bounded = report("proven", -1_000);
        bounded["verdict"]["bound"] = json!({"text": "at least 99.9 % …"});
        let shown = answer().to_show(Some(&bounded));
        assert!(shown.contains("at least 99.9 %") && !shown.contains('✗'), "{shown}");
    }

    #[test]
    fn what_is_proven_is_shown_whole_and_so_is_what_left_no_report() {
        for report in [Some(report("proven", 0)), None] {
            assert!(answer().to_show(report.as_ref()).contains("audit"));
        }
    }

    #[test]
    fn a_bound_is_never_rounded_to_more_than_it_is() {
        assert_eq!(percent(0.000_010_1, f64::ceil), "0.01 %");
        assert_eq!(percent(0.999_99, f64::floor), "99.99 %");
    }
}
