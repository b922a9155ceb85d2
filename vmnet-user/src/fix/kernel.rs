//! What changing needs of the kernel, by way of netlink, ioctls and `/sys`.

use crate::{
    device::{
        change::{ChangeError, Changer},
        driver::{self, netns_inode},
    },
    fix::FixError,
    model::fix::{DeviceState, Kernel, Step},
};

impl Kernel for Changer {
    fn read(&mut self, name: &str) -> Result<DeviceState, String> {
        Self::read(self, name).map_err(|error| error.to_string())
    }

    fn name_of(&mut self, ifindex: u32) -> Result<Option<String>, String> {
        Self::name_of(self, ifindex).map_err(|error| error.to_string())
    }

    fn carry_out(&mut self, step: &Step) -> Result<(), String> {
        Self::carry_out(self, step).map_err(|error| match &error {
            // The number alone is the kernel's answer; what it was asked is said beside.
            ChangeError::Netlink(netlink) => netlink.errno().map_or_else(
                || error.to_string(),
                |errno| nix::errno::Errno::from_raw(errno).desc().to_owned(),
            ),
            _ => error.to_string(),
        })
    }
}

/// Which network namespace of which boot: an interface's index means something only there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Here {
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// Inode number, which another namespace may have once this one is gone.
    pub netns: u64,
    /// What no other namespace has until the next boot; None before 5.14.
    pub netns_cookie: Option<u64>,
    /// Whether it is process 1's, whose boot files are those in `/etc`.
    pub is_of_process_1: bool,
}

impl Here {
    /// Of this thread.
    ///
    /// # Errors
    /// Where `/proc` does not tell.
    pub fn read() -> Result<Self, FixError> {
        const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
        let boot_id = std::fs::read_to_string(BOOT_ID).map_err(|cause| {
            FixError::Device(format!("cannot read {BOOT_ID}: {cause}; nothing was changed"))
        })?;
        let netns =
            netns_inode().map_err(|error| FixError::Device(format!("{error}; nothing was changed")))?;
        Ok(Self {
            boot_id: boot_id.trim().to_owned(),
            netns,
            netns_cookie: driver::netns_cookie(),
            is_of_process_1: driver::netns_is_of_process_1(),
        })
    }
}
