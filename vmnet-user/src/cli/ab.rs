//! `vmnet ab`: the controlled experiment.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Result, bail};

use super::options::{Looks, Namespace};
use super::{
    output::{Output, open_json},
    run::{ModeName, parse_interval, parse_positive},
};
use crate::{
    benchmark,
    experiment::{self, Observer, Plan, Planned},
    load::{DEFAULT_PORT, ServerAddress},
    model::experiment::{ArmEffects, Asked, Design, FEWEST_BLOCKS, Guards, Trial},
    model::sample::Counting,
    report::ab::{schema::EndedBy, screen, text},
    report::kit::format::plural,
    report::kit::json::Explained as _,
    report::kit::screen::Detail,
    session::{self, Caller, Prints},
    units::parse_duration,
};

/// Switching, starting the benchmark, and waiting until the last packet has left.
const AROUND_A_RUN: Duration = Duration::from_millis(200);
/// `--quick` has the built-in load send no longer than this.
const QUICK_LOAD: Duration = Duration::from_secs(2);

/// Prove what TSO causes: the benchmark with it off and on, many times in random balanced order, and everything put back
///
/// Every setting is written to a journal before it is changed, read back after, and put back at the end, on an error, on Ctrl-C and when the terminal
/// goes; after a crash the next vmnet says so, and vmnet restore puts it back. A placebo, the same setting under two names, must show no effect. A
/// run of the benchmark counts only if the ledger shows that the treatment happened in it, and nobody else changed the device meanwhile.
///
/// Exit codes: 0 the experiment was done as planned; 1 it could not be done, or was ended early (what is known is reported all the same); 2
/// wrong usage.
///
/// The benchmark's own figure is taken where its output is understood: iperf3 -J, netperf's omni test (-k or -o), vmnet load client --json.
/// Otherwise throughput is TCP payload by the ledger over time.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        sudo vmnet ab ens4 -- iperf3 -c 10.10.1.10 -t 10 -P 32 -J\n  \
        sudo vmnet ab ens4 --load 10.10.1.10   (a vmnet load server is there)\n  \
        sudo vmnet ab ens4 --feature channels --levels 1,2,4 --load 10.10.1.10\n  \
        sudo vmnet ab ens4 --feature none --load 10.10.1.10   (what chance alone does)")]
