//! The sheet that every chart is drawn on: its ground, the answer as its title, text alternatives, legend.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::canvas::{Area, BODY_TOP, HEIGHT, LEFT, RIGHT, WIDTH, escaped};
use super::chart::ChartError;
use super::colours::{FAINT, INK, edge, style};
use super::hover::Hovers;
use super::lettering::{Lettering, bold, characters_in, text_width, write};
use super::titles::{Titled, Titles};
use crate::report::kit::format;

/// What a chart is about.
#[derive(Clone, Copy)]
pub(in crate::report) struct Topic {
    /// Its file's stem: what its ids begin with, so that they stay apart where several charts stand in one document.
    pub(in crate::report) stem: &'static str,
    /// What is shown: the first half of the text alternative's title.
    pub(in crate::report) subject: &'static str,
}

/// What a chart says in words.
pub(in crate::report) struct Words<'a> {
    pub(in crate::report) topic: Topic,
    /// What decided, below the title; what [`Titled::titles`] says where this is None.
    pub(in crate::report) finding: Option<String>,
    /// The text alternative: what a person would see.
    pub(in crate::report) description: &'a str,
}

/// A whole chart, its body drawn by `body`.
pub(in crate::report) fn sheet(
    of: &impl Titled,
    words: Words<'_>,
    body: impl FnOnce(&Area<'_>, &mut Hovers) -> Result<(), ChartError>,
) -> Result<String, ChartError> {
    let Words { topic, finding, description } = words;
    let Titles { answer, finding: usual, circumstances } = of.titles();
    let finding = finding.map_or(usual, |finding| format::capitalised(&finding));
    let mut svg = String::new();
    let mut hovers = Hovers::default();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH as u32, HEIGHT as u32)).into_drawing_area();
        area.fill(&WHITE)?;
        let fitting = |text: &str, size| format::shortened(text, characters_in(RIGHT - LEFT, size));
        write(
            &area,
            &fitting(&answer, bold(20)),
            (LEFT, 46),
            &Lettering::new(headline_size(&answer), INK).bold(),
        )?;
        write(&area, &fitting(&finding, 19), (LEFT, 77), &Lettering::new(19, INK))?;
        write(&area, &fitting(&circumstances, 15), (LEFT, 104), &Lettering::new(15, FAINT))?;
        body(&area, &mut hovers)?;
        area.present()?;
    }
    // What holds anyway: a third of the file.
    let svg = svg.replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "");
    let title = format!("{}. {answer}", topic.subject);
    Ok(finished(&svg, topic.stem, &title, &format!("{finding}. {description}"), hovers.elements()))
}

/// A chart that says why there is nothing to see.
pub(in crate::report) fn empty_sheet(
    of: &impl Titled,
    topic: Topic,
    why: &str,
) -> Result<String, ChartError> {
    let sentence = format!("{}: {why}", topic.subject);
    let words = Words { topic, finding: None, description: &sentence };
    sheet(of, words, |area, _| {
        let middle = (HEIGHT + BODY_TOP) / 2;
        let lines = textwrap::wrap(&sentence, characters_in(RIGHT - LEFT - 120, 20));
        for (line, y) in lines.iter().take(8).zip((middle - 40..).step_by(30)) {
            let line = format::shortened(line, 100);
            write(area, &line, (WIDTH / 2, y), &Lettering::new(20, FAINT).anchored(HPos::Center))?;
        }
        Ok(())
    })
}

/// A long headline is set smaller, down to where it must be cut.
fn headline_size(text: &str) -> i32 {
    (20..=28).rev().find(|size| text_width(text, bold(*size)) <= RIGHT - LEFT).unwrap_or(20)
}

/// An entry of the legend.
pub(in crate::report) enum Key {
    /// A filled square.
    Fill(RGBColor),
    /// A dashed line.
    Dashes(RGBColor),
    /// A line.
    Line(RGBColor),
    /// A triangle that points downwards.
    Triangle(RGBColor),
    /// A dot.
    Dot(RGBColor),
    /// A hatched square: see [`hatched`].
    Hatched,
}

