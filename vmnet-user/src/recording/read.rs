//! Reading a recording: a report or a clear error, whatever is in the file.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use serde::de::DeserializeOwned;

use super::changes::Decoder;
use super::columns::{self, MOST_CPUS, MOST_QUEUES, Places, Row, Shape};
use super::frames::{BEGIN, END, EVENT, Frame, FrameError, Frames, Next, SAMPLE};
use super::run::{End, MOST_EVENTS, Run, Start};
use super::write::Begin;
use crate::model::timeline::Timeline;
use crate::report::kit::budget::within;

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// It cannot be opened.
    #[error("it cannot be opened: {0}")]
    Open(io::Error),
    /// Its frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame is whole, but what it says cannot be.
    #[error("the recording is damaged at byte {at_byte}: {what}")]
    Content {
        /// Where the frame begins.
        at_byte: u64,
        /// What is wrong.
        what: String,
    },
    /// It was given up before anything could be measured.
    #[error("the recording holds {0}, which is not enough to tell anything: it ends at byte {1}")]
    TooShort(&'static str, u64),
}

/// Reads a whole recording from a file.
///
/// # Errors
/// [`RecordingError`], which says where.
pub fn read_file(path: &Path) -> Result<Run, RecordingError> {
    let file = File::open(path).map_err(RecordingError::Open)?;
    read(BufReader::new(file))
}

/// Reads a whole recording. What a torn one holds up to its last whole sample is a run without an end.
///
/// # Errors
/// [`RecordingError`].
pub fn read(from: impl Read) -> Result<Run, RecordingError> {
    let mut frames = Frames::open(from)?;
    let mut reader = match frames.next()? {
        Next::Frame(frame) if frame.tag == BEGIN => Reader::begin(&frame)?,
        Next::Frame(frame) => return Err(content(&frame, "the first frame is not its beginning")),
        Next::End => return Err(RecordingError::TooShort("nothing", 16)),
        Next::Torn { at_byte } => return Err(RecordingError::TooShort("no whole frame", at_byte)),
    };
    let mut ends_at_byte = None;
    loop {
        match frames.next()? {
            Next::Frame(frame) => reader.take(&frame)?,
            Next::End => break,
            Next::Torn { at_byte } => {
                ends_at_byte = Some(at_byte);
                break;
            }
        }
    }
    reader.finish(ends_at_byte)
}

struct Reader {
    run: Run,
    shape: Shape,
    places: Places,
    decoder: Decoder,
    /// Where the last frame began.
    at_byte: u64,
}

impl Reader {
    fn begin(frame: &Frame) -> Result<Self, RecordingError> {
        let Begin { columns, run: start } = json::<Begin<Start>>(frame)?;
        if columns.cpus > MOST_CPUS || columns.queues > MOST_QUEUES {
            return Err(content(frame, "it has more CPUs or queues than a recording can"));
        }
        let shape = Shape { cpus: columns.cpus, queues: columns.queues };
        let places = Places::find(&columns.sample, &columns.per_cpu, &columns.per_queue)
            .map_err(|missing| content(frame, &format!("it has no column {missing:?}")))?;
        let count = places.columns(shape);
        if count > MOST_COLUMNS {
            return Err(content(frame, "it has more columns than a recording can"));
        }
        Ok(Self {
            run: Run { start, timeline: Timeline::default(), events: Vec::new(), end: None, torn: None },
            shape,
            places,
            decoder: Decoder::new(count),
            at_byte: frame.at_byte,
        })
    }

    fn take(&mut self, frame: &Frame) -> Result<(), RecordingError> {
        self.at_byte = frame.at_byte;
        if self.run.end.is_some() {
            return Err(content(frame, "something follows its end"));
        }
        match frame.tag {
            SAMPLE => {
                let values = self.decoder.decode(&frame.body).map_err(|what| content(frame, &what))?;
                let sample = columns::sample(&Row { values, shape: self.shape, places: &self.places });
                let last = self.run.timeline.samples().last();
                if last.is_some_and(|last| last.at_ns >= sample.at_ns) {
                    return Err(content(frame, "a sample is not later than the one before it"));
                }
                self.run.timeline.push(sample, &self.run.start.conditions);
            }
            EVENT if self.run.events.len() < MOST_EVENTS => self.run.events.push(json(frame)?),
            END => self.run.end = Some(json::<End>(frame)?),
            // A later version has more to tell.
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self, ends_at_byte: Option<u64>) -> Result<Run, RecordingError> {
        let samples = self.run.timeline.samples();
        let Some(last) = samples.last().filter(|_| samples.len() >= 2) else {
            let held = if samples.is_empty() { "no sample" } else { "one sample" };
            return Err(RecordingError::TooShort(held, ends_at_byte.unwrap_or(self.at_byte)));
        };
        if self.run.end.is_none() {
            let place = ends_at_byte.map_or_else(String::new, |at| format!(", at byte {at}"));
            self.run.torn = Some(format!(
                "the recording ends after {:.1} s without the run's end{place}: vmnet was ended, or had no room to write",
                last.at_ns as f64 / 1e9
            ));
        }
        Ok(self.run)
    }
}

/// Room that a row may take: 8 MiB.
const MOST_COLUMNS: usize = 1 << 20;

fn content(frame: &Frame, what: &str) -> RecordingError {
    RecordingError::Content { at_byte: frame.at_byte, what: what.to_owned() }
}

/// Values in the JSON of a frame: the queues of the largest machine have a tenth of them. Each can be three bytes here, and a line of
/// several files.
const MOST_VALUES: usize = 200_000;
/// Text in it, names and all: a machine with all its files has some 100 kB. A report holds it several times over.
const MOST_TEXT_BYTES: usize = 1 << 20;

fn json<T: DeserializeOwned>(frame: &Frame) -> Result<T, RecordingError> {
    within(&frame.body, MOST_VALUES, MOST_TEXT_BYTES)
        .map_err(|what| content(frame, &format!("it has {what}, more than any run")))?;
    serde_json::from_slice(&frame.body)
        .map_err(|error| content(frame, &format!("its JSON is not understood: {error}")))
}
