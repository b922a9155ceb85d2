//! Text on a chart. There is no font library, so the width of a text is an estimate, and a generous one.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::report::kit::canvas::Area;
use crate::report::kit::chart::ChartError;
use crate::report::kit::format;

pub(in crate::report) const FONT: &str = "sans-serif";

/// How a text is set.
#[derive(Clone, Copy)]
pub(in crate::report) struct Lettering {
    size: i32,
    colour: RGBColor,
    bold: bool,
    anchor: HPos,
}

impl Lettering {
    pub(in crate::report) const fn new(size: i32, colour: RGBColor) -> Self {
        Self { size, colour, bold: false, anchor: HPos::Left }
    }

    pub(in crate::report) fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(in crate::report) fn anchored(self, anchor: HPos) -> Self {
        Self { anchor, ..self }
    }

    /// The size of which a regular text is as wide.
    fn regular(&self) -> i32 {
        if self.bold { bold(self.size) } else { self.size }
    }
}

/// The size of which a regular text is as wide as a bold one of this size.
pub(in crate::report) fn bold(size: i32) -> i32 {
    size * 9 / 8
}

/// plotters' SVG backend writes a font a quarter smaller than it is asked to.
pub(in crate::report) fn font_size(pixels: i32) -> f64 {
    f64::from(pixels) * 1.24
}

/// One line of text, `at` being the end of its base line that the anchor names.
pub(in crate::report) fn write(
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

/// As [`write()`], cut to what fits into `width`.
pub(in crate::report) fn write_within(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    width: i32,
    lettering: &Lettering,
) -> Result<(), ChartError> {
    write(area, &format::shortened(text, characters_in(width, lettering.regular())), at, lettering)
}

/// How many lines [`write_lines()`] would make of it.
pub(in crate::report) fn lines_in(text: &str, width: i32, lettering: &Lettering) -> usize {
    textwrap::wrap(&format::printable(text), characters_in(width, lettering.regular()).max(2)).len()
}

/// Several lines of text, each cut to what fits into `width`; the last ends in `…` where more was to be said. Returns the base line below
/// the last.
pub(in crate::report) fn write_lines(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    (width, most): (i32, usize),
    lettering: &Lettering,
) -> Result<i32, ChartError> {
    let fitting = characters_in(width, lettering.regular()).max(2);
    let text = format::printable(text);
    let mut lines = textwrap::wrap(&text, fitting);
    let mut y = at.1;
    let is_cut = lines.len() > most;
    lines.truncate(most);
    let last = lines.len();
    for (index, line) in lines.iter().enumerate() {
        let cut = is_cut && index + 1 == last;
        let line = if cut { format::shortened(&format!("{line} …"), fitting) } else { line.to_string() };
        write(area, &line, (at.0, y), lettering)?;
        y += lettering.size * 5 / 4;
    }
    Ok(y)
}

/// Estimated width of a text in pixels, on the wide side.
pub(in crate::report) fn text_width(text: &str, size: i32) -> i32 {
    let characters = i32::try_from(text.chars().count()).unwrap_or(i32::MAX / 1000);
    characters.saturating_mul(size) * 57 / 100
}

pub(in crate::report) fn characters_in(width: i32, size: i32) -> usize {
    usize::try_from(width * 100 / (size * 57)).unwrap_or(0)
}
