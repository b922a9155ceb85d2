//! What a mark says under the pointer: areas that cannot be seen, each with a `<title>`, which every browser shows without a script.

use std::fmt::Write as _;

use crate::report::kit::canvas::escaped;

/// The areas of one chart. Class `hover` tells a script which they are.
#[derive(Default)]
pub(in crate::report) struct Hovers {
    elements: String,
    count: usize,
}

impl Hovers {
    /// More than so many are left out: they would be smaller than a pointer, and the file large.
    pub(in crate::report) const MOST: usize = 600;

    /// A rectangle between two corners.
    pub(in crate::report) fn area(&mut self, [one, other]: [(i32, i32); 2], says: &str) {
        let (left, top) = (one.0.min(other.0), one.1.min(other.1));
        // What has no width cannot be pointed at.
        let width = one.0.abs_diff(other.0).max(1);
        let height = one.1.abs_diff(other.1).max(1);
        self.push(
            &format!("rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\""),
            "rect",
            says,
        );
    }

    /// A polygon.
    pub(in crate::report) fn polygon(&mut self, corners: &[(i32, i32)], says: &str) {
        let points: Vec<String> = corners.iter().map(|(x, y)| format!("{x},{y}")).collect();
        self.push(&format!("polygon points=\"{}\"", points.join(" ")), "polygon", says);
    }

    fn push(&mut self, element: &str, tag: &str, says: &str) {
        if self.count < Self::MOST {
            self.count += 1;
            // Writing to a string cannot fail.
            let _ = writeln!(
                self.elements,
                "<{element} class=\"hover\" fill=\"none\" pointer-events=\"all\"><title>{}</title></{tag}>",
                escaped(says)
            );
        }
    }

    /// The elements, to stand last in the document: above all that is drawn.
    pub(in crate::report) fn elements(&self) -> &str {
        &self.elements
    }
}
