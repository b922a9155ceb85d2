//! The device and the machine around it, and what of them is not known.

use crate::model::fact::Why;
use crate::model::features::Feature;
use crate::model::machine::{Limits, Machine, Qdisc, QdiscOptions, Relation};
use crate::report::kit::format;
use crate::report::kit::format::plural;
use crate::report::kit::parts::{Cell, Facts, Grid, Mark, Part, Row, ranges};
use crate::report::run::schema::RunReport;

/// The interface and the run, which are known even where the machine is not.
fn run(report: &RunReport) -> Facts {
    let interface = &report.interface;
    let mut facts = Facts::default();
    facts.add("Interface", format!("{} (index {})", interface.name, interface.ifindex));
    let inode = interface.netns.inode;
    facts.add(
        "Network namespace",
        interface
            .netns
            .name
            .as_ref()
            .map_or_else(|| format!("inode {inode}"), |name| format!("{name} (inode {inode})")),
    );
    let known = |value: &Option<String>, why| value.clone().ok_or(why);
    let no_driver = Why::is("it has neither a driver's name nor a kind");
    facts.add_fact("Driver", &known(&interface.driver, no_driver), Clone::clone);
    facts.add_fact("Root qdisc", &known(&interface.qdisc, Why::KernelSilent), Clone::clone);
    facts.add("Kernel", &interface.kernel);
    facts.add(
        "Where packets go from here",
        if interface.terminal { "out of this machine" } else { "on inside this machine" },
    );
    facts.add("Began", &report.window.start);
    facts.add("Lasted", format!("{:.3} s", report.window.duration_s));
    facts.add("Ended by", report.window.ended_by.words());
    facts
}

/// All that was read.
pub(super) fn part(report: &RunReport) -> Part {
    let interface = &report.interface;
    let driver = interface.driver.as_deref().unwrap_or("no driver");
    let gist = format!("{}, {driver}, kernel {}", interface.name, interface.kernel);
    let part = Part::new("machine", "Machine", format::shortened(&gist, 80)).facts(run(report));
    match &report.machine {
        Err(why) => part.note(format!("Nothing more: {why}.")),
        Ok(machine) => [device, virtio, queues, qdiscs, around, settings]
            .iter()
            .fold(part, |part, add| add(part, machine)),
    }
}

fn device(part: Part, machine: &Machine) -> Part {
    let device = &machine.device;
    let mut facts = Facts::default();
    facts.add_some("Driver", device.driver.as_ref());
    facts.add_some("Kind", device.kind.as_ref());
    facts.add("State", if device.up { "up" } else { "down" });
    facts.add("MTU", format!("{} bytes", format::exact(u64::from(device.mtu))));
    facts.add_fact("Link speed", &device.speed_mbps, |mbps| format::rate(f64::from(*mbps) / 1000.0));
    limits(&mut facts, &device.limits);
    let mut grids = Vec::new();
    match &device.features {
        Err(why) => facts.add_fact::<String>("Features", &Err(why.clone()), Clone::clone),
        Ok(features) => {
            let mut grid = Grid::new(
                "Features, as the kernel keeps them",
                ["Feature", "Active", "Wanted", "Can be switched"],
            );
            let yes_no = |yes: bool| {
                Cell::Mark(if yes { Mark::good("on") } else { Mark { sign: "–", ..Mark::none("off") } })
            };
            let is_off = |feature: &&Feature| !feature.active && !feature.wanted && feature.fixed();
            for feature in features.iter().filter(|feature| !is_off(feature)) {
                let switch = match (feature.never_changes, feature.changeable) {
                    (true, _) => "no, on no device",
                    (false, true) => "yes",
                    (false, false) => "no: fixed",
                };
                grid.row(
                    &feature.name,
                    vec![yes_no(feature.active), yes_no(feature.wanted), Cell::words(switch)],
                );
            }
            let off: Vec<&str> =
                features.iter().filter(is_off).map(|feature| feature.name.as_str()).collect();
            grid.more = (!off.is_empty()).then(|| format!("Off, and fixed: {}.", off.join(", ")));
            grids.push(grid);
        }
    }
    part.heading("Device").facts(facts).grids(grids)
}

fn limits(facts: &mut Facts, limits: &Limits) {
    for (term, value, unit) in [
        ("gso_max_size", limits.gso_max_size, "bytes"),
        ("gso_ipv4_max_size", limits.gso_ipv4_max_size, "bytes"),
        ("gso_max_segs", limits.gso_max_segs, "segments"),
        ("tso_max_size", limits.tso_max_size, "bytes"),
        ("tso_max_segs", limits.tso_max_segs, "segments"),
    ] {
        facts.add_fact(term, &value.ok_or(Why::KernelSilent), |value| {
            format!("{} {unit}", format::exact(u64::from(*value)))
        });
    }
}

