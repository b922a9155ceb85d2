//! The bill of materials: CycloneDX 1.5, of the crates inside the binary.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

use super::VERSION;
use super::crates::{Crate, Crates};

/// `vmnet-<version>.cdx.json`.
pub(super) fn write(crates: &Crates, directory: &Path) -> Result<PathBuf> {
    let file = directory.join(format!("vmnet-{VERSION}.cdx.json"));
    fs::write(&file, format!("{:#}\n", bill(crates)))?;
    Ok(file)
}

fn bill(crates: &Crates) -> Value {
    let all = crates.sorted();
    let components: Vec<Value> = all.iter().map(|it| component(it)).collect();
    let dependencies: Vec<Value> = all
        .iter()
        .map(|it| {
            let mut on: Vec<String> =
                it.links.iter().filter_map(|id| Some(crates.by_id(id)?.purl())).collect();
            on.sort();
            json!({ "ref": it.purl(), "dependsOn": on })
        })
        .collect();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "vmnet",
                "name": "vmnet",
                "version": VERSION,
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
            },
        },
        "components": components,
        "dependencies": dependencies,
    })
}

fn component(it: &Crate) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": it.purl(),
        "name": it.name,
        "version": it.version,
        "purl": it.purl(),
    });
    if let Some(licence) = &it.licence {
        // Crates of before SPDX had expressions wrote a slash.
        component["licenses"] = json!([{ "expression": licence.replace('/', " OR ") }]);
    }
    if let Some(repository) = &it.repository {
        component["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
    }
    component
}
