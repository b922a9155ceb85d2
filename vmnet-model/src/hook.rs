//! The hooks: what is known of each beforehand (its register), and how it took part in a run.

mod register;

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use crate::fact::{self, Fact, Why};
use crate::null_because;
use serde::{Deserialize, Serialize};

pub use self::register::{HOOKS, Hook, Kind, Part, Program, Spec, Way};

null_because! {
    no_program: Why::is("the hook is not attached, or the kernel does not tell");
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
pub struct Hooks([HookState; register::COUNT]);

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
        let known = |spec: &Spec| Some((spec.hook, *states.get(spec.key)?));
        HOOKS.iter().filter_map(known).collect()
    }
}

impl From<Hooks> for BTreeMap<String, HookState> {
    fn from(hooks: Hooks) -> Self {
        HOOKS.iter().map(|spec| (spec.key.to_owned(), hooks[spec.hook])).collect()
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
