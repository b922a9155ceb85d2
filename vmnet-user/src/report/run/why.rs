//! Causes as people read them: why, and who can fix it how. The same words in every command.

use crate::model::cause::{By, Cause, CauseId};
use crate::model::fact::Known as _;
use crate::model::shell::{Place, quoted};
use crate::report::kit::format;

/// Causes told in full; the others are only named.
const TOLD: usize = 3;
/// Settings told for one cause: one line a kind of host.
const SETTINGS: usize = 6;

/// Why: two lines a cause, what it is and what shows it.
#[must_use]
pub fn why(causes: &[Cause]) -> Vec<String> {
    let mut lines = Vec::new();
    for cause in causes.iter().take(TOLD) {
        let share = explains(cause).map(|share| format!(" ({share})")).unwrap_or_default();
        lines.push(format!("{}{share}: {}", cause.id.name(), cause.title));
        if !cause.detail.is_empty() {
            lines.push(format!("  {}", cause.detail));
        }
    }
    if let Some(rest) = causes.get(TOLD..).filter(|rest| !rest.is_empty()) {
        let share = |cause: &Cause| explains(cause).map(|share| format!(" ({share})")).unwrap_or_default();
        let named: Vec<String> =
            rest.iter().map(|cause| format!("{}{}", cause.id.name(), share(cause))).collect();
        lines.push(format!("also: {}", named.join("; ")));
    }
    lines
}

/// `explains 93.1 %`: of the payload that did not go to the device in super-packets.
#[must_use]
pub fn explains(cause: &Cause) -> Option<String> {
    cause.share.known().map(|share| format!("explains {}", format::percent(share)))
}

/// The command that fixes by itself what can be fixed from here, and the one that only shows what it would change.
#[must_use]
pub fn by_itself(place: Place<'_>, causes: &[Cause]) -> Option<[String; 2]> {
    causes.iter().any(|cause| !cause.fix.actions.is_empty()).then(|| {
        let mend = place.vmnet("fix");
        let show = format!("{mend} --dry-run");
        [mend, show]
    })
}

/// What people try and what does nothing here.
#[must_use]
pub fn in_vain(place: Place<'_>, cause: &Cause) -> Option<String> {
    off_for_good(cause.id).then(|| {
        let command = place.command(&format!("ethtool -K {} tso on", quoted(place.interface)));
        format!("{command} cannot work here: the feature is fixed off")
    })
}

/// Who can fix it, and how: for each cause that somebody can fix.
#[must_use]
pub fn mend(place: Place<'_>, causes: &[Cause]) -> Vec<String> {
    let mut lines = Vec::new();
    let worst = causes.get(..TOLD).unwrap_or(causes);
    if let Some([mend, show]) = by_itself(place, worst) {
        lines.push(format!("{mend}  (shows what it would change: {show})"));
    }
    let mut told: Vec<&str> = Vec::new();
    for cause in worst {
        let fix = &cause.fix;
        let fresh: Vec<&str> =
            fix.commands.iter().map(String::as_str).filter(|command| !told.contains(command)).collect();
        told.extend(&fresh);
        match fix.by {
            By::None => {}
            By::Host => {
                lines.push(format!("{}, on the host:", cause.id.name()));
                lines.extend(fresh.iter().take(SETTINGS).map(|setting| format!("  {setting}")));
                lines.extend(in_vain(place, cause).map(|vain| format!("  ({vain})")));
            }
            By::GuestRoot | By::Application => {
                lines.extend(fresh.iter().map(|command| place.command(command)));
            }
        }
    }
    lines
}

/// Where ethtool answers "Could not change any device features".
fn off_for_good(id: CauseId) -> bool {
    matches!(id, CauseId::HostNoCsum | CauseId::HostNoTso)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cause::{Action, Fix};
    use crate::model::fact::Why;

    fn cause(id: CauseId, share: Option<f64>, fix: Fix) -> Cause {
        Cause {
            id,
            share: share.ok_or(Why::KernelSilent),
            title: "what it is".to_owned(),
            detail: "what shows it".to_owned(),
            fix,
        }
    }

    fn by_host() -> Fix {
        Fix { by: By::Host, commands: vec!["QEMU: csum=on".to_owned()], actions: Vec::new() }
    }

    fn by_root() -> Fix {
        let action = Action::switch_on("ens4", ["tx-tcp-segmentation"]);
        Fix { by: By::GuestRoot, commands: vec![action.command()], actions: vec![action] }
    }

    #[test]
    fn a_cause_is_told_with_its_share_and_what_shows_it() {
        let lines = why(&[cause(CauseId::HostNoCsum, Some(0.9984), by_host())]);
        assert_eq!(lines, ["host-no-csum (explains 99.8 %): what it is", "  what shows it"]);
    }

    #[test]
    fn a_fourth_cause_is_only_named() {
        let causes = vec![cause(CauseId::SgOff, None, by_root()); 4];
        assert_eq!(why(&causes).last().unwrap(), "also: sg-off");
    }

    #[test]
    fn what_root_can_mend_is_one_command_and_the_same_by_hand_once() {
        let causes = [cause(CauseId::TurnedOff, None, by_root()), cause(CauseId::CsumOff, None, by_root())];
        let lines = mend(Place { interface: "ens4", netns: None }, &causes);
        assert!(lines[0].starts_with("vmnet fix ens4"));
        assert_eq!(lines[1..], ["ethtool -K ens4 tx-tcp-segmentation on"]);
    }

    #[test]
    fn what_the_host_has_to_mend_says_that_the_usual_remedy_does_nothing_here() {
        let lines =
            mend(Place { interface: "a;b", netns: None }, &[cause(CauseId::HostNoCsum, None, by_host())]);
        assert_eq!(lines[0], "host-no-csum, on the host:");
        assert_eq!(lines[1], "  QEMU: csum=on");
        assert!(lines[2].contains("ethtool -K 'a;b' tso on cannot work here"));
        assert!(!lines.iter().any(|line| line.contains("vmnet fix")));
    }
}
