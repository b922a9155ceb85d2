mod bounds;
mod says;

use roxmltree::Document;

use super::*;
use crate::model::chain::LinkState;
use crate::model::verdict::State;
use crate::report::kit::testing::{alternative, drawn, hovers, rows, svg, texts};
use crate::report::run::fixture;

fn chart(file: &str, report: &RunReport) -> String {
    svg(CHARTS, file, report)
}

/// Why there is nothing to see.
fn why_not(file: &str, report: &RunReport) -> String {
    drawn(CHARTS, file, report).err().expect("nothing to show")
}

fn has(texts: &[String], part: &str) -> bool {
    // Lines of one sentence are texts of their own.
    texts.join(" ").contains(part)
}

fn fills(svg: &str, tag: &str) -> Vec<String> {
    let document = Document::parse(svg).expect("well-formed XML");
    document
        .descendants()
        .filter(|node| node.has_tag_name(tag))
        .filter_map(|node| node.attribute("fill"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn throughput_leads_with_the_answer_and_names_its_axes_and_colours() {
    let svg = chart("throughput.svg", &fixture::software());
    let said = texts(&svg);
    assert_eq!(said[0], "TSO is not happening on ens4 (proven)");
    assert_eq!(said[1], "99.8 % of 41.2 GB of bulk TCP was segmented in software");
    assert!(said[2].starts_with(
        "virtio_net · MTU 1500 · kernel 6.1.0-28-amd64 · 22 November 2026, 10:11:12 UTC · 30.0 s"
    ));
    for part in ["offloaded", "segmented in software", "full-size singles", "small packets"] {
        assert!(has(&said, part), "{part}");
    }
    assert!(has(&said, "Gbit/s, TCP payload") && has(&said, "seconds since the run began"));
    assert!(!has(&said, "offload switched"), "no event, no key for one");
}

#[test]
fn throughput_draws_the_layers_that_have_bytes_and_no_others() {
    let software = fills(&chart("throughput.svg", &fixture::software()), "polygon");
    assert!(!software.contains(&"#0072B2".to_owned()), "nothing left whole");
    assert!(software.contains(&"#D55E00".to_owned()), "the CPU cut it up");
    let engaged = fills(&chart("throughput.svg", &fixture::engaged()), "polygon");
    assert!(engaged.contains(&"#0072B2".to_owned()) && !engaged.contains(&"#D55E00".to_owned()));
}

#[test]
fn a_flip_is_marked_at_its_time() {
    let svg = chart("throughput.svg", &fixture::flipped());
    let said = texts(&svg);
    assert!(has(&said, "12.0 s tx-tcp-segmentation off") && has(&said, "20.0 s tx-tcp-segmentation on"));
    assert!(has(&said, "offload switched"));
    assert!(alternative(&svg, "desc").contains("at 12.0 s: tx-tcp-segmentation off"));
}

#[test]
fn other_events_are_not_marked_as_flips() {
    let mut report = fixture::flipped();
    report.events[0].kind = crate::model::event::EventKind::SegmentationError;
    report.events[1].t_s = f64::NAN;
    assert!(!has(&texts(&chart("throughput.svg", &report)), "tx-tcp-segmentation"));
}

#[test]
fn flips_too_many_to_label_are_counted() {
    let mut report = fixture::flipped();
    report.events = (0..40).map(|n| fixture::event(f64::from(n) * 0.5, "tx-tcp-segmentation off")).collect();
    let said = texts(&chart("throughput.svg", &report));
    let labelled = said.iter().filter(|text| text.ends_with("tx-tcp-segmentation off")).count();
    assert!(labelled >= 3, "{labelled}");
    assert!(has(&said, &format!("({} unlabelled)", 40 - labelled)));
}

#[test]
fn without_a_split_by_path_the_wire_rate_is_shown_and_says_so() {
    let said = texts(&chart("throughput.svg", &fixture::counters()));
    assert!(has(&said, "its path not known") && has(&said, "Gbit/s, on the wire"));
    assert!(!has(&said, "segmented in software"));
}

#[test]
fn an_interval_that_was_not_measured_is_a_gap_with_a_key() {
    let mut report = fixture::software();
    report.throughput.samples[10] = fixture::unknown(11.0);
    assert!(has(&texts(&chart("throughput.svg", &report)), "not measured"));
}

#[test]
fn a_chart_without_data_says_why() {
    let mut report = fixture::software();
    report.throughput.samples.clear();
    assert!(why_not("throughput.svg", &report).contains("ended before its first interval"));

    report.throughput.samples = vec![fixture::unknown(1.0), fixture::unknown(2.0)];
    report.throughput.samples[0].wire_gbps = Err("the counters stood still".into());
    assert!(why_not("throughput.svg", &report).contains("the counters stood still"));

    assert!(why_not("throughput.svg", &fixture::idle()).contains("nothing was sent"));
    assert!(why_not("sizes.svg", &fixture::idle()).contains("no TCP packet with payload was sent"));
    assert!(why_not("sizes.svg", &fixture::counters()).contains("without programs"));
}

#[test]
fn sizes_show_before_above_after_on_one_axis() {
    let svg = chart("sizes.svg", &fixture::software());
    let said = texts(&svg);
    let before =
        said.iter().position(|text| text.starts_with("Before: handed to the interface: 1.01 M packets"));
    let after = said.iter().position(|text| text.starts_with("After: taken by the driver: 27.4 M packets"));
    assert!(before.expect("before") < after.expect("after"));
    assert_eq!(said.iter().filter(|text| *text == "MTU 1500").count(), 2, "in both panels");
    assert!(has(&said, "% of bytes") && has(&said, "1 kB") && has(&said, "50 kB"));
}

#[test]
fn sizes_tell_when_the_driver_got_nothing() {
    let mut report = fixture::software();
    if let Some(sizes) = &mut report.sizes {
        sizes.driver = Some(Vec::new());
    }
    let said = texts(&chart("sizes.svg", &report));
    assert!(
        has(&said, "After: taken by the driver: no TCP packet with payload")
            && has(&said, "nothing arrived here")
    );
}

#[test]
fn every_chart_has_text_alternatives_first_and_a_white_ground() {
    for chart in CHARTS {
        for report in [fixture::software(), fixture::idle(), fixture::counters()] {
            let Ok(drawn) = drawn(CHARTS, chart.file, &report) else { continue };
            let svg = drawn.alone();
            assert!(alternative(&svg, "title").contains("ens4"));
            assert!(alternative(&svg, "desc").len() > 40);
            assert_eq!(fills(&svg, "rect").first().map(String::as_str), Some("#FFFFFF"));
            let document = Document::parse(&svg).expect("well-formed XML");
            let first = document.root_element().first_element_child().expect("an element");
            assert!(first.has_tag_name("title"));
        }
    }
}

/// With `VMNET_LOOK=DIRECTORY` it also writes them for a person to look at.
#[test]
fn runs_of_every_odd_shape_are_drawn_as_xml_and_told_without_a_panic() {
    let directory = std::env::var("VMNET_LOOK").ok();
    let mut two = fixture::flipped();
    two.throughput.samples = vec![fixture::second(1.0, 23.4, 0.0), fixture::second(2.0, 11.0, 1.0)];
    two.events = vec![fixture::event(1.93, "tx-tcp-segmentation off")];
    let mut single = fixture::software();
    single.throughput.samples.truncate(1);
    let mut huge = fixture::engaged();
    huge.throughput.samples = (1..=7_200)
        .map(|n| fixture::second(f64::from(n), 380.0 + f64::from(n % 97), f64::from(n % 13) / 40.0))
        .collect();
    huge.interface.name = "enp129s0f1np1.4094".to_owned();
    let mut gaps = fixture::software();
    gaps.verdict.state = State::Inconclusive;
    for s in [4, 5, 17] {
        gaps.throughput.samples[s] = fixture::unknown(s as f64 + 1.0);
    }
    let mut many = fixture::flipped();
    many.events =
        (0..14).map(|n| fixture::event(f64::from(n) * 2.1 + 0.4, "tx-tcp-segmentation off")).collect();
    let mut slow = fixture::software();
    slow.throughput.samples =
        (1..=12_u32).map(|s| fixture::second(f64::from(s), 0.000_04 * f64::from(s), 1.0)).collect();
    let mut wordy = fixture::eventful();
    let states = [
        LinkState::NotApplicable,
        LinkState::Unknown,
        LinkState::Ok,
        LinkState::Partial,
        LinkState::Broken,
        LinkState::Broken,
        LinkState::Ok,
    ];
    for (link, state) in wordy.chain.iter_mut().flatten().zip(states) {
        link.state = state;
        link.evidence = link.evidence.repeat(4);
    }
    for cause in wordy.causes.iter_mut().flatten() {
        cause.title = cause.title.repeat(3);
        cause.detail = cause.detail.repeat(8);
        cause.fix.commands = vec![cause.fix.commands.join("").repeat(5); 3];
    }
    wordy.causes = wordy.causes.map(|causes| vec![causes; 12].concat());
    let mut unbuilt = fixture::eventful();
    if let Some(tcp) = &mut unbuilt.ledger.tcp {
        (tcp.total.unaggregated_bytes, tcp.total.small_bytes) =
            (tcp.total.hardware_bytes, tcp.total.software_bytes);
        (tcp.total.hardware_bytes, tcp.total.software_bytes) = (0, 3);
    }
    let runs = [
        ("wordy", wordy),
        ("unbuilt", unbuilt),
        ("software", fixture::software()),
        ("engaged", fixture::engaged()),
        ("flipped", fixture::flipped()),
        ("two", two),
        ("single", single),
        ("huge", huge),
        ("idle", fixture::idle()),
        ("counters", fixture::counters()),
        ("gaps", gaps),
        ("many", many),
        ("slow", slow),
        ("eventful", fixture::eventful()),
        ("day", fixture::day()),
        ("wide", fixture::wide(16, 16)),
        ("widest", fixture::wide(64, 256)),
    ];
    for (name, report) in runs {
        let style = crate::report::kit::style::Style { colour: true, plain: false, width: 100 };
        let mut told = crate::live::introduction(&report.interface, report.probes.mode, &style);
        told += &crate::live::columns(report.probes.mode, crate::report::kit::screen::Detail::Whole, &style);
        for sample in report.throughput.samples.iter().take(3) {
            told += &crate::live::line(
                sample,
                report.probes.mode,
                crate::report::kit::screen::Detail::Whole,
                &style,
            );
        }
        told += &crate::report::run::text::answer(&report, &["reports/x/run.json".into()], &style);
        assert!(told.contains(crate::report::run::text::state_word(&report)), "{name}: {told}");
        let write = |file: String, content: &str| {
            if let Some(directory) = &directory {
                std::fs::write(format!("{directory}/{file}"), content).expect("a writable place");
            }
        };
        write(format!("{name}.txt"), &told);
        for chart in CHARTS {
            let Ok(drawn) = drawn(CHARTS, chart.file, &report) else { continue };
            assert!(Document::parse(&drawn.on_page()).is_ok(), "{name}: {}", chart.file);
            let svg = drawn.alone();
            assert!(Document::parse(&svg).is_ok(), "{name}: {}", chart.file);
            write(format!("{name}-{}", chart.file), &svg);
        }
    }
}
