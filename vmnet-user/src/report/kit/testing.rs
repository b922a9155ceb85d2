//! What tests ask of a chart.

use roxmltree::Document;

use super::chart::{Chart, Drawn, Titled};

/// Both of a chart's documents, or why it has nothing to show. That it can be drawn is half of every test of it.
pub(in crate::report) fn drawn<D: Titled>(charts: &[Chart<D>], file: &str, of: &D) -> Result<Drawn, String> {
    let chart = charts.iter().find(|chart| chart.file == file).expect("a chart of that name");
    chart.drawn(of).expect("it can be drawn")
}

/// Alone.
pub(in crate::report) fn svg<D: Titled>(charts: &[Chart<D>], file: &str, of: &D) -> String {
    drawn(charts, file, of).expect("something to show").alone()
}

/// Its table.
pub(in crate::report) fn rows(drawn: &Drawn) -> Vec<Vec<String>> {
    drawn.marks.cells().map(Iterator::collect).collect()
}

/// Every text of a document, in order.
pub(in crate::report) fn texts(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).expect("well-formed XML");
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    texts.map(|node| node.text().unwrap_or_default().trim().to_owned()).collect()
}

/// `title` or `desc`: what it says to who cannot see it.
pub(in crate::report) fn alternative(svg: &str, tag: &str) -> String {
    let document = Document::parse(svg).expect("well-formed XML");
    let node = document.root_element().children().find(|node| node.has_tag_name(tag)).expect(tag);
    node.text().unwrap_or_default().to_owned()
}

/// All that a chart says, but under the pointer.
pub(in crate::report) fn said(svg: &str) -> String {
    format!("{} {}", alternative(svg, "desc"), texts(svg).join(" "))
}

/// What marks say under the pointer.
pub(in crate::report) fn hovers(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).expect("well-formed XML");
    let marks = document.descendants().filter(|node| node.attribute("class") == Some("hover"));
    let titles = marks.flat_map(|mark| mark.children().filter(|node| node.has_tag_name("title")));
    titles.map(|title| title.text().unwrap_or_default().to_owned()).collect()
}

/// The files of those that have something to show.
pub(in crate::report) fn shown<D: Titled>(charts: &[Chart<D>], of: &D) -> Vec<&'static str> {
    let files = charts.iter().map(|chart| chart.file);
    files.filter(|file| drawn(charts, file, of).is_ok()).collect()
}
