//! Programs that count at many devices at once, for `vmnet path`.

use std::time::Instant;

use aya::maps::PerCpuArray;
use vmnet_common::{AtDevice, OnTheWay, SLOTS, Watch};

use super::{
    ProbeError, Probes, Stay, chain,
    ladder::{Environment, Request, in_one_line},
};
use crate::model::hook::{Kind, Program, Way};

/// aya asks for its own marker; the layout is already checked by bytemuck's.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct PodOnTheWay(OnTheWay);
// SAFETY: `OnTheWay` is `bytemuck::Pod`: any bit pattern is valid and there is no padding.
unsafe impl aya::Pod for PodOnTheWay {}

#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct PodWatch(pub(super) Watch);
// SAFETY: as for `PodOnTheWay`.
unsafe impl aya::Pod for PodWatch {}

const fn program(name: &'static str, kind: Kind, target: &'static str) -> Program {
    Program { name, kind, target }
}

/// The ways to count at the queue, best first.
const QUEUE: &[Way] = &[
    Way { rung: None, programs: &[program("path_queue", Kind::TpBtf, "net_dev_queue")] },
    Way { rung: None, programs: &[program("path_queue_raw", Kind::RawTp, "net_dev_queue")] },
    Way { rung: None, programs: &[program("path_queue_kprobe", Kind::Kprobe, "__dev_queue_xmit")] },
];

/// The ways to see what segmentation takes, and why, best first. Not every kernel has one.
const SEGMENTATION: &[Way] = &[
    Way {
        rung: None,
        programs: &[
            program("path_segment_exit", Kind::Fexit, "__skb_gso_segment"),
            program("path_segment", Kind::Fentry, "__skb_gso_segment"),
        ],
    },
    Way {
        rung: None,
        programs: &[
            program("path_segment_kretprobe", Kind::Kretprobe, "__skb_gso_segment"),
            program("path_segment_kprobe", Kind::Kprobe, "__skb_gso_segment"),
        ],
    },
];

/// Programs that count until this is dropped.
pub struct PathProbes {
    probes: Probes,
    on_the_way: PerCpuArray<aya::maps::MapData, PodOnTheWay>,
    /// How the queue is counted at.
    pub queue: &'static Way,
    /// How segmentation is, or why it is not.
    pub segmentation: Result<&'static Way, String>,
}

/// What was counted of each slot, at one moment.
#[derive(Clone, Debug)]
pub struct PathSnapshot {
    /// By slot.
    pub devices: Vec<AtDevice>,
    /// When.
    pub at: Instant,
    /// Times that a program was skipped because it would have re-entered; None where the kernel does not tell.
    pub missed: Option<u64>,
}

/// Attaches to the queues of the devices.
///
/// # Errors
/// What the kernel answered to each way.
pub fn attach(watch: &Watch) -> Result<PathProbes, Vec<ProbeError>> {
    let attached = try_ways(watch);
    super::ladder::give_back_memory();
    attached.map_err(in_one_line)
}

fn try_ways(watch: &Watch) -> Result<PathProbes, Vec<ProbeError>> {
    let one = |error| vec![error];
    let environment = Environment::read(&Request::default()).map_err(one)?;
    let mut probes = environment.load_watching(watch).map_err(one)?;
    let map = probes.ebpf.take_map("ON_THE_WAY");
    let map = map.ok_or_else(|| one(ProbeError::Object("the object has no map ON_THE_WAY".to_owned())))?;
    let on_the_way = PerCpuArray::try_from(map).map_err(|error| one(ProbeError::Object(chain(&error))))?;
    let mut first = |ways: &'static [Way]| {
        let mut refusals = Vec::new();
        for way in ways {
            match probes.attach_way(way, Stay::Always, &environment.symbols, &environment.btf) {
                Ok(()) => return Ok(way),
                Err(reason) => refusals.push(reason),
            }
        }
        Err(refusals)
    };
    // Each segmentation is of what was queued, so that this one is there before.
    let refused = |reason| ProbeError::Refused { rung: "path", hook: "net_dev_queue", reason };
    let queue = first(QUEUE).map_err(|reasons| reasons.into_iter().map(refused).collect::<Vec<_>>())?;
    let segmentation = first(SEGMENTATION).map_err(|reasons| reasons.join("; "));
    Ok(PathProbes { probes, on_the_way, queue, segmentation })
}

impl PathSnapshot {
    /// Where nothing counts.
    #[must_use]
    pub fn empty() -> Self {
        Self { devices: vec![AtDevice::default(); SLOTS], at: Instant::now(), missed: Some(0) }
    }
}

impl PathProbes {
    /// Counts no more until [`Self::resume`].
    pub fn pause(&mut self) {
        self.probes.pause();
    }

    /// Counts again.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn resume(&mut self) -> Result<(), String> {
        self.probes.resume()
    }

    /// Reads what was counted. Each CPU's counts are read in one go.
    ///
    /// # Errors
    /// [`ProbeError::Read`].
    pub fn snapshot(&self) -> Result<PathSnapshot, ProbeError> {
        let at = Instant::now();
        let per_cpu = self.on_the_way.get(&0, 0).map_err(|error| ProbeError::Read(chain(&error)))?;
        let mut devices = vec![AtDevice::default(); SLOTS];
        for cpu in per_cpu.iter() {
            for (sum, term) in devices.iter_mut().zip(&cpu.0.devices) {
                sum.add(term);
            }
        }
        Ok(PathSnapshot { devices, at, missed: self.probes.missed().recursion_misses })
    }
}
