//! What software segmentation cost.

use serde::{Deserialize, Serialize};
use vmnet_common::{Caller, Class, Counters, StackSamples, Stage};

use super::delta::Delta;
use super::hook::Hook;
use super::sample::{Counting, Mode, Window};
use super::tally::{TCP_AND_UDP_LANES, bounded, cell, lane};
use super::throughput::segmentation_ns;
use super::units::share;
use crate::fact::{self, Fact, Why};
use crate::ledgers::Ledgers;
use crate::null_because;
use crate::stats;

null_because! {
    not_timed: Why::is("calls of __skb_gso_segment are not timed");
}

const NOT_HOOKED: Why = Why::is("__skb_gso_segment is not hooked");
const INNER_NOT_HOOKED: Why = Why::is("skb_segment is not hooked");
const UNTIMED: Why = Why::is("neither functions nor stack samples could time it");
const TOO_FEW_SAMPLES: Why = Why::is("there were too few stack samples");
const SEGMENTED_ABOVE: Why = Why::is("it was segmented above this device, where it is not timed");
const NOTHING_SEGMENTED: Why = Why::is("the CPU segmented nothing for this device");
const TOO_FEW_INTERVALS: Why = Why::is("too few intervals, or stack samples, with segmentation");

/// The same recording gives the same interval.
const SEED: u64 = 0x766d_6e65_7400;

/// How the cost was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CostMethod {
    /// Each call was timed by fentry and fexit.
    Fexit,
    /// Each call was timed by kprobe and kretprobe.
    Kretprobe,
    /// By stack samples, all the time.
    Sampling,
    /// By stack samples, in windows only.
    SamplingWindows,
    /// It was not.
    None,
}

impl CostMethod {
    /// As in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fexit => "fexit",
            Self::Kretprobe => "kretprobe",
            Self::Sampling => "sampling",
            Self::SamplingWindows => "sampling-windows",
            Self::None => "none",
        }
    }

    /// Whether it is an estimate.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        matches!(self, Self::Sampling | Self::SamplingWindows)
    }
}

/// What software segmentation cost in the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cost {
    /// How it was measured.
    pub method: CostMethod,
    /// Calls of `__skb_gso_segment` that segmented, for this device.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub segmentation_calls: Fact<u64>,
    /// Time inside them (by sampling: estimated).
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub segmentation_ns: Fact<u64>,
    /// Time of vmnet's own programs inside them, which `segmentation_ns` leaves out. None where calls are not timed.
    #[serde(default, serialize_with = "not_timed")]
    pub own_ns: Option<u64>,
    /// Time inside `skb_segment` alone.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub skb_segment_ns: Fact<u64>,
    /// Per byte of payload segmented.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub ns_per_byte: Fact<f64>,
    /// 95 % interval of `ns_per_byte`, over intervals of the run.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<[f64; 2]>"))]
    pub ns_per_byte_interval: Fact<[f64; 2]>,
    /// CPUs kept busy by it, on average.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub cores: Fact<f64>,
}

impl Cost {
    /// The cost over a window: timed where the functions are hooked, by stack samples where they are not. Calls that
    /// began in the stack (a tunnel, a smaller MTU) are not this device's.
    #[must_use]
    pub fn of(window: &Window<'_>) -> Self {
        let delta = window.delta();
        let counted =
            delta.as_ref().and_then(|delta| delta.traced.as_deref().map(|counted| (delta, counted)));
        let Some((delta, counted)) = counted else {
            return Self::unmeasured(&Why::NoPrograms);
        };
        let hooks = &window.conditions.hooks;
        if came_segmented(delta, counted) {
            Self::unmeasured(&SEGMENTED_ABOVE)
        } else if let Some(ns) = segmentation_ns(window, counted) {
            Self::timed(window, delta, counted, ns)
        } else if hooks.counts(Hook::StackSample) {
            Self::sampled(window, delta)
        } else {
            Self::untimed(CostMethod::None, &UNTIMED)
        }
    }

