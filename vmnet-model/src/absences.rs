//! The reason for every null of a document, found while it is serialised: whatever is not known says why ([`super::fact`]), and where it
//! stands is known from the way there. Nothing here knows the name of a field.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::ser::{self, Serialize, Serializer};
use serde_json::Value;

use super::fact::{ALWAYS_UNKNOWN, UNKNOWN, Why};

/// Path of a null → the reason. Elements of an array share one path, `throughput.samples[].rtt_us`, and the first reason there is told.
pub type Reasons = BTreeMap<String, String>;

/// What was found in a document.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Absences {
    /// The reason for every null that has one.
    pub reasons: Reasons,
    /// Where no finite number is though null could be, as JSON pointers: from an `Option` or a fact on, down to the number.
    pub not_finite: Vec<String>,
}

/// Why a document cannot be looked through.
#[derive(Debug, thiserror::Error)]
pub enum AbsenceError {
    /// NaN or infinity where null cannot be: the document cannot do without that number.
    #[error("{0} is not a finite number; please report this as a bug of vmnet")]
    NotFinite(String),
    /// A type's own.
    #[error("{0}")]
    Custom(String),
}

impl ser::Error for AbsenceError {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self::Custom(words.to_string())
    }
}

/// Looks through a document.
///
/// # Errors
/// A number that it cannot do without is not finite.
pub fn of(document: &impl Serialize) -> Result<Absences, AbsenceError> {
    let mut finder = Finder::default();
    document.serialize(&mut finder)?;
    Ok(finder.found)
}

/// The reasons of facts alone: what [`restored`] takes.
///
/// # Errors
/// As [`of`].
pub fn of_facts(document: &impl Serialize) -> Result<Reasons, AbsenceError> {
    let mut finder = Finder { facts_alone: true, ..Finder::default() };
    document.serialize(&mut finder)?;
    Ok(finder.found.reasons)
}

/// A value from JSON in which facts that are null get their reasons back.
///
/// # Errors
/// serde's own.
pub fn restored<T: DeserializeOwned>(mut json: Value, reasons: &Reasons) -> serde_json::Result<T> {
    put_back(&mut json, "", reasons);
    serde_json::from_value(json)
}

