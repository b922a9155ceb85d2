//! From what a person asks for to arms: a feature, its levels, and further arms.

use super::arm::{Arm, Role, Setting};
use crate::features::FeatureSet;

/// The feature of an experiment in which nothing is changed: identical arms, to see what chance alone does.
pub const NOTHING: &str = "none";

/// Names that stand for several features of the kernel, or for one with an unwieldy name.
const ALIASES: [(&str, &[&str]); 8] = [
    ("tso", &["tx-tcp-segmentation", "tx-tcp6-segmentation"]),
    ("gso", &["tx-generic-segmentation"]),
    ("sg", &["tx-scatter-gather"]),
    ("tx", &["tx-checksum-ip-generic", "tx-checksum-ipv4", "tx-checksum-ipv6"]),
    ("uso", &["tx-udp-segmentation"]),
    ("gro", &["rx-gro"]),
    ("lro", &["rx-lro"]),
    ("rx", &["rx-checksum"]),
];

/// What was asked for means nothing here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactorError {
    /// No such feature.
    #[error(
        "{name:?} is no feature of this kernel{}; besides `ethtool -k`'s long names there are {}",
        suggestion(near),
        known_names().join(", ")
    )]
    NoSuchFeature {
        /// As asked for.
        name: String,
        /// Features whose names contain it.
        near: Vec<String>,
    },
    /// A level that the feature cannot have.
    #[error("{level:?} is no level of {name}: {expected}")]
    NoSuchLevel {
        /// The feature.
        name: String,
        /// As asked for.
        level: String,
        /// What it could be.
        expected: &'static str,
    },
    /// Too few.
    #[error("{name} has no levels of its own: name two or more, the base first, such as --levels {example}")]
    NoLevels {
        /// The feature.
        name: String,
        /// For instance.
        example: &'static str,
    },
    /// Two arms are the same.
    #[error("the arm {0} is there twice; to hold identical arms against each other, there is --feature none")]
    Twice(String),
    /// Not NAME=VALUE.
    #[error("{0:?} is no arm: an arm is NAME=VALUE, or several of them with commas between")]
    NotAnArm(String),
    /// Identical arms without a placebo are one arm.
    #[error("--feature none changes nothing, so that without a placebo there is nothing to compare")]
    NothingToCompare,
}

fn suggestion(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(" or ")) }
}

fn known_names() -> Vec<&'static str> {
    let others = ["gso_max_segs", "gso_max_size", "channels", "xps", "profiler", NOTHING];
    ALIASES.iter().map(|(name, _)| *name).chain(others).collect()
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `tso`, a name of `ethtool -k`, `gso_max_segs`, `channels`, `xps`, `profiler`, `none`.
    pub feature: String,
    /// The base first; empty for `off,on`.
    pub levels: Vec<String>,
    /// Further arms: `gso_max_segs=1`.
    pub further: Vec<String>,
    /// Whether the base comes once more under another name.
    pub placebo: bool,
}

impl Asked {
    /// The arms, the base first and the placebo last.
    ///
    /// # Errors
    /// [`FactorError`].
    pub fn arms(&self, features: &FeatureSet) -> Result<Vec<Arm>, FactorError> {
        let mut arms = self.of_levels(features)?;
        for further in &self.further {
            let settings = further
                .split(',')
                .map(|one| {
                    let (name, level) =
                        one.split_once('=').ok_or_else(|| FactorError::NotAnArm(further.clone()))?;
                    settings(name, level, features)
                })
                .collect::<Result<Vec<_>, _>>()?;
            arms.push(Arm {
                name: further.clone(),
                role: Role::Treatment,
                settings: settings.into_iter().flatten().collect(),
            });
        }
        for (index, arm) in arms.iter().enumerate() {
            if arms.iter().take(index).any(|earlier| earlier.settings == arm.settings) {
                return Err(FactorError::Twice(arm.name.clone()));
            }
        }
        if let Some(base) = arms.first().filter(|_| self.placebo).cloned() {
            arms.push(Arm { name: format!("{} again", base.name), role: Role::Placebo, ..base });
        }
        if arms.len() < 2 {
            return Err(FactorError::NothingToCompare);
        }
        Ok(arms)
    }

