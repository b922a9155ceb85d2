//! Debian packages: installed on this machine, or fetched from another suite without touching the machine's sources.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::command::{as_root, captured, find, is_root, output, shown};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Installs what is not installed yet, from the machine's own sources, and says so in one line.
pub fn install(packages: &[&str]) -> Result<()> {
    let missing = missing(packages)?;
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("installing with apt: {}", missing.join(" "));
    install_with(&[], &missing)
}

/// Brings packages that are there, but too old, up to what the machine's own sources have now: lists may be from the day
/// that the machine was made, before the security update that brought the newer version.
pub fn renew(packages: &[&str]) -> Result<()> {
    may_install(packages)?;
    eprintln!("updating with apt: {}", packages.join(" "));
    let _ = captured(apt_get(&[]).arg("update"))?;
    install_now(&[], packages)
}

/// Which of these packages are not installed.
pub fn missing<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    if find("dpkg-query").is_none() {
        bail!("this is not a Debian system (no dpkg-query); install by hand: {}", packages.join(" "));
    }
    packages
        .iter()
        .copied()
        .filter_map(|package| is_installed(package).map(|is| (!is).then_some(package)).transpose())
        .collect()
}

fn is_installed(package: &str) -> Result<bool> {
    let query = captured(Command::new("dpkg-query").args(["-W", "-f=${db:Status-Status}", package]))?;
    Ok(query.status.success() && query.stdout == b"installed")
}

/// Lists may be absent (a fresh image) or name versions that the mirror no longer has: both show as a failure to
/// install, which an update fixes.
fn install_with(options: &[String], packages: &[&str]) -> Result<()> {
    may_install(packages)?;
    if install_now(options, packages).is_ok() {
        return Ok(());
    }
    // A source of someone else's that does not answer must not be in the way: what counts is the second try.
    let _ = captured(apt_get(options).arg("update"))?;
    install_now(options, packages)
}

fn may_install(packages: &[&str]) -> Result<()> {
    if !is_root() && find("sudo").is_none() {
        bail!("this needs root; run: apt-get install --no-install-recommends {}", packages.join(" "));
    }
    Ok(())
}

fn install_now(options: &[String], packages: &[&str]) -> Result<()> {
    let mut install = apt_get(options);
    install.args(["install", "--yes", "--no-install-recommends"]).args(packages);
    output(&mut install).map(drop)
}

fn apt_get(options: &[String]) -> Command {
    // Through env, as sudo would not pass the variable on.
    let mut command = as_root("env");
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]);
    command.args(options);
    command
}

/// Installs packages of `suite` (such as backports) with the machine's own package state, but sources and lists of
/// their own under `directory`: the machine's sources stay as they are.
pub fn install_from(suite: &str, packages: &[&str], directory: &Path) -> Result<()> {
    eprintln!("installing with apt from {suite}: {}", packages.join(" "));
    fs::create_dir_all(directory.join("lists/partial"))?;
    let sources = directory.join("sources.list");
    let mut lines: Vec<String> = debian_sources()?.iter().map(|source| source.line()).collect();
    lines.push(Source { uri: mirror()?, release: suite.to_owned() }.line());
    lines.sort();
    lines.dedup();
    fs::write(&sources, lines.concat())?;
    let mut options = options(&[
        ("Dir::Etc::sourcelist", &sources),
        ("Dir::Etc::sourceparts", Path::new("/dev/null")),
        ("Dir::State::lists", &directory.join("lists")),
    ]);
    options.extend(["-t".to_owned(), suite.to_owned()]);
    install_with(&options, packages)
}

/// A suite of Debian's archive with apt state of its own: nothing of it is ever installed here.
#[derive(Debug)]
pub struct Suite {
    options: Vec<String>,
}

impl Suite {
    /// Fetches the suite's package lists into `directory`. They are checked against Debian's keys as usual.
    pub fn open(name: &str, directory: &Path) -> Result<Self> {
        if !Path::new(KEYRING).exists() {
            install(&["debian-archive-keyring"])?;
        }
        for part in ["state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(directory.join(part))?;
        }
        let sources = directory.join("sources.list");
        fs::write(&sources, Source { uri: mirror()?, release: name.to_owned() }.line())?;
        // Without a status file apt refuses to resolve anything.
        let status = directory.join("status");
        fs::write(&status, "")?;
        let suite = Self {
            options: options(&[
                ("Dir::Etc::sourcelist", &sources),
                ("Dir::Etc::sourceparts", Path::new("/dev/null")),
                ("Dir::State", &directory.join("state")),
                ("Dir::State::status", &status),
                ("Dir::Cache", &directory.join("cache")),
            ]),
        };
        let update = captured(suite.apt_get().args(["-o", "APT::Update::Error-Mode=any", "update"]))?;
        if !update.status.success() {
            bail!(
                "the package lists of Debian {name} could not be fetched:\n{}",
                String::from_utf8_lossy(&update.stderr)
            );
        }
        Ok(suite)
    }

    /// The names of all packages that installing `package` on an empty system would bring.
    pub fn closure_of(&self, package: &str) -> Result<Vec<String>> {
        self.closure_of_all(&[package])
    }

