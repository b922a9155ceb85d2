//! Looks at a page as people do: on a phone and on a laptop, by day and by night, on paper; points at it, opens what can be opened.

#![allow(dead_code, reason = "each scenario file uses its part")]

mod picture;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use testbed::browser::{Browser, Media, Page, View, sheets_in};

pub(crate) use picture::wrong_with_picture;

/// The questions that are asked inside of the page.
const LOOK: &str = include_str!("look.js");

/// Where screenshots go, if anywhere.
const LOOK_DIRECTORY: &str = "VMNET_LOOK";

const VIEWS: [View; 4] =
    [View::PHONE, View::PHONE.with(Media::Dark), View::DESKTOP, View::DESKTOP.with(Media::Dark)];

/// A page, and what it has to have.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// For screenshots and complaints.
    pub(crate) name: String,
    /// Its file.
    pub(crate) file: PathBuf,
    /// Words that have to be read without scrolling: the verdict's state.
    pub(crate) states: Vec<String>,
    /// Whether it is wrong if there is nothing to point at.
    pub(crate) has_marks: bool,
}

/// Everything that is wrong with a page, a sentence each. None means that it has been looked at and nothing was.
pub(crate) fn wrong_with(browser: &mut Browser, subject: &Subject) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut colours = Vec::new();
    for view in VIEWS {
        let mut page = browser.open(&subject.file, view).with_context(|| subject.name.clone())?;
        let look = |page: &mut Page<'_>| look_at(page, subject, view);
        let (found, seen) =
            look(&mut page).with_context(|| format!("{} at {}", subject.name, view.name()))?;
        wrong.extend(
            found.into_iter().map(|sentence| format!("{} at {}: {sentence}", subject.name, view.name())),
        );
        colours.push((view, seen));
    }
    for (view, seen) in &colours {
        let other = colours.iter().find(|(other, _)| other.width == view.width && other.media != view.media);
        for part in ["background", "ink"] {
            if view.media == Media::Dark && other.is_some_and(|(_, other)| other[part] == seen[part]) {
                wrong.push(format!(
                    "{}: the {part} is the same in light and dark: {}",
                    subject.name, seen[part]
                ));
            }
        }
    }
    Ok(wrong)
}

/// What is wrong in one view, and the colours that it has there.
fn look_at(page: &mut Page<'_>, subject: &Subject, view: View) -> Result<(Vec<String>, Value)> {
    let mut wrong =
        sentences(&ask(page, "at_first", &[json!(view.width), json!(view.height), json!(subject.states)])?);
    let colours = ask(page, "colours", &[])?;
    put(&format!("{}-{}-first.png", subject.name, view.name()), || page.seen())?;
    keep(&format!("{}-{}", subject.name, view.name()), page)?;
    wrong.extend(sentences(&ask(page, "opened", &[json!(view.width)])?));
    page.point_at(0.0, 0.0)?;
    page.settle()?;
    keep(&format!("{}-{}-open", subject.name, view.name()), page)?;
    if !view.mobile {
        wrong.extend(point_at_marks(page, subject)?);
    }
    if view == View::DESKTOP {
        let pdf = page.pdf()?;
        if sheets_in(&pdf) == 0 {
            wrong.push("prints nothing".to_owned());
        }
        put(&format!("{}.pdf", subject.name), || Ok(pdf))?;
    }
    wrong.extend(noise(page)?);
    Ok((wrong, colours))
}

/// One mark of each figure shows its title where the pointer is over it.
fn point_at_marks(page: &mut Page<'_>, subject: &Subject) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut pointed = 0;
    for number in 0..ask(page, "figure_count", &[])?.as_u64().unwrap_or_default() {
        let mark = ask(page, "mark", &[json!(number)])?;
        let figure = format!("figure {}", number + 1);
        if mark.is_null() {
            continue;
        }
        pointed += 1;
        let title = mark["title"].as_str().unwrap_or_default();
        let (Some(x), Some(y)) = (mark["x"].as_f64(), mark["y"].as_f64()) else {
            wrong.push(format!("{figure} has a mark that cannot be asked, \"{title}\": {}", mark["what"]));
            continue;
        };
        page.point_at(0.0, 0.0)?;
        page.settle()?;
        let before = ask(page, "count", &[json!(title)])?;
        page.point_at(x, y)?;
        if ask(page, "appears", &[json!(title), before])? != true {
            wrong.push(format!("{figure} does not show \"{title}\" where the pointer is over it"));
        } else if pointed == 1 {
            put(&format!("{}-pointed.png", subject.name), || page.seen())?;
        }
    }
    if pointed == 0 && subject.has_marks {
        wrong.push("has no mark to point at".to_owned());
    }
    Ok(wrong)
}

/// What a page said or asked for that should have done neither.
fn noise(page: &mut Page<'_>) -> Result<Vec<String>> {
    let said = page.messages()?.into_iter().map(|message| format!("says {message}"));
    let asked = page.requests()?.into_iter().map(|request| format!("asks for {request}"));
    Ok(said.chain(asked).collect())
}

fn ask(page: &mut Page<'_>, question: &str, arguments: &[Value]) -> Result<Value> {
    let arguments: Vec<String> = arguments.iter().map(Value::to_string).collect();
    page.evaluate(&format!("({LOOK}).{question}({})", arguments.join(", ")))
        .with_context(|| question.to_owned())
}

fn sentences(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Writes the whole page to the directory of [`LOOK_DIRECTORY`].
fn keep(name: &str, page: &mut Page<'_>) -> Result<()> {
    put(&format!("{name}.png"), || page.screenshot())
}

fn put(name: &str, bytes: impl FnOnce() -> Result<Vec<u8>>) -> Result<()> {
    let Some(directory) = std::env::var_os(LOOK_DIRECTORY) else { return Ok(()) };
    // Cargo runs tests in their package.
    let directory = testbed::paths::workspace().join(directory);
    fs::create_dir_all(&directory)?;
    let file = directory.join(name);
    fs::write(&file, bytes()?).with_context(|| file.display().to_string())
}
