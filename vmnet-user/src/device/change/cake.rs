//! cake's options. It leaves those alone that a change does not name (`cake_change`).

use crate::device::attributes::{attribute, push_attribute, u32_at};

/// `linux/pkt_sched.h`.
const TCA_CAKE_SPLIT_GSO: u16 = 17;

/// None where the kernel does not tell.
pub(super) fn splits_gso(options: &[u8]) -> Option<bool> {
    Some(u32_at(attribute(options, TCA_CAKE_SPLIT_GSO)?, 0)? != 0)
}

/// The options that change this and nothing else.
pub(super) fn split_gso(on: bool) -> Vec<u8> {
    let mut options = Vec::new();
    push_attribute(&mut options, TCA_CAKE_SPLIT_GSO, &u32::from(on).to_ne_bytes());
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        assert_eq!([true, false].map(|on| splits_gso(&split_gso(on))), [Some(true), Some(false)]);
        assert_eq!(splits_gso(&[]), None);
    }
}
