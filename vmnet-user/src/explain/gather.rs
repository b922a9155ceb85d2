//! The texts of what was given: of standard input, a file, an archive or a directory. Of a sosreport only what is about the network is read.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::archive::{self, Form};

/// More of one text than this is not read.
const MOST_TEXT_BYTES: u64 = 1 << 20;
/// Nor of all together.
const MOST_ALL_BYTES: usize = 24 << 20;
/// Texts.
const MOST_TEXTS: usize = 4_000;
/// Files of a directory that are looked at.
const MOST_FILES: usize = 20_000;
/// Directories within directories. A sosreport's are two deep.
const MOST_DEPTH: usize = 4;
/// Enough of a file to know what it is.
const HEAD_BYTES: u64 = 512;

/// Where sosreports have what matters here.
const NETWORKING: &str = "sos_commands/networking/";
const KERNEL: &str = "sos_commands/kernel/uname";
const OF_SOS: &str = "sos_commands/";

/// What a hostile archive cannot exceed.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Unpacked.
    pub unpacked_bytes: u64,
    /// When to stop.
    pub until: Instant,
}

impl Bounds {
    /// For a person who waits: a large sosreport is some gigabytes.
    #[must_use]
    pub fn of_a_person() -> Self {
        Self { unpacked_bytes: 8 << 30, until: Instant::now() + Duration::from_secs(60) }
    }
}

/// A text and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    /// Of its file, without directories; empty for standard input.
    pub(super) name: String,
    pub(super) text: String,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    pub(super) texts: Vec<Text>,
    /// What could not be.
    pub(super) problems: Vec<String>,
    bytes: usize,
    is_sos: bool,
}

impl Gathered {
    pub(super) fn problem(&mut self, what: String) {
        const MOST: usize = 8;
        if self.problems.len() < MOST {
            self.problems.push(what);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= MOST_ALL_BYTES || self.texts.len() >= MOST_TEXTS
    }

    /// One text, if it is about the network and is a text. `size`: what it should have, bytes, where that is known.
    pub(super) fn take(&mut self, path: &str, size: Option<u64>, from: &mut impl Read) {
        if path.contains(OF_SOS) && !std::mem::replace(&mut self.is_sos, true) {
            // What came before it is of something else.
            self.texts.clear();
            self.bytes = 0;
        }
        let is_wanted = if self.is_sos { path.contains(NETWORKING) || path.contains(KERNEL) } else { true };
        if !is_wanted || self.is_full() {
            return;
        }
        let mut bytes = Vec::new();
        // What was read before an error counts: a torn archive is still worth something.
        let result = from.take(MOST_TEXT_BYTES).read_to_end(&mut bytes);
        if let Err(error) = result {
            self.problem(format!("{}: {error}", name_of(path)));
        } else if size.is_some_and(|size| (bytes.len() as u64) < size.min(MOST_TEXT_BYTES)) {
            self.problem(format!("{}: it ends early", name_of(path)));
        }
        // A text has no zeroes.
        if bytes.is_empty() || bytes.contains(&0) {
            return;
        }
        self.bytes += bytes.len();
        self.texts.push(Text { name: name_of(path), text: String::from_utf8_lossy(&bytes).into_owned() });
    }
}

fn name_of(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Whatever `from` is: a text, or an archive.
pub(super) fn stream(mut from: impl Read, bounds: Bounds) -> io::Result<Gathered> {
    let mut head = Vec::new();
    from.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
    let form = Form::of(&head);
    // A terminal that has told its end once goes on if it is asked again.
    let has_ended = (head.len() as u64) < HEAD_BYTES;
    let mut all = io::Cursor::new(head).chain(from.take(if has_ended { 0 } else { u64::MAX }));
    let mut gathered = Gathered::default();
    match form {
        Some(form) => archive::read(all, form, bounds, &mut gathered),
        None => gathered.take("", None, &mut all),
    }
    Ok(gathered)
}

/// A file, by its name.
pub(super) fn file(name: &str, opened: File, bounds: Bounds) -> io::Result<Gathered> {
    let mut gathered = stream(opened, bounds)?;
    if let [one] = gathered.texts.as_mut_slice()
        && one.name.is_empty()
    {
        one.name = name_of(name);
    }
    Ok(gathered)
}

/// A directory with all that is in it. Links are not followed, but for the one that was named.
pub(super) fn directory(path: &Path, bounds: Bounds) -> io::Result<Gathered> {
    let mut gathered = Gathered::default();
    for file in files(path, bounds.until)? {
        if gathered.is_full() || Instant::now() > bounds.until {
            gathered.problem("there is more than is looked at".to_owned());
            break;
        }
        let shown =
            file.strip_prefix(path.parent().unwrap_or(path)).unwrap_or(&file).to_string_lossy().into_owned();
        // A pipe would be waited for, and a link leads elsewhere.
        let opened =
            OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(&file);
        match opened {
            Ok(mut opened) if opened.metadata().is_ok_and(|metadata| metadata.is_file()) => {
                gathered.take(&shown, None, &mut opened);
            }
            Ok(_) => {}
            Err(error) => gathered.problem(format!("{shown}: {error}")),
        }
    }
    Ok(gathered)
}

/// The regular files below, those of a sosreport's network first.
fn files(directory: &Path, until: Instant) -> io::Result<Vec<PathBuf>> {
    let mut waiting = VecDeque::from([(directory.to_owned(), 0)]);
    let mut files = Vec::new();
    // The directory itself has to be readable.
    fs::read_dir(directory)?;
    while let Some((directory, depth)) = waiting.pop_front() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if files.len() >= MOST_FILES || Instant::now() > until {
                break;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < MOST_DEPTH => {
                    waiting.push_back((entry.path(), depth + 1));
                }
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    let is_of_sos = |file: &PathBuf| file.to_string_lossy().contains(NETWORKING);
    files.sort_by_key(|file| (!is_of_sos(file), file.clone()));
    Ok(files)
}
