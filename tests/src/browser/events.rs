//! What a page says and asks for, read from the events of its tab.

use serde_json::Value;

/// Gathered since the page was opened.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// One line each: what was said on the console, thrown, or logged by the browser itself.
    pub(super) messages: Vec<String>,
    /// Addresses of what was asked for beside the page's own file.
    pub(super) requests: Vec<String>,
}

impl Seen {
    /// Takes an event. `navigation` is the request for the page itself.
    pub(super) fn take(&mut self, event: &Value, navigation: &str) {
        let of = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.consoleAPICalled" => self.messages.push(console(of)),
            "Runtime.exceptionThrown" => self.messages.push(exception(&of["exceptionDetails"])),
            "Log.entryAdded" => self.messages.push(log(&of["entry"])),
            "Inspector.targetCrashed" => self.messages.push("the page crashed".to_owned()),
            "Page.javascriptDialogOpening" => self.messages.push(format!("dialog: {}", of["message"])),
            "Network.requestWillBeSent" if of["requestId"] != navigation => {
                let url = of["request"]["url"].as_str().unwrap_or_default();
                // What is in the file itself is asked of nobody.
                if !url.starts_with("data:") {
                    self.requests.push(url.to_owned());
                }
            }
            "Network.webSocketCreated" => self.requests.push(word(&of["url"])),
            _ => {}
        }
    }
}

fn console(of: &Value) -> String {
    let said: Vec<String> = of["args"].as_array().into_iter().flatten().map(argument).collect();
    format!("console.{}: {}", word(&of["type"]), said.join(" "))
}

fn argument(of: &Value) -> String {
    match (&of["value"], &of["description"]) {
        (Value::Null, Value::String(description)) => description.clone(),
        (Value::String(text), _) => text.clone(),
        (value, _) => value.to_string(),
    }
}

/// A sentence of an exception, for people.
pub(super) fn exception(details: &Value) -> String {
    let what = match &details["exception"]["description"] {
        Value::String(description) => description.clone(),
        _ => argument(&details["exception"]),
    };
    format!("exception: {} {what}", word(&details["text"]))
}

fn log(entry: &Value) -> String {
    format!(
        "{} of {}: {} {}",
        word(&entry["level"]),
        word(&entry["source"]),
        word(&entry["text"]),
        word(&entry["url"])
    )
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
