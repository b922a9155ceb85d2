//! One operation from its start to when all that it may have left has been looked at.

use std::fs::{self, File};
use std::io::pipe;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use serde_json::Value;

use super::bpf::Loaded;
use super::disturbance::Disturbance;
use super::group::Group;
use super::leftovers::{self, MARK, Place};
use super::operation::{Answer, Operation, RESULT};
use super::stage::Stage;
use crate::command::output;
use crate::interrupt;
use crate::report::document;

/// Beyond its plan, what is not over hangs: a benchmark is given up after less.
const PATIENCE: Duration = Duration::from_secs(90);
/// What an error of the program itself looks like.
const PANICS: [&str; 2] = ["panicked at", "memory allocation of"];

/// Where operations happen, and who is asked.
pub(super) struct Surroundings<'a> {
    pub(super) vmnet: &'a Path,
    pub(super) stage: &'a Stage,
    pub(super) place: &'a Place,
    pub(super) mark: &'a str,
    pub(super) loaded: &'a Loaded,
}

/// What came of one.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) answer: Option<Answer>,
    /// Whether it was still there when the disturbance came.
    pub(super) was_disturbed: bool,
    pub(super) restored: u64,
    pub(super) forgotten: u64,
    pub(super) faults: Vec<String>,
}

/// How a command ended.
struct Ended {
    status: ExitStatus,
    /// Null where there is none.
    result: Value,
    not_as_described: Option<String>,
    errors: String,
    was_disturbed: bool,
    hung: bool,
}

