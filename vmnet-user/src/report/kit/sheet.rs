//! What charts are drawn on: a sheet that takes shapes, text, and what is said under the pointer.
//!
//! Drawing into memory does not fail, so nothing here returns an error: the first, if there ever is one, is kept until the sheet is done.

use std::fmt::Write as _;

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::{Pos, VPos};

use super::colours::{BAND, GREY, INK, edge};
use super::format;
use super::lettering::{FONT, Lettering, characters_in, font_size, text_width};
use super::marks::Marks;

/// Pixels: 16:9, the shape of a slide.
pub(in crate::report) const WIDTH: i32 = 1200;
pub(in crate::report) const HEIGHT: i32 = 675;
/// Where everything starts on the left, and ends on the right.
pub(in crate::report) const LEFT: i32 = 40;
pub(in crate::report) const RIGHT: i32 = WIDTH - 40;
/// The first line below the titles.
pub(in crate::report) const BODY_TOP: i32 = 124;
/// More areas to point at than this would be smaller than a pointer, and the file large.
pub(in crate::report) const MOST_HOVERS: usize = 600;

pub(in crate::report) type Point = (i32, i32);

/// plotters could not draw.
#[derive(Debug, thiserror::Error)]
#[error("plotters: {0}")]
pub struct ChartError(String);

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for ChartError {
    fn from(error: DrawingAreaErrorKind<E>) -> Self {
        Self(error.to_string())
    }
}

/// Text for an SVG's element.
pub(in crate::report) fn escaped(text: &str) -> String {
    format::printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What is drawn, as elements.
pub(in crate::report) struct Painted {
    pub(in crate::report) elements: String,
    /// It ends here.
    pub(in crate::report) bottom: i32,
}

/// Draws on a new sheet.
pub(in crate::report) fn paint(
    marks: &Marks,
    draw: impl FnOnce(&mut Sheet<'_>),
) -> Result<Painted, ChartError> {
    let mut svg = String::new();
    let (hovers, bottom, failed) = {
        let area = SVGBackend::with_string(&mut svg, (WIDTH as u32, HEIGHT as u32)).into_drawing_area();
        let mut sheet =
            Sheet { area, marks, hovers: String::new(), pointed_at: 0, bottom: BODY_TOP, failed: None };
        draw(&mut sheet);
        sheet.area.present()?;
        (sheet.hovers, sheet.bottom, sheet.failed)
    };
    if let Some(error) = failed {
        return Err(error);
    }
    // The first `>` closes the root, whose attributes are numbers and a name space.
    let elements = svg.split_once('>').map_or("", |(_, elements)| elements).trim_end();
    let elements = elements.strip_suffix("</svg>").unwrap_or(elements);
    // What holds anyway: a third of the file.
    let mut elements = elements.replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "");
    // Above all that is drawn.
    elements += &hovers;
    Ok(Painted { elements, bottom: bottom + 12 })
}

/// A sheet.
pub(in crate::report) struct Sheet<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
    marks: &'a Marks,
    hovers: String,
    pointed_at: usize,
    bottom: i32,
    failed: Option<ChartError>,
}

