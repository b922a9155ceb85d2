//! Any JSON is a document or a clear error. A document that was read is written, read and written again without a change, has words without
//! controls of a terminal, and a page; two of them are compared and joined.

use std::path::Path;

use crate::fix::Journal;
use crate::recording;
use crate::report::ab;
use crate::report::compare::{Pair, schema::CompareReport, text as comparison};
use crate::report::kit::document::{self, Document};
use crate::report::kit::json::Explained;
use crate::report::kit::style::Style;
use crate::report::kit::typed::Typed;
use crate::report::path;
use crate::report::run::{screen::screen, text::answer};

/// Drawing takes a hundred times as long as all the rest, so this part of the inputs is drawn.
const DRAWN: usize = 16;

pub(super) fn any(bytes: &[u8]) {
    let is_drawn = bytes.len().is_multiple_of(DRAWN);
    let typed = Typed { sudo: true, netns: None, command: Vec::new(), keep: None };
    match recording::from_json(bytes, Path::new("run.json")) {
        Ok(report) => {
            let stays =
                stays(&report, |text| recording::from_json(text, Path::new("run.json")).ok(), is_drawn);
            if stays {
                super::is_plain(&answer(&report, &[], &Style::PLAIN));
                super::is_plain(&screen(&report, &[], &typed, &Style::PLAIN));
                let compared = CompareReport::of((&report, "a"), (&report, "b"));
                super::is_plain(&comparison::answer(&compared, &[], &Style::PLAIN));
                let pair = Pair { report: compared, a: report.clone(), b: report };
                draw(&pair, is_drawn);
            }
        }
        Err(error) => super::is_told(&error.to_string()),
    }
    match ab::from_json(bytes) {
        Ok(report) => {
            if stays(&report, |text| ab::from_json(text).ok(), is_drawn) {
                super::is_plain(&ab::text::answer(&report, &[], &Style::PLAIN));
                super::is_plain(&ab::screen::screen(&report, &[], &typed, &Style::PLAIN));
            }
        }
        Err(error) => super::is_told(&error),
    }
    match path::from_json(bytes) {
        Ok(report) => {
            let documents = [("a".to_owned(), report.clone()), ("b".to_owned(), report.clone())];
            let joined = path::joined(&documents).expect("of two");
            for report in [report, joined] {
                if stays(&report, |text| path::from_json(text).ok(), is_drawn) {
                    super::is_plain(&path::answer(&report, &Style::PLAIN, &Typed::default()));
                }
            }
        }
        Err(error) => super::is_told(&error),
    }
    if let Ok(text) = str::from_utf8(bytes) {
        Journal::stays(text);
    }
}

/// False of what cannot be written: a number that it cannot do without is none.
fn stays<D: Document + Explained>(report: &D, read: impl Fn(&[u8]) -> Option<D>, is_drawn: bool) -> bool {
    let Ok(text) = report.to_text() else { return false };
    let again = read(text.as_bytes()).expect("what was written is read");
    assert_eq!(again.to_text().expect("once more"), text);
    draw(report, is_drawn);
    true
}

fn draw<D: Document>(report: &D, is_drawn: bool) {
    if is_drawn {
        document::page(report).expect("a page");
    }
}
