//! What follows from an arm.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::arm::Arm;
use super::design::Design;
use super::metric::{METRICS, Metric, MetricId, Scale};
use super::trial::Trial;
use crate::comparison::Better;
use crate::fact::Why;
use crate::null_because;
use crate::stats::{self, NoMeanInterval, SplitMix64};

/// What is nearer to 0, of the figures that it is made of, is nothing but rounding.
const ROUNDING: f64 = 1e-9;

/// How intervals are made, for people.
pub const METHOD: &str = "one number a block and arm: the mean of both trials' logarithms less that of the base (a plain difference for what may \
                          be 0). 95 % interval of their mean by a bootstrap over blocks, widened for few of them (Student's t). `chance`: the share \
                          of all ways to exchange the two arms' names within blocks that show as large a difference";

null_because! {
    see_reason: Why::is(
        "told otherwise, by the metric's scale, or not known: the effect's own reason says why"
    );
}

/// What comes by chance more often than this is no finding of an experiment.
pub const MOST_CHANCE: f64 = 0.05;

/// Fewer blocks show nothing, however far apart the arms are: of all ways to exchange two names within n blocks, 2 of 2ⁿ show as much as any.
pub const FEWEST_BLOCKS: u32 = 6;

/// What may be said of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// The interval leaves out 0, on the better side.
    Better,
    /// The interval leaves out 0, on the worse side.
    Worse,
    /// The interval holds 0: no effect larger than its farther end.
    NoClearEffect,
    /// There is no interval, or it leaves out 0 and there are fewer than [`FEWEST_BLOCKS`].
    NotKnown,
}

/// One metric under one arm, held against the base.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Effect {
    /// Which.
    pub metric: MetricId,
    /// In people's words.
    pub name: String,
    /// Of `base` and `arm`.
    pub unit: String,
    /// Which way is the better one.
    pub better: Better,
    /// Whether it is a change in percent or a difference in the unit.
    pub scale: Scale,
    /// Under the base: the mean over blocks, geometric where changes are ratios. None where it was not measured.
    #[serde(serialize_with = "see_reason")]
    pub base: Option<f64>,
    /// Under the arm.
    #[serde(serialize_with = "see_reason")]
    pub arm: Option<f64>,
    /// Ratios: (arm / base − 1) · 100. None for differences, and where it is not known.
    #[serde(serialize_with = "see_reason")]
    pub change_percent: Option<f64>,
    /// Its 95 % interval.
    #[serde(serialize_with = "see_reason")]
    pub interval_percent: Option<[f64; 2]>,
    /// Differences: arm − base, in the unit. None for ratios, and where it is not known.
    #[serde(serialize_with = "see_reason")]
    pub difference: Option<f64>,
    /// Its 95 % interval.
    #[serde(serialize_with = "see_reason")]
    pub interval: Option<[f64; 2]>,
    /// Blocks that it is made of.
    pub blocks: u32,
    /// Share of all ways to exchange the names of the two arms within blocks that show as large a difference.
    #[serde(serialize_with = "see_reason")]
    pub chance: Option<f64>,
    /// The smallest effect that as many blocks as scattered as these would show in four experiments of five: in percent for ratios, else in the
    /// unit.
    #[serde(serialize_with = "see_reason")]
    pub smallest_visible: Option<f64>,
    /// What may be said.
    pub judgement: Judgement,
    /// One number a block, in order of blocks: the change in percent, or the difference in the unit.
    pub by_block: Vec<f64>,
    /// Why there is no figure, no interval, or no judgement; None where nothing is missing.
    pub reason: Option<String>,
}

/// An arm held against the base.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ArmEffects {
    /// Index into the arms.
    pub arm: usize,
    /// Its name.
    pub name: String,
    /// One for each metric that any trial measured, in the order of the table.
    pub effects: Vec<Effect>,
}

impl ArmEffects {
    /// One of them.
    #[must_use]
    pub fn effect(&self, metric: MetricId) -> Option<&Effect> {
        self.effects.iter().find(|effect| effect.metric == metric)
    }
}

