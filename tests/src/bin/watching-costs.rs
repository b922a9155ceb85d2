//! `watching-costs IFACE WITH WITHOUT SECONDS [DEST]`: what a way of watching leaves of the throughput that goes on through an interface.
//!
//! Ways are `off`, `light` (outside of its windows), `exact`, `light-empty` and `empty` (empty programs at the places of either), `run` (a whole
//! `vmnet run`, from its start) and `bpftrace` (which counts packets and bytes at the same three places, once it is there); and of all devices on
//! the way to DEST `path-exact` (programs that count all the time), `path-window` (one window in the slot, which the command has once in 2 s),
//! `path` (the same in a slot of 2 s: the command as it goes on) and `path-run` (a whole `vmnet path` of 5 s, from its start). Within traffic that
//! goes on throughout, programs are attached and detached: blocks of four slots, ABBA or BAAB as drawn, of 250 ms each (of 2 s for `path`, of 3 or 5 s
//! where a process starts), and after each a control of the same shape in which nothing is attached at all. Says, as JSON, the mean log ratio of WITH
//! to WITHOUT over the blocks as a ratio, with its 95 % interval, of bytes a second and of CPU time a byte.

use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};
use testbed::bench::Running;
use vmnet::device::cpu::cpu_times;
use vmnet::device::links::LinkReader;
use vmnet::model::sample::Counting;
use vmnet::path::Alone;
use vmnet::probes::{Probes, Request, attach};
use vmnet::stats::mean_interval;

const SLOT: Duration = Duration::from_millis(250);
/// One that has a process in it.
const SLOT_OF_A_PROCESS: Duration = Duration::from_secs(3);
/// From the start of a window of `vmnet path` to the start of the next.
const SLOT_OF_A_CYCLE: Duration = Duration::from_secs(2);
/// As long as `vmnet path` is by itself.
const SLOT_OF_A_PATH: Duration = Duration::from_secs(5);
/// bpftrace compiles before it counts.
const BPFTRACE_COMES: Duration = Duration::from_millis(1_500);
const BPFTRACE: &str = "\
    tracepoint:net:net_dev_queue { @queued = count(); @queued_bytes = sum(args->len); @queued_len = hist(args->len); } \
    tracepoint:net:net_dev_start_xmit { @started = count(); @started_bytes = sum(args->len); @started_len = hist(args->len); } \
    tracepoint:net:net_dev_xmit { @sent = count(); @sent_bytes = sum(args->len); }";
/// Of each slot, while what was attached or detached settles.
const SETTLES: Duration = Duration::from_millis(30);
/// The same run gives the same interval.
const SEED: u64 = 0x636f_7374;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (interface, with, without, seconds, destination) = match words.as_slice() {
        [interface, with, without, seconds] => (interface, with, without, seconds, None),
        [interface, with, without, seconds, to] => (interface, with, without, seconds, Some(to.parse()?)),
        _ => {
            bail!("usage: watching-costs IFACE WITH WITHOUT SECONDS [DEST]; the ways are {}", WAYS.join(", "))
        }
    };
    let mut meter = Meter::open(interface, destination)?;
    let mut ways = [meter.way(with)?, meter.way(without)?];
    meter.slot = ways.iter().map(Way::slot).max().unwrap_or(SLOT);
    let mut nothing = [Way::Off, Way::Off];
    let until = Instant::now() + Duration::from_secs(seconds.parse()?);
    let (mut measured, mut control) = (Blocks::default(), Blocks::default());
    let mut drawn = u64::from(std::process::id());
    while Instant::now() < until {
        // Xorshift is enough to draw an order.
        drawn ^= drawn << 13;
        drawn ^= drawn >> 7;
        drawn ^= drawn << 17;
        measured.add(meter.block(&mut ways, drawn & 1 == 0)?);
        control.add(meter.block(&mut nothing, drawn & 2 == 0)?);
    }
    let mut found =
        json!({ "with": with, "without": without, "measured": measured.said()?, "control": control.said()? });
    found["devices"] = ways.iter().find_map(Way::devices).into();
    if let Some(slots) = ways.iter().find_map(Way::slots_between_windows) {
        found["as_often_as_it_is"] = measured.diluted(slots)?;
    }
    println!("{found}");
    Ok(())
}

const WAYS: [&str; 11] = [
    "off",
    "light",
    "exact",
    "empty",
    "light-empty",
    "run",
    "bpftrace",
    "path",
    "path-exact",
    "path-window",
    "path-run",
];

