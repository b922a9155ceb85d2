//! The literal strings that people paste, and what each means. `docs/symptoms.md` has them with more words, and a test holds the two together.

use crate::report::explain::Symptom;

/// All of them: what is looked for, what it means, and the one command.
pub(super) const SYMPTOMS: [(&str, &str, &str); 11] = [
    (
        "tcp-segmentation-offload: off [fixed]",
        "TSO cannot be switched on from here: the driver has none, or the host does not offer it to this virtual machine.",
        "sudo vmnet doctor IFACE",
    ),
    (
        "tcp-segmentation-offload: off [requested on]",
        "TSO was asked for, and the kernel keeps it off because something that it depends on is off, mostly tx-checksumming.",
        "sudo vmnet fix IFACE",
    ),
    (
        "tcp-segmentation-offload: off",
        "TSO is switched off here, and can be switched on.",
        "sudo vmnet fix IFACE",
    ),
    (
        "tcp-segmentation-offload: on",
        "TSO is granted. Whether packets get it is another question: a device above, a tunnel or the queue may segment before.",
        "sudo vmnet check IFACE",
    ),
    (
        "Could not change any device features",
        "ethtool -K asked for a feature that is [fixed]: the driver has none, or the host does not offer it. No command in this machine \
         changes that.",
        "sudo vmnet doctor IFACE",
    ),
    (
        "Actual changes:",
        "ethtool -K changed more, or other features than were asked for, because they depend on each other: TSO requires checksum offload and \
         scatter-gather.",
        "sudo vmnet doctor IFACE",
    ),
    (
        "sendmsg: Input/output error",
        "The kernel refused UDP super-packets (UDP_SEGMENT) with EIO: the interface has transmit checksum offload off, or IPsec is in the way.",
        "sudo vmnet check IFACE",
    ),
    (
        "length 64240",
        "A capture shows a packet that is larger than the MTU: tcpdump sees super-packets before the device segments them. That is how TSO \
         and GSO look from inside, and no error.",
        "sudo vmnet check IFACE",
    ),
    (
        "skb_segment",
        "The CPU segments super-packets in software, and perf sees the time that it takes.",
        "sudo vmnet run IFACE -d 10s",
    ),
    (
        "tcp_gso_segment",
        "The CPU segments TCP's super-packets in software, and perf sees the time that it takes.",
        "sudo vmnet run IFACE -d 10s",
    ),
    (
        "(incorrect -> 0x",
        "A capture shows a checksum that is not computed yet: the device computes it (checksum offload). On packets that this machine sends, it is no \
         error.",
        "sudo vmnet check IFACE",
    ),
];

/// Those that a text has in it, each once, with the interface's name where it is known. What a longer one says is not said again.
pub(super) fn found(text: &str, interface: Option<&str>) -> Vec<Symptom> {
    let mut found: Vec<Symptom> = Vec::new();
    for (pasted, means, command) in SYMPTOMS {
        let has = text.lines().any(|line| is_in(line, pasted));
        let is_said = found.iter().any(|known| known.pasted.contains(pasted));
        if has && !is_said {
            let command = interface.map_or_else(|| command.to_owned(), |name| command.replace("IFACE", name));
            found.push(Symptom { pasted: pasted.to_owned(), means: means.to_owned(), command });
        }
    }
    found
}

/// Longer than any packet on a wire: a jumbo frame has 9,000 bytes or a little more.
const LONGER_THAN_ANY: u64 = 10_000;

fn is_in(line: &str, pasted: &str) -> bool {
    // As tcpdump ends its lines. Elsewhere a length is of something else.
    if pasted.starts_with("length ") {
        let is_captured = line.starts_with("length ") || line.contains("Flags [");
        let length = line.rsplit_once("length ").and_then(|(_, number)| number.trim().parse::<u64>().ok());
        return is_captured && length.is_some_and(|bytes| bytes > LONGER_THAN_ANY);
    }
    match line.find(pasted) {
        // `off` is not `off [fixed]`.
        Some(at) if pasted.ends_with(": off") => {
            line.get(at + pasted.len()..).is_some_and(|rest| rest.trim().is_empty())
        }
        Some(_) => true,
        None => false,
    }
}
