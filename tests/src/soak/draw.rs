//! What is drawn: from a seed and a number, so that each operation can be had again without those before it.

/// SplitMix64: enough to draw an order.
#[derive(Debug, Clone)]
pub(super) struct Draw(u64);

impl Draw {
    /// Of the operation of that number.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        let mut draw = Self(seed);
        draw.0 = draw.next() ^ number.wrapping_mul(0xd1b5_4a32_d192_ed03);
        draw
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below 1.
    pub(super) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// With this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.share() < probability
    }

    /// One of them.
    pub(super) fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        let at = (self.share() * all.len() as f64) as usize;
        all[at.min(all.len() - 1)].clone()
    }

    /// A number that others draw from.
    pub(super) fn seed(&mut self) -> u64 {
        self.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_draws_the_same_whatever_came_before_it_and_another_draws_otherwise() {
        let drawn = |seed, number| [0; 8].map(|_: u64| Draw::new(seed, number).next());
        assert_eq!(drawn(1, 7), drawn(1, 7));
        assert_ne!(drawn(1, 7), drawn(1, 8));
        assert_ne!(drawn(1, 7), drawn(2, 7));
    }

    #[test]
    fn everything_there_is_is_drawn_about_as_often() {
        let mut draw = Draw::new(3, 0);
        let mut counts = [0; 5];
        for _ in 0..5_000 {
            counts[draw.one_of(&[0, 1, 2, 3, 4])] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }
}