    fn timed(window: &Window<'_>, delta: &Delta, counted: &Counters, ns: u64) -> Self {
        let method =
            if window.conditions.mode == Mode::Kprobe { CostMethod::Kretprobe } else { CostMethod::Fexit };
        let inner = window.conditions.hooks.counts(Hook::SkbSegment);
        let by_interval: Vec<(f64, f64)> = window
            .intervals()
            .filter_map(|delta| {
                let counted = delta.traced?;
                let bytes = segmented_bytes(&counted);
                let ns = segmentation_ns(window, &counted)?;
                (bytes != 0).then_some((ns as f64, bytes as f64))
            })
            .collect();
        Self {
            method,
            segmentation_calls: Ok(calls(counted)),
            segmentation_ns: Ok(ns),
            own_ns: Some(counted.segmentation.own_ns),
            skb_segment_ns: if inner { Ok(counted.skb_segment.ns) } else { Err(INNER_NOT_HOOKED) },
            ns_per_byte: share(ns, segmented_bytes(counted)).ok_or(NOTHING_SEGMENTED),
            ns_per_byte_interval: stats::ratio_of_sums_interval(&by_interval, SEED)
                .ok_or(if segmented_bytes(counted) == 0 { NOTHING_SEGMENTED } else { TOO_FEW_INTERVALS }),
            cores: share(ns, delta.duration_ns).ok_or(UNTIMED),
        }
    }

    /// Time is the share of samples, times the time of all CPUs, while samples were taken. Bytes segmented are the ledger's: no function
    /// hook counted them. What a byte costs then holds for all that was segmented, as it is the same in a window and outside. The interval is
    /// Wilson's, of the share, its upper end as if every stack that could not be walked had been segmenting.
    fn sampled(window: &Window<'_>, delta: &Delta) -> Self {
        let seen = Sampled::in_window(window);
        let samples = &seen.samples;
        let in_windows = window.conditions.counting == Counting::Light;
        let method = if in_windows { CostMethod::SamplingWindows } else { CostMethod::Sampling };
        let Some(segmenting) = share(samples.segmenting, samples.total).filter(|_| seen.cpu_ns != 0) else {
            return Self::untimed(method, &TOO_FEW_SAMPLES);
        };
        let bytes = seen.software_bytes;
        let per_byte = |share: f64| share * seen.cpu_ns as f64 / bytes as f64;
        let all = software_bytes(delta);
        let ns = match (in_windows, bytes, all) {
            (true, 0, 0) => Ok(0.0),
            // It began after the last window.
            (true, 0, _) => Err(TOO_FEW_SAMPLES),
            (true, ..) => Ok(per_byte(segmenting) * all as f64),
            (false, ..) => Ok(segmenting * seen.cpu_ns as f64),
        };
        let none_per_byte = match &ns {
            Err(why) => why.clone(),
            Ok(_) if all == 0 => NOTHING_SEGMENTED,
            Ok(_) => TOO_FEW_INTERVALS,
        };
        // A stack that could not be walked may or may not have been segmenting.
        let at_most = samples.segmenting.saturating_add(samples.failed).min(samples.total);
        let interval = stats::wilson_interval(samples.segmenting, samples.total)
            .zip(stats::wilson_interval(at_most, samples.total))
            .map(|([low, _], [_, high])| [low, high]);
        let hooked = window.conditions.hooks.counts(Hook::SkbGsoSegment);
        let calls = delta.traced.as_deref().filter(|_| hooked).map(calls).ok_or(NOT_HOOKED);
        Self {
            method,
            segmentation_calls: calls,
            segmentation_ns: ns.clone().map(|ns| ns.round() as u64),
            own_ns: None,
            skb_segment_ns: Err(INNER_NOT_HOOKED),
            ns_per_byte_interval: interval
                .filter(|_| bytes != 0)
                .map(|interval| interval.map(per_byte))
                .ok_or_else(|| none_per_byte.clone()),
            ns_per_byte: if bytes == 0 { Err(none_per_byte) } else { Ok(per_byte(segmenting)) },
            cores: ns.and_then(|ns| match delta.duration_ns {
                0 => Err(UNTIMED),
                duration_ns => Ok(ns / duration_ns as f64),
            }),
        }
    }

