//! The shared libraries that a program needs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::command::captured;

/// All of them, the dynamic loader included, where they are on this machine. None for a static program or a script.
pub(super) fn of(program: &Path) -> Result<Vec<PathBuf>> {
    // ldd answers 1 for what is not a dynamic program.
    let said = captured(Command::new("ldd").arg(program))?;
    Ok(paths_in(&String::from_utf8_lossy(&said.stdout)))
}

/// Lines are `name => path (address)` or `path (address)`.
fn paths_in(said: &str) -> Vec<PathBuf> {
    said.lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_the_loader_are_found_in_what_ldd_says() {
        let said = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x7f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x7f)\n";
        assert_eq!(
            paths_in(said),
            [PathBuf::from("/lib/x86_64-linux-gnu/libc.so.6"), PathBuf::from("/lib64/ld-linux-x86-64.so.2")]
        );
        assert!(paths_in("\tnot a dynamic executable\n").is_empty());
    }
}
