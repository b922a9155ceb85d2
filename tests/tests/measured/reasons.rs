//! Why packets were refused, as a run says it.

#![allow(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

use super::Measured;

/// One entry of `reasons`.
#[derive(Debug)]
pub(crate) struct Reason {
    pub(crate) id: String,
    pub(crate) bytes: u64,
    pub(crate) ipv4_bytes: u64,
    pub(crate) ipv6_bytes: u64,
    pub(crate) share: f64,
}

pub(crate) fn reasons(of: &Measured) -> Vec<Reason> {
    let all = of.report["reasons"].as_array().unwrap_or_else(|| panic!("no reasons in {of}"));
    let reason = |entry: &serde_json::Value| Reason {
        id: entry["id"].as_str().unwrap().to_owned(),
        bytes: entry["bytes"].as_u64().unwrap(),
        ipv4_bytes: entry["ipv4_bytes"].as_u64().unwrap(),
        ipv6_bytes: entry["ipv6_bytes"].as_u64().unwrap(),
        share: entry["share"].as_f64().unwrap(),
    };
    let reasons: Vec<Reason> = all.iter().map(reason).collect();
    for reason in &reasons {
        println!("  {reason:?}");
    }
    reasons
}

pub(crate) fn ids(reasons: &[Reason]) -> Vec<&str> {
    reasons.iter().map(|reason| reason.id.as_str()).collect()
}

/// These reasons in this order, which explain to the byte what left in segments that the CPU made.
pub(crate) fn assert_explained(of: &Measured, expected: &[&str]) -> Vec<Reason> {
    let reasons = reasons(of);
    assert_eq!(ids(&reasons), expected, "{of}");
    assert_eq!(of.tcp("dropped_bytes"), 0, "{of}");
    assert_eq!(reasons.iter().map(|reason| reason.bytes).sum::<u64>(), of.tcp("software_bytes"), "{of}");
    for (family, bytes) in [
        ("ipv4", reasons.iter().map(|reason| reason.ipv4_bytes).sum::<u64>()),
        ("ipv6", reasons.iter().map(|reason| reason.ipv6_bytes).sum()),
    ] {
        assert_eq!(bytes, of.figure(&format!("/ledger/tcp/{family}/software_bytes")), "{family} of {of}");
    }
    let shares: f64 = reasons.iter().map(|reason| reason.share).sum();
    assert!(reasons.is_empty() || (shares - 1.0).abs() < 1e-9, "{of}");
    reasons
}
