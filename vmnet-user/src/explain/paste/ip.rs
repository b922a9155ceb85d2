//! `ip -s -d link`.

use super::is_name;

/// What it told of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::explain) struct Link {
    pub(in crate::explain) ifindex: u32,
    pub(in crate::explain) up: bool,
    pub(in crate::explain) loopback: bool,
    pub(in crate::explain) mtu: u32,
    /// `veth`, `vlan`, …
    pub(in crate::explain) kind: Option<String>,
    /// `ens4.7@ens4`; `if7` is an interface elsewhere.
    pub(in crate::explain) below: Option<String>,
    /// `master br0`.
    pub(in crate::explain) master: Option<String>,
    /// vlan: its id.
    pub(in crate::explain) vlan_id: Option<u16>,
    pub(in crate::explain) gso_max_size: Option<u32>,
    pub(in crate::explain) gso_ipv4_max_size: Option<u32>,
    pub(in crate::explain) gso_max_segs: Option<u32>,
    pub(in crate::explain) tso_max_size: Option<u32>,
    pub(in crate::explain) tso_max_segs: Option<u32>,
    /// Transmit: bytes, packets, errors, dropped.
    pub(in crate::explain) sent: Option<[u64; 4]>,
    /// The next line has those numbers.
    numbers_follow: bool,
}

/// As `ip` prints them, at the beginning of a line of details.
const KINDS: [&str; 26] = [
    "bond",
    "bridge",
    "dummy",
    "erspan",
    "geneve",
    "gre",
    "gretap",
    "ifb",
    "ip6gre",
    "ip6gretap",
    "ip6tnl",
    "ipip",
    "ipvlan",
    "macsec",
    "macvlan",
    "macvtap",
    "netkit",
    "nlmon",
    "sit",
    "team",
    "tun",
    "veth",
    "vlan",
    "vrf",
    "vxlan",
    "wireguard",
];

/// `2: ens4: <BROADCAST,UP> mtu 1500 qdisc fq_codel state UP …`.
pub(super) fn first(line: &str) -> Option<(String, Link)> {
    let (number, rest) = line.split_once(": ")?;
    let ifindex = number.parse().ok()?;
    let (name, rest) = rest.split_once(": <")?;
    let (flags, rest) = rest.split_once('>')?;
    let (name, below) = match name.split_once('@') {
        Some((name, below)) => (name, Some(below)),
        None => (name, None),
    };
    if !is_name(name) {
        return None;
    }
    let has = |flag: &str| flags.split(',').any(|one| one == flag);
    let mut link = Link {
        ifindex,
        up: has("UP"),
        loopback: has("LOOPBACK"),
        mtu: number_after(rest, "mtu")?,
        below: below.filter(|name| is_name(name) && *name != "NONE").map(str::to_owned),
        master: after(rest, "master").filter(|name| is_name(name)).map(str::to_owned),
        ..Link::default()
    };
    limits(&mut link, rest);
    Some((name.to_owned(), link))
}

/// A line below it. False where it is none.
pub(super) fn further(link: &mut Link, line: &str) -> bool {
    let words = line.trim_start();
    if std::mem::take(&mut link.numbers_follow) {
        let mut numbers = words.split_whitespace().map_while(|word| word.parse().ok());
        link.sent = (|| Some([numbers.next()?, numbers.next()?, numbers.next()?, numbers.next()?]))();
        return true;
    }
    let first = words.split_whitespace().next().unwrap_or_default();
    if first == "TX:" {
        // `ip -s -s` has a second, of errors.
        link.numbers_follow = words.contains("bytes") && link.sent.is_none();
        return true;
    }
    if let Some(kind) = KINDS.iter().find(|kind| **kind == first) {
        link.kind.get_or_insert_with(|| (*kind).to_owned());
        link.vlan_id = after(words, "id").filter(|_| *kind == "vlan").and_then(|id| id.parse().ok());
        if *kind == "vxlan" {
            link.below =
                link.below.take().or(after(words, "dev").filter(|name| is_name(name)).map(str::to_owned));
        }
    }
    limits(link, words);
    true
}

fn limits(link: &mut Link, words: &str) {
    for (slot, name) in [
        (&mut link.gso_max_size, "gso_max_size"),
        (&mut link.gso_ipv4_max_size, "gso_ipv4_max_size"),
        (&mut link.gso_max_segs, "gso_max_segs"),
        (&mut link.tso_max_size, "tso_max_size"),
        (&mut link.tso_max_segs, "tso_max_segs"),
    ] {
        *slot = slot.or(number_after(words, name));
    }
}

fn after<'a>(words: &'a str, name: &str) -> Option<&'a str> {
    words.split_whitespace().skip_while(|word| *word != name).nth(1)
}

fn number_after(words: &str, name: &str) -> Option<u32> {
    after(words, name)?.parse().ok()
}
