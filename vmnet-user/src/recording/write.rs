//! Writing a recording while the run goes on.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use vmnet_common::Counters;

use super::changes::Encoder;
use super::columns::{self, PER_CPU, QUEUE, SCALARS, Shape};
use super::frames::{BEGIN, END, EVENT, SAMPLE, write_frame, write_preamble};
use super::run::{End, Event, Start};
use crate::model::sample::Sample;

/// The first frame: what every column is called, and what was known at the beginning.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Begin<S> {
    pub(super) columns: Columns,
    pub(super) run: S,
}

/// The names of columns.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Columns {
    /// Once a sample.
    pub(super) sample: Vec<String>,
    /// For each CPU.
    pub(super) per_cpu: Vec<String>,
    /// For each transmit queue.
    pub(super) per_queue: Vec<String>,
    pub(super) cpus: usize,
    pub(super) queues: usize,
}

/// A recording that grows. Every call ends with all of it handed to the kernel.
pub struct Writer<W> {
    to: W,
    shape: Shape,
    encoder: Encoder,
}

impl<W: Write> Writer<W> {
    /// Begins with the first sample. `by_cpu` is what each CPU counted, empty without programs.
    ///
    /// # Errors
    /// The kernel's.
    pub fn begin(mut to: W, start: &Start, first: &Sample, by_cpu: &[Counters]) -> io::Result<Self> {
        let shape = Shape::of(first);
        let columns = Columns {
            sample: SCALARS.map(str::to_owned).to_vec(),
            per_cpu: PER_CPU.clone(),
            per_queue: QUEUE.map(str::to_owned).to_vec(),
            cpus: shape.cpus,
            queues: shape.queues,
        };
        write_preamble(&mut to)?;
        write_frame(&mut to, BEGIN, &serde_json::to_vec(&Begin { columns, run: start })?)?;
        let mut writer = Self { to, shape, encoder: Encoder::new(shape.columns()) };
        writer.sample(first, by_cpu)?;
        Ok(writer)
    }

    /// Adds the next sample.
    ///
    /// # Errors
    /// The kernel's. What was written before stays readable; nothing can be added any more.
    pub fn sample(&mut self, sample: &Sample, by_cpu: &[Counters]) -> io::Result<()> {
        let body = self.encoder.encode(&columns::row(sample, by_cpu, self.shape))?;
        write_frame(&mut self.to, SAMPLE, &body)
    }

    /// Adds a rare event.
    ///
    /// # Errors
    /// As [`Writer::sample`].
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        write_frame(&mut self.to, EVENT, &serde_json::to_vec(event)?)
    }

    /// What a run leaves that was ended from outside.
    #[cfg(test)]
    pub(crate) fn abandoned(self) -> W {
        self.to
    }

    /// Ends it, and gives back what it was written to.
    ///
    /// # Errors
    /// As [`Writer::sample`].
    pub fn end(mut self, end: &End) -> io::Result<W> {
        write_frame(&mut self.to, END, &serde_json::to_vec(end)?)?;
        self.to.flush()?;
        Ok(self.to)
    }
}
