//! Rows of the heat map: what each queue and each CPU did in each part of the run.

use crate::model::throughput::{CpuShare, Interval, QueueRate};
use crate::report::kit::format::{self, capitalised, percent, rate};

/// More rows than this cannot be determined apart: neighbours are put together.
const ROWS: usize = 64;
/// More cells than this make the file large.
const CELLS: usize = 6_000;
/// More columns than this cannot be determined apart.
const COLUMNS: usize = 240;

/// Rows of one kind.
pub(super) struct Group {
    /// Of what.
    pub(super) what: &'static str,
    /// What the one that did most did. None where it is not worth a headline.
    did: Option<&'static str>,
    of: Of,
    said: fn(f64) -> String,
    /// How many there are, however many rows.
    count: usize,
    /// The value that is drawn brightest.
    full: f64,
    pub(super) rows: Vec<Row>,
}

/// One of them, and several.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Queues,
    Cpus,
}

impl Of {
    /// Alone, several, and on a row.
    fn names(self) -> [&'static str; 3] {
        match self {
            Self::Queues => ["transmit queue", "transmit queues", "queue"],
            Self::Cpus => ["CPU", "CPUs", "CPU"],
        }
    }
}

/// One queue or CPU, or some neighbours.
pub(super) struct Row {
    pub(super) name: String,
    what: &'static str,
    pub(super) said: fn(f64) -> String,
    pub(super) cells: Vec<Cell>,
    /// How many intervals a cell stands for at most.
    pub(super) intervals: usize,
}

/// One part of the run.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    pub(super) from_s: f64,
    pub(super) to_s: f64,
    /// None where nothing was measured.
    pub(super) mean: Option<f64>,
    /// The highest of any interval, and of any of the neighbours.
    pub(super) highest: Option<f64>,
}

impl Row {
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.name, self.what).trim_end().to_owned()
    }

    pub(super) fn mean(&self) -> Option<f64> {
        let known = self.cells.iter().filter_map(|cell| Some((cell.to_s - cell.from_s, cell.mean?)));
        let (seconds, sum) =
            known.fold((0.0, 0.0), |(all, sum), (length, mean)| (all + length, sum + length * mean));
        (seconds > 0.0).then(|| sum / seconds).filter(|mean| mean.is_finite())
    }

    pub(super) fn peak(&self) -> Option<(f64, &Cell)> {
        let known = self.cells.iter().filter_map(|cell| Some((cell.highest?, cell)));
        known.reduce(|best, next| if next.0 > best.0 { next } else { best })
    }
}

impl Group {
    /// Of the brightest, 0 to 1.
    pub(super) fn part(&self, value: f64) -> f64 {
        if self.full > 0.0 { value / self.full } else { 0.0 }
    }

    pub(super) fn heading(&self) -> String {
        let [_, several, _] = self.of.names();
        format!("{}, {}", capitalised(several), self.what)
    }

    pub(super) fn counted(&self) -> String {
        let [one, several, _] = self.of.names();
        format!("{} {} {}", self.count, if self.count == 1 { one } else { several }, self.what)
    }

    /// What the brightest stands for. None where all are nothing.
    pub(super) fn all(&self) -> Option<String> {
        let of = if self.of == Of::Cpus { "of a CPU" } else { "by a queue" };
        (self.full > 0.0).then(|| format!("{} {of}", (self.said)(self.full)))
    }

    /// Says that rows stand for several.
    pub(super) fn aggregation(&self) -> Option<String> {
        let each = self.count.div_ceil(self.rows.len().max(1));
        let [_, several, _] = self.of.names();
        (each > 1).then(|| format!("a row is the mean of up to {each} {several}"))
    }

    /// The row with the highest mean, in words.
    pub(super) fn busiest(&self) -> Option<String> {
        let known = self.rows.iter().filter_map(|row| Some((row, row.mean()?)));
        let (row, mean) = known.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
        let did = self.did?;
        Some(format!("{did}: {} ({})", row.name, (self.said)(mean))).filter(|_| mean > 0.0)
    }
}

/// Gbit/s or packets a second of a queue; or a share of a CPU's time.
type Value<T> = fn(&T) -> Option<f64>;

