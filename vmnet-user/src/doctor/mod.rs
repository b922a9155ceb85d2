//! The diagnosis without traffic: what the machine says of itself, and what it does with super-packets made by hand.

pub mod watch;

use crate::device::interface::describe;
use crate::model::fact::Why;
use crate::report::kit::json::Explained as _;
use crate::{
    check::{self, CheckError, Options},
    device::{
        facts,
        links::{LinkError, LinkReader},
    },
    kernel::permissions,
    model::{
        cause::{self, Cause, Evidence},
        chain::{self, Answers},
        checklist,
        machine::Machine,
    },
    report::{check::CheckReport, doctor::DoctorReport},
};

/// Why there is no diagnosis.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// The interface cannot be read.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The machine cannot be read.
    #[error(transparent)]
    Machine(#[from] crate::device::driver::DriverError),
}

/// The causes that the machine and the answers show.
#[must_use]
pub fn causes(machine: &Machine, answers: Answers) -> Vec<Cause> {
    cause::find(&Evidence { machine, before: None, traffic: None, answers })
}

/// Asks an interface, and says why where super-packets are segmented.
///
/// # Errors
/// As [`check::check`].
pub fn check(interface: &str, options: &Options) -> Result<CheckReport, CheckError> {
    ask(interface, options, facts::read(interface))
}

/// The same for a process that does nothing else: with the machine read first, as that takes privileges that asking does not.
///
/// # Errors
/// As [`check::check`].
pub fn check_and_no_more(interface: &str, options: &Options) -> Result<CheckReport, CheckError> {
    let machine = facts::read(interface);
    permissions::drop_privileges_but_asking();
    ask(interface, options, machine)
}

fn ask(
    interface: &str,
    options: &Options,
    machine: Result<Machine, LinkError>,
) -> Result<CheckReport, CheckError> {
    let mut report = check::check(interface, options)?;
    report.causes = machine.map(|machine| causes(&machine, report.answers())).map_err(Why::said);
    report.explain();
    Ok(report)
}

/// Examines an interface in the network namespace of the calling thread, and gives up what privileges that takes no more. `ask`: whether to send it super-packets.
///
/// # Errors
/// When there is no such interface. What else cannot be read is a reason in its place.
pub fn examine(interface: &str, netns: Option<&str>, ask: bool) -> Result<DoctorReport, DoctorError> {
    let link = LinkReader::open()?.link(interface)?;
    let described = describe(&link, netns)?;
    let machine = facts::read(interface)?;
    permissions::drop_privileges_but_asking();
    let asked = if ask {
        check::check(interface, &Options { netns: netns.map(str::to_owned), ..Options::default() })
            .map_err(|error| format!("not asked: {error}"))
    } else {
        Err("nobody asked (--no-check)".to_owned())
    };
    let (answers, why_not) = match &asked {
        Ok(report) => (report.answers(), report.summary.clone()),
        Err(why) => (Answers::NONE, why.clone()),
    };
    let chain = chain::links(&machine, answers, &why_not);
    let causes = causes(&machine, answers);
    let checklist = checklist::of(&machine);
    Ok(DoctorReport::new(described, chain, causes, checklist, machine))
}
