//! `ab.html`: an experiment as one page that needs nothing but itself, in the same clothes as a run's. Whatever it shows is data: see
//! `report/html/escape.rs`.

use askama::Template;

use super::foresight::{foreseen, why_no_prediction};
use super::results::{chief, headline, how_it_ended, results, with_role};
use super::schema::{AbReport, ThroughputFrom};
use super::text::restored;
use super::validity::{Fate, arm_name, blocks, blocks_said, by_guard, guards, tally, why_rejected};
use super::words::{
    Amount, chance, command_line, figures, in_unit, judgement, judgement_of_placebo, plural, reason, role,
    sentence, smallest_visible, with_capital,
};
use crate::model::experiment::{ArmEffects, Effect, Judgement, MetricId, Role, Trial};
use crate::model::verdict::State;
use crate::report::charts::Table;
use crate::report::format;
use crate::report::html::causes::Told;
use crate::report::html::parts::{Cell, Facts, Grid, Mark};
use crate::report::html::{HtmlError, SCRIPT, STYLE, element};
use crate::report::style::Tone;
use crate::report::text::confidence_word;
use crate::report::why;

/// A chart as it goes into the page.
pub(super) struct Drawn {
    pub(super) name: &'static str,
    pub(super) file: &'static str,
    /// A whole document, its texts escaped.
    pub(super) svg: String,
    pub(super) table: Table,
}

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
    effects: Vec<Grid>,
    figures: Vec<Figure>,
    foreseen: Vec<String>,
    counted: Vec<String>,
    arms: Grid,
    blocks: Grid,
    trials: Grid,
    guards: Grid,
    settings: Grid,
    after: Vec<String>,
    causes: Vec<Told>,
    mend: Option<[String; 2]>,
    command: String,
    repeat: Facts,
    method: Vec<String>,
    notes: Vec<String>,
    unmeasured: Grid,
}

/// One line of the result.
struct Line {
    tone: &'static str,
    sign: &'static str,
    word: &'static str,
    line: String,
}

/// One number, large.
struct Tile {
    label: String,
    /// None where it is not known; then the note says why.
    value: Option<String>,
    note: String,
}

/// A chart, with the numbers behind it.
struct Figure {
    id: &'static str,
    name: &'static str,
    file: &'static str,
    svg: String,
    table: Grid,
}

