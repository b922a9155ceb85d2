//! A real browser: Debian's Chromium without a window, driven over its DevTools protocol.
//!
//! ```no_run
//! use testbed::browser::{Browser, View};
//! let mut browser = Browser::start()?;
//! let mut page = browser.open("reports/gallery/flip/report.html".as_ref(), View::PHONE)?;
//! assert_eq!(page.evaluate("document.documentElement.scrollWidth <= 360")?, true);
//! assert!(page.messages()?.is_empty() && page.requests()?.is_empty());
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! The protocol is a few commands of JSON over two pipes. No crate for it comes without an asynchronous runtime or the
//! whole protocol as generated code, so this is ours.

mod events;
mod page;
mod pipe;
mod view;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

pub use page::{Page, sheets_in};
pub use view::{Media, View};

use pipe::Pipe;

/// The longest that one answer of the browser may take, if nothing else is said: what it does here takes well under a second on a machine that has
/// nothing else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser that runs, with a profile of its own. It ends with the value, all its processes with it, and also when the
/// thread ends that started it.
#[derive(Debug)]
pub struct Browser {
    pipe: Pipe,
}

impl Browser {
    /// The name of its program and of Debian's package.
    pub const PROGRAM: &str = "chromium";

    /// Starts it. Reaches no network: no name resolves.
    pub fn start() -> Result<Self> {
        crate::interrupt::watch();
        crate::interrupt::check()?;
        let mut pipe = Pipe::start(&[
            "--headless",
            // Root has none to give up, and pages are our own.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-breakpad",
            // Scroll bars as a phone has them: laid over the page, no part of its width.
            "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND",
        ])?;
        pipe.call(None, "Browser.getVersion", &json!({}))?;
        Ok(Self { pipe })
    }

    /// The longest that one answer may take, a minute if nothing is said. After an answer that did not come, the browser is of no
    /// more use.
    pub fn set_patience(&mut self, patience: Duration) {
        self.pipe.patience = patience;
    }

    /// Where its profile is: all its processes have it among their arguments.
    pub fn directory(&self) -> &Path {
        self.pipe.directory()
    }

    /// Opens a file of this machine in a tab of its own, and returns when it is loaded and drawn.
    pub fn open(&mut self, file: &Path, view: View) -> Result<Page<'_>> {
        Page::open(&mut self.pipe, file, view)
    }
}

/// A text of an answer.
fn text(answer: &Value, key: &str) -> Result<String> {
    let found = answer[key].as_str().map(str::to_owned);
    found.ok_or_else(|| anyhow::anyhow!("the browser's answer has no {key}: {answer}"))
}
