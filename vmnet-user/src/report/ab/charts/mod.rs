//! Pictures of an experiment.

mod blocks;
mod effects;
mod marks;
mod prediction;
mod rows;
mod sizes;

use crate::report::ab::results::{headline, short};
use crate::report::ab::schema::AbReport;
use crate::report::ab::words::{plural, with_capital};
use crate::report::kit::colours::FAINT;
use crate::report::kit::format;
use crate::report::kit::hover::Hovers;
use crate::report::kit::lettering::{Lettering, write_lines};
use crate::report::kit::page::{Area, BODY_TOP, HEIGHT, LEFT, RIGHT, Titles, Topic, document};
use crate::report::run::charts::{ChartError, Table};

/// One picture of an experiment.
pub struct Chart {
    /// What it shows, as a heading.
    pub name: &'static str,
    /// The file it is written to.
    pub file: &'static str,
    /// The whole SVG document.
    pub draw: fn(&AbReport) -> Result<String, ChartError>,
    /// The same in numbers.
    pub table: fn(&AbReport) -> Table,
}

/// Every chart, in the order in which they tell the story.
pub const CHARTS: &[Chart] = &[
    Chart {
        name: "Effects, with their intervals",
        file: "ab-effects.svg",
        draw: effects::draw,
        table: effects::table,
    },
    Chart { name: "Block by block", file: "ab-blocks.svg", draw: blocks::draw, table: blocks::table },
    Chart {
        name: "Packet sizes to the driver, arm by arm",
        file: "ab-sizes.svg",
        draw: sizes::draw,
        table: sizes::table,
    },
    Chart {
        name: "Prediction against outcome",
        file: "ab-prediction.svg",
        draw: prediction::draw,
        table: prediction::table,
    },
];

/// A whole document, its body drawn by `body`.
fn sheet(
    report: &AbReport,
    topic: Topic,
    description: &str,
    body: impl FnOnce(&Area<'_>, &mut Hovers) -> Result<(), ChartError>,
) -> Result<String, ChartError> {
    let titles = Titles {
        answer: with_capital(&headline(report)),
        finding: with_capital(&short(report)),
        circumstances: circumstances(report),
    };
    document(topic, &titles, description, body)
}

/// A document that says why there is nothing to see.
fn empty_sheet(report: &AbReport, topic: Topic, why: &str) -> Result<String, ChartError> {
    let sentence = format!("{}: {why}", topic.subject);
    sheet(report, topic, &sentence, |area, _| {
        let at = (LEFT, (HEIGHT + BODY_TOP) / 2 - 40);
        write_lines(area, &sentence, at, (RIGHT - LEFT, 8), &Lettering::new(20, FAINT))?;
        Ok(())
    })
}

/// Which machine, when, how.
fn circumstances(report: &AbReport) -> String {
    let interface = &report.interface;
    let mut facts: Vec<String> = Vec::new();
    facts.extend(interface.driver.as_deref().map(|driver| format::shortened(driver, 32)));
    facts.push(format!("MTU {}", interface.mtu));
    facts.push(format!("kernel {}", format::shortened(&interface.kernel, 40)));
    facts.push(format::shortened(&format::moment(&report.window.start), 40));
    facts.push(format::duration(report.window.duration_s));
    facts.push(plural(report.blocks.whole as usize, "whole block"));
    facts.push(format!("seed {}", report.design.seed));
    facts.join(" · ")
}

#[cfg(test)]
mod tests;
