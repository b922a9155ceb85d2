//! Reports as people see them, in a real browser: those of the gallery, and those that `vmnet` writes now.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

mod look;

use std::fs;
use std::path::{Path, PathBuf};

use look::{Subject, wrong_with, wrong_with_picture};
use serde_json::Value;
use testbed::bench::{Bench, FAR, Run, load};
use testbed::browser::Browser;
use testbed::command::captured;
use testbed::{gallery, skip, skip_unless};

const GOOD: &str = include_str!("look/good.html");

const NOTHING_WRONG: &[String] = &[];

/// A report, which has to show what `run.json` beside it says.
fn report(name: &str, file: PathBuf) -> Subject {
    let said = fs::read(file.with_file_name("run.json")).unwrap();
    let said: Value = serde_json::from_slice(&said).unwrap();
    let state = said["verdict"]["state"].as_str().unwrap().to_owned();
    Subject { name: name.to_owned(), file, states: vec![state], has_marks: true }
}

/// A file of the gallery. That it is not there is a failure, not a skip: the gallery is a part of the project.
fn of_the_gallery(path: &str) -> PathBuf {
    let file = gallery::directory().join(path);
    assert!(file.is_file(), "reports/gallery/{path} is not there (`cargo xtask gallery` makes it)");
    file
}

#[test]
fn every_report_of_the_gallery_is_fit_to_be_read() {
    skip_unless!(skip::browser());
    let mut browser = Browser::start().unwrap();
    for run in gallery::RUNS {
        let subject = report(run.name, of_the_gallery(&format!("{}/report.html", run.name)));
        assert_eq!(subject.states, [run.state], "{}", run.name);
        assert_eq!(wrong_with(&mut browser, &subject).unwrap(), NOTHING_WRONG);
    }
}

#[test]
fn the_comparison_of_the_gallery_is_fit_to_be_read() {
    skip_unless!(skip::browser());
    let file = of_the_gallery(&format!("{}/compare.html", gallery::COMPARISON));
    let states = gallery::RUNS.iter().filter(|run| gallery::COMPARED.contains(&run.name));
    let states = states.map(|run| run.state.to_owned()).collect();
    let subject = Subject { name: gallery::COMPARISON.to_owned(), file, states, has_marks: false };
    assert_eq!(wrong_with(&mut Browser::start().unwrap(), &subject).unwrap(), NOTHING_WRONG);
}

/// What an experiment comes to is what is seen first.
fn experiment(name: &str, file: PathBuf) -> Subject {
    let states = ["throughput", "CPU per byte", "placebo"].map(str::to_owned).into();
    Subject { name: name.to_owned(), file, states, has_marks: true }
}

#[test]
fn the_experiment_of_the_gallery_is_fit_to_be_read() {
    skip_unless!(skip::browser());
    let file = of_the_gallery(&format!("{}/{}", gallery::EXPERIMENT, gallery::EXPERIMENT_HTML));
    let subject = experiment(gallery::EXPERIMENT, file);
    assert_eq!(wrong_with(&mut Browser::start().unwrap(), &subject).unwrap(), NOTHING_WRONG);
}

#[test]
fn every_chart_of_the_gallery_stands_alone() {
    skip_unless!(skip::browser());
    let mut browser = Browser::start().unwrap();
    for exhibit in gallery::RUNS.iter().map(|run| run.name).chain([gallery::COMPARISON, gallery::EXPERIMENT])
    {
        let directory = gallery::directory().join(exhibit);
        assert!(
            directory.is_dir(),
            "reports/gallery/{exhibit} is not there (`cargo xtask gallery` makes it)"
        );
        let charts = gallery::files(&directory, "svg").unwrap();
        assert!(!charts.is_empty(), "reports/gallery/{exhibit} has no chart");
        for chart in charts {
            assert_eq!(wrong_with_picture(&mut browser, &chart).unwrap(), NOTHING_WRONG);
        }
    }
}

#[test]
fn the_gallery_tells_nothing_of_the_machine_that_made_it() {
    assert_eq!(gallery::traces(&gallery::directory()).unwrap(), NOTHING_WRONG);
}

