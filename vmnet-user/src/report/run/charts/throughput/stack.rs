//! A run as columns of rates, stacked by the path that the bytes took.

use plotters::prelude::*;

use crate::model::fact::Known as _;
use crate::model::ledger::{OFFLOADED, SEGMENTED, SINGLES, SMALL};
use crate::model::merging::merged;
use crate::model::throughput::Interval;
use crate::report::kit::colours::{BLUE, GREY, INK, SKY, VERMILLION, YELLOW, edge};
use crate::report::kit::format;
use crate::report::kit::marks::{Column as Head, Marks, Value};
use crate::report::kit::over_time::MOST_COLUMNS;
use crate::report::kit::plot::{Plot, stretch};
use crate::report::kit::sheet::{Key, Point, Sheet};
use crate::stats;

/// Retransmits are a burst from this share of an interval's payload on,
pub(super) const BURST_SHARE: f64 = 0.01;
/// if that is so many times the run's median,
pub(super) const BURST_TIMES: f64 = 5.0;
/// and so many bytes: a single super-packet's worth can be a large share of an idle second.
pub(super) const BURST_BYTES: u64 = 64 * 1024;

/// One layer of the stack.
pub(in crate::report) struct Layer {
    label: &'static str,
    colour: RGBColor,
}

const BY_PATH: [Layer; 4] = [
    Layer { label: OFFLOADED, colour: BLUE },
    Layer { label: SEGMENTED, colour: VERMILLION },
    Layer { label: SINGLES, colour: YELLOW },
    Layer { label: SMALL, colour: GREY },
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
            Self::ByPath => by_path(sample)?.to_vec(),
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

    fn layers(&self) -> &'static [Layer] {
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
    pub(super) fn ranged(&self) -> &'static str {
        match self {
            Self::ByPath | Self::Payload => "goodput",
            Self::Wire => "rate on the wire",
        }
    }
}

fn by_path(sample: &Interval) -> Option<[f64; 4]> {
    Some([
        sample.hardware_gbps.known()?,
        sample.software_gbps.known()?,
        sample.unaggregated_gbps.known()?,
        sample.small_gbps.known()?,
    ])
}

/// Neighbouring intervals as one column of the picture.
pub(in crate::report) struct Column {
    pub(in crate::report) from_s: f64,
    pub(in crate::report) to_s: f64,
    /// Mean over the column; None where any part of it is not known.
    pub(in crate::report) gbps: Option<Vec<f64>>,
    /// Lowest and highest interval; None where it is one.
    pub(super) range: Option<[f64; 2]>,
    /// How many intervals it stands for.
    pub(super) intervals: u32,
    /// The retransmitted share of the worst burst in it.
    pub(super) burst: Option<f64>,
    /// All that is known of it.
    one: Interval,
}

impl Column {
    pub(in crate::report) fn sum_gbps(&self) -> Option<f64> {
        self.gbps.as_ref().map(|gbps| gbps.iter().sum())
    }

    /// The highest that is drawn.
    pub(super) fn top_gbps(&self) -> Option<f64> {
        let range = self.range.map(|[_, high]| high);
        self.sum_gbps().into_iter().chain(range).reduce(f64::max).filter(|top| top.is_finite())
    }
}

/// A run as columns.
pub(in crate::report) struct Stack {
    pub(in crate::report) split: Split,
    pub(in crate::report) columns: Vec<Column>,
    /// The retransmitted share of payload that is usual in it.
    pub(super) median: Option<f64>,
}

