//! The file as a sequence of frames, each with its own checks: what stands in `docs/recording.md`, and no more.
//!
//! A reader trusts no length before the header that holds it has been checked, and never takes more room than a frame may have.

use std::io::{self, Read, Write};

/// The first eight bytes. A transfer as text would spoil the first or one of the last two.
pub(super) const MAGIC: [u8; 8] = *b"\x89VMNET\r\n";
/// The layout of frames, and what they mean. A reader refuses a version that it does not know. Since 2, a sample may be of a run in
/// which segments were counted in windows alone, which a reader of 1 would take for all there were.
pub(super) const VERSION: u32 = 2;
/// No frame's body is longer: a machine's description with all its files is some 100 kB, the first sample of 512 busy CPUs half a
/// megabyte.
pub(super) const MOST_BODY_BYTES: u32 = 4 << 20;

const PREAMBLE_BYTES: usize = 16;
const HEADER_BYTES: usize = 16;

/// What a frame holds. Others are left out by a reader, so that a later version can add some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag(pub(super) [u8; 4]);

/// What was known when the run began: JSON.
pub(super) const BEGIN: Tag = Tag(*b"BEGN");
/// A sample.
pub(super) const SAMPLE: Tag = Tag(*b"SMPL");
/// A rare event: JSON.
pub(super) const EVENT: Tag = Tag(*b"EVNT");
/// What is known at the end: JSON.
pub(super) const END: Tag = Tag(*b"DONE");

/// A frame, whole and checked.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) tag: Tag,
    pub(super) body: Vec<u8>,
    /// Where it begins in the file.
    pub(super) at_byte: u64,
}

/// The file is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The kernel's answer.
    #[error("at byte {at_byte}: {answer}")]
    Read {
        /// Where.
        at_byte: u64,
        /// Why not.
        answer: io::Error,
    },
    /// Another kind of file.
    #[error("this is not a recording of vmnet: it does not begin with its eight bytes")]
    NotARecording,
    /// A newer vmnet wrote it.
    #[error(
        "this recording has version {0} of the layout, which a newer vmnet wrote; this one knows {VERSION}"
    )]
    Newer(u32),
    /// A check failed.
    #[error("the recording is damaged at byte {at_byte}: {what}")]
    Damaged {
        /// Where the frame begins.
        at_byte: u64,
        /// What does not hold.
        what: String,
    },
}

/// What a reader finds next.
#[derive(Debug)]
pub(super) enum Next {
    Frame(Frame),
    /// The file ends with a whole frame.
    End,
    /// The file ends within a frame: whoever wrote it was ended, or had no room. What was before it holds.
    Torn {
        at_byte: u64,
    },
}

pub(super) fn write_preamble(to: &mut impl Write) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(PREAMBLE_BYTES);
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    to.write_all(&bytes)
}

/// In one write, so that a full disk tears at most one frame.
pub(super) fn write_frame(to: &mut impl Write, tag: Tag, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len()).ok().filter(|length| *length <= MOST_BODY_BYTES);
    let length = length.ok_or_else(|| io::Error::other(format!("a frame of {} bytes", body.len())))?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend(tag.0);
    bytes.extend(length.to_le_bytes());
    bytes.extend(crc32fast::hash(body).to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes.extend(body);
    to.write_all(&bytes)
}

/// Reads frames one after the other.
#[derive(Debug)]
pub(super) struct Frames<R> {
    from: R,
    at_byte: u64,
}

impl<R: Read> Frames<R> {
    /// Reads what stands before the first frame.
    pub(super) fn open(from: R) -> Result<Self, FrameError> {
        let mut frames = Self { from, at_byte: 0 };
        let mut bytes = [0; PREAMBLE_BYTES];
        let got = frames.fill(&mut bytes)?;
        if bytes.get(..MAGIC.len().min(got)) != MAGIC.get(..got.min(MAGIC.len())) || got == 0 {
            return Err(FrameError::NotARecording);
        }
        if got < PREAMBLE_BYTES {
            return Err(FrameError::Damaged {
                at_byte: 0,
                what: "it ends before its first frame".to_owned(),
            });
        }
        let [version, check] = [word(&bytes, 8), word(&bytes, 12)];
        if check != crc32fast::hash(&bytes[..12]) {
            return Err(FrameError::Damaged {
                at_byte: 8,
                what: "the version's check sum is wrong".to_owned(),
            });
        }
        if version > VERSION {
            return Err(FrameError::Newer(version));
        }
        if version == 0 {
            return Err(FrameError::Damaged { at_byte: 8, what: format!("there is no version {version}") });
        }
        frames.at_byte = PREAMBLE_BYTES as u64;
        Ok(frames)
    }

