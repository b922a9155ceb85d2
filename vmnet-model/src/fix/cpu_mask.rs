//! Sets of CPUs as the kernel reads them (`xps_cpus`).

use std::collections::BTreeMap;

/// Higher numbers are not believed; the kernel's own limit (`NR_CPUS`) is 8192.
pub const MOST_CPUS: u32 = 65_536;

/// A mask in groups of 32 bits, the highest first: CPUs 0 and 32 are `01,00000001`, no CPU is `00`. CPUs from [`MOST_CPUS`] on are
/// left out.
#[must_use]
pub fn cpu_mask(cpus: &[u32]) -> String {
    let mut groups: BTreeMap<u32, u32> = BTreeMap::new();
    for cpu in cpus.iter().filter(|cpu| **cpu < MOST_CPUS) {
        *groups.entry(cpu / 32).or_default() |= 1 << (cpu % 32);
    }
    let highest = groups.keys().next_back().copied().unwrap_or(0);
    let bits = |group| groups.get(&group).copied().unwrap_or(0);
    let lower = (0..highest).rev().map(|group| format!(",{:08x}", bits(group)));
    format!("{:02x}{}", bits(highest), lower.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_a_bit_a_cpu_and_groups_of_32() {
        let cases: [(&[u32], &str); 5] = [
            (&[], "00"),
            (&[0], "01"),
            (&[5, 4, 4], "30"),
            (&[0, 1, 31, 32], "01,80000003"),
            (&[64, u32::MAX], "01,00000000,00000000"),
        ];
        for (cpus, expected) in cases {
            assert_eq!(cpu_mask(cpus), expected, "{cpus:?}");
        }
    }
}
