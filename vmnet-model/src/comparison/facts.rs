//! What differs in the machines and in how was measured, found by walking both trees: what is added to the report later is compared
//! without a change here, under the name of its path.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Run, names};

/// Beyond this depth nothing is told apart: no report has it.
const DEEPEST: usize = 32;

/// One thing that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Difference {
    /// In people's words.
    pub what: String,
    /// Its path, as in `vmnet.run/1` where it has one there.
    pub path: String,
    /// With the first run; "not known" and the reason where it is not.
    pub a: String,
    /// With the second run.
    pub b: String,
    /// Whether TSO, or what it brings, depends on it.
    pub matters_for_tso: bool,
}

/// A leaf of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Leaf {
    Known(String),
    /// Null: it was not read, or there is no such thing.
    Unknown,
}

pub(super) fn differences(a: &Run<'_>, b: &Run<'_>) -> Vec<Difference> {
    let (a_leaves, b_leaves) = (leaves(a.facts), leaves(b.facts));
    let paths: BTreeSet<&String> = a_leaves.keys().chain(b_leaves.keys()).collect();
    let mut found: Vec<(usize, Difference)> = paths
        .into_iter()
        .filter(|path| !is_within_unknown(path, &a_leaves) && !is_within_unknown(path, &b_leaves))
        .filter(|path| a_leaves.get(*path) != b_leaves.get(*path))
        .map(|path| {
            let name = names::name(path);
            let difference = Difference {
                what: name.what,
                path: path.clone(),
                a: said(path, &a_leaves, a.unmeasured),
                b: said(path, &b_leaves, b.unmeasured),
                matters_for_tso: name.matters_for_tso,
            };
            (name.rank, difference)
        })
        .filter(|(_, difference)| difference.a != difference.b)
        .collect();
    found.sort_by(|(left_rank, left), (right_rank, right)| {
        left_rank.cmp(right_rank).then_with(|| left.path.cmp(&right.path))
    });
    found.into_iter().map(|(_, difference)| difference).collect()
}

type Leaves = BTreeMap<String, Leaf>;

fn leaves(facts: &Value) -> Leaves {
    let mut leaves = Leaves::new();
    walk(facts, "", DEEPEST, &mut leaves);
    leaves
}

/// A thing inside one that is not known: told once, of the whole.
fn is_within_unknown(path: &str, leaves: &Leaves) -> bool {
    parents(path).any(|parent| leaves.get(parent) == Some(&Leaf::Unknown))
}

/// `a.b[c].d` → `a`, `a.b`, `a.b[c]`.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices(['.', '[']).filter(|(at, _)| *at > 0).filter_map(|(at, _)| path.get(..at))
}

fn said(path: &str, leaves: &Leaves, unmeasured: &BTreeMap<String, String>) -> String {
    match leaves.get(path) {
        Some(Leaf::Known(text)) => text.clone(),
        Some(Leaf::Unknown) => match unmeasured.get(&without_keys(path)) {
            Some(why) => format!("not known: {why}"),
            None => "not known".to_owned(),
        },
        None => {
            let inside = leaves.iter().filter(|(inner, _)| parents(inner).any(|parent| parent == path));
            summary(inside.map(|(_, leaf)| leaf)).unwrap_or_else(|| names::absent(path).to_owned())
        }
    }
}

/// Of a thing that is known in parts. None without parts.
fn summary<'a>(parts: impl Iterator<Item = &'a Leaf>) -> Option<String> {
    match parts.count() {
        0 => None,
        1 => Some("known".to_owned()),
        count => Some(format!("known ({count} settings)")),
    }
}

/// `stack[tun0].device` → `stack[].device`, as the report's reasons are filed.
fn without_keys(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut inside = false;
    for letter in path.chars() {
        match letter {
            '[' if !inside => {
                inside = true;
                plain.push_str("[]");
            }
            ']' => inside = false,
            _ if inside => {}
            other => plain.push(other),
        }
    }
    plain
}

