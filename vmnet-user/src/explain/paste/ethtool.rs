//! `ethtool`'s lines: `-k` (features) and `-S` (the driver's own counters).

use crate::model::features::Feature;

/// Names that ethtool gives to what the kernel names otherwise. Groups of several, which it prints before them, are left as they are.
const LEGACY: [(&str, &str); 7] = [
    ("generic-segmentation-offload", "tx-generic-segmentation"),
    ("generic-receive-offload", "rx-gro"),
    ("large-receive-offload", "rx-lro"),
    ("rx-checksumming", "rx-checksum"),
    ("rx-vlan-offload", "rx-vlan-hw-parse"),
    ("tx-vlan-offload", "tx-vlan-hw-insert"),
    ("receive-hashing", "rx-hashing"),
];
/// `tx-tcp-segmentation: off [fixed]`, mostly indented.
pub(super) fn feature(line: &str) -> Option<Feature> {
    let (name, state) = line.trim().split_once(": ")?;
    let is_feature = !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'));
    let mut words = state.trim().splitn(2, ' ');
    let active = match words.next()? {
        "on" => true,
        "off" => false,
        _ => return None,
    };
    let remark = words.next().unwrap_or_default().trim();
    let fixed = remark == "[fixed]";
    let wanted = match remark {
        "[requested on]" => true,
        "[requested off]" => false,
        "" | "[fixed]" => active,
        _ => return None,
    };
    let known = LEGACY.iter().find(|(legacy, _)| *legacy == name).map_or(name, |(_, kernel)| kernel);
    is_feature.then(|| Feature {
        bit: 0,
        name: known.to_owned(),
        active,
        wanted,
        changeable: !fixed,
        never_changes: false,
    })
}

/// `     tx_queue_0_packets: 12`.
pub(super) fn statistic(line: &str) -> Option<(String, u64)> {
    let (name, value) = line.trim().rsplit_once(':')?;
    let value = value.trim().parse().ok()?;
    let is_name = !name.is_empty() && name.len() <= 96;
    is_name.then(|| (name.trim().to_owned(), value))
}
