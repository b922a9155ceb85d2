//! Options that several subcommands share.

use crate::report::kit::json::{Explained, JsonError};
use crate::report::kit::private;
use crate::report::kit::screen::Detail;
use crate::report::kit::typed::Typed;
use crate::session::Caller;

/// How words look, and how many there are.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Looks {
    /// All there is: every witness, identity, cause, and what it was taken from
    #[arg(short, long)]
    pub(super) verbose: bool,
    /// The answer in one line
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// No colour, nothing but ASCII
    #[arg(long, hide_short_help = true)]
    pub(super) plain: bool,
}

impl Looks {
    pub(super) fn detail(self) -> Detail {
        match (self.verbose, self.quiet) {
            (true, _) => Detail::Whole,
            (false, true) => Detail::Line,
            (false, false) => Detail::Screen,
        }
    }
}

/// What is left out of JSON and files.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Privacy {
    /// Leave addresses, lines of other people's files and what processes are called out of the JSON, which has them otherwise
    #[arg(long, hide_short_help = true)]
    private: bool,
}

impl Privacy {
    /// The document for a file or standard output.
    pub(super) fn text<D: Explained>(self, document: &D) -> Result<String, JsonError> {
        if self.private { private::text(document) } else { document.to_text() }
    }
}

/// Which network namespace is meant.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Namespace {
    /// The interface is in this network namespace, where a COMMAND runs, too
    #[arg(long, value_name = "NAME|PATH|PID")]
    pub(super) netns: Option<String>,
}

impl Namespace {
    /// What a person would type here to go on, with that benchmark.
    pub(super) fn typed(&self, command: &[String]) -> Typed {
        Typed { sudo: Caller::needs_sudo(), netns: self.netns.clone(), command: command.to_vec(), keep: None }
    }
}
