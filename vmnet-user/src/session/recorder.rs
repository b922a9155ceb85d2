//! The recording of the run that goes on. It may fail, for want of room; the run does not.

use std::{fs::File, io, path::PathBuf};

use vmnet_common::Counters;

use crate::model::sample::Sample;
use crate::output::OutputDir;
use crate::recording::{End, Event, Start, Writer};

/// Writes until it cannot; nothing where nothing is to be kept.
pub(super) struct Recorder {
    path: Option<PathBuf>,
    writer: Option<Writer<File>>,
    failed: Option<String>,
}

impl Recorder {
    pub(super) fn begin(
        to: Option<(&OutputDir, &str)>,
        start: &Start,
        first: &Sample,
        by_cpu: &[Counters],
    ) -> Self {
        let path = to.map(|(output, name)| output.path().join(name));
        let mut recorder = Self { path, writer: None, failed: None };
        let Some((output, name)) = to else { return recorder };
        let begun = output.create(name).and_then(|file| Writer::begin(file, start, first, by_cpu));
        match begun {
            Ok(writer) => recorder.writer = Some(writer),
            Err(answer) => recorder.give_up(&answer),
        }
        recorder
    }

    pub(super) fn sample(&mut self, sample: &Sample, by_cpu: &[Counters]) {
        self.add(|writer| writer.sample(sample, by_cpu));
    }

    pub(super) fn event(&mut self, event: &Event) {
        self.add(|writer| writer.event(event));
    }

    fn add(&mut self, add: impl FnOnce(&mut Writer<File>) -> io::Result<()>) {
        if let Some(Err(answer)) = self.writer.as_mut().map(add) {
            self.give_up(&answer);
        }
    }

    /// Where it is, and what kept it from being whole.
    pub(super) fn end(mut self, end: &End) -> (Option<PathBuf>, Option<String>) {
        // Some file systems say only now that there is no room.
        let ended = self.writer.take().map(|writer| writer.end(end).and_then(|file| file.sync_all()));
        if let Some(Err(answer)) = ended {
            self.give_up(&answer);
        }
        (self.path, self.failed)
    }

    fn give_up(&mut self, answer: &io::Error) {
        self.writer = None;
        let Some(path) = &self.path else { return };
        self.failed = Some(format!(
            "could not write {}: {answer}; what was recorded until then can be read; make room or choose another place \
             with -o DIR",
            path.display()
        ));
    }
}
