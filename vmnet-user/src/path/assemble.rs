//! From what was counted to the report.

use anyhow::Result;
use jiff::Zoned;

use super::{
    Plan, Ran, Target,
    watch::{self, Part},
    way::{self, Stop, Way},
    world::World,
};
use crate::{
    model::{
        cause::Cause,
        fact::{Fact, Why},
        interface::Interface,
        machine::{Device, Machine},
        path::{self, Counts, Named, Own, Seen, Side, Step},
        shell::quoted,
        units::percent,
    },
    probes::path::PathProbes,
    report::{
        kit::json::Explained as _,
        path::{LeftOut, Namespace, PathReport, Probes, Queued, SCHEMA, StepReport, Window},
    },
};

const NOTHING_SENT_ON: Why = Why::is("nothing is sent on from here, so that there is no queue to count at");

/// A device and the machine around it, before anything was sent.
pub(super) type Known = Result<(Interface, Machine)>;

/// All that is known when it is over.
pub(super) struct Watched<'a> {
    pub(super) way: &'a Way,
    pub(super) slots: &'a [usize],
    pub(super) machines: Vec<Known>,
    pub(super) ran: &'a Ran,
    /// None where nothing is sent on from here.
    pub(super) probes: Option<&'a PathProbes>,
}

/// Reads them while it may be done.
pub(super) fn machines(world: &World, stops: &[Stop]) -> Vec<Known> {
    let of = |stop: &Stop| match world.known(stop.inode) {
        Some(place) => place.facts(&stop.name),
        None => Err(anyhow::anyhow!("its namespace cannot be entered")),
    };
    stops.iter().map(of).collect()
}

/// The devices in the order of the way.
pub(super) fn introduction(world: &World, way: &Way, slots: &[usize]) -> String {
    let watched = slots.iter().filter_map(|slot| way.stops.get(*slot));
    let mut said = String::new();
    let mut last = None;
    for stop in watched {
        if last != Some(stop.inode) {
            last = Some(stop.inode);
            let name = world.known(stop.inode).map_or("?", |place| place.name.as_str());
            said.push_str(&format!("{}{name}:", if said.is_empty() { "" } else { "  " }));
        }
        said.push_str(&format!(" {}", stop.name));
    }
    said
}

/// All of it as one value.
pub(super) fn report(plan: &Plan, world: &mut World, start: &Zoned, watched: Watched<'_>) -> PathReport {
    let Watched { way, slots, machines, ran, probes } = watched;
    let parts = watch::over_windows(&way.stops, slots, &ran.windows);
    let (kept, left_out) = taken(&way.stops, slots, &parts);
    let mut known = Vec::new();
    let mut seen = Vec::new();
    for (index, machine) in machines.into_iter().enumerate() {
        let (Some(stop), Some(part)) = (way.stops.get(index), parts.get(index)) else { continue };
        if !kept.contains(&index) {
            continue;
        }
        let after = after(&way.stops, &kept, stop);
        let device = machine.as_ref().ok().map(|(_, machine)| &machine.device);
        let is_hooked = probes.is_some_and(|probes| probes.segmentation.is_ok());
        seen.push(sight(stop, part, device, after, is_hooked));
        known.push((stop, part, machine));
    }
    let steps = path::judge(&seen);
    let in_one_namespace =
        known.iter().all(|(stop, ..)| Some(stop.inode) == known.first().map(|(first, ..)| first.inode));
    let names: Vec<Named> = known
        .iter()
        .map(|(stop, ..)| Named {
            device: stop.name.clone(),
            namespace: (!in_one_namespace).then(|| namespace(world, stop).name),
        })
        .collect();
    let verdict = path::verdict(&seen, &steps, &names);
    let branches = path::branches(&seen, &steps);
    let mut notes = way.notes.clone();
    let unwatched = way.stops.iter().filter(|stop| stop.side == way::Side::Transmit).count() - slots.len();
    if unwatched != 0 {
        notes.push(format!(
            "{} devices at most can be watched at once: {unwatched} more were not",
            vmnet_common::SLOTS
        ));
    }
    let mut reports = Vec::new();
    for ((stop, part, machine), (seen, step)) in known.iter().zip(seen.iter().zip(&steps)) {
        if let Err(why) = machine {
            notes.push(format!("{} could not be read: {why:#}", stop.name));
        }
        let is_first = reports.is_empty();
        reports.push(step_report(world, stop, part, machine, (seen, step), is_first));
    }
    let left_out = left_out
        .into_iter()
        .map(|stop| LeftOut { name: stop.name.clone(), namespace: namespace(world, stop).name })
        .collect();
    let counted_s: f64 =
        ran.windows.iter().map(|(from, to)| to.at().duration_since(from.at()).as_secs_f64()).sum();
    let duration_s = ran.duration.as_secs_f64();
    let counted_share =
        if ran.windows.len() > 1 || !ran.ends_counting { (counted_s / duration_s).min(1.0) } else { 1.0 };
    if counted_share < 1.0 {
        notes.push(format!(
            "counted for {} of the time, as each segment passes the devices behind the first that segments; --exact counts all the time",
            percent(counted_share)
        ));
    }
    let mut report = PathReport {
        schema: SCHEMA.to_owned(),
        destination: (!matches!(plan.target, Target::Interface(_))).then(|| plan.asked.clone()),
        window: Window {
            start: start.timestamp().to_string(),
            duration_s,
            counted_share,
            drained: ran.drained,
        },
        verdict,
        steps: reports,
        branches,
        left_out,
        probes: Probes {
            queue: probes.map_or_else(|| "none".to_owned(), |probes| probes.queue.name()),
            segmentation: probes.map_or(Err(NOTHING_SENT_ON), |probes| {
                probes.segmentation.as_ref().map(|way| way.name()).map_err(Why::said)
            }),
            devices: slots.len(),
            missed: missed(ran),
        },
        notes,
        command: ran.command.clone(),
        unmeasured: std::collections::BTreeMap::new(),
    };
    report.explain();
    report
}

