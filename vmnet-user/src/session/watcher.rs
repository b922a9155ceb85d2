//! Who ends COMMAND when this process is killed and can do nothing any more.
//!
//! `PR_SET_PDEATHSIG` is what is made for it. The kernel forgets it where a program gains capabilities (`commit_creds`), as every program does that
//! root starts after giving some up. There, a process is left behind that waits for both ends.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
};

use nix::{
    errno::Errno,
    sys::{prctl::set_pdeathsig, signal::Signal},
    unistd::{Pid, getpid, getppid},
};
use tokio::process::Command;

/// Has COMMAND killed when this process is. Registered after the change of user, which is another reason for the kernel to forget.
/// `gains_capabilities`: as root's does. `own_group`: all of its group ends with it.
pub(super) fn end_with_us(command: &mut Command, gains_capabilities: bool, own_group: bool) {
    let parent = getpid();
    let us = if gains_capabilities { pidfd_of(parent) } else { None };
    // SAFETY: between fork and exec, system calls alone are made, and nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            set_pdeathsig(Signal::SIGKILL)?;
            // Too late where this process has gone already.
            if getppid() != parent {
                return Err(Errno::ESRCH.into());
            }
            match &us {
                Some(us) => leave_watcher(us.as_raw_fd(), own_group),
                None => Ok(()),
            }
        });
    }
}

/// None before 5.3, where nothing can be waited for by it.
fn pidfd_of(pid: Pid) -> Option<OwnedFd> {
    // SAFETY: the call takes two numbers.
    let answer = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    let descriptor = RawFd::try_from(answer).ok().filter(|descriptor| *descriptor >= 0)?;
    // SAFETY: the kernel has just made it, and nobody else knows it.
    Some(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// In what becomes COMMAND: leaves a process behind that is no child of it, as it did not start one.
fn leave_watcher(us: RawFd, own_group: bool) -> io::Result<()> {
    let command = getpid();
    // SAFETY: the child makes system calls alone and ends by `_exit`; this process has one thread since its own fork.
    unsafe {
        match libc::fork() {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                if libc::fork() == 0 {
                    watch(us, command, own_group);
                }
                libc::_exit(0)
            }
            child => {
                // Only to have it gone: it cannot fail but by a signal.
                libc::waitpid(child, std::ptr::null_mut(), 0);
                Ok(())
            }
        }
    }
}

/// Waits until one of both has ended, and kills COMMAND where it is not that.
fn watch(us: RawFd, command: Pid, own_group: bool) {
    let Some(of_command) = pidfd_of(command) else { return };
    // SAFETY: system calls on numbers, and on an array that outlives them.
    unsafe {
        libc::setsid();
        // Nothing else is held open: the pipes that COMMAND prints to, the lock on journals and programs in the kernel end with others.
        if libc::dup2(us, 0) != 0 || libc::dup2(of_command.as_raw_fd(), 1) != 1 {
            return;
        }
        std::mem::forget(of_command);
        if libc::syscall(libc::SYS_close_range, 2, u32::MAX, 0) != 0 {
            return;
        }
        let wanted = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut ends = [wanted(0), wanted(1)];
        while libc::poll(ends.as_mut_ptr(), 2, -1) < 0 {
            if Errno::last() != Errno::EINTR {
                return;
            }
        }
        if ends[1].revents == 0 {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                1,
                libc::SIGKILL,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            );
            if own_group {
                libc::killpg(command.as_raw(), libc::SIGKILL);
            }
        }
    }
}
