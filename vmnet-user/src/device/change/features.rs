//! `ETHTOOL_MSG_FEATURES_SET`: wanted features, several in one request.

use netlink_packet_core::NLA_F_NESTED;

use crate::{
    device::{attributes::push_attribute, ethtool::Ethtool, netlink::NetlinkError},
    model::fix::FeatureRequest,
};

// `linux/ethtool_netlink.h`.
const ETHTOOL_MSG_FEATURES_SET: u8 = 12;
const ETHTOOL_A_FEATURES_WANTED: u16 = 3;
const ETHTOOL_A_BITSET_BITS: u16 = 3;
const ETHTOOL_A_BITSET_BITS_BIT: u16 = 1;
const ETHTOOL_A_BITSET_BIT_INDEX: u16 = 1;
const ETHTOOL_A_BITSET_BIT_VALUE: u16 = 3;

/// The bits of the requests are the mask; all others stay as they are wanted. The kernel takes bits that are fixed without a word,
/// and ignores them: read back.
pub(super) fn set(
    ethtool: &mut Ethtool,
    ifindex: u32,
    requests: &[FeatureRequest],
) -> Result<(), NetlinkError> {
    ethtool.change(ETHTOOL_MSG_FEATURES_SET, ifindex, &wanted(requests))
}

fn wanted(requests: &[FeatureRequest]) -> Vec<u8> {
    let mut bits = Vec::new();
    for request in requests {
        let mut bit = Vec::new();
        push_attribute(&mut bit, ETHTOOL_A_BITSET_BIT_INDEX, &request.bit.to_ne_bytes());
        // A flag: there for on, not there for off.
        if request.on {
            push_attribute(&mut bit, ETHTOOL_A_BITSET_BIT_VALUE, &[]);
        }
        push_attribute(&mut bits, ETHTOOL_A_BITSET_BITS_BIT | NLA_F_NESTED, &bit);
    }
    let mut bitset = Vec::new();
    push_attribute(&mut bitset, ETHTOOL_A_BITSET_BITS | NLA_F_NESTED, &bits);
    let mut attributes = Vec::new();
    push_attribute(&mut attributes, ETHTOOL_A_FEATURES_WANTED | NLA_F_NESTED, &bitset);
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::attributes::{attribute, attributes, u32_at};

    #[test]
    fn each_bit_is_named_by_its_number_and_only_what_is_to_be_on_has_a_value() {
        let request = |bit, on| FeatureRequest { bit, name: "any".to_owned(), on };
        let message = wanted(&[request(0, true), request(63, false)]);
        let bitset = attribute(&message, ETHTOOL_A_FEATURES_WANTED).unwrap();
        let bits: Vec<_> = attributes(attribute(bitset, ETHTOOL_A_BITSET_BITS).unwrap())
            .map(|(_, bit)| {
                let index = attribute(bit, ETHTOOL_A_BITSET_BIT_INDEX).and_then(|index| u32_at(index, 0));
                (index, attribute(bit, ETHTOOL_A_BITSET_BIT_VALUE).is_some())
            })
            .collect();
        assert_eq!(bits, [(Some(0), true), (Some(63), false)]);
    }
}
