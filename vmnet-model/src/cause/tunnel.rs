//! `tunnel`: packets inside packets.

use super::{
    Action, Cause, CauseId, Evidence, Fix, Found,
    host::{self, HostNeed},
    path,
};
use crate::{
    breaks::above,
    machine::{Device, Machine, Relation},
    reasons::ReasonId,
    shell::quoted,
};

/// Super-packets in a tunnel, on a device that cannot segment inside one.
pub(super) fn segmented_inside(evidence: &Evidence<'_>) -> Vec<Found> {
    let machine = evidence.machine;
    let mut found = Vec::new();
    let refused =
        evidence.refused(&[ReasonId::TunnelMissing, ReasonId::Tunnel]).or_else(|| inferred(evidence));
    if let Some(bytes) = refused.filter(|bytes| *bytes != 0) {
        found.push(Found { cause: on_this_device(machine), bytes: Some(bytes) });
    }
    if evidence.traffic.is_none()
        && let Some(needed) = segmentation_inside(&machine.device)
    {
        let mut below = machine.stack.iter().filter(|at| at.relation == Relation::Below);
        found.extend(below.find(|at| lacks(&at.device, needed)).map(|at| {
            let switch_on =
                |names: Vec<&'static str>| Fix::by_root(vec![Action::switch_on(&at.device.name, names)]);
            Found { cause: encapsulated(machine, &at.device, needed, switch_on), bytes: None }
        }));
    }
    found
}

/// Without reasons by packet: payload in tunnels that was segmented although TSO was on, where nothing but the missing feature explains it.
pub(super) fn inferred(evidence: &Evidence<'_>) -> Option<u64> {
    let machine = evidence.machine;
    if !path::is_unclaimed(evidence) || !lacks(&machine.device, needed_above(machine)) {
        return None;
    }
    let in_tunnels = evidence.traffic.as_ref()?.tcp?.total.tunnel_bytes;
    Some(evidence.segmented_in_spite_of_tso()?.min(in_tunnels))
}

/// Whether the device's segmentation inside a tunnel that needs this is off.
pub(crate) fn lacks(device: &Device, needed: &[&str]) -> bool {
    let plain = || device.features.as_ref().ok()?.get(needed.first()?);
    plain().is_some_and(|feature| !feature.active)
}

const UDP: [&str; 2] = ["tx-udp_tnl-segmentation", "tx-udp_tnl-csum-segmentation"];
const UDP_WITH_CHECKSUM: [&str; 2] = [UDP[1], UDP[0]];
const GRE: [&str; 2] = ["tx-gre-segmentation", "tx-gre-csum-segmentation"];
const GRE_WITH_CHECKSUM: [&str; 2] = [GRE[1], GRE[0]];

/// The features that the device below a tunnel needs: the one for its packets as they are first, then that for such as have or have no checksum
/// outside. None where it is no tunnel of these kinds.
#[must_use]
pub fn segmentation_inside(tunnel: &Device) -> Option<&'static [&'static str]> {
    let has_checksum = tunnel.outer_checksum == Some(true);
    match tunnel.kind.as_deref()? {
        "vxlan" | "geneve" if has_checksum => Some(&UDP_WITH_CHECKSUM),
        "vxlan" | "geneve" => Some(&UDP),
        "gre" | "gretap" | "erspan" | "ip6gre" | "ip6gretap" if has_checksum => Some(&GRE_WITH_CHECKSUM),
        "gre" | "gretap" | "erspan" | "ip6gre" | "ip6gretap" => Some(&GRE),
        "ipip" | "sit" => Some(&["tx-ipxip4-segmentation"]),
        "ip6tnl" => Some(&["tx-ipxip6-segmentation"]),
        _ => None,
    }
}

/// The tunnels above the device, nearest first, and what each needs.
pub(crate) fn tunnels_above(machine: &Machine) -> impl Iterator<Item = (&Device, &'static [&'static str])> {
    above(machine).filter_map(|device| Some((device, segmentation_inside(device)?)))
}

/// What the tunnels above need; that of UDP where none is known, as most tunnels are.
fn needed_above(machine: &Machine) -> &'static [&'static str] {
    tunnels_above(machine).next().map_or(&UDP, |(_, needed)| needed)
}

/// On the interface itself, whose own TSO is on: `vmnet fix` of it has nothing to do, that of the tunnel has.
fn on_this_device(machine: &Machine) -> Cause {
    let device = &machine.device;
    let tunnel =
        tunnels_above(machine).next().map(|(tunnel, _)| format!("vmnet fix {}", quoted(&tunnel.name)));
    let switch_on = |names: Vec<&'static str>| {
        let by_hand = Action::switch_on(&device.name, names).command();
        Fix::by_hand(&tunnel.into_iter().chain([by_hand]).collect::<Vec<_>>())
    };
    encapsulated(machine, device, needed_above(machine), switch_on)
}

/// On `device`, which the tunnel goes through.
fn encapsulated(
    machine: &Machine,
    device: &Device,
    needed: &[&'static str],
    switch_on: impl FnOnce(Vec<&'static str>) -> Fix,
) -> Cause {
    let set = device.features.as_ref().ok();
    let switchable: Vec<&'static str> = needed
        .iter()
        .copied()
        .filter(|name| {
            set.and_then(|set| set.get(name)).is_some_and(|feature| !feature.fixed() && !feature.active)
        })
        .collect();
    let off = needed.iter().find(|name| set.and_then(|set| set.active(name)) != Some(true));
    let is_udp = needed.iter().any(|name| UDP.contains(name));
    let is_virtio = machine.virtio.is_some() || device.driver.as_deref() == Some("virtio_net");
    let fix = match switchable.is_empty() {
        false => switch_on(switchable),
        true if is_virtio && is_udp => Fix::by_host(host::settings(HostNeed::Tunnel)),
        true => Fix::none(),
    };
    let detail = match off {
        Some(name) if is_virtio && !is_udp => format!(
            "encapsulated super-packets need {name} on {}, which is off: virtio has segmentation inside UDP tunnels alone (VXLAN, GENEVE)",
            device.name
        ),
        Some(name) => format!("encapsulated super-packets need {name} on {}, which is off", device.name),
        // `netif_skb_features` takes `hw_enc_features` for them, which a bridge or another tunnel has none of.
        None => format!(
            "{} takes no encapsulated super-packets, whatever ethtool says: the kernel gives it no features for them (hw_enc_features)",
            device.name
        ),
    };
    Cause {
        id: CauseId::Tunnel,
        share: super::NO_SHARE,
        title: "packets inside a tunnel are segmented: the device cannot segment inside it".to_owned(),
        detail,
        fix,
    }
}
