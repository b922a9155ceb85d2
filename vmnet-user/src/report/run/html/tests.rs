use std::fs;
use std::path::PathBuf;

use roxmltree::{Node, ParsingOptions};

use super::*;
use crate::benchmark::Benchmark;
use crate::benchmark::Netperf;
use crate::model::cause::{By, Cause, CauseId, Fix};
use crate::model::fact;
use crate::model::machine::{Ingress, Irq, QueueCounters, Relation, Setter, Stacked, Virtio};
use crate::report::kit::document::{self, Document as _, DocumentError};
use crate::report::kit::testing::shown;
use crate::report::run::fixture;

fn fixtures() -> [(&'static str, RunReport); 5] {
    let mut all = [
        ("software", fixture::software()),
        ("engaged", fixture::engaged()),
        ("flipped", fixture::flipped()),
        ("idle", fixture::idle()),
        ("counters", fixture::counters()),
    ];
    for (_, report) in &mut all {
        report.explain();
    }
    all
}

/// `VMNET_LOOK=DIR cargo test … pages_to_look_at` leaves the pages there.
#[test]
fn pages_to_look_at() {
    let Some(place) = std::env::var_os("VMNET_LOOK").map(PathBuf::from) else { return };
    fs::create_dir_all(&place).expect("a place");
    for (name, report) in fixtures() {
        fs::write(place.join(format!("{name}.html")), document::page(&report).expect("a page"))
            .expect("room");
    }
}

fn rendered(report: &RunReport) -> String {
    document::page(report).expect("a page")
}

/// The page as a strict parser has it. That it can be parsed is half of every test here.
fn parsed(page: &str) -> roxmltree::Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    roxmltree::Document::parse_with_options(page, options).expect("well-formed XML")
}

fn is_drawing(node: &Node<'_, '_>) -> bool {
    node.ancestors().any(|above| above.has_tag_name("svg"))
}

