//! What an arm's settings make of a device's state: the state to be reached, from the one that was found.

use super::arm::Setting;
use crate::fix::{ChannelCount, ChannelState, DeviceState};

/// The kernel's `GSO_LEGACY_MAX_SIZE`: up to here `netif_set_gso_max_size` sets the limit for IPv4 too.
const GSO_LEGACY_MAX_BYTES: u32 = 65_536;
/// More than `MAX_TCP_HEADER` on every architecture. `sk_setup_caps` takes that off the limit, and only later kernels refuse a limit below it
/// (the policy of `IFLA_GSO_MAX_SIZE`; 6.18 does).
const LEAST_GSO_BYTES: u32 = 513;

impl Setting {
    /// Puts this into a state as it was found. `cpus` is the number of CPUs, which are dealt out to queues where XPS is to be on and was off.
    /// Where an arm sets both, channels come before XPS.
    ///
    /// # Errors
    /// In words, when the device cannot be set so; the state is as it was then.
    pub fn put_into(&self, state: &mut DeviceState, cpus: u32) -> Result<(), String> {
        match self {
            Self::Feature { feature, on } => put_feature(state, feature, *on),
            Self::GsoMaxSegs { segs } => put_gso_max_segs(state, *segs),
            Self::GsoMaxSize { bytes } => put_gso_max_size(state, *bytes),
            Self::Channels { count } => put_channels(state, *count),
            Self::Xps { on } => put_xps(state, *on, cpus),
            // Nothing of the device.
            Self::Profiler { .. } => Ok(()),
        }
    }
}

fn put_feature(state: &mut DeviceState, name: &str, on: bool) -> Result<(), String> {
    let Some(feature) = state.features.get(name) else {
        return Err(format!("{name}: this kernel has no such feature"));
    };
    if !feature.fixed() {
        state.features.want(name, on);
    } else if feature.active != on {
        let is = if feature.active { "on" } else { "off" };
        return Err(format!("{name} is fixed {is}: it cannot be switched"));
    }
    Ok(())
}

fn put_gso_max_segs(state: &mut DeviceState, segs: u32) -> Result<(), String> {
    let limits = &mut state.limits;
    if limits.gso_max_segs.is_none() {
        return Err("gso_max_segs: this kernel has no such limit".to_owned());
    }
    if segs == 0 {
        return Err("gso_max_segs has to be 1 at least".to_owned());
    }
    if let Some(most) = limits.tso_max_segs.filter(|most| segs > *most) {
        return Err(format!("gso_max_segs {segs} is more than the driver allows (tso_max_segs {most})"));
    }
    limits.gso_max_segs = Some(segs);
    Ok(())
}

fn put_gso_max_size(state: &mut DeviceState, bytes: u32) -> Result<(), String> {
    let limits = &mut state.limits;
    if limits.gso_max_size.is_none() {
        return Err("gso_max_size: this kernel has no such limit".to_owned());
    }
    if bytes < LEAST_GSO_BYTES {
        return Err(format!("gso_max_size has to be {LEAST_GSO_BYTES} at least, for the headers' sake"));
    }
    if let Some(most) = limits.tso_max_size.filter(|most| bytes > *most) {
        return Err(format!("gso_max_size {bytes} is more than the driver allows (tso_max_size {most})"));
    }
    limits.gso_max_size = Some(bytes);
    // As `do_setlink` has it follow.
    if bytes <= GSO_LEGACY_MAX_BYTES {
        limits.gso_ipv4_max_size = limits.gso_ipv4_max_size.map(|_| bytes);
    }
    Ok(())
}

fn put_channels(state: &mut DeviceState, count: u32) -> Result<(), String> {
    let found = state.channels.ok_or("the driver does not tell of its channels, so they cannot be set")?;
    if count == 0 {
        return Err("without a channel nothing is sent".to_owned());
    }
    let mut channels = found;
    for (sort, what) in sorts_in_use(&mut channels) {
        if let Some(sort) = sort {
            if count > sort.most {
                return Err(format!("the driver has {} {what} channels at most, not {count}", sort.most));
            }
            sort.count = count;
        }
    }
    let queues = channels.transmit().map(|transmit| transmit.count);
    if queues != found.transmit().map(|transmit| transmit.count) {
        fit_xps(&mut state.xps, queues.unwrap_or(0) as usize);
    }
    state.channels = Some(channels);
    Ok(())
}

type Sort<'a> = (&'a mut Option<ChannelCount>, &'static str);

/// Combined channels where the driver has them, else those that receive and those that transmit alike.
fn sorts_in_use(channels: &mut ChannelState) -> Vec<Sort<'_>> {
    if channels.combined.is_some() {
        vec![(&mut channels.combined, "combined")]
    } else {
        vec![(&mut channels.rx, "receive"), (&mut channels.tx, "transmit")]
    }
}

/// Queues that stay keep their CPUs. New ones are left to the driver, but where XPS is off on all of them, it stays off.
fn fit_xps(xps: &mut Vec<Vec<u32>>, queues: usize) {
    let is_off = !xps.is_empty() && xps.iter().all(Vec::is_empty);
    if queues < xps.len() || is_off {
        xps.resize(queues, Vec::new());
    }
}

fn put_xps(state: &mut DeviceState, on: bool, cpus: u32) -> Result<(), String> {
    let told = state.channels.and_then(|channels| channels.transmit()).map_or(0, |transmit| transmit.count);
    let queues = state.xps.len().max(told as usize);
    if queues == 1 {
        return Err("with a single transmit queue there is nothing to steer".to_owned());
    }
    if state.xps.is_empty() {
        return Err(
            "which CPUs are sent to which queue (xps_cpus) cannot be read, nor then put back".to_owned()
        );
    }
    if !on {
        state.xps = vec![Vec::new(); queues];
        return Ok(());
    }
    let is_as_found = state.xps.len() == queues && state.xps.iter().any(|cpus| !cpus.is_empty());
    if !is_as_found {
        if cpus == 0 {
            return Err("the number of CPUs is not known, so they cannot be dealt out to queues".to_owned());
        }
        state.xps = vec![Vec::new(); queues];
        for (cpu, queue) in (0..cpus).zip((0..queues).cycle()) {
            if let Some(of_queue) = state.xps.get_mut(queue) {
                of_queue.push(cpu);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "setting_tests.rs"]
mod tests;
