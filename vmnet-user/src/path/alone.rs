//! What counts, without a command around it: what a bench holds against nothing.

use std::{net::IpAddr, thread};

use anyhow::{Result, bail};

use super::{
    attach,
    watch::{self, Reading},
    way::{self, Way},
    windows::WINDOW,
    world::World,
};
use crate::probes::path::PathProbes;

/// The programs of a way, detached at first.
pub struct Alone {
    world: World,
    way: Way,
    probes: PathProbes,
    /// Devices that they count at.
    pub devices: usize,
}

impl Alone {
    /// Finds the way to an address from the namespace of this process, and loads what counts there.
    ///
    /// # Errors
    /// There is no way, or the kernel takes no program.
    pub fn on_the_way_to(destination: IpAddr) -> Result<Self> {
        let mut world = World::look(None)?;
        let way = way::to(&mut world, destination, false)?;
        let slots = watch::slots(&way.stops);
        if slots.is_empty() {
            bail!("packets to {destination} leave by no device that can be watched");
        }
        let mut probes = attach(&watch::watch(&way.stops, &slots))?;
        probes.pause();
        Ok(Self { world, way, probes, devices: slots.len() })
    }

    /// Counts until [`Self::pause`].
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn resume(&mut self) -> Result<()> {
        self.probes.resume().map_err(anyhow::Error::msg)
    }

    /// Counts no more.
    pub fn pause(&mut self) {
        self.probes.pause();
    }

    /// One window from its opening to its end, as the command has them where devices segment at a high rate: with what is read at its edges.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn window(&mut self) -> Result<()> {
        self.resume()?;
        self.read()?;
        thread::sleep(WINDOW);
        self.read()?;
        self.pause();
        Ok(())
    }

    fn read(&mut self) -> Result<Reading> {
        Reading::take(&mut self.world, &self.way.stops, Some(&self.probes))
    }
}
