//! Rare events, decoded from the ring buffer's bytes.

use bytes::Buf;
use vmnet_common::{Event, EventKind};

use crate::model::event::What;

/// A rare event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RareEvent {
    /// CLOCK_MONOTONIC.
    pub time_ns: u64,
    /// The CPU that saw it.
    pub cpu: u32,
    /// What happened.
    pub what: What,
}

/// Decodes one record. None if it is of another length, or of a kind that this version does not know.
#[must_use]
pub fn decode(mut record: &[u8]) -> Option<RareEvent> {
    if record.len() != size_of::<Event>() {
        return None;
    }
    let time_ns = record.get_u64_ne();
    let kind = record.get_u32_ne();
    let cpu = record.get_u32_ne();
    let (a, b) = (record.get_u64_ne(), record.get_u64_ne());
    let what = if kind == EventKind::SegmentationError as u32 {
        What::SegmentationError { errno: a.wrapping_neg(), len: b }
    } else if kind == EventKind::FeaturesChanged as u32 {
        What::FeaturesChanged { was: a, is: b }
    } else if kind == EventKind::UnmatchedExit as u32 {
        What::UnmatchedExit { function: a }
    } else {
        return None;
    };
    Some(RareEvent { time_ns, cpu, what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_the_journey() {
        let event = Event {
            time_ns: 7,
            kind: EventKind::SegmentationError as u32,
            cpu: 3,
            a: (-12_i64).cast_unsigned(),
            b: 60_000,
        };
        let decoded = decode(bytemuck::bytes_of(&event)).unwrap();
        assert_eq!(
            decoded,
            RareEvent { time_ns: 7, cpu: 3, what: What::SegmentationError { errno: 12, len: 60_000 } }
        );
    }

    #[test]
    fn records_of_another_length_or_kind_are_left_alone() {
        let event = Event { time_ns: 0, kind: 99, cpu: 0, a: 0, b: 0 };
        assert_eq!(decode(bytemuck::bytes_of(&event)), None);
        assert_eq!(decode(&[0; 31]), None);
    }
}
