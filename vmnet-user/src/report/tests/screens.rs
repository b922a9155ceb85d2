//! Every kind of answer as a person with a small terminal sees it.

use std::path::PathBuf;

use crate::report::kit::style::Style;
use crate::report::kit::typed::Typed;
use crate::report::{ab, run};

const SMALL: Style = Style { colour: false, plain: false, width: 80 };

fn typed() -> Typed {
    let command = ["iperf3", "-c", "10.10.1.10", "-t", "10"].map(str::to_owned).to_vec();
    Typed { sudo: true, netns: None, command, keep: None }
}

/// The answer stands in the first line, nothing is wider than the terminal but a command, and nothing scrolls away.
fn fits(name: &str, screen: &str) {
    assert!(screen.lines().count() <= 20, "{name}\n{screen}");
    let begins = ["✓ YES", "✗ NO", "✗ FAILED", "? PARTLY", "? N", "? BOTH", "✗ WORSE", "NOISE"];
    assert!(begins.iter().any(|word| screen.starts_with(word)), "{name}\n{screen}");
    for line in screen.lines() {
        let is_command = line.contains("vmnet ") || line.contains("reports/");
        assert!(is_command || textwrap::core::display_width(line) <= 80, "{name}: {line}");
    }
}

#[test]
fn a_run_fits_a_small_terminal_and_begins_with_the_answer() {
    use run::fixture;
    let mut all = String::new();
    for (name, report) in [
        ("software", fixture::software()),
        ("engaged", fixture::engaged()),
        ("flipped", fixture::flipped()),
        ("counters", fixture::counters()),
        ("idle", fixture::idle()),
        ("eventful", fixture::eventful()),
    ] {
        let files = [PathBuf::from("reports/20261122-101112-ens4/report.html")];
        let screen = run::screen::screen(&report, &files, &typed(), &SMALL);
        fits(name, &screen);
        all += &format!("== {name}\n{screen}\n");
    }
    insta::assert_snapshot!("runs", all);
}

#[test]
fn an_experiment_fits_a_small_terminal_and_begins_with_the_answer() {
    use ab::fixture;
    let mut all = String::new();
    for (name, report) in [
        ("helps", fixture::helps()),
        ("no effect", fixture::no_effect()),
        ("harms", fixture::harms()),
        ("identical", fixture::identical()),
        ("not taken", fixture::not_taken()),
        ("failed", fixture::failed()),
        ("interrupted", fixture::interrupted()),
        ("single", fixture::single()),
    ] {
        let files = [PathBuf::from("reports/20261122-101112-ens4-ab/ab.html")];
        let screen = ab::screen::screen(&report, &files, &typed(), &SMALL);
        fits(name, &screen);
        all += &format!("== {name}\n{screen}\n");
    }
    insta::assert_snapshot!("experiments", all);
}