    /// Where programs ran, and none of them could time it.
    fn untimed(method: CostMethod, why: &Why) -> Self {
        Self {
            method,
            segmentation_calls: Err(NOT_HOOKED),
            skb_segment_ns: Err(INNER_NOT_HOOKED),
            ..Self::unmeasured(why)
        }
    }

    pub(crate) fn unmeasured(why: &Why) -> Self {
        Self {
            method: CostMethod::None,
            segmentation_calls: Err(why.clone()),
            segmentation_ns: Err(why.clone()),
            own_ns: None,
            skb_segment_ns: Err(why.clone()),
            ns_per_byte: Err(why.clone()),
            ns_per_byte_interval: Err(why.clone()),
            cores: Err(why.clone()),
        }
    }
}

/// What was seen while stack samples were taken.
#[derive(Default)]
struct Sampled {
    samples: StackSamples,
    /// Time of all CPUs.
    cpu_ns: u64,
    software_bytes: u64,
}

impl Sampled {
    fn in_window(window: &Window<'_>) -> Self {
        let mut seen = Self::default();
        let all_the_time = window.conditions.counting == Counting::Exact;
        // An interval belongs to the sample that ends it.
        for (delta, end) in window.intervals().zip(window.samples.iter().skip(1)) {
            if !(all_the_time || end.every_segment) {
                continue;
            }
            let Some(counted) = delta.traced.as_deref() else { continue };
            seen.samples.total += bounded(counted.samples.total);
            seen.samples.segmenting += bounded(counted.samples.segmenting);
            seen.samples.failed += bounded(counted.samples.failed);
            let cpus = u64::try_from(delta.cpus.len()).unwrap_or(u64::MAX);
            // Of the clock: that of /proc/stat is too coarse for a window.
            seen.cpu_ns = seen.cpu_ns.saturating_add(delta.duration_ns.saturating_mul(cpus));
            seen.software_bytes = seen.software_bytes.saturating_add(software_bytes(&delta));
        }
        seen
    }
}

fn software_bytes(delta: &Delta) -> u64 {
    let Some(counted) = delta.traced.as_deref() else { return 0 };
    let ledgers = Ledgers::of(delta, counted);
    ledgers.tcp.total.software_bytes.saturating_add(ledgers.udp.total.software_bytes)
}

/// Whether all that was segmented came here so: from a tunnel, or another device above.
fn came_segmented(delta: &Delta, counted: &Counters) -> bool {
    let built = TCP_AND_UDP_LANES.map(|each| cell(lane(counted, Stage::Queue, each), Class::Super).packets);
    calls(counted) == 0 && built == [0; 4] && software_bytes(delta) != 0
}

fn calls(counted: &Counters) -> u64 {
    counted.segmentation.splits[Caller::Device as usize].iter().map(|split| bounded(split.calls)).sum()
}

