//! What sections are made of: tables, and lists of facts.

use askama::Template;

use crate::model::absences::Reasons;
use crate::model::fact::Fact;
use crate::model::interface::Interface;
use crate::report::kit::chart::{Chart, Drawn, Titled};
use crate::report::kit::format::{self, plural};
use crate::report::kit::marks::Marks;

/// A document's charts.
#[derive(Default)]
pub(crate) struct Figures {
    pub(in crate::report) drawn: Vec<Figure>,
    /// Those that have nothing to show, and why.
    pub(in crate::report) absent: Vec<(&'static str, String)>,
}

impl Figures {
    /// In one line; None where all are drawn.
    pub(in crate::report) fn absences(&self) -> Option<String> {
        let said = |(name, why): &(&str, String)| format!("{name} ({})", format::shortened(why, 90));
        let said: Vec<String> = self.absent.iter().map(said).collect();
        (!said.is_empty()).then(|| format!("Not drawn: {}.", said.join("; ")))
    }
}

/// A chart, with the numbers behind it.
pub(crate) struct Figure {
    pub(in crate::report) id: &'static str,
    pub(in crate::report) name: &'static str,
    /// Where it is by itself.
    pub(in crate::report) file: &'static str,
    /// What decided, where that is about this chart.
    pub(in crate::report) finding: String,
    pub(in crate::report) svg: String,
    pub(in crate::report) table: Grid,
}

impl Figure {
    pub(in crate::report) fn new<D: Titled>(chart: &Chart<D>, picture: &Drawn) -> Self {
        Self {
            id: chart.stem(),
            name: chart.name,
            file: chart.file,
            finding: format::sentence(picture.finding.as_deref().unwrap_or_default()),
            svg: picture.on_page(),
            table: Grid::behind(chart.name, &picture.marks),
        }
    }
}

/// A table that scrolls by itself where it is too wide.
#[derive(Template)]
#[template(path = "grid.html")]
pub(in crate::report) struct Grid {
    /// What it shows: the caption, and the name of what scrolls.
    pub(in crate::report) caption: String,
    pub(in crate::report) head: Vec<Head>,
    pub(in crate::report) rows: Vec<Row>,
    /// What there would be more to say.
    pub(in crate::report) more: Option<String>,
    /// Whether the caption is shown, or only for who cannot see the table.
    is_captioned: bool,
}

/// A column's head.
pub(in crate::report) struct Head {
    pub(in crate::report) text: String,
    pub(in crate::report) is_number: bool,
}

/// A row, by its name.
pub(in crate::report) struct Row {
    pub(in crate::report) name: String,
    /// Below the name, smaller.
    pub(in crate::report) note: String,
    pub(in crate::report) cells: Vec<Cell>,
}

/// A cell.
pub(in crate::report) enum Cell {
    Words(String),
    Number(String),
    /// A name of the kernel's or of a file.
    Code(String),
    /// A judgement: in colour, by a sign, and in a word.
    Mark(Mark),
    /// Not measured.
    Unknown,
}

/// A judgement.
pub(in crate::report) struct Mark {
    /// `good`, `bad`, `unsure`, `none`.
    pub(in crate::report) tone: &'static str,
    pub(in crate::report) sign: &'static str,
    pub(in crate::report) word: String,
}

impl Mark {
    pub(in crate::report) fn good(word: &str) -> Self {
        Self { tone: "good", sign: "✓", word: word.to_owned() }
    }

    pub(in crate::report) fn bad(word: &str) -> Self {
        Self { tone: "bad", sign: "✗", word: word.to_owned() }
    }

    pub(in crate::report) fn unsure(word: &str) -> Self {
        Self { tone: "unsure", sign: "?", word: word.to_owned() }
    }

    pub(in crate::report) fn none(word: &str) -> Self {
        Self { tone: "none", sign: "·", word: word.to_owned() }
    }
}

impl Cell {
    pub(in crate::report) fn words(text: impl Into<String>) -> Self {
        Self::Words(text.into())
    }

