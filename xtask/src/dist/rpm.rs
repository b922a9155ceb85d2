//! The package for Fedora, RHEL, SUSE and what descends from them, by cargo-generate-rpm.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use testbed::command::run;
use testbed::paths;

use super::stage::Stage;
use super::{ARCHITECTURE, VERSION, time_of_sources};
use crate::build::cargo;

const TOOL: &str = "cargo-generate-rpm";
const TOOL_VERSION: &str = "0.21.1";

/// `vmnet-<version>-1.x86_64.rpm`.
pub(super) fn pack(stage: &Stage, directory: &Path) -> Result<PathBuf> {
    let tools = paths::target().join("tools");
    let program = tools.join("bin").join(TOOL);
    if !program.is_file() {
        eprintln!("installing with cargo: {TOOL} {TOOL_VERSION} (a minute)");
        let mut install = cargo();
        install
            .args(["install", "--quiet", "--locked", TOOL, "--version", TOOL_VERSION, "--root"])
            .arg(&tools);
        run(install.env_remove("CARGO_TARGET_DIR"))?;
    }
    let package = directory.join(format!("vmnet-{VERSION}-1.{ARCHITECTURE}.rpm"));
    let mut files = Vec::new();
    list(&stage.root, &stage.root, &mut files)?;
    files.sort();
    let assets = files.iter().map(|file| {
        let mode = if file == "usr/bin/vmnet" { "755" } else { "644" };
        let source = stage.root.join(file);
        format!(r#"{{ source = "{}", dest = "/{file}", mode = "{mode}" }}"#, source.display())
    });
    let list_of_files = directory.join("root.toml");
    fs::write(&list_of_files, format!("assets = [\n{}\n]\n", assets.collect::<Vec<_>>().join(",\n")))?;
    let mut generate = cargo();
    generate
        .args([
            "generate-rpm",
            "--package",
            "vmnet-user",
            "--auto-req",
            "disabled",
            "--payload-compress",
            "xz",
        ])
        .arg("--source-date")
        .arg(time_of_sources())
        .arg("--metadata-overwrite")
        .arg(&list_of_files)
        .arg("--output")
        .arg(&package)
        .env("PATH", with_in_path(&tools.join("bin"))?);
    run(&mut generate)?;
    Ok(package)
}

fn with_in_path(directory: &Path) -> Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths([directory.to_owned()].into_iter().chain(std::env::split_paths(&path)))?)
}

fn list(directory: &Path, root: &Path, files: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, root, files)?;
        } else {
            let Some(name) = path.strip_prefix(root)?.to_str() else {
                bail!("{} is no text", path.display())
            };
            files.push(name.to_owned());
        }
    }
    Ok(())
}
