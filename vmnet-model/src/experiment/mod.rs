//! A controlled experiment: one thing of a device is switched to and fro in random order, and what follows from it is told from chance.
//!
//! The words: an *arm* is a way for the device to be set, a *trial* one run of the benchmark under one arm, a *block* a few trials in which every
//! arm has its turn twice, in an order that is drawn and then turned round (ABBA, BAAB), so that what rises or falls steadily meanwhile cancels out. The
//! block is the unit: one difference between two arms is one number a block.

mod arm;
mod design;
mod effects;
mod expected;
mod factor;
mod guard;
mod metric;
mod prediction;
mod setting;
#[cfg(test)]
mod simulation;
mod trial;

pub use arm::{Arm, Role, Setting};
pub use design::{Design, Turn};
pub use effects::{ArmEffects, Effect, FEWEST_BLOCKS, Judgement, METHOD, MOST_CHANCE, effects, whole_blocks};
pub use expected::expected;
pub use factor::{Asked, FactorError, NOTHING};
pub use guard::{Guard, Guards, Rejection, Signs};
pub use metric::{METRICS, Metric, MetricId, Scale};
pub use prediction::Prediction;
pub use trial::{BusiestCpu, Figures, Trial};
