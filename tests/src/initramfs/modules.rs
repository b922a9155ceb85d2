//! Kernel modules for the guest: what it loads at start, and what the kernel asks for by itself (`tc`, `ip link add`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::tree::Tree;
use crate::kernel::KernelFiles;

/// Loaded in every guest. What the kernel has built in is left out.
const AT_START: &[&str] = &["virtio_pci", "virtio_net", "virtio_blk", "virtio_console", "af_packet"];

/// Directories whose modules every guest has, so that qdiscs, tunnels and links load when they are asked for.
const ON_DEMAND: &[&str] = &[
    "kernel/net/sched/",
    "kernel/net/8021q/",
    "kernel/net/bridge/",
    "kernel/net/ipv4/",
    "kernel/net/ipv6/",
    "kernel/net/packet/",
    "kernel/drivers/net/bonding/",
    "kernel/drivers/net/vxlan/",
];

/// The same, without the directories below it (those are drivers of hardware).
const ON_DEMAND_ALONE: &str = "kernel/drivers/net/";

/// Adds the modules that every guest has, what they depend on, and the indices by which modprobe finds them.
pub(super) fn add(tree: &mut Tree, kernel: &KernelFiles) -> Result<()> {
    let index = Index::read(&kernel.modules)?;
    let at_start: Vec<&str> = AT_START.iter().filter_map(|name| index.path_of(name)).collect();
    let on_demand = index.dependencies.keys().map(String::as_str).filter(|path| is_on_demand(path));
    index.add_files(tree, kernel, at_start.iter().copied().chain(on_demand))?;
    let inside = inside(kernel);
    for name in ["modules.dep", "modules.alias", "modules.symbols", "modules.builtin", "modules.order"] {
        let source = kernel.modules.join(name);
        if source.exists() {
            tree.file(inside.join(name), &source)?;
        }
    }
    list(tree, "/run/vmnet/modules", at_start);
    Ok(())
}

/// Adds modules that one run asks for, and what they depend on. An error names what this kernel does not have.
pub(super) fn add_requested(tree: &mut Tree, kernel: &KernelFiles, requested: &[String]) -> Result<()> {
    let index = Index::read(&kernel.modules)?;
    let mut paths = Vec::new();
    for name in requested {
        match index.path_of(name) {
            Some(path) => paths.push(path),
            None if index.is_built_in(name) => {}
            None => bail!("kernel {} has no module {name}", kernel.release),
        }
    }
    index.add_files(tree, kernel, paths.iter().copied())?;
    list(tree, "/run/vmnet/requested-modules", paths);
    Ok(())
}

fn inside(kernel: &KernelFiles) -> PathBuf {
    Path::new("/lib/modules").join(&kernel.release)
}

/// For the guest's modprobe, one name a line.
fn list(tree: &mut Tree, at: &str, paths: Vec<&str>) {
    let lines: String = paths.into_iter().map(|path| format!("{}\n", name_of(path))).collect();
    tree.text(at, &lines, 0o644);
}

fn is_on_demand(path: &str) -> bool {
    ON_DEMAND.iter().any(|directory| path.starts_with(directory))
        || path.strip_prefix(ON_DEMAND_ALONE).is_some_and(|rest| !rest.contains('/'))
}

struct Index {
    /// Path of a module, below `lib/modules/<release>`, to the paths of all it depends on (closed, as depmod writes).
    dependencies: BTreeMap<String, Vec<String>>,
    by_name: BTreeMap<String, String>,
    built_in: BTreeSet<String>,
}

impl Index {
    fn read(modules: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = modules.join(name);
            fs::read_to_string(&path).with_context(|| format!("{} could not be read", path.display()))
        };
        Ok(Self::parse(&read("modules.dep")?, &read("modules.builtin")?))
    }

    fn parse(dependencies: &str, built_in: &str) -> Self {
        let dependencies: BTreeMap<String, Vec<String>> = dependencies
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(path, needs)| (path.to_owned(), needs.split_whitespace().map(str::to_owned).collect()))
            .collect();
        let by_name = dependencies.keys().map(|path| (name_of(path), path.clone())).collect();
        Self { dependencies, by_name, built_in: built_in.lines().map(name_of).collect() }
    }

    fn path_of(&self, name: &str) -> Option<&str> {
        self.by_name.get(&name.replace('-', "_")).map(String::as_str)
    }

    fn is_built_in(&self, name: &str) -> bool {
        self.built_in.contains(&name.replace('-', "_"))
    }

    fn add_files<'a>(
        &'a self,
        tree: &mut Tree,
        kernel: &KernelFiles,
        paths: impl Iterator<Item = &'a str>,
    ) -> Result<()> {
        for path in self.with_dependencies(paths) {
            tree.file(inside(kernel).join(path), &kernel.modules.join(path))?;
        }
        Ok(())
    }

    fn with_dependencies<'a>(&'a self, paths: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let mut all = BTreeSet::new();
        for path in paths {
            all.insert(path);
            all.extend(self.dependencies.get(path).into_iter().flatten().map(String::as_str));
        }
        all
    }
}

/// `kernel/net/sched/sch_tbf.ko` is `sch_tbf`; the kernel does not tell `-` from `_`.
fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPENDENCIES: &str = "kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net_failover.ko kernel/net/core/failover.ko\n\
                                kernel/drivers/net/net_failover.ko: kernel/net/core/failover.ko\n\
                                kernel/net/core/failover.ko:\nkernel/net/sched/sch-odd.ko:\n";

    #[test]
    fn a_module_comes_with_everything_it_depends_on() {
        let index = Index::parse(DEPENDENCIES, "");
        let path = index.path_of("virtio_net").unwrap();
        assert_eq!(index.with_dependencies([path].into_iter()).len(), 3);
    }

    #[test]
    fn dashes_and_underscores_name_the_same_module() {
        let index = Index::parse(DEPENDENCIES, "kernel/net/packet/af_packet.ko\n");
        assert_eq!(index.path_of("sch_odd"), index.path_of("sch-odd"));
        assert!(index.is_built_in("af-packet"));
    }

    #[test]
    fn drivers_of_hardware_stay_out() {
        assert!(is_on_demand("kernel/drivers/net/veth.ko"));
        assert!(!is_on_demand("kernel/drivers/net/ethernet/intel/e1000/e1000.ko"));
    }
}