fn walk(value: &Value, path: &str, deeper: usize, leaves: &mut Leaves) {
    if names::is_left_out(&without_keys(path)) || deeper == 0 {
        return;
    }
    let mut leaf = |text: String| {
        leaves.insert(path.to_owned(), Leaf::Known(text));
    };
    match value {
        Value::Null => {
            leaves.insert(path.to_owned(), Leaf::Unknown);
        }
        Value::Object(members) => match shape(members) {
            Some(text) => leaf(text),
            None if members.contains_key("negotiated") && members.contains_key("shown") => {
                virtio(members, path, deeper, leaves);
            }
            None => {
                for (name, member) in members {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    walk(member, &path, deeper - 1, leaves);
                }
            }
        },
        Value::Array(elements) if elements.is_empty() => {}
        Value::Array(elements) => match elements.iter().map(flat).collect::<Option<Vec<_>>>() {
            Some(texts) => leaf(texts.join(if elements.iter().any(Value::is_array) { " | " } else { ", " })),
            None => {
                for (index, element) in elements.iter().enumerate() {
                    let key = key(element).unwrap_or_else(|| index.to_string());
                    walk(element, &format!("{path}[{key}]"), deeper - 1, leaves);
                }
            }
        },
        scalar => leaf(scalar_text(scalar).unwrap_or_default()),
    }
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::Bool(true) => Some("yes".to_owned()),
        Value::Bool(false) => Some("no".to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A scalar, or a list of scalars (the CPUs of one queue).
fn flat(value: &Value) -> Option<String> {
    match value {
        Value::Array(elements) if elements.is_empty() => Some("none".to_owned()),
        Value::Array(elements) => {
            elements.iter().map(scalar_text).collect::<Option<Vec<_>>>().map(|texts| texts.join(","))
        }
        scalar => scalar_text(scalar),
    }
}

/// What tells an element from the others, if it has a name.
fn key(element: &Value) -> Option<String> {
    let text = |name: &str| element.get(name).and_then(Value::as_str);
    match (text("path"), element.get("line")) {
        (Some(path), Some(line)) => Some(format!("{path}:{line}")),
        (Some(path), None) => Some(path.to_owned()),
        _ => text("name")
            .or_else(|| element.pointer("/device/name").and_then(Value::as_str))
            .map(str::to_owned),
    }
}

/// Things that are told as one word.
fn shape(members: &Map<String, Value>) -> Option<String> {
    let flag = |name: &str| members.get(name).and_then(Value::as_bool);
    if let (Some(active), Some(wanted), Some(changeable), Some(never_changes)) =
        (flag("active"), flag("wanted"), flag("changeable"), flag("never_changes"))
    {
        let state = match (active, wanted) {
            (true, _) => "on",
            (false, true) => "off, though asked for",
            (false, false) => "off",
        };
        let fixed = if !changeable || never_changes { ", cannot be switched" } else { "" };
        return Some(format!("{state}{fixed}"));
    }
    if members.contains_key("turns_off")
        && let Some(text) = members.get("text").and_then(Value::as_str)
    {
        return Some(text.to_owned());
    }
    if members.contains_key("number")
        && let Some(cpus) = members.get("cpus").and_then(flat)
    {
        return Some(format!("CPUs {cpus}"));
    }
    None
}

/// Bit by bit: one that this kernel does not show is not known, which is not the same as not negotiated.
fn virtio(members: &Map<String, Value>, path: &str, deeper: usize, leaves: &mut Leaves) {
    let list = |name: &str| -> BTreeSet<&str> {
        members.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let (negotiated, shown) = (list("negotiated"), list("shown"));
    for bit in shown.union(&negotiated) {
        let state = if negotiated.contains(bit) { "negotiated" } else { "not negotiated" };
        leaves.insert(format!("{path}.negotiated[{bit}]"), Leaf::Known(state.to_owned()));
    }
    for (name, member) in members.iter().filter(|(name, _)| !matches!(name.as_str(), "negotiated" | "shown"))
    {
        walk(member, &format!("{path}.{name}"), deeper - 1, leaves);
    }
}
