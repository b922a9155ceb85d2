//! The light ledger as a value.

use vmnet_common::{Counters, LANES, Lane, Stage};

use super::solve::{Extent, Solution};
use super::terms::{Amount, Distribution, Terms};
use super::{entry, fill};
use crate::driver_semantics::CountedAs;
use crate::ledger::{Method, Protocol};

/// The ledger of a window, from hooks per super-packet and the kernel's own counters.
#[derive(Clone, Debug)]
pub struct Light {
    /// By lane.
    pub(super) terms: [Terms; LANES],
    pub(super) distributions: [Distribution; LANES],
    pub(super) solution: Solution,
    /// Packets and bytes that the queue and segmentation add up to, for the device.
    pub(super) expected: Amount,
    pub(super) device_bytes: u64,
    pub(super) counted_as: CountedAs,
}

impl Light {
    /// TCP's ledger. The six columns are those of the exact one.
    #[must_use]
    pub fn tcp(&self, counted: &Counters) -> Protocol {
        self.protocol(counted, Lane::Tcp4, Lane::Tcp6).with_median(counted)
    }

    /// UDP's, likewise.
    #[must_use]
    pub fn udp(&self, counted: &Counters) -> Protocol {
        self.protocol(counted, Lane::Udp4, Lane::Udp6)
    }

    /// How it is known what was segmented.
    #[must_use]
    pub fn method(&self) -> Method {
        self.solution.method
    }

    /// Puts what became of the packets where the hooks at the driver would have counted it: their classes and sums are the same.
    pub(crate) fn fill(&self, counted: &mut Counters) {
        for (lane, terms) in self.terms.iter().enumerate() {
            counted.stages[Stage::Driver as usize][lane] = fill::taken(terms, &self.solution.lanes[lane]);
        }
    }

    /// Whether what the device counted only says how much was segmented, and so is no second source.
    pub(crate) fn uses_up_the_device(&self) -> bool {
        self.solution.lanes.iter().any(|lane| lane.extent == Extent::Between)
    }

    /// What the device counted, as bytes of skbs: without a frame check sequence, with the link header.
    pub(crate) fn device_bytes(&self) -> u64 {
        self.device_bytes
    }

    /// Whether the device counts wire segments.
    pub(crate) fn counted_as(&self) -> CountedAs {
        self.counted_as
    }

    /// What the device should have counted, as packets (skbs, or wire segments where it counts those) and bytes of skbs: what was
    /// queued and not dropped, and what segmentation added.
    #[must_use]
    pub fn expected(&self) -> (u64, u64) {
        (self.expected.packets, self.expected.bytes)
    }

    fn protocol(&self, counted: &Counters, ipv4: Lane, ipv6: Lane) -> Protocol {
        let [ipv4, ipv6] = [ipv4, ipv6].map(|lane| {
            let (place, terms) = (lane as usize, &self.terms[lane as usize]);
            entry::of(counted, lane, terms, &self.solution, &self.distributions[place])
        });
        Protocol::of_families(ipv4, ipv6)
    }
}
