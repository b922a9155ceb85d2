//! The JSON Schemas under `docs/schema`: made from the types that are written, so that the two cannot drift apart.
//!
//! Only tests need them, so the binary carries none. A document's own fields are described, and more are allowed: a reader has to bear
//! what a later version adds. The tests bear nothing: what is written and not described is an error (`testbed::schema`).

use std::{env, fs};

use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::Value;

use crate::report::run::{fixture, json, schema};
use crate::report::{ab, check, compare, doctor, explain, list, path};
use crate::{fix, load};

/// Rewrites the files where they differ.
const BLESS: &str = "VMNET_BLESS";

/// Its name, and how it is made.
type Document = (&'static str, fn() -> Schema);

/// Every document that a command writes as JSON: a new one is a line here. Its file is [`testbed::schema::path`].
const DOCUMENTS: &[Document] = &[
    (schema::SCHEMA, of::<schema::RunReport>),
    (check::SCHEMA, of::<check::CheckReport>),
    (doctor::SCHEMA, of::<doctor::DoctorReport>),
    (fix::FIX_SCHEMA, of::<fix::FixReport>),
    (fix::RESTORE_SCHEMA, of::<fix::RestoreReport>),
    (load::SCHEMA, of::<load::Summary>),
    (compare::schema::SCHEMA, of::<compare::schema::CompareReport>),
    (ab::schema::SCHEMA, of::<ab::schema::AbReport>),
    (explain::SCHEMA, of::<explain::ExplainReport>),
    (list::SCHEMA, of::<list::ListReport>),
    (path::SCHEMA, of::<path::PathReport>),
];

/// Of what is written: a field that is always there is required, null or not.
fn of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.with_transform(RecursiveTransform(in_words_of_json)).into_generator().into_root_schema_for::<T>()
}

/// Descriptions are the comments of the code, which speaks of `None` where JSON has null, and of links where there are none.
fn in_words_of_json(schema: &mut Schema) {
    // What is read where an earlier version wrote nothing. It is written, null or not.
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    let Some(Value::String(description)) = schema.get_mut("description") else { return };
    let one_line = description.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = one_line.replace("[`", "`").replace("`]", "`").replace("\\[", "[").replace("\\]", "]");
    *description = plain.replace("None", "null");
}

fn text(name: &str, schema: &Schema) -> String {
    let mut value = schema.clone().to_value();
    value["title"] = name.into();
    value["properties"]["schema"] =
        serde_json::json!({ "const": name, "description": "The name of this schema." });
    serde_json::to_string_pretty(&value).expect("a tree") + "\n"
}

#[test]
fn the_schemas_are_those_of_the_types() {
    let mut stale = Vec::new();
    for (name, schema) in DOCUMENTS {
        let path = testbed::schema::path(name);
        let text = text(name, &schema());
        if fs::read_to_string(&path).ok().as_deref() == Some(text.as_str()) {
            continue;
        }
        if env::var_os(BLESS).is_some() {
            fs::create_dir_all(path.parent().expect("a directory")).expect("made");
            fs::write(&path, text).expect("written");
        } else {
            stale.push(path);
        }
    }
    assert!(stale.is_empty(), "not what the types say: {stale:?}; {BLESS}=1 rewrites them");
}

fn runs() -> [Value; 5] {
    use fixture::{counters, engaged, flipped, idle, software};
    [software(), engaged(), flipped(), idle(), counters()]
        .map(|report| json::to_value(&report).expect("finite"))
}

#[test]
fn every_kind_of_run_is_what_its_schema_says() {
    for run in runs() {
        testbed::schema::validate(&run).expect("as described");
    }
}

/// What is wrong, how it comes to be, and words that tell it.
type Spoilt = (&'static str, fn(&mut Value), &'static str);

#[test]
fn what_no_run_looks_like_is_refused_with_its_place() {
    let [run, ..] = runs();
    let spoilt: &[Spoilt] = &[
        ("a wrong type", |run| run["interface"]["mtu"] = "1500".into(), "/interface/mtu: "),
        (
            "a count below zero",
            |run| run["ledger"]["tcp"]["ipv4"]["payload_bytes"] = (-1).into(),
            "/ledger/tcp/ipv4/",
        ),
        (
            "a number with a fraction for a count",
            |run| run["interface"]["ifindex"] = 1.5.into(),
            "/interface/ifindex: ",
        ),
        (
            "a null where there is always something",
            |run| run["verdict"]["summary"] = Value::Null,
            "/verdict/summary: ",
        ),
        ("an unknown state", |run| run["verdict"]["state"] = "working".into(), "/verdict/state: "),
        ("an unknown cause", |run| run["causes"][0]["id"] = "bad-luck".into(), "/causes"),
        ("a missing field", |run| drop(remove(run, "/throughput/samples/3", "wire_gbps")), "\"wire_gbps\""),
        ("a nullable field that is missing", |run| drop(remove(run, "/cost", "cores")), "\"cores\""),
        ("a field that nobody described", |run| run["ledger"]["tcp"]["ipv4"]["lost"] = 0.into(), "'lost'"),
        (
            "a reason that is no text",
            |run| run["unmeasured"]["prediction"] = true.into(),
            "/unmeasured/prediction: ",
        ),
        ("another schema's name", |run| run["schema"] = check::SCHEMA.into(), "vmnet.check/1"),
        ("a schema that there is not", |run| run["schema"] = "vmnet.run/0".into(), "vmnet.run.0.json"),
        ("no schema's name", |run| drop(remove(run, "", "schema")), "names no `schema`"),
    ];
    for (what, spoil, told) in spoilt {
        let mut run = run.clone();
        spoil(&mut run);
        let error = testbed::schema::validate(&run).expect_err(what);
        assert!(format!("{error:#}").contains(told), "{what}: {error:#}");
    }
}

fn remove(run: &mut Value, place: &str, name: &str) -> Option<Value> {
    run.pointer_mut(place)?.as_object_mut()?.remove(name)
}
