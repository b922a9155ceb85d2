//! The network namespaces of this machine: those that `ip netns` knows by name, and those that a process is in.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    thread,
};

use netlink_sys::protocols::NETLINK_ROUTE;
use nix::sched::{CloneFlags, setns};

use super::{
    attributes::{attribute, push_attribute, u32_at},
    netlink::Netlink,
};

/// `RTM_GETNSID`: the number by which this namespace knows another.
const RTM_GETNSID: u16 = 90;
const NETNSA_NSID: u16 = 1;
const NETNSA_FD: u16 = 3;
/// `struct rtgenmsg`, with its padding.
const RTGENMSG_BYTES: usize = 4;

/// Where `ip netns` keeps those with a name.
pub(crate) const NAMED: &str = "/run/netns";
/// Processes looked at, at most: their namespaces are few.
const MOST_PROCESSES: usize = 4_096;

/// A namespace, by one of the ways to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// As `--netns` takes it: a name, or the number of a process that is in it.
    pub name: String,
    /// The command that such a process runs; None for one with a name.
    pub process: Option<String>,
    /// Its number.
    pub inode: u64,
    /// Where it is opened.
    pub path: PathBuf,
}

/// What there is, and how many processes may be in others, but do not let this one see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Each once, by its name where it has one.
    pub found: Vec<Namespace>,
    /// Processes whose namespace may not be looked at.
    pub hidden_processes: usize,
}

impl Namespaces {
    /// All of this machine that can be seen.
    #[must_use]
    pub fn all() -> Self {
        let mut all = Self::default();
        let mut seen = BTreeSet::new();
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let mut named: Vec<PathBuf> = entries(NAMED).collect();
        named.sort_unstable();
        for path in named {
            if let (Some(name), Ok(metadata)) = (name(&path), fs::metadata(&path))
                && seen.insert(metadata.ino())
            {
                all.found.push(Namespace { name, process: None, inode: metadata.ino(), path });
            }
        }
        let number = |path: &PathBuf| name(path)?.parse::<u32>().ok();
        let mut processes: Vec<(u32, PathBuf)> =
            entries("/proc").filter_map(|path| Some((number(&path)?, path))).take(MOST_PROCESSES).collect();
        processes.sort_unstable();
        for (pid, directory) in processes {
            let path = directory.join("ns/net");
            match fs::metadata(&path) {
                Ok(metadata) if seen.insert(metadata.ino()) => {
                    let command = fs::read_to_string(directory.join("comm")).unwrap_or_default();
                    let process = Some(command.trim().to_owned());
                    all.found.push(Namespace { name: pid.to_string(), process, inode: metadata.ino(), path });
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => all.hidden_processes += 1,
                _ => {}
            }
        }
        all
    }
}

impl Namespace {
    /// A handle to it, which keeps it alive.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn open(&self) -> io::Result<File> {
        File::open(&self.path)
    }

    /// What `look` sees in it. A namespace is a thread's, and that of this thread stays what it is.
    ///
    /// # Errors
    /// What the kernel answered to entering it.
    pub fn look<T: Send + 'static>(&self, look: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        let file = self.open()?;
        let looked = thread::spawn(move || {
            setns(file, CloneFlags::CLONE_NEWNET)?;
            Ok(look())
        });
        looked.join().unwrap_or_else(|_| Err(io::Error::other("the thread that looked at it ended early")))
    }
}

/// The numbers by which the namespace of this thread knows these (`IFLA_LINK_NETNSID`), each with its inode. Those that it has no number for
/// are left out.
#[must_use]
pub fn numbers(namespaces: &[Namespace]) -> BTreeMap<u32, u64> {
    let Ok(mut netlink) = Netlink::open(NETLINK_ROUTE) else { return BTreeMap::new() };
    let mut number = |of: &Namespace| number_of(&mut netlink, &of.open().ok()?);
    namespaces.iter().filter_map(|of| Some((number(of)?, of.inode))).collect()
}

fn number_of(netlink: &mut Netlink, namespace: &File) -> Option<u32> {
    let mut payload = vec![0; RTGENMSG_BYTES];
    push_attribute(&mut payload, NETNSA_FD, &namespace.as_raw_fd().to_ne_bytes());
    let reply = netlink.get(RTM_GETNSID, &payload).ok()?;
    // `NETNSA_NSID_NOT_ASSIGNED` is -1.
    u32_at(attribute(reply.get(RTGENMSG_BYTES..)?, NETNSA_NSID)?, 0).filter(|number| *number != u32::MAX)
}

fn entries(directory: &str) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::driver::netns_inode;

    #[test]
    fn the_namespace_of_this_process_is_among_them_and_once() {
        let own = netns_inode().unwrap();
        let all = Namespaces::all();
        assert_eq!(all.found.iter().filter(|namespace| namespace.inode == own).count(), 1);
        let inodes: BTreeSet<u64> = all.found.iter().map(|of| of.inode).collect();
        assert_eq!(inodes.len(), all.found.len());
    }
}
