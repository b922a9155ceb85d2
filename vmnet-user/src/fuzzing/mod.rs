//! What holds for any input, one function a reader: the fuzzer's targets, and an ordinary test that needs no fuzzer. No build of vmnet has it.
//!
//! A new target is a file here with a function of bytes, a line in [`TARGETS`], its seeds (`testbed::fuzz`), and a file in `fuzz/fuzz_targets`.

#![allow(clippy::expect_used, clippy::panic, reason = "what does not hold is a finding")]

mod benchmark;
mod configuration;
mod counters;
mod documents;
mod explain;
mod netlink;
mod recording;
#[cfg(test)]
mod tests;

/// What is done with an input; it panics where something does not hold.
pub type Body = fn(&[u8]);

/// Name and body of each.
pub const TARGETS: [(&str, Body); 7] = [
    ("recording", recording::any),
    ("counters", counters::any),
    ("documents", documents::any),
    ("explain", explain::any),
    ("netlink", netlink::any),
    ("configuration", configuration::any),
    ("benchmark", benchmark::any),
];

/// The body of a target.
///
/// # Panics
/// When what should hold does not, or there is no such target.
pub fn look(target: &str, bytes: &[u8]) {
    let (_, body) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target");
    body(bytes);
}

/// An error says something. What it quotes is made harmless where it is printed (`cli::main`).
fn is_told(error: &str) {
    assert!(!error.is_empty());
}

/// Words for a terminal: none of its controls, whoever wrote the input.
fn is_plain(text: &str) {
    let control = text.chars().find(|letter| letter.is_control() && *letter != '\n');
    assert_eq!(control, None, "{text:?}");
}
