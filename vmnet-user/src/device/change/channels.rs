//! `ETHTOOL_MSG_CHANNELS_SET` (kernel 5.7): how many channels are in use.

use crate::{
    device::{
        attributes::push_attribute,
        channels::{
            ETHTOOL_A_CHANNELS_COMBINED_COUNT, ETHTOOL_A_CHANNELS_RX_COUNT, ETHTOOL_A_CHANNELS_TX_COUNT,
        },
        ethtool::Ethtool,
        netlink::NetlinkError,
    },
    model::fix::ChannelRequest,
};

// `linux/ethtool_netlink.h`.
const ETHTOOL_MSG_CHANNELS_SET: u8 = 18;

/// Counts that are not in the request stay (`ethnl_set_channels`).
pub(super) fn set(ethtool: &mut Ethtool, ifindex: u32, request: &ChannelRequest) -> Result<(), NetlinkError> {
    ethtool.change(ETHTOOL_MSG_CHANNELS_SET, ifindex, &counts(request))
}

fn counts(request: &ChannelRequest) -> Vec<u8> {
    let mut attributes = Vec::new();
    for (kind, count) in [
        (ETHTOOL_A_CHANNELS_RX_COUNT, request.rx),
        (ETHTOOL_A_CHANNELS_TX_COUNT, request.tx),
        (ETHTOOL_A_CHANNELS_COMBINED_COUNT, request.combined),
    ] {
        if let Some(count) = count {
            push_attribute(&mut attributes, kind, &count.to_ne_bytes());
        }
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::attributes::{attributes, u32_at};

    #[test]
    fn only_what_is_asked_for_is_in_the_message() {
        let message = counts(&ChannelRequest { rx: None, tx: Some(2), combined: Some(3) });
        let found: Vec<_> = attributes(&message).map(|(kind, value)| (kind, u32_at(value, 0))).collect();
        assert_eq!(found, [(7, Some(2)), (9, Some(3))]);
    }
}
