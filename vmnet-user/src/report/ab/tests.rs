use std::fs;
use std::path::PathBuf;

use super::*;

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

/// `VMNET_LOOK=DIR cargo test … experiments_to_look_at` leaves pages, charts and texts there.
#[test]
fn experiments_to_look_at() {
    let Some(place) = std::env::var_os("VMNET_LOOK").map(PathBuf::from) else { return };
    for (name, report) in fixtures() {
        let output = OutputDir::at(&place.join(name), None).expect("a place");
        let files = write(&output, &report).expect("room");
        let style = crate::report::style::Style { colour: false, plain: false, width: 100 };
        let mut told = text::plan(
            &report.interface.name,
            &report.design,
            &report.guards,
            &report.settings.commands,
            &report.warm_up_rule,
            Some(12.4),
            &style,
        );
        for trial in report.trials.iter().take(24) {
            told += &text::trial_line(trial, &report.design, Some(190.0), &style);
        }
        told += &text::so_far(&report.effects, report.blocks.whole, report.blocks.planned, &style);
        told += "\n";
        told += &text::answer(&report, &files[..1], &style);
        fs::write(place.join(format!("{name}.txt")), told).expect("room");
    }
}
