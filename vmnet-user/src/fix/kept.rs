//! Which files `--persist` wrote for an interface, so that `--undo` can put back what was there. Unlike a journal it outlives a boot, and
//! goes by the interface's name, as the files do.

use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::{
    JournalError, Store,
    persist::{self, PersistError, Plan, Written},
};

const VERSION: u32 = 1;
/// Larger than any list of a few small files.
const MOST_BYTES: u64 = 4 << 20;

/// Why files were not written, or not put back.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The files themselves.
    #[error(transparent)]
    Persist(#[from] PersistError),
    /// The list of them cannot be kept, so nothing was written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The list cannot be read.
    #[error("cannot read {}: {cause}; no file was put back", path.display())]
    CannotRead {
        /// The list.
        path: PathBuf,
        /// What the kernel answered.
        cause: io::Error,
    },
    /// The list is not what was written.
    #[error("{} is damaged: {what}; no file was put back", path.display())]
    Damaged {
        /// The list.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The list has served, and cannot be removed.
    #[error("{0}")]
    NotRemoved(String),
}

/// The list of one interface.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    vmnet_kept: u32,
    interface: String,
    /// In the order in which they were written, each file once.
    pub files: Vec<Written>,
}

impl Kept {
    /// Writes the files of a plan, their list first.
    ///
    /// # Errors
    /// Then no file was changed.
    pub fn write(store: &Store, interface: &str, plan: &Plan) -> Result<Vec<Written>, KeptError> {
        let before = Self::read(store, interface)?;
        let planned = plan.changes.iter().map(|change| Written {
            path: change.path.clone(),
            before: change.before.clone(),
            after: change.after.clone(),
            made_directories: Vec::new(),
            reload: change.reload.clone(),
        });
        before.with(planned).store(store)?;
        match persist::write(plan) {
            Ok(written) => {
                Self::read(store, interface)?.with(written.iter().cloned()).store(store)?;
                Ok(written)
            }
            Err(error) => {
                // As it was; what the list names beyond that was not written, and undo leaves it alone.
                before.store(store)?;
                Err(error.into())
            }
        }
    }

    /// Puts back what was there before the first of them, and forgets them.
    ///
    /// # Errors
    /// Where a person has changed one of them since: then all stay.
    pub fn undo(store: &Store, interface: &str) -> Result<Vec<Written>, KeptError> {
        let kept = Self::read(store, interface)?;
        persist::undo(&kept.files)?;
        if !kept.files.is_empty() {
            store.remove(&path(store, interface)).map_err(KeptError::NotRemoved)?;
        }
        Ok(kept.files)
    }

    /// Takes back what was written since this list was read.
    ///
    /// # Errors
    /// Where a file has changed meanwhile, or the system refuses.
    pub fn take_back(&self, store: &Store, written: &[Written]) -> Result<(), KeptError> {
        persist::undo(written)?;
        Ok(self.store(store)?)
    }

    /// Nothing written yet.
    #[must_use]
    pub fn none(interface: &str) -> Self {
        Self { vmnet_kept: VERSION, interface: interface.to_owned(), files: Vec::new() }
    }

    /// What was written for it so far.
    ///
    /// # Errors
    /// When the list cannot be read, or is damaged.
    pub fn read(store: &Store, interface: &str) -> Result<Self, KeptError> {
        let path = path(store, interface);
        let mut text = String::new();
        match File::open(&path).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::none(interface));
            }
            Err(cause) => return Err(KeptError::CannotRead { path, cause }),
            Ok(_) => {}
        }
        let damaged = |what: String| KeptError::Damaged { path: path.clone(), what };
        let kept: Self = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if kept.vmnet_kept != VERSION || kept.interface != interface {
            return Err(damaged(format!("it is of version {} for {}", kept.vmnet_kept, kept.interface)));
        }
        Ok(kept)
    }

    /// This list with more. A file that is on it keeps what was there before its first change.
    fn with(&self, more: impl IntoIterator<Item = Written>) -> Self {
        let mut files = self.files.clone();
        for new in more {
            match files.iter_mut().find(|known| known.path == new.path) {
                Some(known) => {
                    known.after = new.after;
                    known.reload = new.reload;
                    known.made_directories.extend(new.made_directories);
                }
                None => files.push(new),
            }
        }
        Self { vmnet_kept: VERSION, interface: self.interface.clone(), files }
    }

    fn store(&self, store: &Store) -> Result<(), JournalError> {
        let path = path(store, &self.interface);
        if self.files.is_empty() {
            // Nothing to be put back.
            let _ = store.remove(&path);
            return Ok(());
        }
        let text = serde_json::to_string(self).map_err(|error| JournalError::CannotKeep {
            directory: store.directory().to_owned(),
            doing: "putting the list of files in words",
            cause: io::Error::other(error),
        })?;
        store.write_text(&path, &text)
    }
}

