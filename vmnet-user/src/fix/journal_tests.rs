use std::{fs, os::unix::fs::PermissionsExt};

use proptest::prelude::*;

use super::*;
use crate::model::fix::testing::{any_device, device, tbf};

fn here() -> Here {
    Here { boot_id: "b".to_owned(), netns: 7, netns_cookie: Some(70), is_of_process_1: false }
}

fn journal() -> Journal {
    let mut before = device(&["tx-scatter-gather"], &["rx-gro"]);
    before.qdiscs.push(tbf(4_000, 100_000));
    Journal::new("fix", &here(), before, vec![9])
}

#[test]
fn only_root_can_read_it_and_nothing_else_is_left_beside() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("new/vmnet");
    let store = Store::open(&place).unwrap();
    let kept = store.keep(&[journal()]).unwrap();
    assert_eq!(kept, [(place.join("7-2.journal"), true)]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&place), mode(&kept[0].0)), (0o700, 0o600));
    let mut names: Vec<_> = fs::read_dir(&place)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["7-2.journal", "lock"]);
    assert_eq!(store.read(7, 2).unwrap(), Some(journal_as_written(&store)));
    assert_eq!(store.read(7, 3).unwrap(), None);
}

fn journal_as_written(store: &Store) -> Journal {
    let written = store.read(7, 2).unwrap().unwrap().written;
    Journal { written, ..journal() }
}

#[test]
fn the_first_before_is_kept_and_later_qdiscs_are_added() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let first = Journal { before: device(&[], &[]), also: vec![], ..journal() };
    store.keep(std::slice::from_ref(&first)).unwrap();
    let second = journal();
    assert!(!store.keep(std::slice::from_ref(&second)).unwrap()[0].1);
    let kept = store.read(7, 2).unwrap().unwrap();
    assert_eq!(kept.before.features, first.before.features);
    assert_eq!((kept.before.qdiscs, kept.also), (second.before.qdiscs, second.also));
    // A boot makes it obsolete.
    let rebooted = Journal { boot_id: "c".to_owned(), ..journal() };
    assert!(store.keep(std::slice::from_ref(&rebooted)).unwrap()[0].1);
    assert_eq!(store.read(7, 2).unwrap().unwrap().before, rebooted.before);
}

#[test]
fn one_index_with_two_names_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    store.keep(&[journal()]).unwrap();
    let mut renamed = journal();
    renamed.before.name = "other0".to_owned();
    let error = store.keep(&[renamed]).unwrap_err().to_string();
    assert!(
        error.contains("ens4") && error.contains("other0") && error.contains("Nothing was changed"),
        "{error}"
    );
}

#[test]
fn two_at_once_are_one_too_many() {
    let directory = tempfile::tempdir().unwrap();
    let held = Store::open(directory.path()).unwrap();
    let error = Store::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains(&format!("(process {})", std::process::id())), "{error}");
    drop(held);
    Store::open(directory.path()).unwrap();
}

#[test]
fn a_journal_cut_off_anywhere_is_damaged_and_says_where() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let path = store.keep(&[journal()]).unwrap()[0].0.clone();
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let error = store.read(7, 2).unwrap_err();
        assert!(matches!(error, JournalError::Damaged { .. }), "{length} of {}: {error}", whole.len());
        let said = error.to_string();
        assert!(said.contains("7-2.journal") && said.contains("line "), "{said}");
        // Nor is it overwritten.
        assert!(store.keep(&[journal()]).is_err());
    }
}

#[test]
fn a_version_of_the_future_is_not_guessed_at() {
    let text = journal().to_text().unwrap().replace("\"vmnet_journal\":1", "\"vmnet_journal\":2");
    assert!(Journal::parse(&text).unwrap_err().contains("version is 2"));
}

