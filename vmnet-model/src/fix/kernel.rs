//! What changing needs of the kernel, so that it can be tried on a model of one.

use super::{DeviceState, Step};

/// Reads and changes devices.
pub trait Kernel {
    /// A device by name.
    ///
    /// # Errors
    /// In words, when there is none, or the kernel cannot be asked.
    fn read(&mut self, name: &str) -> Result<DeviceState, String>;

    /// What the device with that index is called now; None where there is none.
    ///
    /// # Errors
    /// In words, when the kernel cannot be asked.
    fn name_of(&mut self, ifindex: u32) -> Result<Option<String>, String>;

    /// Carries out one step.
    ///
    /// # Errors
    /// In words, what the kernel answered.
    fn carry_out(&mut self, step: &Step) -> Result<(), String>;
}
