//! Mending as values: what is to be changed, what came of it, what puts it back. The kernel is asked elsewhere
//! ([`crate::fix`], [`crate::device::change`]).

mod back;
mod change;
mod channels;
mod cpu_mask;
mod device;
mod hangs_on;
mod plan;
mod step;

pub use back::{not_as_before, way_back};
pub use change::{Change, Followed, followed};
pub(crate) use change::{Outcome, said_of_feature};
pub use channels::{ChannelCount, ChannelRequest, ChannelState};
pub use cpu_mask::{MOST_CPUS, cpu_mask};
pub use device::{DeviceState, QdiscState, Splits};
pub use hangs_on::missing_for;
pub use plan::{Plan, burst_for, interfaces, plan};
pub use step::{DeviceId, FeatureRequest, LimitRequest, QueueCpus, Step};

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
