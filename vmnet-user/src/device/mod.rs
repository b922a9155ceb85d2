//! What the device and the machine say of themselves: links, qdiscs, features, rings, sockets, CPUs, drivers.
//!
//! Everything is read in the network namespace of the calling thread, and by its leave: nothing here needs root.
//! Netlink is spoken over [`netlink_sys`] with headers and attributes walked by [`netlink_packet_core`]; the fields
//! are picked out here rather than by the typed message crates, because those reject a whole message for one attribute
//! that they do not understand, leave out what is needed here (`TCA_STATS_PKT64`), or lose it (`ethtool` 0.3 drops
//! feature bit 0, `tx-scatter-gather`).
//!
//! An error's message tells its cause too, so that the message alone can stand as the reason why something was not measured.

pub mod change;
pub mod channels;
pub mod cpu;
pub mod driver;
pub mod driver_info;
pub mod ethtool;
pub mod facts;
pub mod features;
pub(crate) mod ini;
pub mod interface;
pub mod irqs;
pub mod links;
pub mod machine;
pub mod namespaces;
pub mod neighbours;
pub mod netlink;
pub(crate) mod netplan;
pub mod other_end;
pub(crate) mod programs;
pub mod qdisc;
pub mod qdisc_options;
pub mod queue_stats;
pub mod rings;
pub mod routes;
pub mod setters;
pub mod sockets;
pub mod stack;
pub mod system;
pub mod tcp_info;
pub mod tunnels;
pub mod watch;
pub mod wireguard;
pub mod xfrm;
pub mod xps;

mod attributes;
mod cpu_list;
mod driver_stats;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod genl;
mod interface_files;
mod small_file;
