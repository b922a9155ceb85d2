//! The other end of a pair (veth, netkit) in another network namespace of this machine: who sends what comes in here, and with which features.

use std::collections::BTreeMap;

use super::{
    features::FeatureReader,
    links::{Link, LinkReader},
    namespaces::{Namespace, Namespaces, numbers},
};
use crate::model::machine::OtherEnd;

/// Finds other ends. What namespaces there are is asked once, and not before it matters.
#[derive(Debug, Default)]
pub struct OtherEnds {
    /// All, and the inode of each that has a number here.
    known: Option<(Vec<Namespace>, BTreeMap<u32, u64>)>,
}

impl OtherEnds {
    /// None where `link` is none of a pair, where its namespace cannot be found, or may not be entered.
    #[must_use]
    pub fn of(&mut self, link: &Link) -> Option<OtherEnd> {
        let (number, ifindex) = (link.below_netnsid?, link.below_ifindex?);
        let (namespaces, numbers) = self.known.get_or_insert_with(|| {
            let all = Namespaces::all().found;
            let numbers = numbers(&all);
            (all, numbers)
        });
        let inode = numbers.get(&number)?;
        let namespace = namespaces.iter().find(|of| of.inode == *inode)?;
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
