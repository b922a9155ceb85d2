use proptest::prelude::*;

use super::*;
use crate::device::{attributes::push_attribute, netlink::payloads};
use crate::model::features::Features;

/// A virtio-net interface with TSO, kernel 6.18, unprivileged: `ethtool -k`, once with names and once compact.
const VIRTIO_NAMES: &[u8] = include_bytes!("recorded/features-virtio-names.bin");
const VIRTIO_BITS: &[u8] = include_bytes!("recorded/features-virtio-bits.bin");
const VETH_NAMES: &[u8] = include_bytes!("recorded/features-veth-names.bin");
const VETH_BITS: &[u8] = include_bytes!("recorded/features-veth-bits.bin");

/// A reply's attributes: what follows `struct genlmsghdr`.
fn reply(recording: &[u8]) -> Vec<u8> {
    payloads(recording)[0][4..].to_vec()
}

fn recorded(names: &[u8], bits: &[u8]) -> FeatureSet {
    parse_features(&reply(bits), &parse_names(&reply(names)).unwrap()).unwrap()
}

#[test]
fn a_recorded_virtio_interface_offers_tso_but_no_ecn() {
    let features = recorded(VIRTIO_NAMES, VIRTIO_BITS);
    let expected = Features {
        tso4: Some(true),
        tso6: Some(true),
        tso_ecn: Some(false),
        uso: Some(false),
        gso: Some(true),
    };
    assert_eq!(features.offloads(), expected);
    assert!(!features.get("tx-tcp-segmentation").unwrap().fixed());
    assert!(features.get("tx-tcp-ecn-segmentation").unwrap().fixed());
}

#[test]
fn the_first_bit_scatter_gather_is_not_lost() {
    let features = recorded(VETH_NAMES, VETH_BITS);
    assert_eq!(features.iter().next().unwrap().name, "tx-scatter-gather");
    assert_eq!(features.active("tx-scatter-gather"), Some(true));
    assert_eq!(features.offloads().tso_ecn, Some(true));
}

#[test]
fn a_feature_that_this_kernel_does_not_have_is_unknown_not_off() {
    let features = recorded(VETH_NAMES, VETH_BITS);
    assert_eq!(features.active("tx-teleportation"), None);
    assert_eq!(FeatureSet::default().offloads(), Features::default());
}

#[test]
fn compact_bits_are_words_with_the_lowest_bit_first() {
    let mut bitset = Vec::new();
    push_attribute(&mut bitset, ETHTOOL_A_BITSET_SIZE, &40u32.to_ne_bytes());
    let words: Vec<u8> = [1u32 << 31 | 1, 1 << 3 | 1 << 20].into_iter().flat_map(u32::to_ne_bytes).collect();
    push_attribute(&mut bitset, ETHTOOL_A_BITSET_VALUE, &words);
    let set = compact_bits(&bitset).unwrap();
    assert_eq!(set, BTreeSet::from([0, 31, 35]), "bit 52 is past the size");
}

#[test]
fn a_bitset_shorter_than_it_says_or_absurdly_long_is_refused() {
    for (size, words) in [(33u32, 4usize), (u32::MAX, 4), (1, 0)] {
        let mut bitset = Vec::new();
        push_attribute(&mut bitset, ETHTOOL_A_BITSET_SIZE, &size.to_ne_bytes());
        push_attribute(&mut bitset, ETHTOOL_A_BITSET_VALUE, &vec![0xFF; words]);
        assert_eq!(compact_bits(&bitset), None, "{size} bits in {words} bytes");
    }
}

#[test]
fn a_reply_cut_off_anywhere_gives_all_features_or_none() {
    let (names, bits) = (parse_names(&reply(VETH_NAMES)).unwrap(), reply(VETH_BITS));
    let whole = parse_features(&bits, &names).unwrap();
    for length in 0..bits.len() {
        assert_eq!(parse_features(&bits[..length], &names), None, "{length} of {} bytes", bits.len());
    }
    assert!(whole.iter().count() > 50);
}

#[test]
fn the_loopback_device_of_this_machine_is_read_without_privilege_and_the_second_time_alike() {
    let mut reader = FeatureReader::open().unwrap();
    let first = reader.read(1).unwrap();
    assert_eq!(first.active("loopback"), Some(true));
    assert_eq!(reader.read(1).unwrap(), first);
}

#[test]
fn an_interface_that_is_gone_is_said_to_be_gone() {
    let error = FeatureReader::open().unwrap().read(0x7FFF_FFFF).unwrap_err();
    assert!(matches!(error, EthtoolError::Gone), "{error}");
}

proptest! {
    #[test]
    fn any_reply_can_be_parsed(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = (parse_names(&bytes), parse_features(&bytes, &["a".to_owned()]));
    }

    #[test]
    fn a_reply_with_any_byte_changed_can_be_parsed(at in 0usize..4000, value: u8) {
        for recording in [VETH_NAMES, VETH_BITS] {
            let mut bytes = reply(recording);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            let _ = (parse_names(&bytes), parse_features(&bytes, &["a".to_owned()]));
        }
    }
}
