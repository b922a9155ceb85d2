//! Kernel modules for the guest: what it loads at start, and what the kernel asks for by itself (`tc`, `ip link add`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::tree::Tree;
use crate::kernel::KernelFiles;

/// Loaded in every guest. What the kernel has built in is left out.
const AT_START: &[&str] = &["virtio_pci", "virtio_net", "virtio_console", "af_packet"];

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

/// Adds modules, what they depend on, and the indices by which modprobe finds them.
pub(super) fn add(tree: &mut Tree, kernel: &KernelFiles, requested: &[String]) -> Result<()> {
    let index = Index::read(&kernel.modules)?;
    let mut at_start = Vec::new();
    for name in AT_START.iter().copied().chain(requested.iter().map(String::as_str)) {
        match index.path_of(name) {
            Some(path) => at_start.push(path),
            None if index.is_built_in(name) => {}
            None if AT_START.contains(&name) => {}
            None => bail!("kernel {} has no module {name}", kernel.release),
        }
    }
    let on_demand = index.dependencies.keys().map(String::as_str).filter(|path| is_on_demand(path));
    let inside = Path::new("/lib/modules").join(&kernel.release);
    for path in index.with_dependencies(at_start.iter().copied().chain(on_demand)) {
        tree.file(inside.join(path), &kernel.modules.join(path))?;
    }
    for name in ["modules.dep", "modules.alias", "modules.symbols", "modules.builtin", "modules.order"] {
        let source = kernel.modules.join(name);
        if source.exists() {
            tree.file(inside.join(name), &source)?;
        }
    }
    let names: Vec<String> = at_start.iter().map(|path| name_of(path)).collect();
    tree.text("/run/vmnet/modules", &format!("{}\n", names.join("\n")), 0o644);
    Ok(())
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