    /// Every digit of a count; what was not measured is a dash.
    pub(in crate::report) fn exact(count: impl Into<Option<u64>>) -> Self {
        count.into().map_or(Self::Unknown, |count| Self::Number(format::exact(count)))
    }
}

impl Row {
    pub(in crate::report) fn new(name: impl Into<String>, cells: Vec<Cell>) -> Self {
        Self { name: name.into(), note: String::new(), cells }
    }
}

impl Grid {
    /// Columns whose name begins with `#` hold numbers.
    pub(in crate::report) fn new<const COLUMNS: usize>(
        caption: impl Into<String>,
        head: [&str; COLUMNS],
    ) -> Self {
        let head = head.map(|text| match text.strip_prefix('#') {
            Some(text) => Head { text: text.to_owned(), is_number: true },
            None => Head { text: text.to_owned(), is_number: false },
        });
        Self { caption: caption.into(), head: head.into(), rows: Vec::new(), more: None, is_captioned: true }
    }

    /// The numbers behind a chart.
    pub(in crate::report) fn behind(chart: &str, marks: &Marks) -> Self {
        let columns = marks.said_columns();
        let head = columns.iter().map(|column| Head { text: column.head(), is_number: column.is_number() });
        let rows = marks.cells().map(|mut cells| {
            let name = cells.next().unwrap_or_default();
            let cells = cells.zip(columns.iter().skip(1)).map(|(text, column)| match column.is_number() {
                true => Cell::Number(text),
                false => Cell::Words(text),
            });
            Row::new(name, cells.collect())
        });
        Self {
            caption: format!("{chart}, as a table"),
            head: head.collect(),
            rows: rows.collect(),
            more: None,
            is_captioned: false,
        }
    }

    /// More rows than this are no list of cards on a phone.
    fn is_short(&self) -> bool {
        self.rows.len() <= 40
    }

    /// Cells, each with the name of its column where it may stand apart from that.
    fn labelled<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = (&'a str, &'a Cell)> {
        let is_short = self.is_short();
        let labels = self.head.iter().skip(1).map(move |head| if is_short { head.text.as_str() } else { "" });
        labels.zip(&row.cells)
    }

    pub(in crate::report) fn row(&mut self, name: impl Into<String>, cells: Vec<Cell>) {
        self.rows.push(Row::new(name, cells));
    }
}

/// What a person opens who wants to know more: a name, the gist of it in a line, and what is inside.
#[derive(Template)]
#[template(path = "part.html")]
pub(in crate::report) struct Part {
    pub(in crate::report) id: &'static str,
    pub(in crate::report) name: &'static str,
    gist: String,
    blocks: Vec<Block>,
}

/// A piece of a part.
enum Block {
    Heading(String),
    Said(String),
    Note(String),
    List(Vec<String>),
    Facts(Facts),
    Grid(Grid),
    Copy(String),
    Long { label: &'static str, text: String },
}

impl Part {
    pub(in crate::report) fn new(id: &'static str, name: &'static str, gist: impl Into<String>) -> Self {
        Self { id, name, gist: format::shortened(&gist.into(), 90), blocks: Vec::new() }
    }

    /// What is null in the JSON, and why.
    pub(in crate::report) fn of_unmeasured(reasons: &Reasons) -> Self {
        let mut grid = Grid::new("What is null in the JSON, and why", ["Path", "Why"]);
        for (path, why) in reasons {
            grid.row(path, vec![Cell::words(why)]);
        }
        let part = |gist| Self::new("unmeasured", "Not measured", gist);
        if reasons.is_empty() {
            return part("everything was".to_owned());
        }
        part(format!("{}, and why", plural(reasons.len() as u64, "null"))).grid(grid)
    }

    fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    pub(in crate::report) fn heading(self, text: &str) -> Self {
        self.with(Block::Heading(text.to_owned()))
    }

