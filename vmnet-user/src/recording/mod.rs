//! The recording of a run: what it knew, as it came to know it. `docs/recording.md` has the layout byte by byte.

mod assemble;
mod changes;
mod columns;
mod frames;
mod read;
mod run;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod words;
mod write;

pub use assemble::report;
pub use frames::FrameError;
pub use read::{RecordingError, read, read_file};
pub use run::{CommandEnded, End, Event, Run, Start, Surroundings, Taken, What};
pub use write::Writer;
