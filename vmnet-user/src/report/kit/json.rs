//! Documents as JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::model::absences::{self, AbsenceError, Absences, Reasons};

/// A report could not be serialised.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// A number that the report cannot do without is none.
    #[error(transparent)]
    Absence(#[from] AbsenceError),
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

/// A document that says of every null that is "not measured" why.
pub(crate) trait Explained: Clone + Serialize + DeserializeOwned {
    /// Path of a null → why.
    fn unmeasured(&mut self) -> &mut Reasons;

    /// Adds the reasons that its facts have, for those who speak of it before it is written. What cannot be written is refused then.
    fn explain(&mut self) {
        self.add(absences::of(self).map(|found| found.reasons).unwrap_or_default());
    }

    /// Adds reasons. What is there already stays.
    fn add(&mut self, reasons: Reasons) {
        for (path, why) in reasons {
            self.unmeasured().entry(path).or_insert(why);
        }
    }

    /// The same with every null explained, and with null in place of what is no finite number: as it is written and drawn.
    ///
    /// # Errors
    /// A number that it cannot do without is not finite.
    fn explained(&self) -> Result<Self, JsonError> {
        let Absences { reasons, not_finite } = absences::of(self)?;
        let mut document = if not_finite.is_empty() { self.clone() } else { without(self, &not_finite)? };
        document.add(reasons);
        Ok(document)
    }

    /// As JSON for a file or standard output: indented, in the schema's order, with a newline at the end.
    ///
    /// # Errors
    /// As [`Explained::explained`].
    fn to_text(&self) -> Result<String, JsonError> {
        indented(&self.explained()?)
    }
}

/// The document with null in these places.
fn without<D: Explained>(document: &D, spoilt: &[String]) -> Result<D, JsonError> {
    let mut json = serde_json::to_value(document).map_err(JsonError::Serialize)?;
    for place in spoilt {
        if let Some(value) = json.pointer_mut(place) {
            *value = Value::Null;
        }
    }
    serde_json::from_value(json).map_err(JsonError::Serialize)
}