/// What a person reads, a line a block; without charts, which have tests of their own, and without the JSON.
fn text_of(page: &str) -> String {
    fn read(node: Node<'_, '_>, text: &mut String) {
        const BLOCKS: [&str; 14] = [
            "p", "li", "h1", "h2", "h3", "h4", "tr", "dt", "dd", "pre", "summary", "caption", "small",
            "section",
        ];
        if let Some(words) = node.text().filter(|_| node.is_text()) {
            text.push_str(words);
            return;
        }
        let is_left_out = ["figure", "script", "style"].iter().any(|name| node.has_tag_name(*name));
        if is_left_out || (node.has_tag_name("details") && node.has_children() && under(node, "json")) {
            return;
        }
        let name = node.tag_name().name();
        if ["td", "th", "dd"].contains(&name) {
            text.push_str(" | ");
        }
        if BLOCKS.contains(&name) && name != "dd" {
            text.push('\n');
        }
        if name == "h2" {
            text.push_str("\n## ");
        }
        node.children().for_each(|child| read(child, text));
    }
    fn under(node: Node<'_, '_>, id: &str) -> bool {
        node.ancestors().any(|above| above.attribute("id") == Some(id))
    }
    let document = parsed(page);
    let main = document.descendants().find(|node| node.has_tag_name("main")).expect("a main part");
    let mut text = String::new();
    read(main, &mut text);
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_run_that_was_cut_up_reads_like_this() {
    let (_, report) = &fixtures()[0];
    insta::assert_snapshot!("software", text_of(&rendered(report)));
}

#[test]
fn a_run_with_flips_reads_like_this() {
    let (_, report) = &fixtures()[2];
    insta::assert_snapshot!("flipped", text_of(&rendered(report)));
}

#[test]
fn a_run_without_programs_reads_like_this() {
    let (_, report) = &fixtures()[4];
    insta::assert_snapshot!("counters", text_of(&rendered(report)));
}

#[test]
fn without_traffic_all_is_folded_but_the_answer() {
    for (name, report) in fixtures() {
        let page = rendered(&report);
        let document = parsed(&page);
        let folded: Vec<&str> = document
            .descendants()
            .filter(|node| node.has_tag_name("details"))
            .filter_map(|node| node.attribute("id"))
            .collect();
        let is_quiet = name == "idle";
        assert_eq!(folded.contains(&"charts") && folded.contains(&"why"), is_quiet, "{name}");
        assert!(folded.contains(&"audit") && folded.contains(&"limits"), "{name}");
        assert!(document.descendants().all(|node| node.attribute("open").is_none()), "{name}");
    }
}

#[test]
fn a_chart_on_a_page_does_not_say_the_pages_title_again() {
    let (_, report) = &fixtures()[0];
    let page = rendered(report);
    let document = parsed(&page);
    let drawn =
        document.descendants().filter(|node| node.has_tag_name("text")).filter_map(|node| node.text());
    for text in drawn {
        assert!(!text.contains("TSO is not happening") && !text.contains("kernel 6.1.0-28"), "{text}");
    }
}

#[test]
fn a_page_asks_nothing_of_any_network() {
    for (name, report) in fixtures() {
        let page = rendered(&report);
        let document = parsed(&page);
        let ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
        for node in document.descendants() {
            for attribute in node.attributes() {
                let (what, value) = (attribute.name(), attribute.value());
                assert!(
                    !["src", "srcset", "action", "ping", "data", "poster"].contains(&what),
                    "{name}: {what}"
                );
                assert!(!what.starts_with("on"), "{name}: {what}");
                assert!(!value.contains("http:") && !value.contains("https:"), "{name}: {value}");
                if what == "href" && value != "data:," {
                    let id = value.strip_prefix('#').expect("a place on this page");
                    assert!(ids.contains(&id), "{name}: {value} leads nowhere");
                }
            }
            if node.has_tag_name("style") {
                let style = node.text().unwrap_or_default();
                assert!(!style.contains("url(") && !style.contains("@import"), "{name}");
            }
        }
        let policy = document
            .descendants()
            .find(|node| node.attribute("http-equiv") == Some("Content-Security-Policy"))
            .and_then(|node| node.attribute("content"))
            .expect("a policy");
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(
            document.descendants().any(|node| node.attribute("rel") == Some("icon")),
            "no favicon is asked for"
        );
    }
}

#[test]
fn a_page_can_be_found_ones_way_in() {
    for (name, report) in fixtures() {
        let page = rendered(&report);
        let document = parsed(&page);
        assert_eq!(document.root_element().attribute("lang"), Some("en"));
        let count = |tag: &str| document.descendants().filter(|node| node.has_tag_name(tag)).count();
        assert_eq!((count("h1"), count("main"), count("nav")), (1, 1, 1), "{name}");
        assert_eq!(count("figure"), shown(RunReport::CHARTS, &report).len(), "{name}");
        let mut ids: Vec<&str> = document
            .descendants()
            .filter(|node| !is_drawing(node))
            .filter_map(|node| node.attribute("id"))
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{name}: an id is used twice");
        let mut level = 1;
        for node in document.descendants().filter(|node| !is_drawing(node)) {
            let tag = node.tag_name().name();
            if node.has_tag_name("th") {
                assert!(node.attribute("scope").is_some(), "{name}");
            }
            if node.attribute("tabindex").is_some() || node.attribute("role") == Some("img") {
                assert!(node.attribute("aria-label").is_some_and(|label| !label.is_empty()), "{name}");
            }
            if let Some(next) = tag.strip_prefix('h').and_then(|level| level.parse::<u8>().ok()) {
                assert!(next <= level + 1, "{name}: h{level} is followed by {tag}");
                level = next;
            }
        }
        for figure in document.descendants().filter(|node| node.has_tag_name("figure")) {
            assert!(figure.attribute("id").is_some_and(|id| id.starts_with("chart-")));
            for part in ["figcaption", "svg", "details"] {
                assert!(figure.descendants().any(|node| node.has_tag_name(part)), "{name}: no {part}");
            }
        }
    }
}

#[test]
fn names_are_data_and_never_markup() {
    for name in [
        "<script>alert(1)</script>",
        "'\"><img src=x onerror=alert(1)>",
        "</title></style></script></pre></code><svg onload=alert(1)>",
        "]]><!-- --!> --> <![CDATA[",
        "\u{202E}\u{2066}evil\u{061C}\0\x1b[2J\u{FFFF}\x7f",
        "&lt;&#60;&amp;{{ style }}{% raw %}",
    ] {
        let report = hostile(name);
        let page = rendered(&report);
        let document = parsed(&page);
        let scripts: Vec<_> = document.descendants().filter(|node| node.has_tag_name("script")).collect();
        assert_eq!(scripts.len(), 1, "{name:?}");
        assert_eq!(scripts[0].text(), Some(SCRIPT));
        assert!(!document.descendants().any(|node| node.has_tag_name("img")));
        assert!(document.descendants().all(|node| node.attributes().all(|a| !a.name().starts_with("on"))));
        // As a parser of HTML would see it, which is not bound to be as strict.
        assert_eq!(page.matches("<script").count(), 1, "{name:?}");
        assert_eq!(page.matches("</script").count(), 1, "{name:?}");
        assert!(
            !page.contains("<!--") && !page.contains("<img") && !page.contains("<svg onload"),
            "{name:?}"
        );
        let steers = |c: char| format::is_unprintable(c) && !matches!(c, '\n' | '\t');
        assert_eq!(page.chars().find(|c| steers(*c)), None, "{name:?}");
        // It is still told, as what it is.
        let told = format::printable(name);
        let told: String = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text_of(&page).contains(&told), "{name:?}");
    }
}