impl Stack {
    pub(in crate::report) fn new(samples: &[Interval], split: Split) -> Self {
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
        let per_column = samples.len().div_ceil(MOST_COLUMNS).max(1);
        let chunks = samples.chunks(per_column).zip(bursts.chunks(per_column));
        let columns = chunks.filter_map(|(chunk, bursts)| {
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
                one,
            })
        });
        Self { split, columns: columns.collect(), median: found.map(|found| found.median) }
    }

    pub(in crate::report) fn keys(&self) -> Vec<(Key, String)> {
        let layers = self.split.layers().iter();
        let mut keys: Vec<_> =
            layers.map(|layer| (Key::Fill(layer.colour), layer.label.to_owned())).collect();
        if self.columns.iter().any(|column| column.gbps.is_none()) {
            keys.push((Key::Hatched, "not measured".to_owned()));
        }
        keys
    }

    /// The means of the layers, by time.
    pub(in crate::report) fn means(&self) -> String {
        let mean = |(index, layer): (usize, &Layer)| {
            let known = self.columns.iter();
            let known = known.filter_map(|column| Some((column, *column.gbps.as_ref()?.get(index)?)));
            let (gigabits, seconds) = known.fold((0.0, 0.0), |(gigabits, seconds), (column, gbps)| {
                let length_s = column.to_s - column.from_s;
                (gigabits + gbps * length_s, seconds + length_s)
            });
            (seconds > 0.0)
                .then(|| format!("{}: {} on average", layer.label, format::rate(gigabits / seconds)))
        };
        let means: Vec<String> = self.split.layers().iter().enumerate().filter_map(mean).collect();
        if means.is_empty() { "not measured".to_owned() } else { means.join("; ") }
    }

    /// The steps on which layer `index` stands: the sum of those below it.
    fn steps(plot: &Plot, columns: &[Column], index: usize) -> Vec<Point> {
        steps(plot, columns, |column| Some(column.gbps.as_ref()?.iter().take(index).sum()))
    }

    /// The layers upon each other, hatched where they were not measured.
    pub(in crate::report) fn draw(&self, sheet: &mut Sheet<'_>, plot: &Plot) {
        for part in self.columns.chunk_by(|left, right| left.gbps.is_some() == right.gbps.is_some()) {
            let ([first, ..], Some(last)) = (part, part.last()) else { continue };
            if first.gbps.is_none() {
                let (top, bottom) = (plot.frame.top, plot.frame.bottom);
                sheet.hatched([(plot.x(first.from_s), top), (plot.x(last.to_s), bottom)]);
                continue;
            }
            for (index, layer) in self.split.layers().iter().enumerate() {
                let floor = Self::steps(plot, part, index);
                let ceiling = Self::steps(plot, part, index + 1);
                let bytes = |column: &Column| column.gbps.as_ref().and_then(|gbps| gbps.get(index).copied());
                if !part.iter().any(|column| bytes(column) > Some(0.0)) {
                    continue;
                }
                let outline: Vec<_> = ceiling.iter().copied().chain(floor.into_iter().rev()).collect();
                sheet.polygon(outline, layer.colour.filled());
                if edge(layer.colour) != layer.colour {
                    sheet.line(ceiling, edge(layer.colour));
                }
            }
        }
        for part in self.columns.chunk_by(|left, right| left.range.is_some() == right.range.is_some()) {
            let [low, high] = [0, 1].map(|end| steps(plot, part, |column| column.range?.get(end).copied()));
            if low.is_empty() {
                continue;
            }
            let band: Vec<_> = high.iter().chain(low.iter().rev()).copied().collect();
            sheet.polygon(band, INK.mix(0.22).filled());
            [high, low].into_iter().for_each(|line| sheet.line(line, INK));
        }
    }

    /// Each column says what its row has, from `top` down; `first` is the first column's row.
    pub(in crate::report) fn mark(&self, sheet: &mut Sheet<'_>, plot: &Plot, top: i32, first: usize) {
        for (row, column) in (first..).zip(&self.columns) {
            sheet.mark([(plot.x(column.from_s), top), (plot.x(column.to_s), plot.frame.bottom)], row);
        }
    }
}

/// Where a height stands over each column that has one.
fn steps(plot: &Plot, columns: &[Column], height: impl Fn(&Column) -> Option<f64>) -> Vec<Point> {
    let step = |column: &Column| {
        let y = plot.y(height(column)?);
        Some([(plot.x(column.from_s), y), (plot.x(column.to_s), y)])
    };
    columns.iter().filter_map(step).flatten().collect()
}

/// A row for each column of each run, named after its run where there are several.
pub(in crate::report) fn marks<'a>(stacks: impl IntoIterator<Item = (&'a str, &'a Stack)>) -> Marks {
    const HEADS: [Head; 12] = [
        Head::words("when"),
        Head::rate(BY_PATH[0].label),
        Head::rate(BY_PATH[1].label),
        Head::rate(BY_PATH[2].label),
        Head::rate(BY_PATH[3].label),
        Head::rate("goodput"),
        Head::rate("on the wire"),
        Head::rate("lowest"),
        Head::rate("highest"),
        Head::count("intervals"),
        Head::share("retransmit burst, of payload"),
        Head::bytes("retransmitted"),
    ];
    let rows = stacks.into_iter().flat_map(|(run, stack)| {
        stack.columns.iter().map(move |column| {
            let Column { from_s, to_s, one, .. } = column;
            let when = stretch(*from_s, *to_s);
            // What does not apply to a single interval is no gap.
            let of_several = |value: Value| if column.intervals > 1 { value } else { "".into() };
            let [low, high] = [0, 1].map(|end| column.range.and_then(|range| range.get(end).copied()));
            let known = |gbps: Option<f64>| gbps.filter(|_| column.gbps.is_some());
            [
                if run.is_empty() { when } else { format!("{run}, {when}") }.into(),
                known(one.hardware_gbps.known()).into(),
                known(one.software_gbps.known()).into(),
                known(one.unaggregated_gbps.known()).into(),
                known(one.small_gbps.known()).into(),
                known(one.goodput_gbps.known()).into(),
                known(one.wire_gbps.known()).into(),
                of_several(low.into()),
                of_several(high.into()),
                of_several(u64::from(column.intervals).into()),
                column.burst.map_or_else(|| "".into(), Value::from),
                one.retransmitted_bytes.known().into(),
            ]
        })
    });
    Marks::new(&HEADS, rows)
}

/// Of all payload of an interval, what was retransmitted. None where nothing was sent, or it was not measured.
fn retransmitted_share(sample: &Interval) -> Option<f64> {
    let again = sample.retransmitted_bytes.known()? as f64;
    let sent = by_path(sample)?.iter().sum::<f64>() * sample.duration_s * 1e9 / 8.0;
    (sent.is_finite() && sent > 0.0).then(|| (again / sent).min(1.0))
}
