//! The randomisation test of a few differences (Fisher, 1935).
//!
//! Where a coin decides which of two names goes with which half of a pair, and the names mean nothing, every difference could as well have come
//! with the opposite sign. How many of all ways to set the signs show as large a mean as the one that was seen is an exact probability: it takes
//! no shape of the noise for granted, nor that pairs are alike.

use super::bootstrap::SplitMix64;

/// Up to so many differences, every way is gone through.
const MOST_ENUMERATED: usize = 16;

/// Beyond, so many ways are drawn: a share of 5 % is then known to 0.15 percentage points.
const DRAWN: u32 = 20_000;

/// Sums that differ by less of the sum of all sizes are the same but for rounding.
const ROUNDING: f64 = 1e-9;

/// The share, above 0 and up to 1, of all ways to set the signs of `differences` whose mean is at least as far from 0 as the mean as it is. Never
/// less than 2 / 2ⁿ for n differences: the way that was seen, and its opposite. Exact up to 16 differences; beyond, estimated from 20,000 ways that
/// `seed` draws, and the one that was seen. None where there are no differences, or their sum is not finite.
#[must_use]
pub fn permutation_p_value(differences: &[f64], seed: u64) -> Option<f64> {
    let sizes: f64 = differences.iter().map(|difference| difference.abs()).sum();
    if differences.is_empty() || !sizes.is_finite() {
        return None;
    }
    if sizes == 0.0 {
        return Some(1.0);
    }
    // Parts of the whole cannot overflow, whatever is done with them.
    let parts: Vec<f64> = differences.iter().map(|difference| difference / sizes).collect();
    let seen = parts.iter().sum::<f64>().abs() - ROUNDING;
    Some(if parts.len() <= MOST_ENUMERATED { enumerated(&parts, seen) } else { drawn(&parts, seen, seed) })
}

/// Every way, in the order of a Gray code, in which each differs from the one before by one sign. The first sign stays: all signs
/// turned round give the same size.
fn enumerated(parts: &[f64], seen: f64) -> f64 {
    let mut turned = parts.to_vec();
    let mut sum: f64 = turned.iter().sum();
    let ways = 1_u32 << parts.len().saturating_sub(1);
    let mut as_large = 1;
    for way in 1..ways {
        // Which bit of the Gray code changes.
        let place = way.trailing_zeros() as usize + 1;
        if let Some(part) = turned.get_mut(place) {
            sum -= 2.0 * *part;
            *part = -*part;
        }
        as_large += u32::from(sum.abs() >= seen);
    }
    f64::from(as_large) / f64::from(ways)
}

fn drawn(parts: &[f64], seen: f64, seed: u64) -> f64 {
    let mut random = SplitMix64::new(seed);
    // The one that was seen is one of them, so that the share is never 0.
    let mut as_large = 1;
    for _ in 0..DRAWN {
        let mut sum = 0.0;
        for some in parts.chunks(64) {
            let mut signs = random.next();
            for part in some {
                sum += if signs & 1 == 0 { *part } else { -part };
                signs >>= 1;
            }
        }
        as_large += u32::from(sum.abs() >= seen);
    }
    f64::from(as_large) / f64::from(DRAWN + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every way from scratch, all signs among them.
    fn counted_one_by_one(differences: &[f64]) -> f64 {
        let seen = differences.iter().sum::<f64>().abs();
        let ways = 1_u32 << differences.len();
        let as_large = (0..ways).filter(|way| {
            let signed =
                differences.iter().enumerate().map(|(at, d)| if way >> at & 1 == 0 { *d } else { -d });
            signed.sum::<f64>().abs() >= seen - 1e-9
        });
        as_large.count() as f64 / f64::from(ways)
    }

    #[test]
    fn known_shares_come_out() {
        let cases: [(&[f64], f64); 8] = [
            (&[5.0], 1.0),
            (&[1.0, 1.0], 0.5),
            (&[1.0, 2.0, 3.0], 0.25),
            (&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0], 2.0 / 64.0),
            // One that goes the other way: either it or its opposite, or one of the five others turned instead.
            (&[1.0, 1.0, 1.0, 1.0, 1.0, -1.0], 14.0 / 64.0),
            (&[1.0, -1.0], 1.0),
            (&[0.0, 0.0, 0.0], 1.0),
            (&[f64::MAX / 4.0, f64::MAX / 4.0, f64::MAX / 4.0], 0.25),
        ];
        for (differences, expected) in cases {
            assert_eq!(permutation_p_value(differences, 1), Some(expected), "{differences:?}");
        }
    }

    #[test]
    fn what_is_not_finite_has_no_share() {
        for differences in [&[][..], &[f64::NAN, 1.0], &[f64::INFINITY], &[f64::MAX, f64::MAX]] {
            assert_eq!(permutation_p_value(differences, 1), None, "{differences:?}");
        }
    }

    #[test]
    fn beyond_sixteen_it_is_drawn_and_comes_close() {
        // One value of 16 or of 17 that is 0 changes no sum, so that both shares are the same.
        let mut differences: Vec<f64> = (0..16).map(|at| f64::from(at) - 4.0).collect();
        let exact = permutation_p_value(&differences, 1).unwrap();
        differences.push(0.0);
        let close = permutation_p_value(&differences, 1).unwrap();
        assert!(
            (exact - close).abs() < 4.0 * (exact * (1.0 - exact) / f64::from(DRAWN)).sqrt(),
            "{exact} {close}"
        );
        assert_ne!(exact, close);
        assert_eq!(permutation_p_value(&differences, 1), Some(close), "the seed decides");
    }

    #[test]
    fn a_drawn_share_is_never_nothing() {
        assert!(permutation_p_value(&[1.0; 100], 1).is_some_and(|share| share > 0.0 && share < 1e-4));
    }

    proptest! {
        #[test]
        fn walking_from_way_to_way_counts_as_going_through_all_of_them(
            differences in proptest::collection::vec(-1e3_f64..1e3, 1..10),
        ) {
            let share = permutation_p_value(&differences, 1).unwrap();
            prop_assert!((share - counted_one_by_one(&differences)).abs() < 1e-12);
        }
    }
}
