//! A soak: commands of `vmnet` in random order under load, and whatever may come between. After each, nothing may be left, and no answer may have
//! been false.
//!
//! What an operation is, and when what comes between, is drawn from the seed and the operation's number: `--first N --operations 1` has it again.

mod bpf;
mod disturbance;
mod draw;
mod group;
mod growth;
mod leftovers;
mod operation;
mod perform;
mod stage;
mod tally;

use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::command::{captured, output};
use crate::interrupt;
use bpf::Loaded;
use disturbance::Disturbance;
use draw::Draw;
use growth::Growth;
use leftovers::Place;
use operation::{Kind, Operation};
use perform::Surroundings;
use stage::Stage;
use tally::{Fault, Tally};

/// How often whoever reads a log hears of it.
const LOGGED_EVERY: Duration = Duration::from_secs(60);
/// Every way of counting; those that do not work here are named and left out.
const MODES: [&str; 5] = ["auto", "fentry", "kprobe", "tracepoint", "counters"];

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// For how long operations are begun.
    pub time: Duration,
    /// What is drawn.
    pub seed: u64,
    /// Number of the first operation.
    pub first: u64,
    /// As many at most.
    pub operations: u64,
    /// The binary.
    pub vmnet: PathBuf,
    /// Whether this is a guest of the testbed, whose `ens4` it is about.
    pub is_guest: bool,
    /// Whether it shows how far it is.
    pub shows: bool,
    /// Where the output of operations with a fault is kept.
    pub keep: PathBuf,
}

/// What came of it.
#[derive(Debug)]
pub struct Soaked {
    /// As a table.
    pub table: String,
    /// The same as JSON.
    pub json: Value,
    /// A sentence each.
    pub faults: Vec<String>,
    /// All that were done.
    pub operations: u64,
}

/// Soaks. Needs root.
///
/// # Errors
/// Where the soak itself cannot go on; what vmnet does wrong is a fault, and no error.
pub fn soak(plan: &Plan) -> Result<Soaked> {
    interrupt::watch();
    let mut soak = Soak::start(plan)?;
    let finished = soak.until_the_end();
    soak.end();
    finished?;
    let faults = soak.tally.faults.iter().map(|fault| fault.what.clone()).collect();
    let operations = soak.tally.sum(|of| of.count);
    Ok(Soaked { table: soak.tally.to_string(), json: soak.tally.to_json(), faults, operations })
}

struct Soak<'a> {
    plan: &'a Plan,
    directory: tempfile::TempDir,
    stage: Stage,
    growth: Option<Growth>,
    loaded: Loaded,
    modes: Vec<&'static str>,
    tally: Tally,
    started: Instant,
    logged: Instant,
}

impl<'a> Soak<'a> {
    fn start(plan: &'a Plan) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("vmnet-soak-").tempdir()?;
        let stage = new_stage(plan)?;
        let loaded = Loaded::now();
        let (modes, absent_modes) = modes(plan, &stage)?;
        let growth = if plan.is_guest {
            None
        } else {
            Some(Growth::start(&plan.vmnet, directory.path(), &mark("long"))?)
        };
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
        let tally = Tally { seed: plan.seed, kernel, absent_modes, ..Tally::default() };
        let started = Instant::now();
        Ok(Self { plan, directory, stage, growth, loaded, modes, tally, started, logged: started })
    }

    fn until_the_end(&mut self) -> Result<()> {
        let last = self.plan.first.saturating_add(self.plan.operations);
        for number in self.plan.first..last {
            if self.started.elapsed() >= self.plan.time || interrupt::came() {
                break;
            }
            match self.operate(number) {
                // Ctrl-C ended what it was about.
                Err(_) if interrupt::came() => break,
                done => done.with_context(|| format!("operation {number}, seed {}", self.plan.seed))?,
            }
            self.show(number);
        }
        Ok(())
    }

    fn operate(&mut self, number: u64) -> Result<()> {
        let mut draw = Draw::new(self.plan.seed, number);
        let kind = Kind::draw(&mut draw);
        let disturbance = Disturbance::draw(&mut draw, self.plan.is_guest);
        let (moment, tso) = (draw.share(), draw.chance(0.5));
        let place = Place::new(self.directory.path().join(number.to_string()))?;
        // There is something to fix, and else either.
        self.stage.set_tso(tso && !kind.is_about_a_fix())?;
        let before = self.stage.snapshot()?;
        let operation = Operation::draw(kind, &mut draw, &self.stage, &self.modes, &place.output());
        let mark = mark(&number.to_string());
        let surroundings = Surroundings {
            vmnet: &self.plan.vmnet,
            stage: &self.stage,
            place: &place,
            mark: &mark,
            loaded: &self.loaded,
        };
        if kind.is_after_a_fix() {
            surroundings.fix()?;
        }
        let outcome = surroundings.perform(&operation, disturbance, moment, &before)?;
        let name = outcome.was_disturbed.then(|| disturbance.name());
        self.tally.count(kind.name(), name.clone(), outcome.answer.as_ref());
        self.tally.restored += outcome.restored;
        self.tally.forgotten += outcome.forgotten;
        let name = name.unwrap_or_else(|| "undisturbed".to_owned());
        let about = format!(
            "vmnet {}\nTSO {}; {name}, drawn: {}, at {:.2} of {} s\n",
            operation.words.join(" "),
            if operation.tso { "on" } else { "off" },
            disturbance.name(),
            moment,
            operation.planned_s
        );
        if outcome.faults.is_empty() {
            fs::remove_dir_all(&place.0).with_context(|| place.0.display().to_string())?;
        } else {
            self.keep(&place, number, &about, &outcome.faults)?;
            let faults = outcome.faults.into_iter().map(|what| Fault { operation: Some(number), what });
            self.tally.faults.extend(
                faults.map(|fault| Fault {
                    what: format!("{} ({name}): {}", kind.name(), fault.what),
                    ..fault
                }),
            );
        }
        if (outcome.was_disturbed && disturbance.replaces_the_device()) && !self.plan.is_guest {
            self.stage = new_stage(self.plan)?;
        }
        if let Some(growth) = &mut self.growth {
            growth.step(&mut draw)?;
        }
        Ok(())
    }