    fn of_levels(&self, features: &FeatureSet) -> Result<Vec<Arm>, FactorError> {
        if self.feature == NOTHING {
            return Ok(vec![Arm { name: "as found".to_owned(), role: Role::Base, settings: Vec::new() }]);
        }
        let example = match self.feature.as_str() {
            "gso_max_segs" => Some("1,64"),
            "gso_max_size" => Some("16384,65536"),
            "channels" => Some("1,4"),
            _ => None,
        };
        let levels: Vec<&str> = match (self.levels.as_slice(), example) {
            ([], None) => vec!["off", "on"],
            ([] | [_], Some(example)) => {
                return Err(FactorError::NoLevels { name: self.feature.clone(), example });
            }
            ([_], None) => {
                return Err(FactorError::NoLevels { name: self.feature.clone(), example: "off,on" });
            }
            (levels, _) => levels.iter().map(String::as_str).collect(),
        };
        let roles = std::iter::once(Role::Base).chain(std::iter::repeat(Role::Treatment));
        levels
            .iter()
            .zip(roles)
            .map(|(level, role)| {
                Ok(Arm {
                    name: format!("{}={level}", self.feature),
                    role,
                    settings: settings(&self.feature, level, features)?,
                })
            })
            .collect()
    }
}

/// What `name=level` sets.
fn settings(name: &str, level: &str, features: &FeatureSet) -> Result<Vec<Setting>, FactorError> {
    let wrong =
        |expected| FactorError::NoSuchLevel { name: name.to_owned(), level: level.to_owned(), expected };
    let number = || match level.parse::<u32>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(wrong("it takes a whole number from 1")),
    };
    let on = || match level {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(wrong("it is on or off")),
    };
    Ok(match name {
        "gso_max_segs" => vec![Setting::GsoMaxSegs { segs: number()? }],
        "gso_max_size" => vec![Setting::GsoMaxSize { bytes: number()? }],
        "channels" => vec![Setting::Channels { count: number()? }],
        "xps" => vec![Setting::Xps { on: on()? }],
        "profiler" => vec![Setting::Profiler { on: on()? }],
        _ => {
            let on = on()?;
            let names = feature_names(name, features)?;
            names.into_iter().map(|feature| Setting::Feature { feature, on }).collect()
        }
    })
}

