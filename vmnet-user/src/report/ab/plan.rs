//! What is going to be done, before anything is touched.

use super::lines::{section, verbatim};
use super::text::told_commands;
use super::validity::guards as all_guards;
use super::words::{plural, role};
use crate::model::experiment::{Design, Guards, Role};
use crate::report::format;
use crate::report::style::{Style, Tone};

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
            let least = smallest_visible_percent(*noise, blocks)?;
            Some(format!("{} % where trials scatter by {noise} %", format::significant(least)))
        })
        .collect();
    if seen.is_empty() {
        return "one block alone has no interval: nothing can be told from chance".to_owned();
    }
    format!("in four experiments of five, effects of at least {}", seen.join(", "))
}

/// The smallest effect that shows in four experiments of five. A block's difference is of two means of two trials each, so that it scatters as much
/// as a trial. None for fewer than two blocks.
fn smallest_visible_percent(noise_percent: f64, blocks: u32) -> Option<f64> {
    const Z_975: f64 = 1.959_964;
    const Z_80: f64 = 0.841_621;
    let degrees = blocks.checked_sub(1).filter(|degrees| *degrees > 0)?;
    let of_mean = noise_percent / f64::from(blocks).sqrt();
    Some((student(Z_975, 0.975, degrees) + student(Z_80, 0.8, degrees)) * of_mean)
}

/// A point of Student's t: exact for one and two degrees of freedom, else by the expansion of Cornish and Fisher (Abramowitz and Stegun, 26.7.5).
fn student(z: f64, probability: f64, degrees: u32) -> f64 {
    let n = f64::from(degrees);
    match degrees {
        1 => (std::f64::consts::PI * (probability - 0.5)).tan(),
        2 => (2.0 * probability - 1.0) * (2.0 / (4.0 * probability * (1.0 - probability))).sqrt(),
        _ => {
            z + (z.powi(3) + z) / (4.0 * n)
                + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * n.powi(2))
                + (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / (384.0 * n.powi(3))
                + (79.0 * z.powi(9) + 776.0 * z.powi(7) + 1482.0 * z.powi(5) - 1920.0 * z.powi(3) - 945.0 * z)
                    / (92_160.0 * n.powi(4))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_students_t_are_those_of_the_tables() {
        for (degrees, expected) in [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (9, 2.262), (39, 2.023)]
        {
            let found = student(1.959_964, 0.975, degrees);
            assert!((found - expected).abs() < 0.006, "{degrees}: {found}");
        }
        for (degrees, expected) in [(1, 1.376), (2, 1.061), (5, 0.920), (9, 0.883)] {
            let found = student(0.841_621, 0.8, degrees);
            assert!((found - expected).abs() < 0.002, "{degrees}: {found}");
        }
    }

    #[test]
    fn more_blocks_see_smaller_effects_and_one_sees_none() {
        let seen: Vec<Option<f64>> = [1, 2, 6, 40].map(|blocks| smallest_visible_percent(3.0, blocks)).into();
        assert_eq!(seen[0], None);
        assert!(seen[1] > seen[2] && seen[2] > seen[3] && seen[3] > Some(1.0), "{seen:?}");
    }
}
