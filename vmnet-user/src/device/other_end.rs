//! The other end of a pair (veth, netkit) in another network namespace of this machine: who sends what comes in here, and with which features.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    thread,
};

use netlink_sys::protocols::NETLINK_ROUTE;
use nix::sched::{CloneFlags, setns};

use super::{
    attributes::{attribute, push_attribute, u32_at},
    features::FeatureReader,
    links::{Link, LinkReader},
    netlink::Netlink,
};
use crate::model::machine::OtherEnd;

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

/// Finds other ends. What namespaces there are is asked once, and not before it matters.
#[derive(Debug, Default)]
pub(super) struct OtherEnds {
    /// The number of each here, with the name that `--netns` takes, and where it is.
    namespaces: Option<Vec<(u32, String, PathBuf)>>,
}

impl OtherEnds {
    /// None where `link` is none of a pair, where its namespace cannot be found, or may not be entered.
    pub(super) fn of(&mut self, link: &Link) -> Option<OtherEnd> {
        let (number, ifindex) = (link.below_netnsid?, link.below_ifindex?);
        let namespaces = self.namespaces.get_or_insert_with(namespaces);
        let (_, netns, path) = namespaces.iter().find(|(of, ..)| *of == number)?.clone();
        // A namespace is a thread's, and this one's stays what it is.
        let looked = thread::spawn(move || {
            setns(File::open(path).ok()?, CloneFlags::CLONE_NEWNET).ok()?;
            let name =
                LinkReader::open().ok()?.list().ok()?.into_iter().find(|link| link.ifindex == ifindex)?.name;
            let features = FeatureReader::open().ok().and_then(|mut reader| reader.read(ifindex).ok());
            let offloads = features.map(|features| features.offloads()).unwrap_or_default();
            Some(OtherEnd { name, netns, tso4: offloads.tso4, tso6: offloads.tso6 })
        });
        looked.join().ok().flatten()
    }
}

/// Those that have a number here, each once: those of `ip netns` first, then by a process that is in it.
fn namespaces() -> Vec<(u32, String, PathBuf)> {
    let Ok(mut netlink) = Netlink::open(NETLINK_ROUTE) else { return Vec::new() };
    let entries = |directory: &str| fs::read_dir(directory).into_iter().flatten().flatten();
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let named = entries(NAMED).filter_map(|entry| Some((name(&entry.path())?, entry.path())));
    let is_process = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let processes = entries("/proc")
        .filter_map(|entry| Some((name(&entry.path())?, entry.path().join("ns/net"))))
        .filter(|(name, _)| is_process(name))
        .take(MOST_PROCESSES);
    let mut seen = BTreeSet::new();
    named
        .chain(processes)
        .filter(|(_, path)| fs::metadata(path).is_ok_and(|metadata| seen.insert(metadata.ino())))
        .filter_map(|(name, path)| Some((number_of(&mut netlink, &File::open(&path).ok()?)?, name, path)))
        .collect()
}

fn number_of(netlink: &mut Netlink, namespace: &File) -> Option<u32> {
    let mut payload = vec![0; RTGENMSG_BYTES];
    push_attribute(&mut payload, NETNSA_FD, &namespace.as_raw_fd().to_ne_bytes());
    let reply = netlink.get(RTM_GETNSID, &payload).ok()?;
    u32_at(attribute(reply.get(RTGENMSG_BYTES..)?, NETNSA_NSID)?, 0)
}
