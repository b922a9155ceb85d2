use roxmltree::Document;

use super::*;
use crate::report::compare::schema::CompareReport;
use crate::report::kit::testing::{drawn, rows, said as words, svg, texts};
use crate::report::run::{fixture, schema::RunReport};

fn pair(a: &RunReport, b: &RunReport) -> Pair {
    Pair { report: CompareReport::of((a, "a"), (b, "b")), a: a.clone(), b: b.clone() }
}

fn draw(file: &str, a: &RunReport, b: &RunReport) -> String {
    svg(CHARTS, file, &pair(a, b))
}

fn why_not(file: &str, a: &RunReport, b: &RunReport) -> String {
    drawn(CHARTS, file, &pair(a, b)).err().expect("nothing to show")
}

#[test]
fn every_chart_leads_with_both_answers_and_has_ids_of_its_own() {
    for chart in CHARTS {
        let svg = draw(chart.file, &fixture::software(), &fixture::engaged());
        let said = words(&svg);
        assert!(said.contains("A SOFTWARE, B ENGAGED") && said.contains("In B, goodput is +118 %"), "{said}");
        let stem = chart.file.strip_suffix(".svg").unwrap();
        assert!(svg.contains(&format!("id=\"{stem}-title\"")) && svg.contains("class=\"vmnet-chart\""));
    }
}

#[test]
fn both_panels_of_throughput_have_one_scale() {
    let svg = draw("compare-throughput.svg", &fixture::software(), &fixture::engaged());
    let labels = texts(&svg);
    // 24 Gbit/s want a label at 20, in both.
    assert_eq!(labels.iter().filter(|label| *label == "20").count(), 2 + 1, "{labels:?}, and 20 seconds");
    assert!(words(&svg).contains("A: TSO is not happening on ens4, goodput 11.0 Gbit/s on average"));
}

#[test]
fn where_one_run_knows_no_paths_both_are_drawn_by_what_both_know() {
    let said = words(&draw("compare-throughput.svg", &fixture::software(), &fixture::counters()));
    assert!(said.contains("its path not known") && !said.contains("segmented in software 1"), "{said}");
    let why = why_not("compare-sizes.svg", &fixture::software(), &fixture::counters());
    assert!(why.contains("not known in B"), "{why}");
}

#[test]
fn a_chart_without_data_says_why() {
    let mut nothing = fixture::idle();
    nothing.throughput.samples.clear();
    let idle = fixture::idle();
    for (file, run, why) in [
        ("compare-throughput.svg", &nothing, "no rate was measured in either run"),
        ("compare-effects.svg", &nothing, "no change is known (A has no interval to go by)"),
        ("compare-throughput.svg", &idle, "nothing was sent in either run"),
        ("compare-sizes.svg", &idle, "no TCP packet with payload was sent"),
    ] {
        let said = why_not(file, run, run);
        assert!(said.contains(why), "{file}: {said}");
    }
}

#[test]
fn the_effects_stand_there_with_their_intervals() {
    let said = words(&draw("compare-effects.svg", &fixture::software(), &fixture::engaged()));
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
    let pair = pair(&fixture::software(), &fixture::engaged());
    let table = rows(&drawn(CHARTS, "compare-throughput.svg", &pair).expect("both sent"));
    for side in ["A, ", "B, "] {
        assert_eq!(table.iter().filter(|row| row[0].starts_with(side)).count(), 30);
    }
}
