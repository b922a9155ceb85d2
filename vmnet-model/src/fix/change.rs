//! What came of a request, as the kernel left it and not as it was asked for.

use serde::{Deserialize, Serialize};

use super::{
    channels::{ChannelCount, ChannelState},
    cpu_mask::cpu_mask,
    dependencies::missing_for,
    device::{DeviceState, Splits},
    step::{FeatureRequest, QueueCpus, Step, on_off},
};
use crate::fact::Why;
use crate::features::Feature;
use crate::null_because;

null_because! {
    not_read_back: Why::is("nothing was changed (--dry-run), or it could not be read back");
}

/// One thing that was to be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Change {
    /// The device.
    pub interface: String,
    /// A feature's name, `gso_max_size`, `tbf 8001: burst`, …
    pub what: String,
    /// As it was.
    pub before: String,
    /// As it was to be.
    pub requested: String,
    /// As it is now, read back; None where nothing was changed (`--dry-run`), or it could not be read.
    #[serde(serialize_with = "not_read_back")]
    pub after: Option<String>,
    /// Whether it is as requested; None where nothing was changed.
    #[serde(serialize_with = "not_read_back")]
    pub ok: Option<bool>,
    /// Why it is not as requested, or what to know about it.
    pub note: Option<String>,
}

/// Something that nobody asked for and that changed with what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Followed {
    /// The device.
    pub interface: String,
    /// The feature.
    pub what: String,
    /// As it was.
    pub before: String,
    /// As it is now.
    pub after: String,
}

/// What came back of a step.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// Not carried out.
    Planned,
    /// Carried out; the state read after.
    Done(&'a DeviceState),
    /// The kernel refused, or would not say; the state read after, where it could be.
    Failed(&'a str, Option<&'a DeviceState>),
}

impl Step {
    /// What it was to change, one entry each. `before` is the device's state before it.
    #[must_use]
    pub fn changes(&self, before: &DeviceState, outcome: Outcome<'_>) -> Vec<Change> {
        let change = |aspect: &Aspect<'_>, requested: String| aspect.change(requested, before, outcome);
        match self {
            Self::Features { requests, .. } => requests
                .iter()
                .map(|request| change(&Aspect::Feature(request), on_off(request.on).to_owned()))
                .collect(),
            Self::Limits { request, .. } => {
                let limits = [
                    (Aspect::GsoMaxSize, request.gso_max_size),
                    (Aspect::GsoIpv4MaxSize, request.gso_ipv4_max_size),
                    (Aspect::GsoMaxSegs, request.gso_max_segs),
                ];
                limits
                    .iter()
                    .filter_map(|(aspect, value)| Some(change(aspect, value.as_ref()?.to_string())))
                    .collect()
            }
            Self::TbfBurst { qdisc, burst_bytes, .. } => {
                let burst = burst_bytes.map(u64::from).or(match qdisc.splits {
                    Splits::AboveBurst { burst_bytes, .. } => Some(burst_bytes),
                    _ => None,
                });
                let requested = burst.map_or_else(|| "as it was".to_owned(), |bytes| format!("{bytes} B"));
                vec![change(&Aspect::Burst { handle: qdisc.handle, bytes: burst }, requested)]
            }
            Self::CakeSplitGso { handle, on, .. } => {
                vec![change(&Aspect::SplitGso { handle: *handle, on: *on }, on_off(*on).to_owned())]
            }
            Self::Channels { request, .. } => {
                let sorts = [
                    (Aspect::RxChannels, request.rx),
                    (Aspect::TxChannels, request.tx),
                    (Aspect::CombinedChannels, request.combined),
                ];
                sorts
                    .iter()
                    .filter_map(|(aspect, count)| Some(change(aspect, count.as_ref()?.to_string())))
                    .collect()
            }
            Self::Xps { queues, .. } => {
                queues.iter().map(|queue| change(&Aspect::Xps(queue), queue.mask())).collect()
            }
        }
    }
}

