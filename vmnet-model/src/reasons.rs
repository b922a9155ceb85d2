//! Why super-packets were segmented in software, in bytes: what the programs asked at `__skb_gso_segment`, and what was segmented
//! before it came here.

use serde::{Deserialize, Serialize};
use vmnet_common::{Caller, Class, Counters, Lane, Refusal, Stage};

use super::{
    ledger::Entry,
    tally::{bounded, cell, lane},
    units::share,
};

/// Why. The names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ReasonId {
    /// The device's active features lack TSO for IPv4.
    Tso4Missing,
    /// … for IPv6.
    Tso6Missing,
    /// … for packets with CWR set.
    EcnMissing,
    /// … for UDP.
    UsoMissing,
    /// … for this kind of tunnel.
    TunnelMissing,
    /// … of another kind.
    OtherMissing,
    /// Above `gso_max_size` or `gso_max_segs`.
    TooLarge,
    /// The device has it, but not for encapsulated packets.
    Tunnel,
    /// The device has it, but not for tagged packets.
    Vlan,
    /// The device cannot make the packet's checksum.
    Checksum,
    /// A qdisc asked for segments.
    QdiscSplits,
    /// A layer above the device's queue asked for segments: IP output to a smaller MTU, IPsec, nfqueue.
    StackSplits,
    /// The device has it, but its driver refused the packet.
    DriverCheck,
    /// Nothing that it needs was refused: fragment lists, or a checksum state that does not fit.
    NotRefused,
    /// Came here in segments: a device above this one cut it up.
    UpperDevice,
    /// No reason was found.
    Unexplained,
}

/// One reason, and how much it explains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reason {
    /// Which.
    pub id: ReasonId,
    /// Payload of the super-packets that were segmented for it.
    pub bytes: u64,
    /// Of all that was segmented; the shares add up to 1.
    pub share: f64,
    /// The part that is IPv4.
    pub ipv4_bytes: u64,
    /// The part that is IPv6.
    pub ipv6_bytes: u64,
    /// For people.
    pub text: String,
}

/// TCP's, the most bytes first; empty where the CPU segmented nothing.
///
/// Means something only where `__skb_gso_segment` was hooked. Its base is the payload that went into segmentation, for this device or
/// on a device above, whether or not it then left: so it can exceed the ledger's `software_bytes` by what was dropped, or
/// passed the queue as singles.
#[must_use]
pub fn tcp(counted: &Counters) -> Vec<Reason> {
    of(counted, Lane::Tcp4, Lane::Tcp6)
}

/// UDP's, likewise.
#[must_use]
pub fn udp(counted: &Counters) -> Vec<Reason> {
    of(counted, Lane::Udp4, Lane::Udp6)
}

/// TCP payload that a layer above the device's queue segmented, of packets that no local socket owns.
#[must_use]
pub fn forwarded_and_segmented_bytes(counted: &Counters) -> u64 {
    let by_the_stack = &counted.segmentation.splits[Caller::Stack as usize];
    [Lane::Tcp4, Lane::Tcp6]
        .into_iter()
        .fold(0, |sum, of| sum.saturating_add(bounded(by_the_stack[of as usize].loose_payload_bytes)))
}

fn of(counted: &Counters, ipv4: Lane, ipv6: Lane) -> Vec<Reason> {
    let families = [by_id(counted, ipv4), by_id(counted, ipv6)];
    let total = families.iter().flatten().fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
    let mut reasons: Vec<Reason> = Vec::new();
    for id in ReasonId::ALL {
        let [ipv4_bytes, ipv6_bytes] = families
            .each_ref()
            .map(|family| family.iter().filter(|(of, _)| *of == id).map(|(_, bytes)| bytes).sum::<u64>());
        let bytes = ipv4_bytes.saturating_add(ipv6_bytes);
        if let Some(share) = share(bytes, total).filter(|_| bytes != 0) {
            reasons.push(Reason { id, bytes, share, ipv4_bytes, ipv6_bytes, text: id.text().to_owned() });
        }
    }
    // Stable: reasons of equal weight stay in the order of the enum.
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.bytes));
    reasons
}

/// One lane's bytes. An id can come twice.
fn by_id(counted: &Counters, of: Lane) -> Vec<(ReasonId, u64)> {
    let refused = &counted.segmentation.refused[of as usize];
    let mut bytes: Vec<(ReasonId, u64)> = REFUSALS
        .iter()
        .map(|&(refusal, id)| (id, bounded(refused[refusal as usize].payload_bytes)))
        .collect();
    bytes.push((ReasonId::UpperDevice, cut_above(counted, of)));
    let explained = bytes.iter().fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
    let software = Entry::of(counted, of).software_bytes;
    bytes.push((ReasonId::Unexplained, software.saturating_sub(explained)));
    bytes
}

