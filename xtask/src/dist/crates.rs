//! The crates that are inside the binary: what the user side and the kernel side link, and nothing that only builds or tests them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::Value;
use testbed::command::output;

use crate::build::cargo;

/// Their roots.
const SIDES: [&str; 2] = ["vmnet-user", "vmnet-ebpf"];

/// By cargo's own id.
#[derive(Debug)]
pub(super) struct Crates(BTreeMap<String, Crate>);

#[derive(Debug)]
pub(super) struct Crate {
    pub(super) name: String,
    pub(super) version: String,
    /// SPDX.
    pub(super) licence: Option<String>,
    pub(super) repository: Option<String>,
    /// One of this workspace.
    pub(super) ours: bool,
    /// Where its sources are.
    pub(super) directory: PathBuf,
    /// Ids of those that it links.
    pub(super) links: Vec<String>,
}

impl Crates {
    /// As `Cargo.lock` has them.
    pub(super) fn inside() -> Result<Self> {
        let mut metadata = cargo();
        metadata.args(["metadata", "--format-version", "1", "--locked"]);
        metadata.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
        let metadata: Value = serde_json::from_str(&output(&mut metadata)?).context("cargo metadata")?;
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let packages: BTreeMap<String, Value> =
            list(&metadata["packages"]).into_iter().filter_map(|it| Some((text(&it["id"])?, it))).collect();
        let nodes: BTreeMap<String, Value> = list(&metadata["resolve"]["nodes"])
            .into_iter()
            .filter_map(|it| Some((text(&it["id"])?, it)))
            .collect();
        let is_side = |package: &&Value| SIDES.iter().any(|side| package["name"] == *side);
        let mut waiting: VecDeque<String> =
            packages.values().filter(is_side).filter_map(|package| text(&package["id"])).collect();
        let mut seen: BTreeSet<String> = waiting.iter().cloned().collect();
        let mut crates = BTreeMap::new();
        while let Some(id) = waiting.pop_front() {
            let (package, node) = (&packages[&id], &nodes[&id]);
            let is_linked = |it: &&Value| list(&it["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            let runs = |id: &String| !is_macro(&packages[id]);
            let links: Vec<String> = list(&node["deps"])
                .iter()
                .filter(is_linked)
                .filter_map(|it| text(&it["pkg"]))
                .filter(runs)
                .collect();
            waiting.extend(links.iter().filter(|link| seen.insert((*link).clone())).cloned());
            let manifest = PathBuf::from(text(&package["manifest_path"]).unwrap_or_default());
            let found = Crate {
                name: text(&package["name"]).context("a package has a name")?,
                version: text(&package["version"]).context("a package has a version")?,
                licence: text(&package["license"]),
                repository: text(&package["repository"]),
                ours: package["source"].is_null(),
                directory: manifest.parent().context("a manifest is in a directory")?.to_owned(),
                links,
            };
            crates.insert(id, found);
        }
        Ok(Self(crates))
    }

    /// Each, by name and version.
    pub(super) fn sorted(&self) -> Vec<&Crate> {
        let mut all: Vec<&Crate> = self.0.values().collect();
        all.sort_by_key(|it| (&it.name, &it.version));
        all
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Crate> {
        self.0.get(id)
    }
}

impl Crate {
    /// Its package URL, by which tools know it.
    pub(super) fn purl(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }
}

/// Runs inside the compiler alone.
fn is_macro(package: &Value) -> bool {
    let targets = package["targets"].as_array().cloned().unwrap_or_default();
    targets.iter().any(|target| target["kind"][0] == "proc-macro")
}
