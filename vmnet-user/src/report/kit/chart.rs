//! A chart says once what its marks are; hovers, table and description come from that, and the picture is drawn around it.

use std::fmt::Write as _;

use super::colours::{FAINT, INK, style};
use super::format;
use super::lettering::{Lettering, bold, characters_in, text_width};
use super::marks::Marks;
use super::sheet::{BODY_TOP, ChartError, HEIGHT, LEFT, RIGHT, Sheet, WIDTH, escaped, paint};
use crate::model::interface::Interface;

/// One picture of a document.
pub struct Chart<D> {
    /// What it shows, as a heading.
    pub name: &'static str,
    /// The file it is written to.
    pub file: &'static str,
    /// What there is to see in a document, or why there is nothing.
    pub(in crate::report) of: fn(&D) -> Result<Picture<'_>, String>,
}

/// What there is to see.
pub(in crate::report) struct Picture<'a> {
    /// What decided, where the document's own gist is not about this chart.
    pub(in crate::report) finding: Option<String>,
    /// How it is to be read, for those who cannot see it.
    pub(in crate::report) how: String,
    pub(in crate::report) marks: Marks,
    /// How many of the marks a description names: all of a few, none of a long row.
    pub(in crate::report) named: usize,
    pub(in crate::report) body: Box<dyn Fn(&mut Sheet<'_>) + 'a>,
}

/// The three lines above every chart that stands alone.
pub struct Titles {
    pub(in crate::report) answer: String,
    pub(in crate::report) finding: String,
    pub(in crate::report) circumstances: String,
}

impl Titles {
    /// Which machine, when, how long.
    pub(in crate::report) fn circumstances(of: &Interface, start: &str, duration_s: f64) -> Vec<String> {
        let driver = of.driver.as_deref().map(|driver| format::shortened(driver, 32));
        let rest = [
            format!("MTU {}", of.mtu),
            format!("kernel {}", format::shortened(&of.kernel, 40)),
            format::shortened(&format::moment(start), 40),
            format::duration(duration_s),
        ];
        driver.into_iter().chain(rest).collect()
    }
}

/// Whatever has charts.
pub trait Titled {
    /// The three lines above every chart that stands alone.
    fn titles(&self) -> Titles;
}

/// A picture that is drawn.
pub(in crate::report) struct Drawn {
    stem: &'static str,
    title: String,
    description: String,
    head: String,
    body: String,
    /// What is drawn ends here.
    bottom: i32,
    pub(in crate::report) finding: Option<String>,
    pub(in crate::report) marks: Marks,
}

impl<D: Titled> Chart<D> {
    /// Its file's stem: what its ids begin with, so that they stay apart where several charts stand in one document.
    pub(in crate::report) fn stem(&self) -> &'static str {
        self.file.strip_suffix(".svg").unwrap_or(self.file)
    }

    /// The picture, or why there is none.
    pub(in crate::report) fn drawn(&self, of: &D) -> Result<Result<Drawn, String>, ChartError> {
        let picture = match (self.of)(of) {
            Ok(picture) => picture,
            Err(why) => return Ok(Err(why)),
        };
        let Titles { answer, finding: gist, circumstances } = of.titles();
        let Picture { finding, mut how, marks, named, body } = picture;
        let finding = finding.map(|finding| format::capitalised(&finding));
        for row in 0..named.min(marks.len()) {
            // Writing to a string cannot fail.
            let _ = write!(how, " {}.", marks.said(row));
        }
        let said = finding.as_ref().unwrap_or(&gist);
        let head = paint(&Marks::default(), |sheet| titles(sheet, [&answer, said, &circumstances]))?;
        let painted = paint(&marks, body)?;
        Ok(Ok(Drawn {
            stem: self.stem(),
            title: format!("{}. {answer}", self.name),
            description: format!("{said}. {how}"),
            head: head.elements,
            body: painted.elements,
            bottom: painted.bottom,
            finding,
            marks,
        }))
    }
}

/// Answer, finding, circumstances; what is too long is set smaller, down to where it must be cut.
fn titles(sheet: &mut Sheet<'_>, [answer, finding, circumstances]: [&str; 3]) {
    let fitting = |text: &str, size| format::shortened(text, characters_in(RIGHT - LEFT, size));
    let size = (20..=28).rev().find(|size| text_width(answer, bold(*size)) <= RIGHT - LEFT).unwrap_or(20);
    sheet.text(&fitting(answer, bold(20)), (LEFT, 46), &Lettering::new(size, INK).bold());
    sheet.text(&fitting(finding, 19), (LEFT, 77), &Lettering::new(19, INK));
    sheet.text(&fitting(circumstances, 15), (LEFT, 104), &Lettering::new(15, FAINT));
}

impl Drawn {
    /// A document of its own: with titles, in the shape of a slide.
    pub(in crate::report) fn alone(&self) -> String {
        let ground = format!("<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#FFFFFF\"/>\n{}", self.head);
        self.document(0, HEIGHT, &ground)
    }

    /// A part of a page, which says the titles itself: no more than what is drawn.
    pub(in crate::report) fn on_page(&self) -> String {
        const ABOVE: i32 = 10;
        let top = BODY_TOP - ABOVE;
        self.document(top, self.bottom.min(HEIGHT) - top, "")
    }

    /// `<title>` and `<desc>` come first, where screen readers look for them.
    fn document(&self, top: i32, height: i32, ground: &str) -> String {
        let Self { stem, title, description, body, .. } = self;
        format!(
            "<svg width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 {top} {WIDTH} {height}\" xmlns=\"http://www.w3.org/2000/svg\" \
             class=\"vmnet-chart\" role=\"img\" aria-labelledby=\"{stem}-title {stem}-desc\">\n\
             <title id=\"{stem}-title\">{}</title>\n<desc id=\"{stem}-desc\">{}</desc>\n{}\n{ground}{body}</svg>\n",
            escaped(title),
            escaped(description),
            style()
        )
    }
}
