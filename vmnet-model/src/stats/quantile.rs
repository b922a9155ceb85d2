//! Quantiles of values, and of histograms of whole numbers.

/// The quantile `q` (0 to 1) of values in ascending order, linear between neighbours (type 7 of Hyndman and
/// Fan). None where there are no values or `q` is outside 0 to 1.
#[must_use]
pub fn of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    if !(0.0..=1.0).contains(&q) {
        return None;
    }
    let last = sorted.len().checked_sub(1)?;
    let position = q * last as f64;
    let below = (position.floor() as usize).min(last);
    let above = (below + 1).min(last);
    let fraction = position - below as f64;
    Some(sorted[below] + (sorted[above] - sorted[below]) * fraction)
}

/// The quantile `q` (0 to 1) of whole numbers counted in buckets `(lower, upper, count)`, `lower` ≤ value <
/// `upper`, in ascending order. A bucket of one value is exact; in a wider one the values are taken to be spread
/// evenly from `lower` to `upper` − 1. None where nothing was counted or `q` is outside 0 to 1.
#[must_use]
pub fn of_whole_numbers(buckets: impl Iterator<Item = (u64, u64, u64)> + Clone, q: f64) -> Option<f64> {
    let total: u128 = buckets.clone().map(|(.., count)| u128::from(count)).sum();
    if total == 0 || !(0.0..=1.0).contains(&q) {
        return None;
    }
    let rank = q * total as f64;
    let mut below = 0_u128;
    let mut last_value = None;
    for (lower, upper, count) in buckets {
        if count == 0 {
            continue;
        }
        let width = upper.saturating_sub(lower).saturating_sub(1) as f64;
        let upto = below + u128::from(count);
        if upto as f64 >= rank {
            let fraction = ((rank - below as f64) / count as f64).clamp(0.0, 1.0);
            return Some(lower as f64 + width * fraction);
        }
        last_value = Some(lower as f64 + width);
        below = upto;
    }
    last_value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_of_values_lies_between_the_middle_two() {
        assert_eq!(of_sorted(&[1.0, 2.0, 4.0, 9.0], 0.5), Some(3.0));
        assert_eq!(of_sorted(&[1.0, 2.0, 9.0], 0.5), Some(2.0));
    }

    #[test]
    fn the_ends_are_the_smallest_and_the_largest() {
        assert_eq!(of_sorted(&[1.0, 5.0], 0.0), Some(1.0));
        assert_eq!(of_sorted(&[1.0, 5.0], 1.0), Some(5.0));
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(of_sorted(&[], 0.5), None);
        assert_eq!(of_whole_numbers([(2, 3, 0)].into_iter(), 0.5), None);
        assert_eq!(of_sorted(&[1.0], 1.5), None);
    }

    #[test]
    fn a_bucket_of_one_value_is_exact() {
        let buckets = [(2, 3, 10), (3, 4, 100), (4, 5, 10)];
        assert_eq!(of_whole_numbers(buckets.into_iter(), 0.5), Some(3.0));
    }

    #[test]
    fn a_wider_bucket_is_interpolated_up_to_its_largest_value() {
        let buckets = [(40, 44, 10)];
        assert_eq!(of_whole_numbers(buckets.into_iter(), 0.5), Some(41.5));
        assert_eq!(of_whole_numbers(buckets.into_iter(), 1.0), Some(43.0));
    }
}
