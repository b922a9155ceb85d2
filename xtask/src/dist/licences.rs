//! The notices that have to go along: vmnet's own licences, those of the crates inside it, and of the C library that is linked in.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use testbed::paths;

use super::crates::{Crate, Crates};

const OURS: [&str; 3] = ["LICENSE-MIT", "LICENSE-APACHE", "LICENSE-GPL"];
/// What such a file's name begins with.
const NAMES: [&str; 4] = ["LICENSE", "LICENCE", "COPYING", "NOTICE"];
const RULE: &str = "\n----------------------------------------------------------------------\n\n";
const FIRST: &str = "vmnet is licensed under MIT or Apache-2.0, at your option; the programs that it loads into the kernel also under GPL-2.0.\n\
    Inside it are parts of the GNU C library (LGPL-2.1 or later, https://www.gnu.org/software/libc/): the sources of vmnet, with which it can be\n\
    linked against another, are where you got this file. The other parts are the Rust crates below, each with its notices.\n";

/// All of it, each text once.
pub(super) fn text(crates: &Crates) -> Result<String> {
    let mut text = FIRST.to_owned();
    for name in OURS {
        let file = paths::workspace().join(name);
        text += RULE;
        text += &fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    }
    let others: Vec<&Crate> = crates.sorted().into_iter().filter(|it| !it.ours).collect();
    text += RULE;
    for it in &others {
        let licence = it.licence.as_deref().unwrap_or("see its notices");
        text += &format!("{} {}: {licence}\n", it.name, it.version);
    }
    let mut whose: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for it in &others {
        for notice in notices(&it.directory)? {
            whose.entry(notice).or_default().push(format!("{} {}", it.name, it.version));
        }
    }
    let mut notices: Vec<(Vec<String>, String)> =
        whose.into_iter().map(|(notice, of)| (of, notice)).collect();
    notices.sort();
    for (of, notice) in notices {
        text += &format!("{RULE}{}:\n\n{notice}", of.join(", "));
    }
    Ok(text)
}

fn notices(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        if entry.file_type()?.is_file() && NAMES.iter().any(|start| name.starts_with(start)) {
            names.push(entry.path());
        }
    }
    names.sort();
    let read =
        names.iter().map(|name| Ok(String::from_utf8_lossy(&fs::read(name)?).trim_end().to_owned() + "\n"));
    read.collect()
}
