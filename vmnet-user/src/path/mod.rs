//! The traceroute: which devices packets pass, what each made of them, and why.

mod alone;
mod assemble;
mod probe;
mod watch;
mod way;
mod windows;
mod world;

use std::{net::IpAddr, time::Duration};

use anyhow::{Context as _, Result, bail};
use jiff::Zoned;
use tokio::time::{Instant, sleep, sleep_until};

pub use self::{alone::Alone, probe::may_be_sent_to};
use self::{assemble::Watched, probe::Probe, watch::Reading, way::Way, windows::Windows, world::World};
use crate::{
    device::links::LinkReader,
    kernel::permissions,
    probes::{ProbeError, path::PathProbes},
    report::path::{Command, PathReport},
    session::{Caller, Child, Prints, Stop, private},
};

/// How long traffic may take to come to rest once the command has ended.
const DRAIN: Duration = Duration::from_secs(1);
/// How often it is looked at meanwhile.
const DRAIN_LOOK: Duration = Duration::from_millis(25);

/// Where packets go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To an address.
    Destination(IpAddr),
    /// To an address, of what comes in by an interface.
    Incoming {
        /// Where it comes in.
        interface: String,
        /// Where it goes.
        destination: IpAddr,
    },
    /// Out by an interface, wherever to.
    Interface(String),
}

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where packets go.
    pub target: Target,
    /// The same as the person said it.
    pub asked: String,
    /// The sender's namespace as given to `--netns`; the process is in it already.
    pub netns: Option<String>,
    /// A device that is to be on the way.
    pub expects: Option<String>,
    /// Whether the way is followed into no other namespace.
    pub stays: bool,
    /// Whether every packet is counted all the time, and not in windows where that is dear.
    pub exact: bool,
    /// Whether super-packets of our own are sent to the destination.
    pub probe: bool,
    /// None: until the command ends, or what is sent is sent, or Ctrl-C.
    pub duration: Option<Duration>,
    /// The words of the command; empty for none.
    pub command: Vec<String>,
    /// Nothing of the command's values is kept.
    pub private: bool,
    /// Where what the command prints is shown.
    pub prints: Prints,
    /// On whose behalf.
    pub caller: Caller,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Everything that is known.
    pub report: PathReport,
    /// What went wrong with the command, if anything: the report is whole all the same.
    pub command_failed: Option<String>,
}

/// A name of a device that is none of those on the way: it is not worth the traffic.
#[derive(Debug, thiserror::Error)]
#[error("no device on the way is called {name:?}; there are {}", there_are.join(", "))]
pub struct NotOnTheWay {
    name: String,
    there_are: Vec<String>,
}

impl NotOnTheWay {
    /// Whether there is such a device.
    ///
    /// # Errors
    /// There is none: then those that there are.
    pub fn unless_named<'a>(name: &str, devices: impl Iterator<Item = &'a str>) -> Result<(), Self> {
        let there_are: Vec<String> = devices.map(str::to_owned).collect();
        match there_are.iter().any(|device| device == name) {
            true => Ok(()),
            false => Err(Self { name: name.to_owned(), there_are }),
        }
    }
}

/// What is told before the first packet counts.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The devices that are watched.
    pub watched: String,
    /// What will be sent, and where to; None where nothing of our own is.
    pub sends: Option<String>,
}

/// Finds the way, watches it, and says what was seen.
///
/// # Errors
/// Whatever kept it from seeing anything at all.
pub fn trace(plan: &Plan, begin: impl FnOnce(&Beginning)) -> Result<Outcome> {
    let mut world = World::look(plan.netns.as_deref())?;
    let way = find(&mut world, &plan.target, plan.stays)?;
    let slots = watch::slots(&way.stops);
    if way.stops.is_empty() {
        bail!("packets to {} leave by no device that can be watched", plan.asked);
    }
    if let Some(name) = &plan.expects {
        NotOnTheWay::unless_named(name, way.stops.iter().map(|stop| stop.name.as_str()))?;
    }
    let machines = assemble::machines(&world, &way.stops);
    // What is only received here is counted by its devices alone.
    let mut probes = if slots.is_empty() { None } else { Some(attach(&watch::watch(&way.stops, &slots))?) };
    let mut probe = probe(plan)?;
    permissions::drop_privileges().unwrap_or_else(|error| log::debug!("capabilities stay: {error}"));
    begin(&Beginning {
        watched: assemble::introduction(&world, &way, &slots),
        sends: probe.as_ref().map(Probe::plan),
    });
    let start = Zoned::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ran = runtime.block_on(run(plan, &mut world, &way, (probes.as_mut(), probe.as_mut())))?;
    let sent = probe.as_ref().map(|probe| (probe.segment_bytes(), probe.sent()));
    let watched = Watched { way: &way, slots: &slots, machines, ran: &ran, probes: probes.as_ref(), sent };
    let report = assemble::report(plan, &mut world, &start, watched);
    Ok(Outcome { report, command_failed: ran.command_failed })
}

