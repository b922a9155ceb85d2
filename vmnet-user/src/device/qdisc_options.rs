//! The transmit qdiscs of an interface with those of their options that decide about segmentation (`RTM_GETQDISC`).

use netlink_sys::protocols::NETLINK_ROUTE;

use super::{
    attributes::{attribute, attributes, text, u32_at, u64_at},
    netlink::{Netlink, NetlinkError},
    qdisc,
};
use crate::model::machine::{Qdisc, QdiscOptions};

/// `struct tcmsg`.
const TCMSG_BYTES: usize = 20;
// `linux/pkt_sched.h`.
const TC_H_ROOT: u32 = 0xFFFF_FFFF;
const TC_H_INGRESS: u32 = 0xFFFF_FFF1;
const TCA_TBF_PARMS: u16 = 1;
const TCA_TBF_RATE64: u16 = 4;
const TCA_TBF_PRATE64: u16 = 5;
const TCA_CAKE_SPLIT_GSO: u16 = 17;
const TCA_NETEM_CORRUPT: u16 = 4;
const TCA_TAPRIO_ATTR_TC_ENTRY: u16 = 12;
const TCA_TAPRIO_TC_ENTRY_MAX_SDU: u16 = 2;
/// `struct tc_netem_qopt`, in front of netem's attributes.
const TC_NETEM_QOPT_BYTES: usize = 24;
/// `net/pkt_sched.h`: a tick of the packet scheduler is `1 << PSCHED_SHIFT` ns.
const PSCHED_SHIFT: u32 = 6;
const NS_PER_S: u128 = 1_000_000_000;

/// The transmit qdiscs of an interface, the root first. Empty where the kernel shows none (an interface that was never up).
///
/// # Errors
/// When the kernel cannot be asked.
pub fn transmit_qdiscs(ifindex: u32) -> Result<Vec<Qdisc>, NetlinkError> {
    let messages = Netlink::open(NETLINK_ROUTE)?.dump(libc::RTM_GETQDISC, &[0; TCMSG_BYTES])?;
    Ok(of_interface(&messages, ifindex))
}

pub(super) fn of_interface(messages: &[Vec<u8>], ifindex: u32) -> Vec<Qdisc> {
    let mut qdiscs: Vec<Qdisc> = messages
        .iter()
        .filter_map(|message| parse(message))
        .filter_map(|(of, qdisc)| (of == ifindex && qdisc.parent != TC_H_INGRESS).then_some(qdisc))
        .collect();
    qdiscs.sort_by_key(|qdisc| qdisc.parent != TC_H_ROOT);
    qdiscs
}

/// Interface index and qdisc.
pub(super) fn parse(message: &[u8]) -> Option<(u32, Qdisc)> {
    let values = message.get(TCMSG_BYTES..)?;
    let kind = text(attribute(values, libc::TCA_KIND)?);
    let options = parse_options(&kind, attribute(values, libc::TCA_OPTIONS).unwrap_or_default());
    let counters = if kind == "noqueue" { None } else { qdisc::counts(values) };
    Some((
        u32_at(message, 4)?,
        Qdisc { kind, handle: u32_at(message, 8)?, parent: u32_at(message, 12)?, options, counters },
    ))
}

fn parse_options(kind: &str, options: &[u8]) -> QdiscOptions {
    match kind {
        "tbf" => tbf(options).unwrap_or(QdiscOptions::None),
        "cake" => QdiscOptions::Cake {
            split_gso: attribute(options, TCA_CAKE_SPLIT_GSO)
                .and_then(|value| u32_at(value, 0))
                .map(|on| on != 0),
        },
        "taprio" => QdiscOptions::Taprio { max_sdu_bytes: smallest_max_sdu(options) },
        "netem" => QdiscOptions::Netem {
            corrupt: options
                .get(TC_NETEM_QOPT_BYTES..)
                .and_then(|values| u32_at(attribute(values, TCA_NETEM_CORRUPT)?, 0))
                .unwrap_or_default(),
        },
        _ => QdiscOptions::None,
    }
}

/// `struct tc_tbf_qopt`: two `tc_ratespec` of 12 bytes, whose rates are at their offset 8; limit, buffer, mtu. `tbf_dump` writes the
/// bucket as the time it takes to fill, in ticks; `tbf_change` makes `max_size`, above which `tbf_enqueue` segments, the same way back.
fn tbf(options: &[u8]) -> Option<QdiscOptions> {
    let parameters = attribute(options, TCA_TBF_PARMS)?;
    let rate64 = |kind| attribute(options, kind).and_then(|value| u64_at(value, 0));
    let rate = rate64(TCA_TBF_RATE64).or_else(|| u32_at(parameters, 8).map(u64::from))?;
    let peak_rate = rate64(TCA_TBF_PRATE64).or_else(|| u32_at(parameters, 20).map(u64::from))?;
    let burst = bytes_in_ticks(rate, u32_at(parameters, 28)?);
    let peak_burst = (peak_rate > 0).then(|| u32_at(parameters, 32)).flatten();
    // What is longer than either bucket could never be sent, so the smaller one cuts.
    let burst_bytes = peak_burst.map_or(burst, |ticks| burst.min(bytes_in_ticks(peak_rate, ticks)));
    Some(QdiscOptions::Tbf { burst_bytes, rate_bytes_per_s: rate })
}

