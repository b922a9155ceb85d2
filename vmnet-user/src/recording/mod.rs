//! The recording of a run: what it knew, as it came to know it. `docs/recording.md` has the layout byte by byte.

mod assemble;
mod changes;
mod columns;
mod frames;
mod load;
mod read;
mod run;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod words;
mod write;

/// A recording's name in the directory of its run.
pub const FILE: &str = "run.vmnet";

pub use assemble::report;
pub use frames::FrameError;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use load::from_json;
pub use load::{IN_A_DIRECTORY, LoadError, is_recording, load};
pub use read::{RecordingError, read, read_file};
pub use run::{CommandEnded, End, Event, MOST_EVENTS, Run, Start, Surroundings, Taken};
pub use write::Writer;

/// The same bytes with every check sum made right. For those who look for recordings that a reader stumbles over.
#[doc(hidden)]
#[must_use]
pub fn with_check_sums(bytes: &[u8]) -> Vec<u8> {
    frames::with_check_sums(bytes)
}
