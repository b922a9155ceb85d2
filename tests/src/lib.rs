//! The testbed: Debian kernels in QEMU with a real virtio-net device, and network namespaces on this machine.
//!
//! Scenarios (`tests/tests/*.rs`) and `cargo xtask vm` stand on the same two things:
//!
//! ```no_run
//! use testbed::{Kernel, Vm};
//! let run = Vm::new(Kernel::V6_1)
//!     .nic("host_tso4=off,host_tso6=off")
//!     .script("ethtool -k ens4 | grep tcp-segmentation-offload")
//!     .run()?;
//! assert_eq!(run.exit_code, 0);
//! assert!(run.stdout.contains("off [fixed]"));
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! Nothing here installs anything by surprise: [`setup`] does, when `cargo xtask` calls it; a scenario on a machine
//! where something is missing is skipped, with its name and the reason ([`skip`]).

pub mod apt;
pub mod bench;
pub mod browser;
pub mod command;
pub mod consumers;
pub mod fuzz;
pub mod gallery;
pub mod genl;
#[cfg(feature = "held")]
pub mod held;
mod initramfs;
pub mod interrupt;
pub mod kernel;
pub mod netns;
pub mod ovs_dpdk;
pub mod paths;
pub mod report;
pub mod roots;
#[cfg(feature = "held")]
pub mod schema;
pub mod screen;
pub mod setup;
pub mod skip;
#[cfg(feature = "soak")]
pub mod soak;
mod vm;

pub use kernel::{Build, Kernel};
pub use netns::Netns;
pub use ovs_dpdk::OvsDpdk;
pub use report::Report;
pub use vm::{Accel, HostEnd, Start, TapCounters, Vm, VmRun, tally};