#[test]
fn a_report_that_is_written_now_is_fit_to_be_read() {
    skip_unless!(skip::root(), skip::vmnet(), skip::browser());
    let bench = Bench::new("browser").unwrap();
    let mut browser = Browser::start().unwrap();
    let options: [(&str, &[&str]); 2] =
        [("now", &["-i", "200ms"]), ("now-counters", &["-i", "200ms", "--mode", "counters"])];
    for (name, options) in options {
        let run = bench.run(options, &load("-t 2 -P 4")).unwrap();
        assert_eq!(run.code, Some(0), "{run}");
        let html = run.files.iter().find(|file| file.ends_with("report.html"));
        let html = html.unwrap_or_else(|| panic!("no report.html\n{run}"));
        assert_eq!(wrong_with(&mut browser, &report(name, html.clone())).unwrap(), NOTHING_WRONG, "{run}");
        let charts: Vec<&PathBuf> =
            run.files.iter().filter(|file| file.extension().is_some_and(|is| is == "svg")).collect();
        assert!(!charts.is_empty(), "no chart\n{run}");
        for chart in charts {
            assert_eq!(wrong_with_picture(&mut browser, chart).unwrap(), NOTHING_WRONG);
        }
    }
}

#[test]
fn an_experiment_that_is_done_now_is_fit_to_be_read() {
    skip_unless!(skip::root(), skip::vmnet(), skip::browser());
    let bench = Bench::new("browser").unwrap();
    let load = ["--rehearsal", "--blocks", "3", "--load", FAR, "--time", "400ms", "--cool-down", "0"];
    let calm = ["--max-steal", "100", "--max-retransmits", "100"];
    let (mut vmnet, reports) = bench.experiment(&[load.as_slice(), &calm].concat());
    let run = Run::of(captured(&mut vmnet).unwrap(), &reports).unwrap();
    let file = run.files.iter().find(|file| file.ends_with("ab.html"));
    let file = file.unwrap_or_else(|| panic!("no ab.html\n{run}")).clone();
    let mut browser = Browser::start().unwrap();
    let subject = experiment("experiment-now", file);
    assert_eq!(wrong_with(&mut browser, &subject).unwrap(), NOTHING_WRONG, "{run}");
    for chart in run.files.iter().filter(|file| file.extension().is_some_and(|is| is == "svg")) {
        assert_eq!(wrong_with_picture(&mut browser, chart).unwrap(), NOTHING_WRONG);
    }
}

/// A page written for the occasion.
fn written(directory: &Path, html: &str) -> Subject {
    let file = directory.join("page.html");
    fs::write(&file, html).unwrap();
    Subject { name: "page".to_owned(), file, states: vec!["software".to_owned()], has_marks: true }
}

