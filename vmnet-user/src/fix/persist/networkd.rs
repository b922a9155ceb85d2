//! systemd `.link` files (systemd.link(5)). Only the first one that matches applies, so a file of our own would take away
//! what the one in force does, down to the interface's name. Where that one is for this interface alone, it gets a drop-in
//! (in the manual since 249 at the latest, seen to work in 252). Where it is for others too, a drop-in would change them as
//! well: a file before it says, for this interface, all that it says.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::ini::{self, Dialect, Entry};
use super::link_match::Match;
use super::settings::link_key;
use super::{FileChange, Identity, LinkFile, PersistError, Settings, name, read};

const SYNTAX: &str = "a systemd .link file";
const OURS: &str = "etc/systemd/network";
const DROP_IN: &str = "90-vmnet.conf";
/// As systemd orders them: earlier ones win.
const DIRECTORIES: &[&str] = &[
    "etc/systemd/network",
    "run/systemd/network",
    "usr/local/lib/systemd/network",
    "usr/lib/systemd/network",
    "lib/systemd/network",
];
const HEADER: &str = "# Written by `vmnet fix --persist networkd`; `vmnet fix --undo` takes it back.\n";
const MODE: u32 = 0o644;

pub(super) fn plan(
    root: &Path,
    interface: &Identity,
    settings: &Settings,
) -> Result<FileChange, PersistError> {
    let Some(in_force) = in_force(root, interface)? else {
        let path = root.join(OURS).join(format!("90-vmnet-{}.link", name::for_file(&interface.name)));
        let text = format!("{HEADER}[Match]\n{}\n[Link]\n", matching(interface)?);
        let note = "a .link file of its own: no other one applies to this interface";
        refuse_if_masked_or_masking(
            root,
            DIRECTORIES.iter().map(|directory| (*directory).to_owned()),
            &path,
        )?;
        return assigned(path, &text, settings, note.to_owned());
    };
    let text = read::existing(&in_force)?;
    let said = said(root, &in_force, &text)?;
    if text.starts_with(HEADER) {
        return assigned(in_force, &text, settings, "added to what vmnet wrote before".to_owned());
    }
    if Match::of(&said).is_for_one_interface() {
        let path = root.join(OURS).join(format!("{}.d", file_name(&in_force))).join(DROP_IN);
        for later in drop_ins(root, &in_force)?.iter().filter(|known| known.file_name() > path.file_name()) {
            refuse_if_overruled(later, settings)?;
        }
        refuse_if_masked_or_masking(root, drop_in_directories(&in_force), &path)?;
        let note = format!("a drop-in for {}, which applies to this interface alone", shown(root, &in_force));
        return assigned(path, HEADER, settings, note);
    }
    let path = before(root, &in_force, interface)?;
    refuse_if_masked_or_masking(root, DIRECTORIES.iter().map(|directory| (*directory).to_owned()), &path)?;
    let mut text = format!(
        "{HEADER}# All that {} says, which applies to other interfaces too, and what is to be kept for this one.\n[Match]\n{}\n",
        shown(root, &in_force),
        matching(interface)?
    );
    append_without_match(&mut text, &said);
    let note = format!(
        "takes the place of {} for this interface, and says all that it says",
        shown(root, &in_force)
    );
    assigned(path, &text, settings, note)
}

/// The file, or what it begins as, with the settings in `[Link]`.
fn assigned(
    path: PathBuf,
    begins_as: &str,
    settings: &Settings,
    note: String,
) -> Result<FileChange, PersistError> {
    let before = read::text(&path)?;
    let mut after = before.clone().unwrap_or_else(|| begins_as.to_owned());
    for (key, value) in assignments(settings) {
        after = ini::set(&after, Dialect::Systemd, &path, "Link", key, &value)?;
    }
    Ok(FileChange { path, before, after, mode: MODE, note, reload: Vec::new() })
}

