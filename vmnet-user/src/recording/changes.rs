//! A sample's body: which columns changed since the sample before, and by how much. One deflate stream runs through all samples of
//! a file, so that what repeats from second to second costs little; each sample ends with a sync flush, so that it can be read
//! without the next.

use std::io;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// A varint has at most this many bytes.
const MOST_VARINT_BYTES: usize = 10;

/// Turns rows into bodies.
pub(super) struct Encoder {
    before: Vec<u64>,
    deflate: Compress,
}

impl Encoder {
    /// For rows of so many columns; all of them are 0 before the first row.
    pub(super) fn new(columns: usize) -> Self {
        // Raw deflate: the frame has its own check.
        Self { before: vec![0; columns], deflate: Compress::new(Compression::default(), false) }
    }

    pub(super) fn encode(&mut self, row: &[u64]) -> io::Result<Vec<u8>> {
        let changed: Vec<(usize, u64)> = row
            .iter()
            .zip(&self.before)
            .enumerate()
            .filter(|(_, (now, before))| now != before)
            .map(|(column, (now, before))| (column, zigzag(now.wrapping_sub(*before))))
            .collect();
        let mut plain = Vec::with_capacity(changed.len() * 4);
        push_varint(&mut plain, changed.len() as u64);
        let mut next = 0;
        for (column, _) in &changed {
            push_varint(&mut plain, (column - next) as u64);
            next = column + 1;
        }
        changed.iter().for_each(|(_, change)| push_varint(&mut plain, *change));
        self.before.copy_from_slice(row);
        self.compress(&plain)
    }

    fn compress(&mut self, plain: &[u8]) -> io::Result<Vec<u8>> {
        let mut body = Vec::with_capacity(plain.len() / 2 + 64);
        let begin = self.deflate.total_in();
        loop {
            let taken = usize::try_from(self.deflate.total_in() - begin).unwrap_or(usize::MAX);
            let rest = plain.get(taken..).unwrap_or_default();
            self.deflate
                .compress_vec(rest, &mut body, FlushCompress::Sync)
                .map_err(|error| io::Error::other(error.to_string()))?;
            let taken = usize::try_from(self.deflate.total_in() - begin).unwrap_or(usize::MAX);
            // Room that is left shows that the flush is complete.
            if taken >= plain.len() && body.len() < body.capacity() {
                return Ok(body);
            }
            body.reserve(body.capacity());
        }
    }
}

/// Turns bodies into rows.
pub(super) struct Decoder {
    row: Vec<u64>,
    inflate: Decompress,
}

impl Decoder {
    /// For rows of so many columns.
    pub(super) fn new(columns: usize) -> Self {
        Self { row: vec![0; columns], inflate: Decompress::new(false) }
    }

    /// The next row. The error says what is wrong with the body; no later one can be read then.
    pub(super) fn decode(&mut self, body: &[u8]) -> Result<&[u64], String> {
        let plain = self.decompress(body)?;
        let mut rest = plain.as_slice();
        let count = usize::try_from(varint(&mut rest)?).unwrap_or(usize::MAX);
        if count > self.row.len() {
            return Err("more columns change than there are".to_owned());
        }
        let mut columns = Vec::with_capacity(count);
        let mut next = 0_usize;
        for _ in 0..count {
            let gap = usize::try_from(varint(&mut rest)?).unwrap_or(usize::MAX);
            let column = next.saturating_add(gap);
            if column >= self.row.len() {
                return Err("a column changes that there is not".to_owned());
            }
            columns.push(column);
            next = column + 1;
        }
        for column in columns {
            let change = varint(&mut rest)?;
            if let Some(value) = self.row.get_mut(column) {
                *value = value.wrapping_add(unzigzag(change));
            }
        }
        if rest.is_empty() { Ok(&self.row) } else { Err("something follows the last change".to_owned()) }
    }

