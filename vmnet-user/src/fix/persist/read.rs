//! Reading files that others own.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::PersistError;

/// No configuration file of an interface is longer.
const LENGTH_MOST_BYTES: u64 = 1 << 20;

/// The text of a file; None where there is none.
pub(super) fn text(path: &Path) -> Result<Option<String>, PersistError> {
    let failed = |source| PersistError::Io { what: "cannot read", path: path.to_path_buf(), source };
    let metadata = match fs::metadata(path) {
        Err(error) if is_absent(&error) => return Ok(None),
        other => other.map_err(failed)?,
    };
    // A pipe would be waited on for ever.
    if !metadata.is_file() {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
    }
    if metadata.len() > LENGTH_MOST_BYTES {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    let bytes = fs::read(path).map_err(failed)?;
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let line =
            error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
        PersistError::Damaged { path: path.to_path_buf(), line: line + 1, why: "not UTF-8".to_owned() }
    })
}

/// The text of a file that must be there.
pub(super) fn existing(path: &Path) -> Result<String, PersistError> {
    text(path)?.ok_or_else(|| PersistError::Io {
        what: "cannot read",
        path: path.to_path_buf(),
        source: io::ErrorKind::NotFound.into(),
    })
}

/// Whether a file says nothing but that those of its name in directories behind it are not to be read: an empty one, or a link to
/// `/dev/null` or another device (`null_or_empty_path` of systemd).
pub(super) fn is_mask(path: &Path) -> Result<bool, PersistError> {
    match fs::metadata(path) {
        Ok(there) => {
            let kind = there.file_type();
            Ok(kind.is_char_device() || kind.is_block_device() || (there.is_file() && there.len() == 0))
        }
        Err(error) if is_absent(&error) => Ok(false),
        Err(source) => Err(PersistError::Io { what: "cannot read", path: path.to_path_buf(), source }),
    }
}

/// Files below `root` whose name ends in `suffix`, as all consumers here read them: sorted by name across directories; of
/// two with the same name the one in the earlier directory counts.
pub(super) fn layered(root: &Path, directories: &[&str], suffix: &str) -> Result<Vec<PathBuf>, PersistError> {
    let mut found: Vec<PathBuf> = Vec::new();
    for directory in directories {
        let directory = root.join(directory);
        let failed = |source| PersistError::Io { what: "cannot read", path: directory.clone(), source };
        let entries = match fs::read_dir(&directory) {
            Err(error) if is_absent(&error) => continue,
            other => other.map_err(failed)?,
        };
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let ours = path.file_name().is_some_and(|name| {
                let name = name.as_encoded_bytes();
                name.ends_with(suffix.as_bytes()) && !name.starts_with(b".")
            });
            if ours && !found.iter().any(|known| known.file_name() == path.file_name()) {
                found.push(path);
            }
        }
    }
    found.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    Ok(found)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
