//! `wireguard`, `ipsec`: each packet is encrypted by itself, so super-packets are segmented before.

use super::{Cause, CauseId, Evidence, Fix, Found};
use crate::{ledger::in_bytes, machine::Device, state::MIN_BULK_BYTES};

const WIREGUARD: &str = "wireguard";

pub(super) fn is_wireguard(device: &Device) -> bool {
    device.kind.as_deref() == Some(WIREGUARD)
}

/// On a WireGuard device itself, and on the interface by which its packets leave as UDP; and what leaves as ESP.
pub(super) fn segmented_before(evidence: &Evidence<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    if is_wireguard(&evidence.machine.device) {
        let lost =
            evidence.traffic.as_ref().and_then(|traffic| traffic.tcp).map(|tcp| tcp.total.software_bytes);
        if lost != Some(0) {
            found.push(Found { cause: wireguard("WireGuard"), bytes: lost });
        }
    }
    let Some(traffic) = &evidence.traffic else { return found };
    // What it sent may have gone out by another interface, where no such UDP was seen.
    let is_wireguard = |(device, sent): &(&Device, u64)| {
        is_wireguard(device)
            && *sent >= MIN_BULK_BYTES
            && traffic.udp_payload_bytes.saturating_mul(2) >= *sent
    };
    for (device, sent) in evidence.routed_tunnels().into_iter().filter(is_wireguard) {
        let who = format!("{} of the UDP is WireGuard's ({}), which", in_bytes(sent), device.name);
        found.push(Found { cause: wireguard(&who), bytes: None });
    }
    // Where calls of segmentation are seen, `below_mtu` claims what they took.
    if traffic.esp_bytes >= MIN_BULK_BYTES {
        found.push(Found { cause: ipsec(traffic.esp_bytes), bytes: None });
    }
    found
}

fn wireguard(who: &str) -> Cause {
    Cause {
        id: CauseId::Wireguard,
        share: super::NO_SHARE,
        title: format!("{who} segments super-packets before it encrypts them, by design"),
        detail: "each packet is encrypted on its own; the interface below sees UDP".to_owned(),
        fix: Fix::none(),
    }
}

fn ipsec(esp_bytes: u64) -> Cause {
    Cause {
        id: CauseId::Ipsec,
        share: super::NO_SHARE,
        title: format!("{} left as ESP: IPsec encrypts packet by packet", in_bytes(esp_bytes)),
        detail: "TCP builds no super-packets for a route that IPsec encrypts (sk_setup_caps), and what others build is segmented before \
                 (xfrm_output_gso), unless the device encrypts by itself (crypto offload): TSO has no part in it"
            .to_owned(),
        fix: Fix::none(),
    }
}