/// Payload that was handed to this device in segments, less what this device's own calls from the stack made: those pass its
/// queue too. Segments that no socket owns look like any forwarded single, and are not known as segments.
fn cut_above(counted: &Counters, of: Lane) -> u64 {
    let handed_over = cell(lane(counted, Stage::Queue, of), Class::Made).payload_bytes;
    let stack = &counted.segmentation.splits[Caller::Stack as usize][of as usize];
    let made_here = bounded(stack.payload_bytes).saturating_sub(bounded(stack.loose_payload_bytes));
    handed_over.saturating_sub(made_here)
}

/// The kernel side's codes.
pub(crate) const REFUSALS: [(Refusal, ReasonId); vmnet_common::REFUSALS] = [
    (Refusal::Unknown, ReasonId::Unexplained),
    (Refusal::NotRefused, ReasonId::NotRefused),
    (Refusal::Tso4Missing, ReasonId::Tso4Missing),
    (Refusal::Tso6Missing, ReasonId::Tso6Missing),
    (Refusal::EcnMissing, ReasonId::EcnMissing),
    (Refusal::UsoMissing, ReasonId::UsoMissing),
    (Refusal::TunnelMissing, ReasonId::TunnelMissing),
    (Refusal::OtherMissing, ReasonId::OtherMissing),
    (Refusal::TooLarge, ReasonId::TooLarge),
    (Refusal::Tunnel, ReasonId::Tunnel),
    (Refusal::Vlan, ReasonId::Vlan),
    (Refusal::Checksum, ReasonId::Checksum),
    (Refusal::QdiscSplits, ReasonId::QdiscSplits),
    (Refusal::StackSplits, ReasonId::StackSplits),
    (Refusal::DriverCheck, ReasonId::DriverCheck),
];

