//! Who says what: the programs, the qdisc against the device, and the device alone.

use vmnet_common::{Lane, Stage};

use super::delta::Delta;
use super::driver_semantics::{CountedAs, DriverRow};
use super::ledger::Entry;
use super::sample::Window;
use super::state::{Says, State, Witness};
use super::tally::Tally;
use super::units::share;

/// Wire segments per packet of the device, up to which no super-packets can be seen in it.
pub(crate) const NO_SUPER_PACKETS_UP_TO: f64 = 1.03;
/// And from which they plainly can.
pub(crate) const SUPER_PACKETS_FROM: f64 = 1.10;
/// Ethernet with two VLAN tags: no single is longer than this and the MTU.
pub(crate) const LONGEST_LINK_HEADER_BYTES: u32 = 22;
/// A mean this close to the MTU leaves little room for super-packets beside small packets.
pub(crate) const FULL_FRAMES_FROM: f64 = 0.9;
/// With fewer packets of the device, what else it sent outweighs.
const FEWEST_PACKETS: u64 = 64;
/// How far kernel counters may be from what the ledger predicts and still agree.
const AGREEMENT: f64 = 0.05;

/// What the witnesses say.
pub(crate) struct Findings {
    pub(crate) witnesses: Vec<Witness>,
    /// Whether the qdisc and the device agree with the programs.
    pub(crate) kernel_counters: Agreement,
    /// Two witnesses that contradict each other, in words.
    pub(crate) disagreement: Option<String>,
}

/// Whether one witness agrees with the programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Agreement {
    Agrees,
    /// Neither clearly agrees nor contradicts.
    Differs(String),
    /// Has nothing to say, and why.
    Silent(String),
}

/// What the kernel's own counters say of a time, without programs.
#[derive(Clone, Debug)]
pub(crate) struct KernelCounters {
    /// Wire segments per packet of the device; why not, where unknown.
    pub(crate) segments_per_packet: Result<f64, String>,
    /// Mean length of the device's packets, bytes; None where it sent none.
    pub(crate) mean_packet_bytes: Option<f64>,
    /// Packets and bytes of the device; None where its counters went backwards.
    pub(crate) sent: Option<(u64, u64)>,
    /// Each packet that the device counts is one segment, whatever its driver was given: neither ratio nor length then tells.
    pub(crate) counts_segments: bool,
    /// So it may be: a driver of hardware that is not known, and no programs that would show it.
    pub(crate) may_count_segments: bool,
}

const COUNTS_SEGMENTS: &str = "the device counts segments, whatever its driver was given";

impl KernelCounters {
    pub(crate) fn of(window: &Window<'_>, delta: &Delta) -> Self {
        let row = window.conditions.driver;
        let semantics = match (row, delta.traced.as_deref(), &delta.link) {
            (DriverRow::Known(semantics), ..) => Some(semantics),
            (_, Some(counted), Some(link)) if delta.light.is_none() => Some(row.or_nearest(counted, link)),
            _ => None,
        };
        let counts_segments = semantics.is_some_and(|of| of.packets == CountedAs::WireSegments);
        let may_count_segments =
            window.conditions.terminal && row == DriverRow::AskTheFirstWindow && delta.traced.is_none();
        let sent = delta.link.map(|link| (link.tx_packets, link.tx_bytes));
        let (packets, bytes) = sent.unwrap_or_default();
        let segments_per_packet = match delta.qdisc {
            None => Err("there is no qdisc, or it was replaced".to_owned()),
            Some(qdisc) if qdisc.may_segment => Err("the qdisc segments by itself".to_owned()),
            Some(_) if counts_segments => Err(COUNTS_SEGMENTS.to_owned()),
            Some(_) if packets < FEWEST_PACKETS => Err(format!("the device sent {packets} packets")),
            Some(qdisc) => share(qdisc.packets, packets).ok_or_else(|| "the device sent nothing".to_owned()),
        };
        Self {
            segments_per_packet,
            mean_packet_bytes: share(bytes, packets),
            sent,
            counts_segments,
            may_count_segments,
        }
    }
}

/// The longest that a single can be on this interface, bytes.
pub(crate) fn longest_single_bytes(mtu: u32) -> f64 {
    f64::from(mtu) + f64::from(LONGEST_LINK_HEADER_BYTES)
}

