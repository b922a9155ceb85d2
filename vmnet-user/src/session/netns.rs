//! Entering a network namespace, as `ip netns exec` does: `/sys` is mounted anew, for it shows the interfaces of the
//! namespace that it was mounted in.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
};
use thiserror::Error;

use crate::device::{
    links::{LinkId, LinkReader},
    namespaces::NAMED,
};

/// Why a namespace could not be entered.
#[derive(Debug, Error)]
pub enum NetnsError {
    /// None, or a special one.
    #[error("{0:?} is neither the name of a network namespace nor a path to one nor a process")]
    BadName(String),
    /// No such namespace.
    #[error("cannot open network namespace {name}: {source}; there are: {there}")]
    NotFound {
        /// As asked for.
        name: String,
        /// What the kernel answered.
        source: std::io::Error,
        /// Those in `/run/netns`.
        there: String,
    },
    /// The kernel refused.
    #[error("cannot {what} network namespace {name}: {source}; it takes root")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// The namespace.
        name: String,
        /// What the kernel answered.
        source: nix::Error,
    },
}

const CLASS_NET: &str = "/sys/class/net";

/// Has this process see the interfaces of a namespace, its own where none is named, in `/sys` as well. Call it before threads are started.
///
/// # Errors
/// As [`enter`].
pub fn be_in(netns: Option<&str>) -> Result<(), NetnsError> {
    match netns {
        Some(name) => enter(name),
        None => {
            see_own_sys();
            Ok(())
        }
    }
}

/// Does something on a thread of its own that is in another namespace, and sees its interfaces in `/sys`. Sockets that are opened there stay
/// there wherever they are used.
///
/// # Errors
/// As [`be_in`]. It takes root.
pub(crate) fn within<T: Send>(path: &Path, work: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
    let name = path.to_string_lossy();
    let not_found = |source| NetnsError::NotFound { name: name.clone().into_owned(), source, there: there() };
    let file = File::open(path).map_err(not_found)?;
    std::thread::scope(|scope| {
        let entered = scope.spawn(|| {
            setns(file, CloneFlags::CLONE_NEWNET).map_err(|source| NetnsError::Refused {
                what: "enter",
                name: name.clone().into_owned(),
                source,
            })?;
            show_its_own_sys(&name)?;
            Ok(work())
        });
        entered.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Moves this process into the namespace: one that `ip netns` knows by name, a path to one (`/proc/4711/ns/net`), or that of a process, by its
/// number.
fn enter(name: &str) -> Result<(), NetnsError> {
    let not_found = |source| NetnsError::NotFound { name: name.to_owned(), source, there: there() };
    let file = File::open(path_of(name)?).map_err(not_found)?;
    setns(file, CloneFlags::CLONE_NEWNET).map_err(|source| NetnsError::Refused {
        what: "enter",
        name: name.to_owned(),
        source,
    })?;
    show_its_own_sys(name)
}

/// Where a namespace is opened, by what people call it.
fn path_of(name: &str) -> Result<PathBuf, NetnsError> {
    let named = PathBuf::from(NAMED).join(name);
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    match name {
        "" | "." | ".." => Err(NetnsError::BadName(name.to_owned())),
        path if path.contains('/') => Ok(PathBuf::from(path)),
        _ if is_number && !named.exists() => Ok(PathBuf::from(format!("/proc/{name}/ns/net"))),
        _ => Ok(named),
    }
}

/// Mounts `/sys` anew where it shows another namespace's interfaces, as behind `nsenter -n`, which leaves the mounts as they are. What
/// cannot be mounted stays as it is.
fn see_own_sys() {
    if let Ok(links) = LinkReader::open().and_then(|mut links| links.list())
        && !shows(Path::new(CLASS_NET), &links)
    {
        let _ = show_its_own_sys("this");
    }
}

/// Whether a directory as `/sys/class/net` is about these interfaces.
fn shows(class_net: &Path, links: &[LinkId]) -> bool {
    let index = |link: &LinkId| std::fs::read_to_string(class_net.join(&link.name).join("ifindex"));
    links.iter().all(|link| index(link).is_ok_and(|index| index.trim() == link.ifindex.to_string()))
}

fn show_its_own_sys(name: &str) -> Result<(), NetnsError> {
    let refused = |what| move |source| NetnsError::Refused { what, name: name.to_owned(), source };
    unshare(CloneFlags::CLONE_NEWNS).map_err(refused("make a mount namespace for"))?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none)
        .map_err(refused("detach the mounts of"))?;
    // Not being able to take the old one away does no harm: the new one covers it.
    let _ = umount2("/sys", MntFlags::MNT_DETACH);
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none).map_err(refused("mount /sys for"))
}

fn there() -> String {
    let mut names: Vec<String> = std::fs::read_dir(NAMED)
        .map(|entries| {
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        })
        .unwrap_or_default();
    names.sort_unstable();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_told_by_name_by_path_and_by_process() {
        let of = |name: &str| path_of(name).map(|path| path.to_string_lossy().into_owned()).ok();
        assert_eq!(of("blue").as_deref(), Some("/run/netns/blue"));
        assert_eq!(of("/proc/7/ns/net").as_deref(), Some("/proc/7/ns/net"));
        assert_eq!(of("4711").as_deref(), Some("/proc/4711/ns/net"));
        for name in ["", ".", ".."] {
            assert!(matches!(enter(name), Err(NetnsError::BadName(_))), "{name}");
        }
        // A file that is no namespace.
        assert!(enter("/proc/self/status").is_err());
    }

    #[test]
    fn a_sys_of_another_namespace_is_known_by_its_numbers() {
        let class_net = tempfile::tempdir().unwrap();
        let link =
            |name: &str, ifindex| LinkId { name: name.to_owned(), ifindex, alternative_names: Vec::new() };
        for (name, ifindex) in [("lo", "1\n"), ("eth0", "7\n")] {
            std::fs::create_dir(class_net.path().join(name)).unwrap();
            std::fs::write(class_net.path().join(name).join("ifindex"), ifindex).unwrap();
        }
        assert!(shows(class_net.path(), &[link("lo", 1), link("eth0", 7)]));
        assert!(!shows(class_net.path(), &[link("lo", 1), link("eth0", 2)]));
        assert!(!shows(class_net.path(), &[link("lo", 1), link("eth1", 7)]));
    }
}
