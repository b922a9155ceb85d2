//! `compare.html`: one file, nothing fetched, to be read on a light ground, on a dark one, and on paper.

use askama::Template;

use super::schema::{CompareReport, RunSummary};
use super::text::gist;
use super::words::{answer, change, figure, judgement};
use crate::model::comparison::Stretch;
use crate::model::verdict::State;
use crate::report::kit::document::PageError;
use crate::report::kit::format::{self, capitalised, plural, sentence};
use crate::report::kit::parts::{Cell, Figures, Grid, Part};
use crate::report::run::html::SCRIPT;
use crate::report::run::text::confidence_word;

const STYLE: &str =
    concat!(include_str!("../../../templates/page.css"), include_str!("../../../templates/compare.css"));

#[derive(Template)]
#[template(path = "compare.html")]
struct Page {
    style: &'static str,
    script: &'static str,
    title: String,
    answer: String,
    gist: String,
    runs: [Run; 2],
    effects: Grid,
    figures: Figures,
    parts: Vec<Part>,
}

/// One of the two.
struct Run {
    side: &'static str,
    tone: &'static str,
    word: String,
    sentence: String,
    confidence: &'static str,
    summary: String,
    from: String,
    command: Option<String>,
    source: String,
}

/// The whole document.
///
/// # Errors
/// When the template cannot be filled in.
pub(super) fn page(report: &CompareReport, figures: Figures) -> Result<String, PageError> {
    let (a, b) = (&report.runs.a, &report.runs.b);
    let answer = answer(a, b);
    let page = Page {
        style: STYLE,
        script: SCRIPT,
        title: format!("{} against {}: {answer}", b.interface, a.interface),
        gist: capitalised(&gist(report)),
        runs: [Run::of("A", a), Run::of("B", b)],
        effects: effects(report),
        figures,
        parts: parts(report),
        answer,
    };
    Ok(page.render()?)
}

/// What is folded.
fn parts(report: &CompareReport) -> Vec<Part> {
    let differences = &report.comparison.differences;
    let that_matter = differences.iter().filter(|row| row.matters_for_tso).count();
    let gist =
        format!("{}, {that_matter} of which TSO depends on", plural(differences.len() as u64, "difference"));
    let machines = Part::new("machines", "What differs in the machines, and in how was measured", gist);
    let machines = if differences.is_empty() {
        machines.note("Nothing that is known of them.")
    } else {
        machines.grid(differences_grid(report))
    };
    let paths = Part::new("paths", "By which path the bytes left", "hardware, software, singles");
    let paths = match paths_grid(report) {
        Ok(grid) => paths.grid(grid),
        Err(why) => paths.note(why),
    };
    let notes = Part::new("notes", "Notes and method", "two runs are not an experiment");
    let method = [report.method.clone(), left_out(report)];
    vec![machines, paths, notes.list(report.notes.iter().cloned()).list(method)]
}

impl Run {
    fn of(side: &'static str, run: &RunSummary) -> Self {
        Self {
            side,
            tone: tone(run.state),
            word: run.state_word.clone(),
            sentence: run.sentence.clone(),
            confidence: confidence_word(run.confidence),
            summary: run.summary.clone(),
            from: format!(
                "{}, {}, kernel {}",
                format::moment(&run.start),
                format::duration(run.duration_s),
                run.kernel
            ),
            command: run.command.as_ref().map(|command| format::shortened(&command.join(" "), 400)),
            source: run.source.clone(),
        }
    }
}

fn tone(state: State) -> &'static str {
    match state {
        State::Engaged => "good",
        State::Software | State::NotBuilt => "bad",
        State::Partial | State::NothingToOffload | State::Inconclusive => "unsure",
    }
}

fn effects(report: &CompareReport) -> Grid {
    let head = ["", "#A", "#B", "#from A to B", "what may be said"];
    let mut grid = Grid::new("Effects, with their 95 % intervals", head);
    for effect in &report.comparison.effects {
        let may_be_said = effect.reason.clone().unwrap_or_else(|| judgement(effect).to_owned());
        let [a, b] = [effect.a, effect.b].map(|value| Cell::Number(figure(effect, value)));
        grid.row(effect.name.clone(), vec![a, b, Cell::Number(change(effect)), Cell::words(may_be_said)]);
    }
    grid
}

fn left_out(report: &CompareReport) -> String {
    let told = |side: &str, stretch: Stretch| {
        format!("{} of {side}'s {} intervals", stretch.compared(), stretch.intervals)
    };
    let stretches = &report.comparison.stretches;
    format!("Made of {} and {}; {}.", told("A", stretches.a), told("B", stretches.b), report.left_out_rule)
}

fn paths_grid(report: &CompareReport) -> Result<Grid, String> {
    let Some(paths) = &report.comparison.paths else {
        let why = report.unmeasured.get("paths").map_or("not known in both runs", String::as_str);
        return Err(sentence(why));
    };
    let cell = |bytes: u64, share: Option<f64>| {
        Cell::Number(match share {
            Some(share) => format!("{} ({})", format::percent(share), format::bytes(bytes)),
            None => "none sent".to_owned(),
        })
    };
    let mut grid = Grid::new("TCP payload by the path that it took", ["TCP payload", "#A", "#B"]);
    for path in paths {
        let cells = vec![cell(path.bytes.a, path.share.a), cell(path.bytes.b, path.share.b)];
        grid.row(path.name.clone(), cells);
    }
    Ok(grid)
}

fn differences_grid(report: &CompareReport) -> Grid {
    let mut grid = Grid::new("Differences, what TSO depends on first", ["", "A", "B", "TSO depends on it"]);
    for row in &report.comparison.differences {
        let hangs = if row.matters_for_tso { "yes" } else { "" };
        let cells = [&row.a, &row.b].map(|side| Cell::words(side.clone()));
        grid.row(row.what.clone(), cells.into_iter().chain([Cell::words(hangs)]).collect());
    }
    grid
}
