//! The answer as a person decides by it: a mark, a word and a sentence first, then a few named rows. All else is in the whole text (`-v`) and
//! in the report.

use super::style::{Style, Tone};

/// How much of an answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// The first line.
    Line,
    /// What fits a small terminal.
    #[default]
    Screen,
    /// All there is.
    Whole,
}

impl Detail {
    /// The answer in as much detail as that: the screen, its first line, or the whole text.
    #[must_use]
    pub fn of(self, screen: impl FnOnce() -> String, whole: impl FnOnce() -> String) -> String {
        match self {
            Self::Line => first_line(&screen()),
            Self::Screen => screen(),
            Self::Whole => whole(),
        }
    }
}

/// No wider, however wide the terminal is: long lines are not read.
const WIDEST: usize = 100;
/// Where the text of a row begins.
const NAMES: usize = 11;

/// An answer in the making.
#[derive(Debug)]
pub struct Screen {
    style: Style,
    text: String,
}

impl Screen {
    /// Begins with the answer. Words are ours, data in the sentence is made harmless.
    #[must_use]
    pub fn new(style: &Style, tone: Tone, word: &str, sentence: &str) -> Self {
        let style = Style { width: style.width.min(WIDEST), ..*style };
        let mark = match tone {
            _ if style.plain => "",
            Tone::Good => "✓ ",
            Tone::Bad => "✗ ",
            Tone::Unsure => "? ",
            Tone::Heading => "",
        };
        let first = format!("{}  ", style.paint(tone, &format!("{mark}{word:<4}")));
        let text = style.paragraph(&first, &style.data(sentence));
        Self { style, text }
    }

    /// A row, wrapped under itself. One without text is left out.
    pub fn row(&mut self, name: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let first = self.name(name);
        self.text += &self.style.paragraph(&first, &self.style.data(text));
    }

    /// A row that is pasted into a shell, and so not wrapped.
    pub fn command(&mut self, name: &str, command: &str) {
        let line = format!("{}{}\n", self.name(name), self.style.data(command));
        self.text += &line;
    }

    /// A line of a table, as it is.
    pub fn line(&mut self, line: &str) {
        self.text += &self.style.typeset(line.trim_end());
        self.text.push('\n');
    }

    /// An empty line.
    pub fn gap(&mut self) {
        self.text.push('\n');
    }

    /// How words look on it.
    #[must_use]
    pub fn style(&self) -> &Style {
        &self.style
    }

    /// All of it, a newline at the end of each line.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }

    fn name(&self, name: &str) -> String {
        let name = format!("{name:<width$}", width = NAMES - 4);
        format!("  {}  ", self.style.paint(Tone::Heading, &name))
    }
}

/// The first line alone, for `-q`; what wraps is one line again.
#[must_use]
pub fn first_line(screen: &str) -> String {
    let mut lines = screen.lines();
    let mut line = lines.next().unwrap_or_default().to_owned();
    for more in lines.take_while(|line| line.starts_with("     ")) {
        line.push(' ');
        line += more.trim_start();
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const NARROW: Style = Style { colour: false, plain: false, width: 50 };

    #[test]
    fn the_answer_comes_first_and_rows_hang_under_their_names() {
        let mut screen = Screen::new(&NARROW, Tone::Bad, "NO", "TSO is off on ens4");
        screen.row("Why", "TSO is switched off in this machine, and the host offers it");
        screen.row("Left out", "");
        screen.command("Fix", "sudo vmnet fix ens4 --netns /run/netns/a-name-that-is-longer-than-the-line");
        assert_eq!(
            screen.finish(),
            "✗ NO    TSO is off on ens4\n  Why      TSO is switched off in this machine,\n           and the host offers it\n  Fix      \
             sudo vmnet fix ens4 --netns /run/netns/a-name-that-is-longer-than-the-line\n"
        );
    }

    #[test]
    fn a_quiet_answer_is_one_line_however_long() {
        let screen =
            Screen::new(&NARROW, Tone::Good, "YES", "TSO works on ens4: the driver gets large packets whole");
        let quiet = first_line(&screen.finish());
        assert_eq!(quiet, "✓ YES   TSO works on ens4: the driver gets large packets whole\n");
        let bare = first_line(&Screen::new(&NARROW, Tone::Good, "YES", "it works").finish());
        assert_eq!(bare, "✓ YES   it works\n");
    }

    #[test]
    fn what_comes_from_outside_cannot_steer_the_terminal() {
        let mut screen = Screen::new(&Style::PLAIN, Tone::Unsure, "NOT KNOWN", "\x1b[2J");
        screen.row("Why", "\x07");
        screen.command("Fix", "\x1b]0;x");
        assert!(screen.finish().chars().all(|c| c == '\n' || !c.is_control()));
    }
}
