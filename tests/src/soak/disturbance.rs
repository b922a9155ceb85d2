//! What comes between: signals, changes of the device, a full disk, a reader that goes away.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::draw::Draw;
use super::stage::Stage;

/// Between there and back.
const MEANWHILE: Duration = Duration::from_millis(300);
const CPU: &str = "/sys/devices/system/cpu/cpu1/online";

/// What happens to an operation, at a moment that is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Disturbance {
    Nothing,
    /// Which ends it.
    Signal(Signal),
    /// Stopped by this one, and told to go on.
    Suspended(Signal),
    /// TSO is switched, and switched back.
    Tso,
    Mtu,
    Renamed,
    Down,
    Removed,
    /// The namespace is deleted, and made again by the same name.
    Namespace,
    /// The driver lets go of the device, and takes it again.
    Rebound,
    /// A CPU goes offline, and comes back.
    Cpu,
    /// The output directory's file system is full from the start, or fills up.
    FullDisk,
    /// Nobody reads standard output any more.
    ReaderGone,
}

use Disturbance as D;

impl Disturbance {
    const ANYWHERE: [Self; 13] = [
        D::Signal(Signal::SIGKILL),
        D::Signal(Signal::SIGKILL),
        D::Signal(Signal::SIGTERM),
        D::Signal(Signal::SIGINT),
        D::Signal(Signal::SIGQUIT),
        D::Suspended(Signal::SIGTSTP),
        D::Suspended(Signal::SIGSTOP),
        D::Tso,
        D::Mtu,
        D::Renamed,
        D::Down,
        D::FullDisk,
        D::ReaderGone,
    ];

    /// One in three operations has its peace.
    pub(super) fn draw(draw: &mut Draw, is_guest: bool) -> Self {
        let of_place: &[Self] =
            if is_guest { &[D::Rebound, D::Cpu, D::Cpu] } else { &[D::Removed, D::Namespace] };
        if draw.chance(1.0 / 3.0) {
            return Self::Nothing;
        }
        draw.one_of(&[&Self::ANYWHERE[..], of_place].concat())
    }

    pub(super) fn name(self) -> String {
        match self {
            D::Signal(signal) => signal.to_string(),
            D::Suspended(signal) => format!("{signal}+SIGCONT"),
            D::Nothing => "undisturbed".to_owned(),
            D::Tso => "TSO switched".to_owned(),
            D::Mtu => "MTU changed".to_owned(),
            D::Renamed => "renamed".to_owned(),
            D::Down => "set down and up".to_owned(),
            D::Removed => "device removed".to_owned(),
            D::Namespace => "namespace recreated".to_owned(),
            D::Rebound => "driver unbound and bound".to_owned(),
            D::Cpu => "CPU offline and online".to_owned(),
            D::FullDisk => "disk full".to_owned(),
            D::ReaderGone => "reader gone".to_owned(),
        }
    }

    pub(super) fn kills(self) -> bool {
        self == D::Signal(Signal::SIGKILL)
    }

    /// Whether an answer may be either: what is asked about changes while it is asked.
    pub(super) fn changes_the_device(self) -> bool {
        matches!(self, D::Tso | D::Mtu | D::Renamed | D::Down) || self.replaces_the_device()
    }

    /// Whether the device that is there afterwards is another one, or none.
    pub(super) fn replaces_the_device(self) -> bool {
        matches!(self, D::Removed | D::Namespace | D::Rebound)
    }

    /// Whether the operation has to do all the same what it is there for.
    pub(super) fn leaves_it_alone(self) -> bool {
        matches!(self, D::Nothing | D::Cpu | D::Suspended(_))
    }

    /// Does it, there and back.
    pub(super) fn strike(self, stage: &Stage, pid: Pid) -> Result<()> {
        let interface = stage.interface();
        let both = |there: &str, back: &str| {
            stage.exec(there)?;
            thread::sleep(MEANWHILE);
            stage.exec(back).map(drop)
        };
        match self {
            D::Nothing | D::FullDisk | D::ReaderGone => Ok(()),
            D::Signal(signal) => send(pid, signal),
            D::Suspended(signal) => {
                send(pid, signal)?;
                thread::sleep(MEANWHILE);
                send(pid, Signal::SIGCONT)
            }
            D::Tso => {
                let [there, back] = if stage.tso { ["off", "on"] } else { ["on", "off"] };
                both(
                    &format!("ethtool -K {interface} tso {there}"),
                    &format!("ethtool -K {interface} tso {back}"),
                )
            }
            D::Mtu => both(
                &format!("ip link set {interface} mtu 1400"),
                &format!("ip link set {interface} mtu 1500"),
            ),
            D::Renamed => {
                // Kernels before 6.2 rename only what is down already.
                stage.exec(&format!("ip link set {interface} down"))?;
                both(
                    &format!("ip link set {interface} name other0"),
                    &format!("ip link set other0 name {interface}"),
                )?;
                stage.address_again()
            }
            D::Down => {
                stage.exec(&format!("ip link set {interface} down"))?;
                thread::sleep(MEANWHILE);
                stage.address_again()
            }
            D::Removed => stage.exec(&format!("ip link delete {interface}")).map(drop),
            D::Namespace => stage.recreate_namespace(),
            D::Rebound => stage.rebind(),
            D::Cpu => {
                fs::write(CPU, "0").context(CPU)?;
                thread::sleep(MEANWHILE);
                fs::write(CPU, "1").context(CPU)
            }
        }
    }
}

/// One that has ended already is not to be sent anything.
fn send(pid: Pid, signal: Signal) -> Result<()> {
    match kill(pid, signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno).context(signal.to_string()),
    }
}
