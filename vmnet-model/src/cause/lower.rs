//! `turned-off`, of a device below: one that stands above others keeps TSO for what the kernel can segment in software (`netdev_increment_features`, bridge and
//! macvlan), so that its own features do not tell.

use super::{Cause, CauseId, Evidence, Fix, Found, remedy::switch_all_on};
use crate::shell::quoted;
use crate::{
    breaks::{Break, Family, breaks_of},
    chain::Asked,
    machine::Relation,
};

/// Super-packets made by hand that were segmented though the interface's own TSO is on: the nearest device below whose TSO is not.
pub(super) fn segmented_below(evidence: &Evidence<'_>) -> Vec<Found> {
    let (machine, answers) = (evidence.machine, evidence.answers);
    let cut = |family: &Family| {
        let asked = match family {
            Family::Ipv4 => answers.ipv4,
            Family::Ipv6 => answers.ipv6,
        };
        asked == Asked::Segmented && evidence.broken(*family).is_none()
    };
    if evidence.traffic.is_some() {
        return Vec::new();
    }
    let families: Vec<Family> = Family::ALL.into_iter().filter(cut).collect();
    let mut below: Vec<_> = machine.stack.iter().filter(|at| at.relation == Relation::Below).collect();
    below.sort_by_key(|at| at.distance);
    let broken = |family: &Family| {
        below.iter().find_map(|at| {
            let first = breaks_of(&at.device, machine, *family)?.first().copied()?;
            Some((&at.device, first))
        })
    };
    let Some((device, link)) = families.iter().find_map(broken) else { return Vec::new() };
    let name = &device.name;
    let can_be_switched =
        !matches!(link, Break::DriverHasNone | Break::NotOffered | Break::NoChecksumOffered);
    let cause = Cause {
        id: if can_be_switched { CauseId::TurnedOff } else { CauseId::DriverNoTso },
        share: super::NO_SHARE,
        title: if can_be_switched {
            format!("TSO is turned off on {name}, below {}", machine.device.name)
        } else {
            format!("{name}, below {}, has no TSO", machine.device.name)
        },
        detail: format!(
            "{} hands super-packets on whole, and the kernel segments them for {name}",
            machine.device.name
        ),
        fix: if can_be_switched {
            Fix::by_root(switch_all_on(device))
        } else {
            Fix::by_hand(&[format!("vmnet doctor {}", quoted(name))])
        },
    };
    vec![Found { cause, bytes: None }]
}
