//! Why, and who can fix it how: every cause, with what there is to copy.

use crate::model::cause::{By, Cause};
use crate::model::shell::Place;
use crate::report::run::why;

/// Causes, and what fixes them by itself.
pub(in crate::report) struct Why {
    /// Why none were looked for.
    pub(in crate::report) unknown: Option<String>,
    pub(in crate::report) told: Vec<Told>,
    pub(in crate::report) by_itself: Option<[String; 2]>,
}

/// One cause.
pub(in crate::report) struct Told {
    pub(in crate::report) id: &'static str,
    pub(in crate::report) share: Option<String>,
    pub(in crate::report) title: String,
    pub(in crate::report) detail: String,
    /// Who can fix it; None where nobody has to.
    pub(in crate::report) by: Option<&'static str>,
    pub(in crate::report) remedies: Vec<Remedy>,
    /// What does nothing here.
    pub(in crate::report) in_vain: Option<String>,
}

/// Something to copy.
pub(in crate::report) struct Remedy {
    /// For which system; empty where there is but one.
    pub(in crate::report) system: String,
    pub(in crate::report) command: String,
}

impl Why {
    pub(in crate::report) fn of(place: Place<'_>, causes: Result<&[Cause], String>) -> Self {
        let (causes, unknown) = match causes {
            Ok(causes) => (causes, None),
            Err(why) => (Default::default(), Some(why)),
        };
        Self {
            unknown,
            told: causes.iter().map(|cause| Told::of(place, cause)).collect(),
            by_itself: why::by_itself(place, causes),
        }
    }

    /// The first of them.
    pub(in crate::report) fn gist(&self) -> &str {
        self.told.first().map_or("no cause was found", |cause| cause.title.as_str())
    }
}

impl Told {
    fn of(place: Place<'_>, cause: &Cause) -> Self {
        let by = match cause.fix.by {
            By::None => None,
            by => Some(by.words()),
        };
        Self {
            id: cause.id.name(),
            share: why::explains(cause),
            title: cause.title.clone(),
            // It may begin with a name, which has no capital.
            detail: if cause.detail.is_empty() { String::new() } else { format!("{}.", cause.detail) },
            by,
            remedies: cause
                .fix
                .commands
                .iter()
                .map(|command| Remedy::of(cause.fix.by, &place.command(command)))
                .collect(),
            in_vain: why::in_vain(place, cause),
        }
    }
}

impl Remedy {
    /// What is set on a host names the system first.
    fn of(by: By, command: &str) -> Self {
        match command.split_once(": ").filter(|_| by == By::Host) {
            Some((system, command)) => Self { system: system.to_owned(), command: command.to_owned() },
            None => Self { system: String::new(), command: command.to_owned() },
        }
    }
}
