//! The register of hooks: what each is called, and how it took part in a run. How a hook is attached
//! is the table's business (`probes/table.rs`).

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use crate::fact::{self, Fact, Why};
use crate::null_because;
use serde::{Deserialize, Serialize};

null_because! {
    no_program: Why::is("the hook is not attached, or the kernel does not tell");
}

/// A place in the kernel where programs count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// tp `net_dev_xmit`.
    NetDevXmit,
    /// tp `net_dev_start_xmit`.
    NetDevStartXmit,
    /// tp `kfree_skb`.
    KfreeSkb,
    /// `skb_segment`, entry and exit.
    SkbSegment,
    /// `__skb_gso_segment`, entry and exit.
    SkbGsoSegment,
    /// `tcp_sendmsg`, exit.
    TcpSendmsg,
    /// tp `inet_sock_set_state`.
    InetSockSetState,
    /// perf event `cpu-clock`.
    StackSample,
    /// tp `net_dev_queue` (or kprobe `__dev_queue_xmit`).
    NetDevQueue,
}

impl Hook {
    /// Every hook, by number.
    pub const ALL: [Self; 9] = [
        Self::NetDevXmit,
        Self::NetDevStartXmit,
        Self::KfreeSkb,
        Self::SkbSegment,
        Self::SkbGsoSegment,
        Self::TcpSendmsg,
        Self::InetSockSetState,
        Self::StackSample,
        Self::NetDevQueue,
    ];

    /// The kernel's name for the place; also for `--without-hook`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NetDevXmit => "net_dev_xmit",
            Self::NetDevStartXmit => "net_dev_start_xmit",
            Self::KfreeSkb => "kfree_skb",
            Self::SkbSegment => "skb_segment",
            Self::SkbGsoSegment => "__skb_gso_segment",
            Self::TcpSendmsg => "tcp_sendmsg",
            Self::InetSockSetState => "inet_sock_set_state",
            Self::StackSample => "cpu-clock",
            Self::NetDevQueue => "net_dev_queue",
        }
    }

    /// Whether it runs for every segment, or for every call of an application, or is dear: where counting is light, it takes part in
    /// windows only.
    #[must_use]
    pub const fn is_of_windows(self) -> bool {
        matches!(self, Self::SkbSegment | Self::TcpSendmsg) || self.is_of_every_window()
    }

    /// Whether it takes part in every window, and not in the first alone.
    #[must_use]
    pub const fn is_of_every_window(self) -> bool {
        matches!(self, Self::NetDevStartXmit | Self::NetDevXmit | Self::StackSample)
    }

    /// The hook of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.name() == name)
    }

    /// Its key in a recording, where two hooks have names of their own since the first version.
    const fn key(self) -> &'static str {
        match self {
            Self::SkbGsoSegment => "skb_gso_segment",
            Self::StackSample => "stack_samples",
            other => other.name(),
        }
    }
}

/// How one hook took part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum HookState {
    /// Attached and counting.
    Attached,
    /// Switched off by the person (`--without-hook`): its identities must fail, which shows that the audit can.
    SwitchedOff,
    /// Not part of this rung, or refused by the kernel: its identities are unmeasured.
    #[default]
    Absent,
}

/// How every hook took part, by [`Hook`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, HookState>", into = "BTreeMap<String, HookState>")]
pub struct Hooks([HookState; Hook::ALL.len()]);

impl Hooks {
    /// Whether it is attached and counts.
    #[must_use]
    pub fn counts(&self, hook: Hook) -> bool {
        self[hook] == HookState::Attached
    }
}

impl Index<Hook> for Hooks {
    type Output = HookState;

    fn index(&self, hook: Hook) -> &HookState {
        &self.0[hook as usize]
    }
}

impl IndexMut<Hook> for Hooks {
    fn index_mut(&mut self, hook: Hook) -> &mut HookState {
        &mut self.0[hook as usize]
    }
}

impl FromIterator<(Hook, HookState)> for Hooks {
    /// Hooks that are not named are absent.
    fn from_iter<T: IntoIterator<Item = (Hook, HookState)>>(states: T) -> Self {
        let mut hooks = Self::default();
        for (hook, state) in states {
            hooks[hook] = state;
        }
        hooks
    }
}

/// Hooks that a later version may have are left out, and those that an earlier one lacked are absent.
impl From<BTreeMap<String, HookState>> for Hooks {
    fn from(states: BTreeMap<String, HookState>) -> Self {
        let known = |hook: Hook| Some((hook, *states.get(hook.key())?));
        Hook::ALL.into_iter().filter_map(known).collect()
    }
}

impl From<Hooks> for BTreeMap<String, HookState> {
    fn from(hooks: Hooks) -> Self {
        Hook::ALL.into_iter().map(|hook| (hook.key().to_owned(), hooks[hook])).collect()
    }
}

/// One hook.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HookReport {
    /// The kernel function or tracepoint.
    pub hook: String,
    /// `fentry`, `fexit`, `kprobe`, `kretprobe`, `tp_btf`, `raw_tp`, `perf_event`.
    pub kind: String,
    /// How it took part.
    pub state: HookState,
    /// Times it ran, all interfaces; None where the kernel was not asked to count.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub events: Fact<u64>,
    /// Time of one run of the program, the kernel's clock reads included; None where not asked for (`--overhead`).
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub ns_per_event: Fact<f64>,
    /// The same less what an empty program takes that runs beside it: without the clock reads, and the call.
    #[serde(with = "fact", default = "fact::unread")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub net_ns_per_event: Fact<f64>,
    /// Instructions of the program as this kernel runs it, after what can never run was taken out.
    #[serde(serialize_with = "no_program")]
    pub instructions: Option<u64>,
    /// Why it is not attached.
    pub reason: Option<String>,
}

/// How it is known what the programs took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ProgramsMethod {
    /// The kernel kept their run times all the time (`--overhead`).
    RunTimes,
    /// It kept them in the first window; the rest of the run is scaled from it by the packets that were queued.
    FirstWindow,
}

impl ProgramsMethod {
    /// To be put behind the share.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::RunTimes => ", as the kernel kept their run times",
            Self::FirstWindow => ", scaled from the first window by packets",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hook_has_a_place_and_a_name_of_its_own() {
        for (place, hook) in Hook::ALL.into_iter().enumerate() {
            assert_eq!(hook as usize, place);
            assert_eq!(Hook::by_name(hook.name()), Some(hook));
        }
        assert_eq!(Hook::by_name("netif_rx"), None);
    }

    #[test]
    fn hooks_come_back_from_a_recording() {
        let hooks: Hooks = [
            (Hook::NetDevQueue, HookState::Attached),
            (Hook::SkbGsoSegment, HookState::SwitchedOff),
            (Hook::StackSample, HookState::Attached),
        ]
        .into_iter()
        .collect();
        let text = serde_json::to_string(&hooks).unwrap();
        assert_eq!(serde_json::from_str::<Hooks>(&text).unwrap(), hooks);
    }

    #[test]
    fn a_recording_of_another_version_may_have_more_hooks_or_fewer() {
        let text =
            r#"{"skb_gso_segment": "attached", "stack_samples": "switched-off", "of_later": "attached"}"#;
        let hooks: Hooks = serde_json::from_str(text).unwrap();
        assert!(hooks.counts(Hook::SkbGsoSegment));
        assert_eq!(hooks[Hook::StackSample], HookState::SwitchedOff);
        assert_eq!(hooks[Hook::InetSockSetState], HookState::Absent);
    }
}
