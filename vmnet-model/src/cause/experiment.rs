//! Which experiment switches what a cause stands for.

use super::{Action, Cause, CauseId};

/// Options of `vmnet ab` under which the interface is with and without what the cause that explains most stands for; "" where TSO itself is what to
/// switch. None where nothing that an experiment could switch on this interface makes the difference: the host, a device above or below, a qdisc.
#[must_use]
pub fn experiment(causes: &[Cause], interface: &str) -> Option<String> {
    let Some(chief) = causes.iter().find(|cause| cause.id != CauseId::NotTheBottleneck) else {
        return Some(String::new());
    };
    let builds_none = |cause: &Cause| cause.id == CauseId::NotBuilt && !cause.fix.actions.is_empty();
    if chief.id != CauseId::NotBuilt && causes.iter().any(builds_none) {
        return None;
    }
    match chief.id {
        CauseId::Unexplained => Some(String::new()),
        CauseId::SgOff => Some("--feature sg".to_owned()),
        CauseId::CsumOff => Some("--feature tx".to_owned()),
        CauseId::TurnedOff | CauseId::OneFamily => {
            chief.fix.actions.iter().any(|action| action.switches(interface)).then(String::new)
        }
        CauseId::NotBuilt => chief.fix.actions.iter().find_map(|action| match action {
            Action::GsoLimits { gso_max_segs: Some(segs), .. } => {
                Some(format!("--feature gso_max_segs --levels 1,{segs}"))
            }
            _ => None,
        }),
        _ => None,
    }
}

impl Action {
    fn switches(&self, of: &str) -> bool {
        matches!(self, Self::Features { interface, .. } if interface == of)
    }
}
