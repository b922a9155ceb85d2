//! `vmnet.doctor/1`: the chain from the host's offer to the driver, the causes, and the list that people check by hand.

mod screen;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::screen::screen;
use crate::model::absences::Reasons;
use crate::model::cause::Cause;
use crate::model::chain::{Link, LinkName, LinkState, first_broken};
use crate::model::checklist::{Item, ItemState};
use crate::model::interface::Interface;
use crate::model::machine::Machine;
use crate::report::kit::format;
use crate::report::kit::json::Explained;
use crate::report::kit::style::{Style, Tone};
use crate::report::run::why;

/// The schema's name.
pub const SCHEMA: &str = "vmnet.doctor/1";

/// All that is known of an interface without traffic.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DoctorReport {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What was looked at.
    pub interface: Interface,
    /// One sentence.
    pub summary: String,
    /// Link by link, in order.
    pub chain: Vec<Link>,
    /// What breaks it, in the chain's order.
    pub causes: Vec<Cause>,
    /// What people check by hand.
    pub checklist: Vec<Item>,
    /// What was read.
    pub machine: Machine,
    /// Path of a null → why it was not measured.
    pub unmeasured: BTreeMap<String, String>,
}

impl DoctorReport {
    /// From what was found.
    #[must_use]
    pub fn new(
        interface: Interface,
        chain: Vec<Link>,
        causes: Vec<Cause>,
        checklist: Vec<Item>,
        machine: Machine,
    ) -> Self {
        let summary = summary(&interface.name, &chain, &causes);
        Self {
            schema: SCHEMA.to_owned(),
            interface,
            summary,
            chain,
            causes,
            checklist,
            machine,
            unmeasured: BTreeMap::new(),
        }
    }
}

impl Explained for DoctorReport {
    fn unmeasured(&mut self) -> &mut Reasons {
        &mut self.unmeasured
    }
}

fn summary(interface: &str, chain: &[Link], causes: &[Cause]) -> String {
    let taken = chain.last().map(|link| link.state);
    match (first_broken(chain), taken) {
        (None, Some(LinkState::Ok)) => {
            format!("TSO works on {interface}: super-packets reach its driver whole")
        }
        (None, _) if causes.is_empty() => {
            format!(
                "nothing stands in TSO's way on {interface}, as far as can be read; nobody asked the driver"
            )
        }
        (None, _) => {
            format!("TSO can be had on {interface}, and something above or beside it stands in the way")
        }
        (Some(link), _) => {
            let partial = link.state == LinkState::Partial;
            let link = match link.link {
                LinkName::Offered => "offered by the host",
                LinkName::Negotiated => "negotiated with the host",
                LinkName::Hw => "among what the driver can switch",
                LinkName::Wanted => "asked for",
                LinkName::Active => "active",
                LinkName::Allowed => "allowed for every packet",
                LinkName::Taken => "given whole to the driver",
            };
            if partial {
                format!("the chain breaks on {interface} for one family: TSO is {link} for the other only")
            } else {
                format!("the chain breaks on {interface}: TSO is not {link}")
            }
        }
    }
}

/// All that is said to a person.
#[must_use]
pub fn answer(report: &DoctorReport, style: &Style) -> String {
    let mut text = headline(report, style);
    text.push('\n');
    text += &chain(&report.chain, style);
    text.push('\n');
    text += &style.section("WHY", &why::why(&report.causes));
    text += &style.verbatim("FIX", &why::mend(report.interface.place(), &report.causes));
    text += &checklist(&report.checklist, style);
    let files = report.machine.setters.iter().map(|setter| {
        let effect = if setter.turns_off { "off" } else { "on" };
        format!("turns offloads {effect}: {}:{}  {}", setter.path, setter.line, setter.text)
    });
    let unread = report.machine.setters_unread.iter().map(|file| format!("not read: {file}"));
    text += &style.section("FILES", &files.chain(unread).collect::<Vec<_>>());
    text
}

fn headline(report: &DoctorReport, style: &Style) -> String {
    let interface = &report.interface;
    let mut about = vec![interface.driver.clone().unwrap_or_else(|| {
        let what = if report.machine.device.loopback { "the loopback device" } else { "no driver" };
        what.to_owned()
    })];
    if let Some(queues) = interface.queues {
        about.push(format!("{queues} queue{}", if queues == 1 { "" } else { "s" }));
    }
    about.push(format!("MTU {}", interface.mtu));
    about.push(format!("kernel {}", interface.kernel));
    let name = format!("{}  ", format::printable(&interface.name));
    let mut text = style.paragraph(&name, &style.data(&about.join(", ")));
    let tone = match first_broken(&report.chain) {
        Some(link) if link.state == LinkState::Broken => Tone::Bad,
        Some(_) => Tone::Unsure,
        None if report.causes.is_empty() => Tone::Good,
        None => Tone::Unsure,
    };
    text += &style.paragraph("", &style.paint(tone, &style.data(&report.summary)));
    text
}

/// Link below link. What comes after the first broken link stands in its shadow.
fn chain(links: &[Link], style: &Style) -> String {
    let mut text = String::new();
    let broken = first_broken(links).map(|link| link.link);
    for link in links {
        let (mark, tone) = mark(link.state);
        let name = link.link.words();
        let first = format!("  {} {name:<21}", style.paint(tone, &marked(style, mark)));
        let arrow = if broken == Some(link.link) { "  ← breaks here first" } else { "" };
        text += &style.paragraph(&first, &style.data(&format!("{}{arrow}", link.evidence)));
    }
    text
}

