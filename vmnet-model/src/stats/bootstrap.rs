//! The bootstrap.

use super::quantile;

/// Resamples drawn: percentile intervals of 95 % want a thousand or more.
const RESAMPLES: usize = 2_000;

/// The 95 % percentile bootstrap interval of Σ numerator / Σ denominator over `pairs`, drawn with replacement from
/// a generator that starts at `seed`. The pairs are taken to be independent. None with fewer than five pairs, or
/// where the denominators of a resample add up to 0.
#[must_use]
pub fn ratio_of_sums_interval(pairs: &[(f64, f64)], seed: u64) -> Option<[f64; 2]> {
    if pairs.len() < 5 {
        return None;
    }
    let mut random = SplitMix64::new(seed);
    let mut ratios = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        let (mut numerator, mut denominator) = (0.0, 0.0);
        for _ in 0..pairs.len() {
            let (n, d) = pairs[random.below(pairs.len())];
            numerator += n;
            denominator += d;
        }
        let ratio: f64 = numerator / denominator;
        if !ratio.is_finite() {
            return None;
        }
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    Some([quantile::of_sorted(&ratios, 0.025)?, quantile::of_sorted(&ratios, 0.975)?])
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014). The report must come out the same
/// wherever and whenever it is drawn, which no library promises for its generators across versions.
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Multiply-shift: its bias is below `bound` / 2⁶⁴.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

/// What simulations draw.
#[cfg(test)]
impl SplitMix64 {
    /// Between 0 and 1, neither of them.
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_published_sequence() {
        // First outputs for seed 1234567, as in the reference implementation's test vectors.
        let mut random = SplitMix64::new(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn the_interval_holds_the_ratio_and_is_narrow_where_pairs_agree() {
        let pairs: Vec<_> = (0..40).map(|i| (100.0 + f64::from(i % 5), 100.0)).collect();
        let [low, high] = ratio_of_sums_interval(&pairs, 1).unwrap();
        assert!(low < 1.02 && 1.02 < high);
        assert!(high - low < 0.02);
    }

    #[test]
    fn the_same_seed_gives_the_same_interval_and_another_does_not() {
        let pairs: Vec<_> = (0..40).map(|i| (f64::from(i * i), 100.0)).collect();
        assert_eq!(ratio_of_sums_interval(&pairs, 7), ratio_of_sums_interval(&pairs, 7));
        assert_ne!(ratio_of_sums_interval(&pairs, 7), ratio_of_sums_interval(&pairs, 8));
    }

    #[test]
    fn fewer_than_five_pairs_or_a_zero_denominator_give_none() {
        assert_eq!(ratio_of_sums_interval(&[(1.0, 1.0); 4], 1), None);
        assert_eq!(ratio_of_sums_interval(&[(1.0, 0.0); 6], 1), None);
    }
}
