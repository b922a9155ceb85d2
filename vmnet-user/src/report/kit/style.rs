//! How words look on a terminal, decided once by whoever knows the terminal.

use crate::report::kit::format;

/// Width where there is no terminal to ask.
pub const DEFAULT_WIDTH: usize = 80;

/// How to write for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Bold and colour, by ANSI escapes.
    pub colour: bool,
    /// ASCII only, for logs and for terminals that know no better (`--plain`).
    pub plain: bool,
    /// Columns.
    pub width: usize,
}

/// Colours that carry meaning; the words carry it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Not known, or in between.
    Unsure,
    /// A heading.
    Heading,
}

impl Style {
    /// Neither colour nor anything beyond ASCII, a little wider than a terminal usually is.
    pub const PLAIN: Self = Self { colour: false, plain: true, width: 100 };

    /// `no_color` is the value of `NO_COLOR` (<https://no-color.org>: any value but the empty one counts); `width` is
    /// the terminal's, where there is one.
    #[must_use]
    pub fn detect(is_terminal: bool, no_color: Option<&str>, plain: bool, width: Option<usize>) -> Self {
        Self {
            colour: is_terminal && !plain && no_color.is_none_or(str::is_empty),
            plain,
            // Narrower than this, words would be cut rather than wrapped.
            width: width.unwrap_or(DEFAULT_WIDTH).max(40),
        }
    }

    /// `text` in bold and in the colour of `tone`.
    #[must_use]
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "1;32",
            Tone::Bad => "1;31",
            Tone::Unsure => "1;33",
            Tone::Heading => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Our own typography, in ASCII where that is asked for. What comes from outside stays as it is.
    #[must_use]
    pub fn typeset(&self, text: &str) -> String {
        if !self.plain {
            return text.to_owned();
        }
        let mut ascii = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '✓' => ascii.push_str("ok"),
                '✗' => ascii.push_str("FAILED"),
                '→' => ascii.push_str("->"),
                '←' => ascii.push_str("<-"),
                '◐' => ascii.push_str("half"),
                '│' => ascii.push('|'),
                '–' | '−' | '·' => ascii.push('-'),
                '±' => ascii.push_str("+/-"),
                '≤' => ascii.push_str("<="),
                '…' => ascii.push_str("..."),
                char::REPLACEMENT_CHARACTER => ascii.push('?'),
                other => ascii.push(other),
            }
        }
        ascii
    }

    /// Words wrapped to the width, the first line after `first`, the others after as many blanks.
    #[must_use]
    pub fn paragraph(&self, first: &str, text: &str) -> String {
        let first = self.typeset(first);
        let hang = " ".repeat(textwrap::core::display_width(&first));
        let options = textwrap::Options::new(self.width)
            .initial_indent(&first)
            .subsequent_indent(&hang)
            // A command or a path must come out of the terminal as it went in.
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        let text = with_units_tied(&self.typeset(text));
        let mut lines = textwrap::wrap(&text, options).join("\n").replace(NO_BREAK, " ");
        lines.push('\n');
        lines
    }

    /// A heading with its lines, each wrapped under itself. A line keeps the blanks that it begins with. Data is made harmless.
    #[must_use]
    pub fn section(&self, name: &str, lines: &[String]) -> String {
        let mut text = String::new();
        for (index, line) in lines.iter().enumerate() {
            let words = line.trim_start_matches(' ');
            let indent = " ".repeat(line.len() - words.len());
            text += &self.paragraph(&format!("{}{indent}", self.heading(name, index)), &self.data(words));
        }
        text
    }

    /// As [`Self::section`], but no line is wrapped: it can be copied as it is.
    #[must_use]
    pub fn verbatim(&self, name: &str, lines: &[String]) -> String {
        let mut text = String::new();
        for (index, line) in lines.iter().enumerate() {
            text += &format!("{}{}\n", self.heading(name, index), self.typeset(&self.data(line)));
        }
        text
    }

    /// The name before the first line, blanks before the others.
    fn heading(&self, name: &str, index: usize) -> String {
        self.paint(Tone::Heading, &format!("{:<6}", if index == 0 { name } else { "" }))
    }

    /// Data of unknown origin, made harmless.
    #[must_use]
    pub fn data(&self, text: &str) -> String {
        format::printable(text)
    }
}

const NO_BREAK: char = '\u{a0}';

/// A number and what it counts belong on one line, as do a mark and what it marks.
fn with_units_tied(text: &str) -> String {
    let mut tied = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = rest.next() {
        let is_tie = c == ' '
            && (matches!(before, '✓' | '✗')
                || before.is_ascii_digit()
                    && rest.peek().is_some_and(|next| *next == '%' || next.is_alphabetic()));
        tied.push(if is_tie { NO_BREAK } else { c });
        before = c;
    }
    tied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_needs_a_terminal_and_nobody_against_it() {
        assert!(Style::detect(true, None, false, None).colour);
        assert!(Style::detect(true, Some(""), false, None).colour);
        assert!(!Style::detect(true, Some("1"), false, None).colour);
        assert!(!Style::detect(true, None, true, None).colour);
        assert!(!Style::detect(false, None, false, None).colour);
    }

    #[test]
    fn words_wrap_under_their_heading_and_escapes_take_no_room() {
        let style = Style { colour: true, plain: false, width: 40 };
        let heading = format!("{}  ", style.paint(Tone::Heading, "COST"));
        let text = style.paragraph(&heading, "one two three four five six seven eight nine ten");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[1].starts_with("      "));
        assert!(lines.iter().all(|line| textwrap::core::display_width(line) <= 40));
    }

    #[test]
    fn a_number_stays_with_its_unit() {
        let style = Style { width: 40, ..Style::PLAIN };
        let text = style.paragraph("", "these thirty-five letters go before 41.2 GB of bulk");
        assert_eq!(text.lines().next(), Some("these thirty-five letters go before"));
        assert_eq!(text.lines().nth(1), Some("41.2 GB of bulk"));
    }

    #[test]
    fn a_path_is_never_cut_in_two() {
        let path = "/".repeat(70);
        assert!(Style { width: 40, ..Style::PLAIN }.paragraph("", &path).contains(&path));
    }
}
