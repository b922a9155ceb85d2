//! The sheet that every chart is drawn on: white ground, the answer as its title, text alternatives, legend.
//!
//! There is no font library, so the width of a text is an estimate, and a generous one.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::ChartError;
use crate::report::format;
use crate::report::schema::RunReport;
use crate::report::text::{confidence_word, gist, state_sentence};

/// Pixels: 16:9, the shape of a slide.
pub(super) const WIDTH: i32 = 1200;
pub(super) const HEIGHT: i32 = 675;
/// Where everything starts on the left, and ends on the right.
pub(super) const LEFT: i32 = 40;
pub(super) const RIGHT: i32 = WIDTH - 40;
/// The first line below the titles.
pub(super) const BODY_TOP: i32 = 124;

pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub(super) const FAINT: RGBColor = RGBColor(0x5f, 0x5f, 0x5f);
pub(super) const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
pub(super) const BAND: RGBColor = RGBColor(0xee, 0xee, 0xee);

// Okabe and Ito's palette, which people with any kind of colour vision can tell apart.
pub(super) const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
pub(super) const VERMILLION: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
pub(super) const YELLOW: RGBColor = RGBColor(0xf0, 0xe4, 0x42);
pub(super) const GREY: RGBColor = RGBColor(0x99, 0x99, 0x99);
pub(super) const GREEN: RGBColor = RGBColor(0x00, 0x9e, 0x73);
pub(super) const PURPLE: RGBColor = RGBColor(0xcc, 0x79, 0xa7);
pub(super) const SKY: RGBColor = RGBColor(0x56, 0xb4, 0xe9);

pub(super) const FONT: &str = "sans-serif";

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What a chart says in words.
pub(super) struct Words<'a> {
    /// What is shown: the first half of the text alternative's title.
    pub(super) subject: &'a str,
    /// What decided, below the title; what [`gist`] says where this is None.
    pub(super) finding: Option<String>,
    /// The text alternative: what a person would see.
    pub(super) description: &'a str,
}

/// A whole document, its body drawn by `body`.
pub(super) fn page(
    report: &RunReport,
    words: Words<'_>,
    body: impl FnOnce(&Area<'_>) -> Result<(), ChartError>,
) -> Result<String, ChartError> {
    let answer =
        capitalised(&format!("{} ({})", state_sentence(report), confidence_word(report.verdict.confidence)));
    let finding = words.finding.or_else(|| gist(report)).unwrap_or_else(|| report.verdict.summary.clone());
    let finding = capitalised(&finding);
    let mut svg = String::new();
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
        write(&area, &fitting(&circumstances(report), 15), (LEFT, 104), &Lettering::new(15, FAINT))?;
        body(&area)?;
        area.present()?;
    }
    let title = format!("{}. {answer}", words.subject);
    Ok(with_alternatives(&svg, &title, &format!("{finding}. {}", words.description)))
}

/// A document that says why there is nothing to see.
pub(super) fn empty_page(report: &RunReport, subject: &str, why: &str) -> Result<String, ChartError> {
    let sentence = format!("{subject}: {why}");
    let words = Words { subject, finding: None, description: &sentence };
    page(report, words, |area| {
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

/// The size of which a regular text is as wide as a bold one of this size.
fn bold(size: i32) -> i32 {
    size * 9 / 8
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Which machine, when, how.
fn circumstances(report: &RunReport) -> String {
    let mut facts: Vec<String> = Vec::new();
    facts.extend(report.interface.driver.as_deref().map(|driver| format::shortened(driver, 32)));
    facts.push(format!("MTU {}", report.interface.mtu));
    facts.push(format!("kernel {}", format::shortened(&report.interface.kernel, 40)));
    facts.push(report.window.start.clone());
    facts.push(format::duration(report.window.duration_s));
    facts.join(" · ")
}

/// How a text is set.
#[derive(Clone, Copy)]
pub(super) struct Lettering {
    size: i32,
    colour: RGBColor,
    bold: bool,
    anchor: HPos,
}

impl Lettering {
    pub(super) fn new(size: i32, colour: RGBColor) -> Self {
        Self { size, colour, bold: false, anchor: HPos::Left }
    }

    pub(super) fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(super) fn anchored(self, anchor: HPos) -> Self {
        Self { anchor, ..self }
    }
}

/// plotters' SVG backend writes a font a quarter smaller than it is asked to.
pub(super) fn font_size(pixels: i32) -> f64 {
    f64::from(pixels) * 1.24
}

/// One line of text, `at` being the end of its base line that the anchor names.
pub(super) fn write(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    lettering: &Lettering,
) -> Result<(), ChartError> {
    let font = if lettering.bold {
        (FONT, font_size(lettering.size)).into_font().style(FontStyle::Bold)
    } else {
        (FONT, font_size(lettering.size)).into_font()
    };
    let style = font.color(&lettering.colour).pos(Pos::new(lettering.anchor, VPos::Bottom));
    // VPos::Bottom sets the base line half an x-height above the point.
    let at = (at.0, at.1 + lettering.size / 4);
    area.draw_text(&format::printable(text), &style, at)?;
    Ok(())
}

/// Estimated width of a text in pixels, on the wide side.
pub(super) fn text_width(text: &str, size: i32) -> i32 {
    let characters = i32::try_from(text.chars().count()).unwrap_or(i32::MAX / 1000);
    characters.saturating_mul(size) * 57 / 100
}

fn characters_in(width: i32, size: i32) -> usize {
    usize::try_from(width * 100 / (size * 57)).unwrap_or(0)
}

/// An entry of the legend.
pub(super) enum Key {
    /// A filled square.
    Fill(RGBColor),
    /// A dashed line.
    Dashes(RGBColor),
}

/// The legend, in rows from `top` on, never over the data. Returns the first free line below it.
pub(super) fn legend(area: &Area<'_>, top: i32, entries: &[(Key, String)]) -> Result<i32, ChartError> {
    const ROW: i32 = 28;
    let (mut x, mut y) = (LEFT, top);
    for (key, label) in entries {
        let width = 26 + text_width(label, 16);
        if x > LEFT && x + width > RIGHT {
            (x, y) = (LEFT, y + ROW);
        }
        match key {
            Key::Fill(colour) => {
                area.draw(&Rectangle::new([(x, y + 3), (x + 18, y + 21)], colour.filled()))?;
            }
            Key::Dashes(colour) => dashes(area, x + 9, y + 1, y + 23, *colour)?,
        }
        write(area, label, (x + 26, y + 18), &Lettering::new(16, INK))?;
        x += width + 22;
    }
    Ok(y + ROW)
}

/// A vertical dashed line.
pub(super) fn dashes(
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

/// A number on an axis: no more digits than it needs.
pub(super) fn tick(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Puts `<title>` and `<desc>` first in the document, where screen readers look for them.
fn with_alternatives(svg: &str, title: &str, description: &str) -> String {
    // plotters' root element has numbers and the name space as attributes, so the first `>` closes it.
    let Some((root, rest)) = svg.split_once('>') else { return svg.to_owned() };
    format!(
        "{root} role=\"img\" aria-labelledby=\"title desc\">\n<title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>{rest}",
        escaped(title),
        escaped(description)
    )
}

fn escaped(text: &str) -> String {
    format::printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
