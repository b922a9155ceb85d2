//! All that is known of a hook beforehand, one entry each: its names, when it takes part, and the ways to attach it. Exits come before
//! entries, or the pairing stack would fill for good under live traffic.

use crate::sample::Mode;

/// How a program attaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the kernel's own names")]
pub enum Kind {
    TpBtf,
    RawTp,
    Fentry,
    Fexit,
    Kprobe,
    Kretprobe,
    PerfEvent,
}

impl Kind {
    /// As people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TpBtf => "tp_btf",
            Self::RawTp => "raw_tp",
            Self::Fentry => "fentry",
            Self::Fexit => "fexit",
            Self::Kprobe => "kprobe",
            Self::Kretprobe => "kretprobe",
            Self::PerfEvent => "perf_event",
        }
    }
}

/// One program of the object, and what it attaches to.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name in the object.
    pub name: &'static str,
    /// How it attaches.
    pub kind: Kind,
    /// The kernel's function or tracepoint; empty for perf events.
    pub target: &'static str,
}

/// Programs that serve a hook together.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// The rung it belongs to; None for those of every rung.
    pub rung: Option<Mode>,
    /// In the order of attaching.
    pub programs: &'static [Program],
}

impl Way {
    /// `fexit+fentry`, `tp_btf`, …
    #[must_use]
    pub fn name(&self) -> String {
        self.programs.iter().map(|program| program.kind.name()).collect::<Vec<_>>().join("+")
    }
}

/// When a hook takes part in a run that counts lightly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All the time.
    Always,
    /// In every window: it runs for every segment, or is dear.
    EveryWindow,
    /// In the first window alone: it runs for every segment, or for every call of an application.
    FirstWindow,
}

/// A hook and the ways to it.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Which.
    pub hook: Hook,
    /// The kernel's name for the place; also for `--without-hook`.
    pub name: &'static str,
    /// Its key in a recording: two hooks have names of their own there since the first version.
    pub key: &'static str,
    /// When it takes part.
    pub part: Part,
    /// What it proves.
    pub purpose: &'static str,
    /// Rungs that are none without it.
    pub needed_by: &'static [Mode],
    /// Why a rung has no way to it.
    pub why_no_way: &'static str,
    /// Best first.
    pub ways: &'static [Way],
}

const fn program(name: &'static str, kind: Kind, target: &'static str) -> Program {
    Program { name, kind, target }
}

const fn any(programs: &'static [Program]) -> Way {
    Way { rung: None, programs }
}

const fn on(rung: Mode, programs: &'static [Program]) -> Way {
    Way { rung: Some(rung), programs }
}

const EVERY_RUNG: &[Mode] = &[Mode::Fentry, Mode::Kprobe, Mode::Tracepoint];
const NO_WAY: &str = "no way to it on this rung";

