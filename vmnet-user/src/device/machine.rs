//! What this process itself takes of the machine.

use procfs::process::Process;

/// Why it could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// No process clock.
    #[error("cannot read this process's CPU time: {0}")]
    CpuTime(nix::Error),
    /// No `/proc/self`.
    #[error("cannot read this process's memory: {0}")]
    Memory(procfs::ProcError),
}

/// CPU time of all threads of this process so far, user and system, in ns.
///
/// # Errors
/// When the kernel has no such clock.
pub fn own_cpu_time_ns() -> Result<u64, MachineError> {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .map_err(MachineError::CpuTime)?;
    let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
    Ok(seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::try_from(time.tv_nsec()).unwrap_or_default()))
}

/// Resident set of this process now, in bytes.
///
/// # Errors
/// When `/proc/self` is not there.
pub fn own_rss_bytes() -> Result<u64, MachineError> {
    let statm = Process::myself().and_then(|process| process.statm()).map_err(MachineError::Memory)?;
    Ok(statm.resident.saturating_mul(procfs::page_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_in_the_cpu_time() {
        let before = own_cpu_time_ns().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while own_cpu_time_ns().unwrap() < before + 1_000_000 {
            assert!(std::time::Instant::now() < deadline, "10 s of work, and under 1 ms of CPU time");
        }
    }

    #[test]
    fn memory_that_is_written_to_shows_in_the_resident_set() {
        let before = own_rss_bytes().unwrap();
        let memory = std::hint::black_box(vec![1u8; 64 << 20]);
        let after = own_rss_bytes().unwrap();
        assert!(after >= before + (48 << 20), "{before} → {after} with {} more", memory.len());
    }
}
