//! `driver-param`, `turned-off`, `csum-off`, `sg-off` (and `one-family`, `vlan-stack` where they come from here): what can be
//! switched, and is off.

use super::remedy::{reload, switch_all_on, takes_after_ports};
use super::{Action, By, Cause, CauseId, Evidence, Fix, Found};
use crate::shell::quoted;
use crate::{
    breaks::{Break, Family, SCATTER_GATHER},
    machine::{Device, Machine, Relation},
};

/// Payload that was segmented because the TSO of these families is not active. None where no traffic was seen.
pub(super) fn lost(evidence: &Evidence<'_>, families: &[Family]) -> Option<u64> {
    let mut sum = 0_u64;
    for family in families {
        sum = sum.saturating_add(evidence.lost_to_tso_off(*family)?);
    }
    Some(sum)
}

/// Whether the other family's TSO was on, all the time.
pub(super) fn other_is_on(evidence: &Evidence<'_>, family: Family) -> bool {
    Family::ALL.into_iter().filter(|other| *other != family).all(|other| evidence.broken(other).is_none())
}

/// One cause for each broken link that root can fix, with the families that it breaks. The first link of a family's chain takes
/// its bytes; what is broken behind it is named, without a share.
pub(super) fn switched_off(evidence: &Evidence<'_>) -> Vec<Found> {
    let mut found: Vec<(Break, Vec<Family>, Vec<Family>, bool)> = Vec::new();
    for family in Family::ALL {
        let Some(broken) = evidence.broken(family) else { continue };
        for (place, link) in broken.links.iter().enumerate() {
            let index = found.iter().position(|(known, ..)| known == link).unwrap_or_else(|| {
                found.push((*link, Vec::new(), Vec::new(), broken.mended_since));
                found.len() - 1
            });
            if let Some((_, first, behind, _)) = found.get_mut(index) {
                if place == 0 { first.push(family) } else { behind.push(family) }
            }
        }
    }
    found
        .into_iter()
        .filter_map(|(link, first, behind, mended_since)| {
            let families = if first.is_empty() { &behind } else { &first };
            let mut cause = describe(evidence, link, families)?;
            if first.is_empty() {
                cause.say_that_it_is_hidden();
            }
            if mended_since {
                cause.detail.push_str("; it was so when the run began, and was fixed meanwhile");
            }
            let bytes = if first.is_empty() { None } else { lost(evidence, &first) };
            Some(Found { cause, bytes })
        })
        .collect()
}