/// Its connections, while they may be opened.
fn probe(plan: &Plan) -> Result<Option<Probe>> {
    Ok(match (plan.probe, &plan.target) {
        (true, Target::Destination(destination)) => Some(Probe::open(*destination)?),
        _ => None,
    })
}

fn find(world: &mut World, target: &Target, stays: bool) -> Result<Way> {
    Ok(match target {
        Target::Destination(destination) => way::to(world, *destination, stays)?,
        Target::Incoming { interface, destination } => {
            way::incoming(world, index_of(interface)?, *destination, stays)?
        }
        Target::Interface(name) => {
            // The kernel's own answer: an alternative name may look like an address, or a host's name.
            let index = index_of(name).with_context(|| {
                format!("{name} is neither an address nor an interface; names of hosts are not looked up")
            })?;
            way::from(world, index, stays)?
        }
    })
}

fn index_of(interface: &str) -> Result<u32> {
    Ok(LinkReader::open()?.link(interface)?.ifindex)
}

fn attach(watch: &vmnet_common::Watch) -> Result<PathProbes> {
    crate::probes::path::attach(watch).map_err(|errors| {
        let not_permitted = errors.iter().any(|error| matches!(error, ProbeError::NotPermitted(_)));
        let reasons: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let what_to_do =
            if not_permitted { "run it with sudo" } else { "`vmnet kernel` shows what works here" };
        anyhow::anyhow!("{}; {what_to_do}", reasons.join("; "))
    })
}

/// What was gathered.
struct Ran {
    /// The edges of each window; never empty.
    windows: Vec<(Reading, Reading)>,
    duration: Duration,
    /// Whether it was counting to the end.
    ends_counting: bool,
    drained: bool,
    command: Option<Command>,
    command_failed: Option<String>,
}

async fn run(
    plan: &Plan,
    world: &mut World,
    way: &Way,
    (probes, mut probe): (Option<&mut PathProbes>, Option<&mut Probe>),
) -> Result<Ran> {
    let mut stop = Stop::listen()?;
    let begun = Instant::now();
    let mut windows = Windows::open(world, way, probes, plan.exact)?;
    let deadline = plan.duration.map(|duration| begun + duration);
    let mut child = match plan.command.as_slice() {
        [] => None,
        words => match Child::start(words, &plan.caller, plan.prints) {
            Ok(child) => Some(child),
            Err(why) => bail!("{why}"),
        },
    };
    let mut by_itself = false;
    loop {
        let turn = Instant::from_std(windows.next());
        tokio::select! {
            () = ended(child.as_mut()) => by_itself = true,
            () = sent(probe.as_deref_mut()) => {}
            signal = stop.wanted() => {
                if let Some(child) = &mut child {
                    child.interrupted(signal, &mut stop).await;
                }
            }
            () = passes(deadline) => {
                if let Some(child) = &mut child {
                    child.end(&mut stop).await;
                }
            }
            () = sleep_until(turn) => {
                windows.turn()?;
                continue;
            }
        }
        break;
    }
    let ended = match child {
        Some(child) => Some(child.collect().await),
        None => None,
    };
    let (last, drained) = drain(&mut windows, ended.is_some() || probe.is_some()).await?;
    let ends_counting = last.is_some();
    let windows = windows.end(last);
    let (command, command_failed) = match ended {
        None => (None, None),
        Some(Err(why)) => (None, Some(why)),
        Some(Ok(ended)) => {
            let failed = ended.failure(&plan.command, by_itself);
            let words = if plan.private { private::words(&plan.command) } else { plan.command.clone() };
            (Some(Command { words, exit_code: ended.exit_code, signal: ended.signal }), failed)
        }
    };
    Ok(Ran { windows, duration: begun.elapsed(), ends_counting, drained, command, command_failed })
}

async fn ended(child: Option<&mut Child>) {
    match child {
        Some(child) => child.ended().await,
        None => std::future::pending().await,
    }
}

async fn sent(probe: Option<&mut Probe>) {
    match probe {
        Some(probe) => probe.send().await,
        None => std::future::pending().await,
    }
}

async fn passes(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// The last reading: once nothing moves any more, where the traffic was the command's or our own. None where no window is open.
async fn drain(windows: &mut Windows<'_>, waits: bool) -> Result<(Option<Reading>, bool)> {
    if !windows.is_open() {
        return Ok((None, false));
    }
    let until = Instant::now() + DRAIN;
    let (mut last, _) = windows.look(None)?;
    while waits && Instant::now() < until {
        sleep(DRAIN_LOOK).await;
        let (next, is_at_rest) = windows.look(Some(&last))?;
        last = next;
        if is_at_rest {
            return Ok((Some(last), true));
        }
    }
    Ok((Some(last), false))
}
