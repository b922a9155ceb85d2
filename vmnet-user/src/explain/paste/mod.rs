//! What commands printed, understood: `ethtool -k`, `-i` and `-S`, `tc -s qdisc`, `ip -s -d link`, `nstat`, `uname -a`, in any order, with the
//! prompts and the rest that people paste along. It is anybody's text: nothing in it is trusted, and everything has a bound.

mod ethtool;
mod ip;
mod nstat;
mod tc;

use std::collections::BTreeMap;

use crate::model::features::Feature;
use crate::model::machine::Qdisc;

pub(super) use nstat::Tcp;

/// More interfaces than this are not told apart.
pub(super) const MOST_INTERFACES: usize = 256;
/// More features of one interface than any kernel has.
const MOST_FEATURES: usize = 256;
/// More counters of one driver than any has, by far.
const MOST_STATISTICS: usize = 20_000;
/// More qdiscs at one interface.
const MOST_QDISCS: usize = 1_024;
/// An interface's name has at most 15 bytes (`IFNAMSIZ`).
const LONGEST_NAME: usize = 15;

/// Everything that was understood.
#[derive(Clone, Debug, Default)]
pub(super) struct Paste {
    /// By name.
    pub(super) interfaces: BTreeMap<String, Pasted>,
    /// `uname -r`.
    pub(super) kernel: Option<String>,
    /// `nstat`.
    pub(super) tcp: Option<Tcp>,
    /// Lines that belong to nothing that is known.
    pub(super) not_understood: u64,
}

/// What is known of one interface.
#[derive(Clone, Debug, Default)]
pub(super) struct Pasted {
    /// `ethtool -k`, by the kernel's names; with each line as it was.
    pub(super) features: Vec<(Feature, String)>,
    /// `ethtool -i`.
    pub(super) driver: Option<String>,
    /// `ethtool -S`, in its order.
    pub(super) statistics: Vec<(String, u64)>,
    /// `tc -s qdisc`.
    pub(super) qdiscs: Vec<Qdisc>,
    /// `ip -s -d link`.
    pub(super) link: Option<ip::Link>,
}

/// What a text is in the middle of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Within {
    Nothing,
    Features(String),
    Statistics(String),
    Driver(String),
    Qdisc(String),
    Link(String),
    Nstat,
}

impl Paste {
    /// Takes in one text. `about`: the interface that its file's name tells, for commands that do not print it.
    pub(super) fn add(&mut self, text: &str, about: Option<&str>) {
        let mut about = about.filter(|name| is_name(name)).map(str::to_owned);
        let mut within = Within::Nothing;
        for line in text.lines() {
            let line = line.trim_end();
            if line.is_empty() {
                continue;
            }
            if let Some(command) = prompted(line) {
                // What was typed says which interface the answer is of.
                about = command.split_whitespace().rev().find(|word| is_name(word)).map(str::to_owned);
                within = Within::Nothing;
                continue;
            }
            if let Some(begun) = self.begins(line, about.as_deref()) {
                within = begun;
            } else if !self.goes_on(&within, line) {
                self.alone(line, about.as_deref(), &mut within);
            }
        }
    }

    /// A line with which an answer begins.
    fn begins(&mut self, line: &str, about: Option<&str>) -> Option<Within> {
        if let Some(name) = line.strip_prefix("Features for ").and_then(|rest| rest.strip_suffix(':')) {
            self.of(name)?;
            return Some(Within::Features(name.to_owned()));
        }
        if let Some(driver) = line.strip_prefix("driver: ") {
            let name = about.unwrap_or(UNNAMED);
            self.of(name)?.driver = Some(driver.trim().to_owned()).filter(|driver| driver.len() <= 64);
            return Some(Within::Driver(name.to_owned()));
        }
        if line == "NIC statistics:" {
            let name = about.unwrap_or(UNNAMED);
            self.of(name)?;
            return Some(Within::Statistics(name.to_owned()));
        }
        if let Some((name, qdisc)) = tc::first(line, about.unwrap_or(UNNAMED)) {
            let qdiscs = &mut self.of(&name)?.qdiscs;
            if qdiscs.len() < MOST_QDISCS {
                qdiscs.push(qdisc);
            }
            return Some(Within::Qdisc(name));
        }
        if let Some((name, link)) = ip::first(line) {
            self.of(&name)?.link = Some(link);
            return Some(Within::Link(name));
        }
        if line.starts_with("#kernel") {
            self.tcp.get_or_insert_default();
            return Some(Within::Nstat);
        }
        if let Some(kernel) = kernel(line) {
            self.kernel = Some(kernel);
            return Some(Within::Nothing);
        }
        None
    }

