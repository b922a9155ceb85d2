//! The bootstrap for neighbours in time.
//!
//! Intervals of one run resemble their neighbours, so drawing them one by one makes them look like more evidence than they are.
//! Whole blocks of neighbours are drawn instead (the circular block bootstrap of Politis and Romano, 1992), and three known
//! shortcomings of it in short series are made up for:
//!
//! * blocks see less of a slow swing than there is: Bartlett's weights in their variance, and the mean that is taken from the same few
//!   values. Both are made good for a first-order autoregression (AR(1)) of the estimated lag-one correlation;
//! * few blocks know their own spread badly: Student's t in place of the normal, with the degrees of freedom of both sides
//!   together by Welch and Satterthwaite;
//! * the lag-one correlation itself is estimated too small, by (1 + 3ρ)/n (Kendall, 1954).
//!
//! Simulated pairs of equal AR(1) series, 1,500 each, 2 × n values, spread a tenth of the mean: how often the 95 % interval held the truth,
//! and in brackets how often the one that takes the values to be independent did.
//!
//! | ρ    | n = 10    | n = 30    | n = 60    | n = 300   |
//! |------|-----------|-----------|-----------|-----------|
//! | 0    | 97 (93) % | 95 (93) % | 96 (95) % | 94 (94) % |
//! | 0.5  | 93 (70) % | 95 (71) % | 95 (74) % | 95 (72) % |
//! | 0.7  | 90 (52) % | 95 (55) % | 95 (58) % | 94 (58) % |
//! | 0.85 | 85 (34) % | 92 (38) % | 94 (41) % | 95 (42) % |
//!
//! A run that switches from one state to another once or twice has hardly more to say than two values, and its interval is as wide as that.
//! To leave such intervals out would make the others worse: what is left of short series with strong correlation are those that look
//! steady by chance.

use super::bootstrap::SplitMix64;
use super::student::student_975;
use super::{Z_95, quantile};

/// Pairs below which a side says too little about its own spread.
pub const FEWEST_PAIRS: usize = 8;

/// Resamples of each side by each of two streams of random numbers; both ways of pairing them make twice as many ratios.
const RESAMPLES: usize = 1_000;

/// A correlation beyond this leaves a series with hardly more to say than one value.
const MOST_CORRELATION: f64 = 0.95;

/// A ratio of two ratios, with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatioInterval {
    /// (Σ numerator / Σ denominator of `b`) / (the same of `a`).
    pub ratio: f64,
    /// 95 %.
    pub interval: [f64; 2],
    /// How many neighbours a block held, of `a` and of `b`.
    pub block_lengths: [usize; 2],
}

/// Why there is no interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoInterval {
    /// Too few pairs on one side.
    #[error("fewer than {FEWEST_PAIRS} intervals to go by")]
    TooFew,
    /// A number that is negative or not finite, or sums that are.
    #[error("the numbers are not sound")]
    Unsound,
    /// A side, or a resample of it, adds up to 0: its ratio to anything is not a number.
    #[error("there is too little of it to resample")]
    TooRare,
}

