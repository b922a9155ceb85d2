//! Values as JSON.

use serde::Serialize;

/// A report could not be serialised.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// A number that the report cannot do without.
    #[error("{0} is not a finite number; please report this as a bug of vmnet")]
    NotFinite(&'static str),
    /// serde's own.
    #[error("the report could not be written as JSON: {0}")]
    Serialize(serde_json::Error),
}

/// Indented, in the schema's order, with a newline at the end.
///
/// # Errors
/// serde's own.
pub fn indented(value: &impl Serialize) -> Result<String, JsonError> {
    let mut text = serde_json::to_string_pretty(value).map_err(JsonError::Serialize)?;
    text.push('\n');
    Ok(text)
}
