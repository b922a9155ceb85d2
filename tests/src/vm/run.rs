//! One run: files made, machine started, output followed to the end, everything taken away.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use super::capture::Capture;
use super::host_end::Host;
use super::machine::Machine;
use super::qemu::{self, Birth, Files};
use super::saved::{self, Saved};
use super::serial::Piece;
use super::{Start, Vm, VmRun};
use crate::command::output;
use crate::initramfs::{Base, Luggage};
use crate::interrupt;
use crate::kernel::KernelFiles;
use crate::screen;

/// Two emulated machines at once would take each other's time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub(super) fn run(vm: &Vm) -> Result<VmRun> {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    interrupt::watch();
    interrupt::check()?;
    let kernel = match &vm.kernel_files {
        Some(files) => files.clone(),
        None => vm.kernel.fetch(vm.build)?,
    };
    let base = Base::new(&kernel)?;
    let why = match saved::why_not(vm) {
        Some(reason) => reason,
        None => match from_saved(vm, &kernel, &base) {
            Ok(run) => return Ok(run),
            Err(NotRestored(error)) => {
                interrupt::check()?;
                eprintln!("booting, as no saved guest could be restored: {error:#}");
                "no saved guest could be restored"
            }
            Err(Ran(error)) => return Err(error),
        },
    };
    let run = Run::prepare(vm, &kernel, &base)?;
    fs::write(run.files().initramfs(), base.archive()?)?;
    let machine = run.start(Birth::Boot(&kernel.image))?;
    run.follow(machine, Start::Booted(why))
}

/// Why there is no run from a saved state.
enum Unrestored {
    /// No state could be had, or QEMU takes none. A boot will do.
    NotRestored(anyhow::Error),
    /// The guest was restored, and what came then is what there is to say.
    Ran(anyhow::Error),
}
use Unrestored::{NotRestored, Ran};

/// How long a restored guest may take to say that it is alive. It takes half a second, on a busy machine several.
const ALIVE_WITHIN: Duration = Duration::from_secs(20);

/// A state that QEMU refuses (torn, or of another QEMU) is made once more. A guest that does not come to life is restored once more: in
/// about one of a hundred the timer of a CPU never fires (QEMU 10.0), and whoever sleeps there sleeps for good.
fn from_saved(vm: &Vm, kernel: &KernelFiles, base: &Base) -> Result<VmRun, Unrestored> {
    let run = Run::prepare(vm, kernel, base).map_err(Ran)?;
    let mut machine = Err(anyhow!("no state was tried"));
    for _ in 0..3 {
        let saved = Saved::find_or_make(vm, kernel, base).map_err(NotRestored)?;
        machine = run.restore(&saved);
        match machine.as_mut().map(|machine| machine.is_alive(ALIVE_WITHIN)) {
            Ok(Ok(true)) => break,
            Ok(Ok(false)) => {
                eprintln!(
                    "a guest that did not come to life in {} s is restored once more",
                    ALIVE_WITHIN.as_secs()
                );
                machine = Err(anyhow!("no guest came to life"));
            }
            Ok(Err(error)) => return Err(Ran(error)),
            Err(error) => {
                eprintln!("a saved guest is made once more: {error:#}");
                saved.discard();
            }
        }
    }
    run.follow(machine.map_err(NotRestored)?, Start::Restored).map_err(Ran)
}

/// A run from a state that is not in the cache (yet).
pub(super) fn restored(vm: &Vm, kernel: &KernelFiles, base: &Base, saved: &Saved) -> Result<VmRun> {
    let run = Run::prepare(vm, kernel, base)?;
    let machine = run.restore(saved)?;
    run.follow(machine, Start::Restored)
}

/// A run whose host end stands, and whose files are made.
struct Run<'a> {
    vm: &'a Vm,
    kernel: &'a KernelFiles,
    // What runs in the namespace ends before its files do: fields are dropped in this order.
    capture: Option<Capture>,
    host: Host,
    directory: tempfile::TempDir,
}

