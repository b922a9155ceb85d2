//! What the fuzzer begins with: inputs that were recorded, and those that once did harm.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::{gallery, paths};

/// The targets, as `vmnet-user/src/fuzzing` has them, in the order in which they are worth it; and beside `fuzz/seeds/TARGET`, a directory with
/// recorded inputs.
pub const TARGETS: [(&str, Option<&str>); 7] = [
    ("recording", None),
    ("counters", None),
    ("documents", Some("vmnet-user/src/report/path/testdata")),
    ("explain", Some("vmnet-user/src/explain/testdata")),
    ("netlink", Some("vmnet-user/src/device/recorded")),
    ("configuration", None),
    ("benchmark", Some("vmnet-user/src/benchmark/testdata")),
];

/// Some hundred edits, in a dozen samples.
const EDITS_BYTES: usize = 4_400;

/// An input.
pub struct Seed {
    /// Of its file, or of its run.
    pub name: String,
    /// What it is.
    pub bytes: Vec<u8>,
}

/// The inputs of a target, by name.
pub fn seeds(target: &str) -> Result<Vec<Seed>> {
    let recorded = TARGETS.iter().find(|(name, _)| *name == target).map(|(_, recorded)| *recorded);
    let recorded = recorded.with_context(|| format!("there is no target {target}"))?;
    let mut seeds = match target {
        "recording" => runs()?,
        // As edits they are as good as chance, so their ends will do.
        "counters" => runs()?.into_iter().map(|run| Seed { bytes: end(&run.bytes), ..run }).collect(),
        _ => Vec::new(),
    };
    let kept = paths::workspace().join("fuzz/seeds").join(target);
    let recorded = recorded.map(|directory| paths::workspace().join(directory));
    for directory in recorded.iter().chain([&kept]).filter(|directory| directory.is_dir()) {
        seeds.extend(files(directory)?);
    }
    if seeds.is_empty() {
        bail!("{target} has no seeds in {}", kept.display());
    }
    seeds.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(seeds)
}

fn files(directory: &Path) -> Result<Vec<Seed>> {
    let failed = || format!("reading {}", directory.display());
    let entries = fs::read_dir(directory).with_context(failed)?;
    let seed = |entry: std::io::Result<fs::DirEntry>| -> Result<Seed> {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        Ok(Seed { name, bytes: fs::read(entry.path())? })
    };
    entries.map(seed).collect::<Result<_>>().with_context(failed)
}

/// The gallery's recordings.
fn runs() -> Result<Vec<Seed>> {
    let run = |exhibit: &gallery::Exhibit| -> Result<Seed> {
        let file = gallery::directory().join(exhibit.name).join(gallery::RECORDING);
        let bytes = fs::read(&file)
            .with_context(|| format!("reading {}; `cargo xtask gallery` makes it", file.display()))?;
        Ok(Seed { name: exhibit.name.to_owned(), bytes })
    };
    gallery::RUNS.iter().map(run).collect()
}

fn end(bytes: &[u8]) -> Vec<u8> {
    bytes[bytes.len().saturating_sub(EDITS_BYTES)..].to_vec()
}
