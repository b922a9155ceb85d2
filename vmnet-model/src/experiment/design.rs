//! The order of trials.

use serde::{Deserialize, Serialize};

use super::arm::Arm;
use crate::stats::SplitMix64;

/// What is to be done, fixed before the first trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Design {
    /// The first one is the base.
    pub arms: Vec<Arm>,
    /// Whole blocks that are wanted.
    pub blocks: u32,
    /// Blocks that are begun at most, those with a rejected trial included.
    pub most_blocks: u32,
    /// The same seed gives the same order, and the same intervals.
    pub seed: u64,
}

/// One trial's place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// From 0.
    pub block: u32,
    /// Within the block, from 0.
    pub place: u32,
    /// Index into [`Design::arms`].
    pub arm: usize,
}

impl Design {
    /// The turns of a block: every arm once in an order that is drawn, and then once more in the opposite order. What drifts steadily
    /// (a host that warms up) has the same mean under every arm. For two arms that is ABBA or BAAB.
    #[must_use]
    pub fn block(&self, block: u32) -> Vec<Turn> {
        // Each block's order depends on the seed and its number alone.
        let mut random =
            SplitMix64::new(self.seed ^ (u64::from(block) + 1).wrapping_mul(0xd6e8_feb8_6659_fd93));
        let mut arms: Vec<usize> = (0..self.arms.len()).collect();
        // Fisher and Yates.
        for last in (1..arms.len()).rev() {
            arms.swap(last, random.below(last + 1));
        }
        let there_and_back: Vec<usize> = arms.iter().chain(arms.iter().rev()).copied().collect();
        (0..).zip(there_and_back).map(|(place, arm)| Turn { block, place, arm }).collect()
    }

    /// Trials of a block.
    #[must_use]
    pub fn trials_per_block(&self) -> usize {
        2 * self.arms.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::arm::Role;
    use super::*;

    fn design(arms: usize, seed: u64) -> Design {
        let arms = (0..arms).map(|arm| Arm { name: arm.to_string(), role: Role::Base, settings: Vec::new() });
        Design { arms: arms.collect(), blocks: 6, most_blocks: 9, seed }
    }

    fn order(design: &Design, block: u32) -> Vec<usize> {
        design.block(block).iter().map(|turn| turn.arm).collect()
    }

    #[test]
    fn two_arms_come_as_abba_or_baab_each_about_half_of_the_time() {
        let mut first_comes_first = 0;
        for block in 0..1_000 {
            match order(&design(2, 7), block).as_slice() {
                [0, 1, 1, 0] => first_comes_first += 1,
                [1, 0, 0, 1] => {}
                other => panic!("{other:?}"),
            }
        }
        assert!((450..550).contains(&first_comes_first), "{first_comes_first}");
    }

    #[test]
    fn every_order_of_three_arms_comes_and_each_is_turned_round() {
        let mut seen = std::collections::BTreeMap::new();
        for block in 0..1_200 {
            let order = order(&design(3, 1), block);
            let (there, back) = order.split_at(3);
            assert!(there.iter().eq(back.iter().rev()), "{order:?}");
            *seen.entry(there.to_vec()).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|count| (140..260).contains(count)), "{seen:?}");
    }

    #[test]
    fn the_seed_decides() {
        let orders = |seed| (0..20).map(|block| order(&design(3, seed), block)).collect::<Vec<_>>();
        assert_eq!(orders(5), orders(5));
        assert_ne!(orders(5), orders(6));
    }

    #[test]
    fn places_are_numbered_and_a_steady_drift_has_the_same_mean_under_every_arm() {
        for turn in design(4, 3).block(2) {
            assert_eq!(turn.block, 2);
        }
        let mut places = [0; 4];
        for turn in design(4, 3).block(2) {
            places[turn.arm] += turn.place;
        }
        assert_eq!(places, [7; 4]);
    }
}