/// A run in which everything that can come from outside is this.
fn hostile(name: &str) -> RunReport {
    let all = || name.to_owned();
    let (_, mut report) = fixtures()[2].clone();
    report.interface.name = all();
    report.interface.driver = Some(all());
    report.interface.kernel = all();
    report.interface.qdisc = Some(all());
    report.interface.netns.name = Some(all());
    report.window.start = all();
    report.verdict.summary = all();
    report.verdict.basis = Some(all());
    for witness in &mut report.verdict.witnesses {
        (witness.name, witness.detail) = (all(), all());
    }
    for cause in report.causes.iter_mut().flatten() {
        (cause.title, cause.detail) = (all(), all());
        cause.fix.commands = vec![all(), format!("{name}: {name}")];
    }
    for reason in report.reasons.iter_mut().flatten() {
        reason.text = all();
    }
    for link in report.chain.iter_mut().flatten() {
        link.evidence = all();
    }
    for event in &mut report.events {
        event.text = all();
    }
    if let Some(audit) = &mut report.audit {
        let identity = &mut audit.identities[0];
        identity.note = all();
        (identity.left_source, identity.right_source) = (all(), all());
    }
    report.probes.fell_because = vec![all()];
    let hook = &mut report.probes.hooks[0];
    (hook.hook, hook.kind, hook.reason) = (all(), all(), Some(all()));
    report.benchmark = Some(Benchmark {
        command: vec![all(), all()],
        exit_code: Some(0),
        signal: None,
        stdout: Some(all()),
        netperf: Some(Netperf {
            throughput: 1.0,
            units: all(),
            gbps: None,
            transactions_per_s: None,
            seconds: None,
        }),
        ..Benchmark::default()
    });
    report.unmeasured.insert(all(), all());
    if let Ok(machine) = &mut report.machine {
        machine.device.name = all();
        machine.device.driver = Some(all());
        machine.device.kind = Some(all());
        machine.device.speed_mbps = Err(all().into());
        machine.kernel = all();
        machine.module_parameters.insert(all(), all());
        machine.queues.statistics = Ok(vec![QueueCounters::default()]);
        machine.queues.statistics_source = Some(all());
        machine.queues.irqs = Ok(vec![Irq { name: all(), number: 1, cpus: vec![0, 1] }]);
        machine.virtio =
            Some(Ok(Virtio { negotiated: vec![all()], shown: vec![all()], offered: Err(all().into()) }));
        machine.setters = vec![Setter { path: all(), line: 1, text: all(), turns_off: true }];
        machine.setters_unread = vec![all()];
        machine.ingress =
            vec![Ingress { name: all(), gro: None, mtu: 1500, rx_packets: 1, rx_bytes: 1, other_end: None }];
        let device = machine.device.clone();
        machine.stack.push(Stacked {
            relation: Relation::Above,
            distance: 1,
            device,
            vlan_id: Some(7),
            tx_bytes: 0,
        });
        if let Ok(qdiscs) = &mut machine.qdiscs {
            qdiscs[0].kind = all();
        }
    }
    report
}

#[test]
fn what_is_not_known_says_why_and_is_no_number() {
    let (_, mut report) = fixtures()[4].clone();
    report.unmeasured.insert("ledger.tcp".to_owned(), "nobody counted".to_owned());
    report.machine = Err(fact::Why::is("the machine around the interface could not be read"));
    report.chain = Err(fact::Why::is("the machine around the interface could not be read"));
    report.causes = Err(fact::Why::is("the machine around the interface could not be read"));
    report.benchmark = None;
    report.explain();
    let text = text_of(&rendered(&report));
    for said in [
        "No shares by path: nobody counted.",
        "Ledger none: nobody counted",
        "segmented (no programs ran",
        "Not known: the machine around the interface could not be read.",
        "Nothing more: the machine around the interface could not be read.",
        "Command none was given",
        "no programs ran; 0 events",
        "not measured",
    ] {
        assert!(text.contains(said), "{said:?} in\n{text}");
    }
    assert!(!text.contains("NaN") && !text.contains("inf "), "{text}");
}