/// The witnesses where programs counted.
pub(crate) fn all(window: &Window<'_>, tcp: &Entry, seen: State) -> Findings {
    let delta = window.delta();
    let driver = delta
        .as_ref()
        .and_then(|delta| delta.traced.as_deref())
        .map_or_else(Tally::default, |counted| Tally::of(counted, Stage::Driver, &Lane::ALL));
    let mut witnesses =
        vec![Witness { name: "tracing".to_owned(), says: Says::State(seen), detail: tcp.detail() }];
    let Some(delta) = delta else {
        let why = "there was no window".to_owned();
        return Findings { witnesses, kernel_counters: Agreement::Silent(why), disagreement: None };
    };
    let counters = KernelCounters::of(window, &delta);
    let (kernel, kernel_counters) =
        segments_per_packet(&counters, share(driver.segs, driver.packets), "the programs predict");
    let (device, device_disagrees) = mean_packet(window, &counters, share(driver.bytes, driver.packets));
    let disagreement = match &kernel_counters {
        Agreement::Differs(how) if contradicts(&counters, share(driver.segs, driver.packets)) => {
            Some(format!("the programs and the kernel's counters contradict each other: {how}"))
        }
        _ => device_disagrees,
    };
    witnesses.extend([kernel, device]);
    Findings { witnesses, kernel_counters, disagreement }
}

/// The witnesses where nothing but the kernel's counters is there.
pub(crate) fn without_programs(window: &Window<'_>, counters: &KernelCounters) -> Vec<Witness> {
    let tracing = Witness {
        name: "tracing".to_owned(),
        says: Says::Silent,
        detail: "no programs in this mode".to_owned(),
    };
    vec![tracing, segments_per_packet(counters, None, "").0, mean_packet(window, counters, None).0]
}

fn segments_per_packet(counters: &KernelCounters, predicted: Option<f64>, by: &str) -> (Witness, Agreement) {
    let witness = |says, detail: String| Witness { name: "kernel-counters".to_owned(), says, detail };
    let ratio = match &counters.segments_per_packet {
        Ok(ratio) => *ratio,
        Err(why) => return (witness(Says::Silent, why.clone()), Agreement::Silent(why.clone())),
    };
    let says = if ratio > NO_SUPER_PACKETS_UP_TO { Says::SuperPackets } else { Says::NoSuperPackets };
    let mut detail = format!("{ratio:.2} segments per packet of the device");
    let agreement = match predicted {
        None => Agreement::Silent("nothing was counted at the driver".to_owned()),
        Some(predicted) => {
            detail = format!("{detail}, {by} {predicted:.2}");
            if (ratio / predicted - 1.0).abs() <= AGREEMENT {
                Agreement::Agrees
            } else {
                Agreement::Differs(detail.clone())
            }
        }
    };
    (witness(says, detail), agreement)
}

fn contradicts(counters: &KernelCounters, predicted: Option<f64>) -> bool {
    let (Ok(found), Some(predicted)) = (&counters.segments_per_packet, predicted) else { return false };
    let plain = |ratio: f64| ratio >= SUPER_PACKETS_FROM;
    let none = |ratio: f64| ratio <= NO_SUPER_PACKETS_UP_TO;
    (plain(*found) && none(predicted)) || (none(*found) && plain(predicted))
}

/// A mean above the longest single is proof of super-packets; a mean below it is no proof of anything.
fn mean_packet(
    window: &Window<'_>,
    counters: &KernelCounters,
    predicted: Option<f64>,
) -> (Witness, Option<String>) {
    let witness = |says, detail: String| Witness { name: "device-statistics".to_owned(), says, detail };
    let mean = match (counters.sent, counters.mean_packet_bytes) {
        (None, _) => {
            return (witness(Says::Silent, "the interface's counters went backwards".to_owned()), None);
        }
        (_, None) => return (witness(Says::Silent, "the device sent nothing".to_owned()), None),
        _ if counters.counts_segments => return (witness(Says::Silent, COUNTS_SEGMENTS.to_owned()), None),
        (Some(_), Some(mean)) => mean,
    };
    let mtu = window.mtu();
    let longest = longest_single_bytes(mtu);
    let few = counters.sent.is_none_or(|(packets, _)| packets < FEWEST_PACKETS);
    let detail = format!("mean packet {mean:.0} bytes, MTU {mtu}");
    let disagreement = predicted.filter(|predicted| {
        !few && ((mean > longest * SUPER_PACKETS_FROM && *predicted <= longest)
            || (mean <= longest && *predicted > longest * SUPER_PACKETS_FROM))
    });
    let disagreement = disagreement.map(|predicted| {
        format!(
            "the programs and the device contradict each other: {detail}, the programs counted {predicted:.0}"
        )
    });
    let says = if mean > longest {
        Says::SuperPackets
    } else if mean >= FULL_FRAMES_FROM * f64::from(mtu) {
        Says::NoSuperPackets
    } else {
        return (
            witness(Says::Silent, format!("{detail}: small packets may hide super-packets")),
            disagreement,
        );
    };
    (witness(says, detail), disagreement)
}
