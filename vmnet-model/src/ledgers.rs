//! Both protocols' ledgers of a window.

use vmnet_common::{Counters, Lane};

use super::delta::Delta;
use super::ledger::Protocol;
use super::tally::TCP_LANES;

/// Both protocols' ledgers.
#[derive(Clone, Debug)]
pub struct Ledgers {
    /// TCP's.
    pub tcp: Protocol,
    /// UDP's.
    pub udp: Protocol,
}

impl Ledgers {
    /// Of a window's difference, as its packets were counted.
    #[must_use]
    pub fn of(delta: &Delta, counted: &Counters) -> Self {
        let mut ledgers = match &delta.light {
            Some(Ok(light)) => Self { tcp: light.tcp(counted), udp: light.udp(counted) },
            Some(Err(_)) | None => Self { tcp: Protocol::tcp(counted), udp: Protocol::udp(counted) },
        };
        let retransmitted = |lanes: &[Lane]| delta.retransmitted_bytes(counted, lanes);
        let tcp = &mut ledgers.tcp;
        tcp.ipv4.retransmitted_bytes = retransmitted(&[Lane::Tcp4]);
        tcp.ipv6.retransmitted_bytes = retransmitted(&[Lane::Tcp6]);
        tcp.total.retransmitted_bytes = retransmitted(&TCP_LANES);
        for row in [&mut ledgers.udp.ipv4, &mut ledgers.udp.ipv6, &mut ledgers.udp.total] {
            row.retransmitted_bytes = Some(0);
        }
        ledgers
    }
}