fn describe(evidence: &Evidence<'_>, link: Break, families: &[Family]) -> Option<Cause> {
    let machine = evidence.machine;
    let device = &machine.device;
    let which = match families {
        [family] => format!(" for {}", family.name()),
        _ => String::new(),
    };
    let features: Vec<&str> = families.iter().map(|family| family.feature()).collect();
    let listed = features.join(" and ");
    let one_of_two = matches!(families, [family] if other_is_on(evidence, *family));
    let (id, title, detail) = match link {
        Break::ParameterCsum => (
            CauseId::DriverParam,
            "virtio_net was loaded with csum=N: checksumming starts off, and TSO with it".to_owned(),
            "/sys/module/virtio_net/parameters/csum is N; the host offers it, and it can be switched on"
                .to_owned(),
        ),
        Break::ParameterGso => (
            CauseId::DriverParam,
            "virtio_net was loaded with gso=N: TSO starts off".to_owned(),
            "/sys/module/virtio_net/parameters/gso is N; the host offers TSO, and it can be switched on"
                .to_owned(),
        ),
        Break::NotWanted => (
            if one_of_two { CauseId::OneFamily } else { CauseId::TurnedOff },
            format!("TSO{which} is turned off on {}", device.name),
            format!("{listed}: switchable, and not requested{}", who(machine)),
        ),
        Break::ChecksumOff => (
            CauseId::CsumOff,
            "transmit checksumming is off, and TSO depends on it".to_owned(),
            format!(
                "{listed}: drops out while transmit checksumming is off (ethtool shows it as requested){}",
                who(machine)
            ),
        ),
        Break::ScatterGatherOff => (
            CauseId::SgOff,
            "scatter-gather is off, and TSO depends on it".to_owned(),
            format!(
                "{listed}: drops out while {SCATTER_GATHER} is off (ethtool shows it as requested){}",
                who(machine)
            ),
        ),
        Break::Below if takes_after_ports(device) => (
            CauseId::TurnedOff,
            format!("{} has no TSO{which}: it has what its ports have", device.name),
            match ports(machine) {
                ports if ports.is_empty() => {
                    format!("{listed}: wanted and not active, and {} has no port", device.name)
                }
                ports => {
                    let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
                    match lacking(&ports, families).as_slice() {
                        [] => format!(
                            "{listed}: wanted and not active, as not all ports have it; the ports: {}",
                            names.join(", ")
                        ),
                        lacking => format!(
                            "{listed}: wanted and not active, as {} of its ports {} not have it on: {}",
                            lacking.len(),
                            if lacking.len() == 1 { "does" } else { "do" },
                            lacking.iter().map(|port| port.name.as_str()).collect::<Vec<_>>().join(", ")
                        ),
                    }
                }
            },
        ),
        Break::Below => (
            CauseId::VlanStack,
            format!("{} does not get TSO{which} from the device below it", device.name),
            format!(
                "{listed}: wanted and not active; a stacked device has only what the device below passes on to those above it, \
                 which for a vlan was fixed when its driver probed (vlan_features)"
            ),
        ),
        Break::Dropped if is_tun(device) => (
            CauseId::TurnedOff,
            format!("the program at the other end of {} takes no super-packets{which}", device.name),
            format!(
                "{listed}: wanted and not active; a tap or tun has only what the program that holds it asked for (TUNSETOFFLOAD), and nothing \
                 before it asks"
            ),
        ),
        Break::Dropped => (
            CauseId::TurnedOff,
            format!("TSO{which} is requested on {}, and the kernel dropped it", device.name),
            format!("{listed}: wanted and not active, and neither checksumming nor scatter-gather is off"),
        ),
        Break::NoChecksumOffered | Break::NotOffered | Break::DriverHasNone => return None,
    };
    let fix = match link {
        Break::Below if takes_after_ports(device) => {
            let ports = ports(machine);
            let lacking = lacking(&ports, families);
            let actions: Vec<Action> = lacking.iter().flat_map(|port| switch_all_on(port)).collect();
            let doctor = |port: &&Device| format!("vmnet doctor {}", quoted(&port.name));
            // One that cannot be switched has a reason of its own.
            if actions.is_empty() || actions.len() < lacking.len() {
                let asked = if lacking.is_empty() { &ports } else { &lacking };
                Fix::by_hand(&asked.iter().map(doctor).collect::<Vec<_>>())
            } else {
                Fix::by_root(actions)
            }
        }
        Break::Below => reload(machine),
        Break::Dropped if is_tun(device) => Fix {
            by: By::Application,
            commands: vec![
                "have it open the device with IFF_VNET_HDR and ask for TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6; QEMU: -netdev tap,vnet_hdr=on, and \
                 the guest's driver takes what it is offered"
                    .to_owned(),
            ],
            actions: Vec::new(),
        },
        Break::Dropped => {
            Fix::by_hand(&["dmesg | grep -i features: the kernel logs what it dropped, and why".to_owned()])
        }
        Break::ParameterCsum | Break::ParameterGso => {
            let mut fix = Fix::by_root(switch_all_on(device));
            fix.commands.push(
                "for good: remove csum=N and gso=N from the options of virtio_net (/etc/modprobe.d, the kernel's command line)"
                    .to_owned(),
            );
            fix
        }
        _ => by_root_on(device, switch_all_on(device)),
    };
    Some(Cause { id, share: super::NO_SHARE, title, detail, fix })
}

/// Those next below.
fn ports(machine: &Machine) -> Vec<&Device> {
    let below = machine.stack.iter().filter(|at| at.relation == Relation::Below && at.distance == 1);
    below.map(|at| &at.device).collect()
}

/// Those without the TSO of one of these families.
fn lacking<'a>(ports: &[&'a Device], families: &[Family]) -> Vec<&'a Device> {
    let lacks = |port: &Device| {
        let set = port.features.as_ref().ok();
        families.iter().any(|family| set.and_then(|set| set.active(family.feature())) == Some(false))
    };
    ports.iter().copied().filter(|port| lacks(port)).collect()
}

/// By root, who cannot give a tap what its reader does not take: both look the same from here (`set_offload` in tun.c changes what is wanted, too).
pub(super) fn by_root_on(device: &Device, actions: Vec<Action>) -> Fix {
    let mut fix = Fix::by_root(actions);
    if is_tun(device) {
        fix.commands.push(
            "where that does not take: the program that holds the device has to ask for it (TUNSETOFFLOAD); of a virtual machine's tap it is what the \
             guest's driver takes"
                .to_owned(),
        );
    }
    fix
}

/// A tap is one too.
fn is_tun(device: &Device) -> bool {
    device.kind.as_deref() == Some("tun")
}

/// The files that turn it off, if any were found.
fn who(machine: &Machine) -> String {
    let mut culprits = machine.setters.iter().filter(|setter| setter.turns_off).peekable();
    if culprits.peek().is_none() {
        return String::new();
    }
    let listed: Vec<String> =
        culprits.take(3).map(|setter| format!("{}:{} ({})", setter.path, setter.line, setter.text)).collect();
    format!("; set by {}", listed.join(", "))
}
