//! Files that set an interface up at boot may hold anything. What sets offloads is found in them or not; a plan to keep settings is made or
//! refused. One that is made changes what it says, leaves nothing for a second one to do, and is taken back to the last byte.
//!
//! The input is several files, each behind a line `== PATH` with one of [`PATHS`]; a line `== PATH -> /dev/null` masks.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use tempfile::TempDir;

use crate::device::setters::{self, Target};
use crate::fix::persist::{self, Form, Identity, LinkFacts, LinkFile, PersistError, Settings};
use crate::model::cause::{Action, FeatureChange};

/// One or two of each kind that is read, so that one hides, masks, or comes before the other.
const PATHS: [&str; 16] = [
    "etc/systemd/network/10-a.link",
    "etc/systemd/network/99-default.link",
    "etc/systemd/network/99-default.link.d/90-vmnet.conf",
    "etc/systemd/network/99-default.link.d/95-b.conf",
    "etc/systemd/network/90-vmnet-ens4.link",
    "usr/lib/systemd/network/10-a.link",
    "usr/lib/systemd/network/99-default.link",
    "etc/netplan/50-a.yaml",
    "etc/netplan/90-vmnet-ens4.yaml",
    "etc/netplan/99-b.yaml",
    "etc/NetworkManager/system-connections/lan.nmconnection",
    "etc/udev/rules.d/90-vmnet-ens4.rules",
    "etc/cloud/cloud.cfg.d/90_vmnet_ens4.cfg",
    "etc/cloud/cloud.cfg.d/50-a.cfg",
    "etc/network/interfaces",
    "etc/rc.local",
];
/// What each form needs to be there.
const PROGRAM: &str = "usr/sbin/ethtool";
const HEAD: &str = "== ";
const MASK: &str = " -> /dev/null";

pub(super) fn any(bytes: &[u8]) {
    // In memory, where there is such a place: it is made and taken away thousands of times.
    let shared_memory = Path::new("/dev/shm");
    let root = if shared_memory.is_dir() { TempDir::new_in(shared_memory) } else { TempDir::new() };
    let root = root.expect("a directory");
    let root = root.path();
    put(root, PROGRAM, b"");
    fs::create_dir_all(root.join("etc/cloud")).expect("a directory");
    for (path, content) in files(bytes) {
        match content {
            Some(content) => put(root, path, content),
            None => mask(root, path),
        }
    }
    find(root);
    for interface in [interface(true), interface(false)] {
        for form in Form::value_variants() {
            keep(root, *form, &interface);
        }
    }
}

/// None is a mask.
fn files(bytes: &[u8]) -> BTreeMap<&'static str, Option<&[u8]>> {
    let mut found = BTreeMap::new();
    let mut rest = bytes;
    let mut at: Option<&str> = None;
    let mut begins = rest;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
        let (line, behind) = rest.split_at(end);
        let head = str::from_utf8(line).ok().and_then(|line| line.trim_end().strip_prefix(HEAD));
        if head.is_some() || line.is_empty() {
            if let Some(path) = at {
                found.insert(path, Some(&begins[..begins.len() - rest.len()]));
            }
            let Some(head) = head else { return found };
            let masked = head.strip_suffix(MASK);
            at = PATHS.into_iter().find(|path| *path == masked.unwrap_or(head));
            if let (Some(path), Some(_)) = (at, masked) {
                found.insert(path, None);
                at = None;
            }
            begins = behind;
        }
        rest = behind;
    }
}

fn put(root: &Path, path: &str, content: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
    fs::write(path, content).expect("room");
}

fn mask(root: &Path, path: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
    symlink("/dev/null", path).expect("room");
}

fn find(root: &Path) {
    let target = Target {
        names: vec!["ens4".to_owned()],
        mac_address: Some("52:54:00:12:34:56".to_owned()),
        driver: Some("virtio_net".to_owned()),
        kind: None,
    };
    let (found, unread) = setters::find_below(root, &target);
    for setter in found {
        let text = fs::read(root.join(setter.path.trim_start_matches('/'))).expect("it was read");
        let text = String::from_utf8_lossy(&text);
        // As YAML counts; there are no fewer.
        let lines = text.lines().flat_map(|line| line.split('\r')).count();
        assert!((1..=lines).contains(&(setter.line as usize)), "{setter:?} of {lines} lines");
        assert!(setter.text.chars().count() <= 300);
    }
    assert!(unread.iter().all(|why| !why.is_empty()));
}

fn interface(renamed: bool) -> Identity {
    let mac = Some("52:54:00:12:34:56".to_owned());
    Identity {
        name: "ens4".to_owned(),
        permanent_mac: mac.clone().filter(|_| renamed),
        mac,
        driver: Some("virtio_net".to_owned()),
        renamed,
        link_file: LinkFile::Unknown,
        facts: LinkFacts::default(),
        nm_profile_uuid: None,
    }
}

fn settings() -> Settings {
    let change = |feature: &str, on| FeatureChange { feature: feature.to_owned(), on };
    let changes = vec![change("tx-tcp-segmentation", true), change("tx-tcp6-segmentation", false)];
    Settings::of(&[Action::Features { interface: "ens4".to_owned(), changes }], "ens4")
}

fn keep(root: &Path, form: Form, interface: &Identity) {
    let before = tree(root);
    let planned = persist::plan(form, root, interface, &settings());
    assert_eq!(tree(root), before, "planning changes nothing");
    let plan = match planned {
        Ok(plan) => plan,
        Err(error) => return super::is_told(&error.to_string()),
    };
    plan.changes.iter().for_each(|change| super::is_plain(&change.diff()));
    let written = match persist::write(&plan) {
        Ok(written) => written,
        Err(error) => {
            assert!(!matches!(error, PersistError::NotPutBack { .. }), "{error}");
            return assert_eq!(tree(root), before, "{error}");
        }
    };
    let again = persist::plan(form, root, interface, &settings()).expect("what it wrote it can read");
    assert_eq!(again.changes, [], "a second plan has nothing to do");
    persist::undo(&written).expect("nobody changed it since");
    assert_eq!(tree(root), before, "{form:?} is taken back");
}

/// Every file below, and every directory.
fn tree(root: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory").flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
            if kind.is_dir() {
                directories.push(path.clone());
                found.insert(path, None);
            } else {
                let content =
                    if kind.is_symlink() { b"a link".to_vec() } else { fs::read(&path).expect("a file") };
                found.insert(path, Some(content));
            }
        }
    }
    found
}
