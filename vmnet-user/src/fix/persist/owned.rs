//! Files that are wholly ours: they say what they keep, so that a later call adds to it, and a person's hand is noticed.

use std::path::PathBuf;

use super::{FileChange, PersistError, Settings, read};

const KEEPS: &str = "# Keeps: ";

/// What every such file begins with, in a syntax where `#` begins a comment.
pub(super) fn header(settings: &Settings) -> String {
    format!("# Written by `vmnet fix --persist`; `vmnet fix --undo` takes it back.\n{KEEPS}{settings}\n")
}

/// The file with `settings` added to what it keeps already.
pub(super) fn merged(
    path: PathBuf,
    mode: u32,
    settings: &Settings,
    render: impl Fn(&Settings) -> String,
) -> Result<FileChange, PersistError> {
    let before = read::text(&path)?;
    let kept = match &before {
        None => Settings::default(),
        Some(text) => {
            let words = text.lines().find_map(|line| line.strip_prefix(KEEPS));
            words
                .and_then(Settings::parse)
                .filter(|kept| render(kept) == *text)
                .ok_or_else(|| PersistError::ChangedByHand(path.clone()))?
        }
    };
    let after = render(&kept.merged_with(settings));
    Ok(FileChange { path, before, after, mode, note: String::new(), reload: Vec::new() })
}