fn bytes_in_ticks(rate_bytes_per_s: u64, ticks: u32) -> u64 {
    let bytes = (u128::from(ticks) << PSCHED_SHIFT) * u128::from(rate_bytes_per_s) / NS_PER_S;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// A class without a limit has 0.
fn smallest_max_sdu(options: &[u8]) -> Option<u32> {
    attributes(options)
        .filter(|(kind, _)| *kind == TCA_TAPRIO_ATTR_TC_ENTRY)
        .filter_map(|(_, entry)| u32_at(attribute(entry, TCA_TAPRIO_TC_ENTRY_MAX_SDU)?, 0))
        .filter(|max_sdu| *max_sdu > 0)
        .min()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::device::{attributes::push_attribute, netlink::payloads};

    /// `tc qdisc show` in a namespace, kernel 6.18: veth0 (index 3) has mq 1: with tbf on queue 2 (`rate 10mbit burst 16kb`) among pfifo_fast.
    const RECORDED: &[u8] = include_bytes!("recorded/qdisc-veth.bin");

    fn tbf_options(rate: u32, peak_rate: u32, buffer: u32, mtu: u32) -> Vec<u8> {
        let mut parameters = [0; 36];
        for (at, value) in [(8, rate), (20, peak_rate), (28, buffer), (32, mtu)] {
            parameters[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        }
        let mut options = Vec::new();
        push_attribute(&mut options, TCA_TBF_PARMS, &parameters);
        options
    }

    #[test]
    fn a_recorded_tree_has_its_root_first_and_its_tbf_with_burst_and_rate() {
        let qdiscs = of_interface(&payloads(RECORDED), 3);
        assert_eq!((qdiscs[0].kind.as_str(), qdiscs[0].parent), ("mq", TC_H_ROOT));
        let tbf = qdiscs.iter().find(|qdisc| qdisc.kind == "tbf").unwrap();
        let QdiscOptions::Tbf { burst_bytes, rate_bytes_per_s } = tbf.options else { panic!("{tbf:?}") };
        println!("{burst_bytes} {rate_bytes_per_s} {}", tbf.parent);
        assert!(qdiscs.iter().all(|qdisc| qdisc.kind == "tbf" || qdisc.options == QdiscOptions::None));
        assert_eq!(of_interface(&payloads(RECORDED), 99), []);
    }

    #[test]
    fn a_burst_is_what_its_rate_fills_in_so_many_ticks() {
        // 1 Mbyte/s for 10 ms = 156 250 ticks of 64 ns.
        let options = tbf_options(1_000_000, 0, 156_250, 0);
        let expected = QdiscOptions::Tbf { burst_bytes: 10_000, rate_bytes_per_s: 1_000_000 };
        assert_eq!(parse_options("tbf", &options), expected);
    }

    #[test]
    fn above_34_gbit_the_rate_is_the_one_of_64_bits() {
        let mut options = tbf_options(u32::MAX, 0, 15_625, 0);
        push_attribute(&mut options, TCA_TBF_RATE64, &5_000_000_000u64.to_ne_bytes());
        let expected = QdiscOptions::Tbf { burst_bytes: 5_000_000, rate_bytes_per_s: 5_000_000_000 };
        assert_eq!(parse_options("tbf", &options), expected);
    }

    #[test]
    fn a_peak_rates_smaller_bucket_is_the_one_that_cuts() {
        // 2 Mbyte/s for 1 ms.
        let options = tbf_options(1_000_000, 2_000_000, 156_250, 15_625);
        let expected = QdiscOptions::Tbf { burst_bytes: 2_000, rate_bytes_per_s: 1_000_000 };
        assert_eq!(parse_options("tbf", &options), expected);
    }

    #[test]
    fn cake_says_whether_it_splits_or_nothing() {
        let mut options = Vec::new();
        assert_eq!(parse_options("cake", &options), QdiscOptions::Cake { split_gso: None });
        push_attribute(&mut options, TCA_CAKE_SPLIT_GSO, &0u32.to_ne_bytes());
        assert_eq!(parse_options("cake", &options), QdiscOptions::Cake { split_gso: Some(false) });
    }

    #[test]
    fn taprios_smallest_limit_is_what_counts_and_0_is_none() {
        let mut options = Vec::new();
        for max_sdu in [0u32, 1400, 200] {
            let mut entry = Vec::new();
            push_attribute(&mut entry, TCA_TAPRIO_TC_ENTRY_MAX_SDU, &max_sdu.to_ne_bytes());
            push_attribute(&mut options, TCA_TAPRIO_ATTR_TC_ENTRY, &entry);
        }
        assert_eq!(parse_options("taprio", &options), QdiscOptions::Taprio { max_sdu_bytes: Some(200) });
        assert_eq!(parse_options("taprio", &[]), QdiscOptions::Taprio { max_sdu_bytes: None });
    }

    #[test]
    fn netems_attributes_follow_its_struct() {
        let mut options = vec![0xff; TC_NETEM_QOPT_BYTES];
        push_attribute(&mut options, TCA_NETEM_CORRUPT, &[7, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(parse_options("netem", &options), QdiscOptions::Netem { corrupt: 7 });
    }

    proptest! {
        #[test]
        fn any_options_can_be_parsed(kind in "tbf|cake|taprio|netem|mq", bytes in proptest::collection::vec(any::<u8>(), 0..128)) {
            let _ = (parse_options(&kind, &bytes), parse(&bytes));
        }
    }
}
