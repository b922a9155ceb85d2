//! Where words and JSON go: with `--json -`, JSON has standard output to itself, and words go to standard error.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::report::kit::style::Style;
use crate::session::Caller;

/// Where `--json` goes.
pub(super) enum JsonTo {
    /// `-`.
    Stdout,
    /// A file, and its name.
    File(File, PathBuf),
}

/// Opened before anything is done, so that it is known to be there.
pub(super) fn open_json(path: &Path, caller: &Caller) -> Result<JsonTo> {
    if path.as_os_str() == "-" {
        return Ok(JsonTo::Stdout);
    }
    let (file, path) = open_file(&path.to_owned(), caller)?;
    Ok(JsonTo::File(file, path))
}

/// The person's terminal, and the reader of JSON if there is one.
pub(super) struct Output {
    json: Option<JsonTo>,
    style: Style,
}

impl Output {
    pub(super) fn new(json: Option<JsonTo>, plain: bool) -> Self {
        let style = style_for(matches!(json, Some(JsonTo::Stdout)), plain);
        Self { json, style }
    }

    pub(super) fn style(&self) -> Style {
        self.style
    }

    /// Words. A reader that has gone is no reason to fail what was done.
    pub(super) fn say(&self, text: &str) {
        let _ = if matches!(self.json, Some(JsonTo::Stdout)) {
            io::stderr().write_all(text.as_bytes())
        } else {
            io::stdout().write_all(text.as_bytes())
        };
    }

    /// JSON, where it was asked for.
    pub(super) fn json(&mut self, text: &str) -> Result<()> {
        match &mut self.json {
            None => Ok(()),
            Some(JsonTo::Stdout) => match io::stdout().write_all(text.as_bytes()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    Err(error).context("writing JSON to standard output")
                }
                _ => Ok(()),
            },
            Some(JsonTo::File(file, path)) => {
                // What was there is kept until there is something better. Pipes and devices have no length to set.
                let _ = file.set_len(0);
                file.write_all(text.as_bytes()).with_context(|| format!("writing {}", path.display()))
            }
        }
    }
}

/// A new file belongs to the person who called; one that was there stays whose it is.
pub(super) fn open_file(path: &PathBuf, caller: &Caller) -> Result<(File, PathBuf)> {
    let refused = || format!("cannot write {}; name another file with --json", path.display());
    let file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => {
            if let Some(owner) = caller.owner() {
                std::os::unix::fs::fchown(&file, Some(owner.uid), Some(owner.gid))
                    .with_context(|| format!("giving {} to its owner", path.display()))?;
            }
            file
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().write(true).open(path).with_context(refused)?
        }
        Err(error) => return Err(error).with_context(refused),
    };
    Ok((file, path.clone()))
}

pub(super) fn style_for(to_stderr: bool, plain: bool) -> Style {
    let is_terminal = if to_stderr { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
    let no_color = std::env::var("NO_COLOR").ok();
    let asked_for = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let size = if to_stderr {
        terminal_size::terminal_size_of(io::stderr())
    } else {
        terminal_size::terminal_size_of(io::stdout())
    };
    let width = asked_for.or(size.map(|(terminal_size::Width(columns), _)| usize::from(columns)));
    Style::detect(is_terminal, no_color.as_deref(), plain, width.filter(|_| is_terminal))
}
