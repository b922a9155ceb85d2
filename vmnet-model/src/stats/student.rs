//! Student's t: how much wider an interval has to be where the spread is known from few values only.

use super::Z_95;

/// The standard normal's 80 % point.
const Z_80_ONE_SIDED: f64 = 0.841_621_233_572_914;

/// The 97.5 % point with `degrees` of freedom, 2 at least: what two-sided 95 % intervals take.
pub(super) fn student_975(degrees: f64) -> f64 {
    point(Z_95, degrees)
}

/// The 80 % point with `degrees` of freedom, 2 at least.
pub(super) fn student_80(degrees: f64) -> f64 {
    point(Z_80_ONE_SIDED, degrees)
}

/// The point that is to Student's t what `z` is to the standard normal, by the expansion of Cornish and Fisher (Abramowitz and Stegun, 26.7.5):
/// within 0.1 % from three degrees of freedom on and within 0.8 % at two, below which it is not asked.
fn point(z: f64, degrees: f64) -> f64 {
    let v = degrees.max(2.0);
    let [z3, z5, z7, z9] = [3, 5, 7, 9].map(|power| z.powi(power));
    z + (z3 + z) / (4.0 * v)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * v.powi(2))
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * v.powi(3))
        + (79.0 * z9 + 776.0 * z7 + 1482.0 * z5 - 1920.0 * z3 - 945.0 * z) / (92_160.0 * v.powi(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_point_of_95_percent_intervals_is_that_of_the_tables() {
        let table = [(3.0, 3.182), (4.0, 2.776), (5.0, 2.571), (10.0, 2.228), (30.0, 2.042), (1e9, Z_95)];
        for (degrees, expected) in table {
            assert!((student_975(degrees) - expected).abs() < 0.004, "{degrees}: {}", student_975(degrees));
        }
        assert!((student_975(2.0) / 4.303 - 1.0).abs() < 0.008, "{}", student_975(2.0));
    }

    #[test]
    fn the_point_of_80_percent_is_that_of_the_tables() {
        for (degrees, expected) in [(2.0, 1.060), (3.0, 0.978), (5.0, 0.920), (10.0, 0.879), (1e9, 0.842)] {
            assert!((student_80(degrees) - expected).abs() < 0.001, "{degrees}: {}", student_80(degrees));
        }
    }
}