fn put_back(value: &mut Value, path: &str, reasons: &Reasons) {
    match value {
        Value::Null => {
            if let Some(reason) = reasons.get(path) {
                *value = serde_json::json!({ UNKNOWN: reason });
            }
        }
        Value::Array(elements) => {
            let path = format!("{path}[]");
            elements.iter_mut().for_each(|element| put_back(element, &path, reasons));
        }
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                put_back(member, &path, reasons);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

enum Step {
    Field(&'static str),
    Key(String),
    Element(usize),
}

#[derive(Default)]
struct Finder {
    way: Vec<Step>,
    facts_alone: bool,
    /// What comes next is a reason.
    is_told_why: bool,
    found: Absences,
}

impl Finder {
    /// As in `unmeasured`.
    fn path(&self) -> String {
        self.way.iter().fold(String::new(), |path, step| match step {
            Step::Element(_) => path + "[]",
            Step::Field(name) => joined(path, name),
            Step::Key(name) => joined(path, name),
        })
    }

    fn pointer(&self) -> String {
        let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
        self.way.iter().fold(String::new(), |pointer, step| match step {
            Step::Element(index) => format!("{pointer}/{index}"),
            Step::Field(name) => format!("{pointer}/{}", escaped(name)),
            Step::Key(name) => format!("{pointer}/{}", escaped(name)),
        })
    }

    fn tell(&mut self, why: &str) {
        let path = self.path();
        self.found.reasons.entry(path).or_insert_with(|| why.to_owned());
    }

    fn step<T: Serialize + ?Sized>(&mut self, step: Step, value: &T) -> Result<(), AbsenceError> {
        self.way.push(step);
        let result = value.serialize(&mut *self);
        self.way.pop();
        result
    }

    fn number(&self, number: f64) -> Result<(), AbsenceError> {
        if number.is_finite() { Ok(()) } else { Err(AbsenceError::NotFinite(self.path())) }
    }
}

fn joined(path: String, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { path + "." + name }
}

/// Methods for values in which nothing can be absent.
macro_rules! always_there {
    ($($method:ident: $value:ty),+) => {$(
        fn $method(self, _: $value) -> Result<(), AbsenceError> {
            Ok(())
        }
    )+};
}

impl<'a> Serializer for &'a mut Finder {
    type Ok = ();
    type Error = AbsenceError;
    type SerializeSeq = Within<'a>;
    type SerializeTuple = Within<'a>;
    type SerializeTupleStruct = Within<'a>;
    type SerializeTupleVariant = Within<'a>;
    type SerializeMap = Within<'a>;
    type SerializeStruct = Within<'a>;
    type SerializeStructVariant = Within<'a>;

    always_there! {
        serialize_bool: bool, serialize_char: char, serialize_bytes: &[u8],
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_unit_struct: &'static str
    }

    fn is_human_readable(&self) -> bool {
        !self.is_told_why
    }

    fn serialize_f32(self, number: f32) -> Result<(), AbsenceError> {
        self.number(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<(), AbsenceError> {
        self.number(number)
    }

    fn serialize_str(self, text: &str) -> Result<(), AbsenceError> {
        if self.is_told_why {
            self.tell(text);
        }
        Ok(())
    }

    fn serialize_none(self) -> Result<(), AbsenceError> {
        Ok(())
    }

    /// What can be null is null, where a number in it is none.
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), AbsenceError> {
        let outside = self.way.len();
        match value.serialize(&mut *self) {
            Err(AbsenceError::NotFinite(_)) => {
                self.way.truncate(outside);
                self.tell(&Why::NotFinite.to_string());
                let pointer = self.pointer();
                self.found.not_finite.push(pointer);
                Ok(())
            }
            result => result,
        }
    }

    fn serialize_unit(self) -> Result<(), AbsenceError> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), AbsenceError> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), AbsenceError> {
        self.is_told_why = name == UNKNOWN || (name == ALWAYS_UNKNOWN && !self.facts_alone);
        let result = value.serialize(&mut *self);
        self.is_told_why = false;
        result
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), AbsenceError> {
        self.step(Step::Field(variant), value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Within<'a>, AbsenceError> {
        Ok(Within::of(self, None))
    }

    fn serialize_tuple(self, _: usize) -> Result<Within<'a>, AbsenceError> {
        Ok(Within::of(self, None))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Within<'a>, AbsenceError> {
        Ok(Within::of(self, None))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Within<'a>, AbsenceError> {
        Ok(Within::of(self, Some(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Within<'a>, AbsenceError> {
        Ok(Within::of(self, None))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Within<'a>, AbsenceError> {
        Ok(Within::of(self, None))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Within<'a>, AbsenceError> {
        Ok(Within::of(self, Some(variant)))
    }
}

/// Inside of an array or an object.
struct Within<'a> {
    finder: &'a mut Finder,
    /// How long the way was before.
    outside: usize,
    elements: usize,
    key: String,
}

impl<'a> Within<'a> {
    fn of(finder: &'a mut Finder, variant: Option<&'static str>) -> Self {
        let outside = finder.way.len();
        finder.way.extend(variant.map(Step::Field));
        Self { finder, outside, elements: 0, key: String::new() }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), AbsenceError> {
        self.elements += 1;
        self.finder.step(Step::Element(self.elements - 1), value)
    }

    fn leave(self) {
        self.finder.way.truncate(self.outside);
    }
}

macro_rules! elements {
    ($($what:ident: $method:ident),+) => {$(
        impl ser::$what for Within<'_> {
            type Ok = ();
            type Error = AbsenceError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), AbsenceError> {
                self.element(value)
            }

            fn end(self) -> Result<(), AbsenceError> {
                self.leave();
                Ok(())
            }
        }
    )+};
}

elements! {
    SerializeSeq: serialize_element, SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field
}

macro_rules! fields {
    ($($what:ident),+) => {$(
        impl ser::$what for Within<'_> {
            type Ok = ();
            type Error = AbsenceError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), AbsenceError> {
                self.finder.step(Step::Field(name), value)
            }

            fn end(self) -> Result<(), AbsenceError> {
                self.leave();
                Ok(())
            }
        }
    )+};
}