fn virtio(part: Part, machine: &Machine) -> Part {
    let mut facts = Facts::default();
    let listed = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    match &machine.virtio {
        None => facts.add("virtio", "not a virtio device"),
        Some(Err(why)) => facts.add_fact::<String>("Feature bits", &Err(why.clone()), Clone::clone),
        Some(Ok(virtio)) => {
            let missing: Vec<String> =
                virtio.shown.iter().filter(|name| !virtio.negotiated.contains(name)).cloned().collect();
            facts.add("Negotiated", listed(&virtio.negotiated));
            facts.add("Not negotiated", listed(&missing));
            facts.add_fact("Offered by the host", &virtio.offered, |names| listed(names));
        }
    }
    for (name, value) in &machine.module_parameters {
        facts.add(&format!("Parameter {name}"), value);
    }
    part.heading("virtio and its driver").facts(facts)
}

fn queues(part: Part, machine: &Machine) -> Part {
    let queues = &machine.queues;
    let mut facts = Facts::default();
    facts.add_fact("CPUs online", &machine.cpus_online, ToString::to_string);
    facts.add_fact("Transmit queues", &queues.tx, ToString::to_string);
    facts.add_fact("Channels", &queues.channels, |(used, most)| format!("{used} of at most {most}"));
    let by_queue = |cpus: &Vec<Vec<u32>>| {
        let each = cpus.iter().enumerate();
        each.map(|(queue, cpus)| format!("queue {queue}: {}", ranges(cpus))).collect::<Vec<_>>().join("; ")
    };
    facts.add_fact("XPS: CPUs that use it", &queues.xps, by_queue);
    facts.add_fact("RPS: CPUs spread to", &queues.rps, by_queue);
    facts.add_fact("Transmit interrupts", &queues.irqs, |irqs| {
        let each = irqs.iter().map(|irq| format!("{} ({}): {}", irq.name, irq.number, ranges(&irq.cpus)));
        let said: Vec<String> = each.collect();
        if said.is_empty() { "none".to_owned() } else { said.join("; ") }
    });
    let mut grids = Vec::new();
    match &queues.statistics {
        Err(why) => facts.add_fact::<String>("Statistics by queue", &Err(why.clone()), Clone::clone),
        Ok(statistics) => {
            let source = queues.statistics_source.as_deref().unwrap_or("the device");
            let mut grid = Grid::new(
                format!("Transmit queues since boot, by {source}"),
                ["Queue", "#Packets", "#Bytes", "#Notifications to the host"],
            );
            for (index, queue) in statistics.iter().enumerate() {
                let cells = [queue.packets, queue.bytes, queue.kicks].map(Cell::exact);
                grid.row(index.to_string(), cells.into());
            }
            grids.push(grid);
        }
    }
    part.heading("Queues and CPUs").facts(facts).grids(grids)
}

fn qdiscs(part: Part, machine: &Machine) -> Part {
    let mut facts = Facts::default();
    let mut grids = Vec::new();
    match &machine.qdiscs {
        Err(why) => facts.add_fact::<String>("Qdiscs", &Err(why.clone()), Clone::clone),
        Ok(qdiscs) => {
            let mut grid = Grid::new(
                "Transmit qdiscs, counted since they were made",
                [
                    "Kind",
                    "Handle",
                    "Parent",
                    "What it says about segmentation",
                    "#Bytes",
                    "#Segments",
                    "#Drops",
                    "#Requeues",
                ],
            );
            grid.rows.extend(qdiscs.iter().map(qdisc));
            grids.push(grid);
        }
    }
    part.heading("Qdiscs").facts(facts).grids(grids)
}

fn qdisc(qdisc: &Qdisc) -> Row {
    let options = match &qdisc.options {
        QdiscOptions::Tbf { burst_bytes, rate_bytes_per_s } => format!(
            "segments what is longer than {}; {} a second",
            format::bytes(*burst_bytes),
            format::bytes(*rate_bytes_per_s)
        ),
        QdiscOptions::Cake { split_gso: Some(true) } => "split-gso: segments everything".to_owned(),
        QdiscOptions::Cake { split_gso: Some(false) } => "no-split-gso".to_owned(),
        QdiscOptions::Cake { split_gso: None } => "split-gso is not told".to_owned(),
        QdiscOptions::Taprio { max_sdu_bytes: Some(most) } => {
            format!("segments what is longer than {most} bytes")
        }
        QdiscOptions::Taprio { max_sdu_bytes: None } => "no max SDU is told".to_owned(),
        QdiscOptions::Netem { corrupt: 0 } => "corrupts nothing".to_owned(),
        QdiscOptions::Netem { corrupt } => {
            format!(
                "segments what it corrupts: {}",
                format::percent(f64::from(*corrupt) / f64::from(u32::MAX))
            )
        }
        QdiscOptions::None => String::new(),
    };
    let parent = match qdisc.parent {
        u32::MAX => "root".to_owned(),
        parent => format!("{:x}:{:x}", parent >> 16, parent & 0xffff),
    };
    let count = |value: fn(&crate::model::machine::QdiscCounts) -> u64| {
        Cell::exact(qdisc.counters.as_ref().map(value))
    };
    Row::new(
        &qdisc.kind,
        vec![
            Cell::Code(format!("{:x}:", qdisc.handle >> 16)),
            Cell::Code(parent),
            Cell::words(options),
            count(|counts| counts.bytes),
            count(|counts| counts.segments),
            count(|counts| counts.drops),
            count(|counts| counts.requeues),
        ],
    )
}

