//! Whether the `[Match]` section of a `.link` file (systemd.link(5)) fits an interface, worked out as udevd does (net-condition.c and
//! link-config.c of systemd, 252 to 257), where udevd cannot be asked.

mod address;
mod facts;
mod host;
mod path_id;
mod pattern;
mod uevent;
mod version;

use super::Identity;
use super::ini::Entry;
pub use facts::LinkFacts;
pub use host::{HostFacts, Virtualization};
use pattern::{Quotes, words};

/// What is known, or in words why it is not: they go into a sentence of a `fix`, and into no document as null.
type Fact<T> = Result<T, String>;

/// All of what a `[Match]` section asks for, each key once.
#[derive(Debug)]
pub(super) struct Match {
    conditions: Vec<Condition>,
}

/// One key with all that it is given: of a list any may hold, of the conditions about the machine there is one.
#[derive(Debug)]
struct Condition {
    key: String,
    /// Patterns with their `!`, addresses as written, or the one value. Never empty.
    values: Vec<String>,
}

impl Match {
    /// From the assignments of a file and its drop-ins, in order. An empty one takes back what was there before.
    pub(super) fn of(said: &[Entry]) -> Self {
        let mut conditions: Vec<Condition> = Vec::new();
        for entry in said.iter().filter(|entry| entry.section == "Match") {
            let at = conditions.iter().position(|known| known.key == entry.key).unwrap_or_else(|| {
                conditions.push(Condition { key: entry.key.clone(), values: Vec::new() });
                conditions.len() - 1
            });
            if let Some(condition) = conditions.get_mut(at) {
                condition.assign(&entry.value);
            }
        }
        conditions.retain(|condition| !condition.values.is_empty());
        Self { conditions }
    }

    /// Whether it asks for nothing; systemd ignores such a file.
    pub(super) fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    /// Whether all of it holds: no, as soon as anything does not, whatever is not known beside it.
    ///
    /// # Errors
    /// What is not known, where that decides.
    pub(super) fn fits(&self, interface: &Identity) -> Fact<bool> {
        let mut fits = Ok(true);
        for condition in &self.conditions {
            match condition.holds(interface) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(why) => fits = fits.and(Err(format!("{}=: {why}", condition.key))),
            }
        }
        fits
    }

    /// Whether it can fit one interface only: by an address, or by one name that is not a pattern.
    pub(super) fn is_for_one_interface(&self) -> bool {
        self.conditions.iter().any(|condition| match (condition.key.as_str(), condition.values.as_slice()) {
            ("MACAddress" | "PermanentMACAddress", [_]) => true,
            ("OriginalName", [name]) => !name.starts_with('!') && !name.contains(['*', '?', '[', '\\']),
            _ => false,
        })
    }
}

impl Condition {
    fn assign(&mut self, value: &str) {
        if value.is_empty() {
            self.values.clear();
            return;
        }
        match self.key.as_str() {
            "MACAddress" | "PermanentMACAddress" => {
                for word in words(value, Quotes::Literal) {
                    // What is no address is passed over.
                    if let Some(address) = address::read(&word)
                        && !self.values.iter().any(|known| address::read(known).as_ref() == Some(&address))
                    {
                        self.values.push(word);
                    }
                }
            }
            "OriginalName" => {
                let names = patterns(value, Quotes::Literal);
                self.values.extend(names.filter(|name| is_valid_name(name.trim_start_matches('!'))));
            }
            "Path" | "Driver" | "Type" | "Kind" | "Property" => {
                self.values.extend(patterns(value, Quotes::Unquote));
            }
            _ => self.values = vec![value.to_owned()],
        }
    }

    fn holds(&self, interface: &Identity) -> Fact<bool> {
        let facts = &interface.facts;
        let holds_for = |text: &Fact<Option<String>>| match text {
            Ok(text) => Ok(pattern::list_holds(&self.values, text.as_deref())),
            Err(why) => Err(why.clone()),
        };
        match self.key.as_str() {
            "MACAddress" => address::is_one_of(interface.mac.as_deref(), &self.values),
            "PermanentMACAddress" => address::is_one_of(interface.permanent_mac.as_deref(), &self.values),
            "OriginalName" => self.holds_for_first_name(interface),
            "Path" => holds_for(&facts.path),
            "Driver" => Ok(pattern::list_holds(&self.values, interface.driver.as_deref())),
            "Type" => holds_for(&facts.device_type),
            "Kind" => holds_for(&facts.kind),
            "Property" => Err("its properties are known to udev alone".to_owned()),
            key => facts.host.holds(key, self.values.last().map_or("", String::as_str)),
        }
    }

    /// The name that the kernel gave the interface is forgotten once userspace renames it.
    fn holds_for_first_name(&self, interface: &Identity) -> Fact<bool> {
        let has = |pattern: &str| self.values.iter().any(|value| value == pattern);
        let refuses = self.values.iter().any(|value| value.starts_with('!'));
        match (has("!*"), has("*") && !refuses) {
            (true, _) => Ok(false),
            (_, true) => Ok(true),
            _ if interface.renamed => {
                Err("the interface was renamed, and its first name is not known".to_owned())
            }
            _ => Ok(pattern::list_holds(&self.values, Some(&interface.name))),
        }
    }
}

/// The words of a list of patterns; a `!` before the first of them stands before each.
fn patterns(value: &str, quotes: Quotes) -> impl Iterator<Item = String> {
    let (not, list) = match value.strip_prefix('!') {
        Some(list) => ("!", list),
        None => ("", value),
    };
    words(list, quotes).into_iter().map(move |word| format!("{not}{word}"))
}

/// What systemd takes for the name of an interface, or for a pattern of such (`ifname_valid_full`); others it passes over, such as
/// a pattern of 16 letters.
fn is_valid_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b':' | b'/' | b'%');
    (1..16).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.bytes().all(|byte| byte.is_ascii_digit())
        && !matches!(name, "." | ".." | "all" | "default")
}

#[cfg(test)]
mod tests;
