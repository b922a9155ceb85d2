//! Every seed, and seeds that were changed here and there, in the same way each time.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use testbed::fuzz::{self, Seed};

use super::TARGETS;

/// How often a target's seeds are changed: as often as takes a second or two.
const CHANGED: [(&str, u32); 7] = [
    ("recording", 12),
    ("counters", 12),
    ("documents", 60),
    ("explain", 60),
    ("netlink", 2_000),
    ("configuration", 60),
    ("benchmark", 2_000),
];

/// One change of an input.
#[derive(Clone, Debug)]
enum Edit {
    Byte(u8),
    Flip(u8),
    Number(u64),
    Insert(Vec<u8>),
    Remove(usize),
    Repeat(usize),
    End,
}

/// Where lengths and counts go wrong.
const NUMBERS: [u64; 8] = [0, 1, 127, 255, 65_535, 0x7fff_ffff, 0xffff_ffff, u64::MAX];

fn edit() -> impl Strategy<Value = (Index, Edit)> {
    let edit = prop_oneof![
        4 => any::<u8>().prop_map(Edit::Byte),
        4 => (0..8_u8).prop_map(|bit| Edit::Flip(1 << bit)),
        4 => proptest::sample::select(&NUMBERS[..]).prop_map(Edit::Number),
        2 => proptest::collection::vec(any::<u8>(), 1..16).prop_map(Edit::Insert),
        2 => (1..64_usize).prop_map(Edit::Remove),
        2 => (1..256_usize).prop_map(Edit::Repeat),
        1 => Just(Edit::End),
    ];
    (any::<Index>(), edit)
}

fn changed(seed: &[u8], edits: &[(Index, Edit)]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for (at, edit) in edits.iter().filter(|_| !seed.is_empty()) {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        let end = |length: usize| (at + length).min(bytes.len());
        match edit {
            Edit::Byte(byte) => bytes[at] = *byte,
            Edit::Flip(bit) => bytes[at] ^= bit,
            Edit::Number(number) => {
                let end = end(8);
                bytes[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
            }
            Edit::Insert(more) => drop(bytes.splice(at..at, more.iter().copied())),
            Edit::Remove(length) => drop(bytes.drain(at..end(*length))),
            Edit::Repeat(length) => {
                let piece = bytes[at..end(*length)].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            Edit::End => bytes.truncate(at),
        }
    }
    bytes
}

fn changes_do_no_harm(target: &str) {
    let (_, look) = TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let seeds = fuzz::seeds(target).unwrap();
    for Seed { name, bytes } in &seeds {
        println!("{target}/{name}");
        look(bytes);
    }
    let (_, cases) = CHANGED.iter().find(|(name, _)| *name == target).unwrap();
    let config =
        Config { cases: *cases, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..Config::default() };
    let inputs = (any::<Index>(), proptest::collection::vec(edit(), 1..12));
    let tried = TestRunner::new(config).run(&inputs, |(seed, edits)| {
        look(&changed(&seed.get(&seeds).bytes, &edits));
        Ok(())
    });
    tried.unwrap_or_else(|failure| panic!("{target}: {failure}"));
}

#[test]
fn every_target_is_the_fuzzers_and_has_its_share() {
    let names = TARGETS.map(|(name, _)| name);
    assert_eq!(fuzz::TARGETS.map(|(name, _)| name), names);
    assert_eq!(CHANGED.map(|(name, _)| name), names);
    for name in names {
        let file = testbed::paths::workspace().join(format!("fuzz/fuzz_targets/{name}.rs"));
        assert!(std::fs::read_to_string(file).unwrap().contains(&format!("look(\"{name}\"")), "{name}");
    }
}

#[test]
fn recordings_do_no_harm() {
    changes_do_no_harm("recording");
}

#[test]
fn counters_do_no_harm() {
    changes_do_no_harm("counters");
}

#[test]
fn documents_do_no_harm() {
    changes_do_no_harm("documents");
}

#[test]
fn pastes_do_no_harm() {
    changes_do_no_harm("explain");
}

#[test]
fn answers_of_a_kernel_do_no_harm() {
    changes_do_no_harm("netlink");
}

#[test]
fn configuration_does_no_harm() {
    changes_do_no_harm("configuration");
}

#[test]
fn what_benchmarks_print_does_no_harm() {
    changes_do_no_harm("benchmark");
}
