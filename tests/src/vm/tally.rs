//! How guests came to life, for the summary of `cargo xtask test`.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;

use super::VmRun;

/// Names a file to which each guest adds a line: how it came to life, a tab, and how many seconds it ran.
pub const GUESTS_FILE: &str = "VMNET_GUESTS_FILE";

/// Adds a line for this one, if a file is named.
pub(super) fn add(run: &VmRun) {
    if let Some(path) = env::var_os(GUESTS_FILE)
        && let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path)
    {
        let _ = writeln!(file, "{}\t{:.1}", run.start, run.duration.as_secs_f64());
    }
}
