//! `compare.html`: one file, nothing fetched, to be read on a light ground, on a dark one, and on paper. Every text that is not ours goes
//! through [`escaped`].

use std::fmt::Write as _;

use super::schema::{CompareReport, RunSummary};
use super::text::gist;
use super::words::{answer, change, figure, judgement};
use crate::model::comparison::{Effect, Stretch};
use crate::model::verdict::State;
use crate::report::charts::Table;
use crate::report::format;
use crate::report::text::confidence_word;

const STYLE: &str =
    concat!(include_str!("../../../templates/page.css"), include_str!("../../../templates/compare.css"));
/// Comfort, not content: the same as of a run's page.
pub(super) const SCRIPT: &str = include_str!("../../../templates/page.js");

/// A chart as it goes into the page.
pub(super) struct Drawn {
    pub(super) name: &'static str,
    pub(super) file: &'static str,
    /// A whole document, its texts escaped.
    pub(super) svg: String,
    pub(super) table: Table,
}

/// The whole document.
pub(super) fn page(report: &CompareReport, charts: &[Drawn]) -> String {
    let (a, b) = (&report.runs.a, &report.runs.b);
    let answer = answer(a, b);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{} against {}: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escaped(&b.interface),
        escaped(&a.interface),
        escaped(&answer)
    );
    let mut add = |text: &str| html.push_str(text);
    add(&format!(
        "<h1>{}</h1>\n<p class=\"gist\">{}</p>\n",
        escaped(&answer),
        escaped(&format::capitalised(&gist(report)))
    ));
    add(&format!("<div class=\"columns\">\n{}{}</div>\n", run("A", a), run("B", b)));

    add("<h2 id=\"effects\">What differs in what was measured</h2>\n");
    add(&effects(report));
    add(&format!("<p class=\"faint\">{}.</p>\n", escaped(&format::capitalised(&report.method))));
    add(&left_out(report));
    for note in &report.notes {
        add(&format!("<p class=\"limit\">{}.</p>\n", escaped(&format::capitalised(note))));
    }
    add("<h2 id=\"paths\">By which path the bytes left</h2>\n");
    add(&paths(report));
    add("<h2 id=\"machines\">What differs in the machines, and in how was measured</h2>\n");
    add(&differences(report));
    add("<h2 id=\"charts\">Side by side</h2>\n");
    for chart in charts {
        add(&figure_of(chart));
    }
    add(&format!("</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"));
    html
}

fn run(side: &str, run: &RunSummary) -> String {
    let mut html = format!(
        "<section class=\"run {}\">\n<h3>{side}: {}</h3>\n<p>{} ({})</p>\n<p>{}</p>\n<p class=\"faint\">{}, {}, kernel {}</p>\n",
        tone(run.state),
        escaped(&run.state_word),
        escaped(&run.sentence),
        confidence_word(run.confidence),
        escaped(&run.summary),
        escaped(&format::moment(&run.start)),
        format::duration(run.duration_s),
        escaped(&run.kernel)
    );
    if let Some(command) = &run.command {
        html += &format!(
            "<p class=\"faint\"><code>{}</code></p>\n",
            escaped(&format::shortened(&command.join(" "), 400))
        );
    }
    html += &format!("<p class=\"faint\">{}</p>\n</section>\n", escaped(&run.source));
    html
}

fn tone(state: State) -> &'static str {
    match state {
        State::Engaged => "good",
        State::Software | State::NotBuilt => "bad",
        State::Partial | State::NothingToOffload | State::Inconclusive => "unsure",
    }
}

fn effects(report: &CompareReport) -> String {
    let row = |effect: &Effect| {
        let may_be_said = effect.reason.clone().unwrap_or_else(|| judgement(effect).to_owned());
        [effect.name.clone(), figure(effect, effect.a), figure(effect, effect.b), change(effect), may_be_said]
    };
    let head = ["", "A", "B", "from A to B", "what may be said"];
    table(&head, report.comparison.effects.iter().map(row), 1..4)
}

fn left_out(report: &CompareReport) -> String {
    let told = |side: &str, stretch: Stretch| {
        format!("{} of {side}'s {} intervals", stretch.compared(), stretch.intervals)
    };
    let stretches = &report.comparison.stretches;
    format!(
        "<p class=\"faint\">Made of {} and {}; {}.</p>\n",
        told("A", stretches.a),
        told("B", stretches.b),
        escaped(&report.left_out_rule)
    )
}

fn paths(report: &CompareReport) -> String {
    let Some(paths) = &report.comparison.paths else {
        let why = report.unmeasured.get("paths").map_or("not known in both runs", String::as_str);
        return format!("<p>{}.</p>\n", escaped(&format::capitalised(why)));
    };
    let cell = |bytes: u64, share: Option<f64>| match share {
        Some(share) => format!("{} ({})", format::percent(share), format::bytes(bytes)),
        None => "none sent".to_owned(),
    };
    let rows = paths
        .iter()
        .map(|path| [path.name.clone(), cell(path.bytes.a, path.share.a), cell(path.bytes.b, path.share.b)]);
    table(&["TCP payload", "A", "B"], rows, 1..3)
}

fn differences(report: &CompareReport) -> String {
    let differences = &report.comparison.differences;
    if differences.is_empty() {
        return "<p>Nothing that is known of them.</p>\n".to_owned();
    }
    let rows = differences.iter().map(|row| {
        let hangs = if row.matters_for_tso { "yes" } else { "" };
        [row.what.clone(), row.a.clone(), row.b.clone(), hangs.to_owned()]
    });
    table(&["", "A", "B", "TSO hangs on it"], rows, 0..0)
}

fn figure_of(chart: &Drawn) -> String {
    let head: Vec<&str> = chart.table.head.iter().map(String::as_str).collect();
    let rows = chart.table.rows.iter().cloned();
    format!(
        "<figure>\n<div class=\"scroll chart\" role=\"group\" tabindex=\"0\" aria-label=\"{}\">\n{}</div>\n<details>\n<summary>{} in numbers</summary>\n{}</details>\n\
         <p class=\"faint\">Also as {}.</p>\n</figure>\n",
        escaped(chart.name),
        chart.svg,
        escaped(chart.name),
        table(&head, rows, 0..0),
        escaped(chart.file)
    )
}

/// The first cell of each row is its heading; `numbers` are the columns that are set to the right.
fn table<Row: AsRef<[String]>>(
    head: &[&str],
    rows: impl Iterator<Item = Row>,
    numbers: std::ops::Range<usize>,
) -> String {
    let class = |column: usize| if numbers.contains(&column) { " class=\"number\"" } else { "" };
    let mut html = String::from("<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>");
    for (column, name) in head.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(html, "<th scope=\"col\"{}>{}</th>", class(column), escaped(name));
    }
    html += "</tr></thead>\n<tbody>\n";
    for row in rows {
        html += "<tr>";
        for (column, cell) in row.as_ref().iter().enumerate() {
            let _ = if column == 0 {
                write!(html, "<th scope=\"row\">{}</th>", escaped(cell))
            } else {
                write!(html, "<td{}>{}</td>", class(column), escaped(cell))
            };
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table></div>\n"
}

/// Data as text of the document: neither markup nor what turns the direction of reading.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in format::printable(text).chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