    /// No more than a row that changes in every column could need.
    fn decompress(&mut self, body: &[u8]) -> Result<Vec<u8>, String> {
        let most = MOST_VARINT_BYTES + self.row.len() * (MOST_VARINT_BYTES + 4);
        let mut plain = Vec::with_capacity(body.len().saturating_mul(4).clamp(64, most));
        let begin = self.inflate.total_in();
        loop {
            let taken = usize::try_from(self.inflate.total_in() - begin).unwrap_or(usize::MAX);
            let rest = body.get(taken..).unwrap_or_default();
            let before = (self.inflate.total_in(), plain.len());
            let status = self.inflate.decompress_vec(rest, &mut plain, FlushDecompress::Sync);
            let status = status.map_err(|error| format!("it is not compressed as it should be: {error}"))?;
            let taken = usize::try_from(self.inflate.total_in() - begin).unwrap_or(usize::MAX);
            if plain.len() > most {
                return Err("it is longer than a sample can be".to_owned());
            }
            if status == Status::StreamEnd {
                return Err("the compressed stream ends within the recording".to_owned());
            }
            if plain.len() == plain.capacity() {
                plain.reserve(plain.capacity());
            } else if taken >= body.len() {
                return Ok(plain);
            } else if before == (self.inflate.total_in(), plain.len()) {
                return Err("a part of it cannot be uncompressed".to_owned());
            }
        }
    }
}

/// Small changes in either direction are small numbers.
fn zigzag(change: u64) -> u64 {
    let signed = change.cast_signed();
    ((signed << 1) ^ (signed >> 63)).cast_unsigned()
}

fn unzigzag(code: u64) -> u64 {
    (code >> 1) ^ (code & 1).wrapping_neg()
}

fn push_varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn varint(from: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0_u64;
    for place in 0..MOST_VARINT_BYTES {
        let (&byte, rest) = from.split_first().ok_or("it ends within a number")?;
        *from = rest;
        let bits = u64::from(byte & 0x7f);
        if place == MOST_VARINT_BYTES - 1 && bits > 1 {
            break;
        }
        value |= bits << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("a number is longer than 64 bits".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_come_back_whatever_is_in_them(rows in prop::collection::vec(prop::collection::vec(any::<u64>(), 40), 1..12)) {
            let (mut encoder, mut decoder) = (Encoder::new(40), Decoder::new(40));
            for row in rows {
                let body = encoder.encode(&row).unwrap();
                prop_assert_eq!(decoder.decode(&body).unwrap(), row.as_slice());
            }
        }

        #[test]
        fn any_bytes_can_be_decoded_or_refused(body in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut decoder = Decoder::new(40);
            let _ = decoder.decode(&body);
        }

        #[test]
        fn every_change_has_a_code(change in any::<u64>()) {
            prop_assert_eq!(unzigzag(zigzag(change)), change);
        }
    }

    #[test]
    fn a_wide_row_needs_more_than_one_turn_of_the_compressor() {
        let columns = 100_000;
        let (mut encoder, mut decoder) = (Encoder::new(columns), Decoder::new(columns));
        for turn in 1..4_u64 {
            let row: Vec<u64> = (0..columns as u64)
                .map(|column| column.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(7).wrapping_mul(turn))
                .collect();
            let body = encoder.encode(&row).unwrap();
            assert_eq!(decoder.decode(&body).unwrap(), row.as_slice());
        }
    }

    #[test]
    fn a_bomb_is_refused_at_what_a_sample_could_be() {
        let mut deflate = Compress::new(Compression::best(), false);
        let mut bomb = Vec::with_capacity(1 << 20);
        deflate.compress_vec(&vec![0; 64 << 20], &mut bomb, FlushCompress::Sync).unwrap();
        let refused = Decoder::new(40).decode(&bomb).unwrap_err();
        assert!(refused.contains("longer than a sample"), "{refused}");
    }

    #[test]
    fn nothing_that_changed_is_a_few_bytes() {
        let mut encoder = Encoder::new(40);
        encoder.encode(&[7; 40]).unwrap();
        assert!(encoder.encode(&[7; 40]).unwrap().len() < 12);
    }
}
