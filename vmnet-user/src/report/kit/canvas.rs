//! What charts are drawn on.

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::report::kit::format;

/// Pixels: 16:9, the shape of a slide.
pub(in crate::report) const WIDTH: i32 = 1200;
pub(in crate::report) const HEIGHT: i32 = 675;
/// Where everything starts on the left, and ends on the right.
pub(in crate::report) const LEFT: i32 = 40;
pub(in crate::report) const RIGHT: i32 = WIDTH - 40;
/// The first line below the titles.
pub(in crate::report) const BODY_TOP: i32 = 124;

pub(in crate::report) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Text for an SVG's element.
pub(in crate::report) fn escaped(text: &str) -> String {
    format::printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
