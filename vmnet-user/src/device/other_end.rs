//! The other end of a pair (veth, netkit) in another network namespace of this machine: who sends what comes in here, and with which features.

use std::{fs::File, os::fd::AsRawFd as _};

use netlink_sys::protocols::NETLINK_ROUTE;

use super::{
    attributes::{attribute, push_attribute, u32_at},
    features::FeatureReader,
    links::{Link, LinkReader},
    namespaces::{Namespace, Namespaces},
    netlink::Netlink,
};
use crate::model::machine::OtherEnd;

/// `RTM_GETNSID`: the number by which this namespace knows another.
const RTM_GETNSID: u16 = 90;
const NETNSA_NSID: u16 = 1;
const NETNSA_FD: u16 = 3;
/// `struct rtgenmsg`, with its padding.
const RTGENMSG_BYTES: usize = 4;

/// Finds other ends. What namespaces there are is asked once, and not before it matters.
#[derive(Debug, Default)]
pub struct OtherEnds {
    /// The number of each here.
    namespaces: Option<Vec<(u32, Namespace)>>,
}

impl OtherEnds {
    /// None where `link` is none of a pair, where its namespace cannot be found, or may not be entered.
    #[must_use]
    pub fn of(&mut self, link: &Link) -> Option<OtherEnd> {
        let (number, ifindex) = (link.below_netnsid?, link.below_ifindex?);
        let namespaces = self.namespaces.get_or_insert_with(namespaces);
        let (_, namespace) = namespaces.iter().find(|(of, _)| *of == number)?;
        let netns = namespace.name.clone();
        let looked = namespace.look(move || {
            let name =
                LinkReader::open().ok()?.list().ok()?.into_iter().find(|link| link.ifindex == ifindex)?.name;
            let features = FeatureReader::open().ok().and_then(|mut reader| reader.read(ifindex).ok());
            let offloads = features.map(|features| features.offloads()).unwrap_or_default();
            Some(OtherEnd { name, netns, tso4: offloads.tso4, tso6: offloads.tso6 })
        });
        looked.ok().flatten()
    }
}

/// Those that have a number here, each once: those of `ip netns` first, then by a process that is in it.
fn namespaces() -> Vec<(u32, Namespace)> {
    let Ok(mut netlink) = Netlink::open(NETLINK_ROUTE) else { return Vec::new() };
    let found = Namespaces::all().found.into_iter();
    found.filter_map(|one| Some((number_of(&mut netlink, &one.open().ok()?)?, one))).collect()
}

fn number_of(netlink: &mut Netlink, namespace: &File) -> Option<u32> {
    let mut payload = vec![0; RTGENMSG_BYTES];
    push_attribute(&mut payload, NETNSA_FD, &namespace.as_raw_fd().to_ne_bytes());
    let reply = netlink.get(RTM_GETNSID, &payload).ok()?;
    u32_at(attribute(reply.get(RTGENMSG_BYTES..)?, NETNSA_NSID)?, 0)
}