pub(super) struct Args {
    /// The interface, such as ens4
    #[arg(value_name = "IFACE")]
    interface: String,
    /// What is switched
    ///
    /// tso, gso, sg, tx, any long name of ethtool -k; gso_max_segs, gso_max_size, channels, xps, profiler; none.
    #[arg(long, value_name = "NAME", default_value = "tso")]
    feature: String,
    /// Its levels, the one that the others are held against first [default: off,on]
    #[arg(long, value_name = "LEVEL,LEVEL…", value_delimiter = ',', hide_short_help = true)]
    levels: Vec<String>,
    /// A further arm, NAME=VALUE, such as gso_max_segs=1 (may be repeated; commas join several settings)
    #[arg(long = "arm", value_name = "NAME=VALUE", hide_short_help = true)]
    further: Vec<String>,
    /// Blocks; in each, every arm has its turn twice
    ///
    /// Fewer than 6 can show no effect for certain, and are raised to that.
    #[arg(long, value_name = "N", default_value_t = FEWEST_BLOCKS, value_parser = clap::value_parser!(u32).range(1..=1000))]
    blocks: u32,
    /// Run as few blocks as asked for all the same: to see that all works, not to learn anything
    #[arg(long, hide_short_help = true)]
    rehearsal: bool,
    /// Leave the placebo out: a third less time, and nothing to show how far to trust the result
    #[arg(long, hide_short_help = true)]
    no_placebo: bool,
    /// The fewest runs that can decide: 6 blocks without the placebo, and the built-in load for 2s
    #[arg(long, conflicts_with_all = ["blocks", "rehearsal"])]
    quick: bool,
    /// Decides about the order, and about the intervals [default: by the clock; it is printed]
    #[arg(long, value_name = "NUMBER", hide_short_help = true)]
    seed: Option<u64>,
    /// What is left out at the beginning of each run: 500ms, 2s
    #[arg(long, value_name = "TIME", value_parser = parse_pause, default_value = "1s", hide_short_help = true)]
    warm_up: Duration,
    /// How long to wait between switching and the next run
    #[arg(long, value_name = "TIME", value_parser = parse_pause, default_value = "500ms", hide_short_help = true)]
    cool_down: Duration,
    /// A run with more of its CPU time taken by the hypervisor does not count
    #[arg(long, value_name = "PERCENT", value_parser = parse_percent, default_value = "5", hide_short_help = true)]
    max_steal: f64,
    /// A run with more of its payload retransmitted does not count
    #[arg(long, value_name = "PERCENT", value_parser = parse_percent, default_value = "5", hide_short_help = true)]
    max_retransmits: f64,
    /// A run with more of its packets dropped by the queueing discipline does not count
    #[arg(long, value_name = "PERCENT", value_parser = parse_percent, default_value = "1", hide_short_help = true)]
    max_drops: f64,
    /// A run that takes longer hangs [default: 10m for the first, then three times what that took]
    #[arg(long, value_name = "TIME", value_parser = parse_positive, hide_short_help = true)]
    timeout: Option<Duration>,
    /// Time between samples of a run: 100ms, 1s [default: a fortieth of the first run, between these]
    #[arg(short, long, value_name = "TIME", value_parser = parse_interval, hide_short_help = true)]
    interval: Option<Duration>,
    /// Directory in which a directory for this experiment is made
    #[arg(short, long, value_name = "DIR", default_value = "reports", hide_short_help = true)]
    output: PathBuf,
    /// Write the result as JSON (vmnet.ab/1) to FILE, or to standard output for -
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How packets are counted
    #[arg(long, value_name = "MODE", value_enum, default_value = "auto", hide_short_help = true)]
    mode: ModeName,
    #[command(flatten)]
    namespace: Namespace,
    /// Say what would be done, and by which commands; needs no root, changes nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave the benchmark's values, addresses and output out of recordings and report, which hold them otherwise
    #[arg(long, hide_short_help = true)]
    private: bool,
    #[command(flatten)]
    looks: Looks,
    /// The built-in load as the benchmark, against the vmnet load server at that address
    #[arg(long, value_name = "ADDR[:PORT]", conflicts_with = "command")]
    load: Option<ServerAddress>,
    /// With --load: how long each run sends
    #[arg(long, value_name = "TIME", value_parser = parse_positive, default_value = "10s", requires = "load", hide_short_help = true)]
    time: Duration,
    /// With --load: connections at once
    #[arg(long, value_name = "N", default_value_t = 1, requires = "load", value_parser = clap::value_parser!(u16).range(1..=256), hide_short_help = true)]
    streams: u16,
    /// The benchmark, run as the person who called sudo
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// As a share.
fn parse_percent(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').trim_end().parse::<f64>();
    let percent = number.ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent.map(|percent| percent / 100.0).ok_or_else(|| "it takes a number from 0 to 100".to_owned())
}

/// None is a pause, too.
fn parse_pause(text: &str) -> Result<Duration, String> {
    match text.trim() {
        "0" | "0s" | "0ms" => Ok(Duration::ZERO),
        text => parse_duration(text).map_err(|error| error.to_string()),
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let caller = Caller::from_environment()?;
    let json = args.json.as_deref().map(|path| open_json(path, &caller)).transpose()?;
    let mut output = Output::new(json, args.looks.plain);
    let command = benchmark(args)?;
    let blocks = enough_blocks(args, &output);
    session::be_in(args.namespace.netns.as_deref())?;
    let seed = args.seed.unwrap_or_else(seed_by_the_clock);
    let plan = Plan {
        run: session::Plan {
            interface: args.interface.clone(),
            netns: args.namespace.netns.clone(),
            duration: None,
            interval: args.interval.unwrap_or_default(),
            mode: args.mode.mode(),
            counting: Counting::Light,
            windows: false,
            without_hooks: Vec::new(),
            ways: Vec::new(),
            command,
            prints: Prints::Nowhere,
            output: None,
            verbose: false,
            overhead: false,
            private: args.private,
            caller,
        },
        output: args.output.clone(),
        asked: Asked {
            feature: args.feature.clone(),
            levels: args.levels.clone(),
            further: args.further.clone(),
            placebo: !(args.no_placebo || args.quick),
        },
        blocks,
        seed,
        interval: args.interval,
        warm_up: args.warm_up,
        cool_down: args.cool_down,
        timeout: args.timeout,
        guards: Guards {
            most_steal_share: args.max_steal,
            most_retransmitted_share: args.max_retransmits,
            most_qdisc_drop_share: args.max_drops,
            ..Guards::default()
        },
        command_line: command_line(seed, args.seed.is_some()),
    };
    let trial_s = lasts(args).map(|time| (time + args.cool_down + AROUND_A_RUN).as_secs_f64());
    // A plan that is asked for is wanted whole.
    let detail = if args.dry_run { Detail::Whole } else { args.looks.detail() };
    let mut screen = Screen { output: &output, detail, feature: &args.feature, trial_s, trials: Vec::new() };
    if args.dry_run {
        experiment::preview(&plan, &mut screen)?;
        return Ok(ExitCode::SUCCESS);
    }
    let outcome = experiment::run(&plan, &mut screen)?;
    // The rest lies beside it.
    let page: Vec<PathBuf> = outcome.files.iter().take(1).cloned().collect();
    let (report, style) = (&outcome.report, output.style());
    let typed = args.namespace.typed(&args.command);
    output.say(
        &detail.of(|| screen::screen(report, &page, &typed, &style), || text::answer(report, &page, &style)),
    );
    output.json(&outcome.report.to_text()?)?;
    if let Some(why) = outcome.files_failed {
        bail!(why);
    }
    let window = &outcome.report.window;
    let is_put_back = outcome.report.settings.restored == Some(true);
    // What was planned, was done: too many rejected is not that.
    Ok(ExitCode::from(u8::from(window.ended_by != EndedBy::Plan || !is_put_back)))
}

/// Fewer than can decide would run for minutes and end in NOT KNOWN.
fn enough_blocks(args: &Args, output: &Output) -> u32 {
    let is_too_few = args.blocks < FEWEST_BLOCKS && !args.rehearsal;
    if is_too_few && args.looks.detail() != Detail::Line {
        let asked = plural(args.blocks, "block");
        let why = format!(
            "{asked} can show no effect for certain, so that {FEWEST_BLOCKS} are run (--rehearsal runs {} all the same)",
            args.blocks
        );
        output.say(&output.style().paragraph("  … ", &why));
    }
    if is_too_few { FEWEST_BLOCKS } else { args.blocks }
}

/// How long the benchmark runs, where its words tell.
fn lasts(args: &Args) -> Option<Duration> {
    match args.load {
        Some(_) => Some(load_time(args)),
        None => benchmark::lasts(&args.command),
    }
}

fn load_time(args: &Args) -> Duration {
    if args.quick { args.time.min(QUICK_LOAD) } else { args.time }
}

/// What is run in every trial.
fn benchmark(args: &Args) -> Result<Vec<String>> {
    let Some(server) = &args.load else {
        if args.command.is_empty() {
            super::wrong_usage(&format!(
                "what is to be run? Give the benchmark behind --, such as `{}`, or --load ADDR for the built-in one against a `vmnet load server` \
                 (port {DEFAULT_PORT})",
                args.namespace.typed(&[]).with_benchmark("ab", &args.interface)
            ));
        }
        return Ok(args.command.clone());
    };
    let words = [
        experiment::own_program()?,
        "load".to_owned(),
        "client".to_owned(),
        server.to_string(),
        "--time".to_owned(),
        format!("{}ms", load_time(args).as_millis()),
        "--streams".to_owned(),
        args.streams.to_string(),
        "--json".to_owned(),
    ];
    Ok(words.to_vec())
}

/// Different each time, and short enough to be typed.
fn seed_by_the_clock() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_micros()) ^ (since.as_secs() & 0xf_ffff)
}

