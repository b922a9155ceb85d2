//! `RTM_SETLINK` with GSO limits.

use crate::{
    device::{
        attributes::push_attribute,
        netlink::{Netlink, NetlinkError},
    },
    model::fix::LimitRequest,
};

/// `struct ifinfomsg`.
const IFINFOMSG_BYTES: usize = 16;
/// Since kernel 6.3, `linux/if_link.h`.
const IFLA_GSO_IPV4_MAX_SIZE: u16 = 63;

/// `do_setlink` takes them in an order of its own, `gso_max_size` before `gso_ipv4_max_size`, whatever the message's.
pub(super) fn set(route: &mut Netlink, ifindex: u32, request: &LimitRequest) -> Result<(), NetlinkError> {
    // No flags and no mask of flags: up and down stay as they are.
    let mut message = vec![0; IFINFOMSG_BYTES];
    message.splice(4..8, ifindex.to_ne_bytes());
    let limits = [
        (libc::IFLA_GSO_MAX_SIZE, request.gso_max_size),
        (IFLA_GSO_IPV4_MAX_SIZE, request.gso_ipv4_max_size),
        (libc::IFLA_GSO_MAX_SEGS, request.gso_max_segs),
    ];
    for (kind, value) in limits {
        if let Some(value) = value {
            push_attribute(&mut message, kind, &value.to_ne_bytes());
        }
    }
    route.change(libc::RTM_SETLINK, 0, &message)
}
