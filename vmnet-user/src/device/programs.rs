//! Programs of this machine that are asked what they know: those of the system, wherever the caller's PATH may lead, and without the
//! caller's environment. vmnet is root where they are.

use std::path::Path;
use std::process::{Command, Stdio};

/// Where a system has its programs; the last is NixOS's. Only root writes to any of them.
const DIRECTORIES: [&str; 5] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/run/current-system/sw/bin"];

/// A command of the system's program of that name, with nothing to read. One that is not installed cannot be started.
pub(crate) fn system(name: &str) -> Command {
    let paths = DIRECTORIES.iter().map(|directory| Path::new(directory).join(name));
    let path = paths.clone().find(|path| path.is_file());
    let mut command = Command::new(path.unwrap_or_else(|| Path::new("/usr/bin").join(name)));
    command.env_clear().env("PATH", DIRECTORIES.join(":")).env("LC_ALL", "C").stdin(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_the_systems_and_knows_nothing_of_the_callers_environment() {
        let printed = system("env").output().unwrap();
        let environment = String::from_utf8(printed.stdout).unwrap();
        let mut lines: Vec<&str> = environment.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["LC_ALL=C", &format!("PATH={}", DIRECTORIES.join(":"))]);
        assert!(system("env").get_program().to_string_lossy().ends_with("bin/env"));
    }

    #[test]
    fn one_that_is_not_installed_is_not_looked_for_elsewhere() {
        assert_eq!(system("no-such-program").output().unwrap_err().kind(), std::io::ErrorKind::NotFound);
    }

    /// A program that vmnet asks is named nowhere else: no other file outside the tests starts one but a COMMAND.
    #[test]
    fn nothing_else_starts_a_program() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        let mut directories = vec![source.clone()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    directories.push(path);
                } else if path.extension().is_some_and(|ending| ending == "rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let own = text.split("#[cfg(test)]").next().unwrap_or_default();
                    let is_of_tests = path.to_string_lossy().ends_with("tests.rs");
                    if own.contains(concat!("Command::", "new(")) && !is_of_tests {
                        found.push(path.strip_prefix(&source).unwrap().display().to_string());
                    }
                }
            }
        }
        found.sort();
        assert_eq!(found, ["device/programs.rs", "session/child.rs"]);
    }
}