/// What is there in a slot.
enum Way {
    Off,
    Programs(Box<Probes>),
    Process(Process),
    /// On all devices of a way.
    Path(Box<Alone>, Counts),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Counts {
    /// From the slot's start to its end.
    Always,
    /// For one window.
    ForAWindow,
    /// For one window, and the slot is as long as it takes until the next.
    InCycles,
}

impl Way {
    /// How long a slot of it has to be.
    const fn slot(&self) -> Duration {
        match self {
            Self::Process(Process::VmnetPath(_)) => SLOT_OF_A_PATH,
            Self::Process(_) => SLOT_OF_A_PROCESS,
            Self::Path(_, Counts::InCycles) => SLOT_OF_A_CYCLE,
            _ => SLOT,
        }
    }

    /// Of one window a slot, how many slots it is to the next where it is watched in earnest.
    fn slots_between_windows(&self) -> Option<f64> {
        let slots = SLOT_OF_A_CYCLE.as_secs_f64() / SLOT.as_secs_f64();
        matches!(self, Self::Path(_, Counts::ForAWindow)).then_some(slots)
    }

    fn devices(&self) -> Option<usize> {
        match self {
            Self::Path(alone, _) => Some(alone.devices),
            _ => None,
        }
    }
}

#[derive(Clone, Copy)]
enum Process {
    VmnetRun,
    VmnetPath(IpAddr),
    Bpftrace,
}

impl Process {
    /// Whether what it takes until it counts is a part of what it costs.
    const fn counts_from_its_start(self) -> bool {
        matches!(self, Self::VmnetRun | Self::VmnetPath(_))
    }
}

/// A process, and where its reports go; both are gone with the value.
struct Watching {
    process: Running,
    _reports: tempfile::TempDir,
}

impl Watching {
    fn start(process: Process, interface: &str) -> Result<Self> {
        let reports = tempfile::tempdir()?;
        let mut command = match process {
            Process::VmnetRun => {
                let mut vmnet = Command::new(std::env::current_exe()?.with_file_name("vmnet"));
                vmnet.args(["run", interface, "--plain", "-o"]).arg(reports.path());
                vmnet
            }
            Process::VmnetPath(to) => {
                let mut vmnet = Command::new(std::env::current_exe()?.with_file_name("vmnet"));
                vmnet.args(["path", &to.to_string(), "--plain", "-d", "1h"]);
                vmnet
            }
            Process::Bpftrace => {
                let mut bpftrace = Command::new("bpftrace");
                bpftrace.args(["-q", "-e", BPFTRACE]);
                bpftrace
            }
        };
        let child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("a process to watch")?;
        Ok(Self { process: Running(child), _reports: reports })
    }
}

struct Meter {
    links: LinkReader,
    name: String,
    ifindex: u32,
    slot: Duration,
    destination: Option<IpAddr>,
}

/// Of one slot.
#[derive(Clone, Copy)]
struct Slot {
    bytes_per_s: f64,
    cpu_ns_per_byte: f64,
}

impl Meter {
    fn open(interface: &str, destination: Option<IpAddr>) -> Result<Self> {
        let mut links = LinkReader::open()?;
        let ifindex = links.link(interface)?.ifindex;
        Ok(Self { links, name: interface.to_owned(), ifindex, slot: SLOT, destination })
    }

    fn path(&self, counts: Counts) -> Result<Way> {
        let alone = Alone::on_the_way_to(self.destination.context("to where? Give DEST")?)?;
        Ok(Way::Path(Box::new(alone), counts))
    }

    fn way(&self, name: &str) -> Result<Way> {
        let counting = match name {
            "off" => return Ok(Way::Off),
            "run" => return Ok(Way::Process(Process::VmnetRun)),
            "bpftrace" => return Ok(Way::Process(Process::Bpftrace)),
            "path" => return self.path(Counts::InCycles),
            "path-exact" => return self.path(Counts::Always),
            "path-window" => return self.path(Counts::ForAWindow),
            "path-run" => {
                let to = self.destination.context("to where? Give DEST")?;
                return Ok(Way::Process(Process::VmnetPath(to)));
            }
            "light" | "light-empty" => Counting::Light,
            "exact" | "empty" => Counting::Exact,
            other => bail!("no way of watching is called {other}"),
        };
        let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata("/proc/self/ns/net")?);
        let request = Request {
            ifindex: self.ifindex,
            netns_inum: u32::try_from(inode)?,
            counting,
            ..Request::default()
        };
        let attached = attach(&request).map_err(|errors| anyhow!("{errors:?}"))?;
        let mut probes = attached.probes;
        probes.pause();
        if name.ends_with("empty") {
            probes.become_empty().map_err(|error| anyhow!(error))?;
        }
        Ok(Way::Programs(Box::new(probes)))
    }

