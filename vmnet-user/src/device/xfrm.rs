//! What IPsec encrypts, and where that goes (`XFRM_MSG_GETPOLICY`, as `ip xfrm policy`). It takes CAP_NET_ADMIN.

use std::net::IpAddr;

use netlink_sys::protocols::NETLINK_XFRM;

use super::{
    attributes::{address, attribute, u16_at, u32_at},
    netlink::Netlink,
    wireguard::contains,
};

// `linux/xfrm.h`.
const XFRM_MSG_GETPOLICY: u16 = 0x15;
const XFRM_POLICY_OUT: u8 = 1;
const XFRM_POLICY_ALLOW: u8 = 0;
const XFRMA_TMPL: u16 = 5;
const XFRMA_IF_ID: u16 = 31;
const XFRM_MODE_TUNNEL: u8 = 1;
/// `struct xfrm_userpolicy_id`.
const POLICY_ID_BYTES: usize = 64;
/// `struct xfrm_userpolicy_info`, and what is read of it and of its selector.
const POLICY_INFO_BYTES: usize = 168;
const FAMILY_AT: usize = 40;
const DIRECTION_AT: usize = 160;
/// `struct xfrm_user_tmpl`.
const TEMPLATE_MODE_AT: usize = 48;
const TEMPLATE_FAMILY_AT: usize = 24;

/// What leaves encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Where to, with the length of the prefix.
    pub destination: (IpAddr, u8),
    /// From where.
    pub source: (IpAddr, u8),
    /// Of the xfrm interface that it holds for; 0 for what leaves by no such.
    pub if_id: u32,
    /// The other end of its tunnel; None in transport mode.
    pub remote: Option<IpAddr>,
}

/// Those of this thread's network namespace; none where they cannot be asked for.
#[must_use]
pub fn policies() -> Vec<Policy> {
    let messages = Netlink::open(NETLINK_XFRM)
        .and_then(|mut netlink| netlink.dump(XFRM_MSG_GETPOLICY, &[0; POLICY_ID_BYTES]));
    messages.unwrap_or_default().iter().filter_map(|message| parse(message)).collect()
}

/// The policy for packets to and from there, by an xfrm interface of that number or by none.
#[must_use]
pub fn of(policies: &[Policy], if_id: u32, to: IpAddr, from: Option<IpAddr>) -> Option<&Policy> {
    policies.iter().find(|policy| {
        let (network, bits) = policy.source;
        policy.if_id == if_id
            && contains(policy.destination.0, policy.destination.1, to)
            && from.is_none_or(|from| contains(network, bits, from))
    })
}

fn parse(message: &[u8]) -> Option<Policy> {
    let info = message.get(..POLICY_INFO_BYTES)?;
    let [direction, action] = [*info.get(DIRECTION_AT)?, *info.get(DIRECTION_AT + 1)?];
    if direction != XFRM_POLICY_OUT || action != XFRM_POLICY_ALLOW {
        return None;
    }
    let family = u16_at(info, FAMILY_AT)?;
    let [to_bits, from_bits] = [*info.get(FAMILY_AT + 2)?, *info.get(FAMILY_AT + 3)?];
    let attributes = message.get(POLICY_INFO_BYTES..)?;
    // Without one it is a policy to leave packets alone.
    let template = attribute(attributes, XFRMA_TMPL)?;
    let is_tunnel = *template.get(TEMPLATE_MODE_AT)? == XFRM_MODE_TUNNEL;
    let outside = u16_at(template, TEMPLATE_FAMILY_AT).unwrap_or(family);
    Some(Policy {
        destination: (address_of(info.get(..16)?, family)?, to_bits),
        source: (address_of(info.get(16..32)?, family)?, from_bits),
        if_id: attribute(attributes, XFRMA_IF_ID).and_then(|value| u32_at(value, 0)).unwrap_or(0),
        remote: if is_tunnel { address_of(template.get(..16)?, outside) } else { None },
    })
}

/// `xfrm_address_t`: of IPv4, the first four bytes.
fn address_of(bytes: &[u8], family: u16) -> Option<IpAddr> {
    address(if i32::from(family) == libc::AF_INET { bytes.get(..4)? } else { bytes })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::attributes::push_attribute;
    use super::*;

    fn policy(mode: u8, if_id: u32) -> Vec<u8> {
        let mut message = vec![0; POLICY_INFO_BYTES];
        message[..4].copy_from_slice(&[10, 8, 0, 0]);
        message[16..20].copy_from_slice(&[10, 7, 0, 1]);
        message[FAMILY_AT..FAMILY_AT + 2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        (message[FAMILY_AT + 2], message[FAMILY_AT + 3]) = (24, 32);
        message[DIRECTION_AT] = XFRM_POLICY_OUT;
        let mut template = vec![0; 64];
        template[..4].copy_from_slice(&[192, 0, 2, 2]);
        template[TEMPLATE_FAMILY_AT..TEMPLATE_FAMILY_AT + 2]
            .copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        template[TEMPLATE_MODE_AT] = mode;
        push_attribute(&mut message, XFRMA_TMPL, &template);
        push_attribute(&mut message, XFRMA_IF_ID, &if_id.to_ne_bytes());
        message
    }

    #[test]
    fn a_policy_is_for_the_addresses_and_the_interface_that_it_names() {
        let found = [parse(&policy(XFRM_MODE_TUNNEL, 0)).unwrap(), parse(&policy(0, 42)).unwrap()];
        let [to, from, other] = [[10, 8, 0, 2], [10, 7, 0, 1], [10, 9, 0, 2]].map(IpAddr::from);
        assert_eq!(of(&found, 0, to, Some(from)).unwrap().remote, Some(IpAddr::from([192, 0, 2, 2])));
        assert_eq!(of(&found, 42, to, None).unwrap().remote, None);
        assert_eq!(of(&found, 0, other, None), None);
        assert_eq!(of(&found, 0, to, Some(other)), None);
        assert_eq!(of(&found, 7, to, Some(from)), None);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..320)) {
            let _ = parse(&bytes);
        }
    }
}
