//! Histograms of several runs together.

use std::collections::BTreeMap;

use crate::report::run::schema::{Bucket, Sizes};

/// Adds what one run saw to what others did.
pub(super) fn add(sum: &mut Option<Sizes>, more: &Sizes) {
    let Some(sum) = sum else {
        *sum = Some(more.clone());
        return;
    };
    sum.driver = match (&sum.driver, &more.driver) {
        (Some(sum), Some(more)) => Some(together(sum, more)),
        _ => None,
    };
    for (sum, more) in
        [(&mut sum.queued, &more.queued), (&mut sum.segs, &more.segs), (&mut sum.gso_size, &more.gso_size)]
    {
        *sum = together(sum, more);
    }
}

fn together(a: &[Bucket], b: &[Bucket]) -> Vec<Bucket> {
    let mut counts: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    for bucket in a.iter().chain(b) {
        let count = counts.entry((bucket.lower, bucket.upper)).or_default();
        *count = count.saturating_add(bucket.count);
    }
    counts.into_iter().map(|((lower, upper), count)| Bucket { lower, upper, count }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_one_bucket_add_up_and_buckets_stay_in_order() {
        let bucket = |lower, count| Bucket { lower, upper: lower * 2, count };
        let sizes = |driver| Sizes {
            queued: Vec::new(),
            driver: Some(driver),
            segs: Vec::new(),
            gso_size: Vec::new(),
        };
        let mut sum = None;
        add(&mut sum, &sizes(vec![bucket(64, 1), bucket(1024, u64::MAX)]));
        add(&mut sum, &sizes(vec![bucket(128, 5), bucket(1024, 3)]));
        assert_eq!(sum.unwrap().driver.unwrap(), [bucket(64, 1), bucket(128, 5), bucket(1024, u64::MAX)]);
    }
}
