//! The interfaces as lines of a table, and what to type.

use super::{ListReport, Listed, NamespaceReport};
use crate::model::fact::Fact;
use crate::model::offload::Offload;
use crate::model::shell;
use crate::report::kit::format;
use crate::report::kit::style::{Style, Tone};

/// What people usually have: 64 KiB, and as many segments as fit.
const USUAL_MOST_BYTES: u32 = 65_536;
/// `sudo `, or nothing: who reads it may be root, and have no sudo.
type As<'a> = &'a str;

/// Everything, namespace by namespace.
#[must_use]
pub fn answer(report: &ListReport, as_root: As<'_>, style: &Style) -> String {
    let mut text = String::new();
    for namespace in &report.namespaces {
        let heading = match (&namespace.netns.name, &namespace.process) {
            (None, _) => "this network namespace".to_owned(),
            (Some(name), None) => format!("network namespace {name}"),
            (Some(pid), Some(process)) => format!("network namespace of process {pid} ({process})"),
        };
        text += &style.paragraph("", &style.paint(Tone::Heading, &style.data(&heading)));
        text += &table(namespace, as_root, style);
    }
    for line in &report.not_visible {
        text += &style.paragraph("not visible: ", &style.data(line));
    }
    text + &next(&report.next, as_root, style)
}

/// For a command that was typed without its interface: the caller's own ones, and the whole command.
#[must_use]
pub fn choice(report: &ListReport, command: &[String], as_root: As<'_>, style: &Style) -> String {
    let mut text: String = report.namespaces.iter().map(|it| table(it, as_root, style)).collect();
    text += &next(command, as_root, style);
    text
}

fn next(command: &[String], as_root: As<'_>, style: &Style) -> String {
    if command.is_empty() {
        return String::new();
    }
    format!(
        "\n{} {as_root}{}\n",
        style.paint(Tone::Heading, "Next:"),
        style.data(&shell::command_line(command))
    )
}

fn table(namespace: &NamespaceReport, as_root: As<'_>, style: &Style) -> String {
    let interfaces = match &namespace.interfaces {
        Ok(interfaces) => interfaces,
        Err(why) => return style.paragraph("  ", &style.data(&format!("not known: {why}"))),
    };
    let width = |of: fn(&Listed) -> usize| interfaces.iter().map(of).max().unwrap_or_default();
    let name = width(|it| format::printable(&it.name).chars().count());
    let what = width(|it| what(it).chars().count());
    interfaces.iter().map(|it| row(it, namespace, [name, what], as_root, style)).collect()
}

fn row(
    it: &Listed,
    namespace: &NamespaceReport,
    [name, what]: [usize; 2],
    as_root: As<'_>,
    style: &Style,
) -> String {
    let sent = if it.tx_bytes == 0 {
        "sent nothing".to_owned()
    } else {
        format!("sent {}", format::bytes(it.tx_bytes))
    };
    let tone = match (&it.tso_ipv4, &it.tso_ipv6) {
        (Ok(one), Ok(other)) if one.active() && other.active() => Tone::Good,
        (Ok(_), Ok(_)) if it.hint.is_some() => Tone::Bad,
        _ => Tone::Unsure,
    };
    let tso = format!("{:<26}", style.typeset(&tso(&it.tso_ipv4, &it.tso_ipv6)));
    let first =
        format!("  {:<name$}  {:<what$}  ", format::printable(&it.name), format::printable(&self::what(it)));
    let mut text = format!("{}TSO {} {sent}\n", style.typeset(&first), style.paint(tone, &tso));
    let hang = " ".repeat(name + 4);
    let more = more(it);
    if !more.is_empty() {
        text += &style.paragraph(&hang, &style.data(&more.join("; ")));
    }
    if let Some(hint) = &it.hint {
        let mut words = vec!["vmnet".to_owned(), hint.command.clone(), it.name.clone()];
        if let Some(netns) = &namespace.netns.name {
            words.extend(["--netns".to_owned(), netns.clone()]);
        }
        let command = format!("{as_root}{}", style.data(&shell::command_line(&words)));
        let hint = style.data(&hint.text);
        // A command is not wrapped.
        let fits = hang.len() + hint.chars().count() + 2 + command.chars().count() <= style.width;
        let between = if fits { ": ".to_owned() } else { format!("\n{hang}") };
        text += &format!("{hang}{}{between}{command}\n", style.paint(Tone::Unsure, &hint));
    }
    text
}

/// Who made it.
fn what(it: &Listed) -> String {
    let made = if it.loopback { Some("loopback") } else { it.kind.as_deref().or(it.driver.as_deref()) };
    let made = made.unwrap_or("no driver");
    if it.up { made.to_owned() } else { format!("{made}, down") }
}

/// In 26 letters.
fn tso(ipv4: &Fact<Offload>, ipv6: &Fact<Offload>) -> String {
    let short = |tso: Offload| if tso.active() { "on" } else { "off" };
    match (ipv4, ipv6) {
        (Ok(one), Ok(other)) if one == other => one.words().to_owned(),
        (Ok(one), Ok(other)) if short(*one) == short(*other) => short(*one).to_owned(),
        (Ok(one), Ok(other)) => format!("{} IPv4, {} IPv6", short(*one), short(*other)),
        _ => "not known".to_owned(),
    }
}

fn more(it: &Listed) -> Vec<String> {
    let mut more = Vec::new();
    if !it.below.is_empty() {
        more.push(format!("over {}", it.below.join(", ")));
    }
    if !it.above.is_empty() {
        more.push(format!("below {}", it.above.join(", ")));
    }
    match &it.other_end {
        Some(end) if end.netns.is_some() => {
            let netns = end.netns.as_deref().unwrap_or_default();
            more.push(format!("other end {} in --netns {netns}", end.name));
        }
        Some(end) => more.push(format!("other end {}", end.name)),
        None => {}
    }
    let limit = it.limits.gso_max_size.filter(|bytes| *bytes != USUAL_MOST_BYTES && !it.loopback);
    if let Some(bytes) = limit {
        more.push(format!("super-packets up to {bytes} bytes"));
    }
    more
}