    /// Says at once what is wrong, and keeps what it said.
    fn keep(&self, place: &Place, number: u64, about: &str, faults: &[String]) -> Result<()> {
        let to = self.plan.keep.join(format!("{}-{number}", self.plan.seed));
        fs::write(place.0.join("about.txt"), format!("{about}\n{}\n", faults.join("\n")))?;
        fs::create_dir_all(&self.plan.keep)?;
        let _ = fs::remove_dir_all(&to);
        output(Command::new("cp").arg("-a").arg(&place.0).arg(&to))?;
        fs::remove_dir_all(&place.0)?;
        let clear = if std::io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
        eprintln!("{clear}operation {number}: {about}  {}\n  kept in {}", faults.join("\n  "), to.display());
        Ok(())
    }

    /// One line, rewritten where there is a terminal.
    fn show(&mut self, number: u64) {
        if !self.plan.shows {
            return;
        }
        let [right, undecided, wrong] =
            [self.tally.sum(|of| of.right), self.tally.sum(|of| of.undecided), self.tally.sum(|of| of.wrong)];
        let line = format!(
            "{:.0} of {} s, operation {number}: {} done, {} disturbed; verdicts {right} right, {undecided} undecided, {wrong} false; {} faults",
            self.started.elapsed().as_secs_f64(),
            self.plan.time.as_secs(),
            self.tally.sum(|of| of.count),
            self.tally.sum(|of| of.disturbed),
            self.tally.faults.len()
        );
        let mut out = std::io::stderr();
        if out.is_terminal() {
            let _ = write!(out, "\r\x1b[K{line}");
        } else if self.logged.elapsed() >= LOGGED_EVERY {
            self.logged = Instant::now();
            let _ = writeln!(out, "{line}");
        }
    }

    fn end(&mut self) {
        if self.plan.shows && std::io::stderr().is_terminal() {
            eprintln!();
        }
        self.tally.was_interrupted |= interrupt::came();
        self.tally.seconds = self.started.elapsed().as_secs_f64();
        let mut faults = Vec::new();
        if let Some(growth) = self.growth.take() {
            let grown = growth.end();
            faults.extend(grown.faults);
            self.tally.growth = grown.figures;
        }
        faults.extend(leftovers::processes(&mark("long")));
        faults.extend(self.loaded.left_since());
        self.tally.faults.extend(faults.into_iter().map(|what| Fault { operation: None, what }));
    }
}

fn new_stage(plan: &Plan) -> Result<Stage> {
    if plan.is_guest { Ok(Stage::guest(&plan.vmnet)) } else { Stage::pair(&plan.vmnet) }?.with_traffic()
}

/// What tells this soak's operations from those of any other.
fn mark(name: &str) -> String {
    format!("{}-{name}", std::process::id())
}

/// Those that work here, and the others with what vmnet says of them.
fn modes(plan: &Plan, stage: &Stage) -> Result<(Vec<&'static str>, Vec<String>)> {
    let (mut work, mut do_not) = (Vec::new(), Vec::new());
    for mode in MODES {
        let mut run = Command::new(&plan.vmnet);
        run.args([
            "run",
            stage.interface(),
            "--no-report",
            "-q",
            "-d",
            "200ms",
            "-i",
            "100ms",
            "--mode",
            mode,
        ]);
        let said = captured(run.args(stage.namespace()))?;
        if said.status.success() {
            work.push(mode);
        } else {
            // The lines before it may be of experiments of others.
            let said = String::from_utf8_lossy(&said.stderr);
            do_not.push(said.trim().lines().next_back().unwrap_or(mode).to_owned());
        }
    }
    anyhow::ensure!(!work.is_empty(), "no way of counting works here: {}", do_not.join("; "));
    Ok((work, do_not))
}

/// Writes the result where it can be read again.
///
/// # Errors
/// Where the file cannot be written.
pub fn write(soaked: &Soaked, file: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(&soaked.json)? + "\n";
    fs::write(file, text).with_context(|| file.display().to_string())
}
