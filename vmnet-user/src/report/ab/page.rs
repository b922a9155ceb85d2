//! `ab.html`: an experiment as one page that needs nothing but itself, in the same clothes as a run's. Whatever it shows is data: see
//! `report/kit/escape.rs`.

mod tables;

use askama::Template;

use super::foresight::{foreseen, why_no_prediction};
use super::results::{headline, how_it_ended, results};
use super::schema::{AbReport, ThroughputFrom};
use super::summary::{chief, with_role};
use super::text::restored;
use super::validity::blocks_said;
use super::words::{Amount, figures, reason};
use crate::model::experiment::{Effect, MetricId, Role};
use crate::model::shell::command_line;
use crate::report::kit::document::PageError;
use crate::report::kit::format::{capitalised, plural, sentence};
use crate::report::kit::parts::{Facts, Figures, Grid, Part, Tile, circumstances};
use crate::report::kit::style::Tone;
use crate::report::run::html::causes::Why;
use crate::report::run::html::{SCRIPT, STYLE};

/// The whole page.
#[derive(Template)]
#[template(path = "ab.html")]
struct Page {
    style: &'static str,
    script: &'static str,
    headline: String,
    results: Vec<Line>,
    circumstances: Vec<String>,
    ended: Vec<String>,
    tiles: Vec<Tile>,
    why: Why,
    effects: Vec<Grid>,
    figures: Figures,
    parts: Vec<Part>,
}

/// One line of the result.
struct Line {
    tone: &'static str,
    sign: &'static str,
    word: &'static str,
    line: String,
}

/// An experiment as one page.
///
/// # Errors
/// When the template cannot be filled in.
pub(super) fn page(report: &AbReport, figures: Figures) -> Result<String, PageError> {
    let page = Page {
        style: STYLE,
        script: SCRIPT,
        headline: capitalised(&headline(report)),
        results: said(report),
        circumstances: circumstances(
            &report.interface,
            &report.repeat.mode,
            &report.window.start,
            report.window.duration_s,
        ),
        ended: ended(report),
        tiles: tiles(report),
        why: Why::of(report.interface.place(), Ok(&report.causes)),
        effects: report.effects.iter().map(|arm| tables::effects(report, arm)).collect(),
        figures,
        parts: parts(report),
    };
    Ok(page.render()?)
}

/// What is folded.
fn parts(report: &AbReport) -> Vec<Part> {
    const ALWAYS: [&str; 2] = [
        "The result is about this machine, this benchmark and this peer while the experiment lasted. What another host does is not in it",
        "Counted is what this machine’s kernel hands to the device’s driver. What the device, or a host behind it, makes of that cannot be \
         seen from here: it may still segment",
    ];
    let counted = blocks_said(report);
    let validity = Part::new("validity", "Which trials count", counted.clone())
        .said(sentence(&counted))
        .grid(tables::arms(report))
        .grid(tables::blocks(report))
        .grid(tables::trials(report));
    let guards = Part::new("guards", "Guards", "limits that were fixed before the first trial").said(
        "A trial that a guard rejects makes its block void, and another block is begun. Nothing is left out for what it shows.",
    );
    let foreseen = told_prediction(report);
    let gist = foreseen.first().cloned().unwrap_or_default();
    let notes = report.notes.iter().cloned().chain(ALWAYS.map(str::to_owned));
    let repeat_gist = format!("the same seed, {}, gives the same order of trials", report.design.seed);
    vec![
        Part::new("prediction", "What was foreseen from the base alone", gist).list(foreseen),
        validity,
        guards.grid(tables::guards(report)),
        Part::new("settings", "Settings", restored(report).first().cloned().unwrap_or_default())
            .grid(tables::commands(report))
            .list(restored(report)),
        Part::new("repeat", "To do it again", repeat_gist)
            .said(
                "The same seed gives the same order of trials, and from the same figures the same intervals.",
            )
            .copy(command_line(&report.repeat.command))
            .facts(repeat(report)),
        Part::new("method", "Method", report.method.clone()).list(method(report)),
        Part::new("notes", "Notes", "what the result is not about").list(notes),
        Part::of_unmeasured(&report.unmeasured).note("All of it is in ab.json, schema vmnet.ab/1."),
    ]
}