/// A link's state in a sign, and whether it is as it should be.
pub(in crate::report) const fn mark(state: LinkState) -> (&'static str, Tone) {
    match state {
        LinkState::Ok => ("✓", Tone::Good),
        LinkState::Partial => ("◐", Tone::Unsure),
        LinkState::Broken => ("✗", Tone::Bad),
        LinkState::Unknown => ("?", Tone::Unsure),
        LinkState::NotApplicable => ("·", Tone::Heading),
    }
}

fn checklist(items: &[Item], style: &Style) -> String {
    let mut text = String::new();
    for (index, item) in items.iter().enumerate() {
        let (mark, tone) = match item.state {
            ItemState::Ok => ("✓", Tone::Good),
            ItemState::Warn => ("!", Tone::Unsure),
            ItemState::Info => ("·", Tone::Heading),
            ItemState::Unknown => ("?", Tone::Unsure),
        };
        let heading = format!("{:<6}", if index == 0 { "LIST" } else { "" });
        let first = format!(
            "{}{} {:<15}",
            style.paint(Tone::Heading, &heading),
            style.paint(tone, &marked(style, mark)),
            item.item
        );
        text += &style.paragraph(&first, &style.data(&item.text));
    }
    text
}

/// A mark, as wide as every other: in ASCII they are words.
fn marked(style: &Style, mark: &str) -> String {
    let width = if style.plain { "FAILED".len() } else { 1 };
    format!("{:<width$}", style.typeset(mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        breaks::{TSO4, TSO6},
        cause::{self, Evidence},
        chain::{self, Answers, Asked},
        checklist,
        machine::Setter,
        machine_fixture::virtio,
    };
    use crate::report::kit::private;
    use crate::report::run::fixture;

    fn examined(machine: Machine, answers: Answers) -> DoctorReport {
        let causes = cause::find(&Evidence { machine: &machine, before: None, traffic: None, answers });
        let chain = chain::links(&machine, answers, "nobody asked");
        let report =
            DoctorReport::new(fixture::software().interface, chain, causes, checklist::of(&machine), machine);
        let json = serde_json::from_str(&report.to_text().unwrap()).unwrap();
        testbed::schema::validate(&json).unwrap();
        assert_eq!(testbed::report::unexplained_nulls(&json), Vec::<String>::new());
        report
    }

    fn whole() -> Answers {
        Answers { ipv4: Asked::Whole, ipv6: Asked::Whole, ecn: Asked::Whole }
    }

    #[test]
    fn a_machine_in_order_has_nothing_to_mend() {
        let text = answer(&examined(virtio(), whole()), &Style::PLAIN);
        assert!(text.contains("TSO works on ens4: super-packets reach its driver whole"), "{text}");
        assert!(!text.contains("WHY") && !text.contains("FIX ") && !text.contains("breaks here"), "{text}");
    }

    #[test]
    fn the_first_broken_link_is_marked_and_the_others_are_not() {
        let mut machine = virtio();
        machine.not_offered(&["CSUM", "HOST_TSO4", "HOST_TSO6"]).device.never_have(&[TSO4, TSO6]);
        let cut = Answers { ipv4: Asked::Segmented, ipv6: Asked::Segmented, ecn: Asked::Unknown };
        let report = examined(machine, cut);
        let text = answer(&report, &Style::PLAIN);
        assert_eq!(text.matches("<- breaks here first").count(), 1, "{text}");
        assert!(text.contains("  FAILED offered by the host  HOST_ECN; not CSUM"), "{text}");
        assert_eq!(report.causes[0].id.name(), "host-no-csum");
        assert!(
            text.contains("WHY   host-no-csum: ") && text.contains("FIX   host-no-csum, on the host:"),
            "{text}"
        );
        assert!(text.is_ascii(), "{text}");
    }

    #[test]
    fn one_family_alone_is_half_a_chain() {
        let mut machine = virtio();
        machine.not_offered(&["HOST_TSO6"]).device.never_have(&[TSO6]);
        let report = examined(machine, Answers { ipv6: Asked::Segmented, ..whole() });
        assert_eq!(
            report.summary,
            "the chain breaks on ens4 for one family: TSO is offered by the host for the other only"
        );
        assert!(answer(&report, &Style::PLAIN).contains("half"));
    }

    #[test]
    fn a_private_one_has_no_line_of_a_file_wherever_it_is_quoted_and_all_else() {
        let mut machine = virtio();
        machine.setters.push(Setter {
            path: "/etc/rc.local".to_owned(),
            line: 3,
            text: "ethtool -K ens4 tso off # s3cr3t".to_owned(),
            turns_off: true,
        });
        let report = examined(machine, whole());
        let mut quoted = report.clone();
        quoted.summary += ": ethtool -K ens4 tso off # s3cr3t, by 10.1.2.3";
        let text = private::text(&quoted).unwrap();
        assert!(!text.contains("s3cr3t") && !text.contains("10.1.2.3") && text.contains("/etc/rc.local"));
        assert!(text.contains(&format!("{}: …, by …", report.summary)), "{text}");
        let json = serde_json::from_str(&text).unwrap();
        testbed::schema::validate(&json).unwrap();
        assert_eq!(testbed::report::unexplained_nulls(&json), Vec::<String>::new());
        let whole: serde_json::Value = serde_json::from_str(&report.to_text().unwrap()).unwrap();
        assert_eq!(json["unmeasured"], whole["unmeasured"], "reasons stay");
    }

    #[test]
    fn what_could_not_be_read_is_null_and_says_why() {
        let report = examined(virtio(), Answers::NONE);
        let json: serde_json::Value = serde_json::from_str(&report.to_text().unwrap()).unwrap();
        assert!(json["machine"]["queues"]["irqs"].is_null());
        assert_eq!(json["unmeasured"]["machine.queues.irqs"], "not read");
        assert_eq!(json["chain"][6]["state"], "unknown");
        assert_eq!(json["chain"][6]["evidence"], "nobody asked");
    }
}
