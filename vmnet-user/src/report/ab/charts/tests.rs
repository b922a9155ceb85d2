use roxmltree::Document;

use super::*;
use crate::report::ab::fixture;
use crate::report::kit::json::Explained as _;
use crate::report::kit::testing::{drawn, hovers, rows, said as words, svg};

fn draw(file: &str, report: &AbReport) -> String {
    svg(CHARTS, file, report)
}

#[test]
fn every_chart_leads_with_the_answer_and_has_ids_of_its_own() {
    for chart in CHARTS {
        let svg = draw(chart.file, &fixture::helps());
        let said = words(&svg);
        assert!(said.contains("TSO causes +87 % throughput on ens4"), "{said}");
        assert!(
            said.contains("TSO: +87 % throughput [84, 91], −60.7 % CPU per byte [−61.6, −59.8]"),
            "{said}"
        );
        assert!(said.contains("10 whole blocks · seed 20261122"), "{said}");
        let stem = chart.file.strip_suffix(".svg").unwrap();
        assert!(svg.contains(&format!("id=\"{stem}-title\"")) && svg.contains("class=\"vmnet-chart\""));
        assert!(!hovers(&svg).is_empty(), "{}", chart.file);
    }
}

#[test]
fn effects_stand_beside_those_of_the_placebo_and_packet_sizes_elsewhere() {
    let svg = draw("ab-effects.svg", &fixture::helps());
    let said = words(&svg);
    for part in
        ["Throughput", "CPU per byte", "Round trip under load", "4.96 → 9.28 Gbit/s", "holds 0, as it should"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("mean packet"), "{said}");
    assert_eq!(hovers(&svg).len(), 6);
    assert_eq!(hovers(&svg)[0], "Throughput: tso=on, 4.96 → 9.28 Gbit/s, +87 % [84, 91], better");
    let table = rows(&drawn(CHARTS, "ab-effects.svg", &fixture::helps()).unwrap());
    assert!(table.iter().any(|row| row[0] == "Mean packet to the driver"), "the table has all");
}

#[test]
fn every_trial_has_its_mark_and_says_why_it_does_not_count() {
    let svg = draw("ab-blocks.svg", &fixture::helps());
    let hovers = hovers(&svg);
    assert_eq!(hovers.len(), 66 + 11);
    assert_eq!(
        hovers[19],
        "trial 20, block 4, tso=off: 3.54 Gbit/s, software, does not count: 20.0 % of CPU time taken by the hypervisor, and 5.0 % is the limit"
    );
    assert_eq!(hovers[66 + 3], "block 4 (BACCAB): void");
    assert!(hovers[66].starts_with("block 1 (BACCAB): tso=on +8"), "{}", hovers[66]);
    let said = words(&svg);
    for part in [
        "A tso=off (base)",
        "B tso=on (treatment)",
        "C placebo",
        "does not count",
        "block (its number in grey: does not count)",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // The numbers of blocks that count are placed under those, past the one that does not.
    assert!(hovers[66 + 4].starts_with("block 5 (CABBAC): tso=on +"), "{}", hovers[66 + 4]);
}

#[test]
fn sizes_are_of_every_arm_but_the_placebo_on_one_scale() {
    let said = words(&draw("ab-sizes.svg", &fixture::helps()));
    assert!(said.contains("tso=off: 27.4 M packets of about 1.47 kB"), "{said}");
    assert!(said.contains("tso=on: 1.01 M packets of about 45.5 kB"), "{said}");
    assert!(!said.contains("placebo: "), "{said}");
    assert!(words(&draw("ab-sizes.svg", &fixture::large())).contains("gso_max_segs=16: "));
}

#[test]
fn the_prediction_stands_above_its_outcome() {
    let said = words(&draw("ab-prediction.svg", &fixture::helps()));
    for part in [
        "predicted",
        "measured",
        "+55 % [48, 63]",
        "more than segmentation alone",
        "the intervals meet",
        "from tso=off alone",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_chart_without_data_says_why() {
    let none = fixture::not_taken().explained().unwrap();
    for (file, why) in [
        (
            "ab-effects.svg",
            "no change is known (tx-tcp-segmentation was switched on, and the kernel left it off)",
        ),
        ("ab-blocks.svg", "no trial was ended"),
        ("ab-sizes.svg", "not known: no trial was run"),
        (
            "ab-prediction.svg",
            "there is none (made only where the base segments in software and an arm switches TSO on",
        ),
    ] {
        let said = drawn(CHARTS, file, &none).err().unwrap();
        assert!(said.contains(why), "{file}: {said}");
    }
}

#[test]
fn forty_blocks_of_five_arms_are_drawn_within_the_sheet_and_in_a_file_of_moderate_size() {
    for chart in CHARTS {
        let Ok(drawn) = drawn(CHARTS, chart.file, &fixture::large()) else { continue };
        let svg = drawn.alone();
        assert!(svg.len() < 600_000, "{}: {}", chart.file, svg.len());
        let document = Document::parse(&svg).unwrap();
        for node in document.descendants().filter(|node| node.has_tag_name("text")) {
            let at = |name: &str| {
                node.attribute(name).and_then(|value| value.parse::<f64>().ok()).unwrap_or_default()
            };
            assert!(
                (0.0..=1200.0).contains(&at("x")) && (0.0..=675.0).contains(&at("y")),
                "{}: {node:?}",
                chart.file
            );
        }
    }
}
