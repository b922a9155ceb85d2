//! One request to the kernel, and the same as a command that a person could type.

use super::{
    channels::ChannelRequest,
    cpu_mask::cpu_mask,
    device::{QdiscState, Splits},
};
use crate::shell::quoted;

/// Which device, in the namespace that is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceId {
    /// Its index.
    pub ifindex: u32,
    /// Its name.
    pub name: String,
}

/// One request to the kernel. It is carried out whole or not at all, but for limits and XPS, which are several things set one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Wanted features, all in one, so that the kernel resolves what depends on what.
    Features {
        /// Whose.
        device: DeviceId,
        /// Which.
        requests: Vec<FeatureRequest>,
    },
    /// GSO limits.
    Limits {
        /// Whose.
        device: DeviceId,
        /// Which.
        request: LimitRequest,
    },
    /// tbf with the options as they were dumped, but for the burst.
    TbfBurst {
        /// Whose.
        device: DeviceId,
        /// The qdisc with its options.
        qdisc: QdiscState,
        /// Bytes; None: the burst as dumped too.
        burst_bytes: Option<u32>,
    },
    /// cake's `split-gso`, and no other option.
    CakeSplitGso {
        /// Whose.
        device: DeviceId,
        /// The qdisc.
        handle: u32,
        /// Its parent.
        parent: u32,
        /// On or off.
        on: bool,
    },
    /// How many channels are in use. Drivers spread the CPUs over their queues anew then (`virtnet_set_queues`).
    Channels {
        /// Whose.
        device: DeviceId,
        /// Which.
        request: ChannelRequest,
    },
    /// Which CPUs are sent to which transmit queue; queues that are not named stay as they are.
    Xps {
        /// Whose.
        device: DeviceId,
        /// Which.
        queues: Vec<QueueCpus>,
    },
}

/// A transmit queue and the CPUs to be sent to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueCpus {
    /// From 0.
    pub queue: u32,
    /// None of them: no CPU is sent to this one in particular.
    pub cpus: Vec<u32>,
}

impl QueueCpus {
    /// Where the mask goes, below the interface's directory in `/sys/class/net`.
    #[must_use]
    pub fn file(&self) -> String {
        format!("queues/tx-{}/xps_cpus", self.queue)
    }

    /// What goes there.
    #[must_use]
    pub fn mask(&self) -> String {
        cpu_mask(&self.cpus)
    }
}

/// A feature to be wanted or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureRequest {
    /// Its place in `netdev_features_t` of this kernel.
    pub bit: u32,
    /// Its name.
    pub name: String,
    /// Wanted.
    pub on: bool,
}

/// Limits to be set; None: not touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitRequest {
    /// Bytes.
    pub gso_max_size: Option<u32>,
    /// Bytes (6.3).
    pub gso_ipv4_max_size: Option<u32>,
    /// Segments.
    pub gso_max_segs: Option<u32>,
}

impl LimitRequest {
    /// Nothing to be set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Step {
    /// Whose state it changes.
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        match self {
            Self::Features { device, .. }
            | Self::Limits { device, .. }
            | Self::TbfBurst { device, .. }
            | Self::CakeSplitGso { device, .. }
            | Self::Channels { device, .. }
            | Self::Xps { device, .. } => device,
        }
    }

    /// The same with `ethtool`, `ip`, `tc` or `echo`, quoted for a shell.
    #[must_use]
    pub fn command(&self) -> String {
        let name = quoted(&self.device().name);
        match self {
            Self::Features { requests, .. } => {
                let words =
                    requests.iter().map(|request| format!(" {} {}", request.name, on_off(request.on)));
                format!("ethtool -K {name}{}", words.collect::<String>())
            }
            Self::Limits { request, .. } => {
                let words = [
                    ("gso_max_size", request.gso_max_size),
                    ("gso_ipv4_max_size", request.gso_ipv4_max_size),
                    ("gso_max_segs", request.gso_max_segs),
                ];
                let words = words.into_iter().filter_map(|(word, value)| Some(format!(" {word} {}", value?)));
                format!("ip link set dev {name}{}", words.collect::<String>())
            }
            Self::TbfBurst { qdisc, burst_bytes, .. } => {
                let place = place(qdisc.handle, qdisc.parent);
                let Splits::AboveBurst { burst_bytes: burst, rate_bytes_per_s, limit_bytes, .. } =
                    qdisc.splits
                else {
                    return format!("tc qdisc change dev {name} {place} {}", qdisc.kind);
                };
                format!(
                    "tc qdisc change dev {name} {place} tbf rate {}bit burst {}b limit {limit_bytes}b",
                    rate_bytes_per_s.saturating_mul(8),
                    burst_bytes.map_or(burst, u64::from)
                )
            }
            Self::CakeSplitGso { handle, parent, on, .. } => {
                let option = if *on { "split-gso" } else { "no-split-gso" };
                format!("tc qdisc change dev {name} {} cake {option}", place(*handle, *parent))
            }
            Self::Channels { request, .. } => {
                let words = [("rx", request.rx), ("tx", request.tx), ("combined", request.combined)];
                let words = words.into_iter().filter_map(|(word, value)| Some(format!(" {word} {}", value?)));
                format!("ethtool -L {name}{}", words.collect::<String>())
            }
            Self::Xps { queues, .. } => {
                let echoes = queues
                    .iter()
                    .map(|queue| format!("echo {} >/sys/class/net/{name}/{}", queue.mask(), queue.file()));
                echoes.collect::<Vec<_>>().join("; ")
            }
        }
    }
}

/// As `ethtool -k` writes it.
pub(super) fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// `linux/pkt_sched.h`: the parent of a root qdisc.
const TC_H_ROOT: u32 = 0xFFFF_FFFF;

fn place(handle: u32, parent: u32) -> String {
    let minor =
        |number: u32| if number & 0xFFFF == 0 { String::new() } else { format!("{:x}", number & 0xFFFF) };
    let parent = if parent == TC_H_ROOT {
        "root".to_owned()
    } else {
        format!("parent {:x}:{}", parent >> 16, minor(parent))
    };
    format!("{parent} handle {:x}:", handle >> 16)
}
