//! People's words for what can differ, in the order of what TSO depends on.

/// How a difference is told.
pub(super) struct Name {
    pub(super) what: String,
    pub(super) rank: usize,
    pub(super) matters_for_tso: bool,
}

/// (path, words, whether TSO depends on it): a path that ends in `.` or `[` is of all that follow it, and `{}` in the words is what
/// follows. The first that fits names it.
const NAMES: &[(&str, &str, bool)] = &[
    ("interface.name", "interface", true),
    ("machine.device.features[tx-tcp-segmentation]", "TSO for IPv4 (tx-tcp-segmentation)", true),
    ("machine.device.features[tx-tcp6-segmentation]", "TSO for IPv6 (tx-tcp6-segmentation)", true),
    ("machine.device.features[tx-tcp-ecn-segmentation]", "TSO with CWR (tx-tcp-ecn-segmentation)", true),
    (
        "machine.device.features[tx-tcp-mangleid-segmentation]",
        "TSO with mangled IDs (tx-tcp-mangleid-segmentation)",
        true,
    ),
    ("machine.device.features[tx-generic-segmentation]", "GSO (tx-generic-segmentation)", true),
    ("machine.device.features[tx-scatter-gather]", "scatter-gather (tx-scatter-gather)", true),
    ("machine.device.features[tx-checksum-", "transmit checksumming (tx-checksum-{}", true),
    ("machine.device.features[tx-udp_tnl-", "segmentation in tunnels (tx-udp_tnl-{}", true),
    ("events.offloads_switched", "offloads switched during the run", true),
    ("machine.virtio.negotiated[", "virtio bit {}", true),
    ("machine.virtio.offered", "virtio bits that the host offers", true),
    ("machine.virtio", "virtio's bits", true),
    ("interface.driver", "driver", true),
    ("machine.module_parameters.", "driver's parameter {}", true),
    ("interface.kernel", "kernel", true),
    ("interface.mtu", "MTU, bytes", true),
    ("machine.device.limits.gso_max_size", "longest super-packet, bytes (gso_max_size)", true),
    (
        "machine.device.limits.gso_ipv4_max_size",
        "longest super-packet, bytes, IPv4 (gso_ipv4_max_size)",
        true,
    ),
    ("machine.device.limits.gso_max_segs", "most segments of a super-packet (gso_max_segs)", true),
    ("machine.device.limits.tso_max_size", "driver's longest super-packet, bytes (tso_max_size)", true),
    ("machine.device.limits.tso_max_segs", "driver's most segments (tso_max_segs)", true),
    ("interface.qdisc", "root qdisc", true),
    ("machine.qdiscs", "qdisc {}", true),
    ("machine.stack", "device above or below {}", true),
    ("machine.setters[", "setting in {}", true),
    ("machine.setters_unread", "settings that could not be read", true),
    ("machine.nfqueues", "nfqueues", true),
    ("machine.redirects", "filters that hand packets to other devices", true),
    ("interface.terminal", "packets leave the machine here", true),
    ("machine.device.kind", "kind of device", true),
    ("machine.device.features[", "feature {}", false),
    ("machine.device.features", "features", true),
    ("machine.device.speed_mbps", "link speed, Mbit/s", false),
    ("benchmark.command", "command", false),
    ("machine.cpus_online", "CPUs online", false),
    ("interface.queues", "transmit queues", false),
    ("machine.queues.channels", "channels in use, and at most", false),
    ("machine.queues.xps", "XPS: CPUs of each transmit queue", false),
    ("machine.queues.rps", "RPS: CPUs of each receive queue", false),
    ("machine.queues.irqs[", "interrupt {}", false),
    ("machine.queues.irqs", "interrupts", false),
    ("machine.tcp_ecn", "net.ipv4.tcp_ecn", false),
    ("machine.forwarding", "packets are forwarded", false),
    ("machine.ingress", "interface for incoming packets {}", false),
    ("machine.device.up", "interface is up", false),
    ("interface.netns.name", "network namespace", false),
    ("probes.mode", "how vmnet counted", false),
    ("probes.counting", "segments counted all the time (exact) or in windows (light)", false),
    ("probes.hooks.", "vmnet's hook {}", false),
    ("sampling.interval_s", "time between samples, s", false),
    ("overhead.measured", "vmnet measured its programs (two clock reads more each)", false),
];

/// What is bound to differ and says nothing (counters, indexes), and what is told elsewhere.
const LEFT_OUT: &[&str] = &[
    "interface.ifindex",
    "interface.netns.inode",
    "machine.kernel",
    "machine.device.name",
    "machine.device.ifindex",
    "machine.device.driver",
    "machine.device.mtu",
    "machine.device.terminal",
    "machine.queues.tx",
    "machine.queues.statistics",
    "machine.queues.statistics_source",
    "machine.qdiscs[].handle",
    "machine.qdiscs[].parent",
    "machine.qdiscs[].counters",
    "machine.ingress[].rx_packets",
    "machine.ingress[].rx_bytes",
    "machine.stack[].device.ifindex",
];

/// `path` is without the keys of elements.
pub(super) fn is_left_out(path: &str) -> bool {
    LEFT_OUT.contains(&path)
}

pub(super) fn name(path: &str) -> Name {
    if path == "machine" {
        return Name { what: "all about the machine".to_owned(), rank: 0, matters_for_tso: true };
    }
    for (rank, (prefix, words, matters_for_tso)) in NAMES.iter().enumerate() {
        let Some(rest) = path.strip_prefix(prefix) else { continue };
        let open = prefix.ends_with(['.', '[', '-']);
        // A field whose name only begins like this one.
        if !open && !rest.is_empty() && !rest.starts_with(['.', '[']) {
            continue;
        }
        let what = if words.contains("{}") {
            let rest = match prefix.chars().next_back() {
                // The words have opened a bracket, and the key is a part of a name.
                Some('-') => format!("{})", rest.trim_end_matches(']')),
                Some('[') => readable(&format!("[{rest}")),
                Some('.') => rest.to_owned(),
                _ => readable(rest),
            };
            words.replace("{}", rest.trim_start())
        } else if rest.is_empty() {
            (*words).to_owned()
        } else {
            format!("{words} {}", readable(rest).trim_start())
        };
        return Name { what: what.trim().to_owned(), rank, matters_for_tso: *matters_for_tso };
    }
    let what = path.strip_prefix("machine.").unwrap_or(path);
    Name { what: readable(what), rank: NAMES.len(), matters_for_tso: false }
}

/// `[0].options.of` → ` 0 options of`: words, not a path.
fn readable(rest: &str) -> String {
    // A key may itself have dots in it (a file's name): what stands between brackets is left as it is.
    let mut words = String::with_capacity(rest.len());
    let mut inside = false;
    for letter in rest.chars() {
        match letter {
            '[' if !inside => {
                inside = true;
                words.push(' ');
            }
            ']' => inside = false,
            '.' | '_' if !inside => words.push(' '),
            other => words.push(other),
        }
    }
    words
}

/// What is said of a thing that one run has and the other has not.
pub(super) fn absent(path: &str) -> &'static str {
    if path.starts_with("machine.device.features[") {
        "this kernel has no such feature"
    } else if path.starts_with("machine.virtio.negotiated[") {
        "this kernel does not show it"
    } else {
        "none"
    }
}
