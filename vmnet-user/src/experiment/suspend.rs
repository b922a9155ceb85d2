//! Ctrl-Z: a device that stands as an arm has it for as long as nobody types `fg` is nobody's wish.

use nix::sys::signal::{Signal, raise};

use super::{Observer, switch::Switch};
use crate::fix::Kernel;
use crate::session::is_to_go_on_already;

/// Puts everything back and stops, until somebody has it go on. The journal stays, and says what was before if nobody does.
pub(super) fn suspend<K: Kernel>(switch: &mut Switch<'_, K>, observer: &mut dyn Observer) {
    let back = switch.back_for_now();
    if back.restored == Some(true) {
        observer.note("suspended, and everything put back meanwhile: fg goes on");
    } else {
        let lines = back.not_as_before.join("; ");
        observer.note(&format!("suspended, and not everything could be put back: {lines}"));
    }
    if is_to_go_on_already() {
        observer.note("going on at once: SIGCONT came before everything was put back");
        return;
    }
    // The one that nobody can catch: returns when SIGCONT has come.
    match raise(Signal::SIGSTOP) {
        Ok(()) => observer.note("going on"),
        Err(errno) => observer.note(&format!("could not be stopped ({}), and goes on", errno.desc())),
    }
}
