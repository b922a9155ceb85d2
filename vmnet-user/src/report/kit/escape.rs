//! What is filled into a page is data, never markup: names of interfaces, commands and processes come from anybody.

use std::fmt::{self, Write};

use askama::filters::Escaper;

use crate::report::kit::format::is_unprintable;

/// Escapes for text and for quoted attributes, in HTML and in XML alike. What would reverse the reading direction or is forbidden in
/// either becomes `U+FFFD`; lines and tabs stay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data;

impl Escaper for Data {
    fn write_escaped_str<W: Write>(&self, mut page: W, text: &str) -> fmt::Result {
        let mut written = 0;
        for (at, c) in text.char_indices() {
            let harmless = match c {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\'' => "&#39;",
                '\n' | '\t' => continue,
                c if is_unprintable(c) => "\u{FFFD}",
                _ => continue,
            };
            page.write_str(text.get(written..at).unwrap_or_default())?;
            page.write_str(harmless)?;
            written = at + c.len_utf8();
        }
        page.write_str(text.get(written..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut page = String::new();
        Data.write_escaped_str(&mut page, text).expect("a string has room");
        page
    }

    #[test]
    fn nothing_that_markup_is_made_of_comes_through() {
        assert_eq!(
            escaped("<a href='x' title=\"y\">&"),
            "&lt;a href=&#39;x&#39; title=&quot;y&quot;&gt;&amp;"
        );
        assert_eq!(
            escaped("a\0b\x1b\u{202E}c\u{61C}\u{FFFF}"),
            "a\u{FFFD}b\u{FFFD}\u{FFFD}c\u{FFFD}\u{FFFD}"
        );
        assert_eq!(escaped("two\n\tlines, größer"), "two\n\tlines, größer");
    }
}
