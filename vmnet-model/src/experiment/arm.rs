//! The ways for a device to be set.

use serde::{Deserialize, Serialize};

use crate::fix::DeviceState;

/// One thing that an arm sets. Everything else is as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "set", rename_all = "kebab-case")]
pub enum Setting {
    /// A feature, by the kernel's name (`tx-tcp-segmentation`).
    Feature {
        /// Which.
        feature: String,
        /// Wanted or not.
        on: bool,
    },
    /// `gso_max_segs` of the device.
    GsoMaxSegs {
        /// Segments.
        segs: u32,
    },
    /// `gso_max_size` of the device.
    GsoMaxSize {
        /// Bytes.
        bytes: u32,
    },
    /// Combined channels (`ethtool -L`).
    Channels {
        /// How many.
        count: u32,
    },
    /// Transmit packet steering.
    Xps {
        /// On: as it was found, or, where it was off, each queue its share of the CPUs. Off: no queue has any.
        on: bool,
    },
    /// vmnet's own programs.
    Profiler {
        /// Attached or not.
        on: bool,
    },
}

/// What an arm is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// What the others are held against.
    Base,
    /// What is tried.
    Treatment,
    /// The base once more under another name: whatever difference it shows is chance, or a fault of the experiment.
    Placebo,
}

/// One way for the device to be set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Arm {
    /// `tso=on`.
    pub name: String,
    /// What it is there for.
    pub role: Role,
    /// What it sets; empty where the device stays as it was found.
    pub settings: Vec<Setting>,
}

impl Arm {
    /// The device as this arm has it, from how it was found. `cpus` is the number of CPUs that are online.
    ///
    /// # Errors
    /// In words, when the device cannot be set so.
    pub fn target(&self, found: &DeviceState, cpus: u32) -> Result<DeviceState, String> {
        let mut state = found.clone();
        for setting in &self.settings {
            setting.put_into(&mut state, cpus).map_err(|why| format!("{}: {why}", self.name))?;
        }
        // Another number of channels has the driver's own steering, as after `ethtool -L`, unless the arm says what it is to be.
        let steers = self.settings.iter().any(|setting| matches!(setting, Setting::Xps { .. }));
        if state.channels != found.channels && !steers {
            state.xps.clear();
        }
        Ok(state)
    }

    /// Whether vmnet's programs are attached under it.
    #[must_use]
    pub fn is_profiled(&self) -> bool {
        !self.settings.iter().any(|setting| matches!(setting, Setting::Profiler { on: false }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::testing::{device, with_channels};

    fn target(found: &DeviceState, settings: Vec<Setting>) -> Result<DeviceState, String> {
        Arm { name: "arm".to_owned(), role: Role::Treatment, settings }.target(found, 4)
    }

    #[test]
    fn another_number_of_channels_leaves_the_steering_to_the_driver_unless_the_arm_says_what_it_is() {
        let found = with_channels(4, device(&[], &[]));
        let channels = |count| Setting::Channels { count };
        assert_eq!(target(&found, vec![channels(4)]).unwrap(), found);
        assert!(target(&found, vec![channels(2)]).unwrap().xps.is_empty());
        let steered = target(&found, vec![channels(2), Setting::Xps { on: false }]).unwrap();
        assert_eq!(steered.xps, [[0_u32; 0]; 2]);
    }

    #[test]
    fn what_cannot_be_set_is_told_with_the_arms_name() {
        let fixed = device(&[], &["tx-tcp-segmentation"]);
        let on = Setting::Feature { feature: "tx-tcp-segmentation".to_owned(), on: true };
        let said = target(&fixed, vec![on]).unwrap_err();
        assert_eq!(said, "arm: tx-tcp-segmentation is fixed off: it cannot be switched");
    }
}
