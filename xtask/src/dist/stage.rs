//! The files of a package, laid out as they will lie on the machine that it is installed on.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use testbed::command::{output, run};
use testbed::paths;

use super::crates::Crates;
use super::licences;

/// A directory that stands for `/`.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) root: PathBuf,
    binary: PathBuf,
}

/// Where each shell looks for what packages bring.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/vmnet"),
    ("zsh", "usr/share/zsh/vendor-completions/_vmnet"),
    ("fish", "usr/share/fish/vendor_completions.d/vmnet.fish"),
];
const MANUAL: &str = "usr/share/man/man1";
const DOCUMENTS: &str = "usr/share/doc/vmnet";

impl Stage {
    /// Not filled yet.
    pub(super) fn of(binary: &Path) -> Result<Self> {
        Ok(Self { root: super::directory().join("root"), binary: binary.to_owned() })
    }

    /// Anew.
    pub(super) fn fill(&self, crates: &Crates) -> Result<()> {
        if self.root.exists() {
            fs::remove_dir_all(&self.root).with_context(|| format!("emptying {}", self.root.display()))?;
        }
        let program = self.program();
        self.put("usr/bin/vmnet", &fs::read(&self.binary)?, 0o755)?;
        // Names of functions are a fifth of it, and nobody reads them.
        run(Command::new("strip").arg("--strip-all").arg(&program)).context("strip, of binutils")?;
        for (shell, path) in COMPLETIONS {
            let script = output(Command::new(&program).args(["completions", shell]))?;
            self.put(path, script.as_bytes(), 0o644)?;
        }
        self.manual()?;
        self.put(&format!("{DOCUMENTS}/copyright"), licences::text(crates)?.as_bytes(), 0o644)?;
        let symptoms = fs::read(paths::workspace().join("docs/symptoms.md"))?;
        self.put(&format!("{DOCUMENTS}/symptoms.md"), &symptoms, 0o644)
    }

    /// The binary, as it is handed out.
    pub(super) fn program(&self) -> PathBuf {
        self.root.join("usr/bin/vmnet")
    }

    fn manual(&self) -> Result<()> {
        let directory = self.root.join(MANUAL);
        run(Command::new(self.program()).arg("man").arg(&directory))?;
        let pages: Vec<PathBuf> =
            fs::read_dir(&directory)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        for page in &pages {
            fs::set_permissions(page, fs::Permissions::from_mode(0o644))?;
        }
        // Without name and time, which would differ.
        run(Command::new("gzip").args(["-9", "-n", "--"]).args(&pages))
    }

    fn put(&self, path: &str, contents: &[u8], mode: u32) -> Result<()> {
        let path = self.root.join(path);
        let parent = path.parent().context("a path has a parent")?;
        fs::create_dir_all(parent)?;
        fs::write(&path, contents).with_context(|| format!("writing {}", path.display()))?;
        Ok(fs::set_permissions(&path, fs::Permissions::from_mode(mode))?)
    }
}
