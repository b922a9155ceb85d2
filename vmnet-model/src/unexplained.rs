//! How many payload bytes the audit cannot place.

use std::fmt;

use vmnet_common::{Class, Counters, Stage};

use super::audit::Audit;
use super::identity::{Identity, IdentityId, Unit};
use super::ledger::Entry;
use super::sample::Window;
use super::tally::{TCP_LANES, Tally, cell, lane, scaled_up};

/// Payload that could be in any class.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unexplained {
    /// Queued, and not seen to leave or drop.
    pending_bytes: u64,
    /// What the worst identity leaves open beyond its slack.
    residual_bytes: u64,
    /// That identity and its figures.
    residual: Option<String>,
    /// Missed events, each taken for a super-packet.
    missed_bytes: u64,
    missed: u64,
}

impl Unexplained {
    pub(crate) fn of(window: &Window<'_>, tcp: &Entry, audit: Option<&Audit>) -> Self {
        let mut unexplained = Self { pending_bytes: tcp.pending_bytes, ..Self::default() };
        let delta = window.delta();
        let (Some(audit), Some(counted)) = (audit, delta.as_ref().and_then(|delta| delta.traced.as_deref()))
        else {
            return unexplained;
        };
        let means = Means::of(counted);
        let worst = audit
            .identities
            .iter()
            .filter(|identity| bears_on_the_ledger(identity, audit))
            .map(|identity| (means.residual_bytes(identity, audit), identity))
            .max_by_key(|(bytes, _)| *bytes);
        if let Some((bytes, identity)) = worst.filter(|(bytes, _)| *bytes != 0) {
            unexplained.residual_bytes = bytes;
            unexplained.residual = Some(format!("{} ({})", identity.name, identity.figures()));
        }
        unexplained.missed = audit.missed.packets();
        unexplained.missed_bytes = unexplained.missed.saturating_mul(means.super_packet_bytes);
        unexplained
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.pending_bytes.saturating_add(self.residual_bytes).saturating_add(self.missed_bytes)
    }
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.pending_bytes != 0 {
            parts.push(format!("{} bytes were queued and not seen to leave", self.pending_bytes));
        }
        if let Some(residual) = &self.residual {
            parts.push(format!("{residual} leaves up to {} bytes open", self.residual_bytes));
        }
        if self.missed != 0 {
            parts.push(format!("{} missed events stand for up to {} bytes", self.missed, self.missed_bytes));
        }
        write!(f, "{} unexplained bytes ({})", self.bytes(), parts.join("; "))
    }
}

/// What the sockets say can differ because they send through another interface as well, so it bears on the ledger only
/// where neither end of this interface's path could be checked otherwise.
fn bears_on_the_ledger(identity: &Identity, audit: &Audit) -> bool {
    let measured = |name| audit.identity(name).is_some_and(|identity| identity.ok.is_some());
    identity.name.bears_on_the_ledger()
        || (identity.name == IdentityId::TcpBytesSent
            && !(measured(IdentityId::WireSegments) && measured(IdentityId::DevicePackets)))
}

/// Mean payload, rounded up.
struct Means {
    segment_bytes: u64,
    packet_bytes: u64,
    super_packet_bytes: u64,
}

impl Means {
    fn of(counted: &Counters) -> Self {
        let mean = |class_at: &dyn Fn(Stage, Class) -> (u64, u64)| {
            let (mut bytes, mut count) = (0_u64, 0_u64);
            for stage in [Stage::Queue, Stage::Driver] {
                for class in DATA {
                    let (payload, units) = class_at(stage, class);
                    bytes = bytes.saturating_add(payload);
                    count = count.saturating_add(units);
                }
            }
            scaled_up(bytes, 1, count)
        };
        let tcp = |stage, class| {
            TCP_LANES
                .map(|each| cell(lane(counted, stage, each), class))
                .into_iter()
                .fold((0, 0, 0), |sum, cell| {
                    (sum.0 + cell.payload_bytes, sum.1 + cell.segs, sum.2 + cell.packets)
                })
        };
        let segment_bytes = mean(&|stage, class| {
            let (payload, segs, _) = tcp(stage, class);
            (payload, segs)
        });
        let driver = Tally::of(counted, Stage::Driver, &TCP_LANES);
        let packet_bytes = scaled_up(driver.payload_bytes, 1, driver.packets).max(segment_bytes);
        let super_packet_bytes = mean(&|stage, class| {
            let (payload, _, packets) = tcp(stage, class);
            if class == Class::Super { (payload, packets) } else { (0, 0) }
        });
        Self { segment_bytes, packet_bytes, super_packet_bytes: super_packet_bytes.max(packet_bytes) }
    }

    /// The payload that an identity's residual beyond its slack may stand for.
    fn residual_bytes(&self, identity: &Identity, audit: &Audit) -> u64 {
        let beyond = identity.beyond_slack();
        match (identity.unit, identity.name) {
            (Unit::Bytes, _) => beyond,
            (Unit::Segments, _) => beyond.saturating_mul(self.segment_bytes),
            // The device's bytes say how large its unseen packets were, better than any mean.
            (_, IdentityId::DevicePackets)
                if same_direction(identity, audit.identity(IdentityId::DeviceBytes)) =>
            {
                0
            }
            _ => beyond.saturating_mul(self.packet_bytes),
        }
    }
}

fn same_direction(packets: &Identity, bytes: Option<&Identity>) -> bool {
    let sign = |identity: &Identity| identity.residual.map_or(0, i64::signum);
    bytes.is_some_and(|bytes| bytes.ok == Some(false) && sign(bytes) == sign(packets))
}

const DATA: [Class; 6] =
    [Class::Super, Class::Made, Class::Full, Class::Small, Class::LooseFull, Class::LooseSmall];
