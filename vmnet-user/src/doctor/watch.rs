//! `vmnet doctor --watch`: what changes, and when, so that whatever undoes a fix is caught at it.

use std::time::Duration;

use jiff::Zoned;

use crate::{
    device::{
        facts,
        links::{LinkError, LinkReader},
        netlink::NetlinkError,
        watch::Monitor,
    },
    model::{changes, machine::Machine},
};

/// How often what the kernel tells nobody of (limits, qdiscs, files) is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What ends a watch.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The interface is gone, or cannot be read.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The kernel does not tell of changes.
    #[error("listening for changes: {0}")]
    Netlink(#[from] NetlinkError),
}

/// What changed at one moment.
#[derive(Clone, Debug)]
pub struct Noticed {
    /// When it was noticed.
    pub at: Zoned,
    /// One line a change: what it was, what it is.
    pub lines: Vec<String>,
}

/// Watches an interface in the network namespace of the calling thread.
#[derive(Debug)]
pub struct Watch {
    monitor: Monitor,
    last: Machine,
}

impl Watch {
    /// From now on.
    ///
    /// # Errors
    /// When there is no such interface, or the kernel does not tell of changes.
    pub fn begin(interface: &str) -> Result<Self, WatchError> {
        // First the monitor: what changes between the two is then told of.
        let monitor = Monitor::open()?;
        let last = facts::read(interface)?;
        Ok(Self { monitor, last })
    }

    /// Waits up to a second. None if nothing changed.
    ///
    /// # Errors
    /// When the interface is gone or was renamed.
    pub fn wait(&mut self) -> Result<Option<Noticed>, WatchError> {
        self.monitor.next(LOOK)?;
        let at = Zoned::now();
        let now = self.read()?;
        let lines = changes::between(&self.last, &now);
        self.last = now;
        Ok((!lines.is_empty()).then_some(Noticed { at, lines }))
    }

    /// The same interface, not another that has come by its name.
    fn read(&self) -> Result<Machine, LinkError> {
        let known = &self.last.device;
        match facts::read(&known.name) {
            Ok(now) if now.device.ifindex == known.ifindex => Ok(now),
            read => {
                // What became of it, where it is known.
                LinkReader::open()?.counters(known.ifindex, &known.name)?;
                read
            }
        }
    }
}