/// Every kind of row of which something is known, and what is not there and why.
pub(super) fn groups(samples: &[&Interval]) -> (Vec<Group>, Vec<String>) {
    let mut absent = Vec::new();
    let queues = samples.iter().map(|sample| sample.queues.len()).max().unwrap_or(0);
    let cpus = samples.iter().map(|sample| sample.cpus.len()).max().unwrap_or(0);
    let rated = knows(samples, queue(|queue| queue.gbps), queues);
    let has_queues = rated || knows(samples, queue(|queue| queue.packets_per_s), queues);
    let segmenting = knows(samples, cpu(|cpu| cpu.segmenting), cpus);
    if !has_queues {
        absent.push(
            "no queues: the device does not count them one by one, or they could not be compared".to_owned(),
        );
    }
    if cpus == 0 {
        absent.push("no CPUs: their times could not be compared".to_owned());
    } else if !segmenting {
        absent.push("what each CPU spent on segmentation was not timed".to_owned());
    }
    // What is in softirq gives way first where there is no room for all.
    let lines = if has_queues { queues } else { 0 } + cpus * if segmenting { 3 } else { 2 };
    let softirq = cpus > 0 && (lines <= ROWS || !segmenting);
    let kinds = [has_queues, cpus > 0, softirq, segmenting].into_iter().filter(|is_there| *is_there).count();
    let lines = lines - if softirq { 0 } else { cpus };
    let most = if lines <= ROWS { ROWS } else { (ROWS / kinds.max(1)).max(1) };
    let columns = (CELLS / lines.clamp(1, ROWS)).clamp(20, COLUMNS);
    let plan = Plan { samples, most, each: samples.len().div_ceil(columns).max(1) };

    let mut found = Vec::new();
    let of_queues = Group {
        what: "sending",
        did: Some("sent most"),
        of: Of::Queues,
        said: if rated { rate } else { per_second },
        count: queues,
        full: 0.0,
        rows: Vec::new(),
    };
    if has_queues {
        let value: Value<QueueRate> = if rated { |queue| queue.gbps } else { |queue| queue.packets_per_s };
        found.push(plan.fill(of_queues, queue(value)));
    }
    let mut add = |is_there, what, did, value: Value<CpuShare>| {
        if is_there {
            let group =
                Group { what, did, of: Of::Cpus, said: percent, count: cpus, full: 1.0, rows: Vec::new() };
            found.push(plan.fill(group, cpu(value)));
        }
    };
    add(cpus > 0, "busy", Some("busiest"), |cpu| Some(cpu.busy));
    add(softirq, "in softirq", None, |cpu| Some(cpu.softirq));
    add(segmenting, "segmenting for this interface", Some("segmented most"), |cpu| cpu.segmenting);
    (found, absent)
}

fn per_second(packets: f64) -> String {
    format!("{} packets/s", format::count(packets.max(0.0).round() as u64))
}

fn queue(value: Value<QueueRate>) -> impl Fn(&Interval, usize) -> Option<f64> {
    move |sample, place| {
        sample.queues.get(place).and_then(value).filter(|value| value.is_finite() && *value >= 0.0)
    }
}

fn cpu(value: Value<CpuShare>) -> impl Fn(&Interval, usize) -> Option<f64> {
    move |sample, place| {
        sample.cpus.get(place).and_then(value).filter(|value| value.is_finite() && *value >= 0.0)
    }
}

fn knows(samples: &[&Interval], value: impl Fn(&Interval, usize) -> Option<f64>, count: usize) -> bool {
    samples.iter().any(|sample| (0..count).any(|place| value(sample, place).is_some()))
}

/// How rows are made.
struct Plan<'a> {
    samples: &'a [&'a Interval],
    /// Rows at most.
    most: usize,
    /// Intervals a cell.
    each: usize,
}

impl Plan<'_> {
    /// The group with its rows. Where nothing is given as full, the brightest cell is.
    fn fill(&self, mut group: Group, value: impl Fn(&Interval, usize) -> Option<f64>) -> Group {
        let together = group.count.div_ceil(self.most).max(1);
        let [.., short] = group.of.names();
        let row = |first: usize| {
            let last = (first + together).min(group.count) - 1;
            let name =
                if last > first { format!("{short}s {first}–{last}") } else { format!("{short} {first}") };
            let chunks = self.samples.chunks(self.each);
            let cells = chunks.filter_map(|part| cell(part, first..=last, &value)).collect();
            // A queue does one thing only.
            let what = if group.of == Of::Cpus { group.what } else { "" };
            Row { name, what, said: group.said, cells, intervals: self.each }
        };
        group.rows = (0..group.count).step_by(together).map(row).collect();
        let means = group.rows.iter().flat_map(|row| &row.cells).filter_map(|cell| cell.mean);
        if group.full <= 0.0 {
            group.full = means.fold(0.0, f64::max);
        }
        group
    }
}

/// Some intervals of some neighbours. The mean is over time.
fn cell(
    part: &[&Interval],
    places: std::ops::RangeInclusive<usize>,
    value: &impl Fn(&Interval, usize) -> Option<f64>,
) -> Option<Cell> {
    let (first, last) = (part.first()?, part.last()?);
    let (mut weight, mut sum, mut highest) = (0.0, 0.0, None::<f64>);
    for sample in part {
        for value in places.clone().filter_map(|place| value(sample, place)) {
            weight += sample.duration_s;
            sum += value * sample.duration_s;
            highest = Some(highest.map_or(value, |highest| highest.max(value)));
        }
    }
    let mean = (weight > 0.0).then(|| sum / weight).filter(|mean| mean.is_finite());
    Some(Cell {
        from_s: first.t_s - first.duration_s,
        to_s: last.t_s,
        mean,
        highest: highest.filter(|_| mean.is_some()),
    })
}
