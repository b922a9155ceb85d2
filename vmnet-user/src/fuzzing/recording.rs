//! Any bytes are a report or a clear error: never a panic, a hang or a large allocation.
//!
//! Check sums keep most of what a fuzzer makes up from being looked at, so the input is taken for a file as it is, and once more with all of
//! its check sums mended.

use crate::{recording, report::run::json};

pub(super) fn any(bytes: &[u8]) {
    look(bytes);
    look(&recording::with_check_sums(bytes));
}

fn look(bytes: &[u8]) {
    match recording::read(bytes) {
        Ok(run) => {
            if let Some(report) = recording::report(&run) {
                let _ = json::to_text(&report);
            }
        }
        Err(error) => super::is_told(&error.to_string()),
    }
}