/// The 95 % interval of the ratio between Σ numerator / Σ denominator over `b` and over `a`, two series of
/// (numerator, denominator) in order of time, independent of each other. Changing places turns ratio and interval into their inverses. The
/// same `seed` gives the same interval.
///
/// # Errors
/// Why there is none.
pub fn block_bootstrap_ratio_interval(
    a: &[(f64, f64)],
    b: &[(f64, f64)],
    seed: u64,
) -> Result<RatioInterval, NoInterval> {
    let (a, b) = (Side::of(a)?, Side::of(b)?);
    let streams = [seed, seed.wrapping_add(1)];
    let resample = |side: &Side| -> Result<[Vec<f64>; 2], NoInterval> {
        Ok([side.deviations(streams[0])?, side.deviations(streams[1])?])
    };
    let ([a_first, a_second], [b_first, b_second]) = (resample(&a)?, resample(&b)?);
    // Each stream serves each side once, so that it does not matter which side is which.
    let first = a_first.iter().zip(&b_second);
    let second = a_second.iter().zip(&b_first);
    let mut deviations: Vec<f64> = first.chain(second).map(|(a, b)| b - a).collect();
    deviations.sort_by(f64::total_cmp);

    let widen = {
        let variance_of = |first: &[f64], second: &[f64]| {
            let squares: f64 = first.iter().chain(second).map(|deviation| deviation * deviation).sum();
            squares / (first.len() + second.len()) as f64
        };
        let (a_variance, b_variance) = (variance_of(&a_first, &a_second), variance_of(&b_first, &b_second));
        let degrees = (a_variance + b_variance).powi(2)
            / (a_variance.powi(2) / a.degrees() + b_variance.powi(2) / b.degrees());
        // Both sides constant: nothing to widen.
        if degrees.is_finite() { student_975(degrees) / Z_95 } else { 1.0 }
    };
    let log_ratio = b.log_ratio - a.log_ratio;
    let end = |q| {
        let deviation = quantile::of_sorted(&deviations, q).ok_or(NoInterval::TooFew)?;
        Ok((log_ratio + widen * deviation).exp())
    };
    let found = RatioInterval {
        ratio: log_ratio.exp(),
        interval: [end(0.025)?, end(0.975)?],
        block_lengths: [a.block_length, b.block_length],
    };
    let sound = [found.ratio, found.interval[0], found.interval[1]].iter().all(|number| number.is_finite());
    if sound { Ok(found) } else { Err(NoInterval::Unsound) }
}

/// One series.
struct Side {
    /// Sums of the block that begins at each pair; the last ones go on at the beginning.
    blocks: Vec<(f64, f64)>,
    log_ratio: f64,
    block_length: usize,
    /// By how much the spread of resamples falls short.
    correction: f64,
}

impl Side {
    fn of(pairs: &[(f64, f64)]) -> Result<Self, NoInterval> {
        let n = pairs.len();
        if n < FEWEST_PAIRS {
            return Err(NoInterval::TooFew);
        }
        let (numerators, denominators) = sums(pairs.iter().copied());
        let sound = pairs.iter().all(|(numerator, denominator)| *numerator >= 0.0 && *denominator >= 0.0);
        if !sound || !numerators.is_finite() || !denominators.is_finite() {
            return Err(NoInterval::Unsound);
        }
        if numerators == 0.0 || denominators == 0.0 {
            return Err(NoInterval::TooRare);
        }
        let correlation = lag_one_correlation(pairs, numerators / denominators);
        let block_length = block_length(n, correlation);
        let blocks =
            (0..n).map(|start| sums((start..start + block_length).map(|place| pairs[place % n]))).collect();
        let (n, length) = (n as f64, block_length as f64);
        let drawn = (n / length).ceil() * length;
        let seen = 1.0
            + 2.0
                * (1..block_length)
                    .map(|lag| (1.0 - lag as f64 / length) * correlation.powf(lag as f64))
                    .sum::<f64>();
        let there = (1.0 + correlation) / (1.0 - correlation);
        let correction = (drawn / n * n / (n - length) * there / seen).sqrt();
        Ok(Self { blocks, log_ratio: (numerators / denominators).ln(), block_length, correction })
    }

    /// Of its variance's estimate.
    fn degrees(&self) -> f64 {
        self.blocks.len() as f64 / self.block_length as f64 - 1.0
    }

    /// Of the logarithm of resampled ratios from that of the series.
    fn deviations(&self, seed: u64) -> Result<Vec<f64>, NoInterval> {
        let n = self.blocks.len();
        let mut random = SplitMix64::new(seed);
        (0..RESAMPLES)
            .map(|_| {
                let drawn = (0..n.div_ceil(self.block_length)).map(|_| self.blocks[random.below(n)]);
                let (numerators, denominators) = sums(drawn);
                if numerators == 0.0 || denominators == 0.0 {
                    return Err(NoInterval::TooRare);
                }
                Ok(((numerators / denominators).ln() - self.log_ratio) * self.correction)
            })
            .collect()
    }
}

