//! A file system in the making.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};

/// What is at one path.
#[derive(Debug, Hash)]
pub(super) enum Node {
    /// A directory.
    Directory,
    /// A file with this text, and its permission bits.
    Text(String, u32),
    /// A copy of a file of this machine.
    Copy(Source),
    /// A symbolic link and its target.
    Symlink(PathBuf),
}

/// A file of this machine. Its contents are not read before they are needed: size and time tell whether it is still the same.
#[derive(Debug, Hash)]
pub(super) struct Source {
    path: PathBuf,
    mode: u32,
    len: u64,
    modified: Option<SystemTime>,
}

impl Source {
    fn of(path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path).with_context(|| unreadable(path))?;
        Ok(Self {
            path: path.to_path_buf(),
            mode: metadata.permissions().mode() & 0o777,
            len: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }

    /// Its permission bits.
    pub(super) fn mode(&self) -> u32 {
        self.mode
    }

    /// Its contents.
    pub(super) fn read(&self) -> Result<Vec<u8>> {
        fs::read(&self.path).with_context(|| unreadable(&self.path))
    }
}

fn unreadable(path: &Path) -> String {
    format!("{} could not be read", path.display())
}

/// Absolute paths, parents before children.
#[derive(Debug, Default, Hash)]
pub(super) struct Tree {
    nodes: BTreeMap<PathBuf, Node>,
}

impl Tree {
    /// A directory with its parents.
    pub(super) fn directory(&mut self, path: impl Into<PathBuf>) {
        self.put(path.into(), Node::Directory);
    }

    /// A copy of a file of this machine, links followed.
    pub(super) fn file(&mut self, path: impl Into<PathBuf>, source: &Path) -> Result<()> {
        let path = path.into();
        if !self.nodes.contains_key(&path) {
            self.put(path, Node::Copy(Source::of(source)?));
        }
        Ok(())
    }

    /// A file with this text.
    pub(super) fn text(&mut self, path: impl Into<PathBuf>, text: &str, mode: u32) {
        self.put(path.into(), Node::Text(text.to_owned(), mode));
    }

    /// A symbolic link.
    pub(super) fn symlink(&mut self, path: impl Into<PathBuf>, target: impl Into<PathBuf>) {
        self.put(path.into(), Node::Symlink(target.into()));
    }

    /// Everything, parents before children, without the root itself.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&Path, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_path(), node))
    }

    /// Leaves out what the other has at the same path.
    pub(super) fn without(mut self, other: &Self) -> Self {
        self.nodes.retain(|path, _| !other.nodes.contains_key(path));
        self
    }

    /// The same number for as long as no path, text, link or copied file has changed.
    pub(super) fn fingerprint(&self, hasher: &mut impl Hasher) {
        self.hash(hasher);
    }

    fn put(&mut self, path: PathBuf, node: Node) {
        let mut parent = path.parent();
        while let Some(directory) = parent.filter(|directory| directory.parent().is_some()) {
            self.nodes.entry(directory.to_path_buf()).or_insert(Node::Directory);
            parent = directory.parent();
        }
        self.nodes.insert(path, node);
    }
}
