//! What a chart shows, in numbers.

use crate::report::kit::format;

/// Rows of plain text: data, never markup. Empty where the chart is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// What each column holds, with its unit.
    pub head: Vec<String>,
    /// As many cells as there are columns.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub(in crate::report) fn new<const COLUMNS: usize>(head: [&str; COLUMNS]) -> Self {
        Self { head: head.map(str::to_owned).to_vec(), rows: Vec::new() }
    }

    pub(in crate::report) fn row<const COLUMNS: usize>(&mut self, cells: [String; COLUMNS]) {
        // Names and reasons come from elsewhere.
        self.rows.push(cells.map(|cell| format::printable(&cell)).to_vec());
    }
}
