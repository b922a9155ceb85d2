//! Packet sizes to the driver, A above B, on one axis.

use crate::report::compare::Pair;
use crate::report::kit::chart::ChartError;
use crate::report::kit::colours::{BLUE, GREEN};
use crate::report::kit::format;
use crate::report::kit::sheet::Topic;
use crate::report::kit::sheet::{Words, empty_sheet, sheet};
use crate::report::kit::table::Table;
use crate::report::run::charts::sizes::{Axis, Panel};
use crate::report::run::schema::Bucket;
use crate::units;

const TOPIC: Topic = Topic { stem: "compare-sizes", subject: "Packet sizes to the driver in both runs" };

pub(super) fn draw(pair: &Pair) -> Result<String, ChartError> {
    let buckets = |report: &crate::report::run::schema::RunReport| -> Option<Vec<Bucket>> {
        report.sizes.as_ref()?.driver.clone()
    };
    let (Some(a), Some(b)) = (buckets(&pair.a), buckets(&pair.b)) else {
        let missing = if buckets(&pair.a).is_none() { ("A", &pair.a) } else { ("B", &pair.b) };
        let why = missing
            .1
            .unmeasured
            .get("sizes")
            .or_else(|| missing.1.unmeasured.get("sizes.driver"))
            .map_or("packets are not seen one by one without programs", String::as_str);
        return empty_sheet(pair, TOPIC, &format!("not known in {}: {why}", missing.0));
    };
    let panels =
        [Panel::new("A: taken by the driver", GREEN, &a), Panel::new("B: taken by the driver", BLUE, &b)];
    if panels.iter().all(|panel| panel.packets == 0) {
        return empty_sheet(pair, TOPIC, "no TCP packet with payload was sent in either run");
    }
    let mtu = pair.a.interface.mtu;
    let mut description = format!(
        "Two histograms over packet length on one logarithmic axis and one scale. {}. {}. Bars are shares of each run's bytes. MTU {mtu} is \
         marked",
        panels[0].said(),
        panels[1].said()
    );
    if pair.b.interface.mtu != mtu {
        description += &format!("; it is A's, B's is {}", pair.b.interface.mtu);
    }
    description.push('.');
    let axis = Axis::new(&panels, mtu);
    sheet(pair, Words { topic: TOPIC, finding: None, description: &description }, |area, hovers| {
        axis.draw_all(area, hovers, &panels)
    })
}

pub(super) fn table(pair: &Pair) -> Table {
    let mut table =
        Table::new(["run", "skb length from, bytes", "below, bytes", "packets", "of the run's packets"]);
    for (run, report) in [("A", &pair.a), ("B", &pair.b)] {
        let buckets = report.sizes.as_ref().and_then(|sizes| sizes.driver.as_deref()).unwrap_or_default();
        let packets = buckets.iter().fold(0_u64, |sum, bucket| sum.saturating_add(bucket.count));
        for Bucket { lower, upper, count } in buckets {
            table.row([
                run.to_owned(),
                lower.to_string(),
                upper.to_string(),
                count.to_string(),
                units::share(*count, packets).map_or_else(String::new, format::percent),
            ]);
        }
    }
    table
}