fields! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for Within<'_> {
    type Ok = ();
    type Error = AbsenceError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), AbsenceError> {
        let key = serde_json::to_value(key).map_err(ser::Error::custom)?;
        self.key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), AbsenceError> {
        let key = std::mem::take(&mut self.key);
        self.finder.step(Step::Key(key), value)
    }

    fn end(self) -> Result<(), AbsenceError> {
        self.leave();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;
    use crate::fact::{self, Fact};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Document {
        title: Option<String>,
        #[serde(with = "fact")]
        cores: Fact<f64>,
        #[serde(serialize_with = "fact::kernel_silent")]
        bytes: Option<u64>,
        rows: Vec<Row>,
        by_name: BTreeMap<String, Row>,
        spread: Option<[f64; 2]>,
        duration_s: f64,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        #[serde(with = "fact")]
        rate: Fact<f64>,
    }

    fn row(rate: Fact<f64>) -> Row {
        Row { rate }
    }

    fn document() -> Document {
        Document {
            title: None,
            cores: Err(Why::NoPrograms),
            bytes: None,
            rows: vec![row(Ok(1.0)), row(Err("first".into())), row(Err("second".into()))],
            by_name: BTreeMap::from([("a/b".to_owned(), row(Err(Why::is("by name"))))]),
            spread: Some([1.0, 2.0]),
            duration_s: 1.0,
        }
    }

    fn reasons(pairs: &[(&str, &str)]) -> Reasons {
        pairs.iter().map(|(path, why)| ((*path).to_owned(), (*why).to_owned())).collect()
    }

    #[test]
    fn what_is_not_known_says_why_and_what_does_not_apply_says_nothing() {
        let no_programs = Why::NoPrograms.to_string();
        let mut expected = reasons(&[
            ("cores", no_programs.as_str()),
            ("rows[].rate", "first"),
            ("by_name.a/b.rate", "by name"),
        ]);
        assert_eq!(of_facts(&document()).unwrap(), expected);
        expected.insert("bytes".to_owned(), Why::KernelSilent.to_string());
        assert_eq!(of(&document()).unwrap(), Absences { reasons: expected, not_finite: Vec::new() });
    }

    #[test]
    fn plain_json_has_null_and_never_the_reason() {
        let written = serde_json::to_value(document()).unwrap();
        assert_eq!(written["cores"], json!(null));
        assert_eq!(written["bytes"], json!(null));
        assert_eq!(written["rows"], json!([{"rate": 1.0}, {"rate": null}, {"rate": null}]));
        let text = serde_json::to_string(&document()).unwrap();
        assert!(!text.contains("programs") && !text.contains("first") && !text.contains("vmnet::"), "{text}");
    }

    #[test]
    fn what_is_no_number_is_null_as_far_up_as_it_has_to_be() {
        let mut document = document();
        document.cores = Ok(f64::NAN);
        document.spread = Some([0.0, f64::INFINITY]);
        document.by_name.get_mut("a/b").unwrap().rate = Ok(f64::NEG_INFINITY);
        let found = of(&document).unwrap();
        assert_eq!(found.not_finite, ["/cores", "/by_name/a~1b/rate", "/spread"]);
        assert_eq!(found.reasons["spread"], Why::NotFinite.to_string());
        document.duration_s = f64::NAN;
        assert!(matches!(of(&document), Err(AbsenceError::NotFinite(path)) if path == "duration_s"));
    }

    #[test]
    fn what_is_read_back_has_its_reasons_again() {
        let before = document();
        let json = serde_json::to_value(&before).unwrap();
        let plain: Document = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(plain.cores, Err(Why::SeeUnmeasured));
        let again: Document = restored(json, &of_facts(&before).unwrap()).unwrap();
        assert_eq!(again.cores, Err(Why::said(Why::NoPrograms)));
        assert_eq!(again.rows[0], before.rows[0]);
        assert_eq!(again.by_name, before.by_name);
    }

    #[test]
    fn a_reason_is_small() {
        assert!(size_of::<Why>() <= 24 && size_of::<Fact<f64>>() <= 24, "{}", size_of::<Fact<f64>>());
    }
}
