//! Intervals of proportions.

use super::Z_95;

/// The 95 % interval of a proportion (Wilson's score interval), which behaves with few samples and near 0 and 1.
/// None where nothing was sampled or `hits` exceeds `samples`.
#[must_use]
pub fn wilson_interval(hits: u64, samples: u64) -> Option<[f64; 2]> {
    if samples == 0 || hits > samples {
        return None;
    }
    let n = samples as f64;
    let p = hits as f64 / n;
    let z2 = Z_95 * Z_95;
    let centre = p + z2 / (2.0 * n);
    let half = Z_95 * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    // Exact at the ends, where the difference of near equals would leave rounding.
    let low = if hits == 0 { 0.0 } else { (centre - half) / scale };
    let high = if hits == samples { 1.0 } else { (centre + half) / scale };
    Some([low, high])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_of_a_hundred_is_between_5_5_and_17_4_percent() {
        let [low, high] = wilson_interval(10, 100).unwrap();
        assert!((low - 0.0552).abs() < 1e-4, "{low}");
        assert!((high - 0.1744).abs() < 1e-4, "{high}");
    }

    #[test]
    fn no_hits_still_leave_room_above() {
        let [low, high] = wilson_interval(0, 50).unwrap();
        assert_eq!(low, 0.0);
        assert!(high > 0.05);
    }

    #[test]
    fn nothing_sampled_is_no_interval() {
        assert_eq!(wilson_interval(0, 0), None);
        assert_eq!(wilson_interval(3, 2), None);
    }
}
