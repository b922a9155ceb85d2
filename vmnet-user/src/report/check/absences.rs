//! The reason for every null of a check that follows from the report itself.

use super::CheckReport;

/// Adds the reasons. What is there already stays.
pub fn explain(report: &mut CheckReport) {
    let mut reasons = Vec::new();
    let mut absent = |is_absent: bool, path, reason| {
        if is_absent {
            reasons.push((path, reason));
        }
    };
    let interface = &report.interface;
    absent(interface.netns.name.is_none(), "interface.netns.name", "no --netns was given");
    absent(interface.driver.is_none(), "interface.driver", "it has neither a driver's name nor a kind");
    absent(interface.queues.is_none(), "interface.queues", "the kernel did not tell");
    absent(interface.qdisc.is_none(), "interface.qdisc", "the kernel named no root qdisc");
    absent(
        report.causes.is_none(),
        "causes",
        "a check only shows that it happens; `vmnet doctor` looks for causes",
    );
    absent(
        report.cost.is_none(),
        "cost",
        "it takes a TCP type that passed whole and one that was cut up, on a machine quiet enough to time them",
    );
    let nothing_sent = "none of that type was sent: its own reason says why";
    for one in &report.types {
        absent(one.reason.is_none(), "types[].reason", "the count says it all");
        absent(
            one.offered.is_none(),
            "types[].offered",
            "the kernel has no such feature, or its features cannot be read",
        );
        absent(
            one.switched_off.is_none(),
            "types[].switched_off",
            "the kernel has no such feature, or its features cannot be read",
        );
        absent(one.driver_packets.is_none(), "types[].driver_packets", nothing_sent);
        let no_tap = "none of that type was sent, or a packet socket could not be had, or missed frames";
        absent(one.tapped.is_none(), "types[].tapped", no_tap);
        absent(one.below.iter().any(|below| below.tapped.is_none()), "types[].below[].tapped", no_tap);
        absent(one.background_packets.is_none(), "types[].background_packets", nothing_sent);
        absent(one.ns_per_super_packet.is_none(), "types[].ns_per_super_packet", nothing_sent);
        absent(one.ns_per_byte.is_none(), "types[].ns_per_byte", nothing_sent);
        absent(one.cut_at.is_none(), "types[].cut_at", "it was not cut up, or that is not known");
        absent(
            one.below.iter().any(|below| below.state.is_none()),
            "types[].below[].state",
            "nothing of it came that far",
        );
    }
    let no_pause = "there was no pause to watch";
    absent(report.background.packets_per_s.is_none(), "background.packets_per_s", no_pause);
    absent(report.background.most_packets_per_s.is_none(), "background.most_packets_per_s", no_pause);
    for (path, reason) in reasons {
        report.unmeasured.entry(path.to_owned()).or_insert_with(|| reason.to_owned());
    }
}
