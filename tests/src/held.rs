//! Every run with the exact hooks that a scenario makes is also seen as a light one would have seen it, and comes to the same.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use vmnet::model::hook::{Hook, HookState};
use vmnet::model::light::beside;
use vmnet::model::sample::Counting;
use vmnet::recording;

use crate::paths;

/// Holds the exact ledger of a recording against the light one of the same counters, with and without the hook on segmentation.
///
/// Nothing is held of a recording that cannot be read or has no end, nor of one with hooks switched off: its audit fails by intent.
pub fn light_beside_exact(bytes: &[u8]) -> Result<()> {
    let Ok(run) = recording::read(bytes) else { return Ok(()) };
    let sight = run.sight();
    let hooks = &sight.conditions.hooks;
    let switched_off = Hook::all().any(|hook| hooks[hook] == HookState::SwitchedOff);
    if run.end.is_none() || switched_off || sight.conditions.counting != Counting::Exact {
        return Ok(());
    }
    for segmentation in [true, false] {
        let hook = if segmentation { "with" } else { "without" };
        match beside(&run.window(&sight), segmentation) {
            None => {}
            Some(Ok(())) => println!("the light ledger, {hook} the segmentation hook: the same"),
            Some(Err(why)) => {
                let command = run.start.command.join(" ");
                let kept = keep(bytes)?;
                bail!(
                    "the light ledger, {hook} the segmentation hook, of `{command}`: {why}; the recording is {}",
                    kept.display()
                )
            }
        }
    }
    Ok(())
}

/// For whoever wants to know why.
fn keep(bytes: &[u8]) -> Result<PathBuf> {
    let directory = paths::testbed_cache().join("apart");
    fs::create_dir_all(&directory)?;
    let (_, path) =
        tempfile::Builder::new().prefix("run-").suffix(".vmnet").tempfile_in(&directory)?.keep()?;
    fs::write(&path, bytes)?;
    Ok(path)
}

/// The same of all recordings of a guest.
pub(crate) fn all<'a>(recordings: impl IntoIterator<Item = &'a Vec<u8>>) -> Result<()> {
    recordings.into_iter().enumerate().try_for_each(|(place, bytes)| {
        light_beside_exact(bytes).with_context(|| format!("recording {place}"))
    })
}