    pub(in crate::report) fn said(self, text: impl Into<String>) -> Self {
        self.with(Block::Said(text.into()))
    }

    pub(in crate::report) fn note(self, text: impl Into<String>) -> Self {
        self.with(Block::Note(text.into()))
    }

    /// A sentence each; nothing where there is none.
    pub(in crate::report) fn list(self, lines: impl IntoIterator<Item = String>) -> Self {
        let lines: Vec<String> = lines.into_iter().map(|line| format::sentence(&line)).collect();
        if lines.is_empty() { self } else { self.with(Block::List(lines)) }
    }

    pub(in crate::report) fn facts(self, facts: Facts) -> Self {
        if facts.facts.is_empty() { self } else { self.with(Block::Facts(facts)) }
    }

    pub(in crate::report) fn grid(self, grid: Grid) -> Self {
        self.with(Block::Grid(grid))
    }

    pub(in crate::report) fn grids(self, grids: impl IntoIterator<Item = Grid>) -> Self {
        grids.into_iter().fold(self, Self::grid)
    }

    pub(in crate::report) fn copy(self, text: impl Into<String>) -> Self {
        self.with(Block::Copy(text.into()))
    }

    pub(in crate::report) fn long(self, label: &'static str, text: String) -> Self {
        self.with(Block::Long { label, text })
    }
}

/// One number, large.
pub(in crate::report) struct Tile {
    pub(in crate::report) label: String,
    /// None where it was not measured; then the note says why.
    pub(in crate::report) value: Option<String>,
    pub(in crate::report) note: String,
}

/// Of what, where, and when.
pub(in crate::report) fn circumstances(
    of: &Interface,
    probes: &str,
    start: &str,
    duration_s: f64,
) -> Vec<String> {
    let mut facts = vec![of.name.clone()];
    facts.extend(of.driver.clone());
    facts.extend(of.queues.map(|queues| plural(u64::from(queues), "queue")));
    facts.push(format!("MTU {}", of.mtu));
    facts.push(format!("kernel {}", of.kernel));
    facts.push(format!("probes: {probes}"));
    facts.push(format::moment(start));
    facts.push(format::duration(duration_s));
    facts.into_iter().map(|fact| format::shortened(&fact, 60)).collect()
}

/// Terms and what is known of them.
#[derive(Default, Template)]
#[template(path = "facts.html")]
pub(in crate::report) struct Facts {
    pub(in crate::report) facts: Vec<(String, Known)>,
}

/// What is known, or why it is not.
pub(in crate::report) type Known = Fact<String>;

impl Facts {
    pub(in crate::report) fn add(&mut self, term: &str, value: impl Into<String>) {
        self.facts.push((term.to_owned(), Ok(value.into())));
    }

    /// Only what there is.
    pub(in crate::report) fn add_some(&mut self, term: &str, value: Option<impl Into<String>>) {
        self.facts.extend(value.map(|value| (term.to_owned(), Ok(value.into()))));
    }

    pub(in crate::report) fn add_fact<T>(
        &mut self,
        term: &str,
        fact: &Fact<T>,
        say: impl FnOnce(&T) -> String,
    ) {
        self.facts.push((term.to_owned(), fact.as_ref().map(say).map_err(Clone::clone)));
    }
}

/// `0–3, 6`.
pub(in crate::report) fn ranges(numbers: &[u32]) -> String {
    let runs = numbers.chunk_by(|left, right| left.checked_add(1) == Some(*right));
    let said: Vec<String> = runs
        .filter_map(|run| match (run.first()?, run.last()?) {
            (first, last) if first == last => Some(first.to_string()),
            (first, last) => Some(format!("{first}–{last}")),
        })
        .collect();
    if said.is_empty() { "none".to_owned() } else { said.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_told_as_ranges() {
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0–2, 5, 7–8");
        assert_eq!(ranges(&[]), "none");
    }
}
