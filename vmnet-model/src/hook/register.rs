//! The hooks, and the ways to attach each: one line a way. Exits come before entries, or the pairing stack would fill
//! for good under live traffic.

use crate::model::{hook::Hook, sample::Mode};

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

impl Spec {
    /// The kernel's name for the place.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.hook.name()
    }
}

impl Way {
    /// `fexit+fentry`, `tp_btf`, …
    #[must_use]
    pub fn name(&self) -> String {
        self.programs.iter().map(|program| program.kind.name()).collect::<Vec<_>>().join("+")
    }
}

/// A hook and the ways to it, best first.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Which.
    pub hook: Hook,
    /// What it proves.
    pub purpose: &'static str,
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

/// All hooks, in the order of attaching: first the one that a rung is most often refused for, as loading the others takes time.
pub const HOOKS: &[Spec] = &[
    Spec {
        hook: Hook::SkbGsoSegment,
        purpose: "software segmentation, its segments and its cost",
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
    },
    Spec {
        hook: Hook::NetDevXmit,
        purpose: "what the driver took",
        ways: &[
            any(&[program("net_dev_xmit", Kind::TpBtf, "net_dev_xmit")]),
            any(&[program("net_dev_xmit_raw", Kind::RawTp, "net_dev_xmit")]),
        ],
    },
    Spec {
        hook: Hook::NetDevStartXmit,
        purpose: "packets after the decision",
        ways: &[
            any(&[program("net_dev_start_xmit", Kind::TpBtf, "net_dev_start_xmit")]),
            any(&[program("net_dev_start_xmit_raw", Kind::RawTp, "net_dev_start_xmit")]),
        ],
    },
    Spec {
        hook: Hook::KfreeSkb,
        purpose: "drops between queue and driver",
        ways: &[
            any(&[program("kfree_skb", Kind::TpBtf, "kfree_skb")]),
            any(&[program("kfree_skb_raw", Kind::RawTp, "kfree_skb")]),
        ],
    },
    Spec {
        hook: Hook::SkbSegment,
        purpose: "the split itself, and a second count of segments",
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
    },
    Spec {
        hook: Hook::TcpSendmsg,
        purpose: "bytes that TCP took from applications",
        ways: &[on(Mode::Fentry, &[program("tcp_sendmsg", Kind::Fexit, "tcp_sendmsg")])],
    },
    Spec {
        hook: Hook::InetSockSetState,
        purpose: "what TCP itself says that closing sockets sent",
        ways: &[
            any(&[program("inet_sock_set_state", Kind::TpBtf, "inet_sock_set_state")]),
            any(&[program("inet_sock_set_state_raw", Kind::RawTp, "inet_sock_set_state")]),
        ],
    },
    Spec {
        hook: Hook::StackSample,
        purpose: "the share of CPU time in segmentation, where no function can be probed",
        ways: &[on(Mode::Tracepoint, &[program("stack_sample", Kind::PerfEvent, "")])],
    },
    Spec {
        hook: Hook::NetDevQueue,
        purpose: "packets before qdisc and segmentation",
        ways: &[
            any(&[program("net_dev_queue", Kind::TpBtf, "net_dev_queue")]),
            any(&[program("net_dev_queue_raw", Kind::RawTp, "net_dev_queue")]),
            any(&[program("dev_queue_xmit_kprobe", Kind::Kprobe, "__dev_queue_xmit")]),
        ],
    },
];

/// The hook of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Spec> {
    let hook = Hook::by_name(name)?;
    HOOKS.iter().find(|spec| spec.hook == hook)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_for_every_hook_of_the_register() {
        for hook in Hook::ALL {
            assert_eq!(HOOKS.iter().filter(|spec| spec.hook == hook).count(), 1, "{hook:?}");
        }
    }
}
