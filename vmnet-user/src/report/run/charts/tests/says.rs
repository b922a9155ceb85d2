//! What charts say, pinned: title, description, texts, what they say under the pointer, and their table. Not their pixels.

use std::fmt::Write as _;

use super::*;
use crate::report::kit::marks::Column;
use crate::report::kit::testing::shown;

/// Enough to see how they read.
const FIRST: usize = 3;

/// All that a chart says, but for numbers alone on its axes.
fn said(chart: &Chart<RunReport>, report: &RunReport) -> String {
    let drawn = match drawn(CHARTS, chart.file, report) {
        Ok(drawn) => drawn,
        Err(why) => return format!("not drawn: {why}\n"),
    };
    let svg = drawn.alone();
    let mut said = format!("title: {}\ndesc: {}\n", alternative(&svg, "title"), alternative(&svg, "desc"));
    for text in texts(&svg).iter().filter(|text| text.parse::<f64>().is_err()) {
        writeln!(said, "  {text}").expect("a string takes all");
    }
    let hovers = hovers(&svg);
    writeln!(said, "hover: {}", hovers.len()).expect("a string takes all");
    for says in hovers.iter().take(FIRST) {
        writeln!(said, "  {says}").expect("a string takes all");
    }
    let heads: Vec<String> = drawn.marks.said_columns().into_iter().map(Column::head).collect();
    writeln!(said, "table: {} rows\n  {}", drawn.marks.len(), heads.join(" | ")).expect("a string takes all");
    for row in rows(&drawn).iter().take(FIRST) {
        writeln!(said, "  {}", row.join(" | ")).expect("a string takes all");
    }
    said
}

#[test]
fn charts_say_what_they_have_always_said() {
    let runs = [
        ("software", fixture::software()),
        ("engaged", fixture::engaged()),
        ("flipped", fixture::flipped()),
        ("eventful", fixture::eventful()),
        ("counters", fixture::counters()),
        ("idle", fixture::idle()),
    ];
    for chart in CHARTS {
        let all: Vec<String> =
            runs.iter().map(|(name, report)| format!("## {name}\n{}", said(chart, report))).collect();
        let stem = chart.file.trim_end_matches(".svg");
        insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(stem, all.join("\n"));
        });
    }
}

#[test]
fn several_charts_can_stand_in_one_document() {
    let report = fixture::eventful();
    let mut ids = std::collections::BTreeSet::new();
    let mut styles = std::collections::BTreeSet::new();
    for chart in CHARTS {
        let svg = svg(CHARTS, chart.file, &report);
        let document = Document::parse(&svg).expect("well-formed XML");
        let root = document.root_element();
        assert_eq!(root.attribute("class"), Some("vmnet-chart"));
        assert_eq!(root.attribute("viewBox"), Some("0 0 1200 675"));
        let stem = chart.file.trim_end_matches(".svg");
        assert_eq!(root.attribute("aria-labelledby"), Some(format!("{stem}-title {stem}-desc").as_str()));
        for id in document.descendants().filter_map(|node| node.attribute("id")) {
            assert!(id.starts_with(&format!("{stem}-")) && ids.insert(id.to_owned()), "{id}");
        }
        let style = document.descendants().find(|node| node.has_tag_name("style")).expect("a style");
        styles.insert(style.text().unwrap_or_default().to_owned());
    }
    assert_eq!(ids.len(), 2 * CHARTS.len());
    assert_eq!(styles.len(), 1, "the last one holds for all");
}

#[test]
fn every_mark_says_its_values_under_the_pointer() {
    for report in [fixture::eventful(), fixture::day(), fixture::wide(64, 256)] {
        for file in shown(CHARTS, &report) {
            let svg = svg(CHARTS, file, &report);
            let document = Document::parse(&svg).expect("well-formed XML");
            let marks: Vec<_> =
                document.descendants().filter(|node| node.attribute("class") == Some("hover")).collect();
            assert!((1..=600).contains(&marks.len()), "{file}: {}", marks.len());
            for mark in &marks {
                let title = mark.first_element_child().expect("a title");
                assert!(title.has_tag_name("title") && title.text().is_some_and(|says| says.len() > 5));
            }
            let last = document.root_element().last_element_child().expect("an element");
            assert_eq!(last.attribute("class"), Some("hover"), "{file}: nothing lies above them");
        }
    }
}