fn ended(report: &AbReport) -> Vec<String> {
    // Where nothing else can be said, the result has the problem.
    let problem = report.window.problem.as_deref().filter(|_| !report.summary.is_empty());
    [Some(how_it_ended(report).as_str()), problem].into_iter().flatten().map(sentence).collect()
}

fn said(report: &AbReport) -> Vec<Line> {
    results(report)
        .into_iter()
        .map(|said| {
            let (tone, sign) = match said.outcome.tone() {
                Tone::Good => ("good", "✓"),
                Tone::Bad => ("bad", "✗"),
                Tone::Unsure => ("unsure", "?"),
                Tone::Heading => ("unsure", "·"),
            };
            Line { tone, sign, word: said.outcome.word(), line: sentence(&said.line) }
        })
        .collect()
}

/// What the first treatment does, or, without one, what the placebo shows.
fn tiles(report: &AbReport) -> Vec<Tile> {
    let of_role = |role| with_role(&report.design, &report.effects, role).next();
    let (treatment, placebo) = (of_role(Role::Treatment), of_role(Role::Placebo));
    let shown =
        [MetricId::ThroughputGbps, MetricId::TransactionsPerS, MetricId::CpuNsPerByte, MetricId::RttUs];
    let mut tiles: Vec<Tile> = treatment
        .iter()
        .flat_map(|arm| shown.iter().filter_map(|metric| arm.effect(*metric)))
        .map(|effect| {
            let mut tile = tile(capitalised(&effect.name), effect);
            if tile.value.is_some() {
                tile.note = format!("{}; {}", figures(effect), tile.note);
            }
            tile
        })
        .collect();
    if let Some(effect) = placebo.and_then(chief) {
        tiles.push(tile(format!("Placebo: {}", effect.name), effect));
    }
    let count = report.blocks;
    tiles.push(Tile {
        label: "Blocks that count".to_owned(),
        value: Some(format!("{} of {}", count.whole, count.planned)),
        note: format!("{} begun, {} void", count.begun, count.void),
    });
    tiles
}

fn tile(label: String, effect: &Effect) -> Tile {
    match Amount::of(effect) {
        None => Tile { label, value: None, note: reason(effect).to_owned() },
        Some(amount) => Tile {
            label,
            value: Some(amount.change()),
            note: match amount.interval {
                Some(_) => format!("95 % interval{}", amount.range()),
                None => reason(effect).to_owned(),
            },
        },
    }
}

fn told_prediction(report: &AbReport) -> Vec<String> {
    let Some(prediction) = &report.prediction else {
        return vec![format!("no prediction: {}", why_no_prediction(report))];
    };
    let foreseen = foreseen(report, prediction);
    let lines = foreseen.iter().map(|foreseen| format!("{}: {}", foreseen.metric, foreseen.said()));
    lines.chain(prediction.notes.iter().cloned()).collect()
}

fn repeat(report: &AbReport) -> Facts {
    let again = &report.repeat;
    let mut facts = Facts::default();
    facts.add("Benchmark", command_line(&again.benchmark));
    facts.add("Seed", report.design.seed.to_string());
    facts.add("vmnet", &again.vmnet);
    facts.add("How packets were counted", &again.mode);
    facts.add("Kernel", &report.interface.kernel);
    for (what, value) in &again.surroundings {
        facts.add(what, value);
    }
    facts
}

fn method(report: &AbReport) -> Vec<String> {
    let from = match report.throughput_from {
        ThroughputFrom::Benchmark => "what the benchmark says of itself",
        ThroughputFrom::Ledger => {
            "TCP payload by the ledger, less retransmits as far as they are known, over the time that is measured"
        }
        ThroughputFrom::Counters => {
            "bytes on the wire by the counters of the device and of its queueing discipline"
        }
    };
    [
        format!(
            "Each block is {}: every arm once in an order that is drawn, and then once more in the opposite order, so that what rises or \
             falls steadily meanwhile has the same mean under every arm",
            plural(report.design.trials_per_block(), "trial")
        ),
        report.method.clone(),
        format!("throughput is {from}"),
        format!("left out at the beginning of each trial: {}", report.warm_up_rule),
        "the placebo is the base once more under another name: what it shows is chance, or a fault of the experiment".to_owned(),
    ]
    .to_vec()
}