    /// Means over the slots of either way: ABBA, or BAAB.
    fn block(&mut self, ways: &mut [Way; 2], first_is_with: bool) -> Result<[[Slot; 2]; 2]> {
        let mut slots = [Vec::new(), Vec::new()];
        let outer = usize::from(!first_is_with);
        for which in [outer, 1 - outer, 1 - outer, outer] {
            slots[which].push(self.slot(&mut ways[which])?);
        }
        let two = |slots: &[Slot]| slots.try_into().context("two slots");
        Ok([two(&slots[0])?, two(&slots[1])?])
    }

    fn slot(&mut self, way: &mut Way) -> Result<Slot> {
        let begun = Instant::now();
        match way {
            Way::Programs(probes) => probes.resume().map_err(|error| anyhow!(error))?,
            Way::Path(alone, Counts::Always) => alone.resume()?,
            _ => {}
        }
        let mut running = match way {
            Way::Process(process) if !process.counts_from_its_start() => {
                Some(Watching::start(*process, &self.name)?)
            }
            _ => None,
        };
        thread::sleep(if running.is_some() { BPFTRACE_COMES } else { SETTLES });
        let before = self.read()?;
        match way {
            Way::Process(process) if process.counts_from_its_start() => {
                running = Some(Watching::start(*process, &self.name)?);
            }
            // Attaching, reading and detaching are a part of what it costs.
            Way::Path(alone, Counts::ForAWindow | Counts::InCycles) => alone.window()?,
            _ => {}
        }
        thread::sleep(self.slot.saturating_sub(begun.elapsed()));
        let after = self.read()?;
        if let Some(running) = &mut running
            && let Some(ended) = running.process.0.try_wait()?
        {
            bail!("what was to watch ended before its time ({ended}): does it run here by itself?");
        }
        drop(running);
        match way {
            Way::Programs(probes) => probes.pause(),
            Way::Path(alone, Counts::Always) => alone.pause(),
            _ => {}
        }
        let bytes = (after.1 - before.1) as f64;
        if bytes <= 0.0 {
            bail!("no traffic leaves {}", self.name);
        }
        let busy_ns = (after.2 - before.2) as f64;
        Ok(Slot { bytes_per_s: bytes / (after.0 - before.0).as_secs_f64(), cpu_ns_per_byte: busy_ns / bytes })
    }

    /// When, bytes of the device, busy time of all CPUs.
    fn read(&mut self) -> Result<(Instant, u64, u64)> {
        let bytes = self.links.counters(self.ifindex, &self.name)?.tx_bytes;
        let busy_ns = cpu_times()?.iter().map(|cpu| cpu.busy_ns).sum();
        Ok((Instant::now(), bytes, busy_ns))
    }
}

/// Log ratios, block by block.
#[derive(Default)]
struct Blocks {
    throughput: Vec<f64>,
    cpu_per_byte: Vec<f64>,
}

impl Blocks {
    fn add(&mut self, [with, without]: [[Slot; 2]; 2]) {
        let log = |of: fn(&Slot) -> f64, slots: &[Slot; 2]| {
            slots.iter().map(|slot| of(slot).ln()).sum::<f64>() / 2.0
        };
        let ratio = |of| log(of, &with) - log(of, &without);
        self.throughput.push(ratio(|slot| slot.bytes_per_s));
        self.cpu_per_byte.push(ratio(|slot| slot.cpu_ns_per_byte));
    }

    /// What is left of throughput where one slot of so many is as measured, and the others are as without.
    fn diluted(&self, slots: f64) -> Result<Value> {
        let found = mean_interval(&self.throughput, SEED)?;
        let among = |log: f64| 1.0 - (1.0 - log.exp()) / slots;
        Ok(json!({ "ratio": among(found.mean), "interval": found.interval.map(among) }))
    }

    fn said(&self) -> Result<Value> {
        let said = |ratios: &[f64]| -> Result<Value> {
            let found = mean_interval(ratios, SEED)?;
            let [low, high] = found.interval.map(f64::exp);
            Ok(
                json!({ "ratio": found.mean.exp(), "interval": [low, high], "deviation_of_a_block": found.deviation }),
            )
        };
        Ok(json!({
            "blocks": self.throughput.len(),
            "throughput": said(&self.throughput)?,
            "cpu_per_byte": said(&self.cpu_per_byte)?,
        }))
    }
}
