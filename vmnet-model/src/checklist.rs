//! What people check by hand before they know the answer: vCPUs, queues, XPS, TSO, GSO, GRO, checksums.

use super::fact::Fact;
use serde::{Deserialize, Serialize};

use super::breaks::{CSUM_GENERIC, Family, GSO, SCATTER_GATHER};
use super::cause::{lacks, tunnels_above};
use super::features::Feature;
use super::machine::Machine;
use super::shell::quoted;

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Item {
    /// What is looked at.
    pub item: String,
    /// How it stands.
    pub state: ItemState,
    /// What was read, or why it could not be.
    pub text: String,
}

/// How an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ItemState {
    /// As it should be.
    Ok,
    /// Worth a second look.
    Warn,
    /// Neither good nor bad.
    Info,
    /// Could not be read.
    Unknown,
}

/// The whole list, always in the same order.
#[must_use]
pub fn of(machine: &Machine) -> Vec<Item> {
    vec![
        vcpus(machine),
        queues(machine),
        xps(machine),
        interrupts(machine),
        rps(machine),
        switch(machine, "TSO IPv4", Family::Ipv4.feature()),
        switch(machine, "TSO IPv6", Family::Ipv6.feature()),
        switch(machine, "GSO", GSO),
        switch(machine, "GRO", "rx-gro"),
        checksum(machine),
        switch(machine, "scatter-gather", SCATTER_GATHER),
        limits(machine),
        qdisc(machine),
        mtu(machine),
        tunnels(machine),
        filters(machine),
    ]
}

fn item(item: &str, state: ItemState, text: impl Into<String>) -> Item {
    Item { item: item.to_owned(), state, text: text.into() }
}

fn unknown(name: &str, why: impl std::fmt::Display) -> Item {
    item(name, ItemState::Unknown, why.to_string())
}

fn vcpus(machine: &Machine) -> Item {
    match &machine.cpus_online {
        Err(why) => unknown("vCPUs", why),
        Ok(1) => item("vCPUs", ItemState::Info, "1: sending, segmenting and interrupts share it"),
        Ok(cpus) => item("vCPUs", ItemState::Ok, cpus.to_string()),
    }
}

fn queues(machine: &Machine) -> Item {
    const NAME: &str = "queues";
    let (tx, cpus) = match (&machine.queues.tx, &machine.cpus_online) {
        (Err(why), _) | (_, Err(why)) => return unknown(NAME, why),
        (Ok(tx), Ok(cpus)) => (*tx, *cpus),
    };
    let most = match &machine.queues.channels {
        Ok((_, most)) => format!(", at most {most}"),
        Err(_) => String::new(),
    };
    let spare = machine.queues.channels.as_ref().is_ok_and(|(_, most)| tx < *most && tx < cpus);
    if spare {
        return item(
            NAME,
            ItemState::Warn,
            format!("{tx} in use{most}, for {cpus} vCPUs: ethtool -L can raise it"),
        );
    }
    item(NAME, ItemState::Ok, format!("{tx} in use{most}, for {cpus} vCPUs"))
}

fn xps(machine: &Machine) -> Item {
    const NAME: &str = "XPS";
    let queues = match &machine.queues.xps {
        Err(why) => return item(NAME, ItemState::Info, format!("none: {why}")),
        Ok(queues) => queues,
    };
    if queues.iter().all(Vec::is_empty) {
        return item(NAME, ItemState::Info, "off: flows are spread over queues by hash");
    }
    let listed: Vec<String> =
        queues.iter().enumerate().map(|(queue, cpus)| format!("queue {queue}: {}", cpu_list(cpus))).collect();
    let listed = listed.join(", ");
    let used = queues.iter().filter(|cpus| !cpus.is_empty()).count();
    let (most, least) = queues
        .iter()
        .fold((0, usize::MAX), |(most, least), cpus| (most.max(cpus.len()), least.min(cpus.len())));
    if used < queues.len() || most > least.saturating_mul(2) {
        return item(NAME, ItemState::Warn, format!("uneven: {listed}"));
    }
    item(NAME, ItemState::Ok, listed)
}

fn interrupts(machine: &Machine) -> Item {
    const NAME: &str = "interrupts";
    let irqs = match &machine.queues.irqs {
        Err(why) => return unknown(NAME, why),
        Ok(irqs) => irqs,
    };
    let listed: Vec<String> =
        irqs.iter().map(|irq| format!("{} on CPU {}", irq.name, cpu_list(&irq.cpus))).collect();
    let first = irqs.first().map(|irq| &irq.cpus);
    let piled = irqs.len() > 1
        && first.is_some_and(|cpus| cpus.len() == 1 && irqs.iter().all(|irq| irq.cpus == *cpus));
    let state = if piled { ItemState::Warn } else { ItemState::Ok };
    item(NAME, state, if listed.is_empty() { "none of its own".to_owned() } else { listed.join(", ") })
}

