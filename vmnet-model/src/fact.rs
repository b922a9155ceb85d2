//! What is known, or why it is not. In JSON the latter is null, and the document's `unmeasured` has the reason: [`super::absences`] finds it
//! where the null is written, so that no list of fields has to be kept beside the types.
//!
//! A field says in one of two ways that its null means "not measured":
//! * it is a [`Fact`], `#[serde(with = "fact", default = "fact::unread")]`: the reason depends on what happened;
//! * it is an `Option` with `#[serde(serialize_with = "fact::kernel_silent")]` or the like: it has one reason only, see [`null_because!`].
//!
//! A plain `Option` is for what may not apply: its null has no reason.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A fact, or why it is not known. Never a zero in place of what was not read.
pub type Fact<T> = Result<T, Why>;

/// Why something is not known. Its [`Display`](fmt::Display) is what a person reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Without programs in the kernel only its own counters are there.
    NoPrograms,
    /// The kernel has no answer to that question.
    KernelSilent,
    /// NaN or infinity came out.
    NotFinite,
    /// It was null in a document: the reason is in its `unmeasured`.
    SeeUnmeasured,
    /// In words of where it was looked for.
    Said(Cow<'static, str>),
}

impl Why {
    /// An error's own words.
    #[must_use]
    pub fn said(words: impl fmt::Display) -> Self {
        Self::Said(Cow::Owned(words.to_string()))
    }

    /// A reason that is always told in the same words.
    #[must_use]
    pub const fn is(words: &'static str) -> Self {
        Self::Said(Cow::Borrowed(words))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPrograms => "no programs ran, and the kernel's own counters do not tell",
            Self::KernelSilent => "the kernel did not tell",
            Self::NotFinite => "the arithmetic gave no finite number",
            Self::SeeUnmeasured => "not known when it was written down: see `unmeasured`",
            Self::Said(words) => words,
        })
    }
}

impl From<String> for Why {
    fn from(words: String) -> Self {
        Self::Said(Cow::Owned(words))
    }
}

impl From<&'static str> for Why {
    fn from(words: &'static str) -> Self {
        Self::is(words)
    }
}

/// What is known of a [`Fact`], its reason left aside.
pub trait Known<T> {
    /// The value, if it is known.
    fn known(&self) -> Option<T>;
}

impl<T: Copy> Known<T> for Fact<T> {
    fn known(&self) -> Option<T> {
        self.as_ref().ok().copied()
    }
}

/// The newtype by which a fact that is not known shows itself to [`super::absences`]; also the key of a reason that is put back.
pub(super) const UNKNOWN: &str = "vmnet::Unknown";
/// The same of an `Option` whose None has one reason only.
pub(super) const ALWAYS_UNKNOWN: &str = "vmnet::AlwaysUnknown";

/// Null to every format that people read, as JSON, and the reason to whoever asks for it by not being one.
struct Absent<'a>(&'a Why);

impl Serialize for Absent<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.serialize_none() } else { to.collect_str(self.0) }
    }
}

/// # Errors
/// The serializer's own.
pub fn serialize<T: Serialize, S: Serializer>(fact: &Fact<T>, to: S) -> Result<S::Ok, S::Error> {
    match fact {
        Ok(value) => to.serialize_some(value),
        Err(why) => to.serialize_newtype_struct(UNKNOWN, &Absent(why)),
    }
}

/// # Errors
/// The deserializer's own.
pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(from: D) -> Result<Fact<T>, D::Error> {
    let value = Value::deserialize(from)?;
    if value.is_null() {
        return Ok(Err(Why::SeeUnmeasured));
    }
    match put_back(&value) {
        Some(why) => Ok(Err(why)),
        None => T::deserialize(value).map(Ok).map_err(D::Error::custom),
    }
}

/// A field that a document of an earlier version does not have.
///
/// # Errors
/// Always.
pub const fn unread<T>() -> Fact<T> {
    Err(Why::SeeUnmeasured)
}

/// The reason that [`super::absences::restored`] put in the place of a null.
fn put_back(value: &Value) -> Option<Why> {
    value.get(UNKNOWN)?.as_str().map(|words| Why::from(words.to_owned()))
}

/// For an `Option` whose None has one reason only.
///
/// # Errors
/// The serializer's own.
pub fn or_null<T: Serialize, S: Serializer>(value: &Option<T>, why: &Why, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => to.serialize_some(value),
        None => to.serialize_newtype_struct(ALWAYS_UNKNOWN, &Absent(why)),
    }
}

/// The same as an element of something else.
#[derive(Debug)]
pub struct OrNull<'a, T>(pub &'a Option<T>, pub &'a Why);

impl<T: Serialize> Serialize for OrNull<'_, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        or_null(self.0, self.1, to)
    }
}

/// Makes functions for `serialize_with`, each with the reason for a None that has no other.
#[macro_export]
macro_rules! null_because {
    ($($(#[$doc:meta])* $visible:vis $name:ident: $why:expr;)+) => {$(
        $(#[$doc])*
        $visible fn $name<T: serde::Serialize, S: serde::Serializer>(
            value: &Option<T>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            $crate::fact::or_null(value, &$why, to)
        }
    )+};
}

null_because! {
    /// # Errors
    /// The serializer's own.
    pub kernel_silent: Why::KernelSilent;
    /// # Errors
    /// The serializer's own.
    pub no_programs: Why::NoPrograms;
}

/// For what a device may not have at all, which is null too.
pub mod optional {
    use super::{DeserializeOwned, Deserializer, Fact, Serialize, Serializer, Why};

    /// # Errors
    /// The serializer's own.
    pub fn serialize<T: Serialize, S: Serializer>(fact: &Option<Fact<T>>, to: S) -> Result<S::Ok, S::Error> {
        match fact {
            Some(fact) => super::serialize(fact, to),
            None => to.serialize_none(),
        }
    }

    /// # Errors
    /// The deserializer's own.
    pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Fact<T>>, D::Error> {
        let fact: Fact<T> = super::deserialize(from)?;
        // A null with no reason beside it is that of a device that has none.
        Ok(if matches!(fact, Err(Why::SeeUnmeasured)) { None } else { Some(fact) })
    }
}
