//! Where a closer look is worth it, and what to type.

use super::{Hint, Listed, NamespaceReport};
use crate::model::offload::Offload;

/// Less than this sent, and a device of software is nobody's bottleneck.
const LEAST_BYTES: u64 = 1 << 20;

/// What is odd about an interface, by its flags and limits.
#[must_use]
pub fn of(interface: &Listed) -> Option<Hint> {
    let carries = interface.terminal || interface.tx_bytes >= LEAST_BYTES;
    if !interface.up || interface.loopback || !carries {
        return None;
    }
    if interface.limits.gso_max_segs == Some(1) {
        return hint("gso_max_segs is 1: TCP builds no super-packets for it", "doctor");
    }
    if interface.limits.gso_max_size.is_some_and(|bytes| bytes <= interface.mtu) {
        return hint("gso_max_size is no more than a packet: TCP builds no super-packets for it", "doctor");
    }
    let families = [("IPv4", &interface.tso_ipv4), ("IPv6", &interface.tso_ipv6)];
    let off: Vec<(&str, Offload)> = families
        .into_iter()
        .filter_map(|(family, tso)| Some((family, *tso.as_ref().ok()?)))
        .filter(|(_, tso)| !tso.active())
        .collect();
    let (family, first) = *off.first()?;
    let what = if off.len() == 2 { "TSO".to_owned() } else { format!("TSO over {family}") };
    match first {
        Offload::Off => hint(&format!("{what} is switched off here"), "check"),
        Offload::OffThoughWanted => hint(&format!("{what} is wanted, and something keeps it off"), "doctor"),
        Offload::OffFixed if interface.driver.as_deref() == Some("virtio_net") => {
            hint(&format!("{what} is not offered by the host"), "doctor")
        }
        Offload::OffFixed => hint(&format!("{what} is not in what its driver can do"), "doctor"),
        Offload::On | Offload::OnFixed => None,
    }
}

fn hint(text: &str, command: &str) -> Option<Hint> {
    Some(Hint { text: text.to_owned(), command: command.to_owned() })
}

/// The command that tells most: `subcommand` on the caller's own interface that is odd and carries traffic out of this machine, else on
/// that which sent most. As words; empty where there is none.
#[must_use]
pub fn next(namespaces: &[NamespaceReport], subcommand: &str) -> Vec<String> {
    let own = namespaces.iter().filter(|namespace| namespace.own);
    let interfaces = own.filter_map(|namespace| namespace.interfaces.as_ref().ok()).flatten();
    let best = interfaces.max_by_key(|it| (!it.loopback, it.up, it.terminal, it.hint.is_some(), it.tx_bytes));
    best.map(|it| ["vmnet", subcommand, &it.name].map(str::to_owned).to_vec()).unwrap_or_default()
}
