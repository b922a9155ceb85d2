//! What makes one file run anywhere: it needs no interpreter and no library, and asks for none while it runs.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use object::elf::PT_INTERP;
use object::read::elf::{ElfFile64, ProgramHeader as _};
use object::{Endianness, Object as _, ObjectSymbol as _};

/// The parts of the C library that load libraries of the machine, which are of another C library.
const LOADS_LIBRARIES: [&str; 5] = ["getaddrinfo", "getgrouplist", "getpwnam_r", "getpwuid_r", "initgroups"];

/// Refuses a binary that would not.
pub(super) fn hold(binary: &Path) -> Result<()> {
    let bytes = fs::read(binary).with_context(|| binary.display().to_string())?;
    let file = ElfFile64::<Endianness>::parse(bytes.as_slice())?;
    let has_interpreter =
        file.elf_program_headers().iter().any(|header| header.p_type(file.endian()) == PT_INTERP);
    let imports = file.imports()?;
    if has_interpreter || !imports.is_empty() {
        bail!("{} is linked dynamically", binary.display());
    }
    let has = |name: &&&str| file.symbols().any(|symbol| symbol.name() == Ok(**name));
    if let Some(name) = LOADS_LIBRARIES.iter().find(has) {
        bail!(
            "{} has {name} inside, which loads libraries of the machine: find who calls it",
            binary.display()
        );
    }
    Ok(())
}