fn sums(pairs: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    pairs.fold((0.0, 0.0), |(numerators, denominators), (n, d)| (numerators + n, denominators + d))
}

/// Of what is left of each numerator when the ratio is taken out: that is what a ratio of sums varies by. Between 0 and
/// [`MOST_CORRELATION`]: neighbours that alternate would make the interval narrower, which is not claimed.
fn lag_one_correlation(pairs: &[(f64, f64)], ratio: f64) -> f64 {
    let rest: Vec<f64> =
        pairs.iter().map(|(numerator, denominator)| numerator - ratio * denominator).collect();
    let squares: f64 = rest.iter().map(|rest| rest * rest).sum();
    let products: f64 = rest.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let n = pairs.len() as f64;
    let unbiased = (products / squares * n + 1.0) / (n - 3.0);
    // A constant series leaves 0 / 0.
    if unbiased.is_finite() { unbiased.clamp(0.0, MOST_CORRELATION) } else { 0.0 }
}

/// n^(1/3), longer where neighbours resemble each other: then (6ρ² / (1 − ρ²)² · n)^(1/3), the length of least mean square error for
/// AR(1) (Politis and White, 2004). At least four blocks fit into the series.
fn block_length(n: usize, correlation: f64) -> usize {
    let correlated = 6.0 * correlation.powi(2) / (1.0 - correlation.powi(2)).powi(2);
    let length = (n as f64 * correlated.max(1.0)).cbrt().ceil();
    // A cast from a float saturates.
    (length as usize).clamp(1, (n / 4).max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A first-order autoregression around `mean`, its spread a tenth of it.
    fn series(n: usize, correlation: f64, mean: f64, random: &mut SplitMix64) -> Vec<(f64, f64)> {
        let mut swing = random.normal();
        (0..n)
            .map(|_| {
                let value = mean * (1.0 + 0.1 * swing);
                swing = correlation * swing + (1.0 - correlation * correlation).sqrt() * random.normal();
                (value, 1.0)
            })
            .collect()
    }

    /// The percentile bootstrap that draws pairs one by one.
    fn one_by_one(a: &[(f64, f64)], b: &[(f64, f64)], random: &mut SplitMix64) -> [f64; 2] {
        let mut draw = |pairs: &[(f64, f64)]| {
            let (n, d) = sums((0..pairs.len()).map(|_| pairs[random.below(pairs.len())]));
            n / d
        };
        let mut ratios: Vec<f64> = (0..500).map(|_| draw(b) / draw(a)).collect();
        ratios.sort_by(f64::total_cmp);
        [0.025, 0.975].map(|q| quantile::of_sorted(&ratios, q).unwrap())
    }

    /// How often each kind of interval held the true ratio, 2.
    fn coverage(n: usize, correlation: f64) -> (f64, f64) {
        const TIMES: u32 = 300;
        let mut random = SplitMix64::new(42);
        let (mut by_blocks, mut singly) = (0, 0);
        for time in 0..TIMES {
            let a = series(n, correlation, 10.0, &mut random);
            let b = series(n, correlation, 20.0, &mut random);
            let [low, high] = block_bootstrap_ratio_interval(&a, &b, u64::from(time)).unwrap().interval;
            by_blocks += u32::from(low <= 2.0 && 2.0 <= high);
            let [low, high] = one_by_one(&a, &b, &mut random);
            singly += u32::from(low <= 2.0 && 2.0 <= high);
        }
        (f64::from(by_blocks) / f64::from(TIMES), f64::from(singly) / f64::from(TIMES))
    }

    #[test]
    fn independent_values_are_covered_as_promised() {
        let (by_blocks, _) = coverage(30, 0.0);
        assert!((0.925..=0.98).contains(&by_blocks), "{by_blocks}");
    }

    #[test]
    fn correlated_values_are_covered_as_promised_where_drawing_them_singly_fails() {
        for (n, correlation) in [(30, 0.5), (60, 0.7)] {
            let (by_blocks, singly) = coverage(n, correlation);
            assert!((0.92..=0.98).contains(&by_blocks), "{n} {correlation}: {by_blocks}");
            assert!(singly < 0.8, "{n} {correlation}: {singly}");
        }
    }

    #[test]
    fn ten_intervals_are_covered_almost_as_promised() {
        let (by_blocks, singly) = coverage(10, 0.5);
        assert!(by_blocks >= 0.90 && singly < 0.75, "{by_blocks} {singly}");
    }

    #[test]
    fn blocks_grow_with_the_series_and_with_the_correlation() {
        assert_eq!([8, 27, 64, 1000].map(|n| block_length(n, 0.0)), [2, 3, 4, 10]);
        assert!(block_length(64, 0.7) > block_length(64, 0.3));
        assert_eq!(block_length(12, 0.95), 3, "four blocks at least");
    }

    #[test]
    fn a_series_against_itself_has_a_ratio_of_one_in_the_middle_of_its_interval() {
        let a = series(30, 0.5, 10.0, &mut SplitMix64::new(1));
        let found = block_bootstrap_ratio_interval(&a, &a, 7).unwrap();
        assert_eq!(found.ratio, 1.0);
        assert!((found.interval[0] * found.interval[1] - 1.0).abs() < 1e-12 && found.interval[0] < 1.0);
    }

    #[test]
    fn constants_have_an_interval_without_width() {
        let found = block_bootstrap_ratio_interval(&[(1.0, 1.0); 20], &[(3.0, 1.0); 20], 7).unwrap();
        assert!((found.ratio - 3.0).abs() < 1e-12);
        assert!(found.interval.iter().all(|end| (end - 3.0).abs() < 1e-9));
    }

    #[test]
    fn what_cannot_be_resampled_has_no_interval() {
        let fine = [(1.0, 1.0); 8];
        let of = |b: &[(f64, f64)]| block_bootstrap_ratio_interval(&fine, b, 7).map(|_| ());
        assert_eq!(of(&fine), Ok(()));
        assert_eq!(of(&fine[..7]), Err(NoInterval::TooFew));
        assert_eq!(of(&[(0.0, 1.0); 8]), Err(NoInterval::TooRare));
        let mut rare = [(0.0, 1.0); 20];
        rare[3].0 = 5.0;
        assert_eq!(of(&rare), Err(NoInterval::TooRare), "most resamples hold none of it");
        for unsound in [f64::NAN, f64::INFINITY, -1.0] {
            let mut series = fine;
            series[2].0 = unsound;
            assert_eq!(of(&series), Err(NoInterval::Unsound), "{unsound}");
        }
        assert_eq!(of(&[(f64::MAX, 1.0); 8]), Err(NoInterval::Unsound), "a sum beyond all numbers");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        #[test]
        fn changing_places_inverts_the_interval(
            a in proptest::collection::vec((1e-3_f64..1e3, 1e-3_f64..1e3), 8..40),
            b in proptest::collection::vec((1e-3_f64..1e3, 1e-3_f64..1e3), 8..40),
            seed: u64,
        ) {
            let there = block_bootstrap_ratio_interval(&a, &b, seed).unwrap();
            let back = block_bootstrap_ratio_interval(&b, &a, seed).unwrap();
            prop_assert!((there.ratio * back.ratio - 1.0).abs() < 1e-9);
            prop_assert!((there.interval[0] * back.interval[1] - 1.0).abs() < 1e-9);
            prop_assert!((there.interval[1] * back.interval[0] - 1.0).abs() < 1e-9);
            prop_assert!(there.interval[0] <= there.interval[1]);
        }
    }
}
