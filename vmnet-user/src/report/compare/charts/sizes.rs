//! Packet sizes to the driver, A above B, on one axis.

use crate::report::compare::Pair;
use crate::report::kit::chart::Picture;
use crate::report::kit::colours::{BLUE, GREEN};
use crate::report::run::charts::histogram::{Panel, picture};

pub(super) fn of(pair: &Pair) -> Result<Picture<'_>, String> {
    let mut panels = Vec::new();
    for (side, heading, colour, report) in
        [("A", "A: taken by the driver", GREEN, &pair.a), ("B", "B: taken by the driver", BLUE, &pair.b)]
    {
        let Some(driver) = report.sizes.as_ref().and_then(|sizes| sizes.driver.as_deref()) else {
            let why = ["sizes", "sizes.driver"].iter().find_map(|path| report.unmeasured.get(*path));
            let why = why.map_or("packets are not seen one by one without programs", String::as_str);
            return Err(format!("not known in {side}: {why}"));
        };
        panels.push(Panel::new(heading, colour, driver));
    }
    let [mtu, other] = [&pair.a, &pair.b].map(|report| report.interface.mtu);
    let mut picture = picture(panels, mtu)?;
    if other != mtu {
        picture.how += &format!(" The MTU is A's, B's is {other}.");
    }
    Ok(picture)
}
