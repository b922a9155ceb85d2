//! How a task ended.

use std::process::{ExitCode, ExitStatus};

/// What becomes the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It did what it should.
    Done,
    /// Said already what failed.
    Failed,
    /// The exit code of the program that it was about.
    Code(i32),
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Failed => Self::FAILURE,
            Outcome::Code(code) => u8::try_from(code).map_or(Self::FAILURE, Self::from),
        }
    }
}

impl From<ExitStatus> for Outcome {
    /// Ended by a signal is a failure.
    fn from(status: ExitStatus) -> Self {
        status.code().map_or(Self::Failed, Self::Code)
    }
}
