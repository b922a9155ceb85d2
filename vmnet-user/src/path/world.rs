//! The network namespaces of this machine, each read when a packet's way comes there.

use std::{
    collections::BTreeMap,
    fs,
    net::IpAddr,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::{
    device::{
        facts,
        features::FeatureReader,
        interface::describe,
        links::{Link, LinkReader},
        namespaces::{self, Namespace, Namespaces},
        neighbours::Neighbours,
        qdisc::QdiscReader,
        routes::RouteReader,
        tunnels::Details,
        wireguard::{self, Peer},
        xfrm::{self, Policy},
    },
    model::{interface::Interface, machine::Machine},
    session::within,
};

/// All of them, and what was read of each so far.
pub(super) struct World {
    known: Vec<Namespace>,
    read: BTreeMap<u64, Place>,
    /// The one that this process is in.
    own: u64,
    /// Whether the person named it.
    is_called: bool,
}

/// A namespace as it was when it was read, with sockets that stay in it.
pub(super) struct Place {
    /// As people call it.
    pub(super) name: String,
    /// As `--netns` takes it, from where the command was typed; None for that place.
    pub(super) netns: Option<String>,
    /// Whether this process is in it.
    is_own: bool,
    /// Its inode.
    pub(super) inode: u64,
    path: PathBuf,
    /// Its interfaces.
    pub(super) links: Vec<Link>,
    /// Of those that are WireGuard's.
    peers: BTreeMap<u32, Vec<Peer>>,
    /// What IPsec encrypts.
    policies: Vec<Policy>,
    neighbours: Neighbours,
    /// Its numbers for others.
    numbers: BTreeMap<u32, u64>,
    pub(super) routes: RouteReader,
    pub(super) reader: LinkReader,
    pub(super) features: Option<FeatureReader>,
    pub(super) qdiscs: Option<QdiscReader>,
}

impl World {
    /// Looks which namespaces there are. `called`: what the person calls the one that this process is in.
    pub(super) fn look(called: Option<&str>) -> Result<Self> {
        let own = fs::metadata("/proc/thread-self/ns/net").context("reading this process's namespace")?.ino();
        let mut known = Namespaces::all().found;
        for namespace in &mut known {
            if namespace.inode == own {
                namespace.path = PathBuf::from("/proc/self/ns/net");
                if let Some(called) = called {
                    called.clone_into(&mut namespace.name);
                }
            }
        }
        Ok(Self { known, read: BTreeMap::new(), own, is_called: called.is_some() })
    }

    /// The inode of the namespace that this process is in.
    pub(super) fn own(&self) -> u64 {
        self.own
    }

    /// What is in a namespace; None where there is no way into it.
    pub(super) fn place(&mut self, inode: u64) -> Option<&mut Place> {
        if !self.read.contains_key(&inode) {
            let place = self.enter(inode)?;
            self.read.insert(inode, place);
        }
        self.read.get_mut(&inode)
    }

    fn enter(&self, inode: u64) -> Option<Place> {
        let namespace = self.known.iter().find(|known| known.inode == inode)?;
        let known = &self.known;
        let is_own = inode == self.own;
        let name = name_of(namespace, is_own && !self.is_called);
        let netns = (!is_own || self.is_called).then(|| namespace.name.clone());
        let read = || Place::read(name, netns, is_own, namespace, known);
        // This process may be in one that nothing can be opened by, as behind `unshare`.
        let read = if is_own { read() } else { within(&namespace.path, read).ok()? };
        read.map_err(|error| log::warn!("namespace {}: {error:#}", namespace.name)).ok()
    }

    /// The same namespace, once it was read.
    pub(super) fn known(&self, inode: u64) -> Option<&Place> {
        self.read.get(&inode)
    }
}

/// The machine's own is the one of its first process; one without a name in which this process is, is here.
fn name_of(namespace: &Namespace, is_here: bool) -> String {
    let first = fs::metadata("/proc/1/ns/net").map(|metadata| metadata.ino());
    if first.is_ok_and(|first| first == namespace.inode) {
        return "host".to_owned();
    }
    match namespace.name.parse::<u32>() {
        Ok(_) if is_here => "here".to_owned(),
        Ok(pid) => format!("pid {pid}"),
        Err(_) => Path::new(&namespace.name)
            .file_name()
            .map_or_else(|| namespace.name.clone(), |name| name.to_string_lossy().into_owned()),
    }
}

impl Place {
    /// Reads the namespace of this thread.
    fn read(
        name: String,
        netns: Option<String>,
        is_own: bool,
        of: &Namespace,
        known: &[Namespace],
    ) -> Result<Self> {
        let mut reader = LinkReader::open()?;
        let links = reader.all()?;
        let is_wireguard = |link: &&Link| link.kind.as_deref() == Some("wireguard");
        let of_wireguard = links.iter().filter(is_wireguard);
        Ok(Self {
            peers: of_wireguard
                .filter_map(|link| Some((link.ifindex, wireguard::peers(link.ifindex)?)))
                .collect(),
            policies: xfrm::policies(),
            name,
            netns,
            is_own,
            inode: of.inode,
            path: of.path.clone(),
            links,
            neighbours: Neighbours::read()?,
            numbers: namespaces::numbers(known),
            routes: RouteReader::open()?,
            reader,
            features: FeatureReader::open().ok(),
            qdiscs: QdiscReader::open().ok(),
        })
    }

    /// An interface by its index.
    pub(super) fn link(&self, ifindex: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.ifindex == ifindex)
    }

    /// What its kind says of it.
    pub(super) fn details(&self, ifindex: u32) -> Details {
        self.link(ifindex).map(|link| link.details).unwrap_or_default()
    }

    /// Where a WireGuard device sends packets for an address.
    pub(super) fn endpoint(&self, ifindex: u32, to: IpAddr) -> Option<IpAddr> {
        wireguard::endpoint(self.peers.get(&ifindex)?, to)
    }

    /// What IPsec does with packets from and to there, by an xfrm interface of that number, or 0.
    pub(super) fn policy(&self, if_id: u32, to: IpAddr, from: Option<IpAddr>) -> Option<&Policy> {
        xfrm::of(&self.policies, if_id, to, from)
    }

    /// The namespace that `link`'s lower device or other end is in.
    pub(super) fn of_lower(&self, link: &Link) -> Option<u64> {
        match link.below_netnsid {
            None => Some(self.inode),
            Some(number) => self.numbers.get(&number).copied(),
        }
    }

    /// The link-layer address that packets for `to` get.
    pub(super) fn hardware_address(&self, ifindex: u32, to: IpAddr) -> Option<Vec<u8>> {
        self.neighbours.hardware_address(ifindex, to).map(<[u8]>::to_vec)
    }

    pub(super) fn neighbours(&self) -> &Neighbours {
        &self.neighbours
    }

    /// What the machine says around one of its interfaces, and of the interface itself.
    pub(super) fn facts(&self, interface: &str) -> Result<(Interface, Machine)> {
        let name = self.netns.clone();
        let read = || -> Result<(Interface, Machine)> {
            let link = LinkReader::open()?.link(interface)?;
            let described = describe(&link, name.as_deref())?;
            Ok((described, facts::read(interface)?))
        };
        if self.is_own { read() } else { within(&self.path, read)? }
    }
}