impl ReasonId {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Tso4Missing,
        Self::Tso6Missing,
        Self::EcnMissing,
        Self::UsoMissing,
        Self::TunnelMissing,
        Self::OtherMissing,
        Self::TooLarge,
        Self::Tunnel,
        Self::Vlan,
        Self::Checksum,
        Self::QdiscSplits,
        Self::StackSplits,
        Self::DriverCheck,
        Self::NotRefused,
        Self::UpperDevice,
        Self::Unexplained,
    ];

    /// For people, with the names that `ethtool -k` and `ip -d link` use.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Tso4Missing => "IPv4 TSO missing (tx-tcp-segmentation off)",
            Self::Tso6Missing => "IPv6 TSO missing (tx-tcp6-segmentation off)",
            Self::EcnMissing => "TSO of packets with CWR set missing (tx-tcp-ecn-segmentation off)",
            Self::UsoMissing => "UDP segmentation missing (tx-udp-segmentation off)",
            Self::TunnelMissing => {
                "segmentation inside this kind of tunnel missing (tx-udp_tnl-segmentation and the like off)"
            }
            Self::OtherMissing => "a rarer kind of segmentation missing (among tx-*-segmentation)",
            Self::TooLarge => "above gso_max_size or gso_max_segs",
            Self::Tunnel => "encapsulated, and the device segments only what is not",
            Self::Vlan => "with a VLAN tag, and the device segments only what has none",
            Self::Checksum => "with a checksum that the device cannot make",
            Self::QdiscSplits => "a qdisc asked for segments; the device would have taken them whole",
            Self::StackSplits => {
                "segmented above the device's queue (forwarding to a smaller MTU, IPsec, nfqueue and the like)"
            }
            Self::DriverCheck => "the driver refused them, though its features do not say so",
            Self::NotRefused => {
                "not refused, but with a fragment list or a checksum state that a device is not given"
            }
            Self::UpperDevice => "came in segments from a device above this one",
            Self::Unexplained => "no reason was found",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{MSS, Scene};
    use proptest::prelude::*;

    fn found(counted: &Counters) -> Vec<(ReasonId, u64)> {
        tcp(counted).iter().map(|reason| (reason.id, reason.bytes)).collect()
    }

    #[test]
    fn reasons_come_by_their_bytes_and_zeroes_are_left_out() {
        let mut scene = Scene::new();
        scene.refused_for(Lane::Tcp4, Refusal::EcnMissing, 2, 10);
        scene.refused_for(Lane::Tcp6, Refusal::Tso6Missing, 8, 40);
        scene.refused_for(Lane::Tcp4, Refusal::QdiscSplits, 4, 10);
        let reasons = tcp(&scene.traced());
        assert_eq!(
            reasons.iter().map(|reason| (reason.id, reason.bytes)).collect::<Vec<_>>(),
            [
                (ReasonId::Tso6Missing, 320 * MSS),
                (ReasonId::QdiscSplits, 40 * MSS),
                (ReasonId::EcnMissing, 20 * MSS)
            ]
        );
        assert_eq!((reasons[0].ipv4_bytes, reasons[0].ipv6_bytes), (0, 320 * MSS));
        assert!((reasons[0].share - 320.0 / 380.0).abs() < 1e-12);
        assert_eq!(udp(&scene.traced()), []);
    }

    #[test]
    fn both_families_under_one_reason_are_told_apart() {
        let mut scene = Scene::new();
        scene.refused_for(Lane::Tcp4, Refusal::TooLarge, 1, 10).refused_for(
            Lane::Tcp6,
            Refusal::TooLarge,
            1,
            30,
        );
        let reasons = tcp(&scene.traced());
        assert_eq!(reasons.len(), 1);
        assert_eq!((reasons[0].ipv4_bytes, reasons[0].ipv6_bytes), (10 * MSS, 30 * MSS));
        assert_eq!(reasons[0].share, 1.0);
    }

    #[test]
    fn nothing_cut_up_has_no_reasons() {
        let mut scene = Scene::new();
        scene.whole(10, 40).full(3);
        assert_eq!(tcp(&scene.traced()), []);
    }

    #[test]
    fn segments_that_were_handed_over_come_from_a_device_above() {
        let mut scene = Scene::new();
        scene.cut_above(5, 20);
        assert_eq!(found(&scene.traced()), [(ReasonId::UpperDevice, 100 * MSS)]);
    }

    #[test]
    fn segments_of_the_stack_are_not_taken_for_those_of_a_device_above() {
        let mut scene = Scene::new();
        scene.cut_in_the_stack(5, 20);
        assert_eq!(found(&scene.traced()), [(ReasonId::StackSplits, 100 * MSS)]);
        scene.cut_above(1, 20);
        assert_eq!(
            found(&scene.traced()),
            [(ReasonId::StackSplits, 100 * MSS), (ReasonId::UpperDevice, 20 * MSS)]
        );
    }

    #[test]
    fn software_bytes_that_no_call_explains_are_shown() {
        let mut scene = Scene::new();
        scene.cut(5, 20);
        scene.counters().segmentation = Counters::default().segmentation;
        assert_eq!(found(&scene.traced()), [(ReasonId::Unexplained, 100 * MSS)]);
        let mut without_bits = Scene::new();
        without_bits.refused_for(Lane::Tcp4, Refusal::Unknown, 5, 20);
        assert_eq!(found(&without_bits.traced()), [(ReasonId::Unexplained, 100 * MSS)]);
    }

    #[test]
    fn every_code_of_the_kernel_side_has_its_place() {
        for (index, (refusal, _)) in REFUSALS.iter().enumerate() {
            assert_eq!(*refusal as usize, index);
        }
    }

    #[test]
    fn names_are_kebab_case_and_texts_differ() {
        let name = |id| serde_json::to_value(id).unwrap();
        assert_eq!(name(ReasonId::Tso6Missing), "tso6-missing");
        assert_eq!(name(ReasonId::QdiscSplits), "qdisc-splits");
        let texts: std::collections::BTreeSet<_> = ReasonId::ALL.iter().map(|id| id.text()).collect();
        assert_eq!(texts.len(), ReasonId::ALL.len());
    }

    proptest! {
        #[test]
        fn shares_add_up_to_one_and_bytes_to_what_was_cut_up(
            packets in proptest::collection::vec((0_usize..vmnet_common::REFUSALS, 1_u64..1_000, 2_u64..45), 1..20),
        ) {
            let mut scene = Scene::new();
            for &(refusal, packets, segs) in &packets {
                let refusal = REFUSALS[refusal].0;
                if refusal != Refusal::StackSplits {
                    scene.refused_for(Lane::Tcp4, refusal, packets, segs);
                }
            }
            let counted = scene.traced();
            let split = counted.segmentation.splits[Caller::Device as usize][Lane::Tcp4 as usize].payload_bytes;
            let reasons = tcp(&counted);
            prop_assert_eq!(reasons.iter().map(|reason| reason.bytes).sum::<u64>(), split);
            let shares: f64 = reasons.iter().map(|reason| reason.share).sum();
            prop_assert!(reasons.is_empty() || (shares - 1.0).abs() < 1e-9);
        }

        #[test]
        fn any_counts_can_be_looked_at(words in proptest::collection::vec(any::<u64>(), size_of::<Counters>() / 8)) {
            let mut counters = Box::<Counters>::default();
            bytemuck::cast_slice_mut::<Counters, u64>(core::slice::from_mut(&mut *counters)).copy_from_slice(&words);
            for reason in tcp(&counters).iter().chain(&udp(&counters)) {
                prop_assert!(reason.share.is_finite() && reason.bytes != 0);
                prop_assert_eq!(reason.bytes, reason.ipv4_bytes + reason.ipv6_bytes);
            }
        }
    }
}
