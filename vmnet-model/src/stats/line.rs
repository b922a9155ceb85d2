//! A straight line through points.

/// y = `intercept` + `slope` · x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// y where x is 0.
    pub intercept: f64,
    /// y per x.
    pub slope: f64,
}

/// The line with the least sum of squared vertical distances to pairs of x and y. None with fewer than two pairs, with a value that is
/// not finite, or where x does not vary.
#[must_use]
pub fn least_squares(pairs: &[(f64, f64)]) -> Option<Line> {
    let n = pairs.len() as f64;
    if pairs.len() < 2 {
        return None;
    }
    let mean_x = pairs.iter().map(|(x, _)| x).sum::<f64>() / n;
    let mean_y = pairs.iter().map(|(_, y)| y).sum::<f64>() / n;
    let xx: f64 = pairs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let xy: f64 = pairs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    // Spread that is no more than rounding.
    if (xx / n).sqrt() <= 1e-9 * mean_x.abs().max(f64::MIN_POSITIVE) {
        return None;
    }
    let slope = xy / xx;
    let line = Line { intercept: mean_y - slope * mean_x, slope };
    (line.intercept.is_finite() && line.slope.is_finite()).then_some(line)
}

impl Line {
    /// y at x.
    #[must_use]
    pub fn at(&self, x: f64) -> f64 {
        self.intercept + self.slope * x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn points_on_a_line_give_that_line() {
        let line = least_squares(&[(0.0, 1.0), (2.0, 2.0), (4.0, 3.0)]).unwrap();
        assert!((line.intercept - 1.0).abs() < 1e-12 && (line.slope - 0.5).abs() < 1e-12);
        assert!((line.at(6.0) - 4.0).abs() < 1e-12);
    }

    #[test]
    fn what_has_no_line_gives_none() {
        assert_eq!(least_squares(&[(1.0, 1.0)]), None);
        assert_eq!(least_squares(&[(0.3, 1.0), (0.1 + 0.2, 2.0)]), None);
        assert_eq!(least_squares(&[(1.0, f64::NAN), (2.0, 1.0)]), None);
        assert_eq!(least_squares(&[(f64::INFINITY, 1.0), (2.0, 1.0)]), None);
    }

    proptest! {
        #[test]
        fn the_residuals_of_a_line_add_up_to_nothing(
            pairs in proptest::collection::vec((-100.0..100.0_f64, -100.0..100.0_f64), 2..30),
        ) {
            if let Some(line) = least_squares(&pairs) {
                let off: f64 = pairs.iter().map(|(x, y)| y - line.at(*x)).sum();
                prop_assert!(off.abs() < 1e-6, "{}", off);
            }
        }
    }
}