/// Names are data: never a path.
fn path(store: &Store, interface: &str) -> PathBuf {
    store.directory().join(format!("{}.kept", hex::encode(interface)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::persist::FileChange;

    fn plan(root: &std::path::Path, before: Option<&str>, after: &str) -> Plan {
        let change = FileChange {
            path: root.join("etc/50-x.link"),
            before: before.map(str::to_owned),
            after: after.to_owned(),
            mode: 0o644,
            note: String::new(),
            reload: Vec::new(),
        };
        Plan { root: root.to_owned(), changes: vec![change], left_out: Vec::new() }
    }

    #[test]
    fn what_was_there_before_the_first_of_several_changes_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let (state, root) = (directory.path().join("state"), directory.path());
        std::fs::create_dir(root.join("etc")).unwrap();
        std::fs::write(root.join("etc/50-x.link"), "mine").unwrap();
        let store = Store::open(&state).unwrap();
        Kept::write(&store, "a;b", &plan(root, Some("mine"), "first")).unwrap();
        Kept::write(&store, "a;b", &plan(root, Some("first"), "second")).unwrap();
        assert_eq!(std::fs::read_to_string(root.join("etc/50-x.link")).unwrap(), "second");
        assert_eq!(Kept::undo(&store, "a;b").unwrap().len(), 1);
        assert_eq!(std::fs::read_to_string(root.join("etc/50-x.link")).unwrap(), "mine");
        assert!(Kept::undo(&store, "a;b").unwrap().is_empty());
    }

    #[test]
    fn a_file_that_was_not_there_goes_again_with_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("state")).unwrap();
        Kept::write(&store, "ens4", &plan(directory.path(), None, "new")).unwrap();
        Kept::undo(&store, "ens4").unwrap();
        assert!(!directory.path().join("etc").exists());
    }

    #[test]
    fn what_a_person_has_changed_since_is_left_alone_and_stays_on_the_list() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("state")).unwrap();
        Kept::write(&store, "ens4", &plan(directory.path(), None, "ours")).unwrap();
        std::fs::write(directory.path().join("etc/50-x.link"), "theirs").unwrap();
        assert!(Kept::undo(&store, "ens4").is_err());
        assert_eq!(Kept::read(&store, "ens4").unwrap().files.len(), 1);
    }

    #[test]
    fn what_is_taken_back_leaves_the_list_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("state")).unwrap();
        for had in [None, Some("first")] {
            let before = Kept::read(&store, "ens4").unwrap();
            let written = Kept::write(&store, "ens4", &plan(directory.path(), had, "second")).unwrap();
            before.take_back(&store, &written).unwrap();
            assert_eq!(std::fs::read_to_string(directory.path().join("etc/50-x.link")).ok().as_deref(), had);
            assert_eq!(Kept::read(&store, "ens4").unwrap().files, before.files);
            Kept::write(&store, "ens4", &plan(directory.path(), had, "first")).unwrap();
        }
        Kept::undo(&store, "ens4").unwrap();
        assert!(!directory.path().join("etc").exists());
    }

    #[test]
    fn a_write_that_fails_leaves_no_list() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("state")).unwrap();
        let stale = plan(directory.path(), Some("what is not there"), "new");
        assert!(Kept::write(&store, "ens4", &stale).is_err());
        assert!(Kept::read(&store, "ens4").unwrap().files.is_empty());
    }

    #[test]
    fn a_damaged_list_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        std::fs::write(path(&store, "ens4"), "{").unwrap();
        let said = Kept::undo(&store, "ens4").unwrap_err().to_string();
        assert!(said.contains("is damaged") && said.contains(".kept"), "{said}");
    }
}
