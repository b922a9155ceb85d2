//! Sets of CPUs as the kernel writes them: masks (`xps_cpus`) and lists (`smp_affinity_list`).

use crate::model::fix::MOST_CPUS;

/// A mask in groups of 32 bits, the highest first: `00000001,80000003` is CPUs 0, 1, 31 and 32.
/// Groups may be written short. None where it is anything else.
#[must_use]
pub(super) fn parse_mask(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    let mut base = 0;
    for group in text.trim().rsplit(',') {
        if group.is_empty() || group.len() > 8 || base >= MOST_CPUS {
            return None;
        }
        let bits = u32::from_str_radix(group, 16).ok().filter(|_| !group.starts_with('+'))?;
        cpus.extend((0..32).filter(|bit| bits >> bit & 1 == 1).map(|bit| base + bit));
        base += 32;
    }
    Some(cpus)
}

/// A list of numbers and ranges: `0,2-3` is CPUs 0, 2 and 3. Nothing is no CPU. None where it is anything else.
#[must_use]
pub(super) fn parse_list(text: &str) -> Option<Vec<u32>> {
    let text = text.trim();
    let mut cpus = Vec::new();
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last >= MOST_CPUS {
            return None;
        }
        cpus.extend(first..=last);
        if cpus.len() > MOST_CPUS as usize {
            return None;
        }
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::fix::cpu_mask;

    #[test]
    fn a_mask_is_a_number_however_it_is_grouped() {
        assert_eq!(parse_mask("80\n"), Some(vec![7]));
        assert_eq!(parse_mask("00000080"), Some(vec![7]));
        assert_eq!(parse_mask("00000000,00000001,80000003"), Some(vec![0, 1, 31, 32]));
        assert_eq!(parse_mask("00"), Some(vec![]));
    }

    #[test]
    fn a_list_has_numbers_and_ranges() {
        assert_eq!(parse_list("0,2-3\n"), Some(vec![0, 2, 3]));
        assert_eq!(parse_list("\n"), Some(vec![]));
    }

    #[test]
    fn what_is_neither_is_not_taken_for_no_cpu() {
        for text in ["", "g", "1,,2", "100000000", "0x1", "+1"] {
            assert_eq!(parse_mask(text), None, "{text:?}");
        }
        for text in ["a", "1-", "3-1", "0-4294967295", ","] {
            assert_eq!(parse_list(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_parsed(text in "[0-9a-f,\\-\n ]{0,64}|.{0,32}") {
            let _ = (parse_mask(&text), parse_list(&text));
        }

        #[test]
        fn a_mask_that_the_kernel_writes_is_read(bits: u64) {
            let expected: Vec<u32> = (0..64).filter(|bit| bits >> bit & 1 == 1).collect();
            prop_assert_eq!(parse_mask(&format!("{:08x},{:08x}", bits >> 32, bits & 0xffff_ffff)), Some(expected));
        }

        #[test]
        fn a_mask_that_is_written_here_is_read_back(
            cpus in proptest::collection::btree_set(prop_oneof![0u32..200, 0..MOST_CPUS], 0..40),
        ) {
            let cpus: Vec<u32> = cpus.into_iter().collect();
            prop_assert_eq!(parse_mask(&cpu_mask(&cpus)), Some(cpus));
        }
    }
}