impl Sheet<'_> {
    fn keep<E>(&mut self, bottom: i32, drawn: Result<(), E>)
    where
        ChartError: From<E>,
    {
        self.bottom = self.bottom.max(bottom);
        self.failed = self.failed.take().or_else(|| drawn.err().map(ChartError::from));
    }

    pub(in crate::report) fn rect(&mut self, corners: [Point; 2], style: impl Into<ShapeStyle>) {
        let drawn = self.area.draw(&Rectangle::new(corners, style.into()));
        self.keep(corners[0].1.max(corners[1].1), drawn);
    }

    pub(in crate::report) fn line(&mut self, points: impl Into<Vec<Point>>, style: impl Into<ShapeStyle>) {
        let points = points.into();
        let bottom = points.iter().map(|point| point.1).max().unwrap_or_default();
        let drawn = self.area.draw(&PathElement::new(points, style.into()));
        self.keep(bottom, drawn);
    }

    pub(in crate::report) fn polygon(&mut self, points: impl Into<Vec<Point>>, style: impl Into<ShapeStyle>) {
        let points = points.into();
        let bottom = points.iter().map(|point| point.1).max().unwrap_or_default();
        let drawn = self.area.draw(&Polygon::new(points, style.into()));
        self.keep(bottom, drawn);
    }

    pub(in crate::report) fn circle(&mut self, at: Point, radius: i32, style: impl Into<ShapeStyle>) {
        let drawn = self.area.draw(&Circle::new(at, radius, style.into()));
        self.keep(at.1 + radius, drawn);
    }

    /// One line of text, `at` being the end of its base line that the anchor names.
    pub(in crate::report) fn text(&mut self, text: &str, at: Point, lettering: &Lettering) {
        let font = (FONT, font_size(lettering.size)).into_font();
        let font = if lettering.bold { font.style(FontStyle::Bold) } else { font };
        let style = font.color(&lettering.colour).pos(Pos::new(lettering.anchor, VPos::Bottom));
        // VPos::Bottom sets the base line half an x-height above the point.
        let drawn = self.area.draw_text(&format::printable(text), &style, (at.0, at.1 + lettering.size / 4));
        self.keep(at.1 + lettering.size / 3, drawn);
    }

    /// As [`Self::text()`], cut to what fits into `width`.
    pub(in crate::report) fn text_within(
        &mut self,
        text: &str,
        at: Point,
        width: i32,
        lettering: &Lettering,
    ) {
        self.text(&format::shortened(text, characters_in(width, lettering.regular())), at, lettering);
    }

    /// Several lines of text, each cut to what fits into `width`; the last ends in `…` where more was to be said. Returns the base line
    /// below the last.
    pub(in crate::report) fn text_lines(
        &mut self,
        text: &str,
        at: Point,
        (width, most): (i32, usize),
        lettering: &Lettering,
    ) -> i32 {
        let fitting = characters_in(width, lettering.regular()).max(2);
        let text = format::printable(text);
        let lines = textwrap::wrap(&text, fitting);
        let mut y = at.1;
        for (index, line) in lines.iter().take(most).enumerate() {
            let is_cut = index + 1 == most && lines.len() > most;
            let line =
                if is_cut { format::shortened(&format!("{line} …"), fitting) } else { line.to_string() };
            self.text(&line, (at.0, y), lettering);
            y += lettering.size * 5 / 4;
        }
        y
    }

    /// A rectangle that stands out on any ground.
    pub(in crate::report) fn filled(&mut self, corners: [Point; 2], colour: RGBColor) {
        self.rect(corners, colour.filled());
        if edge(colour) != colour {
            self.rect(corners, edge(colour));
        }
    }

    /// A triangle that points down at `tip`.
    pub(in crate::report) fn triangle(&mut self, (x, y): Point, half: i32, colour: RGBColor) {
        self.polygon([(x, y), (x - half, y - 2 * half + 2), (x + half, y - 2 * half + 2)], colour.filled());
    }

    /// What does not count, or is broken.
    pub(in crate::report) fn cross(&mut self, (x, y): Point, half: i32, style: impl Into<ShapeStyle>) {
        let style = style.into();
        self.line([(x - half, y - half), (x + half, y + half)], style);
        self.line([(x - half, y + half), (x + half, y - half)], style);
    }

    /// What was not measured: grey with slanted lines, which no value is drawn as.
    pub(in crate::report) fn hatched(&mut self, [(left, top), (right, bottom)]: [Point; 2]) {
        const APART: usize = 9;
        self.rect([(left, top), (right, bottom)], BAND.filled());
        // Each line is x + y = sum, where it lies within.
        for sum in (left + top..right + bottom).step_by(APART).skip(1) {
            let (from, to) = ((sum - bottom).max(left), (sum - top).min(right));
            if from < to {
                self.line([(from, sum - from), (to, sum - to)], GREY);
            }
        }
    }

    /// A vertical dashed line.
    pub(in crate::report) fn dashes(&mut self, x: i32, [top, bottom]: [i32; 2], colour: RGBColor) {
        for y in (top..bottom).step_by(10) {
            self.line([(x, y), (x, (y + 6).min(bottom))], colour.stroke_width(2));
        }
    }

    /// The legend, in rows from `top` on, never over the data. Returns the first free line below it.
    pub(in crate::report) fn legend(&mut self, top: i32, entries: &[(Key, String)]) -> i32 {
        const ROW: i32 = 28;
        let (mut x, mut y) = (LEFT, top);
        for (key, label) in entries {
            let width = 26 + text_width(label, 16);
            if x > LEFT && x + width > RIGHT {
                (x, y) = (LEFT, y + ROW);
            }
            let (middle, square) = ((x + 9, y + 12), [(x, y + 3), (x + 18, y + 21)]);
            match key {
                Key::Fill(colour) => self.filled(square, *colour),
                Key::Dashes(colour) => self.dashes(x + 9, [y + 1, y + 23], *colour),
                Key::Line(colour) => self.line([(x, y + 12), (x + 18, y + 12)], colour.stroke_width(2)),
                Key::Triangle(colour) => self.triangle((x + 9, y + 19), 8, *colour),
                Key::Hatched => self.hatched(square),
                Key::Drawn(draw) => draw(self, middle),
            }
            self.text(label, (x + 26, y + 18), &Lettering::new(16, INK));
            x += width + 22;
        }
        y + ROW
    }

    /// What a mark's row says stands under the pointer between these corners.
    pub(in crate::report) fn mark(&mut self, corners: [Point; 2], row: usize) {
        self.says(corners, &self.marks.said(row));
    }

    /// The same over a shape.
    pub(in crate::report) fn mark_shape(&mut self, corners: &[Point], row: usize) {
        let points: Vec<String> = corners.iter().map(|(x, y)| format!("{x},{y}")).collect();
        self.hover(&format!("polygon points=\"{}\"", points.join(" ")), "polygon", &self.marks.said(row));
    }

    /// These words stand under the pointer between the corners.
    pub(in crate::report) fn says(&mut self, [one, other]: [Point; 2], words: &str) {
        let (left, top) = (one.0.min(other.0), one.1.min(other.1));
        // What has no width cannot be pointed at.
        let [width, height] = [one.0.abs_diff(other.0), one.1.abs_diff(other.1)].map(|length| length.max(1));
        let rect = format!("rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\"");
        self.hover(&rect, "rect", words);
    }

    /// An area that cannot be seen, with a `<title>`, which every browser shows without a script. Class `hover` tells a script which they
    /// are.
    fn hover(&mut self, element: &str, tag: &str, words: &str) {
        self.pointed_at += 1;
        if self.pointed_at <= MOST_HOVERS {
            // Writing to a string cannot fail.
            let _ = writeln!(
                self.hovers,
                "<{element} class=\"hover\" fill=\"none\" pointer-events=\"all\"><title>{}</title></{tag}>",
                escaped(words)
            );
        }
    }
}

/// Draws a shape around a point.
pub(in crate::report) type Stroke = Box<dyn Fn(&mut Sheet<'_>, Point)>;

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
    /// A hatched square: see [`Sheet::hatched()`].
    Hatched,
    /// A shape of the chart's own, around a point.
    Drawn(Stroke),
}
