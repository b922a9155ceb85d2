//! Before the benchmark runs: each arm is set once, read back, and asked with a few super-packets whether it brings about what it is there for. An
//! experiment whose treatment does not take would measure nothing, for as long as it takes.

use super::{
    Observer, Plan, Targets,
    suspend::suspend,
    switch::{Switch, SwitchError},
};
use crate::{
    check::Options,
    device::facts,
    doctor,
    fix::Kernel,
    model::{
        breaks::Family,
        cause::Cause,
        chain::{Answers, Asked},
        checked,
        experiment::{Arm, expected},
        fix::{DeviceState, Followed, followed},
        verdict::State,
    },
    report::ab::schema::EndedBy,
    session::Stop,
};

/// Whether every arm takes.
pub(super) enum Readied {
    /// Each does.
    Every(Ready),
    /// One does not, or something else came between.
    Not {
        /// Why.
        why: String,
        /// As what it ends the experiment.
        ended_by: EndedBy,
        /// Why the treatment did not take.
        causes: Vec<Cause>,
    },
}

/// What is known of arms that take.
#[derive(Default)]
pub(super) struct Ready {
    /// What changed besides what an arm names, arm by arm.
    pub(super) followed: Vec<Vec<Followed>>,
    /// What could not be asked.
    pub(super) notes: Vec<String>,
}

pub(super) async fn ready<K: Kernel>(
    plan: &Plan,
    targets: &Targets,
    switch: &mut Switch<'_, K>,
    stop: &mut Stop,
    observer: &mut dyn Observer,
) -> Readied {
    let mut ready = Ready::default();
    observer.note("setting each arm once, and asking the driver whether it takes");
    for (arm, target) in targets.design.arms.iter().zip(&targets.states) {
        if let Some(signal) = stop.came().await {
            let why = format!("{signal} came before the benchmark was run");
            return Readied::Not { why, ended_by: EndedBy::Interrupt, causes: Vec::new() };
        }
        if stop.take_suspension() {
            suspend(switch, observer);
        }
        let Ok(target) = target else { continue };
        let settled = match switch.to(target) {
            Ok(settled) => settled,
            Err(SwitchError::Device(why)) => {
                return Readied::Not { why, ended_by: EndedBy::InterfaceGone, causes: Vec::new() };
            }
            Err(SwitchError::NotTaken(lines)) => {
                let why = format!("{} did not take: {}", arm.name, lines.join("; "));
                let causes = causes(&plan.run.interface);
                return Readied::Not { why, ended_by: EndedBy::TreatmentNotTaken, causes };
            }
        };
        ready.followed.push(besides(switch.before(), target, &settled));
        match asked(plan, arm, &settled) {
            Answer::Takes => {}
            Answer::NotKnown(why) => {
                let note = format!("whether {} takes was not asked beforehand: {why}", arm.name);
                if !ready.notes.contains(&note) {
                    ready.notes.push(note);
                }
            }
            Answer::DoesNot { why, causes } => {
                return Readied::Not { why, ended_by: EndedBy::TreatmentNotTaken, causes };
            }
        }
    }
    Readied::Every(ready)
}

/// What changed and was not named.
fn besides(before: &DeviceState, target: &DeviceState, settled: &DeviceState) -> Vec<Followed> {
    let named: Vec<String> = target
        .features
        .iter()
        .filter(|feature| {
            before.features.get(&feature.name).is_some_and(|before| before.wanted != feature.wanted)
        })
        .map(|feature| feature.name.clone())
        .collect();
    followed(before, settled, &named)
}

/// What the driver says.
enum Answer {
    Takes,
    NotKnown(String),
    DoesNot { why: String, causes: Vec<Cause> },
}

fn asked(plan: &Plan, arm: &Arm, settled: &DeviceState) -> Answer {
    let expectations = Family::ALL.map(|family| (family, expected(arm, settled, family)));
    if expectations.iter().all(|(_, state)| state.is_none()) {
        return Answer::Takes;
    }
    let options = Options { netns: plan.run.netns.clone(), ..Options::default() };
    let report = match doctor::check(&plan.run.interface, &options) {
        Ok(report) => report,
        Err(error) => return Answer::NotKnown(error.to_string()),
    };
    let answers = report.answers();
    let mut not_known = None;
    for (family, expected) in expectations {
        let Some(expected) = expected else { continue };
        let answer = match family {
            Family::Ipv4 => answers.ipv4,
            Family::Ipv6 => answers.ipv6,
        };
        let found = match answer {
            _ if report.state == checked::State::NotBuilt => State::NotBuilt,
            Asked::Whole => State::Engaged,
            Asked::Segmented => State::Software,
            Asked::Unknown => {
                not_known = Some(report.summary.clone());
                continue;
            }
        };
        if expected != found {
            let why = format!(
                "under {}, super-packets over {} were to be {}, and are {}",
                arm.name,
                family.name(),
                became(expected),
                became(found)
            );
            let why = if found == State::NotBuilt { format!("{why}: {}", report.summary) } else { why };
            return Answer::DoesNot { why, causes: report.causes.unwrap_or_default() };
        }
    }
    not_known.map_or(Answer::Takes, Answer::NotKnown)
}

fn became(state: State) -> &'static str {
    match state {
        State::Engaged => "given to the driver whole",
        State::NotBuilt => "not built at all",
        _ => "segmented in software",
    }
}

fn causes(interface: &str) -> Vec<Cause> {
    facts::read(interface).map(|machine| doctor::causes(&machine, Answers::NONE)).unwrap_or_default()
}
