//! The one register of words: `vmnet explain WORD` reads it, `docs/glossary.md` is made of it, and the README is held against it.

mod flags;

use super::cause::CauseId;

/// A word, or a few that mean the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// The first is the one that vmnet uses.
    pub names: &'static [&'static str],
    /// What it means.
    pub means: &'static str,
    /// Its part of the glossary.
    pub of: Part,
}

/// The parts of the glossary, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What the kernel and others say.
    Network,
    /// What `ethtool -k` lists besides.
    Flags,
    /// Where bytes went.
    Bytes,
    /// What an answer says.
    Answer,
    /// How it is proven.
    Proof,
}

impl Part {
    /// In order.
    pub const ALL: [Self; 5] = [Self::Network, Self::Flags, Self::Bytes, Self::Answer, Self::Proof];

    /// Its heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Network => "What the kernel says",
            Self::Flags => "What `ethtool -k` lists besides",
            Self::Bytes => "Where bytes went",
            Self::Answer => "What an answer says",
            Self::Proof => "How it is proven",
        }
    }
}

/// What was asked for by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A word of the register.
    Word(&'static Word),
    /// A cause, by its id.
    Cause(CauseId),
}

const fn word(of: Part, names: &'static [&'static str], means: &'static str) -> Word {
    Word { names, means, of }
}

