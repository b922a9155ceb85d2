//! A tar archive, packed or not, read as it comes: nothing is unpacked to disk, no link is followed, and neither its size nor its time is
//! the archive's to decide.

use std::io::{self, Read};
use std::time::Instant;

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use tar::{Archive, EntryType};

use super::gather::{Bounds, Gathered};

/// A dictionary of 32 MiB, more than `xz` and sos use by themselves.
const MOST_XZ_KIB: u32 = 40 << 10;
/// A name in an extension header.
const LONGEST_NAME_BYTES: u64 = 16 << 10;
/// A tar block.
const BLOCK: usize = 512;

/// What its first bytes say that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Gzip,
    Xz,
    Tar,
    /// Known, and not read here: with the program that unpacks it.
    Other(&'static str),
}

impl Form {
    /// None where it is no archive.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Other("zstd -d")),
            [b'B', b'Z', b'h', ..] => Some(Self::Other("bunzip2")),
            [b'P', b'K', 3, 4, ..] => Some(Self::Other("unzip")),
            _ => (head.get(257..262) == Some(b"ustar")).then_some(Self::Tar),
        }
    }
}

/// Reads as much as the bounds allow. What is wrong with an archive ends it, and is said; what came before it stays.
pub(super) fn read(from: impl Read, form: Form, bounds: Bounds, gathered: &mut Gathered) {
    match form {
        Form::Tar => entries(Bounded::new(from, bounds), gathered),
        Form::Gzip => unpacked(MultiGzDecoder::new(from), bounds, gathered),
        Form::Xz => unpacked(XzReader::new_mem_limit(from, true, MOST_XZ_KIB), bounds, gathered),
        Form::Other(program) => {
            gathered.problem(format!(
                "packed in a way that is not read here: `{program}` it first, and give me the result"
            ));
        }
    }
}

/// A packed archive, or a packed text.
fn unpacked(from: impl Read, bounds: Bounds, gathered: &mut Gathered) {
    let mut from = Bounded::new(from, bounds);
    let mut head = Vec::new();
    if let Err(error) = from.by_ref().take(BLOCK as u64).read_to_end(&mut head) {
        gathered
            .problem(format!("it cannot be unpacked here: {error}; unpack it, and give me the directory"));
        return;
    }
    let is_tar = Form::of(&head) == Some(Form::Tar);
    let mut all = io::Cursor::new(head).chain(from);
    if is_tar {
        entries(all, gathered);
    } else {
        gathered.take("", None, &mut all);
    }
}

/// Entry by entry. Extension headers are read here, as the crate would read them whole, however long they are.
fn entries(from: impl Read, gathered: &mut Gathered) {
    let mut archive = Archive::new(from);
    let all = match archive.entries() {
        Ok(all) => all.raw(true),
        Err(error) => return gathered.problem(format!("it cannot be read: {error}")),
    };
    let mut long_name = None;
    for entry in all {
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(error) => return gathered.problem(format!("it ends early, or is damaged: {error}")),
        };
        match entry.header().entry_type() {
            EntryType::GNULongName => long_name = name_of(&mut entry),
            EntryType::XHeader => long_name = path_in(&mut entry),
            EntryType::Regular | EntryType::Continuous => {
                let name = long_name
                    .take()
                    .unwrap_or_else(|| String::from_utf8_lossy(&entry.path_bytes()).into_owned());
                let size = entry.header().entry_size().ok();
                gathered.take(&name, size, &mut entry);
            }
            EntryType::GNULongLink | EntryType::XGlobalHeader => {}
            // Directories, links, devices: nothing to read.
            _ => long_name = None,
        }
        if gathered.is_full() {
            return;
        }
    }
}

fn name_of(entry: &mut impl Read) -> Option<String> {
    let mut bytes = Vec::new();
    entry.take(LONGEST_NAME_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned())
}

/// Records are `length key=value\n`.
fn path_in(entry: &mut impl Read) -> Option<String> {
    let records = name_of(entry)?;
    records.lines().find_map(|record| Some(record.split_once(' ')?.1.strip_prefix("path=")?.to_owned()))
}

/// Ends with an error where there is too much, or it takes too long.
struct Bounded<R> {
    from: R,
    left_bytes: u64,
    until: Instant,
}

impl<R> Bounded<R> {
    fn new(from: R, bounds: Bounds) -> Self {
        Self { from, left_bytes: bounds.unpacked_bytes, until: bounds.until }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left_bytes == 0 || Instant::now() > self.until {
            return Err(io::Error::other(
                "more than is looked at; give me the directory sos_commands/networking alone",
            ));
        }
        let most = usize::try_from(self.left_bytes).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.from.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left_bytes = self.left_bytes.saturating_sub(read as u64);
        Ok(read)
    }
}
