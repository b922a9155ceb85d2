//! tbf's options (`struct tc_tbf_qopt` and attributes beside it). A change replaces them all (`tbf_change`), so what was dumped is
//! sent once more with one of them changed.

use crate::{
    device::attributes::{attribute, attributes, push_attribute, u32_at, u64_at},
    model::fix::Splits,
};

// `linux/pkt_sched.h`.
const TCA_TBF_PARMS: u16 = 1;
const TCA_TBF_RATE64: u16 = 4;
const TCA_TBF_PRATE64: u16 = 5;
const TCA_TBF_BURST: u16 = 6;
/// `struct tc_ratespec`.
const RATESPEC_BYTES: usize = 12;
/// Where `rate` is in it, in bytes per second.
const RATE_AT: usize = 8;
const LIMIT_AT: usize = 2 * RATESPEC_BYTES;
const BUFFER_AT: usize = LIMIT_AT + 4;
/// `PSCHED_SHIFT`: the kernel's qdisc clock ticks every 64 ns (`net/pkt_sched.h`).
const NS_PER_TICK: u64 = 64;
const NS_PER_S: u128 = 1_000_000_000;

/// None where the options are not as tbf has them.
pub(super) fn splits(options: &[u8]) -> Option<Splits> {
    let parms = attribute(options, TCA_TBF_PARMS)?;
    let rate_bytes_per_s = rate(options, parms)?;
    let burst_ns = u64::from(u32_at(parms, BUFFER_AT)?) * NS_PER_TICK;
    let burst_bytes = (u128::from(burst_ns) * u128::from(rate_bytes_per_s) + NS_PER_S / 2) / NS_PER_S;
    Some(Splits::AboveBurst {
        burst_bytes: u64::try_from(burst_bytes).ok()?,
        rate_bytes_per_s,
        limit_bytes: u32_at(parms, LIMIT_AT)?,
        has_peak_rate: u32_at(parms, RATESPEC_BYTES + RATE_AT)? != 0,
    })
}

fn rate(options: &[u8], parms: &[u8]) -> Option<u64> {
    match attribute(options, TCA_TBF_RATE64) {
        Some(rate) => u64_at(rate, 0),
        None => Some(u32_at(parms, RATE_AT)?.into()),
    }
}

/// What to send: with another burst, one set of options; to put back what was dumped, sets to be tried until a dump shows the same.
///
/// The kernel keeps the burst twice, in bytes (what is split or dropped) and as a time in ns (what is dumped, rounded down to 64 ns).
/// Sending back the time alone would leave fewer bytes than there were, and a burst of exactly one frame would then drop every
/// full frame. So the most bytes that give the same time are sent first.
pub(super) fn options_for(dumped: &[u8], burst_bytes: Option<u32>) -> Option<Vec<Vec<u8>>> {
    let parms = attribute(dumped, TCA_TBF_PARMS)?;
    if let Some(burst_bytes) = burst_bytes {
        return Some(vec![with_burst(dumped, parms, Some(burst_bytes))]);
    }
    let ticks = u128::from(u32_at(parms, BUFFER_AT)?);
    let rate = u128::from(rate(dumped, parms)?);
    let most = ((ticks + 1) * u128::from(NS_PER_TICK) * rate).saturating_sub(1) / NS_PER_S;
    let most = u32::try_from(most).ok();
    // The kernel's own rounding may land a byte further.
    let fewer = most.and_then(|most| most.checked_sub(1)).filter(|fewer| *fewer > 0);
    let tries = [most.filter(|most| *most > 0), fewer];
    let with_bytes = tries.into_iter().flatten().map(|bytes| with_burst(dumped, parms, Some(bytes)));
    Some(with_bytes.chain([with_burst(dumped, parms, None)]).collect())
}

fn with_burst(dumped: &[u8], parms: &[u8], burst_bytes: Option<u32>) -> Vec<u8> {
    let mut options = Vec::new();
    push_attribute(&mut options, TCA_TBF_PARMS, parms);
    for (kind, value) in attributes(dumped) {
        if [TCA_TBF_RATE64, TCA_TBF_PRATE64].contains(&kind) {
            push_attribute(&mut options, kind, value);
        }
    }
    if let Some(bytes) = burst_bytes {
        push_attribute(&mut options, TCA_TBF_BURST, &bytes.to_ne_bytes());
    }
    options
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dumped(rate: u64, ticks: u32) -> Vec<u8> {
        let mut parms = vec![0; 2 * RATESPEC_BYTES + 12];
        parms.splice(RATE_AT..RATE_AT + 4, u32::try_from(rate).unwrap_or(u32::MAX).to_ne_bytes());
        parms.splice(LIMIT_AT..LIMIT_AT + 4, 100_000u32.to_ne_bytes());
        parms.splice(BUFFER_AT..BUFFER_AT + 4, ticks.to_ne_bytes());
        let mut options = Vec::new();
        push_attribute(&mut options, TCA_TBF_PARMS, &parms);
        if rate > u64::from(u32::MAX) {
            push_attribute(&mut options, TCA_TBF_RATE64, &rate.to_ne_bytes());
        }
        options
    }

    fn burst_of(options: &[u8]) -> Option<u32> {
        attribute(options, TCA_TBF_BURST).and_then(|value| u32_at(value, 0))
    }

    #[test]
    fn burst_and_rate_are_told_in_bytes() {
        // 1 Gbit/s: 8 ns a byte, 8 bytes a tick.
        let expected = Splits::AboveBurst {
            burst_bytes: 1600,
            rate_bytes_per_s: 125_000_000,
            limit_bytes: 100_000,
            has_peak_rate: false,
        };
        assert_eq!(splits(&dumped(125_000_000, 200)), Some(expected));
        let fast = splits(&dumped(12_500_000_000, 200)).unwrap();
        assert!(matches!(fast, Splits::AboveBurst { rate_bytes_per_s: 12_500_000_000, .. }), "{fast:?}");
        assert_eq!(splits(&[]), None);
    }

    #[test]
    fn another_burst_keeps_all_other_options() {
        let before = dumped(12_500_000_000, 200);
        let sent = options_for(&before, Some(65_536)).unwrap();
        assert_eq!(sent.len(), 1);
        assert_eq!(burst_of(&sent[0]), Some(65_536));
        for kind in [TCA_TBF_PARMS, TCA_TBF_RATE64] {
            assert_eq!(attribute(&sent[0], kind), attribute(&before, kind));
        }
    }

    proptest! {
        #[test]
        fn a_burst_put_back_is_never_smaller_than_it_was(rate in 1_000u64..50_000_000_000, burst in 64u32..4_000_000) {
            // As the kernel makes ticks of bytes.
            let ns = u128::from(burst) * NS_PER_S / u128::from(rate);
            prop_assume!(ns < u128::from(u32::MAX));
            let ticks = u32::try_from(ns / 64).unwrap();
            let tries = options_for(&dumped(rate, ticks), None).unwrap();
            if let Some(bytes) = burst_of(&tries[0]) {
                prop_assert!(bytes + 1 >= burst, "{bytes} for {burst}");
            }
            prop_assert_eq!(burst_of(tries.last().unwrap()), None);
        }
    }
}
