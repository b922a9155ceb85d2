//! Which features depend on which: what the kernel silently drops from the wanted ones (`netdev_fix_features`, the same rules for
//! these from 5.10 to 6.18). Known here only to explain what came back; the kernel decides.

use crate::features::FeatureSet;

const SCATTER_GATHER: &[&str] = &["tx-scatter-gather"];
const CHECKSUM_V4: &[&str] = &["tx-checksum-ip-generic", "tx-checksum-ipv4"];
const CHECKSUM_V6: &[&str] = &["tx-checksum-ip-generic", "tx-checksum-ipv6"];
const ANY_TSO: &[&str] = &["tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-tcp-mangleid-segmentation"];

/// For a feature, the needs that must all be met; each is met by any one of its features.
fn needs(feature: &str) -> &'static [&'static [&'static str]] {
    match feature {
        "tx-tcp-segmentation" => &[CHECKSUM_V4, SCATTER_GATHER],
        "tx-tcp6-segmentation" => &[CHECKSUM_V6, SCATTER_GATHER],
        "tx-tcp-ecn-segmentation" => &[SCATTER_GATHER, ANY_TSO],
        "tx-tcp-mangleid-segmentation" => &[SCATTER_GATHER, &["tx-tcp-segmentation"]],
        "tx-generic-segmentation" => &[SCATTER_GATHER],
        "tx-udp-segmentation" => &[CHECKSUM_V4, CHECKSUM_V6],
        _ => &[],
    }
}

/// What a feature depends on that is not active: `tx-scatter-gather`, `tx-checksum-ip-generic`. Empty where nothing known is missing.
#[must_use]
pub fn missing_for<'a>(feature: &str, features: &'a FeatureSet) -> Vec<&'a str> {
    let unmet =
        needs(feature).iter().filter(|any_of| !any_of.iter().any(|name| features.active(name) == Some(true)));
    unmet
        .filter_map(|any_of| {
            // The one that this device could have; else the first that this kernel knows.
            let known = || any_of.iter().filter_map(|name| features.get(name));
            known().find(|feature| !feature.fixed()).or_else(|| known().next())
        })
        .map(|feature| feature.name.as_str())
        .collect()
}