    /// The same of several, in one go: apt takes a second or two to make up its mind, however many there are.
    pub fn closure_of_all(&self, packages: &[&str]) -> Result<Vec<String>> {
        let mut simulate = self.apt_get();
        simulate.args(["--simulate", "install", "--no-install-recommends"]).args(packages);
        let plan = output(&mut simulate)?;
        Ok(plan
            .lines()
            .filter_map(|line| line.strip_prefix("Inst "))
            .filter_map(|rest| rest.split_whitespace().next())
            .map(str::to_owned)
            .collect())
    }

    /// Downloads packages and unpacks them into `directory`, over one another. None of their scripts is run.
    pub fn unpack(&self, packages: &[String], directory: &Path) -> Result<()> {
        let archives = tempfile::tempdir_in(directory)?;
        self.download(packages, archives.path())?;
        for archive in fs::read_dir(archives.path())? {
            output(Command::new("dpkg-deb").arg("--extract").arg(archive?.path()).arg(directory))?;
        }
        Ok(())
    }

    /// The same into a system of which `/bin` and the like are links into `/usr`, which are made.
    pub fn unpack_merged(&self, packages: &[String], directory: &Path) -> Result<()> {
        let archives = tempfile::tempdir_in(directory)?;
        self.download(packages, archives.path())?;
        crate::roots::merged(directory)?;
        for archive in fs::read_dir(archives.path())? {
            let archive = archive?.path();
            let mut contents = Command::new("dpkg-deb")
                .arg("--fsys-tarfile")
                .arg(&archive)
                .stdout(Stdio::piped())
                .spawn()?;
            let from = contents.stdout.take().context("dpkg-deb has no output")?;
            let mut tar = Command::new("tar");
            tar.args(["-x", "--keep-directory-symlink", "-C"]).arg(directory).stdin(from);
            if !tar.status()?.success() || !contents.wait()?.success() {
                bail!("{} could not be unpacked", archive.display());
            }
        }
        Ok(())
    }

    /// Downloads packages into `directory`, as they are.
    pub fn download(&self, packages: &[String], directory: &Path) -> Result<()> {
        output(self.apt_get().arg("download").args(packages).current_dir(directory)).map(drop)
    }

    fn apt_get(&self) -> Command {
        let mut command = Command::new("apt-get");
        command.args(["-q", "-o", "APT::Sandbox::User=root"]);
        command.args(["-o", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false"]);
        command.args(["-o", "Acquire::Languages=none"]);
        // A mirror may lag behind what sid's lists promise. Signatures are checked all the same, and what comes from
        // here runs only in guests, or in the namespace at their other end.
        command.args(["-o", "Acquire::Check-Valid-Until=false"]);
        command.args(&self.options);
        command
    }
}

fn options(settings: &[(&str, &Path)]) -> Vec<String> {
    settings.iter().flat_map(|(key, value)| ["-o".to_owned(), format!("{key}={}", value.display())]).collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    uri: String,
    release: String,
}

impl Source {
    fn line(&self) -> String {
        format!("deb [signed-by={KEYRING}] {} {} main\n", self.uri, self.release)
    }
}

/// Where this machine gets Debian from, so that nothing is fetched from anywhere else.
fn mirror() -> Result<String> {
    let codename = codename()?;
    debian_sources()?
        .into_iter()
        .find(|source| source.release == codename)
        .map(|source| source.uri)
        .ok_or_else(|| anyhow!("apt's sources on this machine name no mirror for Debian {codename}"))
}

/// The machine's own release, its updates and security updates; sources of others left out.
fn debian_sources() -> Result<Vec<Source>> {
    let codename = codename()?;
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"]);
    let listed = output(&mut command).with_context(|| format!("`{}`", shown(&command)))?;
    Ok(sources_of(&listed, &codename))
}

fn sources_of(listed: &str, codename: &str) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for line in listed.lines() {
        let Some((uri, release)) = line.split_once(' ') else { continue };
        let ours =
            release == codename || release.strip_prefix(codename).is_some_and(|rest| rest.starts_with('-'));
        let source = Source { uri: uri.to_owned(), release: release.to_owned() };
        if ours && !release.ends_with("-backports") && !sources.contains(&source) {
            sources.push(source);
        }
    }
    sources
}

/// `bookworm` and the like, from os-release.
pub fn codename() -> Result<String> {
    let path = PathBuf::from("/etc/os-release");
    let text = fs::read_to_string(&path).with_context(|| format!("{} could not be read", path.display()))?;
    text.lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map(|name| name.trim_matches('"').to_owned())
        .ok_or_else(|| anyhow!("{} has no VERSION_CODENAME", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_machines_own_debian_release_is_taken_from_its_sources() {
        let listed = "http://mirror/debian/ bookworm\nhttp://mirror/debian/ bookworm\nhttp://mirror/debian/ bookworm-updates\n\
                      http://mirror/debian-security/ bookworm-security\nhttps://other/apt cloud-sdk-bookworm\n";
        let releases: Vec<_> =
            sources_of(listed, "bookworm").into_iter().map(|source| source.release).collect();
        assert_eq!(releases, ["bookworm", "bookworm-updates", "bookworm-security"]);
    }
}