/// The kernel's features that a name stands for. Of an alias, those that can be switched; where none can, all of them, so that what
/// keeps them from it is told.
fn feature_names(name: &str, features: &FeatureSet) -> Result<Vec<String>, FactorError> {
    if features.get(name).is_some() {
        return Ok(vec![name.to_owned()]);
    }
    let Some((_, names)) = ALIASES.iter().find(|(alias, _)| *alias == name) else {
        let near = features.iter().map(|feature| &feature.name);
        let near = near.filter(|there| !name.is_empty() && there.contains(name)).take(4).cloned().collect();
        return Err(FactorError::NoSuchFeature { name: name.to_owned(), near });
    };
    let there: Vec<_> = names.iter().filter_map(|name| features.get(name)).collect();
    let can_be_switched = there.iter().any(|feature| !feature.fixed());
    let found: Vec<String> = there
        .into_iter()
        .filter(|feature| !can_be_switched || !feature.fixed())
        .map(|feature| feature.name.clone())
        .collect();
    if found.is_empty() {
        return Err(FactorError::NoSuchFeature { name: name.to_owned(), near: Vec::new() });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::testing::device;

    const TSO: [&str; 2] = ["tx-tcp-segmentation", "tx-tcp6-segmentation"];

    fn asked(
        feature: &str,
        levels: &[&str],
        further: &[&str],
        placebo: bool,
    ) -> Result<Vec<Arm>, FactorError> {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let asked =
            Asked { feature: feature.to_owned(), levels: owned(levels), further: owned(further), placebo };
        asked.arms(&device(&TSO, &["tx-tcp-ecn-segmentation"]).features)
    }

    fn told(arms: &[Arm]) -> Vec<String> {
        let one = |setting: &Setting| match setting {
            Setting::Feature { feature, on } => format!("{feature} {on}"),
            other => format!("{other:?}"),
        };
        arms.iter()
            .map(|arm| {
                let settings: Vec<String> = arm.settings.iter().map(one).collect();
                format!("{} ({:?}): {}", arm.name, arm.role, settings.join(", "))
            })
            .collect()
    }

    #[test]
    fn tso_is_off_against_on_with_the_base_once_more() {
        assert_eq!(
            told(&asked("tso", &[], &[], true).unwrap()),
            [
                "tso=off (Base): tx-tcp-segmentation false, tx-tcp6-segmentation false",
                "tso=on (Treatment): tx-tcp-segmentation true, tx-tcp6-segmentation true",
                "tso=off again (Placebo): tx-tcp-segmentation false, tx-tcp6-segmentation false",
            ]
        );
    }

    #[test]
    fn levels_and_further_arms_are_taken_in_their_order() {
        assert_eq!(
            told(&asked("channels", &["4", "1", "2"], &["gso_max_segs=1,tso=on"], false).unwrap()),
            [
                "channels=4 (Base): Channels { count: 4 }",
                "channels=1 (Treatment): Channels { count: 1 }",
                "channels=2 (Treatment): Channels { count: 2 }",
                "gso_max_segs=1,tso=on (Treatment): GsoMaxSegs { segs: 1 }, tx-tcp-segmentation true, tx-tcp6-segmentation true",
            ]
        );
        assert_eq!(
            told(&asked("xps", &["on", "off"], &[], false).unwrap()),
            ["xps=on (Base): Xps { on: true }", "xps=off (Treatment): Xps { on: false }"]
        );
        assert_eq!(
            told(&asked("tx-udp-segmentation", &[], &[], false).unwrap())[1],
            "tx-udp-segmentation=on (Treatment): tx-udp-segmentation true"
        );
    }

    #[test]
    fn nothing_is_held_against_itself() {
        let arms = asked(NOTHING, &[], &[], true).unwrap();
        assert_eq!(told(&arms), ["as found (Base): ", "as found again (Placebo): "]);
        assert_eq!(asked(NOTHING, &[], &[], false), Err(FactorError::NothingToCompare));
    }

    #[test]
    fn an_alias_leaves_out_what_is_fixed_unless_all_of_it_is() {
        let of = |fixed: &[&str]| feature_names("tso", &device(&[], fixed).features).unwrap();
        assert_eq!(of(&["tx-tcp6-segmentation"]), ["tx-tcp-segmentation"]);
        assert_eq!(of(&TSO), TSO);
    }

    #[test]
    fn what_means_nothing_is_told_with_what_would() {
        let cases: [(&str, &[&str], &[&str], &str); 8] = [
            ("tcp6", &[], &[], "(did you mean tx-tcp6-segmentation?)"),
            ("", &[], &[], "no feature of this kernel;"),
            ("rx-teleport", &[], &[], "there are tso, gso"),
            ("tso", &["on", "maybe"], &[], "it is on or off"),
            ("channels", &["1", "0"], &[], "a whole number from 1"),
            ("gso_max_segs", &[], &[], "--levels 1,64"),
            ("tso", &["off", "off"], &[], "twice"),
            ("tso", &[], &["gso_max_segs"], "NAME=VALUE"),
        ];
        for (feature, levels, further, expected) in cases {
            let said = asked(feature, levels, further, true).unwrap_err().to_string();
            assert!(said.contains(expected), "{said}");
        }
    }
}