impl Surroundings<'_> {
    /// Runs it, disturbs it at that share of its planned time, looks at what it says and leaves. `before` is the device as it has to be again.
    pub(super) fn perform(
        &self,
        operation: &Operation,
        disturbance: Disturbance,
        moment: f64,
        before: &str,
    ) -> Result<Outcome> {
        let received = self.stage.received();
        let full = match disturbance {
            Disturbance::FullDisk => Some(Full::mount(self.place.output())?),
            _ => None,
        };
        let ended = self.run(operation, disturbance, moment)?;
        drop(full);
        let mut outcome = Outcome { was_disturbed: ended.was_disturbed, ..Outcome::default() };
        let effective = if ended.was_disturbed { disturbance } else { Disturbance::Nothing };
        outcome.answer = operation.judge(&ended.result, effective);
        self.judge_end(operation, effective, &ended, &mut outcome);
        if let (Some(Answer::Right), Some(from), Some(to)) =
            (&outcome.answer, received, self.stage.received())
        {
            let counted = [0, 1].map(|at| to[at].saturating_sub(from[at]));
            outcome.faults.extend(contradiction(operation, counted));
        }
        if let Some(Answer::False(why)) = &outcome.answer {
            outcome.faults.push(format!("a false answer: {why}"));
        }
        outcome.faults.extend(leftovers::processes(self.mark));
        self.put_back(operation, effective, before, &mut outcome)?;
        outcome.faults.extend(self.place.stray(effective.kills()));
        outcome.faults.extend(self.loaded.left_since());
        Ok(outcome)
    }

    /// `vmnet` with the operation's own directories.
    fn command(&self, words: &[String]) -> Command {
        let mut command = Command::new(self.vmnet);
        command.args(words).current_dir(self.place.work()).env(MARK, self.mark);
        command.env("VMNET_STATE_DIR", self.place.state()).env("TMPDIR", self.place.tmp());
        command
    }

    fn run(&self, operation: &Operation, disturbance: Disturbance, moment: f64) -> Result<Ended> {
        let file = |name: &str| self.place.0.join(name);
        let mut command = self.command(&operation.words);
        let mut reader = None;
        if disturbance == Disturbance::ReaderGone {
            let (read_end, write_end) = pipe()?;
            reader = Some(read_end);
            command.stdout(write_end);
        } else {
            command.stdout(File::create(file("stdout"))?);
        }
        command.stderr(File::create(file("stderr"))?);
        let mut run = Group::start(&mut command)?;
        // The write end is the child's alone, or nobody would ever be gone.
        drop(command);
        let started = Instant::now();
        let planned = Duration::from_secs_f64(operation.planned_s);
        let strikes_at = planned.mul_f64(moment);
        let (mut was_disturbed, mut hung, mut was_told) = (disturbance == Disturbance::Nothing, false, false);
        let status = loop {
            if let Some(status) = run.0.try_wait()? {
                break status;
            }
            if !was_disturbed && started.elapsed() >= strikes_at {
                was_disturbed = true;
                drop(reader.take());
                if disturbance == Disturbance::FullDisk {
                    Full::fill(&self.place.output());
                }
                disturbance.strike(self.stage, run.pid()).with_context(|| disturbance.name())?;
            }
            if started.elapsed() > planned + PATIENCE {
                hung = true;
                kill(run.pid(), Signal::SIGKILL)?;
            } else if interrupt::came() && !was_told {
                // Whoever ends the soak ends what it runs, in good order.
                was_told = true;
                let _ = kill(run.pid(), Signal::SIGTERM);
            }
            thread::sleep(Duration::from_millis(2));
        };
        // A disk of so little room can be full before anybody fills it.
        let was_disturbed =
            disturbance == Disturbance::FullDisk || (was_disturbed && disturbance != Disturbance::Nothing);
        let said = if operation.says_result { file("stdout") } else { self.place.work().join(RESULT) };
        let bytes = fs::read(said).unwrap_or_default();
        let errors = fs::read_to_string(file("stderr")).unwrap_or_default();
        // One that was cut off is none; a whole one has to be what its schema says.
        let (mut result, mut not_as_described) = (Value::Null, None);
        if serde_json::from_slice::<Value>(&bytes).is_ok() {
            match document(&bytes) {
                Ok(document) => result = document,
                Err(error) => not_as_described = Some(format!("{error:#}")),
            }
        }
        // Its group ends with it, or what it left could not be found.
        std::mem::forget(run);
        Ok(Ended { status, result, not_as_described, errors, was_disturbed, hung })
    }

    fn judge_end(&self, operation: &Operation, effective: Disturbance, ended: &Ended, outcome: &mut Outcome) {
        let mut fault = |what: String| outcome.faults.push(what);
        let (code, by_signal) = (ended.status.code(), ended.status.signal());
        let errors = ended.errors.trim();
        if ended.hung {
            fault(format!(
                "it hung, and was killed after {} s",
                operation.planned_s + PATIENCE.as_secs_f64()
            ));
            return;
        }
        if let Some(why) = &ended.not_as_described {
            fault(format!("its result is {why}"));
        }
        if let Some(panic) = PANICS.iter().find(|panic| errors.contains(**panic)) {
            fault(format!("it says \"{panic}\": {errors}"));
        }
        let was_sent = match effective {
            Disturbance::Signal(signal) => Some(signal as i32),
            _ => None,
        };
        if by_signal.is_some() && by_signal != was_sent && !interrupt::came() {
            fault(format!("ended by signal {by_signal:?}: {errors}"));
        }
        if code.is_some_and(|code| code != 0 && code != 1) {
            fault(format!("exit code {code:?}: {errors}"));
        }
        if code == Some(1) && errors.is_empty() && ended.result.is_null() {
            fault("it failed without a word".to_owned());
        }
        // A reader that has gone ends nothing, unless it was to get the result.
        let is_unread = effective == Disturbance::ReaderGone && !operation.says_result;
        let is_alone = (effective.leaves_it_alone() || is_unread) && !interrupt::came();
        // Ctrl-Z is taken for the wish to stop where a device is being changed.
        let may_give_up =
            effective == Disturbance::Suspended(Signal::SIGTSTP) && operation.kind.is_about_a_fix();
        if is_alone && !may_give_up && !operation.is_done(code, &ended.result) {
            fault(format!("exit code {code:?} where nothing kept it from being done: {errors}"));
        }
    }

    /// What its journals say is put back by `vmnet restore`, and where the device is gone, is refused. Then all is as it was.
    fn put_back(
        &self,
        operation: &Operation,
        effective: Disturbance,
        before: &str,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let kind = operation.kind;
        let journals = self.place.journals();
        if !journals.is_empty() && !kind.may_leave_a_journal(effective) && !interrupt::came() {
            outcome.faults.push(format!("{} journals are left: {journals:?}", journals.len()));
        }
        if effective.replaces_the_device() {
            let replaced = effective != Disturbance::Removed;
            let after = replaced.then(|| self.stage.snapshot()).transpose()?;
            if !journals.is_empty() {
                let (code, said) = self.restore(&[])?;
                if code != Some(1) {
                    outcome
                        .faults
                        .push(format!("restore ended with {code:?} for a device that is gone: {said}"));
                }
                if after.is_some() && after != replaced.then(|| self.stage.snapshot()).transpose()? {
                    outcome.faults.push(format!("restore changed another device: {said}"));
                }
                let (code, said) = self.restore(&["--forget"])?;
                if code != Some(0) {
                    outcome.faults.push(format!("restore --forget ended with {code:?}: {said}"));
                }
                outcome.forgotten += 1;
            }
            return Ok(());
        }
        // What an experiment left comes first, and what fixes left when it is asked for again.
        for _ in 0..2 {
            if self.place.journals().is_empty() {
                break;
            }
            let (code, said) = self.restore(&[])?;
            outcome.restored += 1;
            if code != Some(0) {
                outcome.faults.push(format!("restore ended with {code:?}: {said}"));
            }
        }
        let after = self.stage.snapshot()?;
        if after != before {
            outcome.faults.push(format!("the device is not as it was:\n{}", difference(before, &after)));
        }
        Ok(())
    }

    /// `vmnet restore OPTIONS`, undisturbed: its exit code, and all that it said.
    fn restore(&self, options: &[&str]) -> Result<(Option<i32>, String)> {
        let words = ["restore"].into_iter().chain(options.iter().copied()).map(str::to_owned);
        let words: Vec<String> = words.chain(self.stage.namespace()).collect();
        let said = self.command(&words).output().context("vmnet restore")?;
        let text = [said.stdout, said.stderr].concat();
        Ok((said.status.code(), String::from_utf8_lossy(&text).trim().to_owned()))
    }

    /// A fix that nothing comes between.
    pub(super) fn fix(&self) -> Result<()> {
        let words = ["fix", self.stage.interface()].map(str::to_owned).into_iter();
        output(&mut self.command(&words.chain(self.stage.namespace()).collect::<Vec<_>>())).map(drop)
    }
}