fn around(part: Part, machine: &Machine) -> Part {
    let mut facts = Facts::default();
    if machine.stack.is_empty() {
        facts.add("Above and below", "no other device");
    }
    facts.add_fact("Packets are forwarded", &machine.forwarding, |yes| yes_no(*yes));
    let stack = (!machine.stack.is_empty()).then(|| stack(machine));
    let ingress = (!machine.ingress.is_empty()).then(|| ingress(machine));
    part.heading("Around it").facts(facts).grids(stack.into_iter().chain(ingress))
}

fn stack(machine: &Machine) -> Grid {
    let mut grid = Grid::new(
        "Devices above and below",
        ["Device", "Where", "Kind", "#MTU, bytes", "TSO, IPv4", "TSO, IPv6"],
    );
    for stacked in &machine.stack {
        let device = &stacked.device;
        let place = match stacked.relation {
            Relation::Above => "above",
            Relation::Below => "below",
            Relation::Peer => "its other end",
            Relation::Routed => "wherever its route leads",
        };
        let kind = device.kind.as_ref().or(device.driver.as_ref()).cloned().unwrap_or_default();
        let kind = stacked.vlan_id.map_or(kind.clone(), |id| format!("{kind} {id}"));
        let tso = |name: &str| match device.features.as_ref().ok().and_then(|set| set.active(name)) {
            Some(true) => Cell::Mark(Mark::good("on")),
            Some(false) => Cell::Mark(Mark::bad("off")),
            None => Cell::Unknown,
        };
        grid.row(
            &device.name,
            vec![
                Cell::words(format!("{place}, {}", plural(u64::from(stacked.distance), "step"))),
                Cell::words(kind),
                Cell::exact(u64::from(device.mtu)),
                tso("tx-tcp-segmentation"),
                tso("tx-tcp6-segmentation"),
            ],
        );
    }
    grid
}

fn ingress(machine: &Machine) -> Grid {
    let mut grid = Grid::new(
        "Where forwarded packets could come in",
        ["Interface", "GRO", "#MTU, bytes", "#Packets received", "#Bytes received"],
    );
    for ingress in &machine.ingress {
        let gro = match ingress.gro {
            Some(true) => Cell::Mark(Mark::good("on")),
            Some(false) => Cell::Mark(Mark::none("off")),
            None => Cell::Unknown,
        };
        grid.row(
            &ingress.name,
            vec![
                gro,
                Cell::exact(u64::from(ingress.mtu)),
                Cell::exact(ingress.rx_packets),
                Cell::exact(ingress.rx_bytes),
            ],
        );
    }
    grid
}

fn settings(part: Part, machine: &Machine) -> Part {
    let mut facts = Facts::default();
    facts.add_fact("net.ipv4.tcp_ecn", &machine.tcp_ecn, ToString::to_string);
    facts.add_fact("nfqueues", &machine.nfqueues, ToString::to_string);
    facts.add_fact("tc filters hand packets to other devices", &machine.redirects, |yes| yes_no(*yes));
    let mut grids = Vec::new();
    if machine.setters.is_empty() {
        facts.add("Files that set offloads", "none was found");
    } else {
        let mut grid = Grid::new("Files that set offloads", ["File", "#Line", "Turns them", "What it says"]);
        for setter in &machine.setters {
            let effect = if setter.turns_off { Mark::bad("off") } else { Mark::good("on") };
            grid.row(
                &setter.path,
                vec![
                    Cell::exact(u64::from(setter.line)),
                    Cell::Mark(effect),
                    Cell::Code(setter.text.clone()),
                ],
            );
        }
        grids.push(grid);
    }
    for unread in &machine.setters_unread {
        facts.add_fact::<String>("A file that could not be read", &Err(unread.clone().into()), Clone::clone);
    }
    part.heading("Settings").facts(facts).grids(grids)
}

fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}