fn assignments(settings: &Settings) -> Vec<(&'static str, String)> {
    let mut all: Vec<(&'static str, String)> = Vec::new();
    for change in &settings.features {
        if let Some(key) = link_key(&change.feature)
            && !all.iter().any(|(known, _)| *known == key.systemd)
        {
            all.push((key.systemd, change.on.to_string()));
        }
    }
    all.extend(settings.gso_max_size.map(|bytes| ("GenericSegmentOffloadMaxBytes", bytes.to_string())));
    all.extend(
        settings.gso_max_segs.map(|segments| ("GenericSegmentOffloadMaxSegments", segments.to_string())),
    );
    all
}

/// What matches at boot, when the interface may still have the kernel's name. A vlan on top has the same address, but not
/// as its permanent one.
fn matching(interface: &Identity) -> Result<String, PersistError> {
    match &interface.permanent_mac {
        Some(mac) => Ok(format!("PermanentMACAddress={mac}")),
        None if !interface.renamed => Ok(format!("OriginalName={}", name::as_glob(&interface.name, SYNTAX)?)),
        None => Err(PersistError::NotConfiguredHere {
            why: format!(
                "{:?} was renamed and has no permanent address, so a .link file cannot tell it from others at boot",
                interface.name
            ),
            remedy: "use --persist udev".to_owned(),
        }),
    }
}

fn in_force(root: &Path, interface: &Identity) -> Result<Option<PathBuf>, PersistError> {
    match &interface.link_file {
        LinkFile::None => Ok(None),
        LinkFile::InForce(path) => {
            // What applied at boot may have been replaced by a file of the same name since, or a newer one may come first:
            // ours does, when a person calls twice.
            let reported = root.join(path.strip_prefix("/").unwrap_or(path));
            let files = unmasked(read::layered(root, DIRECTORIES, ".link")?)?;
            let own_name = format!("-vmnet-{}.link", name::for_file(&interface.name));
            let mut ours = None;
            for file in files.iter().filter(|file| file_name(file).ends_with(&own_name)) {
                // The name alone is anybody's.
                if ours.is_none() && read::existing(file)?.starts_with(HEADER) {
                    ours = Some(file);
                }
            }
            let replaced = files.iter().find(|file| file.file_name() == reported.file_name());
            match ours.or(replaced) {
                Some(file) => Ok(Some(file.clone())),
                // Masked or removed since: at the next boot it is another's turn.
                None => first_that_matches(root, interface),
            }
        }
        LinkFile::Unknown => first_that_matches(root, interface),
        LinkFile::NeverApplies => Err(PersistError::NotConfiguredHere {
            why: format!("udev applies no .link file to {:?}, a loopback interface", interface.name),
            remedy: "use --persist udev".to_owned(),
        }),
    }
}

/// Without udev: the first file whose `[Match]` fits.
fn first_that_matches(root: &Path, interface: &Identity) -> Result<Option<PathBuf>, PersistError> {
    for path in unmasked(read::layered(root, DIRECTORIES, ".link")?)? {
        let text = read::existing(&path)?;
        let wanted = Match::of(&said(root, &path, &text)?);
        if wanted.is_empty() {
            continue;
        }
        match wanted.fits(interface) {
            Ok(true) => return Ok(Some(path)),
            Ok(false) => {}
            Err(unknown) => {
                return Err(PersistError::NotConfiguredHere {
                    why: format!(
                        "udev does not say which .link file applies, and it cannot be determined whether {} does ({unknown})",
                        path.display()
                    ),
                    remedy: "run where udevadm works, or use --persist udev".to_owned(),
                });
            }
        }
    }
    Ok(None)
}

/// All that a `.link` file says, with its drop-ins.
fn said(root: &Path, link_file: &Path, text: &str) -> Result<Vec<Entry>, PersistError> {
    let mut said = ini::entries(text, Dialect::Systemd, link_file)?;
    for drop_in in drop_ins(root, link_file)? {
        said.extend(ini::entries(&read::existing(&drop_in)?, Dialect::Systemd, &drop_in)?);
    }
    Ok(said)
}

fn drop_ins(root: &Path, link_file: &Path) -> Result<Vec<PathBuf>, PersistError> {
    let directories: Vec<String> = drop_in_directories(link_file).collect();
    let directories: Vec<&str> = directories.iter().map(String::as_str).collect();
    unmasked(read::layered(root, &directories, ".conf")?)
}

fn drop_in_directories(link_file: &Path) -> impl Iterator<Item = String> {
    let name = file_name(link_file);
    DIRECTORIES.iter().map(move |directory| format!("{directory}/{name}.d"))
}

/// Those that say something. A mask has hidden its namesakes by now, and is read by nobody, with its drop-ins.
fn unmasked(files: Vec<PathBuf>) -> Result<Vec<PathBuf>, PersistError> {
    let mut kept = Vec::new();
    for file in files {
        if !read::is_mask(&file)? {
            kept.push(file);
        }
    }
    Ok(kept)
}

/// Somebody masked the very file that is to be written, and meant it; or it would hide another one of its name.
fn refuse_if_masked_or_masking(
    root: &Path,
    directories: impl Iterator<Item = String>,
    path: &Path,
) -> Result<(), PersistError> {
    let refused = |why: String, remedy: &str| {
        Err(PersistError::NotConfiguredHere { why, remedy: format!("{remedy}, or use --persist udev") })
    };
    if read::is_mask(path)? {
        return refused(
            format!("{} is masked (empty, or a link to /dev/null)", shown(root, path)),
            "remove it",
        );
    }
    let name = path.file_name().unwrap_or_default();
    let hidden = directories.map(|directory| root.join(directory).join(name)).find(|other| other.exists());
    match hidden {
        Some(other) if other != *path && !path.exists() => refused(
            format!("{} would mask {}, which vmnet did not write", shown(root, path), shown(root, &other)),
            "rename that one",
        ),
        _ => Ok(()),
    }
}

fn refuse_if_overruled(drop_in: &Path, settings: &Settings) -> Result<(), PersistError> {
    let entries = ini::entries(&read::existing(drop_in)?, Dialect::Systemd, drop_in)?;
    for (key, value) in assignments(settings) {
        if let Some(other) = ini::value(&entries, "Link", key)
            && !same(other, &value)
        {
            return Err(PersistError::Overruled {
                path: drop_in.to_path_buf(),
                what: format!("{key}={other}"),
                remedy: "take that line out".to_owned(),
            });
        }
    }
    Ok(())
}

/// `parse_boolean` of systemd takes more words than ours.
fn same(one: &str, other: &str) -> bool {
    let meaning = |word: &str| match word.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => "true".to_owned(),
        "0" | "no" | "n" | "false" | "f" | "off" => "false".to_owned(),
        other => other.to_owned(),
    };
    meaning(one) == meaning(other)
}

/// A file of ours that sorts before the one in force. None before that applies, or it would be the one in force.
fn before(root: &Path, in_force: &Path, interface: &Identity) -> Result<PathBuf, PersistError> {
    let theirs = file_name(in_force);
    ["90", "70", "50", "30", "10", "00", "0"]
        .iter()
        .map(|number| format!("{number}-vmnet-{}.link", name::for_file(&interface.name)))
        .find(|ours| ours.as_bytes() < theirs.as_bytes())
        .map(|ours| root.join(OURS).join(ours))
        .ok_or_else(|| PersistError::NotConfiguredHere {
            why: format!("no file name sorts before {theirs}, which applies to this interface and others"),
            remedy: "use --persist udev".to_owned(),
        })
}

fn append_without_match(text: &mut String, entries: &[Entry]) {
    let mut section = "Match";
    for entry in entries.iter().filter(|entry| entry.section != "Match") {
        if entry.section != section {
            section = &entry.section;
            let _ = write!(text, "\n[{section}]\n");
        }
        let _ = writeln!(text, "{}={}", entry.key, entry.value);
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn shown(root: &Path, path: &Path) -> String {
    format!("/{}", path.strip_prefix(root).unwrap_or(path).display())
}
