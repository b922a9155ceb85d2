use roxmltree::Document;

use super::*;
use crate::report::compare::schema::CompareReport;
use crate::report::kit::table::Table;
use crate::report::run::{fixture, schema::RunReport};

fn draw(file: &str, a: &RunReport, b: &RunReport) -> String {
    let report = CompareReport::of((a, "a"), (b, "b"));
    let chart = CHARTS.iter().find(|chart| chart.file == file).expect("a chart of that name");
    (chart.draw)(&Pair { report, a: a.clone(), b: b.clone() }).expect("it can be drawn")
}

fn rows(file: &str, a: &RunReport, b: &RunReport) -> Table {
    let report = CompareReport::of((a, "a"), (b, "b"));
    let chart = CHARTS.iter().find(|chart| chart.file == file).expect("a chart of that name");
    (chart.table)(&Pair { report, a: a.clone(), b: b.clone() })
}

fn texts(svg: &str) -> String {
    let document = Document::parse(svg).expect("well-formed XML");
    let texts = document.descendants().filter(|node| node.has_tag_name("text") || node.has_tag_name("desc"));
    texts.map(|node| node.text().unwrap_or_default().trim().to_owned()).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_chart_leads_with_both_answers_and_has_ids_of_its_own() {
    for chart in CHARTS {
        let svg = draw(chart.file, &fixture::software(), &fixture::engaged());
        let said = texts(&svg);
        assert!(said.contains("A SOFTWARE, B ENGAGED") && said.contains("In B, goodput is +118 %"), "{said}");
        let stem = chart.file.strip_suffix(".svg").unwrap();
        assert!(svg.contains(&format!("id=\"{stem}-title\"")) && svg.contains("class=\"vmnet-chart\""));
    }
}

#[test]
fn both_panels_of_throughput_have_one_scale() {
    let svg = draw("compare-throughput.svg", &fixture::software(), &fixture::engaged());
    let document = Document::parse(&svg).unwrap();
    let labels: Vec<&str> = document
        .descendants()
        .filter(|node| node.has_tag_name("text"))
        .filter_map(|node| node.text().map(str::trim))
        .collect();
    // 24 Gbit/s want a label at 20, in both.
    assert_eq!(labels.iter().filter(|label| **label == "20").count(), 2 + 1, "{labels:?}, and 20 seconds");
    assert!(texts(&svg).contains("A: TSO is not happening on ens4, goodput 11.0 Gbit/s on average"));
}

#[test]
fn where_one_run_knows_no_paths_both_are_drawn_by_what_both_know() {
    let said = texts(&draw("compare-throughput.svg", &fixture::software(), &fixture::counters()));
    assert!(said.contains("its path not known") && !said.contains("segmented in software 1"), "{said}");
    assert!(
        texts(&draw("compare-sizes.svg", &fixture::software(), &fixture::counters()))
            .contains("not known in B")
    );
}

#[test]
fn a_chart_without_data_says_why() {
    let mut nothing = fixture::idle();
    nothing.throughput.samples.clear();
    let said = texts(&draw("compare-throughput.svg", &nothing, &nothing));
    assert!(said.contains("no rate was measured in either run"), "{said}");
    assert!(
        texts(&draw("compare-effects.svg", &nothing, &nothing))
            .contains("no change is known (A has no interval to go by)")
    );
    let idle = fixture::idle();
    assert!(texts(&draw("compare-throughput.svg", &idle, &idle)).contains("nothing was sent in either run"));
    assert!(texts(&draw("compare-sizes.svg", &idle, &idle)).contains("no TCP packet with payload was sent"));
}

#[test]
fn the_effects_stand_there_with_their_intervals() {
    let said = texts(&draw("compare-effects.svg", &fixture::software(), &fixture::engaged()));
    for part in
        ["goodput", "11.0 Gbit/s → 24.0 Gbit/s", "+118 % [", "B is better", "0 %", "−100 %, no interval"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn figures_that_are_absurd_are_still_drawn() {
    let mut absurd = fixture::engaged();
    for sample in &mut absurd.throughput.samples {
        sample.goodput_gbps = Ok(1e300);
        sample.hardware_gbps = Ok(f64::MAX);
        sample.t_s *= 1e250;
        sample.segmentation_cpu = Ok(1e-300);
    }
    for chart in CHARTS {
        for (a, b) in [(&absurd, &fixture::software()), (&fixture::software(), &absurd)] {
            let svg = draw(chart.file, a, b);
            Document::parse(&svg).expect("well-formed XML");
            assert!(!svg.contains("NaN") && svg.len() < 2_000_000, "{}", chart.file);
        }
    }
}

#[test]
fn tables_have_the_numbers_of_both_runs() {
    let (a, b) = (fixture::software(), fixture::engaged());
    for chart in CHARTS {
        let table = rows(chart.file, &a, &b);
        assert!(table.rows.iter().all(|row| row.len() == table.head.len()), "{}", chart.file);
        assert!(!table.rows.is_empty());
    }
    let throughput = rows("compare-throughput.svg", &a, &b);
    assert_eq!(throughput.rows.iter().filter(|row| row[0] == "A").count(), 30);
    assert_eq!(throughput.rows.iter().filter(|row| row[0] == "B").count(), 30);
}
