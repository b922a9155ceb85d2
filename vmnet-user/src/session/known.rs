//! What a run knows at its beginning and at its end, from those who know it.

use std::collections::BTreeMap;

use jiff::Zoned;

use super::{
    Ending, Plan, child, private,
    sampler::{RunTimes, Sampler},
};
use crate::device::facts;
use crate::device::links::LinkReader;
use crate::model::fact::Why;
use crate::model::hook::{HookReport, HookState, Program};
use crate::probes::events::RareEvent;
use crate::probes::{HookOutcome, Probes};
use crate::recording::{CommandEnded, End, Event, Start, Surroundings};

/// Of what a command printed this much goes into the report.
const MOST_STDOUT: usize = 64 << 10;

/// When the first sample has been taken.
pub(super) fn start(
    plan: &Plan,
    sampler: &Sampler,
    notes: &[String],
    time: &Zoned,
    machine: Surroundings,
    rested: bool,
) -> Start {
    let unreadable: BTreeMap<String, String> =
        sampler.unreadable.iter().map(|(part, reason)| ((*part).to_owned(), reason.clone())).collect();
    Start {
        vmnet: env!("CARGO_PKG_VERSION").to_owned(),
        time: time.timestamp().to_string(),
        interface: sampler.interface(plan.netns.as_deref()),
        conditions: sampler.conditions().clone(),
        rested,
        fell_because: notes.to_vec(),
        hooks: hooks(sampler, None),
        command: if plan.private { private::words(&plan.command) } else { plan.command.clone() },
        private: plan.private,
        interval_s: plan.interval.as_secs_f64(),
        machine,
        unreadable,
        rx_bytes: rx_bytes(sampler.called()),
    }
}

/// When all is over.
pub(super) fn end(
    plan: &Plan,
    sampler: &Sampler,
    ended_by: &Ending,
    drained: bool,
    child: Option<&Result<child::Ended, String>>,
) -> End {
    let times = sampler.run_times();
    End {
        ended_by: ended_by.kind(),
        cut_short: ended_by.cut_short().map(str::to_owned),
        drained,
        qdisc: sampler.interface(None).qdisc,
        machine: machine(sampler.called()),
        senders: sampler.senders().cloned(),
        hooks: hooks(sampler, times.as_ref()),
        overhead: sampler.overhead(),
        counting: Some(sampler.counting()),
        command: child.map(|ended| match ended {
            Ok(ended) if plan.private => Ok(private::ended(command_ended(ended))),
            Ok(ended) => Ok(command_ended(ended)),
            Err(error) => Err(error.clone()),
        }),
        rx_bytes: rx_bytes(sampler.called()),
        verdict: None,
    }
}

/// Since it was made; None where it cannot be read.
fn rx_bytes(interface: &str) -> Option<u64> {
    Some(LinkReader::open().ok()?.link(interface).ok()?.rx_bytes)
}

/// The machine around the interface, which takes some milliseconds to read.
pub(super) fn machine(interface: &str) -> Surroundings {
    match facts::read(interface) {
        Ok(machine) => Surroundings { machine: Some(machine), unread: None },
        Err(error) => Surroundings { machine: None, unread: Some(error.to_string()) },
    }
}

/// As the recording has it; None for what was before the run.
pub(super) fn event(sampler: &Sampler, event: &RareEvent) -> Option<Event> {
    Some(Event { t_ns: sampler.ns_of(event.time_ns)?, cpu: event.cpu, what: event.what })
}

fn command_ended(ended: &child::Ended) -> CommandEnded {
    let text = String::from_utf8_lossy(&ended.stdout);
    CommandEnded::new(ended.exit_code, ended.signal, &text, MOST_STDOUT / 4)
}

fn hooks(sampler: &Sampler, times: Option<&RunTimes<'_>>) -> Vec<HookReport> {
    let Some(attached) = &sampler.attached else { return Vec::new() };
    attached.hooks.iter().flat_map(|outcome| hook_reports(&attached.probes, outcome, times)).collect()
}

/// A hook, program by program; one line where none is attached. Why something was not counted shows only beside the other hooks, in the report.
fn hook_reports(probes: &Probes, outcome: &HookOutcome, times: Option<&RunTimes<'_>>) -> Vec<HookReport> {
    let blank = HookReport {
        hook: outcome.spec.name.to_owned(),
        kind: "none".to_owned(),
        state: outcome.state,
        events: Err(Why::KernelSilent),
        ns_per_event: Err(Why::KernelSilent),
        net_ns_per_event: Err(Why::KernelSilent),
        instructions: None,
        reason: outcome.reason.clone(),
    };
    let Some(way) = outcome.way.filter(|_| outcome.state == HookState::Attached) else { return vec![blank] };
    let report = |program: &Program| {
        let time = times.and_then(|times| times.of_each.iter().find(|time| time.program == program.name));
        let is_whole = times.is_some_and(|times| times.are_of_the_whole_run);
        let gross = time.and_then(|time| time.run.ns_per_event());
        let empty = time.and_then(|time| time.empty?.ns_per_event());
        HookReport {
            kind: program.kind.name().to_owned(),
            events: time.filter(|_| is_whole).map(|time| time.run.events).ok_or(Why::KernelSilent),
            ns_per_event: gross.ok_or(Why::KernelSilent),
            // Below nothing only by the noise of the clock.
            net_ns_per_event: gross
                .zip(empty)
                .map(|(gross, empty)| (gross - empty).max(0.0))
                .ok_or(Why::KernelSilent),
            instructions: probes.instructions(program),
            ..blank.clone()
        }
    };
    way.programs.iter().map(report).collect()
}
