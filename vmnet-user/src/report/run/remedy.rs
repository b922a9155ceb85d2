//! Why and what to do about it, in the few rows of a screen. The same words in every command.

use crate::model::cause::{By, Cause, CauseId};
use crate::model::shell::inside;
use crate::report::kit::format;
use crate::report::kit::screen::Screen;
use crate::report::kit::typed::Typed;

/// A line that is longer is not pasted by eye, and is left to `-v`.
const LONGEST_BESIDE: usize = 78;

/// Rows `Why` and `Fix`, of the cause that explains most; how many others there are. Gives whether `vmnet fix` can help.
pub(in crate::report) fn rows(screen: &mut Screen, interface: &str, causes: &[Cause], typed: &Typed) -> bool {
    rows_as("Why", screen, interface, causes, typed)
}

/// The same where the answer is not known, so that what was found is not why.
pub(in crate::report) fn rows_as(
    label: &str,
    screen: &mut Screen,
    interface: &str,
    causes: &[Cause],
    typed: &Typed,
) -> bool {
    let causes: Vec<&Cause> = causes.iter().filter(|cause| cause.id != CauseId::NotTheBottleneck).collect();
    let Some((chief, others)) = causes.split_first() else { return false };
    let more = match others.len() {
        0 => String::new(),
        1 => "; 1 more cause: -v".to_owned(),
        several => format!("; {several} more causes: -v"),
    };
    screen.row(label, &format!("{}{more}", format::capitalised(&chief.title)));
    // What root here can fix is one command for all that it can.
    if causes.iter().any(|cause| !cause.fix.actions.is_empty()) {
        let fix = typed.vmnet("fix", interface, "");
        let by_hand = chief.fix.commands.first().filter(|_| typed.netns.is_none());
        let beside = by_hand.map(|command| format!("{fix}   (= {command})"));
        screen.command("Fix", &beside.filter(|line| line.len() < LONGEST_BESIDE - 11).unwrap_or(fix));
        return true;
    }
    let Some(first) = chief.fix.commands.first() else { return false };
    match chief.fix.by {
        By::None => {}
        By::Host => {
            let settings = match chief.fix.commands.len() {
                0 | 1 => String::new(),
                several => format!("   ({} for other hosts: -v)", several - 1),
            };
            screen.row("Fix", &format!("on the host. {first}{settings}"));
        }
        By::GuestRoot => screen.command("Fix", &inside(typed.netns.as_deref(), first)),
        By::Application => screen.row("Fix", &format!("in the application: {first}")),
    }
    false
}
