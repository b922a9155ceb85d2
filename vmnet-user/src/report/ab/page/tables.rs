//! The page's tables.

use crate::model::experiment::{ArmEffects, Judgement, MetricId, Trial};
use crate::model::verdict::State;
use crate::report::ab::schema::AbReport;
use crate::report::ab::validity::{self, Fate, arm_name, by_guard, tally, why_rejected};
use crate::report::ab::words::{
    Amount, chance, figures, in_unit, judgement, judgement_of_placebo, role, smallest_visible,
};
use crate::report::kit::format;
use crate::report::kit::parts::{Cell, Grid, Mark};
use crate::report::run::text::confidence_word;

/// An arm, metric by metric.
pub(super) fn effects(report: &AbReport, arm: &ArmEffects) -> Grid {
    let is_placebo = report.is_placebo(arm.arm);
    let base = arm_name(report, 0);
    let kind = if is_placebo { " (placebo: the same settings)" } else { "" };
    let mut grid = Grid::new(
        format!("{} against {base}{kind}", arm.name),
        ["", "#Change [95 % interval]", "What may be said", "#From base to arm", "#p-value", "#Seen from"],
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

pub(super) fn arms(report: &AbReport) -> Grid {
    let mut grid = Grid::new(
        "Arms, and what the ledger says of their trials",
        [
            "Arm",
            "Role",
            "#Trials",
            "#That count",
            "By the ledger",
            "#Whole to the device",
            "#Segmented in software",
        ],
    );
    for (index, arm) in report.design.arms.iter().enumerate() {
        let tally = tally(report, index);
        let bytes = |of: fn(validity::Bytes) -> u64| {
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

pub(super) fn blocks(report: &AbReport) -> Grid {
    let mut grid = Grid::new("Blocks, in order", ["Block", "Counts", "Order of the arms"]);
    for (block, trials, fate) in validity::blocks(report) {
        let order: Vec<&str> = trials.iter().map(|trial| arm_name(report, trial.arm)).collect();
        let mark = match fate {
            Fate::Whole => Mark::good(fate.word()),
            Fate::Void => Mark::bad(fate.word()),
            Fate::Unfinished => Mark::unsure(fate.word()),
        };
        grid.row(block.saturating_add(1).to_string(), vec![Cell::Mark(mark), Cell::words(order.join(", "))]);
    }
    grid
}

pub(super) fn trials(report: &AbReport) -> Grid {
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
            "#Segmented in software",
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

pub(super) fn guards(report: &AbReport) -> Grid {
    let counts = by_guard(report);
    let mut grid = Grid::new(
        "Guards: the limits were fixed before the first trial",
        ["Guard", "A trial does not count where", "#More than", "#Trials rejected"],
    );
    for (guard, name, what, most) in validity::guards(&report.guards) {
        let rejected = counts.get(&guard).copied().unwrap_or_default();
        let most = most.map_or_else(|| Cell::Words(String::new()), Cell::Number);
        grid.row(name, vec![Cell::words(what), most, Cell::exact(rejected as u64)]);
    }
    grid
}

pub(super) fn commands(report: &AbReport) -> Grid {
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