fn missed(ran: &Ran) -> Option<u64> {
    let ((first, _), (_, last)) = ran.windows.first().zip(ran.windows.last())?;
    Some(last.counted.missed?.saturating_sub(first.counted.missed?))
}

/// The stops that packets passed, and those that they might have. What they must pass stays, whether or not anything did.
fn taken<'a>(stops: &'a [Stop], slots: &[usize], parts: &[Part]) -> (Vec<usize>, Vec<&'a Stop>) {
    let carried = |index: usize| parts.get(index).is_some_and(|part| carries(part, stops.get(index)));
    // A device that packets come in by goes with those behind it, or with the one before.
    let is_kept = |index: usize, stop: &Stop| match stop.side {
        way::Side::Transmit => slots.contains(&index) && (stop.is_certain || carried(index)),
        way::Side::Receive => stop.is_certain || stop.after.is_some_and(carried),
    };
    let kept = stops.iter().enumerate().filter(|(index, stop)| is_kept(*index, stop)).map(|(index, _)| index);
    let kept: Vec<usize> = kept.collect();
    let left_out = stops.iter().enumerate().filter(|(index, stop)| {
        !kept.contains(index) && slots.contains(index) && stop.side == way::Side::Transmit
    });
    let left_out = left_out.map(|(_, stop)| stop).collect();
    (kept, left_out)
}

/// More than strays.
fn carries(part: &Part, stop: Option<&Stop>) -> bool {
    const STRAYS: u64 = 16;
    let passed = &part.counted;
    let (counts, most) = match stop.and_then(|stop| stop.destination) {
        Some(_) => (&passed.ours, 0),
        None => (&passed.all, STRAYS),
    };
    counts.super_packets + counts.singles > most
}

/// The place of the nearest stop before that is kept.
fn after(stops: &[Stop], kept: &[usize], stop: &Stop) -> Option<usize> {
    let mut after = stop.after;
    while let Some(index) = after {
        if let Some(place) = kept.iter().position(|kept| *kept == index) {
            return Some(place);
        }
        after = stops.get(index)?.after;
    }
    None
}

fn sight(stop: &Stop, part: &Part, device: Option<&Device>, after: Option<usize>, is_hooked: bool) -> Seen {
    let counts = device.map_or(Counts::Unknown, |device| {
        Counts::of(device.kind.as_deref(), device.driver.as_deref(), device.loopback)
    });
    Seen {
        after,
        side: match stop.side {
            way::Side::Transmit => Side::Transmit,
            way::Side::Receive => Side::Receive,
        },
        is_filtered: stop.destination.is_some(),
        counted: part.counted,
        is_hooked: is_hooked && part.counted.uncountable == 0,
        own: part.own.map(|own| Own { packets: own.packets, bytes: own.bytes }),
        counts,
        dropped: part.own.map_or(0, |own| own.dropped),
        moving: part.own.map_or(0, |own| own.moving),
    }
}

fn namespace(world: &World, stop: &Stop) -> Namespace {
    let place = world.known(stop.inode);
    Namespace {
        name: place.map_or_else(|| stop.inode.to_string(), |place| place.name.clone()),
        inode: stop.inode,
        netns: place.and_then(|place| place.netns.clone()),
        machine: None,
    }
}

