//! How many instructions each program of the object has, and how many it may have.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

use crate::build;

/// The budget, in the repository.
const FILE: &str = "vmnet-ebpf/instructions.txt";
/// Of `struct bpf_insn`.
const INSTRUCTION_BYTES: u64 = 8;
/// Its programs are not counted: they do nothing.
const EMPTY: &str = "empty_";

/// The most instructions that each program may have.
pub(crate) struct Budget(BTreeMap<String, u64>);

impl Budget {
    pub(crate) fn read() -> Result<Self> {
        let path = testbed::paths::workspace().join(FILE);
        Self::parse(&fs::read_to_string(&path).with_context(|| path.display().to_string())?)
    }

    /// Writes the budget anew: a tenth more than each program has now, under the comment that the file begins with.
    pub(crate) fn bless(lengths: &BTreeMap<String, u64>) -> Result<()> {
        let path = testbed::paths::workspace().join(FILE);
        let old = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let comment = old.lines().take_while(|line| line.starts_with('#')).map(|line| format!("{line}\n"));
        let lines = lengths.iter().map(|(name, length)| format!("{name:<26} {}\n", length * 11 / 10));
        let text: String = comment.chain(lines).collect();
        fs::write(&path, text).with_context(|| path.display().to_string())
    }

    /// Lines of a name and a number; `#` begins a comment.
    fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        let entry = |line: &str| -> Result<(String, u64)> {
            let (name, most) = line
                .split_once(char::is_whitespace)
                .ok_or_else(|| anyhow!("{FILE}: no number in `{line}`"))?;
            Ok((name.to_owned(), most.trim().parse().with_context(|| format!("{FILE}: `{line}`"))?))
        };
        lines.filter(|line| !line.is_empty()).map(entry).collect::<Result<_>>().map(Self)
    }

    /// What is over the budget, what is not in it, and what is in it and nowhere else.
    fn complaints(&self, lengths: &BTreeMap<String, u64>) -> Vec<String> {
        let of_lengths = lengths.iter().filter_map(|(name, length)| match self.0.get(name) {
            None => Some(format!("{name} has {length} instructions and no line in {FILE}")),
            Some(most) if length > most => {
                Some(format!("{name} has {length} instructions; {FILE} allows {most}"))
            }
            Some(_) => None,
        });
        let gone = self.0.keys().filter(|name| !lengths.contains_key(*name));
        of_lengths
            .chain(gone.map(|name| format!("{FILE} has a line for {name}, which is no program")))
            .collect()
    }

    /// Prints the table; false if something is amiss.
    pub(crate) fn check(&self, lengths: &BTreeMap<String, u64>) -> bool {
        println!("\n{:<28} {:>12} {:>8}", "program", "instructions", "budget");
        for (name, length) in lengths {
            let most = self.0.get(name).map_or_else(|| "none".to_owned(), u64::to_string);
            println!("{name:<28} {length:>12} {most:>8}");
        }
        let complaints = self.complaints(lengths);
        complaints.iter().for_each(|complaint| println!("OVER BUDGET: {complaint}"));
        complaints.is_empty()
    }
}

/// An error where a program of the built object is over its budget.
pub(crate) fn hold() -> Result<()> {
    let complaints = Budget::read()?.complaints(&lengths(&build::kernel_side_object())?);
    if !complaints.is_empty() {
        bail!("{}", complaints.join("\n"));
    }
    Ok(())
}

/// Instructions of each program of an object.
pub(crate) fn lengths(object: &Path) -> Result<BTreeMap<String, u64>> {
    let bytes = fs::read(object).with_context(|| object.display().to_string())?;
    let file = object::File::parse(bytes.as_slice())?;
    let mut lengths = BTreeMap::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
        let Some(section) = symbol.section_index() else { continue };
        // What several programs could call lies in .text; a program has a section that says how it attaches.
        let name = symbol.name()?;
        if file.section_by_index(section)?.name()? != ".text" && !name.starts_with(EMPTY) {
            lengths.insert(name.to_owned(), symbol.size() / INSTRUCTION_BYTES);
        }
    }
    if lengths.is_empty() {
        bail!("{} has no programs", object.display());
    }
    Ok(lengths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths_of(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
        pairs.iter().map(|(name, length)| ((*name).to_owned(), *length)).collect()
    }

    #[test]
    fn a_program_may_have_what_the_budget_says_and_no_more() {
        let budget = Budget::parse("# what\none 10\n\ntwo   20 # why\n").unwrap();
        assert!(budget.complaints(&lengths_of(&[("one", 10), ("two", 1)])).is_empty());
        let complaints = budget.complaints(&lengths_of(&[("one", 11), ("three", 1)]));
        assert_eq!(complaints.len(), 3, "{complaints:?}");
        assert!(Budget::parse("one").is_err() && Budget::parse("one ten").is_err());
    }

    #[test]
    fn every_program_of_the_built_object_keeps_within_its_budget() {
        let object = build::kernel_side_object();
        if !object.exists() {
            eprintln!("skipped: there is no {}; `cargo xtask build` makes it", object.display());
            return;
        }
        hold().unwrap();
    }
}
