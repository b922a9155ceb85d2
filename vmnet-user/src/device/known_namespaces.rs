//! The network namespaces of this machine that can be told: those of `ip netns` by their names, others by a process that is in them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use netlink_sys::protocols::NETLINK_ROUTE;

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

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// As `--netns` takes it: a name, or the number of a process.
    pub name: String,
    /// Where it is opened.
    pub path: PathBuf,
    /// Its inode, which tells it from all others.
    pub inode: u64,
}

/// Each once: those of `ip netns` first, then by the process of the lowest number that is in it.
#[must_use]
pub fn all() -> Vec<Namespace> {
    let entries = |directory: &str| fs::read_dir(directory).into_iter().flatten().flatten();
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let named = entries(NAMED).filter_map(|entry| Some((name(&entry.path())?, entry.path())));
    let number = |path: &Path| name(path)?.parse::<u32>().ok();
    let mut processes: Vec<u32> = entries("/proc").filter_map(|entry| number(&entry.path())).collect();
    processes.sort_unstable();
    processes.truncate(MOST_PROCESSES);
    let of_processes =
        processes.into_iter().map(|pid| (pid.to_string(), PathBuf::from(format!("/proc/{pid}/ns/net"))));
    let mut seen = BTreeSet::new();
    named
        .chain(of_processes)
        .filter_map(|(name, path)| {
            let inode = fs::metadata(&path).ok()?.ino();
            seen.insert(inode).then_some(Namespace { name, path, inode })
        })
        .collect()
}

/// The numbers by which the namespace of this thread knows these (`IFLA_LINK_NETNSID`), each with its inode. Those that it has no number for
/// are left out.
#[must_use]
pub fn numbers(namespaces: &[Namespace]) -> BTreeMap<u32, u64> {
    let Ok(mut netlink) = Netlink::open(NETLINK_ROUTE) else { return BTreeMap::new() };
    let mut number = |of: &Namespace| number_of(&mut netlink, &File::open(&of.path).ok()?);
    namespaces.iter().filter_map(|of| Some((number(of)?, of.inode))).collect()
}

fn number_of(netlink: &mut Netlink, namespace: &File) -> Option<u32> {
    let mut payload = vec![0; RTGENMSG_BYTES];
    push_attribute(&mut payload, NETNSA_FD, &namespace.as_raw_fd().to_ne_bytes());
    let reply = netlink.get(RTM_GETNSID, &payload).ok()?;
    // `NETNSA_NSID_NOT_ASSIGNED` is -1.
    u32_at(attribute(reply.get(RTGENMSG_BYTES..)?, NETNSA_NSID)?, 0).filter(|number| *number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_namespace_is_among_them_and_each_is_there_once() {
        let all = all();
        let own = fs::metadata("/proc/self/ns/net").unwrap().ino();
        assert_eq!(all.iter().filter(|of| of.inode == own).count(), 1, "{all:?}");
        let inodes: BTreeSet<u64> = all.iter().map(|of| of.inode).collect();
        assert_eq!(inodes.len(), all.len());
    }
}
