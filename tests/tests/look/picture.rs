//! A chart in a file of its own.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use testbed::browser::{Browser, View};

const SVG: &str = "http://www.w3.org/2000/svg";

/// Everything that is wrong with an SVG: as XML, as something to be read aloud, and as a picture.
pub(crate) fn wrong_with_picture(browser: &mut Browser, file: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let mut wrong = match roxmltree::Document::parse(&text) {
        Ok(document) => wrong_with_words(&document),
        Err(error) => vec![format!("is no XML: {error}")],
    };
    let mut page = browser.open(file, View::DESKTOP)?;
    let size = "(() => { const size = document.documentElement.getBoundingClientRect(); return Math.min(size.width, size.height) })()";
    if page.evaluate(size)?.as_f64().is_none_or(|least| least < 1.0) {
        wrong.push("has no size".to_owned());
    }
    // What the browser puts in the place of what it cannot read.
    if page.evaluate("document.querySelector('parsererror') !== null")? == true {
        wrong.push("cannot be read by the browser".to_owned());
    }
    wrong.extend(super::noise(&mut page)?);
    Ok(wrong.into_iter().map(|sentence| format!("{}: {sentence}", file.display())).collect())
}

fn wrong_with_words(document: &roxmltree::Document<'_>) -> Vec<String> {
    let root = document.root_element();
    let mut wrong = Vec::new();
    if !root.has_tag_name((SVG, "svg")) {
        wrong.push("is no SVG".to_owned());
    }
    for part in ["title", "desc"] {
        let element = root.children().find(|child| child.has_tag_name((SVG, part)));
        if element.and_then(|element| element.text()).is_none_or(|text| text.trim().is_empty()) {
            wrong.push(format!("has no <{part}> for who cannot see it"));
        }
    }
    wrong
}
