//! What segmentation took, and what vmnet itself did.

use crate::model::fact::Known as _;
use crate::model::hook::ProgramsMethod;
use crate::report::kit::format;
use crate::report::run::schema::RunReport;

/// What software segmentation cost, or why that is not known; and what vmnet took meanwhile, where that is known.
#[must_use]
pub fn cost(report: &RunReport) -> Vec<String> {
    let alone = cost_of_packets(report);
    std::iter::once(cost_of_segmentation(report)).chain(alone).chain(own_cost(report)).collect()
}

/// What is not in the cost of segmentation, and is the larger part of it where the path is short.
fn cost_of_packets(report: &RunReport) -> Option<String> {
    let segmented =
        report.cost.segmentation_calls.known() != Some(0) && report.cost.ns_per_byte.known().is_some();
    segmented.then(|| {
        "that is segmentation alone: each segment's own way through driver and stack comes on top, is often the larger part, and is not \
         measured here (vmnet ab measures both)"
            .to_owned()
    })
}

/// What the programs in the kernel took, which is a part of whatever was measured meanwhile.
fn own_cost(report: &RunReport) -> Option<String> {
    let share = format::percent(report.overhead.cpu_share.known()?);
    let from = report.overhead.cpu_share_method.map_or("", ProgramsMethod::in_words);
    Some(format!("vmnet's own programs: {share} of all CPUs' time{from}"))
}

fn cost_of_segmentation(report: &RunReport) -> String {
    let cost = &report.cost;
    if cost.segmentation_calls.known() == Some(0) {
        return "none: the CPU segmented nothing for this device".to_owned();
    }
    let mut parts = Vec::new();
    if let Some(cores) = cost.cores.known() {
        parts.push(format!("{cores:.2} cores"));
    }
    if let Some(ns) = cost.ns_per_byte.known() {
        let mut said = format::ns_per_byte(ns);
        if let Some([low, high]) = cost.ns_per_byte_interval.known() {
            said += &format!(" [{low:.2}, {high:.2}]");
        }
        parts.push(said);
    }
    if let (true, Err(why)) = (parts.is_empty(), &cost.cores) {
        return format!("not measured: {why}");
    }
    let estimated = if cost.method.is_sampled() { ", estimated" } else { "" };
    format!("{} (by {}{estimated})", parts.join(", "), cost.method.name())
}
