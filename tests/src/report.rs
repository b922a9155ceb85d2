//! What `vmnet run --json` wrote, as scenarios look at it.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// What `vmnet` wrote as JSON, held against its schema.
pub fn document(bytes: &[u8]) -> Result<Value> {
    let document = serde_json::from_slice(bytes).context("not JSON")?;
    #[cfg(feature = "held")]
    crate::schema::validate(&document)?;
    Ok(document)
}

/// A `vmnet.run/1`.
#[derive(Debug, Clone)]
pub struct Report(pub Value);

impl Report {
    /// From the file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        document(bytes).map(Self)
    }

    /// What is at `ledger.tcp.payload_bytes`. `None` where there is nothing, or null.
    pub fn at(&self, path: &str) -> Option<&Value> {
        self.0.pointer(&format!("/{}", path.replace('.', "/"))).filter(|value| !value.is_null())
    }

    /// A count. `None` where it is null or none.
    pub fn count(&self, path: &str) -> Option<u64> {
        self.at(path)?.as_u64()
    }

    /// A word, empty where there is none.
    pub fn word(&self, path: &str) -> &str {
        self.at(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// `verdict.state`.
    pub fn state(&self) -> &str {
        self.word("verdict.state")
    }

    /// `verdict.confidence`.
    pub fn confidence(&self) -> &str {
        self.word("verdict.confidence")
    }

    /// The audit's identities, measured or not.
    pub fn identities(&self) -> Vec<Identity> {
        let identities = self.at("audit.identities").and_then(Value::as_array);
        identities.into_iter().flatten().map(Identity::of).collect()
    }

    /// The identity of that name.
    pub fn identity(&self, name: &str) -> Option<Identity> {
        self.identities().into_iter().find(|identity| identity.name == name)
    }

    /// Sum of all that the audit says was missed.
    pub fn missed(&self) -> u64 {
        let missed = self.at("audit.missed").and_then(Value::as_object);
        missed.into_iter().flat_map(serde_json::Map::values).filter_map(Value::as_u64).sum()
    }

    /// Paths that are null (`[]` for any element) and have no reason in `unmeasured`.
    pub fn unexplained_nulls(&self) -> BTreeSet<String> {
        let mut nulls = BTreeSet::new();
        collect_nulls(&self.0, "", &mut nulls);
        let reasons = self.0.get("unmeasured").and_then(Value::as_object);
        nulls.retain(|path| {
            reasons.and_then(|reasons| reasons.get(path)).and_then(Value::as_str).is_none_or(str::is_empty)
        });
        nulls
    }
}

/// What a scenario prints when it fails: the parts that tell most.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({}): {}", self.state(), self.confidence(), self.word("verdict.summary"))?;
        for path in
            ["probes.mode", "verdict.basis", "ledger.tcp", "ledger.udp", "ledger.other", "audit.missed"]
        {
            writeln!(f, "  {path}: {}", self.at(path).unwrap_or(&Value::Null))?;
        }
        for identity in self.identities() {
            writeln!(f, "  {identity}")?;
        }
        write!(f, "  events: {}", self.0.get("events").unwrap_or(&Value::Null))
    }
}

/// One of the audit's identities.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in the JSON")]
pub struct Identity {
    pub name: String,
    pub left: Option<u64>,
    pub right: Option<u64>,
    pub residual: Option<i64>,
    pub slack: Option<u64>,
    pub ok: Option<bool>,
    pub note: String,
}

impl Identity {
    fn of(value: &Value) -> Self {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let count = |key: &str| value.get(key).and_then(Value::as_u64);
        Self {
            name: text("name"),
            left: count("left"),
            right: count("right"),
            residual: value.get("residual").and_then(Value::as_i64),
            slack: count("slack"),
            ok: value.get("ok").and_then(Value::as_bool),
            note: text("note"),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, left, right, residual, slack, ok, note } = self;
        write!(f, "{name}: {left:?} = {right:?}, residual {residual:?}, slack {slack:?}, ok {ok:?} ({note})")
    }
}

fn collect_nulls(value: &Value, path: &str, nulls: &mut BTreeSet<String>) {
    match value {
        Value::Null => {
            nulls.insert(path.to_owned());
        }
        Value::Array(elements) => {
            for element in elements {
                collect_nulls(element, &format!("{path}[]"), nulls);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect_nulls(member, &path, nulls);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Nulls of a report without a reason, by path.
pub fn unexplained_nulls(report: &Value) -> Vec<String> {
    let reasons = &report["unmeasured"];
    let mut found = Vec::new();
    let mut open = vec![(String::new(), report)];
    while let Some((path, value)) = open.pop() {
        match value {
            Value::Null if reasons.get(&path).is_none() && !found.contains(&path) => found.push(path),
            Value::Array(elements) => {
                open.extend(elements.iter().map(|element| (format!("{path}[]"), element)));
            }
            Value::Object(members) => open.extend(members.iter().map(|(name, member)| {
                (if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, member)
            })),
            _ => {}
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_null_without_its_reason_is_found_wherever_it_is() {
        let report = Report(json!({
            "cost": {"cores": null, "calls": 0},
            "samples": [{"share": 1}, {"share": null}],
            "basis": null,
            "unmeasured": {"cost.cores": "not timed", "basis": ""},
        }));
        let found: Vec<String> = report.unexplained_nulls().into_iter().collect();
        assert_eq!(found, ["basis", "samples[].share"]);
    }

    #[test]
    fn a_null_is_no_count() {
        let report = Report(json!({"ledger": {"tcp": {"payload_bytes": 0, "pending_bytes": null}}}));
        assert_eq!(report.count("ledger.tcp.payload_bytes"), Some(0));
        assert_eq!(report.count("ledger.tcp.pending_bytes"), None);
    }
}