/// The trials of blocks, in order of blocks.
type Blocks<'a> = BTreeMap<u32, Vec<&'a Trial>>;

/// The blocks of which every trial is there and counts, in their order.
#[must_use]
pub fn whole_blocks(design: &Design, trials: &[Trial]) -> Vec<u32> {
    whole(design, trials).into_keys().collect()
}

/// Every arm but the base, held against the base, over whole blocks. A figure that a trial of either arm lacks there gives no effect: what
/// is left would no longer be what was drawn.
#[must_use]
pub fn effects(design: &Design, trials: &[Trial]) -> Vec<ArmEffects> {
    let measured: BTreeSet<MetricId> =
        trials.iter().flat_map(|trial| trial.figures.keys().copied()).collect();
    let blocks = whole(design, trials);
    let of_arm = |(arm, Arm { name, .. }): (usize, &Arm)| ArmEffects {
        arm,
        name: name.clone(),
        effects: METRICS
            .iter()
            .filter(|metric| measured.contains(&metric.id))
            .map(|metric| Effect::of(metric, &blocks, design, arm))
            .collect(),
    };
    design.arms.iter().enumerate().skip(1).map(of_arm).collect()
}

fn whole<'a>(design: &Design, trials: &'a [Trial]) -> Blocks<'a> {
    let mut blocks = Blocks::new();
    for trial in trials {
        blocks.entry(trial.block).or_default().push(trial);
    }
    blocks.retain(|block, trials| {
        let is_there = |place, arm| trials.iter().any(|trial| trial.place == place && trial.arm == arm);
        trials.len() == design.trials_per_block()
            && trials.iter().all(|trial| trial.is_valid())
            && design.block(*block).iter().all(|turn| is_there(turn.place, turn.arm))
    });
    blocks
}

impl Effect {
    /// As far as it can be known; where that ends, the reason.
    fn of(metric: &Metric, blocks: &Blocks<'_>, design: &Design, arm: usize) -> Self {
        let mut effect = Self {
            metric: metric.id,
            name: metric.name.to_owned(),
            unit: metric.unit.to_owned(),
            better: metric.better,
            scale: metric.scale,
            base: None,
            arm: None,
            change_percent: None,
            interval_percent: None,
            difference: None,
            interval: None,
            blocks: u32::try_from(blocks.len()).unwrap_or(u32::MAX),
            chance: None,
            smallest_visible: None,
            judgement: Judgement::NotKnown,
            by_block: Vec::new(),
            reason: None,
        };
        effect.reason = effect.learn(blocks, design, arm).err();
        effect
    }

    fn learn(&mut self, blocks: &Blocks<'_>, design: &Design, arm: usize) -> Result<(), String> {
        if blocks.is_empty() {
            return Err("no block is whole".to_owned());
        }
        let base = levels(blocks, self.metric, self.scale, 0);
        let treated = levels(blocks, self.metric, self.scale, arm);
        self.base = base.as_deref().ok().and_then(|levels| self.level(levels));
        self.arm = treated.as_deref().ok().and_then(|levels| self.level(levels));
        let (base, treated) = (base?, treated?);

        let differences: Vec<f64> = treated.iter().zip(&base).map(|(arm, base)| arm - base).collect();
        let by_block: Vec<f64> = differences.iter().map(|difference| self.told(*difference)).collect();
        let told = mean(&differences).map(|mean| self.told(mean)).filter(|told| told.is_finite());
        let Some(told) = told.filter(|_| by_block.iter().all(|told| told.is_finite())) else {
            return Err("its figures are too large or too far apart to be held against each other".to_owned());
        };
        self.by_block = by_block;
        match self.scale {
            Scale::Ratio => self.change_percent = Some(told),
            Scale::Difference => self.difference = Some(told),
        }

        let seed = seed_of(design, arm, self.metric);
        let found = stats::mean_interval(&differences, seed).map_err(|why| match why {
            NoMeanInterval::TooFew => format!(
                "{} whole {}, and an interval takes {}",
                differences.len(),
                if differences.len() == 1 { "block" } else { "blocks" },
                stats::FEWEST_DIFFERENCES
            ),
            NoMeanInterval::Unsound => "its blocks are too far apart for an interval".to_owned(),
        })?;
        let interval = found.interval.map(|end| self.told(end));
        if !interval.iter().all(|end| end.is_finite()) {
            return Err("its blocks are too far apart for an interval".to_owned());
        }
        match self.scale {
            Scale::Ratio => self.interval_percent = Some(interval),
            Scale::Difference => self.interval = Some(interval),
        }
        self.chance = stats::permutation_p_value(&differences, seed);
        self.smallest_visible = stats::smallest_visible_for(found.deviation, differences.len())
            .map(|difference| self.told(difference))
            .filter(|told| told.is_finite());
        let judged = self.judge(found.interval);
        if self.blocks < FEWEST_BLOCKS
            && matches!(judged, Judgement::Better | Judgement::Worse)
            && let Some(chance) = self.chance
        {
            let (blocks, percent) = (self.blocks, chance * 100.0);
            return Err(format!(
                "with {blocks} blocks the permutation test cannot give p < {percent:.0} %: it takes {FEWEST_BLOCKS} blocks"
            ));
        }
        self.judgement = judged;
        Ok(())
    }

