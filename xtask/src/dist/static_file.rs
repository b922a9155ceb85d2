//! What makes one file run anywhere: it needs no interpreter and no library, and asks for none while it runs.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use object::elf::PT_INTERP;
use object::read::elf::{ElfFile64, ProgramHeader as _};
use object::{Endianness, Object as _};

/// The C library's switch of name services is the one part of it that loads libraries of the machine, which are of another C library.
const NAME_SERVICE_SWITCH: &[u8] = b"/etc/nsswitch.conf";

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
    if bytes.windows(NAME_SERVICE_SWITCH.len()).any(|part| part == NAME_SERVICE_SWITCH) {
        bail!(
            "{} has the C library's name service switch inside (getaddrinfo, getpwnam, initgroups), which loads libraries of the machine: \
             find who calls it",
            binary.display()
        );
    }
    Ok(())
}
