//! `cargo xtask build`: the kernel side, then the user side with the kernel side inside it.

mod cargo;
mod kernel_side;
mod linker;
mod toolchain;
mod user_side;

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

pub(crate) use cargo::{cargo, sysroot};
pub(crate) use kernel_side::object as kernel_side_object;
pub(crate) use linker::BpfLinker;
pub(crate) use toolchain::BpfToolchain;

/// Builds both sides in release mode. Returns the binary `vmnet`.
pub(crate) fn run() -> Result<PathBuf> {
    let object = kernel_side()?;
    step("user side", || user_side::build(&object))
}

/// Builds the meter of what watching costs, which has both sides inside it.
pub(crate) fn meter() -> Result<()> {
    let object = kernel_side()?;
    step("the meter", || user_side::of_tests("watching-costs", &object))
}

/// Builds the soak. Returns its program.
pub(crate) fn soak() -> Result<PathBuf> {
    let object = kernel_side()?;
    step("the soak", || user_side::of_tests("soak", &object))?;
    Ok(testbed::paths::target().join("release/soak"))
}

/// Builds the kernel side alone. Returns the object file.
pub(crate) fn kernel_side() -> Result<PathBuf> {
    // One is fetched and unpacked, the other compiled: side by side.
    let (toolchain, linker) = thread::scope(|scope| {
        let toolchain = scope.spawn(|| step("compiler for the kernel side", BpfToolchain::find_or_install));
        let linker = step("bpf-linker", BpfLinker::find_or_install);
        (toolchain.join(), linker)
    });
    let toolchain = toolchain.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let linker = linker?;
    step("kernel side", || kernel_side::build(&toolchain, &linker))
}

/// Does one step of a build, and says how long it took where that was long enough to be waited for.
fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    const WORTH_TELLING: Duration = Duration::from_secs(2);
    let started = Instant::now();
    let done = work()?;
    if started.elapsed() >= WORTH_TELLING {
        eprintln!("{what}: {:.0} s", started.elapsed().as_secs_f64());
    }
    Ok(done)
}
