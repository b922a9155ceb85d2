use std::fs;
use std::path::PathBuf;

use super::*;
use crate::output::OutputDir;
use crate::report::kit::document::{self, Format};
use crate::report::kit::style::Style;
use crate::report::run::fixture;
use crate::report::run::html::SCRIPT;

const WIDE: Style = Style { colour: false, plain: false, width: 400 };

fn compared(a: &RunReport, b: &RunReport) -> CompareReport {
    CompareReport::of((a, "a/run.json"), (b, "b/run.json"))
}

fn said(a: &RunReport, b: &RunReport) -> String {
    text::answer(&compared(a, b), &[PathBuf::from("reports/now-compare/compare.html")], &WIDE)
}

fn written(a: &RunReport, b: &RunReport) -> Vec<(String, String)> {
    let base = tempfile::tempdir().expect("a place");
    let now = "2026-11-22T10:11:12+00:00[UTC]".parse().expect("a time");
    let output = OutputDir::prepare(base.path(), "compare", &now, None).expect("a writable place");
    assert!(output.path().ends_with("20261122-101112-compare"));
    let pair = Pair { report: compared(a, b), a: a.clone(), b: b.clone() };
    let files = document::write(&output, &pair, &Format::USUAL).expect("room");
    files
        .iter()
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(path).expect("readable"))
        })
        .collect()
}

/// A run in which everything that others can name is meant to do harm.
fn hostile() -> RunReport {
    const NAME: &str = "<script>alert(1)</script>\"'&\u{1b}[31m\u{202e}]]>";
    let mut report = fixture::software();
    report.interface.name = NAME.to_owned();
    report.interface.kernel = NAME.to_owned();
    report.interface.driver = Some(NAME.to_owned());
    report.interface.qdisc = Some(NAME.to_owned());
    report.window.start = NAME.to_owned();
    report.verdict.summary = NAME.to_owned();
    if let Some(benchmark) = &mut report.benchmark {
        benchmark.command = vec![NAME.to_owned(); 3];
    }
    if let Ok(machine) = &mut report.machine {
        machine.module_parameters.insert(NAME.to_owned(), NAME.to_owned());
    }
    report.unmeasured.insert("sizes".to_owned(), NAME.to_owned());
    report
}

#[test]
fn the_answer_comes_first_and_then_both_runs() {
    let said = said(&fixture::software(), &fixture::engaged());
    let mut lines = said.lines();
    let first = lines.next().expect("a headline");
    assert!(first.starts_with("A SOFTWARE, B ENGAGED  in B, goodput is +118 % [+"), "{first}");
    assert!(first.contains("busy CPU per byte −54"), "{first}");
    let part = |name: &str| {
        let from = said.lines().position(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}"));
        said.lines().nth(from).unwrap().to_owned()
    };
    assert!(part("A   ").contains("TSO is not happening on ens4 (proven)"));
    assert!(part("B   ").contains("TSO is happening on ens4 (proven)"));
    assert!(part("PATHS").contains("offloaded: 0.0 % → 99.8 %"));
    assert!(part("B/A").contains("goodput: 11.0 Gbit/s → 24.0 Gbit/s, +118 % ["));
    assert!(part("DIFF").contains("TSO for IPv4 (tx-tcp-segmentation): off, cannot be switched → on"));
    assert!(part("LIMIT").contains("two runs are not an experiment"));
    assert!(said.contains("virtio bit CSUM: not negotiated → negotiated"));
    assert!(said.contains("CPUs segmenting: 1.31 CPUs → 0.00 CPUs, −100 %, no interval; 0 throughout B"));
    assert!(said.ends_with("reports/now-compare/compare.html\n"));
}

#[test]
fn the_same_run_twice_is_told_as_that() {
    let report = fixture::software();
    let compared = compared(&report, &report);
    assert!(compared.same_run && compared.comparison.differences.is_empty());
    for effect in &compared.comparison.effects {
        assert_eq!(effect.change_percent, Some(0.0), "{}", effect.name);
        let [low, high] = effect.interval_percent.expect("thirty intervals");
        assert!(low <= 1e-9 && high >= -1e-9, "{}", effect.name);
    }
    let said = said(&report, &report);
    assert!(said.starts_with("BOTH SOFTWARE  A and B are the same run\n"), "{said}");
    assert!(said.contains("no clear difference"));
}

#[test]
fn a_run_is_known_again_though_json_rounds_its_numbers() {
    let report = fixture::software();
    let text = crate::report::run::json::to_text(&report).unwrap();
    assert!(compared(&report, &serde_json::from_str(&text).unwrap()).same_run);
    assert!(!compared(&report, &fixture::engaged()).same_run);
}

#[test]
fn runs_that_differ_by_chance_are_not_said_to_differ() {
    let a = fixture::software();
    let mut b = fixture::software();
    b.window.start = "2026-11-22T11:00:00Z".to_owned();
    for (place, sample) in b.throughput.samples.iter_mut().enumerate() {
        sample.goodput_gbps = Ok(11.02 + 0.4 * (place as f64 * 2.3).cos());
    }
    let said = said(&a, &b);
    let first = said.lines().next().unwrap();
    assert!(first.starts_with("BOTH SOFTWARE  in B, goodput is not clearly different: "), "{first}");
    assert!(said.contains("nothing that is known of the machines"));
}