/// What the device at the far end counted meanwhile, if it contradicts the state: frames there are super-packets as they left, or segments. Of
/// what had left before the state was as it is, a few super-packets may come later.
fn contradiction(operation: &Operation, [packets, bytes]: [u64; 2]) -> Option<String> {
    const LARGEST_SEGMENT: f64 = 1_514.0;
    const ENOUGH_BYTES: u64 = 4 << 20;
    let mean = bytes as f64 / packets.max(1) as f64;
    let is_as_set = if operation.tso { mean > LARGEST_SEGMENT } else { mean <= 1.1 * LARGEST_SEGMENT };
    (bytes >= ENOUGH_BYTES && !operation.kind.changes_the_device() && !is_as_set)
        .then(|| format!("the far end's own device counted frames of {mean:.0} bytes on average"))
}

fn difference(before: &str, after: &str) -> String {
    let only = |of: &str, other: &str, sign: char| -> Vec<String> {
        of.lines()
            .filter(|line| !other.lines().any(|one| one == *line))
            .map(|line| format!("{sign} {line}"))
            .collect()
    };
    [only(before, after, '-'), only(after, before, '+')].concat().join("\n")
}

/// A file system that has room for a recording's beginning.
struct Full(PathBuf);

impl Full {
    fn mount(at: PathBuf) -> Result<Self> {
        fs::create_dir_all(&at)?;
        output(Command::new("mount").args(["-t", "tmpfs", "-o", "size=96k", "tmpfs"]).arg(&at))?;
        Ok(Self(at))
    }

    /// Until there is no room.
    fn fill(at: &Path) {
        use std::io::Write as _;
        if let Ok(mut file) = File::create(at.join("fill")) {
            while file.write_all(&[0; 1024]).is_ok() {}
        }
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        if let Err(error) = output(Command::new("umount").arg(&self.0)) {
            eprintln!("{} stays mounted: {error:#}", self.0.display());
        }
        // As it was before.
        let _ = fs::remove_dir(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::operation::Kind;
    use super::*;

    #[test]
    fn what_the_far_end_counted_contradicts_the_other_state_alone() {
        let operation =
            |kind, tso| Operation { kind, words: Vec::new(), planned_s: 1.0, says_result: false, tso };
        let (whole, segments) = ([1_000, 20_000_000], [14_000, 20_000_000]);
        for (tso, counted, is_contradiction) in
            [(true, whole, false), (true, segments, true), (false, segments, false), (false, whole, true)]
        {
            let told = contradiction(&operation(Kind::Run, tso), counted);
            assert_eq!(told.is_some(), is_contradiction, "{tso} {counted:?}");
            // Both are there in an experiment, and little says nothing.
            assert_eq!(contradiction(&operation(Kind::Ab, tso), counted), None);
            assert_eq!(contradiction(&operation(Kind::Run, tso), counted.map(|count| count / 100)), None);
        }
    }
}
