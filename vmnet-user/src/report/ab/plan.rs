//! What is going to be done, before anything is touched.

use super::lines::{section, verbatim};
use super::text::told_commands;
use super::validity::guards as all_guards;
use super::words::role;
use crate::model::experiment::{Design, FEWEST_BLOCKS, Guards, Role};
use crate::report::kit::format;
use crate::report::kit::format::plural;
use crate::report::kit::style::{Style, Tone};
use crate::stats::smallest_visible_for;

/// Standard deviations of one trial's figure for which it is told what would be seen, in percent: a quiet machine, an ordinary cloud, a noisy one.
const NOISE_PERCENT: [f64; 3] = [1.0, 3.0, 10.0];

/// All that is known before the first trial. `commands` are each arm's, in the order of the arms; `trial_s` is how long a trial takes, where that is known.
#[must_use]
pub fn plan(
    interface: &str,
    design: &Design,
    guards: &Guards,
    commands: &[Vec<String>],
    warm_up_rule: &str,
    trial_s: Option<f64>,
    style: &Style,
) -> String {
    let mut text = style.paragraph(
        &format!("{}  ", style.paint(Tone::Heading, "PLAN")),
        &style.data(&format!("{}: {}", format::shortened(interface, 32), size(design, trial_s))),
    );
    text += &section(style, "ARMS", &arms(design));
    text += &verbatim(style, "SET", &set(design, commands));
    text += &section(style, "ORDER", &order(design));
    text += &section(style, "LEFT OUT", &[warm_up_rule.to_owned()]);
    text += &section(style, "GUARDS", &told_guards(design, guards));
    text += &section(style, "SEES", &[sees(design.blocks)]);
    text
}

fn size(design: &Design, trial_s: Option<f64>) -> String {
    let trials = u64::from(design.blocks).saturating_mul(design.trials_per_block() as u64);
    let mut said = format!(
        "{} of {}, {trials} in all",
        plural(design.blocks as usize, "block"),
        plural(design.trials_per_block(), "trial")
    );
    match trial_s.filter(|seconds| seconds.is_finite() && *seconds > 0.0) {
        Some(seconds) => said += &format!(", about {}", format::duration(seconds * trials as f64)),
        None => said += "; how long a trial takes is known after the first",
    }
    said
}

fn arms(design: &Design) -> Vec<String> {
    let base = design.arms.first().map_or("the base", |arm| arm.name.as_str());
    design
        .arms
        .iter()
        .map(|arm| match arm.role {
            Role::Base => format!("{}: what the others are held against", arm.name),
            Role::Treatment => format!("{}: {}", arm.name, role(arm.role)),
            Role::Placebo => {
                format!(
                    "{}: {base} once more under another name; what it shows is chance, or a fault",
                    arm.name
                )
            }
        })
        .collect()
}

fn set(design: &Design, commands: &[Vec<String>]) -> Vec<String> {
    let of = |index: usize| commands.get(index).map(Vec::as_slice).unwrap_or_default();
    design.arms.iter().enumerate().flat_map(|(index, arm)| told_commands(&arm.name, of(index))).collect()
}

fn order(design: &Design) -> Vec<String> {
    let names: Vec<&str> = design
        .block(0)
        .iter()
        .filter_map(|turn| design.arms.get(turn.arm).map(|arm| arm.name.as_str()))
        .collect();
    vec![
        format!("first block: {}", names.join(", ")),
        format!(
            "each block's order is drawn anew, and then turned round: what rises or falls steadily has no part in the result; seed {}",
            design.seed
        ),
    ]
}

fn told_guards(design: &Design, guards: &Guards) -> Vec<String> {
    let each: Vec<String> = all_guards(guards)
        .into_iter()
        .map(|(_, _, what, most)| match most {
            None => what.to_owned(),
            Some(most) => format!("{what}, more than {most}"),
        })
        .collect();
    vec![
        format!("a trial does not count where {}", each.join("; or ")),
        format!(
            "its block is void then, and another is begun, {} at most",
            plural(design.most_blocks as usize, "block")
        ),
    ]
}

fn sees(blocks: u32) -> String {
    let seen: Vec<String> = NOISE_PERCENT
        .iter()
        .filter_map(|noise| {
            // A block's difference is of two means of two trials each, so that it scatters as much as a trial.
            let least = smallest_visible_for(*noise, blocks as usize)?;
            Some(format!("{} % where trials scatter by {noise} %", format::significant(least)))
        })
        .collect();
    if seen.is_empty() {
        return "so few blocks have no interval: nothing can be told from chance".to_owned();
    }
    if blocks < FEWEST_BLOCKS {
        return format!(
            "no effect for certain: fewer than {FEWEST_BLOCKS} blocks show any by chance in more than 1 of 20 experiments"
        );
    }
    format!("in four experiments of five, effects of at least {}", seen.join(", "))
}

/// The same in a line.
pub(super) fn least_seen(blocks: u32) -> String {
    const ORDINARY_NOISE_PERCENT: f64 = 3.0;
    match smallest_visible_for(ORDINARY_NOISE_PERCENT, blocks as usize) {
        Some(least) if blocks >= FEWEST_BLOCKS => {
            format!("Sees effects of {least:.1} % and more where runs scatter by {ORDINARY_NOISE_PERCENT} %.")
        }
        _ => format!("A rehearsal: fewer than {FEWEST_BLOCKS} blocks can show no effect for certain."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_blocks_see_smaller_effects_and_one_sees_none() {
        assert!(sees(1).contains("nothing can be told from chance"));
        // As the module of `smallest_visible_for` has it.
        assert!(sees(6).contains("1.42 % where trials scatter by 1 %"), "{}", sees(6));
        assert_ne!(sees(6), sees(40));
    }
}