/// A part of the good page, what comes in its place, and what has to be told of the page then.
type Spoiled = (&'static str, &'static str, &'static str);

/// Pages that are spoiled in several ways at once, which are not in each other's way.
const SPOILED: &[&[Spoiled]] = &[
    &[
        ("<h1>", "<script>console.error('oh')</script><h1>", "says console.error: oh"),
        ("<h1>", "<script>throw new Error('broken')</script><h1>", "says exception: Uncaught Error: broken"),
        (
            "<h1>",
            "<img src='https://elsewhere.example/a.png' alt=''><h1>",
            "asks for https://elsewhere.example/a.png",
        ),
        ("<h1>", "<link rel='stylesheet' href='style.css'><h1>", "/style.css"),
        ("SOFTWARE", "ENGAGED", "\"software\" is not to be read without scrolling"),
        ("--ink: #eee", "--ink: #222", "text is hard to read: rgb(34,34,34) on rgb(17,17,17)"),
        ("--ink: #222 }", "--ink: #222222 }", "the ink is the same in light and dark"),
        ("Two columns", " ", "figure 1 is named by \"chart-desc\", which says nothing"),
        ("<summary>", "<summary onclick='event.preventDefault()'>", "\"Its numbers\" cannot be opened"),
    ],
    &[
        (
            "<p>TSO",
            "<p style='width: 1300px'>TSO",
            "page at 1280-light: scrolls sideways: 1316 px wide, 1280 px seen",
        ),
        ("by=\"chart-title", "by=\"title", "figure 1 is named by \"title\", which is not in it"),
        (
            "<h1>",
            "<h1 style='margin-top: 1000px'>",
            "page at 360-light: \"software\" is not to be read without scrolling",
        ),
        ("class=\"hover\"", "class=\"mark\"", "has no mark to point at"),
    ],
    &[
        (
            "<p>TSO",
            "<p style='width: 400px'>TSO",
            "page at 360-dark: scrolls sideways: 416 px wide, 360 px seen",
        ),
        ("<h1>", "<h1 style='visibility: hidden'>", "\"software\" is not to be read without scrolling"),
        ("tip.hidden = !mark", "tip.hidden = true", "where the pointer is over it"),
        ("--paper: #111; --ink: #eee", "", "dark is asked for, and the page is not"),
        ("<div class=\"wide\">", "<div hidden>", "\"Its numbers\" is empty"),
    ],
    &[
        (".wide { overflow-x: auto }", "", "page at 360-light: scrolls sideways"),
        (" chart-desc\"", "\"", "figure 1 has not both a name and a description"),
        (
            "</figure>",
            "</figure><div style='position: fixed; inset: 0'></div>",
            "a mark that cannot be asked",
        ),
    ],
    &[
        ("name=\"viewport\"", "name=\"other\"", "page at 360-light: scrolls sideways: 980 px wide"),
        ("viewBox=\"0 0 100 50\"", "height=\"0\" style='height: 0'", "figure 1 has no size"),
    ],
    &[("<svg", "<p>nothing</p><template><svg", "figure 1 has no picture")],
    &[
        ("<figure>", "<div>", "has no figure"),
        ("id=\"tip\"", "id=\"top\"><p id=\"top\"", "id \"top\" is there more than once"),
    ],
];

#[test]
fn each_thing_that_can_be_wrong_with_a_page_is_told() {
    skip_unless!(skip::browser());
    let directory = tempfile::tempdir().unwrap();
    let mut browser = Browser::start().unwrap();
    assert_eq!(wrong_with(&mut browser, &written(directory.path(), GOOD)).unwrap(), NOTHING_WRONG);
    for ways in SPOILED {
        let mut page = GOOD.to_owned();
        for (part, other, _) in *ways {
            assert!(page.contains(part), "{part}");
            page = page.replace(part, other);
        }
        let wrong = wrong_with(&mut browser, &written(directory.path(), &page)).unwrap();
        for (part, other, expected) in *ways {
            assert!(
                wrong.iter().any(|sentence| sentence.contains(expected)),
                "{part} was replaced by {other}, and `{expected}` is not in {wrong:#?}"
            );
        }
    }
}

const GOOD_PICTURE: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" width="100" height="50">
<title>Throughput</title><desc>One column</desc><rect width="30" height="45" fill="#0072B2"/></svg>"##;

#[test]
fn each_thing_that_can_be_wrong_with_a_chart_is_told() {
    skip_unless!(skip::browser());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chart.svg");
    let mut browser = Browser::start().unwrap();
    fs::write(&file, GOOD_PICTURE).unwrap();
    assert_eq!(wrong_with_picture(&mut browser, &file).unwrap(), NOTHING_WRONG);
    for (part, other, expected) in [
        ("</svg>", "", "is no XML"),
        ("</svg>", "", "cannot be read by the browser"),
        ("One column", "5 < 6", "is no XML"),
        (" xmlns=\"http://www.w3.org/2000/svg\"", "", "is no SVG"),
        ("<desc>One column</desc>", "", "has no <desc>"),
        ("width=\"100\"", "width=\"0\"", "has no size"),
        ("<rect", "<image href=\"other.png\" width=\"9\" height=\"9\"/><rect", "/other.png"),
        ("<rect", "<script>console.log('hello')</script><rect", "says console.log: hello"),
    ] {
        assert!(GOOD_PICTURE.contains(part), "{part}");
        fs::write(&file, GOOD_PICTURE.replace(part, other)).unwrap();
        let wrong = wrong_with_picture(&mut browser, &file).unwrap();
        assert!(
            wrong.iter().any(|sentence| sentence.contains(expected)),
            "{part} was replaced by {other}, and `{expected}` is not in {wrong:#?}"
        );
    }
}
