//! The model's channels and XPS.

use proptest::prelude::*;

use crate::fix::{ChannelCount, ChannelRequest, ChannelState, DeviceState, QueueCpus};

/// So many combined channels of 8, as virtio-net has them when nobody has set anything.
pub fn with_channels(count: u32, device: DeviceState) -> DeviceState {
    let combined = Some(ChannelCount { count, most: MOST_CHANNELS });
    let channels = Some(ChannelState { combined, ..ChannelState::default() });
    DeviceState { channels, xps: spread(count), ..device }
}

const MOST_CHANNELS: u32 = 8;
pub const CPUS: u32 = 6;

/// `virtnet_set_affinity`: neighbours share a queue, the first queues get the CPUs that are left over, and where there are more queues
/// than CPUs it begins again.
fn spread(queues: u32) -> Vec<Vec<u32>> {
    let stride = (CPUS / queues).max(1);
    let stragglers = if CPUS >= queues { CPUS % queues } else { 0 };
    let mut cpu = 0;
    let of_queue = |queue| {
        let group = stride + u32::from(queue < stragglers);
        let mut cpus: Vec<u32> = (cpu..cpu + group).map(|cpu| cpu % CPUS).collect();
        cpu += group;
        cpus.sort_unstable();
        cpus
    };
    (0..queues).map(of_queue).collect()
}

/// `ethnl_set_channels`, then `virtnet_set_channels` (combined ones) or `veth_set_channels` (separate ones, where
/// `netif_reset_xps_queues_gt` clears what goes and nothing is set for what comes).
pub(super) fn set_channels(device: &mut DeviceState, request: &ChannelRequest) -> Result<(), &'static str> {
    let mut channels = device.channels.ok_or("Operation not supported")?;
    let sorts = [
        (&mut channels.rx, request.rx),
        (&mut channels.tx, request.tx),
        (&mut channels.combined, request.combined),
    ];
    for (sort, count) in sorts {
        if let Some(count) = count {
            let sort = sort.as_mut().filter(|sort| count <= sort.most).ok_or("Invalid argument")?;
            sort.count = count;
        }
    }
    let count = |sort: Option<ChannelCount>| sort.map_or(0, |sort| sort.count);
    let combined = count(channels.combined);
    if combined + count(channels.rx) == 0 || combined + count(channels.tx) == 0 {
        return Err("Invalid argument");
    }
    device.channels = Some(channels);
    if !device.xps.is_empty() {
        if combined > 0 {
            device.xps = spread(combined);
        } else {
            device.xps.resize(usize::try_from(count(channels.tx)).unwrap(), Vec::new());
        }
    }
    Ok(())
}

/// `xps_cpus_store`, file by file.
pub(super) fn set_xps(device: &mut DeviceState, queues: &[QueueCpus]) -> Result<(), &'static str> {
    for QueueCpus { queue, cpus } in queues {
        let of_queue = device.xps.get_mut(usize::try_from(*queue).unwrap());
        // `__netif_set_xps_queue`: a CPU that is not online is left out.
        *of_queue.ok_or("No such file or directory")? =
            cpus.iter().copied().filter(|cpu| *cpu < CPUS).collect();
    }
    Ok(())
}

/// Any channels, combined or separate ones or not told; with the XPS of their transmit queues, or that not to be read.
pub(super) fn any_channels() -> impl Strategy<Value = (Option<ChannelState>, Vec<Vec<u32>>)> {
    let of = |count| Some(ChannelCount { count, most: MOST_CHANNELS });
    let one = || 1..=MOST_CHANNELS;
    let channels = prop_oneof![
        one().prop_map(|queues| (None, queues)),
        one().prop_map(move |count| {
            (Some(ChannelState { combined: of(count), ..ChannelState::default() }), count)
        }),
        (one(), one())
            .prop_map(move |(rx, tx)| (Some(ChannelState { rx: of(rx), tx: of(tx), combined: None }), tx)),
    ];
    (channels, any::<bool>()).prop_flat_map(|((channels, queues), is_readable)| {
        let queues = if is_readable { usize::try_from(queues).unwrap() } else { 0 };
        (Just(channels), proptest::collection::vec(any_cpus(), queues))
    })
}

/// Any of the CPUs.
pub fn any_cpus() -> impl Strategy<Value = Vec<u32>> {
    proptest::sample::subsequence((0..CPUS).collect::<Vec<_>>(), 0..=CPUS as usize)
}
