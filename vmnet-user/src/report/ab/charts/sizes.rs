//! Packet sizes to the driver under each arm, one above the other on one axis. The placebo is left out: it is the base once more.

use super::shapes::shapes;
use crate::report::ab::schema::AbReport;
use crate::report::kit::chart::Picture;
use crate::report::kit::colours::GREY;
use crate::report::kit::format;
use crate::report::run::charts::histogram::{Panel, picture};

pub(super) fn of(report: &AbReport) -> Result<Picture<'_>, String> {
    let shapes = shapes(&report.design.arms);
    let arms = report.design.arms.iter().zip(&report.sizes).zip(shapes).enumerate();
    let panels: Vec<Panel> = arms
        .filter(|(index, _)| !report.is_placebo(*index))
        .filter_map(|(index, ((arm, sizes), shape))| {
            // The base is black elsewhere, as the MTU is here.
            let colour = if index > 0 { shape.colour } else { GREY };
            let driver = sizes.as_ref()?.driver.as_deref()?;
            Some(Panel::new(format::shortened(&arm.name, 40), colour, driver))
        })
        .collect();
    if panels.is_empty() {
        let why = ["sizes[]", "sizes[].driver", "sizes"].iter().find_map(|path| report.unmeasured.get(*path));
        let why = why.map_or("packets are not seen one by one without programs", String::as_str);
        return Err(format!("not known: {why}"));
    }
    picture(panels, report.interface.mtu)
}