/// One thing of a device's state.
enum Aspect<'a> {
    Feature(&'a FeatureRequest),
    GsoMaxSize,
    GsoIpv4MaxSize,
    GsoMaxSegs,
    Burst { handle: u32, bytes: Option<u64> },
    SplitGso { handle: u32, on: bool },
    RxChannels,
    TxChannels,
    CombinedChannels,
    Xps(&'a QueueCpus),
}

impl Aspect<'_> {
    fn change(&self, requested: String, before: &DeviceState, outcome: Outcome<'_>) -> Change {
        let (after, ok, note) = match outcome {
            Outcome::Planned => (None, None, None),
            Outcome::Done(state) => {
                let ok = self.is_as_requested(&requested, before, state);
                let note = if ok { self.remark(before, state) } else { Some(self.why_not(before, state)) };
                (Some(self.said_of(state)), Some(ok), note)
            }
            Outcome::Failed(why, state) => {
                let fixed = state.filter(|state| self.is_fixed(state)).map_or("", |_| " (fixed)");
                // One request can hold several limits, which the kernel sets one after the other.
                let ok = state.is_some_and(|state| self.is_as_requested(&requested, before, state));
                let note = format!("refused: {why}{fixed}");
                (state.map(|state| self.said_of(state)), Some(ok), Some(note))
            }
        };
        Change {
            interface: before.name.clone(),
            what: self.name(),
            before: self.said_of(before),
            requested,
            after,
            ok,
            note,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Feature(request) => request.name.clone(),
            Self::GsoMaxSize => "gso_max_size".to_owned(),
            Self::GsoIpv4MaxSize => "gso_ipv4_max_size".to_owned(),
            Self::GsoMaxSegs => "gso_max_segs".to_owned(),
            Self::Burst { handle, .. } => format!("tbf {:x}: burst", handle >> 16),
            Self::SplitGso { handle, .. } => format!("cake {:x}: split-gso", handle >> 16),
            Self::RxChannels => "receive channels".to_owned(),
            Self::TxChannels => "transmit channels".to_owned(),
            Self::CombinedChannels => "combined channels".to_owned(),
            Self::Xps(queue) => format!("XPS of tx-{}", queue.queue),
        }
    }

    fn said_of(&self, state: &DeviceState) -> String {
        const UNKNOWN: &str = "not reported by the kernel";
        let number = |value: Option<u32>| value.map_or_else(|| UNKNOWN.to_owned(), |value| value.to_string());
        let channels = |sort: fn(ChannelState) -> Option<ChannelCount>| {
            number(state.channels.and_then(sort).map(|channels| channels.count))
        };
        match self {
            Self::Feature(request) => {
                state.features.get(&request.name).map_or_else(|| UNKNOWN.to_owned(), said_of_feature)
            }
            Self::GsoMaxSize => number(state.limits.gso_max_size),
            Self::GsoIpv4MaxSize => number(state.limits.gso_ipv4_max_size),
            Self::GsoMaxSegs => number(state.limits.gso_max_segs),
            Self::Burst { handle, .. } => match state.qdisc(*handle).map(|qdisc| qdisc.splits) {
                Some(Splits::AboveBurst { burst_bytes, .. }) => format!("{burst_bytes} B"),
                _ => "not there".to_owned(),
            },
            Self::SplitGso { handle, .. } => match state.qdisc(*handle).map(|qdisc| qdisc.splits) {
                Some(Splits::SplitGso { on }) => on.map_or(UNKNOWN, on_off).to_owned(),
                _ => "not there".to_owned(),
            },
            Self::RxChannels => channels(|state| state.rx),
            Self::TxChannels => channels(|state| state.tx),
            Self::CombinedChannels => channels(|state| state.combined),
            Self::Xps(queue) => {
                let index = usize::try_from(queue.queue).unwrap_or(usize::MAX);
                state.xps.get(index).map_or_else(|| "not there".to_owned(), |cpus| cpu_mask(cpus))
            }
        }
    }

    fn is_as_requested(&self, requested: &str, before: &DeviceState, after: &DeviceState) -> bool {
        match self {
            Self::Feature(request) => {
                let feature = after.features.get(&request.name);
                feature.is_some_and(|feature| feature.active == request.on && feature.wanted == request.on)
            }
            Self::GsoMaxSize
            | Self::GsoIpv4MaxSize
            | Self::GsoMaxSegs
            | Self::RxChannels
            | Self::TxChannels
            | Self::CombinedChannels
            | Self::Xps(_) => self.said_of(after) == requested,
            Self::Burst { handle, bytes } => {
                let splits = |state: &DeviceState| state.qdisc(*handle).map(|qdisc| qdisc.splits);
                let (Some(bytes), Some(before), Some(after)) = (*bytes, splits(before), splits(after)) else {
                    return false;
                };
                same_but_for_the_burst(before, after) && burst_is(bytes, after)
            }
            Self::SplitGso { handle, on } => {
                after.qdisc(*handle).map(|qdisc| qdisc.splits) == Some(Splits::SplitGso { on: Some(*on) })
            }
        }
    }

    fn is_fixed(&self, state: &DeviceState) -> bool {
        match self {
            Self::Feature(request) => state.features.get(&request.name).is_some_and(Feature::fixed),
            _ => false,
        }
    }

    fn why_not(&self, before: &DeviceState, after: &DeviceState) -> String {
        match self {
            Self::Feature(request) => match after.features.get(&request.name) {
                None => "this kernel has no such feature".to_owned(),
                Some(feature) if feature.fixed() => {
                    format!("fixed {}: it cannot be switched", on_off(feature.active))
                }
                Some(feature) if feature.wanted != request.on => {
                    "the kernel accepted the request but did not apply it".to_owned()
                }
                Some(feature) if request.on => {
                    let missing = missing_for(&feature.name, &after.features);
                    if missing.is_empty() {
                        "requested, not active: the driver, or a device above or below, took it back"
                            .to_owned()
                    } else {
                        format!(
                            "requested, not active: {} {} off",
                            missing.join(" and "),
                            if missing.len() == 1 { "is" } else { "are" }
                        )
                    }
                }
                Some(_) => "requested off, still active: the driver keeps it on".to_owned(),
            },
            Self::Burst { handle, .. } => match (before.qdisc(*handle), after.qdisc(*handle)) {
                (Some(before), Some(after)) if !same_but_for_the_burst(before.splits, after.splits) => {
                    format!("its other options changed too: {:?} → {:?}", before.splits, after.splits)
                }
                (_, None) => "the qdisc is gone".to_owned(),
                _ => "the kernel set another burst".to_owned(),
            },
            _ => "the kernel took the request and set something else".to_owned(),
        }
    }

    /// What to know about a change that is as requested.
    fn remark(&self, before: &DeviceState, after: &DeviceState) -> Option<String> {
        let limit = |state: &DeviceState| match self {
            Self::GsoMaxSize => state.limits.gso_max_size,
            Self::GsoIpv4MaxSize => state.limits.gso_ipv4_max_size,
            Self::GsoMaxSegs => state.limits.gso_max_segs,
            _ => None,
        };
        // `sk_setup_caps` copies them when a connection gets its route.
        (limit(after) > limit(before))
            .then(|| "connections that are open keep the limit that they began with".to_owned())
    }
}