#[test]
fn without_programs_it_says_what_is_not_known() {
    let mut b = fixture::counters();
    b.unmeasured.insert("throughput.samples[].goodput_gbps".to_owned(), "no programs ran".to_owned());
    let said = said(&fixture::software(), &b);
    assert!(said.lines().next().unwrap().contains("in B, wire rate is not clearly different"), "{said}");
    assert!(said.contains("goodput: 11.0 Gbit/s → not measured; not measured in B: no programs ran"));
    assert!(said.contains("without programs there is no ledger"));
    assert!(said.contains("how vmnet counted: fentry → counters"));
}

#[test]
fn a_switch_in_the_middle_of_a_run_is_told() {
    let said = said(&fixture::flipped(), &fixture::engaged());
    assert!(
        said.contains("an offload was switched during A") && !said.contains("switched during B"),
        "{said}"
    );
    assert!(said.contains("offloads switched during the run: 2 → 0"));
}

#[test]
fn what_was_left_out_is_told_with_the_rule() {
    let mut b = fixture::engaged();
    b.throughput.samples[0] = fixture::second(1.0, 0.0, 0.0);
    let said = said(&fixture::software(), &b);
    assert!(
        said.contains("USED  30 of A's 30 intervals and 28 of B's 30; left out at the ends of a run"),
        "{said}"
    );
}

#[test]
fn plain_words_are_ascii() {
    let report = compared(&fixture::software(), &fixture::engaged());
    let said = text::answer(&report, &[], &Style::PLAIN);
    assert!(said.is_ascii(), "{said}");
    assert!(said.contains("0.0 % -> 99.8 %"));
}

#[test]
fn json_keeps_its_promises() {
    let report = compared(&fixture::software(), &fixture::engaged());
    let text = indented(&report).unwrap();
    let back: CompareReport = serde_json::from_str(&text).unwrap();
    assert_eq!((back.comparison.differences, back.runs), (report.comparison.differences, report.runs));
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    for path in [
        "/schema",
        "/runs/a/state",
        "/runs/b/sentence",
        "/same_run",
        "/stretches/a/left_out_before",
        "/paths/0/share/b",
        "/effects/0/id",
        "/effects/0/change_percent",
        "/effects/0/interval_percent/1",
        "/effects/0/intervals/a",
        "/effects/0/block_lengths/b",
        "/differences/0/what",
        "/differences/0/matters_for_tso",
        "/method",
        "/notes/0",
    ] {
        assert!(value.pointer(path).is_some_and(|value| !value.is_null()), "{path}");
    }
    assert_eq!(value["schema"], "vmnet.compare/1");
}

#[test]
fn every_null_has_its_reason() {
    for (a, b) in [
        (fixture::software(), fixture::counters()),
        (fixture::idle(), fixture::engaged()),
        (fixture::engaged(), fixture::idle()),
    ] {
        let report = compared(&a, &b);
        for effect in &report.comparison.effects {
            let whole = effect.a.is_some() && effect.b.is_some() && effect.interval_percent.is_some();
            assert!(whole || effect.reason.is_some(), "{}", effect.name);
        }
        let value = serde_json::to_value(report.explained().unwrap()).unwrap();
        assert_eq!(testbed::report::unexplained_nulls(&value), Vec::<String>::new());
    }
}

#[test]
fn the_files_are_there_each_whole() {
    let files = written(&fixture::software(), &fixture::engaged());
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "compare.html",
            "compare.json",
            "compare-effects.svg",
            "compare-throughput.svg",
            "compare-sizes.svg"
        ]
    );
    for (name, svg) in files.iter().filter(|(name, _)| name.ends_with(".svg")) {
        roxmltree::Document::parse(svg).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn the_page_fetches_nothing_and_has_the_charts_in_it() {
    let (_, page) = &written(&fixture::software(), &fixture::engaged())[0];
    for outward in ["http://", "https://", "<link", "<script", "url(", "@import", "src="] {
        // The name space of SVG is a name, and nobody goes there. An empty icon is not asked for.
        let rest = page
            .replace("http://www.w3.org/2000/svg", "")
            .replacen("<link rel=\"icon\" href=\"data:,\" />", "", 1)
            .replacen(&format!("<script>{SCRIPT}</script>"), "", 1);
        assert!(!rest.contains(outward), "{outward}");
    }
    assert_eq!(
        page.matches("<svg class=\"vmnet-chart\"").count()
            + page.matches(" class=\"vmnet-chart\" role").count(),
        3
    );
    for id in ["compare-effects-title", "compare-throughput-title", "compare-sizes-title"] {
        assert_eq!(page.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
    }
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
    // The body is well-formed XML, so nothing is left open.
    let body = page.split_once("</head>").unwrap().1.replace("</html>", "");
    roxmltree::Document::parse(&body).expect("every element is closed");
}

#[test]
fn no_name_whatever_steers_terminal_page_or_picture() {
    for (a, b) in [
        (hostile(), fixture::engaged()),
        (fixture::engaged(), hostile()),
        (hostile(), fixture::counters()),
        (fixture::idle(), hostile()),
    ] {
        let words = text::answer(&CompareReport::of((&a, "\u{1b}[2J<b>"), (&b, "b")), &[], &WIDE);
        assert!(!words.contains('\u{1b}') && !words.contains('\u{202e}'));
        for (name, text) in written(&a, &b) {
            assert!(
                !text.contains('\u{1b}') && !text.contains('\u{202e}') || name.ends_with(".json"),
                "{name}"
            );
            if !name.ends_with(".json") {
                // Ours is on the page, and no other.
                let ours = text.matches(&format!("<script>{SCRIPT}</script>")).count();
                assert_eq!(ours, usize::from(name.ends_with(".html")), "{name}");
                assert_eq!(text.matches("<script").count(), ours, "{name}");
            }
            if name.ends_with(".svg") {
                roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
    }
}