/// An experiment as one page.
///
/// # Errors
/// When the template cannot be filled in.
pub(super) fn page(report: &AbReport, charts: &[Drawn]) -> Result<String, HtmlError> {
    let figures = charts.iter().map(|chart| Figure {
        id: chart.file.strip_suffix(".svg").unwrap_or(chart.file),
        name: chart.name,
        file: chart.file,
        svg: element(&chart.svg).to_owned(),
        table: Grid::behind(chart.name, chart.table.clone()),
    });
    let page = Page {
        style: STYLE,
        script: SCRIPT,
        headline: with_capital(&headline(report)),
        results: said(report),
        circumstances: circumstances(report),
        ended: ended(report),
        tiles: tiles(report),
        effects: report.effects.iter().map(|arm| effects(report, arm)).collect(),
        figures: figures.collect(),
        foreseen: told_prediction(report),
        counted: vec![sentence(&blocks_said(report))],
        arms: arms(report),
        blocks: told_blocks(report),
        trials: trials(report),
        guards: told_guards(report),
        settings: commands(report),
        after: restored(report).iter().map(|line| sentence(line)).collect(),
        causes: report.causes.iter().map(|cause| Told::of(&report.interface.name, cause)).collect(),
        mend: why::by_itself(&report.interface.name, &report.causes),
        command: command_line(&report.repeat.command),
        repeat: repeat(report),
        method: method(report),
        notes: report.notes.iter().map(|note| sentence(note)).collect(),
        unmeasured: unmeasured(report),
    };
    page.render().map_err(HtmlError::Template)
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

fn circumstances(report: &AbReport) -> Vec<String> {
    let interface = &report.interface;
    let mut facts = vec![interface.name.clone()];
    facts.extend(interface.driver.clone());
    facts.push(format!("MTU {}", interface.mtu));
    facts.push(format!("kernel {}", interface.kernel));
    facts.push(format!("probes: {}", report.repeat.mode));
    facts.push(format::moment(&report.window.start));
    facts.push(format::duration(report.window.duration_s));
    facts.into_iter().map(|fact| format::shortened(&fact, 60)).collect()
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
            let mut tile = tile(format::capitalised(&effect.name), effect);
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

/// An arm, metric by metric.
fn effects(report: &AbReport, arm: &ArmEffects) -> Grid {
    let is_placebo = report.design.arms.get(arm.arm).is_some_and(|arm| arm.role == Role::Placebo);
    let base = arm_name(report, 0);
    let kind = if is_placebo { " (placebo: the same settings)" } else { "" };
    let mut grid = Grid::new(
        format!("{} against {base}{kind}", arm.name),
        ["", "#Change [95 % interval]", "What may be said", "#From base to arm", "#By chance", "#Seen from"],
    );
    let number = |said: Option<String>| said.map_or(Cell::Unknown, Cell::Number);
    for effect in &arm.effects {
        let mark = match (is_placebo, effect.judgement) {
            (true, _) => match Amount::of(effect).and_then(|amount| amount.is_clear()) {
                Some(true) => Mark::bad(&judgement_of_placebo(effect)),
                Some(false) => Mark::good(&judgement_of_placebo(effect)),
                None => Mark::none(&judgement_of_placebo(effect)),
            },
            (false, Judgement::Better) => Mark::good(&judgement(effect)),
            (false, Judgement::Worse) => Mark::bad(&judgement(effect)),
            (false, Judgement::NoClearEffect) => Mark::unsure(&judgement(effect)),
            (false, Judgement::NotKnown) => Mark::none(&judgement(effect)),
        };
        // A reason is a sentence, and needs a column that wraps.
        let may_be_said =
            if mark.word.chars().count() > 36 { Cell::words(mark.word) } else { Cell::Mark(mark) };
        grid.row(
            &effect.name,
            vec![
                number(Amount::of(effect).map(|amount| amount.said())),
                may_be_said,
                Cell::Number(figures(effect)),
                number(chance(effect)),
                number(smallest_visible(effect)),
            ],
        );
    }
    grid
}

fn told_prediction(report: &AbReport) -> Vec<String> {
    let Some(prediction) = &report.prediction else {
        return vec![sentence(&format!("No prediction: {}", why_no_prediction(report)))];
    };
    let lines = foreseen(report, prediction)
        .into_iter()
        .map(|foreseen| sentence(&format!("{}: {}", foreseen.metric, foreseen.said())));
    lines.chain(prediction.notes.iter().map(|note| sentence(note))).collect()
}

fn arms(report: &AbReport) -> Grid {
    let mut grid = Grid::new(
        "Arms, and what the ledger says of their trials",
        [
            "Arm",
            "Role",
            "#Trials",
            "#That count",
            "By the ledger",
            "#Whole to the device",
            "#Cut up by the CPU",
        ],
    );
    for (index, arm) in report.design.arms.iter().enumerate() {
        let tally = tally(report, index);
        let bytes = |of: fn(super::validity::Bytes) -> u64| {
            tally.bytes.map_or(Cell::Unknown, |bytes| Cell::Number(format::bytes(of(bytes))))
        };
        let states = if arm.is_profiled() { tally.states_said() } else { "without programs".to_owned() };
        grid.row(
            &arm.name,
            vec![
                Cell::words(role(arm.role)),
                Cell::exact(tally.trials as u64),
                Cell::exact(tally.valid as u64),
                Cell::words(states),
                bytes(|bytes| bytes.hardware),
                bytes(|bytes| bytes.software),
            ],
        );
    }
    grid
}

fn told_blocks(report: &AbReport) -> Grid {
    let mut grid = Grid::new("Blocks, in order", ["Block", "Order of the arms", "Counts"]);
    for (block, trials, fate) in blocks(report) {
        let order: Vec<&str> = trials.iter().map(|trial| arm_name(report, trial.arm)).collect();
        let mark = match fate {
            Fate::Whole => Mark::good(fate.word()),
            Fate::Void => Mark::bad(fate.word()),
            Fate::Unfinished => Mark::unsure(fate.word()),
        };
        grid.row(block.saturating_add(1).to_string(), vec![Cell::words(order.join(", ")), Cell::Mark(mark)]);
    }
    grid
}

fn trials(report: &AbReport) -> Grid {
    let mut grid = Grid::new(
        "Trials, in order of time",
        [
            "Trial",
            "#Block",
            "Counts",
            "By the ledger",
            "#Rate",
            "#CPU per byte",
            "#Whole to the device",
            "#Cut up by the CPU",
            "#Round trip",
            "#Began, s",
            "#Measured, s",
            "#Recording",
        ],
    );
    let number = |said: Option<String>| said.map_or(Cell::Unknown, Cell::Number);
    let bytes = |bytes: Option<u64>| number(bytes.map(format::bytes));
    for trial in &report.trials {
        let figure = |metric: MetricId| {
            let value = trial.figures.get(&metric)?;
            Some(in_unit(*value, metric.metric().unit))
        };
        let rate = figure(MetricId::ThroughputGbps).or_else(|| figure(MetricId::TransactionsPerS));
        let counts = if trial.is_valid() {
            Cell::Mark(Mark::good("yes"))
        } else {
            Cell::words(format!("no: {}", why_rejected(trial)))
        };
        grid.row(
            format!("{}: {}", trial.number, arm_name(report, trial.arm)),
            vec![
                Cell::exact(u64::from(trial.block) + 1),
                counts,
                state(trial),
                number(rate),
                number(figure(MetricId::CpuNsPerByte)),
                bytes(trial.hardware_bytes),
                bytes(trial.software_bytes),
                number(figure(MetricId::RttUs)),
                Cell::Number(format!("{:.1}", trial.t_s)),
                Cell::Number(format!("{:.1}", trial.measured_s)),
                number(trial.recording.clone()),
            ],
        );
    }
    grid
}

/// What the ledger says, held against what the arm is there for.
fn state(trial: &Trial) -> Cell {
    let word = format!("{} ({})", trial.state.name(), confidence_word(trial.confidence));
    Cell::Mark(match trial.expected {
        None => Mark::none(&word),
        Some(expected) if expected == trial.state => Mark::good(&format!("{word}, as expected")),
        Some(expected) => {
            let word = format!("{word}, and not {}", expected.name());
            if trial.state == State::Inconclusive { Mark::unsure(&word) } else { Mark::bad(&word) }
        }
    })
}

fn told_guards(report: &AbReport) -> Grid {
    let counts = by_guard(report);
    let mut grid = Grid::new(
        "Guards: the limits were fixed before the first trial",
        ["Guard", "A trial does not count where", "#More than", "#Trials rejected"],
    );
    for (guard, name, what, most) in guards(&report.guards) {
        let rejected = counts.get(&guard).copied().unwrap_or_default();
        let most = most.map_or_else(|| Cell::Words(String::new()), Cell::Number);
        grid.row(name, vec![Cell::words(what), most, Cell::exact(rejected as u64)]);
    }
    grid
}

fn commands(report: &AbReport) -> Grid {
    let mut grid = Grid::new(
        "From the device as it was found to each arm",
        ["Arm", "What a person would type", "What the kernel changed with it"],
    );
    for (index, arm) in report.design.arms.iter().enumerate() {
        let commands = report.settings.commands.get(index).map(Vec::as_slice).unwrap_or_default();
        let typed = if commands.is_empty() {
            Cell::words("nothing: as it was found")
        } else {
            Cell::Code(commands.join("\n"))
        };
        let followed = report.settings.followed.get(index).map(Vec::as_slice).unwrap_or_default();
        let followed: Vec<String> = followed
            .iter()
            .map(|change| {
                format!("{} on {}: {} → {}", change.what, change.interface, change.before, change.after)
            })
            .collect();
        let followed = if followed.is_empty() { "nothing".to_owned() } else { followed.join("; ") };
        grid.row(&arm.name, vec![typed, Cell::words(followed)]);
    }
    grid
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
            "TCP payload by the ledger, less retransmits, over the time that is measured"
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
    .iter()
    .map(|line| sentence(line))
    .collect()
}

fn unmeasured(report: &AbReport) -> Grid {
    let mut grid = Grid::new("What is null in the JSON, and why", ["Path", "Why"]);
    for (path, why) in &report.unmeasured {
        grid.row(path, vec![Cell::words(why)]);
    }
    grid
}