fn rps(machine: &Machine) -> Item {
    const NAME: &str = "RPS";
    match &machine.queues.rps {
        Err(why) => unknown(NAME, why),
        Ok(queues) if queues.iter().all(Vec::is_empty) => item(NAME, ItemState::Info, "off"),
        Ok(queues) => {
            let listed: Vec<String> = queues.iter().map(|cpus| cpu_list(cpus)).collect();
            item(NAME, ItemState::Info, listed.join(", "))
        }
    }
}

fn switch(machine: &Machine, name: &str, feature: &str) -> Item {
    match feature_of(machine, feature) {
        Err(why) => unknown(name, why),
        Ok(feature) => item(name, state_of(feature), in_words(feature)),
    }
}

fn checksum(machine: &Machine) -> Item {
    const NAME: &str = "tx checksum";
    let found = [CSUM_GENERIC, "tx-checksum-ipv4", "tx-checksum-ipv6"]
        .into_iter()
        .filter_map(|name| feature_of(machine, name).ok())
        .collect::<Vec<_>>();
    let best = found.iter().find(|feature| feature.active).or_else(|| found.first());
    match best {
        None => unknown(NAME, "the features could not be read"),
        Some(feature) => item(NAME, state_of(feature), format!("{} ({})", in_words(feature), feature.name)),
    }
}

fn feature_of<'a>(machine: &'a Machine, name: &str) -> Fact<&'a Feature> {
    let set = machine.device.features.as_ref().map_err(Clone::clone)?;
    set.get(name).ok_or_else(|| format!("this kernel knows no {name}").into())
}

fn state_of(feature: &Feature) -> ItemState {
    if feature.active { ItemState::Ok } else { ItemState::Warn }
}

/// As `ethtool -k` has it.
fn in_words(feature: &Feature) -> String {
    let state = if feature.active { "on" } else { "off" };
    let note = if feature.fixed() {
        " [fixed]"
    } else {
        match (feature.active, feature.wanted) {
            (false, true) => " [requested on]",
            (true, false) => " [requested off]",
            _ => "",
        }
    };
    format!("{state}{note}")
}

fn limits(machine: &Machine) -> Item {
    let limits = &machine.device.limits;
    let mut said = Vec::new();
    for (name, value) in [
        ("gso_max_size", limits.gso_max_size),
        ("gso_max_segs", limits.gso_max_segs),
        ("tso_max_size", limits.tso_max_size),
        ("tso_max_segs", limits.tso_max_segs),
    ] {
        if let Some(value) = value {
            said.push(format!("{name} {value}"));
        }
    }
    if said.is_empty() {
        return unknown("limits", "the kernel does not tell");
    }
    let low =
        |now: Option<u32>, most: Option<u32>| now.zip(most).is_some_and(|(now, most)| now < most.min(65_535));
    let lowered =
        low(limits.gso_max_size, limits.tso_max_size) || low(limits.gso_max_segs, limits.tso_max_segs);
    item("limits", if lowered { ItemState::Warn } else { ItemState::Ok }, said.join(", "))
}

fn qdisc(machine: &Machine) -> Item {
    match &machine.qdiscs {
        Err(why) => unknown("qdisc", why),
        Ok(qdiscs) => {
            let mut kinds: Vec<&str> = qdiscs.iter().map(|qdisc| qdisc.kind.as_str()).collect();
            kinds.dedup();
            item(
                "qdisc",
                ItemState::Info,
                if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") },
            )
        }
    }
}

fn mtu(machine: &Machine) -> Item {
    item("MTU", ItemState::Info, machine.device.mtu.to_string())
}

fn tunnels(machine: &Machine) -> Item {
    const NAME: &str = "tunnels above";
    let above: Vec<_> = tunnels_above(machine).collect();
    let names = || above.iter().map(|(tunnel, _)| tunnel.name.as_str()).collect::<Vec<_>>().join(", ");
    match above.iter().find(|(_, needed)| lacks(&machine.device, needed)) {
        Some((tunnel, needed)) => item(
            NAME,
            ItemState::Warn,
            format!(
                "{} sends through it, and {} is off: vmnet doctor {}",
                tunnel.name,
                needed.first().unwrap_or(&"segmentation inside it"),
                quoted(&tunnel.name)
            ),
        ),
        None if above.is_empty() => item(NAME, ItemState::Info, "none that is known"),
        None => item(NAME, ItemState::Ok, names()),
    }
}