impl<'a> Run<'a> {
    fn prepare(vm: &'a Vm, kernel: &'a KernelFiles, base: &Base) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("vmnet-vm-").tempdir()?;
        let luggage =
            Luggage { modules: &vm.modules, programs: &vm.programs, files: &vm.files, script: &vm.script };
        let mut archive = base.luggage(kernel, &luggage)?;
        // A drive has whole sectors.
        archive.resize(archive.len().next_multiple_of(512), 0);
        fs::write(Files { directory: directory.path() }.luggage(), archive)?;
        let host = Host::new(vm, directory.path())?;
        let capture = match vm.capture_bytes {
            Some(bytes) => Some(Capture::start(&host, bytes, &directory.path().join("capture.pcap"))?),
            None => None,
        };
        Ok(Self { vm, kernel, capture, host, directory })
    }

    fn files(&self) -> Files<'_> {
        Files { directory: self.directory.path() }
    }

    fn start(&self, birth: Birth<'_>) -> Result<Machine> {
        Machine::start(self.host.command(qemu::PROGRAM), self.vm, &self.files(), birth)
            .map_err(|error| self.explained(&error))
    }

    /// A guest in its saved state, then network and drive, then the word to go.
    fn restore(&self, saved: &Saved) -> Result<Machine> {
        let mut machine = self.start(Birth::Restore)?;
        machine.monitor.restore(saved.file())?;
        for device in qemu::devices(self.vm) {
            machine.monitor.plug_in(&device)?;
        }
        machine.monitor.resume()?;
        machine.go()?;
        Ok(machine)
    }

    fn follow(self, machine: Machine, start: Start) -> Result<VmRun> {
        // Not before: making a state, or waiting for another who does, is no part of the run.
        let started = machine.started;
        let followed = self.to_the_end(machine).map_err(|error| self.explained(&error));
        // The machine is gone, so that its counters are final.
        let mut outcome = followed?;
        outcome.start = start;
        outcome.duration = started.elapsed();
        outcome.tap = self.host.tap_counters()?;
        let pcap = self.directory.path().join("capture.pcap");
        let outbox = self.directory.path().join("outbox");
        outcome.files = unpack(&self.files().outbox(), &outbox)?;
        #[cfg(feature = "held")]
        crate::held::all(files_in(&outbox.join("recordings"))?.values())?;
        outcome.capture = self.capture.map(|capture| capture.finish(&pcap)).transpose()?;
        super::tally::add(&outcome);
        Ok(outcome)
    }

    /// Reads the second serial port until the script's end, then waits for QEMU's.
    fn to_the_end(&self, mut machine: Machine) -> Result<VmRun> {
        let mut printed = Vec::new();
        let mut run = VmRun::default();
        let deadline = machine.started + self.vm.timeout;
        loop {
            let Some(pieces) = machine.next(deadline)? else {
                bail!(
                    "did not come to the script's end in {} s; so far it printed:\n{}",
                    self.vm.timeout.as_secs(),
                    end_of(&printed)
                );
            };
            for piece in pieces {
                match piece {
                    Piece::Ready => machine.go()?,
                    Piece::Alive => {}
                    Piece::Output(bytes) => {
                        if self.vm.echo {
                            let mut out = std::io::stdout();
                            // A reader who has left must not end the machine.
                            let _ = out.write_all(&bytes).and_then(|()| out.flush());
                        }
                        printed.extend(bytes);
                    }
                    Piece::Mark(name) => {
                        if let Some(counters) = self.host.tap_counters()? {
                            run.marks.insert(name, counters);
                        }
                        machine.say("")?;
                    }
                    Piece::Exit(code) => {
                        run.exit_code = code;
                        run.stdout = String::from_utf8_lossy(&printed).into_owned();
                        machine.wait_for_end()?;
                        screen::fit(&run.stdout)?;
                        return Ok(run);
                    }
                }
            }
        }
    }

    fn explained(&self, error: &anyhow::Error) -> anyhow::Error {
        if interrupt::came() {
            return anyhow!("{error:#}");
        }
        let of = format!("kernel {} ({}) in QEMU: {error:#}", self.vm.kernel, self.kernel.release);
        with_logs(&of, &self.files().console(), &self.host)
    }
}

fn with_logs(error: &str, console: &Path, host: &Host) -> anyhow::Error {
    let text = fs::read(console).unwrap_or_default();
    let mut shown = format!("{error}\n--- the console's last lines ---\n{}\n---", end_of(&text));
    if let Some(log) = host.switch_log() {
        shown.push_str(&format!(" the switch's last lines ---\n{}\n---", end_of(log.as_bytes())));
    }
    anyhow!(shown)
}

/// The last lines.
fn end_of(bytes: &[u8]) -> String {
    const LINES: usize = 60;
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

fn unpack(tar: &Path, directory: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    fs::create_dir_all(directory)?;
    if fs::metadata(tar).map(|metadata| metadata.len()).unwrap_or(0) == 0 {
        return Ok(BTreeMap::new());
    }
    output(Command::new("tar").arg("-xf").arg(tar).arg("-C").arg(directory))?;
    files_in(directory)
}

/// Those of a directory itself; none if it is not there.
fn files_in(directory: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    if !directory.exists() {
        return Ok(files);
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.insert(entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?);
        }
    }
    Ok(files)
}
