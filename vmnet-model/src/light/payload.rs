//! From how many packets segmentation added to how much payload was segmented. A super-packet of n segments adds n − 1 packets,
//! so the share of packets is the share of bytes only at its two ends; between them there are a least and a most.

use vmnet_common::{bucket_lower, bucket_upper};

use super::terms::{Distribution, Supers};

/// The least and the most payload of super-packets whose segmentation added between `added.0` and `added.1` packets.
///
/// The least is in the longest super-packets and the smallest segments, the most in the shortest and largest; and what was not
/// segmented is bounded likewise.
pub(crate) fn segmented(supers: &Supers, distribution: &Distribution, added: (u64, u64)) -> (u64, u64) {
    let all = supers.added_packets();
    let (few, many) = (added.0.min(all), added.1.min(all));
    let payload = supers.payload_bytes;
    let at_least =
        least(distribution, few).max(payload.saturating_sub(most(supers, distribution, all - few)));
    let at_most =
        most(supers, distribution, many).min(payload.saturating_sub(least(distribution, all - many)));
    (at_least.min(payload).min(at_most), at_most.min(payload))
}

/// Each packet that is added stands for a segment that is full.
fn least(distribution: &Distribution, added: u64) -> u64 {
    added.saturating_mul(distribution.gso_size.0)
}

/// As many super-packets as can be, the shortest first, each with all its segments full.
fn most(supers: &Supers, distribution: &Distribution, added: u64) -> u64 {
    if added == 0 {
        return 0;
    }
    let counted: u64 = distribution.segs.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
    // Without a histogram that is of these super-packets, all of them may be among those.
    if counted < supers.packets {
        return supers.payload_bytes;
    }
    let (mut left, mut segs) = (added, 0_u64);
    for (bucket, count) in distribution.segs.iter().enumerate() {
        let shortest = bucket_lower(bucket).max(2);
        let each = shortest - 1;
        let packets = (*count).min(left.div_ceil(each));
        // A bucket's longest may be the ones; more segments for as few packets as they add.
        let longest = bucket_upper(bucket).saturating_sub(1).max(shortest);
        segs = segs.saturating_add(packets.saturating_mul(longest));
        left = left.saturating_sub(packets.saturating_mul(each));
        if left == 0 {
            break;
        }
    }
    segs.saturating_mul(distribution.gso_size.1)
}

#[cfg(test)]
mod tests {
    use vmnet_common::{SEGS_BUCKETS, bucket};

    use super::*;

    const GSO_SIZE: u64 = 1_448;

    fn distribution(groups: &[(u64, u64)]) -> (Supers, Distribution) {
        let mut segs = [0; SEGS_BUCKETS];
        let mut supers = Supers::default();
        for &(packets, each) in groups {
            segs[bucket(each)] += packets;
            supers = supers.plus(Supers {
                packets,
                segs: packets * each,
                header_bytes: packets * (each - 1) * 66,
                payload_bytes: packets * each * GSO_SIZE,
            });
        }
        (supers, Distribution { segs, gso_size: (1_408, 1_500) })
    }

    #[test]
    fn at_both_ends_it_is_exact() {
        let (supers, distribution) = distribution(&[(1_000, 44), (500, 7)]);
        assert_eq!(segmented(&supers, &distribution, (0, 0)), (0, 0));
        let all = supers.added_packets();
        assert_eq!(segmented(&supers, &distribution, (all, all)).1, supers.payload_bytes);
        assert_eq!(segmented(&supers, &distribution, (all, all)).0, supers.payload_bytes);
    }

    #[test]
    fn equal_bytes_in_whole_packets_of_44_and_segmented_ones_of_2_are_inside() {
        // By packets added it would be 34 %.
        let (supers, distribution) = distribution(&[(1_000, 44), (22_000, 2)]);
        let (at_least, at_most) = segmented(&supers, &distribution, (22_000, 22_000));
        let truth = supers.payload_bytes / 2;
        assert!(at_least < truth && truth <= at_most, "{at_least} {truth} {at_most}");
        assert!(at_most < truth + truth / 20, "{at_most}");
    }
}
