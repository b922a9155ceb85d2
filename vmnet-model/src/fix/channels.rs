//! Channels of a device (`ethtool -l`): how many of its queues are in use, and how many there could be.

use serde::{Deserialize, Serialize};

/// Channels by what they serve. A driver has combined ones (virtio-net), or separate ones (veth); what it has none of is None.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelState {
    /// Those that only receive.
    pub rx: Option<ChannelCount>,
    /// Those that only transmit.
    pub tx: Option<ChannelCount>,
    /// Those that do both.
    pub combined: Option<ChannelCount>,
}

/// Channels of one sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelCount {
    /// In use.
    pub count: u32,
    /// As many as the driver can have.
    pub most: u32,
}

impl ChannelState {
    /// Those that transmit: combined and transmit-only ones together. None where the driver tells of neither.
    #[must_use]
    pub fn transmit(&self) -> Option<ChannelCount> {
        match (self.combined, self.tx) {
            (Some(combined), Some(tx)) => Some(ChannelCount {
                count: combined.count.saturating_add(tx.count),
                most: combined.most.saturating_add(tx.most),
            }),
            (one, other) => one.or(other),
        }
    }

    /// What leads from `now` to these counts; a sort that either of them has none of is left alone.
    #[must_use]
    pub fn request_from(&self, now: &Self) -> ChannelRequest {
        let differs = |wanted: Option<ChannelCount>, now: Option<ChannelCount>| {
            let (wanted, now) = (wanted?, now?);
            (wanted.count != now.count).then_some(wanted.count)
        };
        ChannelRequest {
            rx: differs(self.rx, now.rx),
            tx: differs(self.tx, now.tx),
            combined: differs(self.combined, now.combined),
        }
    }
}

/// Channels to be set, all at once (a driver may refuse what is only half of it); None: not touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelRequest {
    /// Those that only receive.
    pub rx: Option<u32>,
    /// Those that only transmit.
    pub tx: Option<u32>,
    /// Those that do both.
    pub combined: Option<u32>,
}

impl ChannelRequest {
    /// Nothing to be set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_have_and_differs_is_asked_for() {
        let of = |count| Some(ChannelCount { count, most: 8 });
        let now = ChannelState { rx: of(2), tx: of(2), combined: None };
        let wanted = ChannelState { rx: of(2), tx: of(4), combined: of(4) };
        let request = wanted.request_from(&now);
        assert_eq!(request, ChannelRequest { rx: None, tx: Some(4), combined: None });
        assert!(now.request_from(&now).is_empty());
    }

    #[test]
    fn combined_channels_and_those_that_transmit_alone_are_queues_together() {
        let of = |count, most| Some(ChannelCount { count, most });
        let both = ChannelState { rx: of(1, 1), tx: of(1, 2), combined: of(3, 8) };
        assert_eq!(both.transmit(), of(4, 10));
        assert_eq!(ChannelState { combined: None, ..both }.transmit(), of(1, 2));
        assert_eq!(ChannelState { rx: of(1, 1), ..ChannelState::default() }.transmit(), None);
    }
}
