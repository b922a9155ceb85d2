//! The one bucket function, used by the programs in the kernel and by everything that reads their counts.
//!
//! Log-linear: values below 8 have a bucket each, every power of two above is cut into eight equal
//! buckets, so a bucket is never wider than an eighth of its lower edge.

/// Buckets that hold skb lengths, in bytes, up to 1 MiB (BIG TCP stays below); the last also takes what is longer.
pub const LEN_BUCKETS: usize = 144;

/// Buckets that hold segments per packet, up to 65,535 (`gso_segs` is 16 bits wide).
pub const SEGS_BUCKETS: usize = 112;

const SUB_BITS: u32 = 3;
const SUB: u64 = 1 << SUB_BITS;

/// The bucket of `value`, unbounded: callers clamp it to their array.
#[inline(always)]
pub const fn bucket(value: u64) -> usize {
    if value < SUB {
        return value as usize;
    }
    let shift = log2(value) - SUB_BITS;
    (shift as u64 * SUB + (value >> shift)) as usize
}

/// The place of the highest bit, by halves: BPF has no instruction for it, and what LLVM makes of `leading_zeros` is three times as long.
#[inline(always)]
const fn log2(value: u64) -> u32 {
    let (mut rest, mut log) = (value, 0);
    if rest >= 1 << 32 {
        rest >>= 32;
        log = 32;
    }
    if rest >= 1 << 16 {
        rest >>= 16;
        log += 16;
    }
    if rest >= 1 << 8 {
        rest >>= 8;
        log += 8;
    }
    if rest >= 1 << 4 {
        rest >>= 4;
        log += 4;
    }
    if rest >= 1 << 2 {
        rest >>= 2;
        log += 2;
    }
    if rest >= 1 << 1 { log + 1 } else { log }
}

/// The smallest value that falls into bucket `index`.
pub const fn bucket_lower(index: usize) -> u64 {
    let index = index as u64;
    if index < 2 * SUB {
        return index;
    }
    let shift = index / SUB - 1;
    (index - shift * SUB) << shift
}

/// The first value beyond bucket `index`.
pub const fn bucket_upper(index: usize) -> u64 {
    bucket_lower(index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_values_have_a_bucket_each() {
        for value in 0..16 {
            assert_eq!(bucket(value), value as usize);
            assert_eq!(bucket_lower(value as usize), value);
        }
    }

    #[test]
    fn the_arrays_reach_as_far_as_their_comments_say() {
        assert_eq!(bucket((1 << 20) - 1), LEN_BUCKETS - 1);
        assert_eq!(bucket(65_535), SEGS_BUCKETS - 1);
    }

    proptest! {
        #[test]
        fn a_value_lies_between_the_edges_of_its_bucket(value in 0_u64..1 << 40) {
            let index = bucket(value);
            prop_assert!(bucket_lower(index) <= value && value < bucket_upper(index));
        }

        #[test]
        fn buckets_are_no_wider_than_an_eighth(value in 8_u64..1 << 40) {
            let index = bucket(value);
            prop_assert!((bucket_upper(index) - bucket_lower(index)) * 8 <= bucket_lower(index));
        }
    }
}
