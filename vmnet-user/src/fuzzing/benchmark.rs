//! Whatever a benchmark prints is understood or not: figures are natural numbers, and what is kept is read again as it was.

use crate::benchmark::{self, Benchmark, Iperf3, Said, Understood};

pub(super) fn any(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    for program in ["iperf3", "netperf"] {
        let words = [&[program.to_owned()], words.as_slice()].concat();
        // A time that an instant can be moved by, or it is no time.
        if let Some(lasts) = benchmark::lasts(&words) {
            assert!(std::time::Instant::now().checked_add(lasts).is_some(), "{lasts:?}");
        }
        let _ = benchmark::prints_json_for_us(&words);
    }
    if let Some(error) = Iperf3::error(bytes) {
        assert!(error.chars().count() <= 200);
    }
    let mut benchmark = Benchmark::default();
    match benchmark::understood(&text) {
        Some(Understood::Iperf3(said)) => benchmark.iperf3 = Some(said),
        Some(Understood::Netperf(said)) => benchmark.netperf = Some(said),
        Some(Understood::Load(said)) => benchmark.load = Some(said),
        None => return,
    }
    let is_natural = |value: Option<f64>| value.is_none_or(|value| value.is_finite() && value >= 0.0);
    if let Some(Said { gbps, transactions_per_s }) = benchmark.said() {
        assert!(is_natural(gbps) && is_natural(transactions_per_s), "{gbps:?} {transactions_per_s:?}");
    }
    let kept = serde_json::to_string(&benchmark).expect("a tree");
    let back: Benchmark = serde_json::from_str(&kept).expect("as it was written");
    assert_eq!(serde_json::to_string(&back).expect("a tree"), kept);
}
