//! What there is to ask: every interface of every network namespace of this machine that may be looked at.

use crate::device::{
    driver, driver_info,
    features::FeatureReader,
    links::{Link, LinkReader},
    namespaces::{Namespace, Namespaces},
    other_end::OtherEnds,
    stack,
};
use crate::model::fact::{Fact, Why};
use crate::model::features::FeatureSet;
use crate::model::interface::Netns;
use crate::model::machine::Relation;
use crate::model::offload::Offload;
use crate::report::list::{ListReport, Listed, NamespaceReport, OtherEnd, hint};

/// More namespaces than this are not entered.
const MOST_NAMESPACES: usize = 512;

/// Everything. Needs no root, and shows more to root.
#[must_use]
pub fn everything() -> ListReport {
    let own = driver::netns_inode().ok();
    let Namespaces { mut found, hidden_processes } = Namespaces::all();
    let mut not_visible: Vec<String> = Vec::new();
    if hidden_processes > 0 {
        let processes = if hidden_processes == 1 {
            "1 process".to_owned()
        } else {
            format!("{hidden_processes} processes")
        };
        not_visible.push(format!("the network namespaces of {processes}: it takes root (CAP_SYS_PTRACE)"));
    }
    if found.len() > MOST_NAMESPACES {
        not_visible.push(format!(
            "{} of {} namespaces were not looked at",
            found.len() - MOST_NAMESPACES,
            found.len()
        ));
        found.sort_by_key(|namespace| Some(namespace.inode) != own);
        found.truncate(MOST_NAMESPACES);
    }
    let mut namespaces = vec![here(own)];
    let others = found.into_iter().filter(|namespace| Some(namespace.inode) != own);
    namespaces.extend(others.map(there));
    report(namespaces, not_visible)
}

/// The interfaces of the namespace of this thread alone.
#[must_use]
pub fn own() -> ListReport {
    report(vec![here(driver::netns_inode().ok())], Vec::new())
}

fn report(namespaces: Vec<NamespaceReport>, not_visible: Vec<String>) -> ListReport {
    let kernel = driver::kernel_release().unwrap_or_else(|error| error.to_string());
    ListReport::new(kernel, namespaces, not_visible)
}

fn here(inode: Option<u64>) -> NamespaceReport {
    NamespaceReport {
        netns: Netns { name: None, inode: inode.unwrap_or_default() },
        process: None,
        own: true,
        interfaces: interfaces(),
    }
}

fn there(namespace: Namespace) -> NamespaceReport {
    let looked = namespace.look(interfaces);
    NamespaceReport {
        netns: Netns { name: Some(namespace.name), inode: namespace.inode },
        process: namespace.process,
        own: false,
        interfaces: looked.unwrap_or_else(|error| Err(Why::from(format!("cannot be entered: {error}")))),
    }
}

/// Of the namespace of this thread. `/sys` may be of another, so nothing is read there.
fn interfaces() -> Fact<Vec<Listed>> {
    let mut features = FeatureReader::open().map_err(Why::said);
    let mut other_ends = OtherEnds::default();
    let links = LinkReader::open().and_then(|mut reader| reader.all()).map_err(Why::said)?;
    Ok(links.iter().map(|link| listed(link, &links, &mut features, &mut other_ends)).collect())
}

fn listed(
    link: &Link,
    links: &[Link],
    reader: &mut Fact<FeatureReader>,
    other_ends: &mut OtherEnds,
) -> Listed {
    let features: Fact<FeatureSet> = match reader {
        Ok(reader) => reader.read(link.ifindex).map_err(Why::said),
        Err(why) => Err(why.clone()),
    };
    let around = stack::around(links, link.ifindex);
    let named = |relation| {
        let there = around.iter().filter(|it| it.relation == relation && it.distance == 1);
        there.map(|it| it.link.name.clone()).collect::<Vec<_>>()
    };
    let below = named(Relation::Below);
    let driver = if link.loopback { None } else { driver_info::ethtool_driver(&link.name).ok().flatten() };
    let beside = named(Relation::Peer).into_iter().next().map(|name| OtherEnd { name, netns: None });
    let elsewhere = || other_ends.of(link).map(|end| OtherEnd { name: end.name, netns: Some(end.netns) });
    let [tso_ipv4, tso_ipv6] = Offload::tso(&features);
    let mut listed = Listed {
        name: link.name.clone(),
        ifindex: link.ifindex,
        terminal: link.kind.is_none()
            && !link.loopback
            && below.is_empty()
            && link.below_ifindex.is_none()
            && driver.is_some(),
        kind: link.kind.clone(),
        driver,
        loopback: link.loopback,
        up: link.up,
        mtu: link.mtu,
        tso_ipv4,
        tso_ipv6,
        uso: Offload::named(&features, "tx-udp-segmentation"),
        limits: link.limits(),
        tx_packets: link.counters.tx_packets,
        tx_bytes: link.counters.tx_bytes,
        above: named(Relation::Above),
        below,
        other_end: beside.or_else(elsewhere),
        hint: None,
    };
    listed.hint = hint::of(&listed);
    listed
}
