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

    /// As [`unexplained_nulls`].
    pub fn unexplained_nulls(&self) -> Vec<String> {
        unexplained_nulls(&self.0)
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

/// Paths that are null (`[]` for any element) with no reason in `unmeasured`, and of which docs/json.md does not say either that they may not
/// apply.
pub fn unexplained_nulls(report: &Value) -> Vec<String> {
    let schema = report["schema"].as_str().unwrap_or_default();
    let mut nulls = BTreeSet::new();
    collect_nulls(report, "", &mut nulls);
    let is_explained = |path: &str| report["unmeasured"][path].as_str().is_some_and(|why| !why.is_empty());
    nulls.into_iter().filter(|path| !is_explained(path) && !may_not_apply(schema, path)).collect()
}

/// Whether docs/json.md lists that field among those that are null where they do not apply.
fn may_not_apply(schema: &str, path: &str) -> bool {
    match (schema, path.strip_prefix("proof.")) {
        ("vmnet.fix/1", Some(path)) => may_not_apply("vmnet.check/1", path),
        _ => listed().any(|(of, field)| field == path && (of == "any" || of == schema)),
    }
}

/// The documents and fields of that list.
fn listed() -> impl Iterator<Item = (&'static str, &'static str)> {
    let text = include_str!("../../docs/json.md");
    let list =
        text.split("## Null where it does not apply").nth(1).and_then(|text| text.split("\n## ").next());
    let rows = list.unwrap_or_default().lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        Some((cells.next()?, cells.next()?))
    });
    rows.flat_map(|(document, fields)| {
        let plain = |field: &'static str| field.strip_prefix('`')?.strip_suffix('`');
        fields.split(", ").filter_map(plain).map(move |field| (document.trim_matches('`'), field))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Whether a document's schema has that field, and lets it be null.
    fn can_be_null(root: &Value, schema: &Value, path: &[&str]) -> bool {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = root.pointer(reference.trim_start_matches('#')).unwrap();
            return can_be_null(root, target, path);
        }
        let any = ["anyOf", "oneOf"].iter().filter_map(|of| schema[of].as_array()).flatten();
        if any.clone().any(|one| can_be_null(root, one, path)) {
            return true;
        }
        let Some((first, rest)) = path.split_first() else {
            let kinds = &schema["type"];
            return kinds == "null" || kinds.as_array().is_some_and(|kinds| kinds.contains(&"null".into()));
        };
        match first.strip_suffix("[]") {
            Some(array) => {
                let list = field(root, &schema["properties"][array]);
                can_be_null(root, &list["items"], rest)
            }
            None => can_be_null(root, &schema["properties"][first], rest),
        }
    }

    /// What a reference or the nullable form of a list stands for.
    fn field<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
            None => schema,
        }
    }

    #[test]
    fn every_field_of_the_list_is_one_that_its_document_may_leave_null() {
        let schemas =
            ["run", "check", "doctor", "fix", "ab", "compare"].map(|name| format!("vmnet.{name}/1"));
        assert!(listed().count() > 20);
        for (document, path) in listed() {
            let of: Vec<&str> = schemas.iter().map(String::as_str).collect();
            let of = if document == "any" { of } else { vec![document] };
            let path: Vec<&str> = path.split('.').collect();
            let found = of.iter().any(|name| {
                let file = name.replace('/', ".");
                let file = format!("{}/../docs/schema/{file}.json", env!("CARGO_MANIFEST_DIR"));
                let schema: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
                can_be_null(&schema, &schema, &path)
            });
            assert!(found, "{document} {path:?}");
        }
    }

    #[test]
    fn a_null_without_its_reason_is_found_wherever_it_is() {
        let report = Report(json!({
            "cost": {"cores": null, "calls": 0},
            "samples": [{"share": 1}, {"share": null}],
            "basis": null,
            "unmeasured": {"cost.cores": "not timed", "basis": ""},
        }));
        assert_eq!(report.unexplained_nulls(), ["basis", "samples[].share"]);
    }

    #[test]
    fn a_null_that_may_not_apply_needs_no_reason_in_the_document_that_it_is_listed_for() {
        let nulls = |schema: &str| json!({"schema": schema, "interface": {"netns": {"name": null}}, "types": [{"cut_at": null}], "unmeasured": {}});
        assert_eq!(unexplained_nulls(&nulls("vmnet.check/1")), [""; 0]);
        assert_eq!(unexplained_nulls(&nulls("vmnet.run/1")), ["types[].cut_at"]);
        let fix = json!({"schema": "vmnet.fix/1", "proof": nulls("vmnet.check/1"), "unmeasured": {}});
        assert_eq!(unexplained_nulls(&fix), [""; 0]);
    }

    #[test]
    fn a_null_is_no_count() {
        let report = Report(json!({"ledger": {"tcp": {"payload_bytes": 0, "pending_bytes": null}}}));
        assert_eq!(report.count("ledger.tcp.payload_bytes"), Some(0));
        assert_eq!(report.count("ledger.tcp.pending_bytes"), None);
    }
}
