//! What this process may do, and giving up what it no longer needs.

use caps::{CapSet, Capability};

/// Why programs cannot be loaded at all, or None if they may be.
#[must_use]
pub fn why_no_bpf() -> Option<String> {
    let has = |capability| caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false);
    if has(Capability::CAP_SYS_ADMIN) || (has(Capability::CAP_BPF) && has(Capability::CAP_PERFMON)) {
        return None;
    }
    Some("loading programs needs root (or CAP_BPF and CAP_PERFMON)".to_owned())
}

/// What a run still needs once its programs are attached: reading maps (`bpf(2)` asks for CAP_BPF at every call),
/// running COMMAND as the person who called and ending it, and writing the outputs as them.
const KEPT: &[Capability] = &[
    Capability::CAP_BPF,
    Capability::CAP_KILL,
    Capability::CAP_PERFMON,
    Capability::CAP_SETGID,
    Capability::CAP_SETUID,
];

/// What an experiment needs besides: to switch the device to and fro.
const KEPT_TO_SWITCH: &[Capability] = &[Capability::CAP_NET_ADMIN];

/// Drops every capability that a run does not need once its programs are attached. Call it before threads are started: capabilities
/// belong to threads.
///
/// # Errors
/// What the kernel answered, in words.
pub fn drop_privileges() -> Result<(), String> {
    drop_all_but(&[KEPT])
}

/// The same, and leaves what it takes to switch a device to and fro.
///
/// # Errors
/// What the kernel answered, in words.
pub fn drop_privileges_but_switching() -> Result<(), String> {
    drop_all_but(&[KEPT, KEPT_TO_SWITCH])
}

/// What it takes to ask an interface with hand-made super-packets.
const KEPT_TO_ASK: &[Capability] = &[Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW];

/// Drops what asking an interface does not need. Call it when the machine has been read: what is in other network namespaces takes more.
pub fn drop_privileges_but_asking() {
    drop_all_but(&[KEPT_TO_ASK]).unwrap_or_else(|error| log::debug!("capabilities stay: {error}"));
}

/// Drops every capability, for good: what this process starts has none either. For those who need none, before threads are started.
pub fn drop_all() {
    // Who has none has lost nothing where this fails.
    drop_all_but(&[]).unwrap_or_else(|error| log::debug!("capabilities stay: {error}"));
    nix::sys::prctl::set_no_new_privs().unwrap_or_else(|error| log::debug!("no_new_privs: {error}"));
}

fn drop_all_but(needed: &[&[Capability]]) -> Result<(), String> {
    let current = caps::read(None, CapSet::Permitted).map_err(|error| error.to_string())?;
    let is_needed = |capability: &Capability| needed.iter().any(|some| some.contains(capability));
    let kept = current.into_iter().filter(is_needed).collect();
    caps::set(None, CapSet::Inheritable, &caps::CapsHashSet::new()).map_err(|error| error.to_string())?;
    caps::set(None, CapSet::Effective, &kept).map_err(|error| error.to_string())?;
    caps::set(None, CapSet::Permitted, &kept).map_err(|error| error.to_string())
}
