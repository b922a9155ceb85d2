//! The archive format that the kernel unpacks: cpio "newc" (Documentation/driver-api/early-userspace/buffer-format.rst).

use std::borrow::Cow;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::{Result, anyhow};

use super::tree::{Node, Tree};

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;

/// The whole tree as one archive.
pub(super) fn archive(tree: &Tree) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for (inode, (path, node)) in (1..).zip(tree.nodes()) {
        let name = path.strip_prefix("/")?.as_os_str().as_bytes();
        let (mode, body) = match node {
            Node::Directory => (DIRECTORY | 0o755, Cow::default()),
            Node::Text(text, mode) => (REGULAR | mode, Cow::Borrowed(text.as_bytes())),
            Node::Copy(source) => (REGULAR | source.mode(), Cow::Owned(source.read()?)),
            Node::Symlink(target) => (SYMLINK | 0o777, Cow::Borrowed(target.as_os_str().as_bytes())),
        };
        entry(&mut out, inode, name, mode, &body).map_err(|error| error.context(shown(path)))?;
    }
    entry(&mut out, 0, b"TRAILER!!!", 0, &[])?;
    Ok(out)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn entry(out: &mut Vec<u8>, inode: u32, name: &[u8], mode: u32, body: &[u8]) -> Result<()> {
    let size = u32::try_from(body.len()).map_err(|_| anyhow!("larger than a cpio archive can hold"))?;
    let name_size = u32::try_from(name.len() + 1)?;
    let links = 1;
    // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check.
    let fields = [inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0];
    out.extend_from_slice(b"070701");
    for field in fields {
        out.extend_from_slice(format!("{field:08x}").as_bytes());
    }
    out.extend_from_slice(name);
    out.push(0);
    pad(out);
    out.extend_from_slice(body);
    pad(out);
    Ok(())
}

/// Names and bodies end at multiples of four bytes of the archive.
fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_lists_parents_first_and_ends_with_the_trailer() {
        let mut tree = Tree::default();
        tree.text("/a/b", "abcde", 0o644);
        let archive = archive(&tree).unwrap();
        let text = String::from_utf8_lossy(&archive);
        let at = |needle: &str| text.find(needle).unwrap();
        assert!(at("a\0") < at("a/b\0"));
        assert!(at("a/b\0") < at("TRAILER!!!"));
        assert_eq!(archive.len() % 4, 0);
    }

    #[test]
    fn header_and_name_and_body_are_each_padded_to_four_bytes() {
        let mut out = Vec::new();
        entry(&mut out, 1, b"ab", REGULAR | 0o644, b"12345").unwrap();
        // 6 + 13 * 8 = 110 bytes of header, 3 of name, 3 of padding; 5 of body, 3 of padding.
        assert_eq!(out.len(), 116 + 8);
        assert_eq!(&out[116..121], b"12345");
    }
}
