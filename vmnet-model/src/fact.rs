//! What is known, or why it is not. In JSON the latter is null, and the report's `unmeasured` has the reason.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A fact, or why it is not known. Never a zero in place of what was not read.
pub type Fact<T> = Result<T, String>;

/// Where the reason was written elsewhere.
const SEE_UNMEASURED: &str = "not known when it was written down: see `unmeasured`";

/// # Errors
/// The serializer's own.
pub(super) fn serialize<T: Serialize, S: Serializer>(fact: &Fact<T>, to: S) -> Result<S::Ok, S::Error> {
    fact.as_ref().ok().serialize(to)
}

/// # Errors
/// The deserializer's own.
pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Fact<T>, D::Error> {
    Ok(Option::<T>::deserialize(from)?.ok_or_else(|| SEE_UNMEASURED.to_owned()))
}

/// For what a device may not have at all, which is null too.
pub(super) mod optional {
    use super::{Deserialize, Deserializer, Fact, Serialize, Serializer};

    /// # Errors
    /// The serializer's own.
    pub(in super::super) fn serialize<T: Serialize, S: Serializer>(
        fact: &Option<Fact<T>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        fact.as_ref().and_then(|fact| fact.as_ref().ok()).serialize(to)
    }

    /// # Errors
    /// The deserializer's own.
    pub(in super::super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Fact<T>>, D::Error> {
        Ok(Option::<T>::deserialize(from)?.map(Ok))
    }
}