fn filters(machine: &Machine) -> Item {
    const NAME: &str = "tc filters";
    match &machine.redirects {
        Err(why) => unknown(NAME, why),
        Ok(true) => {
            item(NAME, ItemState::Warn, "hand packets to other devices (mirred): those are not asked")
        }
        Ok(false) => item(NAME, ItemState::Ok, "none hands packets to another device"),
    }
}

/// `0-3,8`, as the kernel writes it.
fn cpu_list(cpus: &[u32]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = cpus;
    while let Some((first, _)) = rest.split_first() {
        let length = rest
            .iter()
            .zip(0_u32..)
            .take_while(|(cpu, step)| first.checked_add(*step) == Some(**cpu))
            .count();
        let (run, after) = rest.split_at(length);
        parts.push(match run {
            [] | [_] => first.to_string(),
            [.., last] => format!("{first}-{last}"),
        });
        rest = after;
    }
    if parts.is_empty() { "none".to_owned() } else { parts.join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine_fixture::{device, virtio};

    fn find<'a>(items: &'a [Item], name: &str) -> &'a Item {
        items.iter().find(|item| item.item == name).unwrap()
    }

    #[test]
    fn a_machine_in_order_has_no_warnings() {
        let items = of(&virtio());
        let warned: Vec<_> =
            items.iter().filter(|item| item.state == ItemState::Warn && item.item != "GRO").collect();
        assert_eq!(warned, Vec::<&Item>::new());
        assert_eq!(find(&items, "XPS").text, "none: one queue");
    }

    #[test]
    fn one_mask_a_queue_as_the_driver_sets_it_is_fine_and_all_on_one_is_not() {
        let mut machine = virtio();
        machine.queues.tx = Ok(4);
        machine.queues.xps = Ok(vec![vec![0], vec![1], vec![2], vec![3]]);
        assert_eq!(find(&of(&machine), "XPS").state, ItemState::Ok);
        machine.queues.xps = Ok(vec![vec![0, 1, 2, 3], vec![], vec![], vec![]]);
        let items = of(&machine);
        assert_eq!(find(&items, "XPS").state, ItemState::Warn);
        assert!(find(&items, "XPS").text.contains("queue 0: 0-3, queue 1: none"));
    }

    #[test]
    fn features_are_told_as_ethtool_tells_them() {
        let mut machine = virtio();
        machine.device.turn_off(&[SCATTER_GATHER]).drop_out(&["tx-tcp-segmentation"]);
        machine.device.never_have(&["tx-tcp6-segmentation"]);
        let items = of(&machine);
        assert_eq!(find(&items, "scatter-gather").text, "off");
        assert_eq!(find(&items, "TSO IPv4").text, "off [requested on]");
        assert_eq!(find(&items, "TSO IPv6").text, "off [fixed]");
    }

    #[test]
    fn queues_that_could_be_more_are_worth_a_second_look() {
        let mut machine = virtio();
        machine.queues.channels = Ok((1, 4));
        assert_eq!(find(&of(&machine), "queues").state, ItemState::Warn);
        machine.cpus_online = Ok(1);
        assert_eq!(find(&of(&machine), "queues").state, ItemState::Ok);
    }

    #[test]
    fn a_tunnel_that_is_segmented_here_is_worth_a_second_look() {
        let mut machine = virtio();
        assert_eq!(find(&of(&machine), "tunnels above").state, ItemState::Info);
        machine.with_above(device("vx0", 9, Some("vxlan")));
        assert_eq!(find(&of(&machine), "tunnels above").text, "vx0");
        machine.device.turn_off(&["tx-udp_tnl-segmentation"]);
        let items = of(&machine);
        assert_eq!(find(&items, "tunnels above").state, ItemState::Warn);
        assert!(find(&items, "tunnels above").text.ends_with("is off: vmnet doctor vx0"));
    }

    #[test]
    fn cpu_lists_are_written_as_the_kernel_does() {
        for (cpus, text) in
            [(&[0, 1, 2, 5][..], "0-2,5"), (&[7], "7"), (&[], "none"), (&[u32::MAX], "4294967295")]
        {
            assert_eq!(cpu_list(cpus), text);
        }
    }
}
