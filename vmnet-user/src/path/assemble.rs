//! From what was counted to the report.

use anyhow::Result;
use jiff::Zoned;

use super::{
    Plan, Ran, Target,
    probe::{PORT, Sent},
    watch::{self, Part},
    way::{self, Stop, Way},
    world::World,
};
use crate::{
    model::{
        cause::Cause,
        fact::{Fact, Known as _, Why},
        interface::Interface,
        ledger::in_bytes,
        machine::{Device, Machine},
        path::{self, Counts, Named, Own, Seen, Side, Step},
        shell::inside,
        state::Confidence,
        units::percent,
    },
    probes::path::PathProbes,
    report::{
        kit::json::Explained as _,
        path::{LeftOut, Method, Namespace, PathReport, Probe, Probes, Queued, SCHEMA, StepReport, Window},
    },
    stats::mean_interval,
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
    /// What was sent on purpose, and the payload of its segments.
    pub(super) sent: Option<(usize, &'a Sent)>,
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
    let Watched { way, slots, machines, ran, probes, sent } = watched;
    let parts = watch::over_windows(&way.stops, slots, &ran.windows);
    let (kept, left_out) = taken(&way.stops, slots, &parts);
    let is_hooked = probes.is_some_and(|probes| probes.segmentation.is_ok());
    let sights = |parts: &[Part]| -> Vec<Seen> {
        let of = |index: &usize| {
            let (stop, part) = (way.stops.get(*index)?, parts.get(*index)?);
            let device = machines.get(*index)?.as_ref().ok().map(|(_, machine)| &machine.device);
            Some(sight(stop, part, device, after(&way.stops, &kept, stop), is_hooked))
        };
        kept.iter().filter_map(of).collect()
    };
    let seen = sights(&parts);
    let steps = path::judge(&seen);
    let intervals = intervals(ran, way, slots, seen.len(), sights);
    let known: Vec<(&Stop, &Part, &Known)> = kept
        .iter()
        .filter_map(|index| Some((way.stops.get(*index)?, parts.get(*index)?, machines.get(*index)?)))
        .collect();
    let around: Vec<Option<&Machine>> =
        known.iter().map(|(.., machine)| machine.as_ref().ok().map(|(_, machine)| machine)).collect();
    let in_one_namespace =
        known.iter().all(|(stop, ..)| Some(stop.inode) == known.first().map(|(first, ..)| first.inode));
    let names: Vec<Named> = known
        .iter()
        .map(|(stop, ..)| Named {
            device: stop.name.clone(),
            namespace: (!in_one_namespace).then(|| namespace(world, stop).name),
        })
        .collect();
    let mut verdict = path::verdict(&seen, &steps, &names);
    let branches = path::branches(&seen, &steps);
    let mut notes = way.notes.clone();
    // What never comes to its end is no all-clear, however whole it set out.
    if let Some(why) = way.breaks_off.as_ref().filter(|_| verdict.state == path::State::Whole) {
        verdict = path::Verdict {
            state: path::State::Unknown,
            confidence: Confidence::Weak,
            summary: format!(
                "no device segments as far as the way goes, which does not reach its end: {why}"
            ),
            ..verdict
        };
    }
    let redirecting = redirecting(world, &way.stops);
    if !redirecting.is_empty() {
        if verdict.state == path::State::Whole {
            verdict.confidence = verdict.confidence.min(Confidence::Supported);
        }
        let names = redirecting.join(", ");
        notes.push(format!(
            "tc filters of {names} hand packets to other devices (mirred), which are not followed"
        ));
    }
    let unwatched = way.stops.iter().filter(|stop| stop.side == way::Side::Transmit).count() - slots.len();
    if unwatched != 0 {
        notes.push(format!(
            "{} devices at most can be watched at once: {unwatched} more were not",
            vmnet_common::SLOTS
        ));
    }
    let mut reports = Vec::new();
    for (place, ((stop, part, machine), step)) in known.iter().zip(&steps).enumerate() {
        if let Err(why) = machine {
            notes.push(format!("{} could not be read: {why:#}", stop.name));
        }
        let Some(one) = seen.get(place) else { continue };
        let mut report = step_report(world, stop, part, machine, (one, step), place == 0);
        report.segmented_share_interval = intervals.get(place).cloned().unwrap_or(Err(COUNTED));
        if matches!(step.state, path::State::Segmented | path::State::Partial) {
            report.offload_below = path::offload_below(&seen, &around, place);
            say_where_below(&mut report, &known, world);
        }
        reports.push(report);
    }
    let left_out = left_out
        .into_iter()
        .map(|stop| LeftOut { name: stop.name.clone(), namespace: namespace(world, stop).name })
        .collect();
    let window = window(start, ran);
    if window.method == Method::Windows {
        verdict.summary.push_str(&format!(", as counted in {}", windows_of(&window)));
        notes.push(in_windows(&window, &verdict, &reports));
    }
    if let Some((segment_bytes, _)) = sent {
        notes.push(format!(
            "--probe sends super-packets of {FIRST_SUPER_PACKET} segments, {} each: it does not try limits above that",
            in_bytes(u64::try_from(segment_bytes * FIRST_SUPER_PACKET).unwrap_or(u64::MAX))
        ));
    }
    let mut report = PathReport {
        schema: SCHEMA.to_owned(),
        destination: (!matches!(plan.target, Target::Interface(_))).then(|| plan.asked.clone()),
        window,
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
        probe: sent.map(|(segment_bytes, sent)| Probe {
            destination: plan.asked.clone(),
            port: PORT,
            connections: sent.connections,
            sent_bytes: sent.bytes,
            segment_bytes: u64::try_from(segment_bytes).unwrap_or(u64::MAX),
            failed: sent.failed,
            error: sent.error.clone(),
        }),
        unmeasured: std::collections::BTreeMap::new(),
    };
    report.explain();
    report
}

const COUNTED: Why = Why::is("every packet was counted: there is nothing to estimate");
const TOO_FEW_WINDOWS: Why = Why::is("fewer than three windows had super-packets for it");
const NO_SHARE: Why = Why::is("its state is not known, or there were no super-packets");
/// The same windows give the same interval.
const SEED: u64 = 0x7061_7468;

/// Of each step's segmented share, over the windows; nothing where every packet was counted.
fn intervals(
    ran: &Ran,
    way: &Way,
    slots: &[usize],
    steps: usize,
    sights: impl Fn(&[Part]) -> Vec<Seen>,
) -> Vec<Fact<[f64; 2]>> {
    if !is_in_windows(ran) {
        return Vec::new();
    }
    let judged: Vec<Vec<Step>> = ran
        .windows
        .iter()
        .map(|window| {
            let parts = watch::over_windows(&way.stops, slots, std::slice::from_ref(window));
            path::judge(&sights(&parts))
        })
        .collect();
    let of = |place: usize| {
        let shares = judged.iter().filter_map(|steps| steps.get(place)?.cut);
        let shares: Vec<f64> = shares.collect();
        if shares.is_empty() {
            return Err(NO_SHARE);
        }
        let found = mean_interval(&shares, SEED).map_err(|_| TOO_FEW_WINDOWS)?;
        Ok(found.interval.map(|end| end.clamp(0.0, 1.0)))
    };
    (0..steps).map(of).collect()
}

fn is_in_windows(ran: &Ran) -> bool {
    ran.windows.len() > 1 || !ran.ends_counting
}

fn window(start: &Zoned, ran: &Ran) -> Window {
    let lengths = ran.windows.iter().map(|(from, to)| to.at().duration_since(from.at()).as_secs_f64());
    let counted_s: f64 = lengths.sum();
    let duration_s = ran.duration.as_secs_f64();
    let is_in_windows = is_in_windows(ran);
    Window {
        start: start.timestamp().to_string(),
        duration_s,
        method: if is_in_windows { Method::Windows } else { Method::All },
        windows: u64::try_from(ran.windows.len()).unwrap_or(u64::MAX),
        counted_share: if is_in_windows { (counted_s / duration_s).min(1.0) } else { 1.0 },
        drained: ran.drained,
    }
}

fn windows_of(window: &Window) -> String {
    if window.windows == 1 { "one window".to_owned() } else { format!("{} windows", window.windows) }
}

/// That it is an estimate, how good it is, and how to have it exact.
fn in_windows(window: &Window, verdict: &path::Verdict, steps: &[StepReport]) -> String {
    let of = verdict.step.and_then(|step| steps.get(step));
    let interval = of.and_then(|step| {
        let [low, high] = step.segmented_share_interval.known()?;
        Some(format!(
            ", in which {} segmented {} to {} of its super-packets (95 % interval)",
            step.interface.name,
            percent(low),
            percent(high)
        ))
    });
    format!(
        "an estimate from {}, {} of the time{}: each segment passes the devices behind the first that segments, and counting all takes too much; --exact does",
        windows_of(window),
        percent(window.counted_share),
        interval.unwrap_or_default(),
    )
}

/// TCP sends no more than half a congestion window at once, and starts with ten segments.
const FIRST_SUPER_PACKET: usize = 5;

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
        is_encrypted: stop.is_encrypted,
        counted: part.counted,
        is_hooked: is_hooked && part.counted.uncountable == 0,
        own: part.own.map(|own| Own { packets: own.packets, bytes: own.bytes }),
        counts,
        dropped: part.own.map_or(0, |own| own.dropped),
        moving: part.own.map_or(0, |own| own.moving),
    }
}

