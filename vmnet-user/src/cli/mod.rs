//! The command line: one thin file a subcommand.

mod ab;
mod check;
mod compare;
mod completions;
mod doctor;
mod expect;
mod explain;
mod fix;
mod kernel;
mod list;
mod load;
mod man;
mod options;
mod output;
mod path;
mod report;
mod restore;
mod run;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use clap::{
    CommandFactory as _, Parser, Subcommand,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::model::shell::command_line;
use crate::report::kit::format::printable;

/// Proves whether TCP segmentation offload (TSO) is really happening on a network interface.
#[derive(Debug, Parser)]
#[command(name = "vmnet", version, about, long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Args>),
    Path(path::Args),
    Ab(Box<ab::Args>),
    Check(check::Args),
    List(list::Args),
    Compare(compare::Args),
    Doctor(doctor::Args),
    Fix(fix::Args),
    Restore(restore::Args),
    Explain(explain::Args),
    Report(report::Args),
    Load(crate::load::LoadArgs),
    Kernel(kernel::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn,aya=error"))
        .format_timestamp(None)
        .init();
    let words: Vec<OsString> = std::env::args_os().collect();
    if words.len() <= 1 {
        return list::bare();
    }
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => {
            return list::without_interface(&error, &words)
                .unwrap_or_else(|| with_separator(error, &words).exit());
        }
    };
    tell_of_what_was_interrupted(&cli.command);
    let result = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Path(args) => path::run(&args),
        Command::Ab(args) => ab::run(&args),
        Command::Check(args) => check::run(&args),
        Command::List(args) => list::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Load(args) => load::run(args),
        Command::Fix(args) => fix::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Kernel(args) => kernel::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    };
    let result = result.and_then(|code| match output::lost() {
        Some(why) => Err(anyhow::anyhow!(why)),
        None => Ok(code),
    });
    match result {
        Ok(code) => code,
        Err(error) => {
            // It may quote names that others chose. A standard error that is gone is no reason to panic.
            let said = printable(&in_full(&error));
            let _ = writeln!(io::stderr(), "vmnet: {said}");
            ExitCode::from(1)
        }
    }
}

/// The error with the line that was meant, where a benchmark was given without `--` before it.
fn with_separator(mut error: clap::Error, words: &[OsString]) -> clap::Error {
    let takes_a_benchmark =
        words.get(1).is_some_and(|word| ["run", "ab", "path"].iter().any(|name| word == name));
    let Some(ContextValue::String(unexpected)) = error.get(ContextKind::InvalidArg) else { return error };
    let at = words.iter().position(|word| word.to_str() == Some(unexpected));
    let Some(at) = at.filter(|_| {
        error.kind() == ErrorKind::UnknownArgument && takes_a_benchmark && !unexpected.starts_with('-')
    }) else {
        return error;
    };
    let line = |words: &[OsString]| {
        command_line(&words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>())
    };
    let (vmnet, benchmark) = words.split_at(at);
    let vmnet = line(vmnet.get(1..).unwrap_or_default());
    let tip = printable(&format!("a benchmark stands behind `--`: vmnet {vmnet} -- {}", line(benchmark)));
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error
}

/// An error and what caused it, each said once: some errors quote what caused them.
fn in_full(error: &anyhow::Error) -> String {
    let mut said = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

/// Ends as for words that do not fit together, with the usage.
fn wrong_usage(why: &str) -> ! {
    Cli::command().error(ErrorKind::ArgumentConflict, why).exit()
}

/// After a crash in the middle of an experiment, the device is not as it was: whatever is asked next, this is said first.
fn tell_of_what_was_interrupted(command: &Command) {
    // These say it, or mend it, themselves.
    if matches!(command, Command::Ab(_) | Command::Restore(_)) {
        return;
    }
    let Ok(here) = crate::fix::Here::read() else { return };
    let directory = crate::fix::state_directory();
    for left in crate::fix::unfinished(&directory, &here.boot_id) {
        let _ = writeln!(io::stderr(), "vmnet: {}", printable(&left.to_string()));
    }
    // What these find holds for a moment only.
    if matches!(command, Command::Doctor(_) | Command::Check(_) | Command::Run(_)) {
        for going_on in crate::fix::going_on(&directory, &here.boot_id) {
            let _ = writeln!(io::stderr(), "vmnet: {}", printable(&going_on.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_benchmark_without_its_separator_is_told_the_line_that_was_meant() {
        let said = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            with_separator(Cli::try_parse_from(&words).unwrap_err(), &words).to_string()
        };
        let benchmark = said(&["/usr/bin/vmnet", "ab", "ens4", "--quick", "iperf3", "-c", "a b"]);
        assert!(benchmark.contains("behind `--`: vmnet ab ens4 --quick -- iperf3 -c 'a b'"), "{benchmark}");
        // An option that is none is no benchmark, and a check takes none.
        for words in [&["vmnet", "run", "ens4", "--no-such"][..], &["vmnet", "check", "ens4", "iperf3"]] {
            assert!(!said(words).contains("behind"), "{words:?}");
        }
    }

    #[test]
    fn short_help_fits_a_screen_and_shows_how_it_is_used() {
        const LINES: usize = 36;
        let cli = Cli::command().term_width(80);
        for command in cli.get_subcommands().filter(|command| command.get_name() != "load") {
            let help = command.clone().term_width(80).render_help().to_string();
            assert!(
                help.lines().count() <= LINES,
                "{}: {} lines\n{help}",
                command.get_name(),
                help.lines().count()
            );
        }
    }
}
