//! Which device behind a tunnel could segment what the tunnel sends, if super-packets left it whole.

use serde::{Deserialize, Serialize};

use super::{Seen, next};
use crate::{
    cause::{
        host::{self, HostNeed},
        segmentation_inside,
    },
    machine::{Device, Machine},
    offload::Offload,
    shell::quoted,
};

/// The device, and how its feature stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OffloadBelow {
    /// The first step behind the tunnel whose device has the feature off; where none has, the last. Its place in `steps`, from 0.
    pub step: usize,
    /// The device.
    pub device: String,
    /// What it needs for packets inside the tunnel, as `ethtool -k` calls it.
    pub feature: String,
    /// How that stands.
    pub state: Offload,
    /// The same in a sentence, with who can change it.
    pub text: String,
    /// What to type, or to set on the host, where somebody can.
    pub commands: Vec<String>,
}

/// Of the step `of`. None where the device is no tunnel, where it
/// encrypts, and where nothing that is known is behind it.
#[must_use]
pub fn offload_below(seen: &[Seen], machines: &[Option<&Machine>], of: usize) -> Option<OffloadBelow> {
    let tunnel = &machines.get(of).copied().flatten()?.device;
    let feature = *segmentation_inside(tunnel)?.first()?;
    let mut last = None;
    let mut at = of;
    // Where ways part, it is the first of them.
    while let Some(step) = next(seen, at).into_iter().find(|step| *step > at) {
        at = step;
        let Some(machine) = machines.get(step).copied().flatten() else { continue };
        let Ok(state) = Offload::named(&machine.device.features, feature) else { continue };
        last = Some((step, machine, state));
        if !state.active() {
            break;
        }
    }
    let (step, machine, state) = last?;
    let (said, commands) = said(machine, feature, state);
    Some(OffloadBelow {
        step,
        device: machine.device.name.clone(),
        feature: feature.to_owned(),
        state,
        text: said,
        commands,
    })
}

fn said(machine: &Machine, feature: &str, state: Offload) -> (String, Vec<String>) {
    let device = &machine.device;
    let name = &device.name;
    let first = format!("the first device that could do it for the tunnel is {name}: {feature} is");
    let is_for_udp = feature.starts_with("tx-udp_tnl");
    match state {
        Offload::On | Offload::OnFixed if device.terminal => (format!("{first} on there"), Vec::new()),
        Offload::On | Offload::OnFixed => {
            let text = format!(
                "once it lets super-packets pass, no device behind it segments: {feature} is on, down to {name}"
            );
            (text, Vec::new())
        }
        Offload::Off => {
            (format!("{first} off there"), vec![format!("ethtool -K {} {feature} on", quoted(name))])
        }
        Offload::OffThoughWanted => (
            format!("{first} wanted there, and off: what it depends on is missing"),
            vec![format!("vmnet doctor {}", quoted(name))],
        ),
        Offload::OffFixed if machine.virtio.is_some() && is_for_udp => {
            (format!("{first} not offered; ask the host"), host::settings(HostNeed::Tunnel))
        }
        Offload::OffFixed => (format!("{first} not offered; {}", who(device, machine)), Vec::new()),
    }
}

/// Who could change what cannot be switched.
fn who(device: &Device, machine: &Machine) -> &'static str {
    if machine.virtio.is_some() {
        "no host can: virtio segments inside UDP tunnels alone (VXLAN, GENEVE)"
    } else if device.kind.is_some() {
        "it has what the devices below it have"
    } else {
        "its driver has none: it takes another NIC"
    }
}
