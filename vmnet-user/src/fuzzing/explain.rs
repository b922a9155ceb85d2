//! Whatever is pasted is explained or not: never a panic, a hang or a large allocation, and what is said is whole JSON and plain text.
//!
//! The input is taken for what it is, which its first bytes tell (a text, a tar archive, gzip, xz).

use std::time::{Duration, Instant};

use crate::explain::{self, Bounds};
use crate::report::{explain::answer, kit::style::Style};

/// A bomb of this size is unpacked in time, with what the sanitizer adds.
const MOST_UNPACKED_BYTES: u64 = 16 << 20;

pub(super) fn any(bytes: &[u8]) {
    let bounds =
        Bounds { unpacked_bytes: MOST_UNPACKED_BYTES, until: Instant::now() + Duration::from_secs(5) };
    let Ok(report) = explain::stream(bytes, bounds) else { return };
    super::is_plain(&answer(&report, &Style::PLAIN));
    explain::to_json(&report).expect("finite");
}