/// Devices at which packets may take a way that no route and no bridge tells of.
fn redirecting(world: &mut World, stops: &[Stop]) -> Vec<String> {
    let mut names = Vec::new();
    for stop in stops {
        let qdiscs = world.place(stop.inode).and_then(|place| place.qdiscs.as_mut());
        if !names.contains(&stop.name) && qdiscs.is_some_and(|qdiscs| qdiscs.redirects(stop.ifindex)) {
            names.push(stop.name.clone());
        }
    }
    names
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
        segmented_share_interval: Err(COUNTED),
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
        offload_below: None,
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

fn say_where(cause: &mut Cause, netns: Option<&str>) {
    say_where_to_type(&mut cause.fix.commands, netns);
}

/// The device behind a tunnel may be in another namespace than the tunnel.
fn say_where_below(step: &mut StepReport, known: &[(&Stop, &Part, &Known)], world: &World) {
    let Some(below) = &mut step.offload_below else { return };
    let place = known.get(below.step).and_then(|(stop, ..)| world.known(stop.inode));
    say_where_to_type(&mut below.commands, place.and_then(|place| place.netns.as_deref()));
}

/// For a person who stands in another namespace.
fn say_where_to_type(commands: &mut [String], netns: Option<&str>) {
    for command in commands {
        *command = inside(netns, command);
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
