//! Text on a chart. There is no font library, so the width of a text is an estimate, and a generous one.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::report::kit::format;

pub(in crate::report) const FONT: &str = "sans-serif";

/// How a text is set.
#[derive(Clone, Copy)]
pub(in crate::report) struct Lettering {
    pub(super) size: i32,
    pub(super) colour: RGBColor,
    pub(super) bold: bool,
    pub(super) anchor: HPos,
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
    pub(super) fn regular(&self) -> i32 {
        if self.bold { bold(self.size) } else { self.size }
    }
}

/// The size of which a regular text is as wide as a bold one of this size.
pub(in crate::report) fn bold(size: i32) -> i32 {
    size * 9 / 8
}

/// plotters' SVG backend writes a font a quarter smaller than it is asked to.
pub(super) fn font_size(pixels: i32) -> f64 {
    f64::from(pixels) * 1.24
}

/// How many lines [`Sheet::text_lines()`](super::sheet::Sheet::text_lines) would make of it.
pub(in crate::report) fn lines_in(text: &str, width: i32, lettering: &Lettering) -> usize {
    textwrap::wrap(&format::printable(text), characters_in(width, lettering.regular()).max(2)).len()
}

/// Estimated width of a text in pixels, on the wide side.
pub(in crate::report) fn text_width(text: &str, size: i32) -> i32 {
    let characters = i32::try_from(text.chars().count()).unwrap_or(i32::MAX / 1000);
    characters.saturating_mul(size) * 57 / 100
}

pub(in crate::report) fn characters_in(width: i32, size: i32) -> usize {
    usize::try_from(width * 100 / (size * 57)).unwrap_or(0)
}
