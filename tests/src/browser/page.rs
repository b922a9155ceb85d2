//! One page in a tab of its own.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::events::{Seen, exception};
use super::pipe::Pipe;
use super::text;
use super::view::{Media, View};

/// Comes after two frames: what the page does when it is loaded or changed has been done and drawn then.
const DRAWN: &str =
    "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 0))))";

/// More than so many pixels no browser draws at once.
const TALLEST: f64 = 16_000.0;

/// An open page. Its tab is closed with the value.
#[derive(Debug)]
pub struct Page<'a> {
    pipe: &'a mut Pipe,
    target: String,
    session: String,
    navigation: String,
    told: Seen,
}

impl<'a> Page<'a> {
    pub(super) fn open(pipe: &'a mut Pipe, file: &Path, view: View) -> Result<Self> {
        let file = file.canonicalize().with_context(|| format!("{} cannot be opened", file.display()))?;
        let made = pipe.call(None, "Target.createTarget", &json!({ "url": "about:blank" }))?;
        let target = text(&made, "targetId")?;
        let how = json!({ "targetId": target, "flatten": true });
        let session = text(&pipe.call(None, "Target.attachToTarget", &how)?, "sessionId")?;
        let mut page = Self { pipe, target, session, navigation: String::new(), told: Seen::default() };
        page.look_as(view)?;
        for domain in ["Page", "Runtime", "Log", "Network", "Inspector"] {
            page.call(&format!("{domain}.enable"), &json!({}))?;
        }
        // What the empty page before may have told.
        page.pipe.events_of(&page.session);
        let url = url_of(&file);
        let navigated = page.call("Page.navigate", &json!({ "url": url }))?;
        if let Some(error) = navigated["errorText"].as_str() {
            bail!("the browser could not open {url}: {error}");
        }
        page.navigation = text(&navigated, "loaderId")?;
        page.pipe.wait_for(&page.session, "Page.loadEventFired").with_context(|| url.clone())?;
        page.settle()?;
        Ok(page)
    }

    /// The value of an expression, a promise's when it has come. An exception is an error.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let how = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true });
        let mut answer = self.call("Runtime.evaluate", &how)?;
        if let Some(details) = answer.get("exceptionDetails") {
            bail!("{}", exception(details));
        }
        Ok(answer["result"]["value"].take())
    }

    /// Waits until what has happened is drawn.
    pub fn settle(&mut self) -> Result<()> {
        self.evaluate(DRAWN).map(drop)
    }

    /// What the page said on the console, threw, and made the browser log, so far.
    pub fn messages(&mut self) -> Result<Vec<String>> {
        self.gather()?;
        Ok(self.told.messages.clone())
    }

    /// Addresses of whatever was asked for beside the page's own file, so far. (`data:` is in the file.)
    pub fn requests(&mut self) -> Result<Vec<String>> {
        self.gather()?;
        Ok(self.told.requests.clone())
    }

    /// Moves the pointer, CSS pixels from the upper left corner of what is seen.
    pub fn point_at(&mut self, x: f64, y: f64) -> Result<()> {
        self.call("Input.dispatchMouseEvent", &json!({ "type": "mouseMoved", "x": x, "y": y })).map(drop)
    }

    /// What is seen without scrolling, as PNG.
    pub fn seen(&mut self) -> Result<Vec<u8>> {
        self.data("Page.captureScreenshot", &json!({ "format": "png" }))
    }

    /// The whole page, not only what is seen without scrolling, as PNG. What is further down than 16,000 pixels is left out.
    pub fn screenshot(&mut self) -> Result<Vec<u8>> {
        let size = self.call("Page.getLayoutMetrics", &json!({}))?["cssContentSize"].clone();
        let height = size["height"].as_f64().unwrap_or_default().min(TALLEST);
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1 });
        let how = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        self.data("Page.captureScreenshot", &how)
    }

    /// Printed, as PDF.
    pub fn pdf(&mut self) -> Result<Vec<u8>> {
        self.data("Page.printToPDF", &json!({ "printBackground": true }))
    }

    fn look_as(&mut self, view: View) -> Result<()> {
        let View { width, height, mobile, media } = view;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.call("Emulation.setDeviceMetricsOverride", &metrics)?;
        let (medium, scheme) = match media {
            Media::Light => ("screen", "light"),
            Media::Dark => ("screen", "dark"),
            Media::Print => ("print", "light"),
        };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", &json!({ "media": medium, "features": features }))?;
        Ok(())
    }

    fn gather(&mut self) -> Result<()> {
        // Whatever the page did before is told before the answer to this.
        self.settle()?;
        for event in self.pipe.events_of(&self.session) {
            self.told.take(&event, &self.navigation);
        }
        Ok(())
    }

    fn data(&mut self, method: &str, parameters: &Value) -> Result<Vec<u8>> {
        let answer = self.call(method, parameters)?;
        STANDARD.decode(text(&answer, "data")?).with_context(|| format!("{method}: no base64"))
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Result<Value> {
        self.pipe.call(Some(&self.session), method, parameters)
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        // Fails only if the browser has ended.
        let _ = self.pipe.call(None, "Target.closeTarget", &json!({ "targetId": self.target }));
        self.pipe.events_of(&self.session);
    }
}

/// `file://`, with everything escaped that has a meaning in addresses.
fn url_of(file: &Path) -> String {
    let mut url = "file://".to_owned();
    for &byte in file.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

/// How many sheets a PDF of the browser's has. It writes its objects plainly; `/Pages` is the list of them.
pub fn sheets_in(pdf: &[u8]) -> usize {
    let mark = b"/Type /Page";
    let at = |at: usize| pdf[at..].starts_with(mark) && pdf.get(at + mark.len()) != Some(&b's');
    (0..pdf.len()).filter(|&offset| at(offset)).count()
}
