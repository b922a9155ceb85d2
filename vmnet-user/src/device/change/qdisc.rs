//! The transmit qdiscs of a device with their options as they are, and changing those.

use netlink_packet_core::NLA_F_NESTED;

use super::{cake, tbf};
use crate::{
    device::{
        attributes::{attribute, push_attribute, text, u32_at},
        netlink::{Netlink, NetlinkError},
    },
    model::fix::{QdiscState, Splits},
};

/// `struct tcmsg`.
const TCMSG_BYTES: usize = 20;
/// `linux/pkt_sched.h`: the parent of `ingress` and `clsact`, which transmit nothing.
const TC_H_INGRESS: u32 = 0xFFFF_FFF1;

pub(super) fn read(route: &mut Netlink, ifindex: u32) -> Result<Vec<QdiscState>, NetlinkError> {
    let messages = route.dump(libc::RTM_GETQDISC, &[0; TCMSG_BYTES])?;
    Ok(messages.iter().filter_map(|message| parse(message, ifindex)).collect())
}

/// None for other interfaces' and for what receives.
pub(super) fn parse(message: &[u8], ifindex: u32) -> Option<QdiscState> {
    let (handle, parent) = (u32_at(message, 8)?, u32_at(message, 12)?);
    if u32_at(message, 4)? != ifindex || parent == TC_H_INGRESS {
        return None;
    }
    let values = message.get(TCMSG_BYTES..)?;
    let kind = text(attribute(values, libc::TCA_KIND)?);
    let options = attribute(values, libc::TCA_OPTIONS).unwrap_or_default().to_vec();
    let splits = match kind.as_str() {
        "tbf" => tbf::splits(&options).unwrap_or(Splits::No),
        "cake" => Splits::SplitGso { on: cake::splits_gso(&options) },
        _ => Splits::No,
    };
    Some(QdiscState { kind, handle, parent, options, splits })
}

/// `tc qdisc change`: without NLM_F_CREATE and NLM_F_REPLACE, so that it only ever changes the very qdisc that is meant.
pub(super) fn change(
    route: &mut Netlink,
    ifindex: u32,
    handle: u32,
    parent: u32,
    kind: &str,
    options: &[u8],
) -> Result<(), NetlinkError> {
    let mut message = vec![0; 4];
    message.extend([ifindex, handle, parent, 0].into_iter().flat_map(u32::to_ne_bytes));
    let mut name = kind.as_bytes().to_vec();
    name.push(0);
    push_attribute(&mut message, libc::TCA_KIND, &name);
    push_attribute(&mut message, libc::TCA_OPTIONS | NLA_F_NESTED, options);
    route.change(libc::RTM_NEWQDISC, 0, &message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listed(ifindex: u32, parent: u32, kind: &[u8], options: &[u8]) -> Vec<u8> {
        let mut message = vec![0; 4];
        message.extend([ifindex, 0x8001_0000, parent, 0].into_iter().flat_map(u32::to_ne_bytes));
        push_attribute(&mut message, libc::TCA_KIND, kind);
        push_attribute(&mut message, libc::TCA_OPTIONS, options);
        message
    }

    #[test]
    fn only_this_interfaces_own_and_only_what_transmits() {
        let kind = |ifindex, parent| parse(&listed(ifindex, parent, b"pfifo\0", &[1, 2, 3, 4]), 7);
        assert_eq!(kind(8, u32::MAX), None);
        assert_eq!(kind(7, TC_H_INGRESS), None);
        let found = kind(7, u32::MAX).unwrap();
        assert_eq!(
            (found.kind.as_str(), found.options, found.splits),
            ("pfifo", vec![1, 2, 3, 4], Splits::No)
        );
    }

    proptest! {
        #[test]
        fn any_message_can_be_parsed(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, 7);
            for kind in [&b"tbf\0"[..], b"cake\0"] {
                let _ = parse(&listed(7, u32::MAX, kind, &bytes), 7);
            }
        }
    }
}
