//! Pure statistics: seeded, so that the same recording always gives the same report.

mod block_bootstrap;
mod bootstrap;
mod correlation;
mod line;
mod outliers;
mod paired;
mod permutation;
mod proportion;
mod quantile;
mod student;

pub use block_bootstrap::{FEWEST_PAIRS, NoInterval, RatioInterval, block_bootstrap_ratio_interval};
pub(crate) use bootstrap::SplitMix64;
pub use bootstrap::ratio_of_sums_interval;
pub use correlation::{PearsonInterval, pearson};
pub use line::{Line, least_squares};
pub use outliers::{Outliers, outliers};
pub use paired::{FEWEST_DIFFERENCES, MeanInterval, NoMeanInterval, mean_interval, smallest_visible_for};
pub use permutation::permutation_p_value;
pub use proportion::wilson_interval;
pub use quantile::{of_sorted, of_whole_numbers};

/// The standard normal's 97.5 % point: two-sided 95 % intervals.
pub const Z_95: f64 = 1.959_963_984_540_054;
