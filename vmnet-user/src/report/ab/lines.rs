//! Sections of the terminal's text: a name in the margin, its lines beside it. The names are longer than those of a run's answer.

use crate::report::kit::style::{Style, Tone};

/// Columns before the lines.
const MARGIN: usize = 9;

/// Lines of words, each wrapped under itself. A line keeps the blanks that it begins with. Data is made harmless.
pub(super) fn section(style: &Style, name: &str, lines: &[String]) -> String {
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let words = line.trim_start_matches(' ');
        let indent = " ".repeat(line.len() - words.len());
        text += &style.paragraph(&format!("{}{indent}", heading(style, name, index)), &style.data(words));
    }
    text
}

/// As [`section`], but no line is wrapped: it can be copied as it is.
pub(super) fn verbatim(style: &Style, name: &str, lines: &[String]) -> String {
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        text += &format!("{}{}\n", heading(style, name, index), style.typeset(&style.data(line)));
    }
    text
}

fn heading(style: &Style, name: &str, index: usize) -> String {
    style.paint(Tone::Heading, &format!("{:<MARGIN$}", if index == 0 { name } else { "" }))
}