#[test]
fn a_journal_of_before_there_were_channels_in_it_can_be_read() {
    let text = journal().to_text().unwrap();
    let mut body: serde_json::Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    let before = body["before"].as_object_mut().unwrap();
    assert!(before.remove("channels").is_some() && before.remove("xps").is_some());
    let body = body.to_string();
    let header =
        Header { vmnet_journal: VERSION, crc32: format!("{:08x}", crc32fast::hash(body.as_bytes())) };
    let old = format!("{}\n{body}\n", serde_json::to_string(&header).unwrap());
    assert_eq!(Journal::parse(&old), Journal::parse(&text));
}

#[test]
fn what_stands_in_its_place_is_no_journal() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let path = store.path(7, 2);
    std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
    assert!(matches!(store.read(7, 2), Err(JournalError::CannotRead { .. })));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(store.read(7, 2).is_err());
    assert!(store.list().unwrap().0[0].1.is_err());
}

fn experiment() -> Journal {
    Journal::new("ab", &here(), device(&["tx-scatter-gather"], &[]), Vec::new())
}

#[test]
fn an_experiment_has_a_journal_beside_that_of_a_fix_and_nothing_is_kept_over_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    store.keep(&[journal()]).unwrap();
    let path = store.keep_for_experiment(&experiment()).unwrap();
    assert_eq!(path, directory.path().join("7-2-ab.journal"));
    let (fixes, experiments) = store.list().unwrap();
    assert_eq!((fixes.len(), experiments.len()), (1, 1));
    for refused in
        [store.keep(&[journal()]).unwrap_err(), store.keep_for_experiment(&experiment()).unwrap_err()]
    {
        let said = refused.to_string();
        assert!(said.contains("ens4") && said.contains("`sudo vmnet restore`"), "{said}");
    }
    // Of another device, and after a boot, it stands in nobody's way.
    let mut other = journal();
    other.before.ifindex = 3;
    store.keep(&[other]).unwrap();
    let rebooted = Journal { boot_id: "c".to_owned(), ..experiment() };
    store.keep_for_experiment(&rebooted).unwrap();
}

#[test]
fn an_experiment_was_interrupted_only_where_nobody_holds_the_journals_any_more() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(unfinished(&directory.path().join("nowhere"), "b"), []);
    let store = Store::open(directory.path()).unwrap();
    store.keep(&[journal()]).unwrap();
    let path = store.keep_for_experiment(&experiment()).unwrap();
    assert_eq!(unfinished(directory.path(), "b"), [], "it goes on");
    let said = going_on(directory.path(), "b")[0].to_string();
    let process = format!("(process {})", std::process::id());
    assert!(said.contains("an experiment on ens4 is going on") && said.contains(&process), "{said}");
    assert_eq!(going_on(directory.path(), "c"), [], "of this boot");
    drop(store);
    assert_eq!(going_on(directory.path(), "b"), []);
    let left = unfinished(directory.path(), "b");
    assert_eq!(
        left.iter().map(|left| (&left.interface[..], &left.path)).collect::<Vec<_>>(),
        [("ens4", &path)]
    );
    assert_eq!(unfinished(directory.path(), "c"), [], "a boot undid it");
    fs::write(&path, "not a journal").unwrap();
    assert_eq!(unfinished(directory.path(), "b"), [], "restore tells what is wrong with it");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_written_is_what_is_read(before in any_device(), name in "\\PC{1,15}", also in proptest::collection::vec(any::<u32>(), 0..4)) {
        let journal = Journal::new("fix", &here(), DeviceState { name, ..before }, also);
        prop_assert_eq!(Journal::parse(&journal.to_text().unwrap()), Ok(journal));
    }

    #[test]
    fn a_changed_byte_is_noticed(at in 0usize..2000, bit in 0u8..8) {
        let journal = Journal { written: "now".to_owned(), ..journal() };
        let mut bytes = journal.to_text().unwrap().into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // A hexadecimal digit of the checksum may change its case, which is no other number but is told all the same.
        prop_assert!(Journal::parse(&text).is_err());
    }
}