/// All words but the flags, which nobody has to know by heart.
pub const WORDS: &[Word] = &[
    word(
        Part::Network,
        &["super-packet", "large packet"],
        "One packet in the kernel (skb) that stands for many on the wire: up to 64 kB, more with BIG TCP. TCP builds it, and somebody has to \
         segment it before the wire.",
    ),
    word(Part::Network, &["segment"], "One packet on the wire that was part of a super-packet."),
    word(
        Part::Network,
        &["TSO", "LSO", "large send offload", "tcp-segmentation-offload", "tx-tcp-segmentation"],
        "TCP segmentation offload: the device segments TCP's super-packets, and the CPU does not. Windows and VMware call it LSO. \
         `ethtool -k` shows a flag for it, which says what was granted and not what happens; `vmnet check` tells that.",
    ),
    word(
        Part::Network,
        &["GSO", "generic-segmentation-offload", "tx-generic-segmentation"],
        "Generic segmentation offload: the kernel's CPU segments super-packets in software, as late as possible, where the device cannot.",
    ),
    word(
        Part::Network,
        &["USO", "UDP segmentation offload", "tx-udp-segmentation", "UDP_SEGMENT"],
        "UDP segmentation offload: the device segments UDP's super-packets, which applications such as QUIC servers build with UDP_SEGMENT.",
    ),
    word(
        Part::Network,
        &["GRO", "generic-receive-offload", "rx-gro", "LRO", "large-receive-offload"],
        "Generic receive offload: the receiving kernel merges segments into super-packets. On a machine that forwards, what GRO merged is \
         segmented again on its way out. LRO is the same done by the device, which must not be forwarded.",
    ),
    word(
        Part::Network,
        &["checksum offload", "tx-checksumming", "tx-checksum-ip-generic", "csum"],
        "The device computes checksums. TSO requires it: a device cannot segment what it may not checksum.",
    ),
    word(
        Part::Network,
        &["scatter-gather", "sg", "tx-scatter-gather"],
        "The device collects a packet from several places in memory. TSO requires it.",
    ),
    word(
        Part::Network,
        &["qdisc", "queueing discipline", "queuing discipline"],
        "The queue between the network stack and the driver (fq_codel, fq, mq, tbf, cake). Some segment by themselves.",
    ),
    word(
        Part::Network,
        &["XPS", "transmit packet steering"],
        "Transmit packet steering: which CPU uses which transmit queue. It spreads work; it does not make TSO happen.",
    ),
    word(
        Part::Network,
        &["RPS", "receive packet steering"],
        "Receive packet steering: which CPUs handle what a receive queue got.",
    ),
    word(
        Part::Network,
        &["MSS", "gso_size"],
        "Maximum segment size: the most payload of one segment, 1448 bytes at an MTU of 1500 with TCP timestamps.",
    ),
    word(
        Part::Network,
        &["gso_max_size", "gso_max_segs", "tso_max_size", "gso_ipv4_max_size", "BIG TCP"],
        "Limits of a super-packet for one interface, in bytes and in segments; tso_max_size is what its driver takes at most. Above 64 kB it \
         is BIG TCP.",
    ),
    word(
        Part::Network,
        &["[fixed]", "off [fixed]"],
        "`ethtool -k` says so of a feature that cannot be switched. Off [fixed] means that the driver has none, or that the host does not \
         offer it: ethtool -K cannot help.",
    ),
    word(
        Part::Network,
        &["[requested on]", "off [requested on]", "wanted"],
        "The feature was asked for, and the kernel does not make it active because something that it depends on is off, mostly checksum \
         offload.",
    ),
    word(
        Part::Bytes,
        &["offloaded", "hardware", "in hardware", "whole"],
        "Left in super-packets that the driver got whole, so the device segmented them: TSO happened.",
    ),
    word(
        Part::Bytes,
        &["segmented in software", "software", "segmented"],
        "Left in super-packets that the CPU segmented for this device: TSO did not happen, and the CPU paid for it.",
    ),
    word(
        Part::Bytes,
        &["full-size singles", "unaggregated", "singles", "comes in as singles"],
        "Full-size packets that never were part of a super-packet: nothing to offload was built.",
    ),
    word(
        Part::Bytes,
        &["small", "small packets"],
        "Payload in packets that were not full: the ends of writes, requests, interactive traffic. TSO has no part in it.",
    ),
    word(Part::Bytes, &["bulk"], "Payload in super-packets and full-size singles: all but small packets."),
    word(
        Part::Bytes,
        &["ledger"],
        "Where every byte of payload went: offloaded, segmented in software, full-size singles, small, dropped, pending. The six add up.",
    ),
    word(
        Part::Bytes,
        &["ns/byte", "ns per byte"],
        "Nanoseconds of CPU time for one byte of payload; it is said whether of segmentation alone or of all that the CPU did.",
    ),
    word(
        Part::Answer,
        &["engaged", "YES"],
        "At least 95 % of what TCP built as super-packets reached the driver whole: the device segments, TSO is happening.",
    ),
    word(
        Part::Answer,
        &["partial", "PARTLY"],
        "Some super-packets reached the driver whole and some were segmented in software; the shares are shown.",
    ),
    word(
        Part::Answer,
        &["nothing-to-offload", "NO TRAFFIC"],
        "Too little bulk traffic to judge by: under 1 MiB, or under 5 % of the payload.",
    ),
    word(
        Part::Answer,
        &["inconclusive", "not known"],
        "What is unexplained could change the answer, or two witnesses disagree.",
    ),
    word(
        Part::Answer,
        &["NO"],
        "TSO is not happening: the CPU segments super-packets in software, or TCP builds none (not-built). The line behind it says which.",
    ),
    word(
        Part::Answer,
        &["IN ORDER"],
        "`vmnet doctor` found nothing in TSO's way, and did not ask the driver: that takes CAP_NET_RAW.",
    ),
    word(
        Part::Answer,
        &["exit code", "exit code 3", "exit code 4"],
        "0 done; 1 it could not be done, or COMMAND failed; 2 wrong usage; with --expect, 3 for another answer (NO TRAFFIC is one) and 4 for NOT \
         KNOWN.",
    ),
    word(
        Part::Answer,
        &["thin", "engaged, thin"],
        "TSO is happening, with super-packets of under four segments in the median: little is saved.",
    ),
    word(
        Part::Answer,
        &["proven"],
        "Exact counts at the queue and at the driver, every identity within its slack, and no witness against it. Bounded where less than \
         1 % passed unseen.",
    ),
    word(Part::Answer, &["supported"], "One exact witness; a second one is missing, and it says which."),
    word(
        Part::Answer,
        &["weak"],
        "Inferred, from counters or flags; `basis` says from what. `vmnet check` on the machine itself is more.",
    ),
    word(
        Part::Answer,
        &["chain"],
        "What TSO needs, in order: offered by the host, negotiated by the driver, switchable, requested (wanted), active, allowed for the packet, \
         taken by the driver. The first that breaks is the cause.",
    ),
    word(
        Part::Answer,
        &["cause"],
        "Why super-packets were segmented, by a stable name such as turned-off; `vmnet explain NAME` tells each.",
    ),
    word(
        Part::Proof,
        &["witness", "silent"],
        "A source that says by itself whether super-packets left: the programs, the kernel's counters, the device's statistics.",
    ),
    word(
        Part::Proof,
        &["identity"],
        "Two counts from different sources that must be equal, such as skbs at the driver and the device's tx_packets.",
    ),
    word(
        Part::Proof,
        &["audit"],
        "All identities of a run, each with its residual and the slack that it is allowed.",
    ),
    word(
        Part::Proof,
        &["slack", "residual"],
        "How far two counts may differ because they were not read in the same instant. A residual is how far they do.",
    ),
    word(
        Part::Proof,
        &["window"],
        "A short time in which every segment is counted too, to audit the counting without a hook per segment.",
    ),
    word(
        Part::Proof,
        &["arm", "block"],
        "Of an experiment: one of its settings, and one round of all of them in a drawn order.",
    ),
    word(
        Part::Proof,
        &["placebo", "control"],
        "An arm that changes nothing, under another name. It must show no effect.",
    ),
];

