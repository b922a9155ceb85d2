//! Ctrl-C as a value: noted, so that guards can clean up, instead of ending the process where it stands.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on Ctrl-C (and SIGTERM, SIGHUP) is noted. Programs started by this process still get theirs.
pub fn watch() {
    flag();
}

/// Whether Ctrl-C came since [`watch`].
pub fn came() -> bool {
    flag().load(Ordering::Relaxed)
}

/// An error if Ctrl-C came, for the start of whatever takes time.
pub fn check() -> Result<()> {
    if came() {
        bail!("interrupted");
    }
    Ok(())
}

fn flag() -> &'static Arc<AtomicBool> {
    INTERRUPTED.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // Refused only for signals that cannot be caught, which these are not.
            let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
        }
        flag
    })
}
