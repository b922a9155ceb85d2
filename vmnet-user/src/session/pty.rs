//! A terminal of its own for what COMMAND prints, where ours is one: programs hold lines back that go into a pipe (iperf3 does, until it ends).

use std::io::IsTerminal;
use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use tokio::net::unix::pipe;

/// The end to listen to, and COMMAND's. None where our output is no terminal, or none is to be had: a pipe serves then.
pub(super) fn open() -> Option<(pipe::Receiver, OwnedFd)> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    attempt().inspect_err(|errno| log::debug!("no terminal for the command: {errno}")).ok()
}

fn attempt() -> std::io::Result<(pipe::Receiver, OwnedFd)> {
    let size = terminal_size::terminal_size();
    let size = size.map(|(terminal_size::Width(columns), terminal_size::Height(rows))| Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    });
    let pair = openpty(size.as_ref(), None)?;
    // What is printed arrives as it is: our own terminal translates ends of lines.
    let mut modes = tcgetattr(&pair.slave)?;
    cfmakeraw(&mut modes);
    tcsetattr(&pair.slave, SetArg::TCSANOW, &modes)?;
    for end in [&pair.master, &pair.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    }
    fcntl(&pair.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK | OFlag::O_RDWR))?;
    // Not a pipe, but read like one: until nobody has the other end open, which a terminal says by EIO.
    let listen = pipe::Receiver::from_owned_fd_unchecked(pair.master)?;
    Ok((listen, pair.slave))
}