/// The enum and its table, from one entry a hook.
macro_rules! register {
    ($($(#[$doc:meta])* $hook:ident { $($field:ident: $value:expr),* $(,)? })*) => {
        /// A place in the kernel where programs count.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Hook {
            $($(#[$doc])* $hook,)*
        }

        /// So many there are.
        pub(super) const COUNT: usize = [$(Hook::$hook),*].len();

        /// All hooks, by number, which is the order of attaching: first the one that a rung is most often refused for, as loading the
        /// others takes time.
        pub static HOOKS: [Spec; COUNT] = [$(Spec { hook: Hook::$hook, $($field: $value),* }),*];
    };
}

register! {
    /// `__skb_gso_segment`, entry and exit.
    SkbGsoSegment {
        name: "__skb_gso_segment",
        key: "skb_gso_segment",
        part: Part::Always,
        purpose: "software segmentation, its segments and its cost",
        needed_by: &[Mode::Fentry, Mode::Kprobe],
        why_no_way: NO_WAY,
        ways: &[
            on(
                Mode::Fentry,
                &[
                    program("skb_gso_segment_exit", Kind::Fexit, "__skb_gso_segment"),
                    program("skb_gso_segment", Kind::Fentry, "__skb_gso_segment"),
                ],
            ),
            on(
                Mode::Kprobe,
                &[
                    program("skb_gso_segment_kretprobe", Kind::Kretprobe, "__skb_gso_segment"),
                    program("skb_gso_segment_kprobe", Kind::Kprobe, "__skb_gso_segment"),
                ],
            ),
        ],
    }
    /// tp `net_dev_xmit`.
    NetDevXmit {
        name: "net_dev_xmit",
        key: "net_dev_xmit",
        part: Part::EveryWindow,
        purpose: "what the driver took",
        needed_by: EVERY_RUNG,
        why_no_way: NO_WAY,
        ways: &[
            any(&[program("net_dev_xmit", Kind::TpBtf, "net_dev_xmit")]),
            any(&[program("net_dev_xmit_raw", Kind::RawTp, "net_dev_xmit")]),
        ],
    }
    /// tp `net_dev_start_xmit`.
    NetDevStartXmit {
        name: "net_dev_start_xmit",
        key: "net_dev_start_xmit",
        part: Part::EveryWindow,
        purpose: "packets after the decision",
        needed_by: EVERY_RUNG,
        why_no_way: NO_WAY,
        ways: &[
            any(&[program("net_dev_start_xmit", Kind::TpBtf, "net_dev_start_xmit")]),
            any(&[program("net_dev_start_xmit_raw", Kind::RawTp, "net_dev_start_xmit")]),
        ],
    }
    /// tp `kfree_skb`.
    KfreeSkb {
        name: "kfree_skb",
        key: "kfree_skb",
        part: Part::Always,
        purpose: "drops between queue and driver",
        needed_by: &[],
        why_no_way: NO_WAY,
        ways: &[
            any(&[program("kfree_skb", Kind::TpBtf, "kfree_skb")]),
            any(&[program("kfree_skb_raw", Kind::RawTp, "kfree_skb")]),
        ],
    }
    /// `skb_segment`, entry and exit.
    SkbSegment {
        name: "skb_segment",
        key: "skb_segment",
        part: Part::FirstWindow,
        purpose: "the split itself, and a second count of segments",
        needed_by: &[],
        why_no_way: NO_WAY,
        ways: &[
            on(
                Mode::Fentry,
                &[
                    program("skb_segment_exit", Kind::Fexit, "skb_segment"),
                    program("skb_segment", Kind::Fentry, "skb_segment"),
                ],
            ),
            on(
                Mode::Kprobe,
                &[
                    program("skb_segment_kretprobe", Kind::Kretprobe, "skb_segment"),
                    program("skb_segment_kprobe", Kind::Kprobe, "skb_segment"),
                ],
            ),
        ],
    }
    /// `tcp_sendmsg`, exit.
    TcpSendmsg {
        name: "tcp_sendmsg",
        key: "tcp_sendmsg",
        part: Part::FirstWindow,
        purpose: "bytes that TCP took from applications",
        needed_by: &[],
        why_no_way: "only by fexit: a kretprobe on tcp_sendmsg loses a sixth to a half of the calls",
        ways: &[on(Mode::Fentry, &[program("tcp_sendmsg", Kind::Fexit, "tcp_sendmsg")])],
    }
    /// tp `inet_sock_set_state`.
    InetSockSetState {
        name: "inet_sock_set_state",
        key: "inet_sock_set_state",
        part: Part::Always,
        purpose: "what TCP itself says that closing sockets sent",
        needed_by: &[],
        why_no_way: NO_WAY,
        ways: &[
            any(&[program("inet_sock_set_state", Kind::TpBtf, "inet_sock_set_state")]),
            any(&[program("inet_sock_set_state_raw", Kind::RawTp, "inet_sock_set_state")]),
        ],
    }
    /// perf event `cpu-clock`.
    StackSample {
        name: "cpu-clock",
        key: "stack_samples",
        part: Part::EveryWindow,
        purpose: "the share of CPU time in segmentation, where no function can be probed",
        needed_by: &[],
        why_no_way: "not needed: this rung times segmentation itself",
        ways: &[on(Mode::Tracepoint, &[program("stack_sample", Kind::PerfEvent, "")])],
    }
    /// tp `net_dev_queue` (or kprobe `__dev_queue_xmit`).
    NetDevQueue {
        name: "net_dev_queue",
        key: "net_dev_queue",
        part: Part::Always,
        purpose: "packets before qdisc and segmentation",
        needed_by: EVERY_RUNG,
        why_no_way: NO_WAY,
        ways: &[
            any(&[program("net_dev_queue", Kind::TpBtf, "net_dev_queue")]),
            any(&[program("net_dev_queue_raw", Kind::RawTp, "net_dev_queue")]),
            any(&[program("dev_queue_xmit_kprobe", Kind::Kprobe, "__dev_queue_xmit")]),
        ],
    }
}

impl Hook {
    /// All that is known of it beforehand.
    #[must_use]
    pub fn spec(self) -> &'static Spec {
        &HOOKS[self as usize]
    }

    /// Every hook, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        HOOKS.iter().map(|spec| spec.hook)
    }

    /// The kernel's name for the place; also for `--without-hook`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// The hook of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        HOOKS.iter().find(|spec| spec.name == name).map(|spec| spec.hook)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hook_has_a_place_a_name_of_its_own_and_a_way() {
        for (place, spec) in HOOKS.iter().enumerate() {
            assert_eq!(spec.hook as usize, place);
            assert_eq!(Hook::by_name(spec.name), Some(spec.hook));
            assert!(!spec.ways.is_empty(), "{}", spec.name);
        }
        assert_eq!(Hook::by_name("netif_rx"), None);
    }
}