/// As `ethtool -k` writes it.
pub fn said_of_feature(feature: &Feature) -> String {
    let more = if feature.fixed() {
        " [fixed]"
    } else if feature.wanted != feature.active {
        if feature.wanted { " [requested on]" } else { " [requested off]" }
    } else {
        ""
    };
    format!("{}{more}", on_off(feature.active))
}

fn same_but_for_the_burst(before: Splits, after: Splits) -> bool {
    match (before, after) {
        (
            Splits::AboveBurst { rate_bytes_per_s: rate, limit_bytes: limit, has_peak_rate: peak, .. },
            Splits::AboveBurst { rate_bytes_per_s, limit_bytes, has_peak_rate, .. },
        ) => (rate, limit, peak) == (rate_bytes_per_s, limit_bytes, has_peak_rate),
        _ => false,
    }
}

/// The kernel keeps the burst as a time, in ticks of 64 ns: what comes back may be off by what is sent in two.
fn burst_is(requested_bytes: u64, splits: Splits) -> bool {
    let Splits::AboveBurst { burst_bytes, rate_bytes_per_s, .. } = splits else { return false };
    burst_bytes.abs_diff(requested_bytes) <= rate_bytes_per_s / 7_812_500 + 2
}

/// Features that changed though no step asked for them.
#[must_use]
pub fn followed(before: &DeviceState, after: &DeviceState, asked_for: &[String]) -> Vec<Followed> {
    let unasked = before.features.iter().filter(|feature| !asked_for.contains(&feature.name));
    unasked
        .filter_map(|feature| {
            let now = after.features.get(&feature.name)?;
            (now.active != feature.active).then(|| Followed {
                interface: before.name.clone(),
                what: feature.name.clone(),
                before: said_of_feature(feature),
                after: said_of_feature(now),
            })
        })
        .collect()
}
