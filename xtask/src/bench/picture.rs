//! The table of throughput as a picture: a dot and its interval for each cell, beside one.

use std::fmt::Write as _;

use serde_json::Value;

const WIDTH: f64 = 900.0;
const LEFT: f64 = 330.0;
const RIGHT: f64 = 860.0;
const TOP: f64 = 70.0;
const ROW: f64 = 26.0;
/// Between lines of the scale.
const STEP: f64 = 0.05;

/// Throughput with a way of watching over throughput without, for every cell that was measured. None where none was.
pub(crate) fn draw(cells: &[Value], machine: &Value) -> Option<String> {
    let rows: Vec<Row> = cells.iter().filter_map(Row::of).collect();
    let low = rows.iter().map(|row| row.interval[0]).reduce(f64::min)?.min(1.0 - STEP);
    let high = rows.iter().map(|row| row.interval[1]).reduce(f64::max)?.max(1.0 + STEP);
    let x = |ratio: f64| LEFT + (ratio - low) / (high - low) * (RIGHT - LEFT);
    let bottom = TOP + ROW * rows.len() as f64;
    let height = bottom + 40.0;
    let said = |name: &str| escaped(machine[name].as_str().unwrap_or("?"));
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="14" role="img">
<title>Throughput with vmnet over throughput without</title>
<rect width="{WIDTH}" height="{height}" fill="#fff"/>
<text x="20" y="28" font-size="18" font-weight="bold">Throughput with / without, 95 % intervals</text>
<text x="20" y="48" fill="#555">veth at full speed, {}, {} CPUs, Linux {}, {}</text>
"##,
        said("cpu"),
        machine["cpus"],
        said("kernel"),
        said("date"),
    );
    let mut ratio = (low / STEP).ceil() * STEP;
    while ratio <= high {
        let (at, ink) = (x(ratio), if (ratio - 1.0).abs() < STEP / 2.0 { "#333" } else { "#ddd" });
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            r##"<path d="M{at:.1} {TOP} V{bottom:.1}" stroke="{ink}"/><text x="{at:.1}" y="{:.1}" text-anchor="middle" fill="#555">{ratio:.2}</text>"##,
            bottom + 20.0
        );
        ratio += STEP;
    }
    let mut y = TOP + ROW / 2.0;
    for row in &rows {
        let [from, to] = row.interval.map(x);
        let _ = writeln!(
            svg,
            r##"<text x="20" y="{:.1}">{}</text><path d="M{from:.1} {y:.1} H{to:.1}" stroke="#0a6" stroke-width="3"/><circle cx="{:.1}" cy="{y:.1}" r="5" fill="#063"/>"##,
            y + 5.0,
            escaped(&row.name),
            x(row.ratio)
        );
        y += ROW;
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

struct Row {
    name: String,
    ratio: f64,
    interval: [f64; 2],
}

impl Row {
    fn of(cell: &Value) -> Option<Self> {
        let text = |name: &str| cell[name].as_str();
        let found = &cell["measured"]["throughput"];
        let [traffic, tso, with, without] = ["traffic", "tso", "with", "without"].map(text);
        let name = format!("{}, TSO {}: {} / {}", traffic?, tso?, with?, without?);
        let end = |index: usize| found["interval"][index].as_f64();
        Some(Self { name, ratio: found["ratio"].as_f64()?, interval: [end(0)?, end(1)?] })
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_measured_cell_has_its_row_and_none_makes_no_picture() {
        let cell = json!({
            "traffic": "1 stream", "tso": "off", "with": "light", "without": "off",
            "measured": { "throughput": { "ratio": 0.99, "interval": [0.97, 1.01] } },
        });
        let machine = json!({ "cpu": "A<B", "cpus": 2, "kernel": "6.1", "date": "2026-01-01" });
        let svg = draw(&[cell.clone(), cell, json!({})], &machine).unwrap();
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains("A&lt;B"), "{svg}");
        assert!(draw(&[], &machine).is_none());
    }
}
