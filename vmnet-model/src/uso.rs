//! The same question for UDP: is what programs hand over in one piece (UDP_SEGMENT, as QUIC does) segmented by the device (USO)?

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::ledger::Entry;
use super::state::{Confidence, MIN_BULK_BYTES, MOST_PERCENT, State};
use crate::fact::Why;
use crate::null_because;

null_because! {
    nothing_built: Why::is("UDP had no super-packets");
}

/// The answer for UDP. Singles have no part in it: unlike TCP, UDP builds nothing by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UdpVerdict {
    /// The answer: never [`State::NotBuilt`].
    pub state: State,
    /// How far to trust it: no further than TCP's, as the same audit bears it out.
    pub confidence: Confidence,
    /// Payload that was handed over in super-packets.
    pub built_bytes: u64,
    /// Of that, what the driver got whole, 0 to 1; None where there was none.
    #[serde(serialize_with = "nothing_built")]
    pub hardware_share: Option<f64>,
    /// What the CPU segmented.
    #[serde(serialize_with = "nothing_built")]
    pub software_share: Option<f64>,
    /// One sentence.
    pub summary: String,
    /// Why it is segmented by the CPU; empty where it is not, or nothing is known to be the reason.
    pub causes: Vec<Cause>,
}

impl UdpVerdict {
    /// From UDP's part of the ledger, and how far TCP's verdict of the same run is to be trusted. Causes are for the caller to add.
    #[must_use]
    pub fn of(interface: &str, udp: &Entry, tcp: Confidence, audit_holds: bool) -> Self {
        let built = udp.built_bytes();
        let at = |software: u64| {
            let at_least = |part: u64| u128::from(part) * 100 >= u128::from(built) * u128::from(MOST_PERCENT);
            let software = software.min(built);
            match () {
                () if built < MIN_BULK_BYTES => State::NothingToOffload,
                () if at_least(built - software) => State::Engaged,
                () if at_least(software) => State::Software,
                () => State::Partial,
            }
        };
        let seen = at(udp.software_bytes);
        let bounds = [udp.software_bytes_at_least, udp.software_bytes_at_most].map(at);
        let is_open = bounds.iter().any(|state| *state != seen);
        let (state, confidence) = match tcp {
            _ if is_open => (State::Inconclusive, Confidence::Weak),
            Confidence::Proven => (seen, Confidence::Proven),
            _ if audit_holds => (seen, Confidence::Supported),
            _ => (State::Inconclusive, Confidence::Weak),
        };
        let share = |part: u64| (built > 0).then(|| part.min(built) as f64 / built as f64);
        Self {
            state,
            confidence,
            built_bytes: built,
            hardware_share: share(udp.hardware_bytes),
            software_share: share(udp.software_bytes),
            summary: match state {
                State::Engaged => format!("UDP super-packets left {interface} whole"),
                State::Software => {
                    format!("USO is not happening on {interface}: the CPU segmented every UDP super-packet")
                }
                State::Partial => {
                    format!("USO is active for only part of the UDP super-packets on {interface}")
                }
                State::NothingToOffload | State::NotBuilt => {
                    format!(
                        "no program handed UDP super-packets (UDP_SEGMENT) to {interface}, or too few to judge by"
                    )
                }
                State::Inconclusive => {
                    format!("whether USO is happening on {interface} could not be determined")
                }
            },
            causes: Vec::new(),
        }
    }

    /// Whether the CPU segmented any of it.
    #[must_use]
    pub fn is_segmented(&self) -> bool {
        self.software_share.is_some_and(|share| share > 0.0) && self.state != State::NothingToOffload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(hardware: u64, software: u64, [least, most]: [u64; 2], confidence: Confidence) -> UdpVerdict {
        let udp = Entry {
            hardware_bytes: hardware,
            software_bytes: software,
            software_bytes_at_least: least,
            software_bytes_at_most: most,
            ..Entry::default()
        };
        UdpVerdict::of("ens4", &udp, confidence, true)
    }

    #[test]
    fn each_state_of_udp_follows_from_what_was_built() {
        const M: u64 = 1 << 20;
        for (hardware, software, state) in [
            (100 * M, 0, State::Engaged),
            (0, 100 * M, State::Software),
            (50 * M, 50 * M, State::Partial),
            (M / 2, 0, State::NothingToOffload),
            (0, 0, State::NothingToOffload),
        ] {
            let of = judged(hardware, software, [software; 2], Confidence::Proven);
            assert_eq!((of.state, of.confidence), (state, Confidence::Proven), "{of:?}");
        }
        assert_eq!(judged(0, 0, [0; 2], Confidence::Proven).hardware_share, None);
    }

    #[test]
    fn what_is_open_is_not_told_as_known() {
        const M: u64 = 1 << 20;
        let open = judged(100 * M, 0, [0, 100 * M], Confidence::Proven);
        assert_eq!((open.state, open.confidence), (State::Inconclusive, Confidence::Weak));
        let supported = judged(100 * M, 0, [0, 0], Confidence::Supported);
        assert_eq!((supported.state, supported.confidence), (State::Engaged, Confidence::Supported));
    }
}