    /// A line that belongs to what was begun.
    fn goes_on(&mut self, within: &Within, line: &str) -> bool {
        match within {
            Within::Nothing => false,
            Within::Features(name) => self.feature(name, line),
            Within::Statistics(name) => {
                let Some(counter) = ethtool::statistic(line) else { return false };
                let Some(pasted) = self.of(name) else { return true };
                if pasted.statistics.len() < MOST_STATISTICS {
                    pasted.statistics.push(counter);
                }
                true
            }
            // version:, bus-info:, supports-…
            Within::Driver(_) => line.contains(": ") || line.ends_with(':'),
            Within::Qdisc(name) => {
                let last = self.of(name).and_then(|pasted| pasted.qdiscs.last_mut());
                line.starts_with(' ') && last.is_some_and(|qdisc| tc::further(qdisc, line))
            }
            Within::Link(name) => {
                let link = self.of(name).and_then(|pasted| pasted.link.as_mut());
                line.starts_with(' ') && link.is_some_and(|link| ip::further(link, line))
            }
            Within::Nstat => self.tcp.as_mut().is_some_and(|tcp| tcp.take(line)),
        }
    }

    /// A line by itself, as `ethtool -k … | grep tcp` leaves it.
    fn alone(&mut self, line: &str, about: Option<&str>, within: &mut Within) {
        let name = about.unwrap_or(UNNAMED).to_owned();
        if ethtool::feature(line).is_some() && self.feature(&name, line) {
            *within = Within::Features(name);
        } else {
            self.not_understood = self.not_understood.saturating_add(1);
        }
    }

    fn feature(&mut self, name: &str, line: &str) -> bool {
        let Some(feature) = ethtool::feature(line) else { return false };
        let Some(pasted) = self.of(name) else { return true };
        let is_known = pasted.features.iter().any(|(known, _)| known.name == feature.name);
        if pasted.features.len() < MOST_FEATURES && !is_known {
            let bit = u32::try_from(pasted.features.len()).unwrap_or(u32::MAX);
            pasted.features.push((Feature { bit, ..feature }, line.trim().to_owned()));
        }
        true
    }

    fn of(&mut self, name: &str) -> Option<&mut Pasted> {
        let has_room = self.interfaces.len() < MOST_INTERFACES || self.interfaces.contains_key(name);
        (is_name(name) && has_room).then(|| self.interfaces.entry(name.to_owned()).or_default())
    }

    /// What was told of an interface without its name is of the only one that has a name, if there is only one.
    pub(super) fn settle(&mut self) {
        let named: Vec<String> =
            self.interfaces.keys().filter(|name| name.as_str() != UNNAMED).cloned().collect();
        let [name] = named.as_slice() else { return };
        let Some(loose) = self.interfaces.remove(UNNAMED) else { return };
        if let Some(known) = self.interfaces.get_mut(name) {
            known.driver = known.driver.take().or(loose.driver);
            known.link = known.link.take().or(loose.link);
            if known.features.is_empty() {
                known.features = loose.features;
            }
            if known.qdiscs.is_empty() {
                known.qdiscs = loose.qdiscs;
            }
            if known.statistics.is_empty() {
                known.statistics = loose.statistics;
            }
        }
    }
}

/// Stands for the interface where nothing tells its name.
pub(super) const UNNAMED: &str = "IFACE";

/// Whether it can be an interface's name.
fn is_name(word: &str) -> bool {
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':');
    !word.is_empty() && word.len() <= LONGEST_NAME && !word.starts_with('-') && !word.contains(is_bad)
}

/// What was typed behind a prompt.
fn prompted(line: &str) -> Option<&str> {
    const COMMANDS: [&str; 6] = ["ethtool ", "tc ", "ip ", "nstat", "uname", "cat "];
    let typed = match line.split_once(['#', '$', '>']) {
        Some((prompt, rest)) if prompt.len() <= 80 => rest.trim_start(),
        _ => line,
    };
    let typed = typed.strip_prefix("sudo ").unwrap_or(typed);
    // `ethtool -k`'s own lines have a colon, and a command has none.
    (COMMANDS.iter().any(|command| typed.starts_with(command)) && !typed.contains(": ")).then_some(typed)
}

/// `Linux host 6.1.0-50-cloud-amd64 #1 SMP …`.
fn kernel(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let is_it = words.next()? == "Linux" && line.contains('#');
    let release = words.nth(1)?;
    let is_release = release.len() <= 80 && release.starts_with(|c: char| c.is_ascii_digit());
    (is_it && is_release).then(|| release.to_owned())
}

#[cfg(test)]
mod tests;
