//! Packet sizes before the decision and after it, one above the other on one axis.

use super::histogram::{Panel, picture};
use super::reason;
use crate::model::sample::Counting;
use crate::report::kit::chart::Picture;
use crate::report::kit::colours::{GREEN, PURPLE};
use crate::report::kit::format;
use crate::report::run::schema::RunReport;

pub(super) fn of(report: &RunReport) -> Result<Picture<'_>, String> {
    let Some(sizes) = &report.sizes else {
        return Err(reason(report, "sizes", "packets are not seen one by one without programs").to_owned());
    };
    let after = match (&sizes.driver, report.probes.counting) {
        (None, _) => "After: not counted one by one",
        (_, Counting::Light) => "After: taken by the driver, in windows",
        (_, Counting::Exact) => "After: taken by the driver",
    };
    let panels = vec![
        // Not the colours of the paths: a length is not yet a fate.
        Panel::new("Before: handed to the interface", GREEN, &sizes.queued),
        Panel::new(after, PURPLE, sizes.driver.as_deref().unwrap_or_default()),
    ];
    let finding = match panels.as_slice() {
        [before, after] if before.packets > 0 && after.packets > 0 => Some(format!(
            "TCP packets of about {} were handed over, the driver got packets of about {}",
            format::mean_bytes(before.mean_bytes),
            format::mean_bytes(after.mean_bytes)
        )),
        _ => None,
    };
    Ok(Picture { finding, ..picture(panels, report.interface.mtu)? })
}
