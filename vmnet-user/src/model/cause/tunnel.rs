//! `tunnel`, `wireguard`: packets inside packets.

use super::{Cause, CauseId, Evidence, Fix, Found, host, host::HostNeed};
use crate::model::{machine::Machine, reasons::ReasonId};

/// Super-packets in a tunnel, on a device that cannot cut inside one.
pub(super) fn cut_inside(evidence: &Evidence<'_>) -> Vec<Found> {
    let machine = evidence.machine;
    let mut found = Vec::new();
    if machine.device.kind.as_deref() == Some("wireguard") {
        let lost =
            evidence.traffic.as_ref().and_then(|traffic| traffic.tcp).map(|tcp| tcp.total.software_bytes);
        if lost != Some(0) {
            found.push(Found { cause: wireguard(), bytes: lost });
        }
    }
    if let Some(bytes) =
        evidence.refused(&[ReasonId::TunnelMissing, ReasonId::Tunnel]).filter(|bytes| *bytes != 0)
    {
        found.push(Found { cause: encapsulated(machine), bytes: Some(bytes) });
    }
    found
}

fn encapsulated(machine: &Machine) -> Cause {
    let set = machine.device.features.as_ref().ok();
    let switchable: Vec<&str> = ["tx-udp_tnl-segmentation", "tx-udp_tnl-csum-segmentation"]
        .into_iter()
        .filter(|name| {
            set.and_then(|set| set.get(name)).is_some_and(|feature| !feature.fixed() && !feature.active)
        })
        .collect();
    let fix = if switchable.is_empty() {
        Fix::by_host(host::settings(HostNeed::Tunnel))
    } else {
        Fix::by_root(vec![super::Action::switch_on(&machine.device.name, switchable)])
    };
    Cause {
        id: CauseId::Tunnel,
        share: None,
        title: "packets inside a tunnel are cut up: the device cannot segment inside it".to_owned(),
        detail: format!(
            "encapsulated super-packets need tx-udp_tnl-segmentation (or GRE's, IPIP's) on {}, which is off",
            machine.device.name
        ),
        fix,
    }
}

fn wireguard() -> Cause {
    Cause {
        id: CauseId::Wireguard,
        share: None,
        title: "WireGuard cuts up super-packets before it encrypts them, by design".to_owned(),
        detail: "each packet is encrypted on its own; the interface below sees UDP".to_owned(),
        fix: Fix::none(),
    }
}