    pub(super) fn next(&mut self) -> Result<Next, FrameError> {
        let at_byte = self.at_byte;
        let damaged = |what: &str| FrameError::Damaged { at_byte, what: what.to_owned() };
        let mut header = [0; HEADER_BYTES];
        match self.fill(&mut header)? {
            0 => return Ok(Next::End),
            HEADER_BYTES => {}
            _ => return Ok(Next::Torn { at_byte }),
        }
        if header == [0; HEADER_BYTES] {
            // After a power failure a file may be as long as it was to be, and hold zeros where data never came.
            return if self.only_zeros_follow()? {
                Ok(Next::Torn { at_byte })
            } else {
                Err(damaged("a frame's header is all zeros, and something follows it"))
            };
        }
        if word(&header, 12) != crc32fast::hash(&header[..12]) {
            return Err(damaged("the check sum of a frame's header is wrong"));
        }
        let [length, check] = [word(&header, 4), word(&header, 8)];
        if length > MOST_BODY_BYTES {
            return Err(damaged("a frame is longer than any may be"));
        }
        // What is not there is not made room for.
        let mut body = Vec::new();
        (&mut self.from)
            .take(u64::from(length))
            .read_to_end(&mut body)
            .map_err(|answer| FrameError::Read { at_byte, answer })?;
        if body.len() < length as usize {
            return Ok(Next::Torn { at_byte });
        }
        if check != crc32fast::hash(&body) {
            return Err(damaged("the check sum of a frame's body is wrong"));
        }
        self.at_byte = at_byte + (HEADER_BYTES + body.len()) as u64;
        let tag = Tag([header[0], header[1], header[2], header[3]]);
        Ok(Next::Frame(Frame { tag, body, at_byte }))
    }

    fn only_zeros_follow(&mut self) -> Result<bool, FrameError> {
        let mut buffer = [0; 8192];
        loop {
            match self.fill(&mut buffer)? {
                0 => return Ok(true),
                got if buffer[..got].iter().any(|byte| *byte != 0) => return Ok(false),
                _ => {}
            }
        }
    }

    /// Reads until `buffer` is full or the file ends.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, FrameError> {
        let mut got = 0;
        while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
            match self.from.read(rest) {
                Ok(0) => break,
                Ok(count) => got += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(answer) => return Err(FrameError::Read { at_byte: self.at_byte, answer }),
            }
        }
        Ok(got)
    }
}

fn word(bytes: &[u8; HEADER_BYTES], at: usize) -> u32 {
    let mut word = [0; 4];
    word.iter_mut().zip(&bytes[at..]).for_each(|(to, from)| *to = *from);
    u32::from_le_bytes(word)
}

/// The same bytes with every check sum made right: what a reader then finds wrong, it finds behind the check sums.
pub(super) fn with_check_sums(bytes: &[u8]) -> Vec<u8> {
    let mut mended = bytes.to_vec();
    let mend = |mended: &mut Vec<u8>, from: usize, to: usize, at: usize| {
        let Some(covered) = mended.get(from..to) else { return };
        let sum = crc32fast::hash(covered).to_le_bytes();
        if let Some(place) = mended.get_mut(at..at + 4) {
            place.copy_from_slice(&sum);
        }
    };
    mend(&mut mended, 0, 12, 12);
    let mut at = PREAMBLE_BYTES;
    while let Some(length) = mended.get(at + 4..at + 8) {
        let length = length.iter().rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        let body = at + HEADER_BYTES;
        let Some(end) = body.checked_add(length).filter(|end| *end <= mended.len()) else { break };
        mend(&mut mended, body, end, at + 8);
        mend(&mut mended, at, at + 12, at + 12);
        at = end;
    }
    mended
}