fn step_report(
    world: &mut World,
    stop: &Stop,
    part: &Part,
    machine: &Known,
    (seen, step): (&Seen, &Step),
    is_first: bool,
) -> StepReport {
    let namespace = namespace(world, stop);
    let mut causes = Vec::new();
    let mut limits = Vec::new();
    if let Ok((_, before)) = machine {
        let now = as_now(world, stop, before);
        causes = path::causes(&now, before, seen, step, is_first);
        causes.iter_mut().for_each(|cause| say_where(cause, namespace.netns.as_deref()));
        limits = path::limits(&stop.name, &now.device.limits, seen, is_first);
    }
    let transmits = seen.side == Side::Transmit;
    StepReport {
        kind: kind(stop, machine.as_ref().ok().map(|(_, machine)| &machine.device)),
        interface: interface(stop, &namespace, machine),
        namespace,
        side: seen.side,
        after: seen.after,
        state: step.state,
        segmented_share: step.cut,
        witnesses: step.witnesses.clone(),
        queued: transmits.then(|| Queued {
            super_packets: step.passed.super_packets,
            segments: step.passed.segments,
            singles: step.passed.singles,
            bytes: step.passed.super_bytes + step.passed.single_bytes,
            payload_bytes: step.passed.payload_bytes,
            others_packets: step.others,
        }),
        driver_packets: part.own.map(|own| own.packets),
        driver_bytes: part.own.map(|own| own.bytes),
        driver_counts: seen.counts,
        mean_bytes_in: step.mean_bytes_in,
        mean_bytes_out: step.mean_bytes_out,
        unseen_bytes: step.unseen_bytes,
        merged_before: step.merged_before,
        segmented_before: step.cut_before,
        dropped: dropped(part),
        ns_per_byte: ns_per_byte(seen),
        causes,
        limits,
        audit: step.audit,
    }
}

fn dropped(part: &Part) -> Fact<u64> {
    part.own
        .map(|own| own.dropped)
        .ok_or(Why::is("its counters could not be read at both ends of the window"))
}

fn ns_per_byte(seen: &Seen) -> Fact<f64> {
    let [here, above] = [&seen.counted.segmented, &seen.counted.segmented_above];
    let segmented = here.payload_bytes.saturating_add(above.payload_bytes);
    match seen.side {
        _ if !seen.is_hooked => Err(Why::is("segmentation is not hooked on this rung")),
        _ if segmented != 0 => Ok(seen.counted.segmented_ns as f64 / segmented as f64),
        _ => Err(Why::is("nothing was segmented for it")),
    }
}

/// The same device with the features and limits that it has now: what took effect meanwhile is what was seen.
fn as_now(world: &mut World, stop: &Stop, before: &Machine) -> Machine {
    let mut now = before.clone();
    let features = world.place(stop.inode).and_then(|place| place.features.as_mut()?.read(stop.ifindex).ok());
    if let Some(features) = features {
        now.device.features = Ok(features);
    }
    now
}

/// For a person who stands in another namespace.
fn say_where(cause: &mut Cause, netns: Option<&str>) {
    const TOOLS: [&str; 6] = ["ethtool ", "ip ", "tc ", "iptables ", "sysctl ", "dmesg "];
    let Some(netns) = netns else { return };
    let is_pid = netns.parse::<u32>().is_ok();
    let enter =
        if is_pid { format!("nsenter -t {netns} -n") } else { format!("ip netns exec {}", quoted(netns)) };
    for command in &mut cause.fix.commands {
        if command.starts_with("vmnet ") && !command.contains("--netns") {
            command.push_str(&format!(" --netns {}", quoted(netns)));
        } else if TOOLS.iter().any(|tool| command.starts_with(tool)) {
            *command = format!("{enter} {command}");
        }
    }
}

fn interface(stop: &Stop, namespace: &Namespace, machine: &Known) -> Interface {
    match machine {
        Ok((interface, _)) => interface.clone(),
        Err(_) => Interface {
            name: stop.name.clone(),
            ifindex: stop.ifindex,
            netns: crate::model::interface::Netns { name: namespace.netns.clone(), inode: stop.inode },
            driver: None,
            mtu: 0,
            queues: None,
            kernel: String::new(),
            terminal: false,
            qdisc: None,
        },
    }
}

fn kind(stop: &Stop, device: Option<&Device>) -> String {
    let own = device.and_then(|device| {
        if device.loopback {
            Some("loopback".to_owned())
        } else {
            device.kind.clone().or(device.driver.clone())
        }
    });
    let own = own.unwrap_or_else(|| "device".to_owned());
    match &stop.port_of {
        // Of a port, what it is to its bridge tells more than that it is a veth.
        Some(port) if own == "veth" || own == "tun" => port.clone(),
        _ => own,
    }
}
