use std::fs;
use std::io::{Cursor, Read, Write as _};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use flate2::{Compression, write::GzEncoder};
use tar::{Builder, EntryType, Header};

use super::*;
use crate::model::glossary;
use crate::model::state::State;
use crate::report::kit::style::Style;

fn bounds() -> Bounds {
    Bounds { unpacked_bytes: 64 << 20, until: Instant::now() + Duration::from_secs(20) }
}

fn explained(text: &[u8]) -> ExplainReport {
    let report = stream(text, bounds()).unwrap();
    let json = serde_json::from_str(&report.to_text().unwrap()).unwrap();
    testbed::schema::validate(&json).unwrap();
    assert_eq!(testbed::report::unexplained_nulls(&json), Vec::<String>::new());
    report
}

fn recorded(name: &str) -> Vec<u8> {
    let file =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/explain/testdata").join(format!("{name}.txt"));
    fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// What the commands printed in guests whose state was known.
const RECORDED: [(&str, State, Option<&str>); 6] = [
    ("on-6.1", State::Engaged, None),
    ("off-6.1", State::Software, Some("turned-off")),
    ("no-csum-6.12", State::Software, Some("host-no-csum")),
    ("no-tso-5.10", State::Software, Some("host-no-tso")),
    ("csum-off-sid", State::Software, Some("csum-off")),
    ("vlan-6.1", State::Inconclusive, Some("qdisc-splits")),
];

#[test]
fn what_commands_printed_in_guests_names_the_state_and_the_cause() {
    for (name, state, cause) in RECORDED {
        let report = explained(&recorded(name));
        let first = &report.interfaces[0];
        assert_eq!(first.machine.device.name, "ens4", "{name}");
        assert_eq!((first.state, first.basis.is_empty()), (state, false), "{name}: {}", first.basis);
        assert_eq!(first.causes.first().map(|cause| cause.id.name()), cause, "{name}: {:?}", first.causes);
        assert!(
            first.ask.is_empty(),
            "{name}: nothing more is asked for than what was given: {:?}",
            first.ask
        );
        let text = crate::report::explain::answer(&report, &Style { width: 80, ..Style::PLAIN });
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn what_was_left_out_of_a_paste_is_no_cause() {
    let report = explained(b"tcp-segmentation-offload: off\n");
    let causes: Vec<_> = report.interfaces[0].causes.iter().map(|cause| cause.id.name()).collect();
    assert_eq!(causes, ["turned-off"], "of checksums nothing was said");
}

#[test]
fn a_directory_of_files_says_the_same_as_one_paste() {
    let directory = tempfile::tempdir().unwrap();
    let text = String::from_utf8(recorded("off-6.1")).unwrap();
    for answer in text.split("root@guest:~# ").skip(1) {
        let (command, said) = answer.split_once('\n').unwrap();
        fs::write(directory.path().join(command.replace(' ', "_")), said).unwrap();
    }
    let apart = super::directory(directory.path(), bounds()).unwrap();
    assert_eq!(apart.to_text().unwrap(), explained(text.as_bytes()).to_text().unwrap());
}

fn sosreport() -> Vec<u8> {
    let text = String::from_utf8(recorded("off-6.1")).unwrap();
    let mut tar = Builder::new(Vec::new());
    let mut put = |name: &str, said: &str| {
        let mut header = Header::new_gnu();
        header.set_size(said.len() as u64);
        header.set_mode(0o644);
        tar.append_data(
            &mut header,
            format!("sosreport-vm-2026-11-29-{}/{name}", "long".repeat(20)),
            said.as_bytes(),
        )
        .unwrap();
    };
    put("etc/hosts", "127.0.0.1 localhost\nFeatures for eth9:\ntx-tcp-segmentation: on\n");
    for answer in text.split("root@guest:~# ").skip(1) {
        let (command, said) = answer.split_once('\n').unwrap();
        let place = if command.starts_with("uname") { "kernel" } else { "networking" };
        put(&format!("sos_commands/{place}/{}", command.replace(' ', "_")), said);
    }
    tar.into_inner().unwrap()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn a_sosreport_says_the_same_packed_or_not_and_the_rest_of_it_is_not_read() {
    let expected = explained(&recorded("off-6.1")).to_text().unwrap();
    let tar = sosreport();
    assert_eq!(explained(&tar).to_text().unwrap(), expected);
    assert_eq!(explained(&gzipped(&tar)).to_text().unwrap(), expected);
    // As sos writes it.
    let xz = include_bytes!("testdata/sosreport-off-6.1.tar.xz");
    assert_eq!(explained(xz).to_text().unwrap(), expected);
    let unpacked = tempfile::tempdir().unwrap();
    tar::Archive::new(tar.as_slice()).unpack(unpacked.path()).unwrap();
    assert_eq!(directory(unpacked.path(), bounds()).unwrap().to_text().unwrap(), expected);
}

#[test]
fn a_torn_archive_says_what_it_holds_and_that_it_is_torn() {
    let tar = sosreport();
    let place = tar.windows(13).position(|part| part == b"tx-gso-robust").unwrap();
    let report = stream(&tar[..place], bounds()).unwrap();
    assert!(report.interfaces[0].machine.device.features.is_ok());
    assert!(!report.not_read.is_empty());
    for junk in [&b"\x1f\x8b\x08\0junk"[..], b"\xfd7zXZ\0junk", b"\x28\xb5\x2f\xfd", b"BZh9"] {
        let report = stream(junk, bounds()).unwrap();
        assert!(report.is_empty() && !report.not_read.is_empty(), "{junk:?}");
    }
}

#[test]
fn a_bomb_is_given_up() {
    struct Zeroes(u64);
    impl Read for Zeroes {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let read = buffer.len().min(usize::try_from(self.0).unwrap());
            buffer[..read].fill(b'a');
            self.0 -= read as u64;
            Ok(read)
        }
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    std::io::copy(&mut Zeroes(256 << 20), &mut gzip).unwrap();
    let report = stream(gzip.finish().unwrap().as_slice(), bounds()).unwrap();
    assert!(report.is_empty());
    // In a tar: an entry that says that it is huge, and a name that is.
    for kind in [EntryType::Regular, EntryType::GNULongName, EntryType::XHeader] {
        let mut header = Header::new_gnu();
        header.set_path("sos_commands/networking/ethtool_-k_ens4").unwrap();
        header.set_entry_type(kind);
        header.set_size(1 << 40);
        header.set_cksum();
        let all = Cursor::new(header.as_bytes().to_vec()).chain(Zeroes(1 << 40));
        let report = stream(all, Bounds { unpacked_bytes: 8 << 20, ..bounds() }).unwrap();
        assert!(!report.not_read.is_empty(), "{kind:?}");
    }
}

#[test]
fn links_and_pipes_of_a_directory_are_left_alone_and_those_of_an_archive_too() {
    let directory = tempfile::tempdir().unwrap();
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "Features for secret:\ntx-tcp-segmentation: on\n").unwrap();
    symlink(secret.path(), directory.path().join("ethtool_-k_ens4")).unwrap();
    symlink("/", directory.path().join("root")).unwrap();
    nix::unistd::mkfifo(&directory.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(super::directory(directory.path(), bounds()).unwrap().is_empty());

    let mut tar = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "sos_commands/networking/ethtool_-k_ens4", secret.path()).unwrap();
    assert!(stream(tar.into_inner().unwrap().as_slice(), bounds()).unwrap().is_empty());
}

#[test]
fn every_string_of_the_symptoms_page_is_explained_and_every_symptom_is_on_the_page() {
    let page = include_str!("../../../docs/symptoms.md");
    let pasted: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    assert!(pasted.len() > 8);
    for string in &pasted {
        let found = symptoms(string);
        assert!(found.iter().any(|symptom| symptom.pasted.contains(string)), "{string}: {found:?}");
    }
    for (string, _, command) in symptoms::SYMPTOMS {
        assert!(page.contains(string), "docs/symptoms.md does not have {string}");
        assert!(command.starts_with("sudo vmnet "));
    }
}

#[test]
fn a_line_of_a_capture_is_known_by_its_length_and_its_checksum() {
    let line = "12:00:01.5 IP 10.0.0.2.5001 > 10.0.0.1.80: Flags [.], cksum 0x1c3a (incorrect -> 0x9f1e), seq 1:64241, ack 1, win 502, length 64240";
    let found: Vec<String> = symptoms(line).into_iter().map(|symptom| symptom.pasted).collect();
    assert_eq!(found, ["length 64240", "(incorrect -> 0x"]);
    for short in
        ["IP a > b: Flags [.], seq 1:1449, ack 1, length 1448", "the length 99999 of a rope", "length"]
    {
        assert!(symptoms(short).is_empty(), "{short}");
    }
}

#[test]
fn the_glossary_is_made_from_the_register() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/glossary.md");
    let text = glossary::markdown();
    if std::env::var_os("VMNET_BLESS").is_some() {
        fs::write(&file, &text).unwrap();
    }
    assert!(fs::read_to_string(&file).unwrap() == text, "VMNET_BLESS=1 writes it anew");
}

#[test]
fn every_answer_of_the_readme_is_in_the_register() {
    let readme = include_str!("../../../README.md");
    let table = readme.lines().skip_while(|line| !line.starts_with("| answer | `--expect` |")).skip(2);
    let states: Vec<&str> = table
        .take_while(|line| line.starts_with("| "))
        .map(|row| row.split(" | ").nth(1).unwrap().trim_matches('`'))
        .collect();
    assert!(states.contains(&"engaged"), "{states:?}");
    for state in states {
        assert!(glossary::look_up(state).is_some(), "`vmnet explain {state}` knows nothing");
    }
}
