//! What the columns of the picture hold.

use plotters::prelude::*;

use crate::model::fact::Known as _;
use crate::model::merging::merged;
use crate::model::throughput::Interval;
use crate::report::kit::colours::{BLUE, GREY, SKY, VERMILLION, YELLOW};
use crate::stats;

/// More columns than this cannot be determined apart, and only make the file larger.
const COLUMNS: usize = 300;
/// Retransmits are a burst from this share of an interval's payload on,
pub(in crate::report) const BURST_SHARE: f64 = 0.01;
/// if that is so many times the run's median,
pub(in crate::report) const BURST_TIMES: f64 = 5.0;
/// and so many bytes: a single super-packet's worth can be a large share of an idle second.
pub(in crate::report) const BURST_BYTES: u64 = 64 * 1024;

/// One layer of the stack.
pub(in crate::report) struct Layer {
    pub(in crate::report) label: &'static str,
    pub(in crate::report) colour: RGBColor,
}

const BY_PATH: [Layer; 4] = [
    Layer { label: "super-packets, whole to the device", colour: BLUE },
    Layer { label: "segmented in software", colour: VERMILLION },
    Layer { label: "full-size singles", colour: YELLOW },
    Layer { label: "small packets", colour: GREY },
];

/// What the stack is made of; what is known decides. The most telling one is the least.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::report) enum Split {
    ByPath,
    Payload,
    Wire,
}

impl Split {
    /// The most telling one of which something is known.
    pub(in crate::report) fn choose(samples: &[Interval]) -> Option<Self> {
        [Self::ByPath, Self::Payload, Self::Wire]
            .into_iter()
            .find(|split| samples.iter().any(|sample| split.values(sample).is_some()))
    }

    /// Gbit/s of each layer; None unless all are known.
    fn values(&self, sample: &Interval) -> Option<Vec<f64>> {
        let values = match self {
            Self::ByPath => vec![
                sample.hardware_gbps.known()?,
                sample.software_gbps.known()?,
                sample.unaggregated_gbps.known()?,
                sample.small_gbps.known()?,
            ],
            Self::Payload => vec![sample.goodput_gbps.known()?],
            Self::Wire => vec![sample.wire_gbps.known()?],
        };
        values.iter().all(|value| value.is_finite() && *value >= 0.0).then_some(values)
    }

    /// Where the column stands for several intervals: the lowest and the highest of them.
    fn range(&self, column: &Interval) -> Option<[f64; 2]> {
        let merged = column.merged?;
        let range = match self {
            Self::ByPath | Self::Payload => merged.goodput_gbps,
            Self::Wire => merged.wire_gbps,
        };
        range.filter(|[low, high]| high.is_finite() && (0.0..=*high).contains(low))
    }

    pub(in crate::report) fn layers(&self) -> &'static [Layer] {
        match self {
            Self::ByPath => &BY_PATH,
            Self::Payload => &[Layer { label: "TCP payload, its path not known", colour: SKY }],
            Self::Wire => &[Layer { label: "all that was on the wire, its path not known", colour: SKY }],
        }
    }

    pub(in crate::report) fn quantity(&self) -> &'static str {
        match self {
            Self::ByPath | Self::Payload => "TCP payload",
            Self::Wire => "on the wire",
        }
    }

    /// What the range is of.
    pub(in crate::report) fn ranged(&self) -> &'static str {
        match self {
            Self::ByPath | Self::Payload => "goodput",
            Self::Wire => "rate on the wire",
        }
    }
}

/// Neighbouring intervals as one column of the picture.
pub(in crate::report) struct Column {
    pub(in crate::report) from_s: f64,
    pub(in crate::report) to_s: f64,
    /// Mean over the column; None where any part of it is not known.
    pub(in crate::report) gbps: Option<Vec<f64>>,
    /// Lowest and highest interval; None where it is one.
    pub(in crate::report) range: Option<[f64; 2]>,
    /// How many intervals it stands for.
    pub(in crate::report) intervals: u32,
    /// The retransmitted share of the worst burst in it.
    pub(in crate::report) burst: Option<f64>,
}

impl Column {
    pub(in crate::report) fn sum_gbps(&self) -> Option<f64> {
        self.gbps.as_ref().map(|gbps| gbps.iter().sum())
    }

    /// The highest that is drawn.
    pub(in crate::report) fn top_gbps(&self) -> Option<f64> {
        let range = self.range.map(|[_, high]| high);
        self.sum_gbps().into_iter().chain(range).reduce(f64::max).filter(|top| top.is_finite())
    }
}

/// The run as columns, and the retransmitted share of payload that is usual in it.
pub(in crate::report) fn columns(samples: &[Interval], split: &Split) -> (Vec<Column>, Option<f64>) {
    let shares: Vec<Option<f64>> = samples.iter().map(retransmitted_share).collect();
    let found = stats::outliers(&shares, BURST_SHARE, BURST_TIMES);
    let mut bursts = vec![None; samples.len()];
    for place in found.iter().flat_map(|found| &found.places).copied() {
        let enough =
            samples.get(place).and_then(|sample| sample.retransmitted_bytes.known()) >= Some(BURST_BYTES);
        if let (true, Some(burst), Some(share)) = (enough, bursts.get_mut(place), shares.get(place)) {
            *burst = *share;
        }
    }
    let per_column = samples.len().div_ceil(COLUMNS).max(1);
    let chunks = samples.chunks(per_column).zip(bursts.chunks(per_column));
    let columns = chunks
        .filter_map(|(chunk, bursts)| {
            let first = chunk.first()?;
            let one = merged(chunk, 1).into_iter().next()?;
            let known = chunk.iter().all(|sample| split.values(sample).is_some());
            Some(Column {
                from_s: first.t_s - first.duration_s,
                to_s: one.t_s,
                gbps: split.values(&one).filter(|_| known),
                range: split.range(&one),
                intervals: one.merged.map_or(1, |merged| merged.intervals),
                burst: bursts.iter().flatten().copied().reduce(f64::max),
            })
        })
        .collect();
    (columns, found.map(|found| found.median))
}

/// Of all payload of an interval, what was retransmitted. None where nothing was sent, or it was not measured.
fn retransmitted_share(sample: &Interval) -> Option<f64> {
    let again = sample.retransmitted_bytes.known()? as f64;
    let gbps = sample.hardware_gbps.known()?
        + sample.software_gbps.known()?
        + sample.unaggregated_gbps.known()?
        + sample.small_gbps.known()?;
    let sent = gbps * sample.duration_s * 1e9 / 8.0;
    (sent.is_finite() && sent > 0.0).then(|| (again / sent).min(1.0))
}