    /// What a mean of levels is in the unit.
    fn level(&self, levels: &[f64]) -> Option<f64> {
        let mean = mean(levels)?;
        let level = match self.scale {
            Scale::Ratio => mean.exp(),
            Scale::Difference => mean,
        };
        level.is_finite().then_some(level)
    }

    /// What a difference between levels is told as: a change in percent where they are logarithms.
    fn told(&self, difference: f64) -> f64 {
        match self.scale {
            Scale::Ratio => difference.exp_m1() * 100.0,
            Scale::Difference => difference,
        }
    }

    /// By the interval of the difference between levels.
    fn judge(&self, [low, high]: [f64; 2]) -> Judgement {
        let rounding = ROUNDING
            * match self.scale {
                Scale::Ratio => 1.0,
                Scale::Difference => self.base.unwrap_or(0.0).abs().max(self.arm.unwrap_or(0.0).abs()),
            };
        let (more, less) = match self.better {
            Better::More => (Judgement::Better, Judgement::Worse),
            Better::Less => (Judgement::Worse, Judgement::Better),
        };
        if low > rounding {
            more
        } else if high < -rounding {
            less
        } else {
            Judgement::NoClearEffect
        }
    }
}

/// One number a block: the mean over an arm's trials, of logarithms where changes are ratios.
///
/// # Errors
/// Why there are none.
fn levels(blocks: &Blocks<'_>, id: MetricId, scale: Scale, arm: usize) -> Result<Vec<f64>, String> {
    let level = |trial: &&Trial| {
        let number = trial.number;
        let figure =
            *trial.figures.get(&id).ok_or_else(|| format!("it was not measured in trial {number}"))?;
        if !figure.is_finite() {
            return Err(format!("in trial {number} it is not a number"));
        }
        match scale {
            Scale::Ratio if figure > 0.0 => Ok(figure.ln()),
            Scale::Ratio => Err(format!("in trial {number} it is {figure}, and a ratio takes more than 0")),
            Scale::Difference => Ok(figure),
        }
    };
    let of_block = |trials: &Vec<&Trial>| {
        let levels: Result<Vec<f64>, String> =
            trials.iter().filter(|trial| trial.arm == arm).map(level).collect();
        mean(&levels?).ok_or_else(|| "a block without a trial".to_owned())
    };
    blocks.values().map(of_block).collect()
}

/// None where there are no values.
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Intervals of one experiment are drawn independently of each other, and the same ones every time.
fn seed_of(design: &Design, arm: usize, metric: MetricId) -> u64 {
    let place = ((arm as u64) << 32) | metric as u64;
    SplitMix64::new(SplitMix64::new(design.seed).next() ^ place).next()
}

#[cfg(test)]
mod tests;
