mod harm;
mod said;

use std::fs;
use std::path::PathBuf;

use roxmltree::ParsingOptions;

use super::*;
use crate::output::OutputDir;
use crate::report::kit::document::{self, Format};
use crate::report::kit::format;
use crate::report::kit::style::Style;
use crate::report::kit::testing::shown;
use crate::report::run::html::SCRIPT;

const WIDE: Style = Style { colour: false, plain: false, width: 400 };

fn fixtures() -> [(&'static str, AbReport); 8] {
    [
        ("helps", fixture::helps()),
        ("no-effect", fixture::no_effect()),
        ("harms", fixture::harms()),
        ("identical", fixture::identical()),
        ("not-taken", fixture::not_taken()),
        ("interrupted", fixture::interrupted()),
        ("large", fixture::large()),
        ("single", fixture::single()),
    ]
}

fn written(report: &AbReport) -> Vec<(String, String)> {
    let base = tempfile::tempdir().expect("a place");
    let now = "2026-11-22T10:11:12+00:00[UTC]".parse().expect("a time");
    let output = OutputDir::prepare(base.path(), "ens4", &now, None).expect("a writable place");
    let files = document::write(&output, report, &Format::USUAL).expect("room");
    files
        .iter()
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(path).expect("readable"))
        })
        .collect()
}

/// The page as a strict parser has it.
fn parsed(page: &str) -> roxmltree::Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    roxmltree::Document::parse_with_options(page, options).expect("well-formed XML")
}

/// `VMNET_LOOK=DIR cargo test … experiments_to_look_at` leaves pages, charts and texts there.
#[test]
fn experiments_to_look_at() {
    let Some(place) = std::env::var_os("VMNET_LOOK").map(PathBuf::from) else { return };
    let hostile = harm::hostile("<b>'\"\u{202e}&]]>");
    for (name, report) in fixtures().into_iter().chain([("hostile", hostile)]) {
        let output = OutputDir::at(&place.join(name), None).expect("a place");
        let files = document::write(&output, &report, &Format::USUAL).expect("room");
        let style = Style { width: 100, ..WIDE };
        let mut told = said::plan_of(&report, &style);
        for trial in report.trials.iter().take(24) {
            told += &text::trial_line(trial, &report.design, Some(190.0), &style);
        }
        told += &text::so_far(&report.effects, report.blocks.whole, report.blocks.planned, &style);
        told += "\n";
        told += &text::answer(&report, &files[..1], &style);
        fs::write(place.join(format!("{name}.txt")), told).expect("room");
    }
}

#[test]
fn the_files_are_there_each_whole_and_the_page_is_the_first() {
    for (what, report) in fixtures() {
        let files = written(&report);
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        let charts = shown(CHARTS, &report);
        assert_eq!(names, [["ab.html", "ab.json"].as_slice(), charts.as_slice()].concat(), "{what}");
        if what == "helps" {
            assert_eq!(charts.len(), CHARTS.len());
        }
        for (name, svg) in files.iter().filter(|(name, _)| name.ends_with(".svg")) {
            roxmltree::Document::parse(svg).unwrap_or_else(|error| panic!("{what}: {name}: {error}"));
        }
    }
}

#[test]
fn json_is_what_its_schema_says_and_is_read_back_as_it_was() {
    for (what, report) in fixtures() {
        let text = report.to_text().unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        testbed::schema::validate(&value).unwrap_or_else(|error| panic!("{what}: {error:#}"));
        let back: AbReport = serde_json::from_str(&text).unwrap();
        assert_eq!(back.to_text().unwrap(), text, "{what}");
        assert_eq!((back.summary, back.design), (report.summary, report.design), "{what}");
    }
}

#[test]
fn every_null_has_its_reason() {
    for (what, report) in fixtures() {
        let missing =
            testbed::report::unexplained_nulls(&serde_json::to_value(report.explained().unwrap()).unwrap());
        assert_eq!(missing, Vec::<String>::new(), "{what}");
    }
}

#[test]
fn the_page_fetches_nothing_and_can_be_found_ones_way_in() {
    for (what, report) in fixtures() {
        let (_, page) = &written(&report)[0];
        let document = parsed(page);
        let count = |tag: &str| document.descendants().filter(|node| node.has_tag_name(tag)).count();
        assert_eq!((count("h1"), count("main"), count("nav"), count("script")), (1, 1, 1, 1), "{what}");
        assert_eq!(count("figure"), shown(CHARTS, &report).len(), "{what}");
        let ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[at + 1..].contains(id), "{what}: {id} is there twice");
        }
        for node in document.descendants() {
            for attribute in node.attributes() {
                let (name, value) = (attribute.name(), attribute.value());
                assert!(!["src", "srcset", "action", "data", "poster"].contains(&name), "{what}: {name}");
                assert!(!name.starts_with("on"), "{what}: {name}");
                assert!(!value.contains("http:") && !value.contains("https:"), "{what}: {value}");
                if name == "href" && value != "data:," {
                    let id = value.strip_prefix('#').expect("a place on this page");
                    assert!(ids.contains(&id), "{what}: {value} leads nowhere");
                }
            }
            if node.has_tag_name("style") {
                let style = node.text().unwrap_or_default();
                assert!(!style.contains("url(") && !style.contains("@import"), "{what}");
            }
            let is_focused = node.attribute("tabindex").is_some() || node.attribute("role") == Some("img");
            let is_named = ["aria-label", "aria-labelledby"].map(|name| node.attribute(name).is_some());
            assert!(!is_focused || is_named.contains(&true), "{what}");
        }
        assert!(page.contains("default-src 'none'"), "{what}");
    }
}

#[test]
fn the_page_says_the_terminals_own_sentences() {
    let report = fixture::helps();
    let (_, page) = &written(&report)[0];
    let document = parsed(page);
    let words: String =
        document.descendants().filter(|node| node.is_text()).filter_map(|node| node.text()).collect();
    for said in [
        "BETTER",
        "TSO causes +87 % throughput on ens4",
        report.summary[0].as_str(),
        "10 whole blocks of 11 that were begun, 1 void; 10 planned",
        "no: 20.0 % of CPU time taken by the hypervisor, and 5.0 % is the limit",
        "the ledger does not show what the arm should have brought about",
        "ethtool -K ens4 tx-tcp-segmentation on",
        "tx-tcp-ecn-segmentation on ens4: on → off",
        "Every feature, limit and queue is as it was before",
        "+55 % [48, 63] by segmentation alone, +87 % [84, 91] measured: more than segmentation alone",
        "vmnet ab ens4 --seed 20261122 --blocks 10 -- iperf3 -c 10.10.1.10 -t 10 -P 32",
        "the first 2 s of each trial",
        "holds 0, as it should",
        "cubic",
    ] {
        assert!(words.contains(said), "{said}");
    }
    let (_, page) = &written(&fixture::not_taken())[0];
    for said in ["Why the treatment did not take", "host-no-csum", "In vain:", "csum=on"] {
        assert!(page.contains(said), "{said}");
    }
}
