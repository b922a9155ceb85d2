//! `vmnet list`: what there is to ask, and where it is worth asking. Also the answer to a command that was typed without its interface.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Result;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::options::{Looks, Privacy};
use super::output::{Output, open_json, style_for};
use crate::list;
use crate::report::list::{answer, choice, hint};
use crate::session::{self, Caller};

/// List every interface of this machine, in every network namespace, with what its TSO flags say and where a closer look is worth it
///
/// A flag says what was asked for and granted, not what happens to packets: `vmnet check` tells that. Needs no root; as root it shows the
/// network namespaces of other people's processes (containers) as well. Nothing is sent and nothing is changed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "TSO is on, off, or \"off, cannot be switched on\" (ethtool -k: off [fixed]: the driver has none, or the host does not offer it) \
    or \"off, though it is wanted\" (off [requested on]: what it depends on is off).\n\nExamples:\n  sudo vmnet list\n  vmnet list --json - | jq \
    '.namespaces[].interfaces[] | select(.hint) | .name'"
)]
pub(super) struct Args {
    /// Write the list as JSON (vmnet.list/1) to FILE, or to standard output for -
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    privacy: Privacy,
    #[command(flatten)]
    looks: Looks,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let json = args.json.as_deref().map(|path| open_json(path, &Caller::from_environment()?)).transpose()?;
    let mut output = Output::new(json, args.looks.plain);
    let report = list::everything();
    output.say(&answer(&report, as_root(), &output.style()));
    output.json(&args.privacy.text(&report)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Before a command that takes root, for a person who may not be.
fn as_root() -> &'static str {
    if Caller::needs_sudo() { "sudo " } else { "" }
}

/// `vmnet` alone: what it is, what there is, and what to type.
pub(super) fn bare() -> ExitCode {
    let style = style_for(true, false);
    let report = list::own();
    let mut text = style.paragraph(
        "",
        "vmnet proves whether TCP segmentation offload (TSO, LSO) is really happening on a network interface. This machine has:",
    );
    text.push('\n');
    text += &choice(&report, &report.next, as_root(), &style);
    text += "Other network namespaces: vmnet list. All commands: vmnet --help\n";
    let _ = io::stderr().write_all(text.as_bytes());
    ExitCode::from(2)
}

/// Commands whose IFACE was left out.
const ASK_FOR_ONE: [&str; 5] = ["run", "check", "doctor", "fix", "ab"];
const IFACE: &str = "<IFACE>";

/// For a command that lacks its interface and nothing else: which there are, and the whole command. None for any other error.
pub(super) fn without_interface(error: &clap::Error, words: &[OsString]) -> Option<ExitCode> {
    let is_missing = error.kind() == ErrorKind::MissingRequiredArgument
        && matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::Strings(names)) if *names == [IFACE]);
    let subcommand = words.get(1)?.to_str().filter(|word| ASK_FOR_ONE.contains(word))?;
    if !is_missing {
        return None;
    }
    let typed: Option<Vec<&str>> = words.iter().skip(2).map(|word| word.to_str()).collect();
    let typed = typed?;
    // An interface of that namespace is meant; one that cannot be entered says so when it is.
    let _ = session::be_in(netns(&typed));
    let style = style_for(true, typed.contains(&"--plain"));
    let report = list::own();
    let mut command = hint::next(&report.namespaces, subcommand);
    command.extend(typed.iter().map(|word| (*word).to_owned()));
    let mut text = style.paragraph("vmnet: ", &format!("vmnet {subcommand} takes an interface; there are"));
    text.push('\n');
    text += &choice(&report, &command, as_root(), &style);
    let _ = io::stderr().write_all(text.as_bytes());
    Some(ExitCode::from(2))
}

fn netns<'a>(words: &[&'a str]) -> Option<&'a str> {
    let ours = words.iter().take_while(|word| **word != "--");
    let next = words.iter().skip(1);
    ours.zip(next.map(Some).chain([None])).find_map(|(word, next)| match word.strip_prefix("--netns") {
        Some("") => next.copied(),
        Some(value) => value.strip_prefix('='),
        None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespace_is_found_however_it_was_typed_and_not_in_what_is_to_be_run() {
        assert_eq!(netns(&["--netns", "blue"]), Some("blue"));
        assert_eq!(netns(&["--plain", "--netns=blue"]), Some("blue"));
        assert_eq!(netns(&["--plain", "--", "ip", "--netns", "blue"]), None);
        assert_eq!(netns(&["--netns"]), None);
        assert_eq!(netns(&["--netnsx", "blue"]), None);
    }
}
