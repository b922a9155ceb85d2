//! Programs, maps and links in the kernel that no process holds: what outlives whoever loaded it.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

use aya::maps::loaded_maps;
use aya::programs::{loaded_links, loaded_programs};

/// The kernel frees a program a moment after its last user, and a machine that is busy takes more than one.
const FREED_WITHIN: Duration = Duration::from_secs(20);

/// What is loaded, by kind and id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Loaded(BTreeSet<Object>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Object {
    kind: Kind,
    id: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Program,
    Map,
    Link,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BPF {} {}", format!("{:?}", self.kind).to_lowercase(), self.id)
    }
}

impl Loaded {
    /// All of this machine's. Those that go while they are listed are left out.
    pub(super) fn now() -> Self {
        let programs =
            loaded_programs().flatten().map(|program| Object { kind: Kind::Program, id: program.id() });
        let maps = loaded_maps().flatten().map(|map| Object { kind: Kind::Map, id: map.id() });
        let links = loaded_links().flatten().map(|link| Object { kind: Kind::Link, id: link.id() });
        Self(programs.chain(maps).chain(links).collect())
    }

    /// What has come since and is nobody's. Waits for the kernel to free what is on its way out; what other processes hold, of whoever
    /// else measures on this machine, is theirs.
    pub(super) fn left_since(&self) -> Vec<String> {
        let started = Instant::now();
        let mut left = self.nobodys();
        while !left.is_empty() && started.elapsed() < FREED_WITHIN {
            std::thread::sleep(Duration::from_millis(100));
            // What others let go of meanwhile is not looked at.
            let still = self.nobodys();
            left.retain(|object| still.contains(object));
        }
        left.iter().map(|object| format!("{object} is left, and no process holds it")).collect()
    }

    fn nobodys(&self) -> BTreeSet<Object> {
        let mut new: BTreeSet<Object> = Self::now().0.difference(&self.0).copied().collect();
        if !new.is_empty() {
            let mut held = held();
            held.extend(maps_of(&held));
            new.retain(|object| !held.contains(object));
        }
        new
    }
}

/// What processes hold by a file descriptor, as `/proc/PID/fdinfo` says.
fn held() -> BTreeSet<Object> {
    let mut held = BTreeSet::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        for info in fs::read_dir(process.path().join("fdinfo")).into_iter().flatten().flatten() {
            let text = fs::read_to_string(info.path()).unwrap_or_default();
            held.extend(text.lines().filter_map(object_of));
        }
    }
    held
}

/// Of a line such as `prog_id: 42`.
fn object_of(line: &str) -> Option<Object> {
    let (name, id) = line.split_once(':')?;
    let kind = match name {
        "prog_id" => Kind::Program,
        "map_id" => Kind::Map,
        "link_id" => Kind::Link,
        _ => return None,
    };
    Some(Object { kind, id: id.trim().parse().ok()? })
}

/// A program holds its maps.
fn maps_of(held: &BTreeSet<Object>) -> Vec<Object> {
    let of_held = loaded_programs()
        .flatten()
        .filter(|program| held.contains(&Object { kind: Kind::Program, id: program.id() }));
    let ids = of_held.filter_map(|program| program.map_ids().ok().flatten()).flatten();
    ids.map(|id| Object { kind: Kind::Map, id }).collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
    use std::os::unix::ffi::OsStrExt as _;
    use std::process::Command;

    use super::*;
    use crate::command::output;
    use crate::{skip, skip_unless};

    /// `bpf(2)`, of whose attributes only the first so many bytes are given.
    fn bpf(command: i32, attributes: &[u8]) -> std::io::Result<i64> {
        // SAFETY: the kernel reads that many bytes, which are there, and pointers in them outlive the call.
        let done = unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_ptr(), attributes.len()) };
        if done < 0 { Err(std::io::Error::last_os_error()) } else { Ok(done) }
    }

    /// An array of one word.
    fn map() -> OwnedFd {
        const MAP_CREATE: i32 = 0;
        // map_type BPF_MAP_TYPE_ARRAY, key_size, value_size, max_entries.
        let attributes: Vec<u8> = [2_u32, 4, 8, 1].iter().flat_map(|word| word.to_ne_bytes()).collect();
        let descriptor = bpf(MAP_CREATE, &attributes).unwrap();
        // SAFETY: the kernel made it just now, and nobody else has it.
        unsafe { OwnedFd::from_raw_fd(i32::try_from(descriptor).unwrap()) }
    }

    #[test]
    fn a_map_that_is_pinned_and_held_by_nobody_is_found() {
        const OBJ_PIN: i32 = 6;
        skip_unless!(skip::root());
        let directory = tempfile::tempdir().unwrap();
        output(Command::new("mount").args(["-t", "bpf", "bpf"]).arg(directory.path())).unwrap();
        let before = Loaded::now();
        let map = map();
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", map.as_raw_fd())).unwrap();
        let object = info.lines().find_map(object_of).unwrap();
        assert!(Loaded::now().0.contains(&object) && !before.nobodys().contains(&object));
        let path = CString::new(directory.path().join("left").as_os_str().as_bytes()).unwrap();
        let mut attributes = (path.as_ptr() as u64).to_ne_bytes().to_vec();
        attributes.extend(u32::try_from(map.as_raw_fd()).unwrap().to_ne_bytes());
        bpf(OBJ_PIN, &attributes).unwrap();
        drop(map);
        assert!(before.nobodys().contains(&object));
        output(Command::new("umount").arg(directory.path())).unwrap();
        let told = format!("{object} is left, and no process holds it");
        assert!(!before.left_since().contains(&told));
    }

    #[test]
    fn what_a_descriptor_holds_is_read_from_its_lines() {
        let of = |line| object_of(line).map(|object| object.to_string());
        assert_eq!(of("prog_id:\t42").as_deref(), Some("BPF program 42"));
        assert_eq!(of("map_id:\t7").as_deref(), Some("BPF map 7"));
        assert_eq!(of("link_id:\t1").as_deref(), Some("BPF link 1"));
        assert_eq!(of("prog_tag:\tabc"), None);
        assert_eq!(of("pos:\t0"), None);
    }
}
