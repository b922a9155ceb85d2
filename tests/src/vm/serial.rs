//! What comes over the guest's second serial port: the script's output and, between, words from init to the host.
//!
//! A word starts with the record separator (0x1e) and ends with the line: `vmnet-ready`, `vmnet-alive`, `vmnet-mark NAME`, `vmnet-exit
//! CODE`.

const RECORD_SEPARATOR: u8 = 0x1e;

/// A piece of what came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The script's output.
    Output(Vec<u8>),
    /// `mark NAME`: the guest waits for an answer.
    Mark(String),
    /// The guest waits to be told to go.
    Ready,
    /// It went, its device is up, and each of its CPUs has slept and woken.
    Alive,
    /// The script's end.
    Exit(i32),
}

/// Takes the stream apart, however it is cut into reads.
#[derive(Debug, Default)]
pub(super) struct Parser {
    word: Option<Vec<u8>>,
}

impl Parser {
    /// The pieces that are complete with these bytes. Output is never held back.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut output = Vec::new();
        for &byte in bytes {
            match &mut self.word {
                None if byte == RECORD_SEPARATOR => self.word = Some(Vec::new()),
                None => output.push(byte),
                Some(word) if byte == b'\n' => {
                    let meant = meaning(word);
                    self.word = None;
                    if !output.is_empty() {
                        pieces.push(Piece::Output(std::mem::take(&mut output)));
                    }
                    pieces.push(meant);
                }
                Some(word) => word.push(byte),
            }
        }
        if !output.is_empty() {
            pieces.push(Piece::Output(output));
        }
        pieces
    }
}

/// What only looks like a word is output.
fn meaning(word: &[u8]) -> Piece {
    let text = String::from_utf8_lossy(word);
    let text = text.trim_end_matches('\r');
    if text == "vmnet-ready" {
        return Piece::Ready;
    }
    if text == "vmnet-alive" {
        return Piece::Alive;
    }
    if let Some(name) = text.strip_prefix("vmnet-mark ") {
        return Piece::Mark(name.to_owned());
    }
    match text.strip_prefix("vmnet-exit ").and_then(|code| code.parse().ok()) {
        Some(code) => Piece::Exit(code),
        None => Piece::Output([&[RECORD_SEPARATOR], word, b"\n"].concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(text: &str) -> Piece {
        Piece::Output(text.as_bytes().to_vec())
    }

    #[test]
    fn the_exit_code_is_found_behind_output_without_a_last_newline() {
        let pieces = Parser::default().feed(b"hello\x1evmnet-exit 3\n");
        assert_eq!(pieces, [output("hello"), Piece::Exit(3)]);
    }

    #[test]
    fn words_are_found_however_the_stream_is_cut() {
        let stream = b"one\n\x1evmnet-mark before\ntwo\n\x1evmnet-exit 0\n";
        for cut in 0..stream.len() {
            let mut parser = Parser::default();
            let mut pieces = parser.feed(&stream[..cut]);
            pieces.extend(parser.feed(&stream[cut..]));
            let words: Vec<_> = pieces.iter().filter(|piece| !matches!(piece, Piece::Output(_))).collect();
            assert_eq!(words, [&Piece::Mark("before".to_owned()), &Piece::Exit(0)], "cut at {cut}");
        }
    }

    #[test]
    fn a_separator_that_the_script_prints_itself_stays_in_its_output() {
        assert_eq!(Parser::default().feed(b"\x1eodd\n"), [output("\x1eodd\n")]);
    }
}