/// What was typed, and the seed.
fn command_line(seed: u64, has_seed: bool) -> Vec<String> {
    let mut words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(program) = words.first_mut() {
        "vmnet".clone_into(program);
    }
    if !has_seed {
        let before_the_benchmark = words.iter().position(|word| word == "--").unwrap_or(words.len());
        words.splice(before_the_benchmark..before_the_benchmark, ["--seed".to_owned(), seed.to_string()]);
    }
    words
}

/// The person's terminal.
struct Screen<'a> {
    output: &'a Output,
    detail: Detail,
    feature: &'a str,
    /// How long a run of the benchmark takes, where it is known beforehand.
    trial_s: Option<f64>,
    trials: Vec<Trial>,
}

impl Observer for Screen<'_> {
    fn planned(&mut self, planned: &Planned<'_>) {
        let Planned { interface, design, guards, commands, warm_up_rule } = planned;
        let style = self.output.style();
        match self.detail {
            Detail::Line => {}
            Detail::Screen => {
                self.output.say(&screen::before(&interface.name, self.feature, design, self.trial_s, &style));
            }
            Detail::Whole => {
                let (name, trial_s) = (&interface.name, self.trial_s);
                self.output.say(&text::plan(name, design, guards, commands, warm_up_rule, trial_s, &style));
            }
        }
    }

    fn note(&mut self, text: &str) {
        let style = self.output.style();
        if self.detail != Detail::Line {
            self.output.say(&style.paragraph("  … ", &style.data(text)));
        }
    }

    fn trial(&mut self, trial: &Trial, design: &Design, left_s: Option<f64>) {
        match self.detail {
            Detail::Line => {}
            Detail::Screen => {
                self.trials.push(trial.clone());
                let line = screen::progress(&self.trials, design, left_s);
                let ends_a_block = self.trials.len().is_multiple_of(design.trials_per_block());
                self.output.say_over(&line, ends_a_block);
            }
            Detail::Whole => self.output.say(&text::trial_line(trial, design, left_s, &self.output.style())),
        }
    }

    fn so_far(&mut self, effects: &[ArmEffects], whole_blocks: u32, design: &Design) {
        if self.detail == Detail::Whole && whole_blocks < design.blocks {
            self.output.say(&text::so_far(effects, whole_blocks, design.blocks, &self.output.style()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_a_share_with_or_without_its_sign() {
        assert_eq!(["5", "0.5 %", "100%"].map(|text| parse_percent(text).unwrap()), [0.05, 0.005, 1.0]);
        for wrong in ["", "-1", "101", "NaN", "five"] {
            assert!(parse_percent(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_limits_are_those_of_the_guards_unless_others_are_asked_for() {
        use clap::Parser;
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            args: Args,
        }
        let Line { args } = Line::parse_from(["ab", "ens4"]);
        let guards = Guards::default();
        assert_eq!(
            [args.max_steal, args.max_retransmits, args.max_drops],
            [guards.most_steal_share, guards.most_retransmitted_share, guards.most_qdisc_drop_share]
        );
    }
}
