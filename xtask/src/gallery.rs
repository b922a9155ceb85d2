//! `cargo xtask gallery`: the runs that the documentation shows, made in virtual machines.

mod guest;
mod render;
mod session;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, chown};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use testbed::gallery::{self, COMPARED, COMPARISON, EXPERIMENT, RUNS};
use testbed::{Build, Kernel, interrupt};

use crate::exit::Outcome;
use crate::{build, sudo};

const KERNEL: Kernel = Kernel::V6_1;
/// A session at a terminal, as a picture.
const SESSION: &str = "session.svg";

#[derive(Debug, Args)]
pub(crate) struct GalleryArguments {
    /// Only the picture of a session, session.svg (some seconds)
    #[arg(long)]
    session: bool,
}

/// Builds, runs each exhibit, draws them and the comparison, and puts them where the old ones were. Interrupted or failing
/// it leaves the old gallery as it is.
pub(crate) fn run(arguments: &GalleryArguments) -> Result<Outcome> {
    if !sudo::is_second_start() {
        build::run()?;
    }
    if let Some(outcome) = sudo::start_again_as_root()? {
        return Ok(outcome);
    }
    testbed::setup::virtual_machines()?;
    KERNEL.fetch(Build::Cloud)?;
    if arguments.session {
        session::record(&gallery::directory().join(SESSION))?;
        return Ok(Outcome::Done);
    }
    let vmnet = testbed::paths::vmnet();
    let reports = testbed::paths::workspace().join("reports");
    fs::create_dir_all(&reports)?;
    // Beside the old gallery, as only then they can change places at once.
    let made = tempfile::Builder::new().prefix(".gallery-").tempdir_in(&reports)?;
    for exhibit in RUNS {
        interrupt::check()?;
        println!("\n== {}: expecting {} ==", exhibit.name, exhibit.state);
        let directory = made.path().join(exhibit.name);
        fs::create_dir(&directory)?;
        guest::record(exhibit, &directory).with_context(|| exhibit.name)?;
        render::report(&vmnet, &directory).with_context(|| exhibit.name)?;
    }
    println!("\n== {COMPARISON}: {} ==", COMPARED.join(" and "));
    let [one, other] = COMPARED.map(|name| made.path().join(name));
    render::comparison(&vmnet, &one, &other, &made.path().join(COMPARISON))?;
    interrupt::check()?;
    println!("\n== {EXPERIMENT} ==");
    let directory = made.path().join(EXPERIMENT);
    fs::create_dir(&directory)?;
    guest::experiment(&directory).context(EXPERIMENT)?;
    render::experiment(&vmnet, &directory).context(EXPERIMENT)?;
    session::record(&made.path().join(SESSION))?;
    check(made.path())?;
    give_to_owner_of(&reports, made.path())?;
    swap_in(made.path())?;
    println!("\n{}", gallery::directory().display());
    Ok(Outcome::Done)
}

/// What is shown to everybody tells nothing of this machine.
fn check(made: &Path) -> Result<()> {
    let traces = gallery::traces(made)?;
    if !traces.is_empty() {
        bail!("this tells of the machine that made it:\n{}", traces.join("\n"));
    }
    Ok(())
}

/// The new gallery takes the old one's place, in one step where there is an old one.
fn swap_in(made: &Path) -> Result<()> {
    let place = gallery::directory();
    gallery::exchange(made, &place)
        .with_context(|| format!("{} could not take the place of {}", made.display(), place.display()))
}

/// As root by sudo, what is made belongs to who has the checkout.
fn give_to_owner_of(reports: &Path, made: &Path) -> Result<()> {
    let owner = fs::metadata(reports)?;
    let mut open = vec![made.to_path_buf()];
    while let Some(path) = open.pop() {
        chown(&path, Some(owner.uid()), Some(owner.gid()))?;
        // Temporary directories are for their maker alone.
        if path.is_dir() {
            fs::set_permissions(&path, PermissionsExt::from_mode(0o755))?;
            for entry in fs::read_dir(&path)? {
                open.push(entry?.path());
            }
        }
    }
    Ok(())
}
