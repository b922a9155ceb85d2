//! Where words and JSON go: with `--json -`, JSON has standard output to itself, and words go to standard error.

use std::{
    cell::Cell,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use anyhow::{Context, Result};

use crate::output::NamedFile;
use crate::report::kit::style::Style;
use crate::session::Caller;

/// Where `--json` goes.
pub(super) enum JsonTo {
    /// `-`.
    Stdout,
    /// A file, and its name.
    File(NamedFile, PathBuf),
}

/// Opened before anything is done, so that it is known to be there.
pub(super) fn open_json(path: &Path, caller: &Caller) -> Result<JsonTo> {
    if path.as_os_str() == "-" {
        return Ok(JsonTo::Stdout);
    }
    Ok(JsonTo::File(open_file(path, caller)?, path.to_owned()))
}

/// The person's terminal, and the reader of JSON if there is one.
pub(super) struct Output {
    json: Option<JsonTo>,
    /// Standard output is JSON's.
    to_stderr: bool,
    style: Style,
    /// Whether lines can be written over.
    can_rewrite: bool,
    /// A line that is to be written over stands there.
    is_in_line: Cell<bool>,
}

impl Output {
    pub(super) fn new(json: Option<JsonTo>, plain: bool) -> Self {
        let to_stderr = matches!(json, Some(JsonTo::Stdout));
        let style = style_for(to_stderr, plain);
        let can_rewrite = is_terminal(to_stderr) && !is_dumb() && !plain;
        Self { json, to_stderr, style, can_rewrite, is_in_line: Cell::new(false) }
    }

    pub(super) fn style(&self) -> Style {
        self.style
    }

    /// Words. A reader that has gone is no reason to fail what was done.
    pub(super) fn say(&self, text: &str) {
        if self.is_in_line.take() {
            self.write(CLEAR_LINE);
        }
        self.write(text);
    }

    /// Words that the next ones are written over, without a newline. Where lines cannot be written over, only those that `matter` are written.
    pub(super) fn say_over(&self, line: &str, matters: bool) {
        let line = self.style.typeset(&self.style.data(line));
        if self.can_rewrite {
            let shown: String = line.chars().take(self.style.width.saturating_sub(1)).collect();
            self.write(&format!("{CLEAR_LINE}{shown}"));
            self.is_in_line.set(true);
        } else if matters {
            self.write(&format!("{line}\n"));
        }
    }

    fn write(&self, text: &str) {
        say_to(self.to_stderr, text);
    }

    /// JSON, where it was asked for.
    pub(super) fn json(&mut self, text: &str) -> Result<()> {
        match self.json.take() {
            None => Ok(()),
            Some(JsonTo::Stdout) => match io::stdout().write_all(text.as_bytes()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    Err(error).context("writing JSON to standard output")
                }
                _ => Ok(()),
            },
            Some(JsonTo::File(file, path)) => {
                file.write(text.as_bytes()).with_context(|| format!("writing {}", path.display()))
            }
        }
    }
}

/// A new file belongs to the person who called; one that was there stays whose it is.
pub(super) fn open_file(path: &Path, caller: &Caller) -> Result<NamedFile> {
    NamedFile::open(path, caller.owner().as_ref())
        .with_context(|| format!("cannot write {}; name another file with --json", path.display()))
}

/// Words. A reader that has gone is no reason to fail what was done, nor is standard error, where JSON is the answer. Anything else that
/// keeps the answer from standard output is, and is told at the end.
pub(super) fn say_to(stderr: bool, text: &str) {
    if stderr {
        let _ = io::stderr().write_all(text.as_bytes());
    } else if let Err(error) = print(text.as_bytes()) {
        let _ = LOST.set(format!("{error:#}"));
    }
}

/// Why words that were said are not where they should be.
pub(super) fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

static LOST: OnceLock<String> = OnceLock::new();

/// To its beginning, and everything to its end erased.
const CLEAR_LINE: &str = "\r\x1b[K";

fn is_terminal(stderr: bool) -> bool {
    if stderr { io::stderr().is_terminal() } else { io::stdout().is_terminal() }
}

/// A terminal that knows no escapes.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

pub(super) fn style_for(to_stderr: bool, plain: bool) -> Style {
    let is_terminal = is_terminal(to_stderr);
    let no_color = std::env::var("NO_COLOR").ok();
    let asked_for = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let size = if to_stderr {
        terminal_size::terminal_size_of(io::stderr())
    } else {
        terminal_size::terminal_size_of(io::stdout())
    };
    let width = asked_for.or(size.map(|(terminal_size::Width(columns), _)| usize::from(columns)));
    Style::detect(
        is_terminal && !is_dumb(),
        no_color.as_deref(),
        plain,
        width.filter(|_| is_terminal || asked_for.is_some()),
    )
}

/// To standard output. A reader that has gone is no reason to fail.
pub(super) fn print(text: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("writing to standard output")
        }
        _ => Ok(()),
    }
}
