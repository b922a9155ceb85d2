//! `xps_cpus`: which CPUs are sent to which transmit queue.

use std::io;

use crate::{
    device::interface_files::{Identity, InterfaceFiles},
    model::fix::QueueCpus,
};

/// Queue after queue; each is tried, and the first error is told, with its file. CPUs that are not online are left out without a word
/// (`__netif_set_xps_queue`): read back.
pub(super) fn set(interface: Identity<'_>, queues: &[QueueCpus]) -> Result<(), (String, io::Error)> {
    let directory = format!("/sys/class/net/{}", interface.name);
    let files = InterfaceFiles::open(interface).map_err(|error| (directory.clone(), error))?;
    let failed = queues.iter().filter_map(|queue| {
        let file = queue.file();
        let error = files.write(&file, &queue.mask()).err()?;
        Some((format!("{directory}/{file}"), error))
    });
    // Collected first, so that no queue is left out for another's sake.
    failed.collect::<Vec<_>>().into_iter().next().map_or(Ok(()), Err)
}
