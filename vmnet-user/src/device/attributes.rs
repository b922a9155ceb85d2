//! Picking fields out of netlink bytes. Nothing here panics, whatever the bytes are: what is not there is `None`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLA_HEADER_SIZE, NlasIterator};

/// The attributes of `bytes` up to the first malformed one, as (type without flags, value).
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    NlasIterator::new(bytes).map_while(Result::ok).filter_map(|attribute| {
        let (kind, end) = (attribute.kind(), usize::from(attribute.length()));
        Some((kind, attribute.into_inner().get(NLA_HEADER_SIZE..end)?))
    })
}

/// The value of the first attribute of that type.
pub(super) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// A string attribute's text, up to its terminating zero.
pub(super) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned()
}

/// The 16 bits at `offset`, in the machine's byte order.
pub(super) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(array_at(bytes, offset)?))
}

/// The 32 bits at `offset`, in the machine's byte order.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(array_at(bytes, offset)?))
}

/// The 64 bits at `offset`, in the machine's byte order.
pub(super) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(array_at(bytes, offset)?))
}

/// The `N` bytes at `offset`.
pub(super) fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset.checked_add(N)?)?.try_into().ok()
}

/// An IP address by how long it is.
pub(super) fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(Ipv4Addr::from(array_at::<4>(bytes, 0)?).into()),
        16 => Some(Ipv6Addr::from(array_at::<16>(bytes, 0)?).into()),
        _ => None,
    }
}

/// An IP address as it lies in a packet.
pub(super) fn bytes_of(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// Appends an attribute, padded as netlink wants it. `value` is at most a name or a few numbers here.
pub(super) fn push_attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(NLA_HEADER_SIZE + value.len()).unwrap_or(u16::MAX);
    message.extend_from_slice(&length.to_ne_bytes());
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_pushed_is_found_again_whatever_its_length() {
        let mut message = Vec::new();
        push_attribute(&mut message, 1, b"a");
        push_attribute(&mut message, 2 | netlink_packet_core::NLA_F_NESTED, &[]);
        push_attribute(&mut message, 3, &7u64.to_ne_bytes());
        let found: Vec<_> = attributes(&message).collect();
        assert_eq!(found, [(1, &b"a"[..]), (2, &[]), (3, &7u64.to_ne_bytes())]);
    }

    #[test]
    fn an_attribute_longer_than_the_message_ends_the_walk_and_keeps_what_came_before() {
        let mut message = Vec::new();
        push_attribute(&mut message, 1, b"kept");
        message.extend_from_slice(&[200, 0, 2, 0, 1, 2, 3, 4]);
        assert_eq!(attributes(&message).collect::<Vec<_>>(), [(1, &b"kept"[..])]);
    }

    #[test]
    fn an_attribute_shorter_than_its_own_header_ends_the_walk() {
        assert_eq!(attributes(&[2, 0, 1, 0, 0, 0, 0, 0]).count(), 0);
    }

    #[test]
    fn numbers_past_the_end_are_absent() {
        assert_eq!(u32_at(&[1, 2, 3], 0), None);
        assert_eq!(u32_at(&[1, 2, 3, 4], usize::MAX), None);
        assert_eq!(text(b"eth0\0junk"), "eth0");
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_walked(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let walked: usize = attributes(&bytes).map(|(_, value)| NLA_HEADER_SIZE + value.len()).sum();
            prop_assert!(walked <= bytes.len());
        }
    }
}
