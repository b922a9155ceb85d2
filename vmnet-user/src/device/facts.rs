//! Everything about one interface and the machine around it, at one moment: see [`Machine`].

use crate::model::fact::{Fact, Why};
use std::collections::BTreeMap;

use super::{
    channels,
    driver::{self, VirtioBit},
    features::FeatureReader,
    irqs,
    links::{self, Link, LinkError, LinkReader},
    other_end::OtherEnds,
    qdisc::QdiscReader,
    qdisc_options, queue_stats, rings, setters, stack, system, xps,
};
use crate::model::machine::{Device, Ingress, Machine, Queues, Stacked, Virtio};

/// More other interfaces than this are not asked for their GRO: those that received most are.
const MOST_INGRESS: usize = 64;

/// Reads the interface and what is around it, in the network namespace of this thread; `/sys` must be that of the namespace.
///
/// Needs no root: what the kernel keeps from others is a reason in its place. Some milliseconds.
///
/// # Errors
/// When there is no such interface, or interfaces cannot be listed at all.
pub fn read(interface: &str) -> Result<Machine, LinkError> {
    let mut reader = LinkReader::open()?;
    let link = reader.link(interface)?;
    let links = reader.all()?;
    let mut features = FeatureReader::open().map_err(Why::said);
    let stack = stack::around(&links, link.ifindex)
        .into_iter()
        .map(|found| Stacked {
            relation: found.relation,
            distance: found.distance,
            device: device(found.link, &mut features),
            vlan_id: found.link.vlan_id,
            tx_bytes: found.link.counters.tx_bytes,
        })
        .collect();
    let driver = driver::driver_name(&link.name);
    let (setters, setters_unread) = setters::find(&setters::Target::of(&link, driver.clone()));
    Ok(Machine {
        device: device(&link, &mut features),
        stack,
        kernel: driver::kernel_release().unwrap_or_else(|error| error.to_string()),
        virtio: virtio(&link.name),
        module_parameters: driver
            .as_ref()
            .map_or_else(BTreeMap::new, |_| driver::module_parameters(&link.name)),
        queues: queues(&link),
        qdiscs: qdisc_options::transmit_qdiscs(link.ifindex).map_err(Why::said),
        cpus_online: system::cpus_online(),
        tcp_ecn: system::tcp_ecn(),
        forwarding: system::forwarding(),
        ingress: ingress(&links, link.ifindex, &mut features),
        setters,
        setters_unread,
        nfqueues: system::nfqueues(),
        redirects: QdiscReader::open()
            .map(|mut qdiscs| qdiscs.redirects_out(link.ifindex))
            .map_err(Why::said),
    })
}

type Features = Fact<FeatureReader>;

fn device(link: &Link, features: &mut Features) -> Device {
    Device {
        name: link.name.clone(),
        ifindex: link.ifindex,
        driver: driver::driver_name(&link.name),
        kind: link.kind.clone(),
        loopback: link.loopback,
        up: link.up,
        terminal: links::terminal(link),
        mtu: link.mtu,
        speed_mbps: channels::link_speed_mbps(link.ifindex).map_err(Why::said),
        features: match features {
            Ok(reader) => reader.read(link.ifindex).map_err(Why::said),
            Err(reason) => Err(reason.clone()),
        },
        limits: link.limits(),
        outer_checksum: link.details.has_checksum,
    }
}

fn virtio(interface: &str) -> Option<Fact<Virtio>> {
    let features = match driver::virtio_features(interface) {
        Ok(features) => features?,
        Err(error) => return Some(Err(Why::said(error))),
    };
    let names_of = |wanted: &dyn Fn(VirtioBit) -> bool| -> Vec<String> {
        VirtioBit::ALL.into_iter().filter(|bit| wanted(*bit)).map(|bit| bit.name().to_owned()).collect()
    };
    Some(Ok(Virtio {
        negotiated: names_of(&|bit| features.negotiated(bit) == Some(true)),
        shown: names_of(&|bit| features.negotiated(bit).is_some()),
        offered: driver::virtio_offered(interface)
            .map(|bits| names_of(&|bit| bits.contains(&u32::from(bit as u8))))
            .map_err(Why::from),
    }))
}

fn queues(link: &Link) -> Queues {
    let tx = rings::tx_queues(&link.name)
        .map_err(|error| Why::from(format!("cannot read /sys/class/net/{}/queues: {error}", link.name)));
    let (statistics, statistics_source) = match queue_stats::transmit_queues(&link.name, link.ifindex) {
        Ok((counters, source)) => (Ok(counters), Some(source.to_owned())),
        Err(reason) => (Err(reason.into()), None),
    };
    Queues {
        channels: channels::transmit_channels(link.ifindex).map_err(Why::said),
        xps: tx.clone().and_then(|queues| xps::xps(&link.name, queues)),
        rps: xps::rps(&link.name),
        irqs: irqs::transmit_irqs(&link.name),
        tx,
        statistics,
        statistics_source,
    }
}

/// Every other interface but loopback: whichever has received is where forwarded packets may come from.
fn ingress(links: &[Link], ifindex: u32, features: &mut Features) -> Vec<Ingress> {
    let mut others: Vec<&Link> =
        links.iter().filter(|link| link.ifindex != ifindex && !link.loopback).collect();
    others.sort_by_key(|link| std::cmp::Reverse(link.rx_packets));
    let mut other_ends = OtherEnds::default();
    others
        .into_iter()
        .take(MOST_INGRESS)
        .map(|link| Ingress {
            name: link.name.clone(),
            gro: features
                .as_mut()
                .ok()
                .and_then(|reader| reader.read(link.ifindex).ok())
                .and_then(|features| features.active("rx-gro")),
            mtu: link.mtu,
            rx_packets: link.rx_packets,
            rx_bytes: link.rx_bytes,
            other_end: other_ends.of(link),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::absences;

    #[test]
    fn the_loopback_device_is_described_for_what_it_is() {
        let machine = read("lo").unwrap();
        assert!(machine.device.loopback && !machine.device.terminal);
        assert_eq!((machine.device.ifindex, &machine.device.driver, &machine.virtio), (1, &None, &None));
        assert!(machine.device.features.unwrap().active("tx-tcp-segmentation").is_some());
        assert!(machine.queues.statistics.is_err() && machine.queues.irqs.is_err());
        assert!(machine.queues.channels.is_err() && machine.device.speed_mbps.is_err());
        assert!(machine.ingress.iter().all(|other| other.name != "lo"));
    }

    #[test]
    fn an_interface_that_is_not_there_is_an_error() {
        assert!(matches!(read("no-such-name"), Err(LinkError::NotFound { .. })));
        assert!(matches!(read("../../etc\u{1b}[2J"), Err(LinkError::NotFound { .. })));
    }

    #[test]
    fn what_was_read_survives_being_written_as_json_and_what_was_not_is_null_with_a_reason() {
        let machine = read("lo").unwrap();
        let written = serde_json::to_value(&machine).unwrap();
        let again: Machine = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&again).unwrap(), written);
        assert_eq!(again.device.features, machine.device.features);
        let unknown = absences::of_facts(&machine).unwrap();
        for (path, why) in &unknown {
            let found = path.split('.').try_fold(&written, |value, part| value.get(part));
            assert!(found.is_some_and(serde_json::Value::is_null), "{path}: {why}: {found:?}");
        }
        assert!(unknown.contains_key("queues.irqs"));
    }
}
