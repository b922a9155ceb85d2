//! One run: files made, machine started, output followed to the end, everything taken away.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};

use super::capture::Capture;
use super::host_end::{Host, Running};
use super::ovs::Switch;
use super::serial::{Parser, Piece};
use super::{Vm, VmRun, qemu};
use crate::command::output;
use crate::initramfs::{self, Contents};
use crate::interrupt;

/// Two emulated machines at once would take each other's time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// How long QEMU may take to end after the guest has said its last word.
const POWER_OFF: Duration = Duration::from_secs(20);

/// How often Ctrl-C is looked for while nothing comes.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(vm: &Vm) -> Result<VmRun> {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    interrupt::watch();
    interrupt::check()?;
    let kernel = match &vm.kernel_files {
        Some(files) => files.clone(),
        None => vm.kernel.fetch()?,
    };
    let directory = tempfile::Builder::new().prefix("vmnet-vm-").tempdir()?;
    let at = |name: &str| directory.path().join(name);
    let contents = Contents {
        kernel: &kernel,
        modules: &vm.modules,
        programs: &vm.programs,
        files: &vm.files,
        script: &vm.script,
    };
    fs::write(at("initramfs"), initramfs::archive(&contents)?)?;
    let host = Host::new(vm, directory.path())?;
    let capture = match vm.capture_bytes {
        Some(bytes) => Some(Capture::start(&host, bytes, &at("capture.pcap"))?),
        None => None,
    };
    let (console, outbox, initramfs) = (at("console"), at("outbox.tar"), at("initramfs"));
    let files = qemu::Files {
        image: &kernel.image,
        initramfs: &initramfs,
        console: &console,
        outbox: &outbox,
        vhost_user: &Switch::socket(directory.path()),
    };
    let started = Instant::now();
    let mut command = host.command("qemu-system-x86_64");
    command
        .args(qemu::arguments(vm, &files))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut machine = Running::start(&mut command)?;
    let followed = follow(vm, &host, &mut machine, started)
        .with_context(|| format!("kernel {} ({}) in QEMU", vm.kernel, kernel.release))
        .map_err(|error| if interrupt::came() { error } else { with_logs(&error, &console, &host) });
    // The machine has to be gone before its counters are final.
    drop(machine);
    let mut outcome = followed?;
    outcome.duration = started.elapsed();
    outcome.tap = host.tap_counters()?;
    outcome.capture = capture.map(|capture| capture.finish(&at("capture.pcap"))).transpose()?;
    outcome.files = unpack(&outbox, &at("outbox"))?;
    Ok(outcome)
}

/// Reads the second serial port until the script's end, then waits for QEMU's.
fn follow(vm: &Vm, host: &Host, machine: &mut Running, started: Instant) -> Result<VmRun> {
    let stdout = machine.0.stdout.take().ok_or_else(|| anyhow!("QEMU has no standard output"))?;
    let stderr = machine.0.stderr.take().ok_or_else(|| anyhow!("QEMU has no standard error"))?;
    let mut stdin = machine.0.stdin.take().ok_or_else(|| anyhow!("QEMU has no standard input"))?;
    let (from_guest, from_qemu) = (chunks_of(stdout), chunks_of(stderr));
    let mut parser = Parser::default();
    let mut printed = Vec::new();
    let mut run = VmRun::default();
    loop {
        interrupt::check()?;
        if started.elapsed() > vm.timeout {
            bail!(
                "did not come to the script's end in {} s; so far it printed:\n{}",
                vm.timeout.as_secs(),
                end_of(&printed)
            );
        }
        let bytes = match from_guest.recv_timeout(LOOK) {
            Ok(bytes) => bytes,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => {
                // Ctrl-C ends QEMU as well.
                interrupt::check()?;
                let said: Vec<u8> = from_qemu.iter().flatten().collect();
                bail!("ended before the script did. {}", String::from_utf8_lossy(&said).trim());
            }
        };
        for piece in parser.feed(&bytes) {
            match piece {
                Piece::Output(bytes) => {
                    if vm.echo {
                        let mut out = std::io::stdout();
                        // A reader who has left must not end the machine.
                        let _ = out.write_all(&bytes).and_then(|()| out.flush());
                    }
                    printed.extend(bytes);
                }
                Piece::Mark(name) => {
                    if let Some(counters) = host.tap_counters()? {
                        run.marks.insert(name, counters);
                    }
                    stdin
                        .write_all(b"\n")
                        .and_then(|()| stdin.flush())
                        .context("the guest waits for an answer")?;
                }
                Piece::Exit(code) => {
                    run.exit_code = code;
                    run.stdout = String::from_utf8_lossy(&printed).into_owned();
                    wait_for_end(machine, &from_guest)?;
                    return Ok(run);
                }
            }
        }
    }
}

/// The end of its output is the end of QEMU.
fn wait_for_end(machine: &mut Running, from_guest: &Receiver<Vec<u8>>) -> Result<()> {
    let said = Instant::now();
    while said.elapsed() < POWER_OFF {
        interrupt::check()?;
        if let Err(RecvTimeoutError::Disconnected) = from_guest.recv_timeout(LOOK) {
            machine.0.wait()?;
            return Ok(());
        }
    }
    bail!("did not power off in {} s", POWER_OFF.as_secs())
}

/// What comes, as it comes, until the end. The thread ends with the stream.
fn chunks_of(mut stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

fn with_logs(error: &anyhow::Error, console: &Path, host: &Host) -> anyhow::Error {
    let text = fs::read(console).unwrap_or_default();
    let mut shown = format!("{error:#}\n--- the console's last lines ---\n{}\n---", end_of(&text));
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
    let mut files = BTreeMap::new();
    if fs::metadata(tar).map(|metadata| metadata.len()).unwrap_or(0) == 0 {
        return Ok(files);
    }
    output(Command::new("tar").arg("-xf").arg(tar).arg("-C").arg(directory))?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.insert(entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?);
        }
    }
    Ok(files)
}
