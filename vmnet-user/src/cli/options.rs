//! Options that several subcommands share.

/// How words look.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Looks {
    /// No colour, nothing but ASCII
    #[arg(long)]
    pub(super) plain: bool,
}

/// Which network namespace is meant.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Namespace {
    /// The interface is in this network namespace; COMMAND, where there is one, runs there too
    #[arg(long, value_name = "NAME|PATH|PID")]
    pub(super) netns: Option<String>,
}
