//! `--private`: a document without what is nobody else's business. Addresses are left out wherever they stand, and so is what other people
//! wrote: lines of files, and what processes are called.

use std::net::IpAddr;

use serde_json::Value;

use super::json::{Explained, JsonError};

/// In place of what is left out.
pub(crate) const LEFT_OUT: &str = "…";

/// What other people wrote, as the list (or the object) that it stands in and its field there.
const WRITTEN: [(&str, &str); 3] = [("setters", "text"), ("files", "diff"), ("namespaces", "process")];

/// The document without it, as JSON for a file or standard output.
///
/// # Errors
/// As [`Explained::explained`].
pub(crate) fn text<D: Explained>(document: &D) -> Result<String, JsonError> {
    of(document)?.to_text()
}

/// The document without it.
///
/// # Errors
/// As [`Explained::explained`].
pub(crate) fn of<D: Explained>(document: &D) -> Result<D, JsonError> {
    let mut json = serde_json::to_value(document.explained()?).map_err(JsonError::Serialize)?;
    let mut written = Vec::new();
    take_written(&mut json, "", &mut written);
    // A sentence may quote it.
    written.retain(|text| !text.trim().is_empty() && text != LEFT_OUT);
    each_text(&mut json, &|text| {
        let text = written.iter().fold(text.to_owned(), |text, line| text.replace(line.as_str(), LEFT_OUT));
        without_addresses(&text)
    });
    serde_json::from_value(json).map_err(JsonError::Serialize)
}

fn take_written(json: &mut Value, within: &str, written: &mut Vec<String>) {
    match json {
        Value::Array(items) => items.iter_mut().for_each(|item| take_written(item, within, written)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if WRITTEN.contains(&(within, name.as_str())) => {
                        written.push(std::mem::replace(text, LEFT_OUT.to_owned()));
                    }
                    _ => take_written(value, name, written),
                }
            }
        }
        _ => {}
    }
}

/// Values, never names of fields.
fn each_text(json: &mut Value, change: &impl Fn(&str) -> String) {
    match json {
        Value::String(text) => *text = change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, change)),
        Value::Object(fields) => fields.values_mut().for_each(|value| each_text(value, change)),
        _ => {}
    }
}

/// IP and Ethernet addresses, wherever they stand in a sentence. What has other letters around it is a part of a longer word, and none.
fn without_addresses(text: &str) -> String {
    let is_of_address = |letter: char| letter.is_ascii_hexdigit() || matches!(letter, ':' | '.' | '-');
    let is_of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(is_of_address) {
        let (before, found) = rest.split_at(begin);
        kept.push_str(before);
        let end = found.find(|letter| !is_of_address(letter)).unwrap_or(found.len());
        let (word, behind) = found.split_at(end);
        let is_part = kept.ends_with(is_of_word) || behind.starts_with(is_of_word);
        // A full stop, a colon or a dash beside it is the sentence's.
        let bare = word.trim_end_matches(['.', ':', '-']).trim_start_matches(['.', '-']);
        let bare = if word.ends_with("::") && is_address(word) { word } else { bare };
        if !is_part && is_address(bare) {
            kept.push_str(&word.replacen(bare, LEFT_OUT, 1));
        } else {
            kept.push_str(word);
        }
        rest = behind;
    }
    kept + rest
}

fn is_address(word: &str) -> bool {
    // One with a port behind it, too.
    let host = word.rsplit_once(':').filter(|(host, _)| !host.contains(':')).map_or(word, |(host, _)| host);
    let is_mac = [':', '-'].iter().any(|between| {
        let parts: Vec<&str> = word.split(*between).collect();
        parts.len() == 6 && parts.iter().all(|part| part.len() == 2 && !part.contains([':', '-', '.']))
    });
    is_mac || (word.contains(|letter: char| letter.is_ascii_hexdigit()) && host.parse::<IpAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_go_wherever_they_stand_and_nothing_else_does() {
        for (text, kept) in [
            ("to 10.1.2.3.", "to …."),
            ("to 10.1.2.3:5201, from 10.0.0.0/8", "to …, from …/8"),
            ("[2001:db8::7]:80 and fe80::1%ens4", "[…]:80 and …%ens4"),
            ("MACAddress=52:54:00:12:34:56", "MACAddress=…"),
            ("52-54-00-12-34-56: gone", "…: gone"),
            ("2001:db8:: is a network", "… is a network"),
            (
                "kernel 6.1.0-25-amd64 at 10:11:12, 0000:00:03.0",
                "kernel 6.1.0-25-amd64 at 10:11:12, 0000:00:03.0",
            ),
            ("vmnet::cafe::bad, a.b, 12.5 %, ens4: 1.2.3", "vmnet::cafe::bad, a.b, 12.5 %, ens4: 1.2.3"),
            ("20261122-101112-ens4", "20261122-101112-ens4"),
            ("Größe 10.0.0.1—…", "Größe …—…"),
        ] {
            assert_eq!(without_addresses(text), kept, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_address_stays_between_blanks(address: IpAddr, text in ".{0,20}") {
            let said = format!("{text} {address} {text}");
            let kept = without_addresses(&said);
            prop_assert!(!kept.contains(&format!(" {address} ")) || address.to_string() == "::", "{kept}");
        }
    }
}
