use std::fs;
use std::path::PathBuf;

use super::*;
use crate::report::fixture;

fn fixtures() -> [(&'static str, RunReport); 5] {
    let mut all = [
        ("software", fixture::software()),
        ("engaged", fixture::engaged()),
        ("flipped", fixture::flipped()),
        ("idle", fixture::idle()),
        ("counters", fixture::counters()),
    ];
    for (_, report) in &mut all {
        absences::explain(report);
    }
    all
}

/// `VMNET_LOOK=DIR cargo test … pages_to_look_at` leaves the pages there.
#[test]
fn pages_to_look_at() {
    let Some(place) = std::env::var_os("VMNET_LOOK").map(PathBuf::from) else { return };
    fs::create_dir_all(&place).expect("a place");
    for (name, report) in fixtures() {
        fs::write(place.join(format!("{name}.html")), page(&report).expect("a page")).expect("room");
    }
}
