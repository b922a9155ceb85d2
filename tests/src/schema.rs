//! Whether a document that `vmnet` wrote is what its JSON Schema under `docs/schema` says.
//!
//! The schemas allow more than they describe, so that readers bear what a later version adds. Here nothing more is allowed: a
//! field that is written and not described fails the test that saw it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use crate::paths;

/// The file of a schema: `vmnet.run/1` is in `docs/schema/vmnet.run.1.json`.
pub fn path(name: &str) -> PathBuf {
    paths::workspace().join("docs/schema").join(format!("{}.json", name.replace('/', ".")))
}

/// The document has a schema, and is what that says, no more and no less. All that is wrong is told, with its place.
pub fn validate(document: &Value) -> Result<()> {
    let name = document.get("schema").and_then(Value::as_str).context("it names no `schema`")?;
    let path = path(name);
    let text = fs::read_to_string(&path).with_context(|| format!("{name} has no {}", path.display()))?;
    let mut schema = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    close(&mut schema);
    let validator = jsonschema::draft202012::new(&schema).with_context(|| path.display().to_string())?;
    let wrong: Vec<String> = validator.iter_errors(document).flat_map(|error| told(&error)).collect();
    if !wrong.is_empty() {
        bail!("not what {name} says:\n{}", wrong.join("\n"));
    }
    Ok(())
}

/// What is wrong, and where. Of something that may also be null, what keeps it from being the other.
fn told(error: &ValidationError<'_>) -> Vec<String> {
    let place = error.instance_path();
    if let Kind::AnyOf { context } | Kind::OneOfNotValid { context } = error.kind() {
        let of_another_type = |error: &ValidationError<'_>| {
            matches!(error.kind(), Kind::Type { .. }) && error.instance_path() == place
        };
        let fitting: Vec<_> = context.iter().filter(|errors| !errors.iter().any(of_another_type)).collect();
        if let [errors] = fitting[..] {
            return errors.iter().flat_map(told).collect();
        }
    }
    vec![format!("{place}: {error}")]
}

/// Forbids what is not described, wherever properties are.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if members.contains_key("properties") && !members.contains_key("additionalProperties") {
                members.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