#[test]
fn numbers_that_are_none_are_not_shown_as_numbers() {
    let (_, mut report) = fixtures()[0].clone();
    report.throughput.goodput_gbps = Ok(f64::NAN);
    report.cost.cores = Ok(f64::INFINITY);
    report.cost.ns_per_byte = Ok(f64::NAN);
    for sample in &mut report.throughput.samples {
        sample.software_gbps = Ok(f64::NAN);
    }
    let page = rendered(&report);
    let text = text_of(&page);
    assert!(text.contains("the arithmetic gave no finite number"), "{text}");
    assert!(!text.contains("NaN") && !text.contains("inf cores"), "{text}");
    report.window.duration_s = f64::NAN;
    assert!(matches!(document::page(&report), Err(DocumentError::Json { .. })));
}

#[test]
fn everything_that_there_is_to_copy_is_there_as_it_is_typed() {
    let (_, mut report) = fixtures()[0].clone();
    report.interface.name = "ens4;reboot".to_owned();
    let action = crate::model::cause::Action::switch_on("ens4;reboot", ["tx-tcp-segmentation"]);
    if let Ok(causes) = &mut report.causes {
        causes[0].fix.commands.push("libvirt: <host csum='on'/> in the <interface>".to_owned());
        let fix = Fix { by: By::GuestRoot, commands: vec![action.command()], actions: vec![action] };
        causes.push(Cause { id: CauseId::TurnedOff, fix, ..causes[0].clone() });
    }
    let page = rendered(&report);
    let document = parsed(&page);
    let copied: Vec<&str> = document
        .descendants()
        .filter(|node| node.attribute("class") == Some("copy"))
        .filter_map(|node| node.descendants().find(|inner| inner.has_tag_name("code"))?.text())
        .collect();
    assert_eq!(
        copied,
        [
            "vmnet fix 'ens4;reboot' --dry-run",
            "vmnet fix 'ens4;reboot'",
            "-device virtio-net-pci,csum=on",
            "<host csum='on'/> in the <interface>",
            "ethtool -K 'ens4;reboot' tx-tcp-segmentation on",
            "iperf3 -c 10.0.0.2 -t 30 --json",
        ]
    );
}

#[test]
fn a_day_is_a_page_that_can_be_opened() {
    let (_, mut report) = fixtures()[2].clone();
    report.throughput.samples =
        (1..=86_400_u32).map(|s| fixture::second(f64::from(s), 11.0, f64::from(s % 2))).collect();
    report.window.duration_s = 86_400.0;
    let begun = std::time::Instant::now();
    let page = rendered(&report);
    let took = begun.elapsed();
    println!("{} bytes in {took:?}", page.len());
    assert!(page.len() < 8_000_000, "{} bytes", page.len());
    // Unoptimised, it may take its time.
    assert!(cfg!(debug_assertions) || took.as_secs_f64() < 1.0, "{took:?}");
    let said = "The run had 86,400 intervals. On this page they are merged into 600";
    assert_eq!(page.matches(said).count(), 2);
    assert!(!rendered(&fixtures()[2].1).contains("are merged into"));
}

/// WCAG: how far apart two colours are in brightness.
fn contrast(one: &str, other: &str) -> f64 {
    let luminance = |hex: &str| -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("a colour")) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn every_text_stands_out_from_its_ground_by_day_and_by_night() {
    let (day, night) = STYLE.split_once("@media screen and (prefers-color-scheme: dark)").expect("both");
    let night = night.split_once("\n}").expect("its end").0;
    let colour = |name: &str, is_night: bool| -> String {
        let find =
            |style: &str| Some(style.split_once(&format!("--{name}: "))?.1.split(';').next()?.to_owned());
        (if is_night { find(night) } else { None }).or_else(|| find(day)).expect("a colour")
    };
    for is_night in [false, true] {
        for (text, ground, least) in [
            ("ink", "ground", 7.0),
            ("ink", "panel", 7.0),
            ("faint", "ground", 4.5),
            ("faint", "panel", 4.5),
            ("link", "ground", 4.5),
            ("good", "ground", 4.5),
            ("good", "good-ground", 4.5),
            ("bad", "ground", 4.5),
            ("bad", "bad-ground", 4.5),
            ("unsure", "ground", 4.5),
            ("unsure", "unsure-ground", 4.5),
            ("ink", "bad-ground", 7.0),
            // What is no text.
            ("hardware", "ground", 3.0),
            ("software", "ground", 3.0),
            ("edge", "ground", 3.0),
        ] {
            let found = contrast(&colour(text, is_night), &colour(ground, is_night));
            assert!(found >= least, "{text} on {ground}: {found:.2}, at night: {is_night}");
        }
    }
}

#[test]
fn the_script_is_small_and_makes_no_markup() {
    assert!(!SCRIPT.contains("innerHTML") && !SCRIPT.contains("eval") && !SCRIPT.contains("fetch"));
    assert!(!SCRIPT.contains('<') && !SCRIPT.contains('&'), "it is well-formed XML, too");
    assert!(SCRIPT.lines().count() <= 60);
}
