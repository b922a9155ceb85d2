//! Pearson's correlation.

use super::Z_95;

/// A correlation with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PearsonInterval {
    /// −1 to 1.
    pub r: f64,
    /// Fisher's z: it takes the pairs to be independent, so for neighbours in time it is too narrow.
    pub interval: [f64; 2],
    /// Pairs.
    pub n: usize,
}

/// Pearson's correlation of pairs. None with fewer than four pairs (Fisher's z divides by n − 3), with a value that
/// is not finite, or where either side is constant.
#[must_use]
pub fn pearson(pairs: &[(f64, f64)]) -> Option<PearsonInterval> {
    let n = pairs.len();
    if n < 4 || pairs.iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
        return None;
    }
    let mean_x = pairs.iter().map(|(x, _)| x).sum::<f64>() / n as f64;
    let mean_y = pairs.iter().map(|(_, y)| y).sum::<f64>() / n as f64;
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        let (dx, dy) = (x - mean_x, y - mean_y);
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    if constant(xx, mean_x, n) || constant(yy, mean_y, n) {
        return None;
    }
    let r = (xy / (xx.sqrt() * yy.sqrt())).clamp(-1.0, 1.0);
    if !r.is_finite() {
        return None;
    }
    let z = r.atanh();
    let half = Z_95 / ((n - 3) as f64).sqrt();
    Some(PearsonInterval { r, interval: [(z - half).tanh(), (z + half).tanh()], n })
}

/// Spread that is no more than rounding.
fn constant(sum_of_squares: f64, mean: f64, n: usize) -> bool {
    (sum_of_squares / n as f64).sqrt() <= 1e-9 * mean.abs().max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_correlates_fully() {
        let up: Vec<_> = (0..10).map(|i| (f64::from(i), 3.0 * f64::from(i) + 1.0)).collect();
        let down: Vec<_> = (0..10).map(|i| (f64::from(i), -2.0 * f64::from(i))).collect();
        assert!((pearson(&up).unwrap().r - 1.0).abs() < 1e-12);
        assert!((pearson(&down).unwrap().r + 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_interval_is_fishers() {
        // r = 0.5 with n = 28 (standard error of z is 0.2): tanh(0.5493 ± 0.392).
        let z = 0.5_f64.atanh();
        let expected = [(z - Z_95 / 5.0).tanh(), (z + Z_95 / 5.0).tanh()];
        let pairs = exactly_half_correlated(28);
        let found = pearson(&pairs).unwrap();
        assert!((found.r - 0.5).abs() < 1e-9, "{}", found.r);
        assert!((found.interval[0] - expected[0]).abs() < 1e-9);
        assert!((found.interval[1] - expected[1]).abs() < 1e-9);
    }

    /// y = x/2 + (√3/2)·u, where u is orthogonal to x and as long.
    fn exactly_half_correlated(n: usize) -> Vec<(f64, f64)> {
        (0..n)
            .map(|i| {
                let x = if i % 2 == 0 { 1.0 } else { -1.0 };
                let u = if (i / 2) % 2 == 0 { 1.0 } else { -1.0 };
                (x, 0.5 * x + 0.75_f64.sqrt() * u)
            })
            .collect()
    }

    #[test]
    fn too_few_or_constant_values_have_no_correlation() {
        assert_eq!(pearson(&[(1.0, 2.0), (2.0, 3.0), (3.0, 5.0)]), None);
        let constant: Vec<_> = (0..10).map(|i| (0.1 + 0.2, f64::from(i))).collect();
        assert_eq!(pearson(&constant), None);
    }

    #[test]
    fn a_value_that_is_not_a_number_has_no_correlation() {
        assert_eq!(pearson(&[(1.0, 2.0), (2.0, f64::NAN), (3.0, 5.0), (4.0, 1.0)]), None);
    }
}
