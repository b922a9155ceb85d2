//! Whatever is pasted is explained or not: never a panic, a hang or a large allocation, and what is said is whole JSON and plain text.
//!
//! The input is taken for what it is, which its first bytes tell (a text, a tar archive, gzip, xz).

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use vmnet::explain::{self, Bounds};
use vmnet::report::{explain::answer, kit::style::Style};

/// A bomb of this size is unpacked in time, with what the sanitizer adds.
const MOST_UNPACKED_BYTES: u64 = 16 << 20;

fuzz_target!(|bytes: &[u8]| {
    let bounds = Bounds { unpacked_bytes: MOST_UNPACKED_BYTES, until: Instant::now() + Duration::from_secs(5) };
    let Ok(report) = explain::stream(bytes, bounds) else { return };
    let text = answer(&report, &Style::PLAIN);
    assert!(!text.contains('\u{1b}'), "{text:?}");
    explain::to_json(&report).expect("finite");
});
