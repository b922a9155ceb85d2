//! Devices below to which nothing came of what was sent to the interface's own address: a macvlan turns it round itself, a bridge knows it for its own.
//! Each is asked by itself, to *its* own address.

use std::{collections::BTreeMap, time::Instant};

use super::{
    Asked,
    ask::Question,
    error::CheckError,
    stack::{Device, Level},
};
use crate::{
    device::{features::FeatureReader, links::LinkReader},
    model::checked::{self, Doubt, Fate, Pause, Type},
};

/// Of a bridge with many ports, so many.
const MOST_DEVICES: usize = 4;

/// What became of each type at a level that was asked by itself, and at all below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Alone {
    /// How deep the level is; 0 where none was asked.
    pub(super) depth: usize,
    /// Of its devices, all that could be asked.
    pub(super) names: Vec<String>,
    fates: BTreeMap<Type, Fate>,
}

impl Alone {
    /// What became of a type there.
    pub(super) fn fate(&self, kind: Type) -> Fate {
        self.fates.get(&kind).copied().unwrap_or(Fate::Unknown(Doubt::NotReached))
    }
}

/// Asks the first level to which nothing came, though it left the level above whole.
pub(super) fn ask(levels: &[Level], asked: &[Question], pauses: &[Vec<Pause>], deadline: Instant) -> Alone {
    let unreached = |question: &Question| {
        let fates = question.fates(levels, pauses);
        let depth = fates.iter().take_while(|fate| **fate == Some(Fate::Whole)).count();
        // Of itself it would be asked about packets that are in no tunnel.
        let is_behind_a_tunnel = levels.iter().take(depth).any(Level::is_tunnel);
        (depth > 0 && fates.get(depth)?.is_none() && !is_behind_a_tunnel).then_some(depth)
    };
    let taken = asked.iter().filter(|question| question.refused.is_none());
    let Some(depth) = taken.filter_map(unreached).min() else {
        return Alone::default();
    };
    let mut alone = Alone { depth, ..Alone::default() };
    let mut by_device = Vec::new();
    for device in levels.iter().skip(depth).take(1).flat_map(|level| &level.devices).take(MOST_DEVICES) {
        if let Ok(fates) = of_device(device, deadline) {
            alone.names.push(device.name.clone());
            by_device.push(fates);
        }
    }
    for kind in Type::ALL {
        let mut fates = by_device.iter().filter_map(|fates| fates.get(&kind).copied());
        if let Some(first) = fates.next() {
            let agree = fates.all(|fate| fate == first);
            alone.fates.insert(kind, if agree { first } else { Fate::Unknown(Doubt::Mixed) });
        }
    }
    alone
}

/// An error also where it is down: a port that is down is one that nothing leaves by.
fn of_device(device: &Device, deadline: Instant) -> Result<BTreeMap<Type, Fate>, CheckError> {
    let mut links = LinkReader::open()?;
    let link = links.link(&device.name)?;
    let Asked { levels, questions, pauses, .. } =
        super::ask(&link, links, &mut FeatureReader::open().ok(), deadline)?;
    let fate = |question: &Question| match question.refused {
        Some(_) => Fate::Refused,
        None => checked::through_the_stack(&question.fates(&levels, &pauses)).0,
    };
    Ok(questions.iter().map(|question| (question.kind, fate(question))).collect())
}
