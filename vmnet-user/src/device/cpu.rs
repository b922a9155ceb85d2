//! Time of each CPU (`/proc/stat`), of all processes and namespaces.

use std::io;

use crate::model::sample::CpuTimes;

/// Why the times could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CpuError {
    /// No `/proc`.
    #[error("cannot read /proc/stat: {0}")]
    Read(io::Error),
    /// The kernel does not say how long a tick is.
    #[error("the kernel does not tell its ticks per second")]
    NoTicks,
    /// Not the format of `proc_stat(5)`.
    #[error("/proc/stat has no line of times per CPU")]
    NotUnderstood,
}

/// The times of all CPUs now; a CPU's place is its number. A CPU that is offline has no times: all its fields are 0, `total_ns`
/// too, which no CPU that runs has.
///
/// # Errors
/// When `/proc/stat` is not there, or not understood.
pub fn cpu_times() -> Result<Vec<CpuTimes>, CpuError> {
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)
        .ok()
        .flatten()
        .and_then(|ticks| u64::try_from(ticks).ok())
        .filter(|ticks| *ticks > 0)
        .ok_or(CpuError::NoTicks)?;
    let times = parse(&std::fs::read_to_string("/proc/stat").map_err(CpuError::Read)?, 1_000_000_000 / ticks);
    if times.is_empty() { Err(CpuError::NotUnderstood) } else { Ok(times) }
}

/// More CPUs than Linux can be built for: a larger number is not believed.
const MOST_CPUS: usize = 1 << 16;

fn parse(stat: &str, tick_ns: u64) -> Vec<CpuTimes> {
    let mut cpus = Vec::new();
    for line in stat.lines() {
        let Some((number, times)) = parse_line(line, tick_ns) else { continue };
        if number >= MOST_CPUS {
            continue;
        }
        if cpus.len() <= number {
            cpus.resize(number + 1, CpuTimes::default());
        }
        if let Some(cpu) = cpus.get_mut(number) {
            *cpu = times;
        }
    }
    cpus
}

/// `cpuN user nice system idle iowait irq softirq steal guest guest_nice`, in ticks; guest time is in user and nice already.
fn parse_line(line: &str, tick_ns: u64) -> Option<(usize, CpuTimes)> {
    let mut words = line.strip_prefix("cpu")?.split_ascii_whitespace();
    // The first line, of all CPUs together, has no number.
    let number = if line.starts_with("cpu ") { None } else { words.next()?.parse().ok() }?;
    let mut next = || Some(words.next()?.parse::<u64>().ok()?.saturating_mul(tick_ns));
    let (user, nice, system, idle) = (next()?, next()?, next()?, next()?);
    let (iowait, irq, softirq, steal) = (next()?, next()?, next()?, next()?);
    let busy_ns = [user, nice, system, irq, softirq].into_iter().fold(0, u64::saturating_add);
    let total_ns = [busy_ns, idle, iowait, steal].into_iter().fold(0, u64::saturating_add);
    Some((number, CpuTimes { busy_ns, softirq_ns: softirq, steal_ns: steal, total_ns }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STAT: &str = "\
cpu  350 30 70 1100 12 8 14 6 99 0
cpu0 100 10 20 500 5 3 7 2 50 0
cpu2 250 20 50 600 7 5 7 4 49 0
intr 12345 0 0
ctxt 99
";

    #[test]
    fn busy_leaves_out_idle_iowait_and_steal_and_counts_guests_once() {
        let cpus = parse(STAT, 10_000_000);
        assert_eq!(
            cpus[0],
            CpuTimes {
                busy_ns: 140 * 10_000_000,
                softirq_ns: 7 * 10_000_000,
                steal_ns: 2 * 10_000_000,
                total_ns: 647 * 10_000_000,
            }
        );
    }

    #[test]
    fn a_cpu_keeps_its_place_when_one_before_it_is_offline() {
        let cpus = parse(STAT, 1);
        assert_eq!(cpus.len(), 3);
        assert_eq!(cpus[1], CpuTimes::default());
        assert_eq!(cpus[2].softirq_ns, 7);
    }

    #[test]
    fn lines_cut_off_or_absurd_are_passed_over() {
        assert_eq!(parse("cpu0 1 2 3\ncpu99999999999999999999 1 1 1 1 1 1 1 1\ncpux 1", 1), []);
        assert_eq!(parse("cpu70000 1 1 1 1 1 1 1 1", 1), []);
    }

    #[test]
    fn this_machine_has_as_many_as_it_says_and_they_only_grow() {
        let before = cpu_times().unwrap();
        let after = cpu_times().unwrap();
        assert_eq!(before.len(), after.len());
        assert!(before.iter().zip(&after).all(|(before, after)| before.total_ns <= after.total_ns));
        assert!(after.iter().any(|cpu| cpu.busy_ns > 0));
    }

    proptest! {
        #[test]
        fn any_text_can_be_parsed(text in "(cpu[0-9 ]{0,40}\n|.{0,20}\n){0,6}", tick_ns: u64) {
            let _ = parse(&text, tick_ns);
        }
    }
}