/// All words and flags.
fn all() -> impl Iterator<Item = &'static Word> {
    WORDS.iter().chain(flags::FLAGS)
}

/// What a person may have meant: a word in any case, with blanks or hyphens, or the id of a cause.
#[must_use]
pub fn look_up(asked: &str) -> Option<Entry> {
    let asked = plain(asked);
    let is_it = |name: &str| is_the_same(&plain(name), &asked);
    let word = all().find(|word| word.names.iter().any(|name| is_it(name)));
    let cause = || CauseId::ALL.into_iter().find(|id| is_it(id.name()));
    word.map(Entry::Word).or_else(|| cause().map(Entry::Cause))
}

/// Words that look like what was asked: those that have it in them, or that it has in it.
#[must_use]
pub fn like(asked: &str) -> Vec<&'static str> {
    let asked = plain(asked);
    let names = all().filter_map(|word| word.names.first().copied());
    let all = names.chain(CauseId::ALL.into_iter().map(CauseId::name));
    let is_like = |name: &&str| {
        let name = plain(name);
        asked.len() >= 3 && name.len() >= 3 && (name.contains(&asked) || asked.contains(&name))
    };
    all.filter(is_like).collect()
}

/// One or several of it.
fn is_the_same(name: &str, asked: &str) -> bool {
    name == asked || name.strip_suffix('s') == Some(asked) || asked.strip_suffix('s') == Some(name)
}

/// Without what people write differently.
fn plain(name: &str) -> String {
    let kept = name.trim().chars().filter(|c| !matches!(c, '-' | '_' | ' ' | '[' | ']' | '`'));
    kept.flat_map(char::to_lowercase).collect()
}

/// The whole glossary, in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text =
        "# Words\n\nvmnet tells each: `vmnet explain WORD`. This page is made from the same register \
                    (`vmnet-model/src/glossary.rs`).\n"
            .to_owned();
    for part in Part::ALL {
        text += &format!("\n## {}\n\n| word | means |\n|---|---|\n", part.title());
        for word in all().filter(|word| word.of == part) {
            text += &format!("| {} | {} |\n", word.names.join(", "), word.means);
        }
    }
    text += "\n## Causes\n\n| cause | means |\n|---|---|\n";
    for id in CauseId::ALL {
        text += &format!("| `{}` | {} |\n", id.name(), id.meaning());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_as_people_write_it() {
        for asked in [
            "TSO",
            "tso",
            " LSO ",
            "large send offload",
            "Super-Packet",
            "superpacket",
            "segmented_in-software",
            "off [fixed]",
            "tx-tcp-mangleid-segmentation",
            "super-packets",
            "YES",
            "NO TRAFFIC",
            "exit code 3",
        ] {
            assert!(matches!(look_up(asked), Some(Entry::Word(_))), "{asked}");
        }
        assert_eq!(look_up("HOST NO CSUM"), Some(Entry::Cause(CauseId::HostNoCsum)));
        for asked in ["", " ", "-", "no such word", "\u{1b}[2J"] {
            assert_eq!(look_up(asked), None, "{asked:?}");
        }
        assert!(like("csum").contains(&"host-no-csum") && like("").is_empty());
    }

    #[test]
    fn no_name_means_two_things() {
        let words = all().flat_map(|word| word.names.iter().copied());
        let mut names: Vec<String> = words.chain(CauseId::ALL.map(CauseId::name)).map(plain).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
