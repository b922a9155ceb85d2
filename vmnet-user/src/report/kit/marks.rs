//! What a chart shows, once: rows of values. Said under the pointer, named in the description, set as a table.

use super::format;

/// What a column's values are: how they are said, and what unit stands in the table's head.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Words,
    Bytes,
    Count,
    Share,
    /// In Gbit/s.
    Rate,
    Number(&'static str),
}

/// A column of values.
#[derive(Clone, Copy)]
pub(in crate::report) struct Column {
    name: &'static str,
    kind: Kind,
    spoken: Spoken,
}

/// How a value is said under the pointer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spoken {
    WithItsName,
    Alone,
    Never,
}

impl Column {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, spoken: Spoken::WithItsName }
    }

    pub(in crate::report) const fn words(name: &'static str) -> Self {
        Self { spoken: Spoken::Alone, ..Self::new(name, Kind::Words) }
    }

    pub(in crate::report) const fn bytes(name: &'static str) -> Self {
        Self::new(name, Kind::Bytes)
    }

    pub(in crate::report) const fn count(name: &'static str) -> Self {
        Self::new(name, Kind::Count)
    }

    pub(in crate::report) const fn share(name: &'static str) -> Self {
        Self::new(name, Kind::Share)
    }

    pub(in crate::report) const fn rate(name: &'static str) -> Self {
        Self::new(name, Kind::Rate)
    }

    pub(in crate::report) const fn number(name: &'static str, unit: &'static str) -> Self {
        Self::new(name, Kind::Number(unit))
    }

    /// Its values say by themselves what they are.
    pub(in crate::report) const fn alone(self) -> Self {
        Self { spoken: Spoken::Alone, ..self }
    }

    /// For the table only.
    pub(in crate::report) const fn quiet(self) -> Self {
        Self { spoken: Spoken::Never, ..self }
    }

    pub(in crate::report) fn is_number(&self) -> bool {
        self.kind != Kind::Words
    }

    /// Its name with the unit of its cells.
    pub(in crate::report) fn head(&self) -> String {
        let Self { name, .. } = self;
        match self.kind {
            Kind::Words | Kind::Share | Kind::Count => (*name).to_owned(),
            Kind::Bytes => format!("{name}, bytes"),
            Kind::Rate => format!("{name}, Gbit/s"),
            Kind::Number(unit) => format!("{name}, {unit}"),
        }
    }
}

/// What a mark has in one column.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::report) enum Value {
    Words(String),
    Exact(u64),
    Number(f64),
    /// It was not measured.
    Unknown,
}

impl Value {
    /// To the last digit where it is a count.
    fn cell(&self, kind: Kind) -> String {
        match (self, kind) {
            // Names and reasons come from elsewhere.
            (Self::Words(words), _) => format::printable(words),
            (Self::Exact(count), _) => format::exact(*count),
            (Self::Number(share), Kind::Share) => format::percent(*share),
            (Self::Number(number), _) => format::significant(*number),
            (Self::Unknown, _) => "not measured".to_owned(),
        }
    }

    /// None where there is nothing to say.
    fn said(&self, kind: Kind) -> Option<String> {
        Some(match (self, kind) {
            (Self::Unknown, _) => return None,
            (Self::Words(words), _) if words.is_empty() => return None,
            (Self::Exact(bytes), Kind::Bytes) => format::bytes(*bytes),
            (Self::Exact(count), _) => format::count(*count),
            (Self::Number(gbps), Kind::Rate) => format::rate(*gbps),
            (Self::Number(_), Kind::Number(unit)) => format!("{} {unit}", self.cell(kind)),
            (value, _) => value.cell(kind),
        })
    }
}

impl From<String> for Value {
    fn from(words: String) -> Self {
        Self::Words(words)
    }
}

impl From<&str> for Value {
    fn from(words: &str) -> Self {
        Self::Words(words.to_owned())
    }
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Exact(count)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        if number.is_finite() { Self::Number(number) } else { Self::Unknown }
    }
}

