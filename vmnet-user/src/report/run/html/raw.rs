//! The raw JSON at the end of the page: all of it, for whoever has the page alone. What is deep inside stands on one line.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

use crate::report::kit::format::is_unprintable;
use crate::report::kit::json::JsonError;
use crate::report::run::schema::RunReport;

/// Down to this depth each element has a line of its own.
const OPEN_LEVELS: usize = 3;

/// The report, which has to be finite, as text. What a page cannot show is escaped, so that it is what `run.json` says.
pub(super) fn json(report: &RunReport) -> Result<String, JsonError> {
    let mut text = Vec::new();
    report
        .serialize(&mut Serializer::with_formatter(&mut text, Outline::default()))
        .map_err(JsonError::Serialize)?;
    // serde_json writes UTF-8.
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Indented at the top, compact below.
#[derive(Default)]
struct Outline {
    depth: usize,
    is_empty: bool,
}

impl Outline {
    fn begin(&mut self, to: &mut (impl Write + ?Sized), bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.is_empty = true;
        to.write_all(bracket)
    }

    fn element(&mut self, to: &mut (impl Write + ?Sized), is_first: bool) -> io::Result<()> {
        self.is_empty = false;
        if self.depth <= OPEN_LEVELS {
            to.write_all(if is_first { b"\n" } else { b",\n" })?;
            indent(to, self.depth)
        } else {
            to.write_all(if is_first { b"" } else { b", " })
        }
    }

    fn end(&mut self, to: &mut (impl Write + ?Sized), bracket: &[u8]) -> io::Result<()> {
        let is_open = self.depth <= OPEN_LEVELS && !self.is_empty;
        self.depth = self.depth.saturating_sub(1);
        self.is_empty = false;
        if is_open {
            to.write_all(b"\n")?;
            indent(to, self.depth)?;
        }
        to.write_all(bracket)
    }
}

fn indent(to: &mut (impl Write + ?Sized), depth: usize) -> io::Result<()> {
    (0..depth).try_for_each(|_| to.write_all(b"  "))
}

impl Formatter for Outline {
    fn begin_array<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.begin(to, b"[")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.element(to, first)
    }

    fn end_array<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.end(to, b"]")
    }

    fn begin_object<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.begin(to, b"{")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.element(to, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(b": ")
    }

    fn end_object<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.end(to, b"}")
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, to: &mut W, fragment: &str) -> io::Result<()> {
        let mut written = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| is_unprintable(*c)) {
            to.write_all(fragment.get(written..at).unwrap_or_default().as_bytes())?;
            // All of them are in the basic plane.
            write!(to, "\\u{:04x}", u32::from(c))?;
            written = at + c.len_utf8();
        }
        to.write_all(fragment.get(written..).unwrap_or_default().as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, to: &mut W, escape: CharEscape) -> io::Result<()> {
        serde_json::ser::CompactFormatter.write_char_escape(to, escape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::kit::json::Explained as _;
    use crate::report::run::{fixture, json as file};

    #[test]
    fn it_is_what_run_json_says() {
        for mut report in [fixture::software(), fixture::idle(), fixture::counters()] {
            report.interface.name = "a\u{202E}\0\u{FFFF}\"\\</script>\x7f".to_owned();
            let text = json(&report.explained().expect("finite numbers")).expect("finite numbers");
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("its own output");
            assert_eq!(value(&text), value(&file::to_text(&report).expect("finite numbers")));
            assert!(!text.contains(|c| is_unprintable(c) && c != '\n'));
        }
    }

    #[test]
    fn an_interval_is_a_line() {
        let report = fixture::software();
        let text = json(&report).expect("finite numbers");
        assert_eq!(text.lines().filter(|line| line.contains("\"t_s\":")).count(), 30);
        assert!(text.contains("\n  \"events\": [],\n"), "{text}");
    }
}
