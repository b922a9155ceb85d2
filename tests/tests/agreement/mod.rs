//! Whether what `vmnet doctor --json` read is what ethtool, tc and ip show.

use serde_json::Value;
use vmnet::model::glossary;

/// Parses what a program wrote as JSON.
pub(crate) fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(text)))
}

/// `ethtool -k`: every feature, by name, with all that is said of it.
pub(crate) fn features_agree(features: &Value, ethtool_k: &str) {
    let shown: Vec<(&str, &str)> = ethtool_k
        .lines()
        .filter_map(|line| line.trim().split_once(": "))
        .filter(|(name, _)| !legacy(name))
        .collect();
    let read = features.as_array().unwrap_or_else(|| panic!("{features}"));
    let mut compared = 0;
    for feature in read {
        let flag = |name: &str| feature[name].as_bool().unwrap();
        let name = feature["name"].as_str().unwrap();
        // ethtool leaves out what has a summary's place of its own, such as rx-gro.
        let Some((_, said)) = shown.iter().find(|(shown, _)| *shown == name) else { continue };
        let state = if flag("active") { "on" } else { "off" };
        let note = if !flag("changeable") || flag("never_changes") {
            " [fixed]"
        } else if flag("wanted") != flag("active") {
            if flag("wanted") { " [requested on]" } else { " [requested off]" }
        } else {
            ""
        };
        assert_eq!(*said, format!("{state}{note}"), "{name}");
        assert!(glossary::look_up(name).is_some(), "`vmnet explain {name}` knows nothing");
        compared += 1;
    }
    assert!(compared > 25, "only {compared} features of {} were compared:\n{ethtool_k}", read.len());
    assert!(
        compared >= shown.len() - 1,
        "ethtool shows {} of which {compared} were read:\n{ethtool_k}",
        shown.len()
    );
}

/// Summaries of several features, by ethtool's own older names.
fn legacy(name: &str) -> bool {
    matches!(
        name,
        "rx-checksumming"
            | "tx-checksumming"
            | "scatter-gather"
            | "tcp-segmentation-offload"
            | "udp-fragmentation-offload"
            | "generic-segmentation-offload"
            | "generic-receive-offload"
            | "large-receive-offload"
            | "rx-vlan-offload"
            | "tx-vlan-offload"
            | "ntuple-filters"
            | "receive-hashing"
    ) || name.starts_with("Features for")
}

/// `ip -d -j link`: the device, and every device around it by where `ip` says that it hangs.
pub(crate) fn device_agrees(device: &Value, links: &Value) {
    let name = device["name"].as_str().unwrap();
    let shown = link(links, name);
    for (ours, theirs) in [
        (&device["ifindex"], "ifindex"),
        (&device["mtu"], "mtu"),
        (&device["limits"]["gso_max_size"], "gso_max_size"),
        (&device["limits"]["gso_max_segs"], "gso_max_segs"),
        (&device["limits"]["tso_max_size"], "tso_max_size"),
        (&device["limits"]["tso_max_segs"], "tso_max_segs"),
    ] {
        // An older ip does not know the newer limits.
        if !shown[theirs].is_null() {
            assert_eq!(ours, &shown[theirs], "{theirs} of {name}");
        }
    }
    assert_eq!(device["kind"], shown["linkinfo"]["info_kind"], "kind of {name}");
    let up = shown["flags"].as_array().unwrap().iter().any(|flag| flag == "UP");
    assert_eq!(device["up"], up, "{name}");
}

pub(crate) fn link<'a>(links: &'a Value, name: &str) -> &'a Value {
    let all = links.as_array().unwrap();
    all.iter().find(|link| link["ifname"] == name).unwrap_or_else(|| panic!("ip shows no {name}: {links}"))
}

/// (relation, distance, name) of the devices around the interface.
pub(crate) fn stack(machine: &Value) -> Vec<(String, u64, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let stack = machine["stack"].as_array().unwrap();
    stack
        .iter()
        .map(|place| {
            (text(&place["relation"]), place["distance"].as_u64().unwrap(), text(&place["device"]["name"]))
        })
        .collect()
}

pub(crate) fn stacked(places: &[(&str, u64, &str)]) -> Vec<(String, u64, String)> {
    places
        .iter()
        .map(|(relation, distance, name)| ((*relation).to_owned(), *distance, (*name).to_owned()))
        .collect()
}

/// `tc -j qdisc show dev …`: kinds, handles and places in the tree.
pub(crate) fn qdiscs_agree(machine: &Value, tc: &Value) {
    let row = |kind: &Value, major: u64, root: bool| (kind.as_str().unwrap().to_owned(), major, root);
    let read = machine["qdiscs"].as_array().unwrap().iter();
    let mut read: Vec<_> = read
        .map(|qdisc| {
            row(&qdisc["kind"], qdisc["handle"].as_u64().unwrap() >> 16, qdisc["parent"] == 0xffff_ffff_u32)
        })
        .collect();
    let major = |qdisc: &Value| {
        u64::from_str_radix(qdisc["handle"].as_str().unwrap().trim_end_matches(':'), 16).unwrap()
    };
    let shown = tc.as_array().unwrap().iter();
    let mut shown: Vec<_> =
        shown.map(|qdisc| row(&qdisc["kind"], major(qdisc), qdisc["root"] == true)).collect();
    read.sort();
    shown.sort();
    assert_eq!(read, shown);
}

/// `tc -s -j qdisc show dev …`: what each has counted, where it counts.
pub(crate) fn qdisc_counters_agree(machine: &Value, tc: &Value) {
    let number = |text: &str| u64::from_str_radix(text, 16).unwrap_or_default();
    let mut compared = 0;
    for shown in tc.as_array().unwrap() {
        // `:1`, of what the kernel made itself, or `8001:1`; a root has no parent.
        let parent = shown["parent"].as_str().map_or(0xffff_ffff, |parent| {
            let (major, minor) = parent.split_once(':').unwrap();
            number(major) << 16 | number(minor)
        });
        let handle = number(shown["handle"].as_str().unwrap().trim_end_matches(':')) << 16;
        let mut read = machine["qdiscs"].as_array().unwrap().iter();
        let read = read.find(|qdisc| qdisc["handle"] == handle && qdisc["parent"] == parent);
        let read = read.unwrap_or_else(|| panic!("no {shown} in {machine}"));
        for (ours, theirs) in [
            ("bytes", "bytes"),
            ("segments", "packets"),
            ("drops", "drops"),
            ("requeues", "requeues"),
            ("backlog_packets", "qlen"),
            ("backlog_bytes", "backlog"),
        ] {
            assert_eq!(read["counters"][ours], shown[theirs], "{ours} of {read} against {shown}");
            compared += 1;
        }
    }
    assert!(compared > 0, "{tc}");
}
