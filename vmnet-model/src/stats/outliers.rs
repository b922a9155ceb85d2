//! Values that stand out from the rest of their run.

/// Which values stand out, and from what.
#[derive(Clone, Debug, PartialEq)]
pub struct Outliers {
    /// The median of those that are known.
    pub median: f64,
    /// Places of those that stand out, in order.
    pub places: Vec<usize>,
}

/// The values that are at least `floor` and at least `times` the median: a rule that holds for a run that is quiet but for a burst,
/// and finds nothing in one that is the same throughout. None where no value is known.
#[must_use]
pub fn outliers(values: &[Option<f64>], floor: f64, times: f64) -> Option<Outliers> {
    let known = |value: &Option<f64>| value.filter(|value| value.is_finite());
    let mut sorted: Vec<f64> = values.iter().filter_map(known).collect();
    sorted.sort_by(f64::total_cmp);
    let median = super::of_sorted(&sorted, 0.5)?;
    let least = floor.max(times * median);
    let stands_out = |(_, value): &(usize, &Option<f64>)| known(value).is_some_and(|value| value >= least);
    let places = values.iter().enumerate().filter(stands_out).map(|(place, _)| place).collect();
    Some(Outliers { median, places })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_in_a_quiet_run_stands_out() {
        let mut values = vec![Some(0.000_1); 20];
        values[7] = Some(0.03);
        values[8] = None;
        values[9] = Some(0.009);
        assert_eq!(outliers(&values, 0.01, 5.0).unwrap().places, [7]);
    }

    #[test]
    fn a_run_that_is_the_same_throughout_has_none_however_high_it_is() {
        let found = outliers(&[Some(0.04); 9], 0.01, 5.0).unwrap();
        assert_eq!((found.median, found.places), (0.04, vec![]));
    }

    #[test]
    fn what_is_not_known_neither_stands_out_nor_counts() {
        let found = outliers(&[None, Some(f64::NAN), Some(f64::INFINITY), Some(0.0), Some(1.0)], 0.01, 5.0);
        assert_eq!(found, Some(Outliers { median: 0.5, places: vec![] }));
        assert_eq!(outliers(&[None, Some(f64::NAN)], 0.01, 5.0), None);
    }
}