/// Payload that went into segmentation for this device.
fn segmented_bytes(counted: &Counters) -> u64 {
    counted.segmentation.splits[Caller::Device as usize]
        .iter()
        .map(|split| bounded(split.payload_bytes))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::Known as _;
    use crate::hook::HookState;
    use crate::testing::{MSS, Scene};

    #[test]
    fn timed_segmentation_has_a_cost_per_byte_and_an_interval_around_it() {
        let mut scene = Scene::new();
        for calls in 1..=8 {
            scene.cut(100 * calls, 44);
            scene.tick();
        }
        let cost = Cost::of(&scene.window());
        assert_eq!((cost.method, cost.segmentation_calls.known()), (CostMethod::Fexit, Some(3_600)));
        assert_eq!(cost.segmentation_ns.known(), Some(3_600 * 44 * 700));
        assert_eq!(cost.skb_segment_ns.known(), Some(3_600 * 44 * 500));
        let per_byte = 700.0 / MSS as f64;
        assert!((cost.ns_per_byte.unwrap() - per_byte).abs() < 1e-12);
        let [low, high] = cost.ns_per_byte_interval.unwrap();
        assert!(low <= per_byte + 1e-12 && per_byte - 1e-12 <= high);
    }

    #[test]
    fn fewer_than_five_intervals_with_segmentation_have_no_interval() {
        let mut scene = Scene::new();
        for _ in 0..4 {
            scene.cut(100, 44);
            scene.tick();
        }
        for _ in 0..4 {
            scene.whole(100, 44);
            scene.tick();
        }
        let cost = Cost::of(&scene.window());
        assert!(cost.ns_per_byte.known().is_some());
        assert_eq!(cost.ns_per_byte_interval.known(), None);
    }

    #[test]
    fn what_was_segmented_above_the_device_is_not_measured_here() {
        let mut scene = Scene::new();
        scene.cut_above(1_000, 44);
        let cost = Cost::of(&scene.window());
        assert_eq!((cost.method, cost.cores), (CostMethod::None, Err(SEGMENTED_ABOVE)));
    }

    #[test]
    fn nothing_segmented_costs_nothing_and_has_no_cost_per_byte() {
        let mut scene = Scene::new();
        scene.whole(100, 44);
        let cost = Cost::of(&scene.window());
        assert_eq!(
            (cost.segmentation_ns.known(), cost.ns_per_byte.known(), cost.cores.known()),
            (Some(0), None, Some(0.0))
        );
    }

    #[test]
    fn stack_samples_give_cores_and_an_interval() {
        let mut scene = Scene::tracepoints_only();
        scene.cut(10_000, 44);
        scene.conditions.hooks[Hook::StackSample] = HookState::Attached;
        scene.counters().samples.total = 200;
        scene.counters().samples.segmenting = 50;
        let cost = Cost::of(&scene.window());
        assert_eq!((cost.method, cost.cores.known()), (CostMethod::Sampling, Some(0.5)));
        assert_eq!(cost.segmentation_ns.known(), Some(500_000_000));
        assert_eq!(cost.segmentation_calls.known(), None);
        let per_byte = 500_000_000.0 / (440_000 * MSS) as f64;
        assert!((cost.ns_per_byte.unwrap() - per_byte).abs() < 1e-12);
        let [low, high] = cost.ns_per_byte_interval.unwrap();
        assert!(low < per_byte && per_byte < high);
        scene.counters().samples.failed = 20;
        let [same_low, higher] = Cost::of(&scene.window()).ns_per_byte_interval.unwrap();
        assert_eq!(same_low, low);
        assert!(higher > high);
    }

    #[test]
    fn samples_of_windows_tell_what_a_byte_costs_and_the_ledger_how_many_there_were() {
        let mut scene = Scene::tracepoints_only();
        scene.conditions.hooks[Hook::StackSample] = HookState::Attached;
        scene.cut(1_000, 44);
        scene.counters().samples.total = 20;
        scene.counters().samples.segmenting = 10;
        scene.last().every_segment = true;
        scene.tick();
        scene.cut(3_000, 44).last().every_segment = false;
        let view = crate::light::LightView::unaudited(&scene.window(), false);
        let window = view.window();
        let cost = Cost::of(&window);
        assert_eq!(cost.method, CostMethod::SamplingWindows);
        // Half of two CPUs for a second, for a quarter of all that was segmented.
        let window_ns = window.intervals().next().unwrap().duration_ns;
        assert_eq!(cost.segmentation_ns.known(), Some(4 * window_ns));
        let per_byte = window_ns as f64 / (44_000 * MSS) as f64;
        assert!((cost.ns_per_byte.unwrap() - per_byte).abs() < 1e-9);
        assert!((cost.cores.unwrap() - 4.0 * window_ns as f64 / window.duration_ns() as f64).abs() < 1e-9);
    }

    #[test]
    fn what_was_not_measured_is_none() {
        let mut switched_off = Scene::new();
        switched_off.cut(100, 44).switch_off(Hook::SkbGsoSegment);
        assert_eq!(Cost::of(&switched_off.window()), Cost::untimed(CostMethod::None, &UNTIMED));
        let mut counters = Scene::counters_only();
        counters.forget_the_programs();
        assert_eq!(Cost::of(&counters.window()), Cost::unmeasured(&Why::NoPrograms));
        let mut unsampled = Scene::tracepoints_only();
        unsampled.conditions.hooks[Hook::StackSample] = HookState::Attached;
        assert_eq!(Cost::of(&unsampled.window()).cores.known(), None);
    }
}
