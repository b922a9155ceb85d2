//! What the kernel says of a device in its `uevent` file.

use std::{fs, path::Path};

/// A property that the kernel gives a device of sysfs.
pub(super) fn uevent_property(device: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(device.join("uevent")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
}
