//! The interface as every report shows it.

use crate::device::driver::DriverError;
use crate::device::links::Link;
use crate::device::{driver, links, rings};
use crate::model::interface::{Interface, Netns};

/// What a report says of `link`; `netns` is the namespace's name as asked for, in which this thread is.
///
/// # Errors
/// When the kernel tells neither its release nor the namespace.
pub fn describe(link: &Link, netns: Option<&str>) -> Result<Interface, DriverError> {
    Ok(Interface {
        name: link.name.clone(),
        ifindex: link.ifindex,
        netns: Netns { name: netns.map(str::to_owned), inode: driver::netns_inode()? },
        driver: driver::driver_name(&link.name).or_else(|| link.kind.clone()),
        mtu: link.mtu,
        queues: rings::tx_queues(&link.name).ok(),
        kernel: driver::kernel_release()?,
        terminal: links::terminal(link),
        qdisc: link.qdisc.clone(),
    })
}
