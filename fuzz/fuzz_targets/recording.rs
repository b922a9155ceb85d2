//! Any bytes are a report or a clear error: never a panic, a hang or a large allocation.
//!
//! Check sums keep most of what a fuzzer makes up from being looked at, so the input is taken for a file as it is, and once more with all of
//! its check sums mended.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vmnet::recording;

fuzz_target!(|bytes: &[u8]| {
    look(bytes);
    look(&recording::with_check_sums(bytes));
});

fn look(bytes: &[u8]) {
    if let Ok(run) = recording::read(bytes) {
        if let Some(report) = recording::report(&run) {
            // What a recording of any content says can be written down, and drawn.
            let _ = vmnet::report::json::to_text(&report);
            for chart in vmnet::report::charts::CHARTS {
                let _ = (chart.draw)(&report);
            }
        }
    }
}
