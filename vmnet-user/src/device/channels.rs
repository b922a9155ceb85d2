//! Channels (`ethtool -l`) and link speed, over ethtool netlink.

use super::{
    attributes::{attribute, u32_at},
    ethtool::{Ethtool, EthtoolError},
};
use crate::model::fix::{ChannelCount, ChannelState};

// `linux/ethtool_netlink.h`.
const ETHTOOL_MSG_LINKMODES_GET: u8 = 4;
const ETHTOOL_MSG_CHANNELS_GET: u8 = 17;
const ETHTOOL_A_LINKMODES_SPEED: u16 = 5;
const ETHTOOL_A_CHANNELS_RX_MAX: u16 = 2;
const ETHTOOL_A_CHANNELS_TX_MAX: u16 = 3;
const ETHTOOL_A_CHANNELS_COMBINED_MAX: u16 = 5;
pub(super) const ETHTOOL_A_CHANNELS_RX_COUNT: u16 = 6;
pub(super) const ETHTOOL_A_CHANNELS_TX_COUNT: u16 = 7;
pub(super) const ETHTOOL_A_CHANNELS_COMBINED_COUNT: u16 = 9;
const WHAT: &str = "channels";
/// `linux/ethtool.h`: `SPEED_UNKNOWN`.
const SPEED_UNKNOWN: u32 = u32::MAX;

/// Channels that transmit: (in use, at most). Combined and transmit-only ones together; drivers have one sort or the other.
///
/// # Errors
/// [`EthtoolError::Unsupported`] where the driver has none to tell of.
pub fn transmit_channels(ifindex: u32) -> Result<(u32, u32), EthtoolError> {
    let transmit = read(&mut Ethtool::open()?, ifindex)?.transmit();
    let channels = transmit.ok_or(EthtoolError::Unsupported { what: WHAT })?;
    Ok((channels.count, channels.most))
}

/// All channels, by what they serve.
///
/// # Errors
/// [`EthtoolError::Unsupported`] where the driver has none to tell of.
pub(super) fn read(ethtool: &mut Ethtool, ifindex: u32) -> Result<ChannelState, EthtoolError> {
    let reply = ethtool.get(ETHTOOL_MSG_CHANNELS_GET, WHAT, ifindex, 0)?;
    let channels = parse_channels(&reply);
    // A driver that has neither (a maximum of 0 is not told, `channels_fill_reply`) has nothing to be set.
    if channels == ChannelState::default() {
        return Err(EthtoolError::Unsupported { what: WHAT });
    }
    Ok(channels)
}

/// Mbit/s. Asked over netlink rather than `/sys`, which may be another namespace's.
///
/// # Errors
/// [`EthtoolError::Unsupported`] where the driver does not tell, or does not know (virtio-net without SPEED_DUPLEX).
pub fn link_speed_mbps(ifindex: u32) -> Result<u32, EthtoolError> {
    const WHAT: &str = "link speed";
    let reply = Ethtool::open()?.get(ETHTOOL_MSG_LINKMODES_GET, WHAT, ifindex, 0)?;
    parse_speed(&reply).ok_or(EthtoolError::Unsupported { what: WHAT })
}

pub(super) fn parse_channels(reply: &[u8]) -> ChannelState {
    let number = |kind| attribute(reply, kind).and_then(|value| u32_at(value, 0));
    let sort = |count, most| Some(ChannelCount { count: number(count)?, most: number(most)? });
    ChannelState {
        rx: sort(ETHTOOL_A_CHANNELS_RX_COUNT, ETHTOOL_A_CHANNELS_RX_MAX),
        tx: sort(ETHTOOL_A_CHANNELS_TX_COUNT, ETHTOOL_A_CHANNELS_TX_MAX),
        combined: sort(ETHTOOL_A_CHANNELS_COMBINED_COUNT, ETHTOOL_A_CHANNELS_COMBINED_MAX),
    }
}

pub(super) fn parse_speed(reply: &[u8]) -> Option<u32> {
    let speed = u32_at(attribute(reply, ETHTOOL_A_LINKMODES_SPEED)?, 0)?;
    (speed != SPEED_UNKNOWN && speed != 0).then_some(speed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::device::attributes::push_attribute;

    fn reply(values: &[(u16, u32)]) -> Vec<u8> {
        let mut reply = Vec::new();
        for (kind, value) in values {
            push_attribute(&mut reply, *kind, &value.to_ne_bytes());
        }
        reply
    }

    fn of(count: u32, most: u32) -> Option<ChannelCount> {
        Some(ChannelCount { count, most })
    }

    #[test]
    fn combined_channels_are_those_in_use_and_those_there_could_be() {
        let combined = reply(&[(ETHTOOL_A_CHANNELS_COMBINED_MAX, 8), (ETHTOOL_A_CHANNELS_COMBINED_COUNT, 4)]);
        assert_eq!(parse_channels(&combined), ChannelState { combined: of(4, 8), ..ChannelState::default() });
    }

    #[test]
    fn a_driver_with_separate_channels_has_its_transmit_ones_counted() {
        // veth: 2 of 4.
        let separate =
            reply(&[(ETHTOOL_A_CHANNELS_TX_MAX, 4), (ETHTOOL_A_CHANNELS_TX_COUNT, 2), (2, 1), (6, 1)]);
        let channels = parse_channels(&separate);
        assert_eq!(channels, ChannelState { rx: of(1, 1), tx: of(2, 4), combined: None });
        assert_eq!(channels.transmit(), of(2, 4));
        let receive = parse_channels(&reply(&[(2, 1), (6, 1)]));
        assert_eq!(receive.transmit(), None, "receive channels alone");
    }

    #[test]
    fn an_unknown_speed_is_no_speed() {
        assert_eq!(parse_speed(&reply(&[(ETHTOOL_A_LINKMODES_SPEED, 25_000)])), Some(25_000));
        assert_eq!(parse_speed(&reply(&[(ETHTOOL_A_LINKMODES_SPEED, SPEED_UNKNOWN)])), None);
        assert_eq!(parse_speed(&[]), None);
    }

    #[test]
    fn the_loopback_device_has_neither_channels_nor_speed_and_the_kernel_says_so() {
        assert!(matches!(transmit_channels(1), Err(EthtoolError::Unsupported { .. })));
        assert!(matches!(link_speed_mbps(1), Err(EthtoolError::Unsupported { .. })));
    }

    proptest! {
        #[test]
        fn any_reply_can_be_parsed(bytes in proptest::collection::vec(any::<u8>(), 0..128)) {
            let _ = (parse_channels(&bytes), parse_speed(&bytes));
        }
    }
}
