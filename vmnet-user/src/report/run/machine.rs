//! The reason for every null of a machine's facts.

use crate::model::machine::{Machine, QdiscOptions, Stacked};

/// Path of a null, from `machine.` on, and why it is not known.
pub(in crate::report) fn absences(machine: &Machine) -> Vec<(String, String)> {
    let device = &machine.device;
    let none = "there is none";
    let stacked = |absent: fn(&Stacked) -> bool| machine.stack.iter().any(absent);
    let mut reasons: Vec<(String, &str)> = [
        ("virtio", machine.virtio.is_none(), "not a virtio device"),
        ("device.driver", device.driver.is_none(), "no bus device stands behind it"),
        ("device.kind", device.kind.is_none(), "the driver makes it, not the user"),
        (
            "queues.statistics_source",
            machine.queues.statistics_source.is_none(),
            "there are no statistics by queue",
        ),
        ("stack[].vlan_id", stacked(|above| above.vlan_id.is_none()), "not a vlan"),
        ("stack[].device.driver", stacked(|above| above.device.driver.is_none()), none),
        ("stack[].device.kind", stacked(|above| above.device.kind.is_none()), none),
    ]
    .into_iter()
    .filter(|(_, absent, _)| *absent)
    .map(|(path, _, why)| (path.to_owned(), why))
    .collect();
    let devices = [
        ("device", vec![&device.limits]),
        ("stack[].device", machine.stack.iter().map(|above| &above.device.limits).collect()),
    ];
    for (path, limits) in devices {
        for (name, absent) in [
            ("gso_max_size", limits.iter().any(|limits| limits.gso_max_size.is_none())),
            ("gso_ipv4_max_size", limits.iter().any(|limits| limits.gso_ipv4_max_size.is_none())),
            ("gso_max_segs", limits.iter().any(|limits| limits.gso_max_segs.is_none())),
            ("tso_max_size", limits.iter().any(|limits| limits.tso_max_size.is_none())),
            ("tso_max_segs", limits.iter().any(|limits| limits.tso_max_segs.is_none())),
        ] {
            if absent {
                reasons.push((format!("{path}.limits.{name}"), "this kernel does not tell"));
            }
        }
    }
    for counter in machine.queues.statistics.iter().flatten() {
        for (name, absent) in [
            ("packets", counter.packets.is_none()),
            ("bytes", counter.bytes.is_none()),
            ("kicks", counter.kicks.is_none()),
        ] {
            if absent {
                reasons.push((format!("queues.statistics[].{name}"), "not among this kernel's statistics"));
            }
        }
    }
    if machine.ingress.iter().any(|ingress| ingress.gro.is_none()) {
        reasons.push(("ingress[].gro".to_owned(), "its features could not be read"));
    }
    if machine.ingress.iter().any(|ingress| ingress.other_end.is_none()) {
        reasons.push((
            "ingress[].other_end".to_owned(),
            "it is none of a pair whose other end is in another namespace of this machine, or that may not be entered",
        ));
    }
    let ends = || machine.ingress.iter().filter_map(|ingress| ingress.other_end.as_ref());
    for (path, is_absent) in [
        ("ingress[].other_end.tso4", ends().any(|end| end.tso4.is_none())),
        ("ingress[].other_end.tso6", ends().any(|end| end.tso6.is_none())),
    ] {
        if is_absent {
            reasons.push((path.to_owned(), "its features could not be read"));
        }
    }
    if machine.qdiscs.iter().flatten().any(|qdisc| qdisc.counters.is_none()) {
        let why = "noqueue counts nothing, or this kernel does not tell";
        reasons.push(("qdiscs[].counters".to_owned(), why));
    }
    for qdisc in machine.qdiscs.iter().flatten() {
        let absent = match qdisc.options {
            QdiscOptions::Cake { split_gso: None } => "split_gso",
            QdiscOptions::Taprio { max_sdu_bytes: None } => "max_sdu_bytes",
            _ => continue,
        };
        reasons.push((format!("qdiscs[].options.{absent}"), "not set, or this kernel does not tell"));
    }
    let known_better = machine.unknown();
    let reasons = reasons.into_iter().map(|(path, why)| (path, why.to_owned()));
    reasons.chain(known_better).map(|(path, why)| (format!("machine.{path}"), why)).collect()
}
