//! Guests that start in half a second: the state of one that has booted, saved, and restored for each scenario.
//!
//! A state is a guest's memory and devices at the point where its first program waits to be told to go (`init.sh`). It has
//! neither network nor drive: both are plugged in when it is restored. So one state serves every device line, the network device is
//! negotiated afresh each time, and nothing that a scenario is about is part of the state.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};

use super::machine::Machine;
use super::qemu::{self, Birth, Files};
use super::serial::Piece;
use super::{Accel, HostEnd, Vm, run};
use crate::command::output;
use crate::initramfs::Base;
use crate::kernel::KernelFiles;
use crate::paths::testbed_cache;

/// All states together. The one used longest ago goes first.
const MOST_BYTES: u64 = 4 << 30;

/// Numbers of CPUs, and MiB of memory, that three or more scenarios of one kernel share. Others boot.
const SHARED: [(u32, u32); 1] = [(2, 1024)];

/// A boot that takes longer than this has failed.
const BOOTS_WITHIN: Duration = Duration::from_secs(180);

/// Why this machine has to boot, if it does.
pub(super) fn why_not(vm: &Vm) -> Option<&'static str> {
    if vm.accel == Accel::Kvm {
        Some("a state of an emulated guest is none for hardware")
    } else if vm.kernel_files.is_some() {
        Some("a kernel of its own")
    } else if let HostEnd::OvsDpdk { .. } = vm.host_end {
        Some("its memory is shared with the switch, by another machine line")
    } else if !SHARED.contains(&(vm.cpus, vm.memory_mib)) {
        Some("fewer than three scenarios share its CPUs and memory")
    } else {
        None
    }
}

/// A state in the cache.
#[derive(Debug)]
pub(super) struct Saved {
    file: PathBuf,
}

impl Saved {
    /// The state for this machine, made (a boot and a few seconds) where there is none that fits.
    pub(super) fn find_or_make(vm: &Vm, kernel: &KernelFiles, base: &Base) -> Result<Self> {
        let directory = testbed_cache().join("states");
        fs::create_dir_all(&directory)?;
        let name = format!("{}-{}-{:016x}", vm.kernel, vm.build, key(vm, kernel, base)?);
        let saved = Self { file: directory.join(name) };
        // Two commands at once must not write into one another.
        let lock = File::create(directory.join("lock"))?;
        lock.lock()?;
        if saved.file.is_file() {
            // What was used last is kept longest. On a file system that keeps no times, any may go.
            let _ = File::open(&saved.file).and_then(|file| file.set_modified(SystemTime::now()));
            return Ok(saved);
        }
        let fresh = tempfile::Builder::new().prefix("new-").tempdir_in(&directory)?;
        let state = Self { file: fresh.path().join("state") };
        save(vm, kernel, base, &state.file)?;
        prove(vm, kernel, base, &state)?;
        fs::rename(&state.file, &saved.file)?;
        evict(&directory, &saved.file, MOST_BYTES)?;
        Ok(saved)
    }

    /// The file that QEMU restores.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Takes it out of the cache: QEMU refuses it.
    pub(super) fn discard(self) {
        // One that is gone already is as good.
        let _ = fs::remove_file(self.file);
    }
}

/// Changes with whatever a state depends on: kernel, initramfs, QEMU, and the machine's line but for where its files are.
fn key(vm: &Vm, kernel: &KernelFiles, base: &Base) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    let image = fs::metadata(&kernel.image)?;
    (&kernel.release, image.len(), image.modified().ok()).hash(&mut hasher);
    base.fingerprint(&mut hasher);
    output(Command::new(qemu::PROGRAM).arg("--version"))?.hash(&mut hasher);
    let nowhere = Files { directory: Path::new("") };
    qemu::arguments(vm, &nowhere, Birth::Bare(Path::new(""))).hash(&mut hasher);
    Ok(hasher.finish())
}

fn save(vm: &Vm, kernel: &KernelFiles, base: &Base, state: &Path) -> Result<()> {
    let directory = tempfile::Builder::new().prefix("vmnet-state-").tempdir()?;
    let files = Files { directory: directory.path() };
    fs::write(files.initramfs(), base.archive()?)?;
    let mut qemu = Command::new("setpriv");
    qemu.args(["--pdeathsig", "TERM", qemu::PROGRAM]);
    let mut machine = Machine::start(qemu, vm, &files, Birth::Bare(&kernel.image))?;
    let deadline = Instant::now() + BOOTS_WITHIN;
    loop {
        let pieces = machine.next(deadline)?;
        let pieces = pieces.with_context(|| format!("did not boot in {} s", BOOTS_WITHIN.as_secs()))?;
        if pieces.contains(&Piece::Ready) {
            return machine.monitor.save(state);
        }
    }
}

/// A state is kept only after a guest restored from it has handed a super-packet over whole, as its tap saw.
fn prove(vm: &Vm, kernel: &KernelFiles, base: &Base, state: &Saved) -> Result<()> {
    const SCRIPT: &str = "mark before; iperf3 -c 10.10.1.10 -n 1M && mark after";
    const LONGER_THAN_ANY_FRAME: u64 = 4096;
    let probe = Vm::new(vm.kernel).cpus(vm.cpus).memory_mib(vm.memory_mib).script(SCRIPT);
    let seen = run::restored(&probe, kernel, base, state)?;
    let (Some(before), Some(after)) = (seen.marks.get("before"), seen.marks.get("after")) else {
        bail!("a guest that was restored does not reach its host: {}", seen.stdout);
    };
    let left = after.since(*before);
    if left.rx_bytes < left.rx_packets * LONGER_THAN_ANY_FRAME {
        bail!("a guest that was restored hands over no super-packets: {left:?}");
    }
    Ok(())
}

/// Removes states until what is left fits, but for the newest one.
fn evict(directory: &Path, newest: &Path, most_bytes: u64) -> Result<()> {
    let mut states = Vec::new();
    for entry in fs::read_dir(directory)? {
        let (path, metadata) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
        if metadata.is_file() && path != newest {
            states.push((metadata.modified()?, metadata.len(), path));
        }
    }
    states.sort();
    let mut bytes = fs::metadata(newest)?.len() + states.iter().map(|(_, len, _)| len).sum::<u64>();
    for (_, len, path) in states {
        if bytes <= most_bytes {
            break;
        }
        fs::remove_file(&path)?;
        bytes -= len;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kernel;

    #[test]
    fn a_machine_that_cannot_be_restored_says_why() {
        let vm = || Vm::new(Kernel::V6_1);
        assert_eq!(why_not(&vm().nic("csum=off").queues(2)), None);
        assert!(why_not(&vm().cpus(4)).is_some());
        assert!(why_not(&vm().host_end(HostEnd::OvsDpdk { tso: true })).is_some());
    }

    #[test]
    fn the_cache_keeps_what_was_used_last() {
        let directory = tempfile::tempdir().unwrap();
        let of = |name: &str, age_s: u64| {
            let path = directory.path().join(name);
            fs::write(&path, [0; 100]).unwrap();
            let then = SystemTime::now() - Duration::from_secs(age_s);
            File::open(&path).unwrap().set_modified(then).unwrap();
            path
        };
        let (newest, older, oldest) = (of("newest", 5), of("older", 10), of("oldest", 20));
        evict(directory.path(), &newest, 300).unwrap();
        assert!(oldest.exists());
        evict(directory.path(), &newest, 299).unwrap();
        assert!(!oldest.exists() && older.exists());
        evict(directory.path(), &newest, 0).unwrap();
        assert!(newest.exists() && !older.exists());
    }
}
