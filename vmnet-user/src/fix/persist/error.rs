use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why settings could not be kept. Nothing was changed, unless the message says so.
#[derive(Debug, Error)]
pub enum PersistError {
    /// Not what the kernel takes for a name (`dev_valid_name`).
    #[error("{0:?} is not a name that an interface can have")]
    NotAName(String),
    /// Quoting would not be safe, or the syntax has none.
    #[error("the name {name:?} cannot be written safely as {syntax} ({why}); choose another --persist form")]
    NameNotExpressible {
        /// The interface.
        name: String,
        /// Whose syntax.
        syntax: &'static str,
        /// What is in the way.
        why: String,
    },
    /// Nothing of what is wanted can be said in this form.
    #[error("--persist {form} can keep nothing of this: {}", .left_out.join("; "))]
    NothingToKeep {
        /// The form.
        form: &'static str,
        /// What, and why.
        left_out: Vec<String>,
    },
    /// A file that is there cannot be understood, so it is not touched.
    #[error("{}:{line}: {why}; nothing was changed: fix the file first", .path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A file of ours that a person has changed.
    #[error("{} was changed by hand after vmnet wrote it; nothing was changed: take it away or keep it yourself", .0.display())]
    ChangedByHand(PathBuf),
    /// A file is not what it was when the change was planned or made.
    #[error("{} has changed since {when}; nothing was changed", .path.display())]
    ChangedSince {
        /// Which.
        path: PathBuf,
        /// Since when.
        when: &'static str,
    },
    /// Something else would win.
    #[error("{} sets {what}, and would win over what vmnet writes; nothing was changed: {remedy}", .path.display())]
    Overruled {
        /// Where.
        path: PathBuf,
        /// What it sets.
        what: String,
        /// What a person can do.
        remedy: String,
    },
    /// The consumer does not configure this interface, or does so by something that cannot be merged with.
    #[error("{why}; {remedy}")]
    NotConfiguredHere {
        /// What was looked for.
        why: String,
        /// What a person can do.
        remedy: String,
    },
    /// A program that the form needs at boot.
    #[error("{program} is not installed, and this form needs it at boot")]
    ProgramMissing {
        /// Which.
        program: &'static str,
    },
    /// Symbolic links are not written through.
    #[error("{} is or goes through a symbolic link that vmnet does not follow; nothing was changed", .0.display())]
    SymbolicLink(PathBuf),
    /// The system said no.
    #[error("{what} {}: {source}; nothing was changed", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The system said no, and then again when what had been done was to be taken back.
    #[error("{first}; and {} could not be put back: {source}; what was there is in {}", .path.display(), .kept.display())]
    NotPutBack {
        /// Why it was to be taken back.
        first: String,
        /// Which file.
        path: PathBuf,
        /// Where its former content is.
        kept: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
}
