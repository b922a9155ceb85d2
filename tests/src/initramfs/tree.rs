//! A file system in the making.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// What is at one path.
#[derive(Debug)]
pub(super) enum Node {
    /// A directory.
    Directory,
    /// A file and its permission bits.
    File(Vec<u8>, u32),
    /// A symbolic link and its target.
    Symlink(PathBuf),
}

/// Absolute paths, parents before children.
#[derive(Debug, Default)]
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
        if self.nodes.contains_key(&path) {
            return Ok(());
        }
        let read = || Ok((fs::read(source)?, fs::metadata(source)?.permissions().mode() & 0o777));
        let (bytes, mode) = read()
            .map_err(|error: std::io::Error| error)
            .with_context(|| format!("{} could not be read", source.display()))?;
        self.put(path, Node::File(bytes, mode));
        Ok(())
    }

    /// A file with this text.
    pub(super) fn text(&mut self, path: impl Into<PathBuf>, text: &str, mode: u32) {
        self.put(path.into(), Node::File(text.as_bytes().to_vec(), mode));
    }

    /// A symbolic link.
    pub(super) fn symlink(&mut self, path: impl Into<PathBuf>, target: impl Into<PathBuf>) {
        self.put(path.into(), Node::Symlink(target.into()));
    }

    /// Everything, parents before children, without the root itself.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&Path, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_path(), node))
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