impl<V: Into<Self>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Unknown, Into::into)
    }
}

/// Rows of plain text and numbers: data, never markup. What a row is of stands first.
#[derive(Default)]
pub(in crate::report) struct Marks {
    columns: &'static [Column],
    rows: Vec<Vec<Value>>,
}

impl Marks {
    pub(in crate::report) fn new<const COLUMNS: usize>(
        columns: &'static [Column; COLUMNS],
        rows: impl IntoIterator<Item = [Value; COLUMNS]>,
    ) -> Self {
        Self { columns, rows: rows.into_iter().map(Vec::from).collect() }
    }

    pub(in crate::report) fn len(&self) -> usize {
        self.rows.len()
    }

    /// `segmented in software: 698 MB, 99.4 %, IPv4 698 MB`.
    pub(in crate::report) fn said(&self, row: usize) -> String {
        let mut name = String::new();
        let mut parts = Vec::new();
        let mut is_unknown = false;
        for (index, (value, column)) in self.rows.get(row).into_iter().flatten().zip(self.columns).enumerate()
        {
            let said = value.said(column.kind);
            is_unknown |= *value == Value::Unknown && column.spoken != Spoken::Never;
            match (index, column.spoken, said) {
                (0, _, said) => name = said.unwrap_or_default(),
                (_, Spoken::Never, _) | (_, _, None) => {}
                (_, Spoken::Alone, Some(said)) => parts.push(said),
                (_, Spoken::WithItsName, Some(said)) => parts.push(format!("{} {said}", column.name)),
            }
        }
        if parts.is_empty() && is_unknown {
            parts.push("not measured".to_owned());
        }
        if parts.is_empty() { name } else { format!("{name}: {}", parts.join(", ")) }
    }

    /// Whether a column has something to say in any row.
    fn is_said(&self, column: usize) -> bool {
        let is_empty = |value: &Value| matches!(value, Value::Words(words) if words.is_empty());
        self.rows.iter().any(|row| row.get(column).is_some_and(|value| !is_empty(value)))
    }

    /// The columns of a table.
    pub(in crate::report) fn said_columns(&self) -> Vec<&'static Column> {
        let columns = self.columns.iter().enumerate();
        columns.filter(|(index, _)| self.is_said(*index)).map(|(_, column)| column).collect()
    }

    /// The rows as a table has them.
    pub(in crate::report) fn cells(&self) -> impl Iterator<Item = impl Iterator<Item = String>> {
        self.rows.iter().map(|row| {
            let cells = row.iter().zip(self.columns).enumerate();
            cells
                .filter(|(index, _)| self.is_said(*index))
                .map(|(_, (value, column))| value.cell(column.kind))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_what_its_row_has() {
        const COLUMNS: [Column; 5] = [
            Column::words("what"),
            Column::bytes("payload").alone(),
            Column::rate("goodput"),
            Column::number("busy", "CPUs"),
            Column::count("intervals").quiet(),
        ];
        let rows = [
            ["queue 0".into(), 43_200_000_u64.into(), 0.011.into(), 0.5.into(), 1_u64.into()],
            ["queue 1".into(), Value::Unknown, f64::NAN.into(), None::<f64>.into(), 2_u64.into()],
        ];
        let marks = Marks::new(&COLUMNS, rows);
        assert_eq!(marks.said(0), "queue 0: 43.2 MB, goodput 11.0 Mbit/s, busy 0.500 CPUs");
        assert_eq!(marks.said(1), "queue 1: not measured");
        let cells: Vec<Vec<String>> = marks.cells().map(Iterator::collect).collect();
        assert_eq!(cells[0], ["queue 0", "43,200,000", "0.0110", "0.500", "1"]);
        assert_eq!(cells[1][1], "not measured");
        let heads = marks.said_columns().into_iter().map(Column::head).collect::<Vec<_>>().join(" | ");
        assert_eq!(heads, "what | payload, bytes | goodput, Gbit/s | busy, CPUs | intervals");
    }
}
