//! From what causes ask for to requests that change something.

use super::{
    change::{Change, said_of_feature},
    dependencies::missing_for,
    device::{DeviceState, Splits},
    step::{DeviceId, FeatureRequest, LimitRequest, Step, on_off},
};
use crate::cause::{Action, FeatureChange};

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In this order.
    pub steps: Vec<Step>,
    /// What was asked for and cannot be had, with the reason; nothing is tried for it.
    pub impossible: Vec<Change>,
}

/// The devices that actions are about, each once, in order.
#[must_use]
pub fn interfaces(actions: &[Action]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for action in actions {
        let name = interface(action);
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn interface(action: &Action) -> &str {
    match action {
        Action::Features { interface, .. }
        | Action::GsoLimits { interface, .. }
        | Action::TbfBurst { interface, .. }
        | Action::CakeNoSplit { interface, .. } => interface,
    }
}

/// What to ask of the kernel. What is as it should be already is left out; an action about a device that is not among
/// `states` too. Features of one device become one request, as what depends on each other must not be torn apart.
#[must_use]
pub fn plan(actions: &[Action], states: &[DeviceState]) -> Plan {
    let mut plan = Plan::default();
    for name in interfaces(actions) {
        let Some(state) = states.iter().find(|state| state.name == name) else { continue };
        let of_device = || actions.iter().filter(|action| interface(action) == name);
        let features = of_device().filter_map(|action| match action {
            Action::Features { changes, .. } => Some(changes),
            _ => None,
        });
        plan.features(state, features.flatten());
        for action in of_device() {
            match action {
                Action::Features { .. } => {}
                Action::GsoLimits { gso_max_size, gso_ipv4_max_size, gso_max_segs, .. } => {
                    let request = LimitRequest {
                        gso_max_size: *gso_max_size,
                        gso_ipv4_max_size: *gso_ipv4_max_size,
                        gso_max_segs: *gso_max_segs,
                    };
                    plan.limits(state, request);
                }
                Action::TbfBurst { handle, burst_bytes, .. } => plan.burst(state, *handle, *burst_bytes),
                Action::CakeNoSplit { handle, .. } => plan.no_split(state, *handle),
            }
        }
    }
    plan
}

impl Plan {
    fn features<'a>(&mut self, state: &DeviceState, changes: impl Iterator<Item = &'a FeatureChange>) {
        let changes: Vec<_> = changes.collect();
        let is_asked_for = |name: &str| {
            let can_be = state.features.get(name).is_some_and(|feature| !feature.fixed());
            can_be && changes.iter().any(|change| change.on && change.feature == name)
        };
        let mut requests: Vec<FeatureRequest> = Vec::new();
        for change in &changes {
            if requests.iter().any(|request| request.name == change.feature) {
                continue;
            }
            let Some(feature) = state.features.get(&change.feature) else {
                self.refuse(
                    state,
                    &change.feature,
                    "not there",
                    on_off(change.on),
                    "this kernel has no such feature",
                );
                continue;
            };
            if feature.active == change.on && (feature.wanted == change.on || feature.fixed()) {
                continue;
            }
            if feature.fixed() {
                let why =
                    "fixed: nothing inside this machine can switch it, its host or driver does not have it";
                self.refuse(state, &feature.name, &said_of_feature(feature), on_off(change.on), why);
                continue;
            }
            // Wanted already: asking again changes nothing while what it depends on stays off.
            let missing = missing_for(&feature.name, &state.features);
            let mut unasked = missing.into_iter().filter(|name| !is_asked_for(name));
            if change.on
                && feature.wanted
                && let Some(name) = unasked.next()
            {
                let why = format!("requested, not active: {name} is off");
                self.refuse(state, &feature.name, &said_of_feature(feature), "on", &why);
                continue;
            }
            requests.push(FeatureRequest { bit: feature.bit, name: feature.name.clone(), on: change.on });
        }
        if !requests.is_empty() {
            self.steps.push(Step::Features { device: id(state), requests });
        }
    }

    fn limits(&mut self, state: &DeviceState, asked: LimitRequest) {
        let limits = &state.limits;
        let mut changed = |what: &str, asked: Option<u32>, now: Option<u32>, most: Option<u32>| {
            let (wanted, Some(now)) = (asked?, now) else {
                self.refuse(
                    state,
                    what,
                    "not reported by the kernel",
                    &asked?.to_string(),
                    "this kernel has no such limit",
                );
                return None;
            };
            // More than the driver allows is refused with all that is in the same request.
            let wanted = most.map_or(wanted, |most| wanted.min(most));
            (wanted != now).then_some(wanted)
        };
        let request = LimitRequest {
            gso_max_size: changed(
                "gso_max_size",
                asked.gso_max_size,
                limits.gso_max_size,
                limits.tso_max_size,
            ),
            gso_ipv4_max_size: changed(
                "gso_ipv4_max_size",
                asked.gso_ipv4_max_size,
                limits.gso_ipv4_max_size,
                limits.tso_max_size,
            ),
            gso_max_segs: changed(
                "gso_max_segs",
                asked.gso_max_segs,
                limits.gso_max_segs,
                limits.tso_max_segs,
            ),
        };
        if !request.is_empty() {
            self.steps.push(Step::Limits { device: id(state), request });
        }
    }

    fn burst(&mut self, state: &DeviceState, handle: u32, wanted_bytes: u32) {
        let what = format!("tbf {:x}: burst", handle >> 16);
        let requested = format!("{wanted_bytes} B");
        let Some(qdisc) = state.qdisc(handle).filter(|_| handle != 0) else {
            self.refuse(state, &what, "not there", &requested, "there is no such qdisc any more");
            return;
        };
        let Splits::AboveBurst { burst_bytes, limit_bytes, has_peak_rate, .. } = qdisc.splits else {
            self.refuse(state, &what, &qdisc.kind, &requested, "this qdisc is no tbf");
            return;
        };
        if burst_bytes >= u64::from(wanted_bytes) {
            return;
        }
        if has_peak_rate {
            let why = "it has a peak rate, whose own mtu bounds packets too: raise both, with tc";
            self.refuse(state, &what, &format!("{burst_bytes} B"), &requested, why);
            return;
        }
        // tbf drops a packet that its queue cannot hold whole; segmented, the same would have passed.
        if limit_bytes < wanted_bytes {
            let why = format!(
                "its limit of {limit_bytes} B would drop super-packets whole: raise that first, to several times {wanted_bytes} B"
            );
            self.refuse(state, &what, &format!("{burst_bytes} B"), &requested, &why);
            return;
        }
        self.steps.push(Step::TbfBurst {
            device: id(state),
            qdisc: qdisc.clone(),
            burst_bytes: Some(wanted_bytes),
        });
    }

    fn no_split(&mut self, state: &DeviceState, handle: u32) {
        let what = format!("cake {:x}: split-gso", handle >> 16);
        match state.qdisc(handle).filter(|_| handle != 0).map(|qdisc| (qdisc, qdisc.splits)) {
            Some((_, Splits::SplitGso { on: Some(false) })) => {}
            Some((qdisc, Splits::SplitGso { .. })) => self.steps.push(Step::CakeSplitGso {
                device: id(state),
                handle,
                parent: qdisc.parent,
                on: false,
            }),
            Some((qdisc, _)) => self.refuse(state, &what, &qdisc.kind, "off", "this qdisc is no cake"),
            None => self.refuse(state, &what, "not there", "off", "there is no such qdisc any more"),
        }
    }

    fn refuse(&mut self, state: &DeviceState, what: &str, before: &str, requested: &str, why: &str) {
        self.impossible.push(Change {
            interface: state.name.clone(),
            what: what.to_owned(),
            before: before.to_owned(),
            requested: requested.to_owned(),
            after: Some(before.to_owned()),
            ok: Some(false),
            note: Some(why.to_owned()),
        });
    }
}

/// The burst with which tbf lets the largest super-packet pass, in bytes. tbf compares with what a super-packet takes on the wire:
/// `qdisc_pkt_len_init` adds a header for each segment after the first, which at 1500 bytes of MTU is 5 % (*measured* on 6.12: with
/// a burst of 65600, 94 % of the bytes were still split).
#[must_use]
pub fn burst_for(gso_max_size_bytes: u32, mtu_bytes: u32) -> u32 {
    // Ethernet with two VLAN tags, and IP and TCP with all options.
    const HEADERS_BYTES: u32 = 22 + 60 + 60;
    let segments = gso_max_size_bytes / mtu_bytes.saturating_sub(120).max(48) + 1;
    gso_max_size_bytes.saturating_add(segments.saturating_mul(HEADERS_BYTES))
}

pub(super) fn id(state: &DeviceState) -> DeviceId {
    DeviceId { ifindex: state.ifindex, name: state.name.clone() }
}
