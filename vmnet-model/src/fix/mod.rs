//! Fixing as values: what is to be changed, what came of it, what puts it back. The kernel is asked elsewhere
//! ([`Kernel`] is what it takes).

mod back;
mod change;
mod channels;
mod cpu_mask;
mod dependencies;
mod device;
mod kernel;
mod plan;
mod step;

pub use back::{not_as_before, way_back};
pub use change::{Change, Followed, Outcome, followed, said_of_feature};
pub use channels::{ChannelCount, ChannelRequest, ChannelState};
pub use cpu_mask::{MOST_CPUS, cpu_mask};
pub use dependencies::missing_for;
pub use device::{DeviceIdentity, DeviceState, QdiscState, Splits};
pub use kernel::Kernel;
pub use plan::{Plan, burst_for, interfaces, plan};
pub use step::{DeviceId, FeatureRequest, LimitRequest, QueueCpus, Step};

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
