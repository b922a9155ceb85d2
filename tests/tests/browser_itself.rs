//! The browser of the testbed: it sees what a page does, and shows a page as it was asked to.

#![expect(clippy::unwrap_used, reason = "a scenario's helpers fail as its tests do")]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use testbed::browser::{Browser, Media, View, sheets_in};
use testbed::{skip, skip_unless};

fn page(body: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    // A name that a URL has to write otherwise.
    let file = directory.path().join("a page #1 100%.html");
    fs::write(&file, format!("<!DOCTYPE html><title>page</title>{body}")).unwrap();
    (directory, file)
}

#[test]
fn what_a_page_says_and_asks_for_is_seen() {
    skip_unless!(skip::browser());
    let (_directory, file) = page(
        "<script>console.warn('careful', 7); setTimeout(() => { throw new Error('broken'); }, 0)</script>\
         <img src='missing.png' alt=''><img src='https://elsewhere.example/pixel.png' alt=''>\
         <img src='data:image/gif;base64,R0lGODlhAQABAAAAACw=' alt=''>",
    );
    let mut browser = Browser::start().unwrap();
    let mut page = browser.open(&file, View::DESKTOP).unwrap();
    let messages = page.messages().unwrap().join("\n");
    assert!(messages.contains("console.warning: careful 7"), "{messages}");
    assert!(messages.contains("broken"), "{messages}");
    let requests = page.requests().unwrap();
    assert_eq!(requests.len(), 2, "{requests:?}");
    assert!(requests[0].ends_with("/missing.png"), "{requests:?}");
    assert_eq!(requests[1], "https://elsewhere.example/pixel.png");
}

#[test]
fn a_quiet_page_is_quiet_and_as_large_and_dark_as_it_was_asked_to_be() {
    skip_unless!(skip::browser());
    let (_directory, file) = page(
        "<meta name='viewport' content='width=device-width'>\
         <style>* { margin: 0 } body { height: 2000px } @media (prefers-color-scheme: dark) { p { color: red } }</style><p>x</p>",
    );
    let mut browser = Browser::start().unwrap();
    for (view, colour) in [
        (View::PHONE, "rgb(0, 0, 0)"),
        (View::PHONE.with(Media::Dark), "rgb(255, 0, 0)"),
        (View::DESKTOP.with(Media::Print), "rgb(0, 0, 0)"),
    ] {
        let mut page = browser.open(&file, view).unwrap();
        assert_eq!(page.evaluate("innerWidth").unwrap(), view.width);
        assert_eq!(page.evaluate("getComputedStyle(document.querySelector('p')).color").unwrap(), colour);
        assert_eq!(page.evaluate("matchMedia('print').matches").unwrap(), view.media == Media::Print);
        assert_eq!(page.messages().unwrap(), Vec::<String>::new());
        assert_eq!(page.requests().unwrap(), Vec::<String>::new());
        let (width, height) = size_of_png(&page.screenshot().unwrap());
        assert_eq!((width, height), (view.width, 2000));
    }
    let mut page = browser.open(&file, View::DESKTOP).unwrap();
    // A sheet of letter paper has room for 979 pixels.
    assert_eq!(sheets_in(&page.pdf().unwrap()), 3);
}

#[test]
fn what_throws_or_is_not_there_is_an_error() {
    skip_unless!(skip::browser());
    let (directory, file) = page("");
    let mut browser = Browser::start().unwrap();
    let mut page = browser.open(&file, View::DESKTOP).unwrap();
    assert!(page.evaluate("nothing.there").unwrap_err().to_string().contains("nothing is not defined"));
    drop(page);
    assert!(browser.open(&directory.path().join("none.html"), View::DESKTOP).is_err());
}

#[test]
fn what_does_not_come_to_an_end_is_given_up() {
    skip_unless!(skip::browser());
    for body in ["<script>for (;;);</script>", "<script>alert('read me')</script>"] {
        let (_directory, file) = page(body);
        let mut browser = Browser::start().unwrap();
        browser.set_patience(Duration::from_secs(3));
        let error = browser.open(&file, View::DESKTOP).unwrap_err();
        assert!(format!("{error:#}").contains("no answer in 3 s"), "{error:#}");
    }
}

#[test]
fn nothing_of_a_browser_outlives_it() {
    skip_unless!(skip::browser());
    let (_directory, file) = page("");
    for is_hung in [false, true] {
        let mut browser = Browser::start().unwrap();
        let directory = browser.directory().to_owned();
        let mut page = browser.open(&file, View::DESKTOP).unwrap();
        if is_hung {
            page.evaluate("setTimeout(() => { for (;;); }, 0)").unwrap();
        }
        std::mem::forget(page);
        assert!(processes_with(&directory) > 1);
        drop(browser);
        // Killed they are; on a busy machine it takes a moment until they are gone.
        let dropped = Instant::now();
        while processes_with(&directory) > 0 {
            assert!(dropped.elapsed() < Duration::from_secs(5), "{} left", processes_with(&directory));
            thread::sleep(Duration::from_millis(10));
        }
        assert!(!directory.exists());
    }
}

/// Processes that have a directory among their arguments. Those that have ended have none.
fn processes_with(directory: &Path) -> usize {
    let directory = directory.to_str().unwrap();
    let arguments = |entry: fs::DirEntry| fs::read(entry.path().join("cmdline")).unwrap_or_default();
    let all = fs::read_dir("/proc").unwrap().map(|entry| arguments(entry.unwrap()));
    all.filter(|arguments| String::from_utf8_lossy(arguments).contains(directory)).count()
}

/// Width and height are the first words of the header chunk.
fn size_of_png(png: &[u8]) -> (u32, u32) {
    assert!(png.starts_with(b"\x89PNG"));
    let word = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (word(16), word(20))
}
