//! Packet sizes to the driver under each arm, one above the other on one axis. The placebo is left out: it is the base once more.

use super::marks::marks;
use crate::model::experiment::Role;
use crate::report::ab::schema::AbReport;
use crate::report::kit::chart::ChartError;
use crate::report::kit::colours::GREY;
use crate::report::kit::format;
use crate::report::kit::sheet::Topic;
use crate::report::kit::sheet::{Words, empty_sheet, sheet};
use crate::report::kit::table::Table;
use crate::report::run::charts::sizes::{Axis, Panel};
use crate::report::run::schema::Bucket;
use crate::units;

const TOPIC: Topic = Topic { stem: "ab-sizes", subject: "Packet sizes to the driver under each arm" };
/// More have no room.
const MOST_PANELS: usize = 5;

pub(super) fn draw(report: &AbReport) -> Result<String, ChartError> {
    let arms = shown(report);
    let marks = marks(&report.design.arms);
    let panels: Vec<Panel> = arms
        .iter()
        .take(MOST_PANELS)
        .map(|Shown { arm, name, buckets }| {
            // The base is black elsewhere, as the MTU is here.
            let colour = marks.get(*arm).filter(|_| *arm > 0).map_or(GREY, |mark| mark.colour);
            Panel::new(format::shortened(name, 40), colour, buckets)
        })
        .collect();
    if panels.is_empty() {
        let why = ["sizes[]", "sizes[].driver", "sizes"].iter().find_map(|path| report.unmeasured.get(*path));
        let why = why.map_or("packets are not seen one by one without programs", String::as_str);
        return empty_sheet(report, TOPIC, &format!("not known: {why}"));
    }
    if panels.iter().all(|panel| panel.packets == 0) {
        return empty_sheet(report, TOPIC, "no TCP packet with payload was sent");
    }
    let mtu = report.interface.mtu;
    let said: Vec<String> = panels.iter().map(Panel::said).collect();
    let mut description = format!(
        "A histogram for each arm over packet length on one logarithmic axis and one scale, MTU {mtu} marked. {}. Bars are shares of each \
         arm's bytes, valid trials together.",
        said.join(". ")
    );
    let left_out = arms.len().saturating_sub(MOST_PANELS);
    if left_out > 0 {
        description += &format!(" {left_out} more in the table.");
    }
    let axis = Axis::new(&panels, mtu);
    sheet(report, Words { topic: TOPIC, finding: None, description: &description }, |area, hovers| {
        axis.draw_all(area, hovers, &panels)
    })
}

/// An arm whose packets are known.
struct Shown<'a> {
    arm: usize,
    name: &'a str,
    buckets: &'a [Bucket],
}

/// Each of them but the placebo.
fn shown(report: &AbReport) -> Vec<Shown<'_>> {
    let arms = report.design.arms.iter().zip(&report.sizes).enumerate();
    arms.filter(|(_, (arm, _))| arm.role != Role::Placebo)
        .filter_map(|(index, (arm, sizes))| {
            Some(Shown { arm: index, name: &arm.name, buckets: sizes.as_ref()?.driver.as_deref()? })
        })
        .collect()
}

pub(super) fn table(report: &AbReport) -> Table {
    let mut table =
        Table::new(["arm", "skb length from, bytes", "below, bytes", "packets", "of the arm's packets"]);
    for Shown { name, buckets, .. } in shown(report) {
        let packets = buckets.iter().fold(0_u64, |sum, bucket| sum.saturating_add(bucket.count));
        for Bucket { lower, upper, count } in buckets {
            table.row([
                name.to_owned(),
                lower.to_string(),
                upper.to_string(),
                count.to_string(),
                units::share(*count, packets).map_or_else(String::new, format::percent),
            ]);
        }
    }
    table
}