/// The legend, in rows from `top` on, never over the data. Returns the first free line below it.
pub(in crate::report) fn legend(
    area: &Area<'_>,
    top: i32,
    entries: &[(Key, String)],
) -> Result<i32, ChartError> {
    const ROW: i32 = 28;
    let (mut x, mut y) = (LEFT, top);
    for (key, label) in entries {
        let width = 26 + text_width(label, 16);
        if x > LEFT && x + width > RIGHT {
            (x, y) = (LEFT, y + ROW);
        }
        match *key {
            Key::Fill(colour) => filled(area, [(x, y + 3), (x + 18, y + 21)], colour)?,
            Key::Dashes(colour) => dashes(area, x + 9, y + 1, y + 23, colour)?,
            Key::Line(colour) => {
                area.draw(&PathElement::new([(x, y + 12), (x + 18, y + 12)], colour.stroke_width(2)))?;
            }
            Key::Triangle(colour) => triangle(area, (x + 9, y + 19), 8, colour)?,
            Key::Dot(colour) => area.draw(&Circle::new((x + 9, y + 12), 5, colour.filled()))?,
            Key::Hatched => hatched(area, [(x, y + 3), (x + 18, y + 21)])?,
        }
        write(area, label, (x + 26, y + 18), &Lettering::new(16, INK))?;
        x += width + 22;
    }
    Ok(y + ROW)
}

/// A rectangle that stands out on any ground.
pub(in crate::report) fn filled(
    area: &Area<'_>,
    corners: [(i32, i32); 2],
    colour: RGBColor,
) -> Result<(), ChartError> {
    area.draw(&Rectangle::new(corners, colour.filled()))?;
    if edge(colour) != colour {
        area.draw(&Rectangle::new(corners, edge(colour)))?;
    }
    Ok(())
}

/// A triangle that points down at `tip`.
pub(in crate::report) fn triangle(
    area: &Area<'_>,
    (x, y): (i32, i32),
    half: i32,
    colour: RGBColor,
) -> Result<(), ChartError> {
    let corners = vec![(x, y), (x - half, y - 2 * half + 2), (x + half, y - 2 * half + 2)];
    area.draw(&Polygon::new(corners, colour.filled()))?;
    Ok(())
}

/// What was not measured: grey with slanted lines, which no value is drawn as.
pub(in crate::report) fn hatched(
    area: &Area<'_>,
    [(left, top), (right, bottom)]: [(i32, i32); 2],
) -> Result<(), ChartError> {
    use super::colours::{BAND, GREY};
    const APART: usize = 9;
    area.draw(&Rectangle::new([(left, top), (right, bottom)], BAND.filled()))?;
    // Each line is x + y = sum, where it lies within.
    for sum in (left + top..right + bottom).step_by(APART).skip(1) {
        let (from, to) = ((sum - bottom).max(left), (sum - top).min(right));
        if from < to {
            area.draw(&PathElement::new([(from, sum - from), (to, sum - to)], GREY.stroke_width(1)))?;
        }
    }
    Ok(())
}

/// A vertical dashed line.
pub(in crate::report) fn dashes(
    area: &Area<'_>,
    x: i32,
    top: i32,
    bottom: i32,
    colour: RGBColor,
) -> Result<(), ChartError> {
    let mut y = top;
    while y < bottom {
        area.draw(&PathElement::new([(x, y), (x, (y + 6).min(bottom))], colour.stroke_width(2)))?;
        y += 10;
    }
    Ok(())
}

/// Puts `<title>` and `<desc>` first in the document, where screen readers look for them, and what is pointed at last.
pub(in crate::report) fn finished(
    svg: &str,
    stem: &str,
    title: &str,
    description: &str,
    hovers: &str,
) -> String {
    // plotters' root element has numbers and the name space as attributes, so the first `>` closes it.
    let Some((root, rest)) = svg.split_once('>') else { return svg.to_owned() };
    let drawn = rest.trim_end().strip_suffix("</svg>").unwrap_or(rest);
    format!(
        "{root} class=\"vmnet-chart\" role=\"img\" aria-labelledby=\"{stem}-title {stem}-desc\">\n\
         <title id=\"{stem}-title\">{}</title>\n<desc id=\"{stem}-desc\">{}</desc>\n{}{drawn}{hovers}</svg>\n",
        escaped(title),
        escaped(description),
        style()
    )
}
