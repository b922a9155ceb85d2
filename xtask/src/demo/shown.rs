//! What a newcomer is told of a run beside its own answer: in one line what could not be accounted for.

use serde_json::Value;

/// `engaged` and the like.
pub(super) fn state(report: &Value) -> &str {
    report["verdict"]["state"].as_str().unwrap_or_default()
}

/// `proven` and the like.
pub(super) fn confidence(report: &Value) -> &str {
    report["verdict"]["confidence"].as_str().unwrap_or("no verdict")
}

/// What two independent counts do not agree on, at most, and what is left of the answer if all of it is held against it.
pub(super) fn unaccounted(report: &Value) -> Option<String> {
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
    fn a_gap_is_one_line_with_the_bound_it_leaves() {
        let told = unaccounted(&report("supported", -1_000)).unwrap();
        assert!(told.contains("0.10 % of the traffic") && told.contains("stands for 99.90 %"), "{told}");
        assert_eq!(unaccounted(&report("proven", 0)), None);
    }

    #[test]
    fn a_bound_is_said_in_the_verdict_s_own_words() {
        let mut bounded = report("proven", -1_000);
        bounded["verdict"]["bound"] = json!({"text": "at least 99.9 % …"});
        assert!(unaccounted(&bounded).unwrap().contains("at least 99.9 %"));
    }

    #[test]
    fn a_bound_is_never_rounded_to_more_than_it_is() {
        assert_eq!(percent(0.000_010_1, f64::ceil), "0.01 %");
        assert_eq!(percent(0.999_99, f64::floor), "99.99 %");
    }
}
