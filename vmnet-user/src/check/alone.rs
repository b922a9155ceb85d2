//! Devices below to which nothing came of what was sent to the interface's own address: a macvlan turns it round itself, a bridge knows it for its own.
//! Each is asked by itself, to *its* own address.

use std::{collections::BTreeMap, time::Instant};

use super::{
    Ends,
    ask::{Asking, Question, questions},
    error::CheckError,
    has_room_for_a_tag,
    shape::Limits,
    socket::PacketSocket,
    stack::{self, Device, Level},
    watch::Watch,
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
        fates.iter().take_while(|fate| **fate == Some(Fate::Whole)).count()
    };
    let whole = asked.iter().filter(|question| question.refused.is_none());
    let Some(depth) = whole.map(unreached).filter(|depth| (1..levels.len()).contains(depth)).min() else {
        return Alone::default();
    };
    let mut alone = Alone { depth, ..Alone::default() };
    let mut by_device = Vec::new();
    for device in levels.iter().skip(depth).take(1).flat_map(|level| &level.devices).take(MOST_DEVICES) {
        // A port that is down is one that nothing leaves by.
        if let Ok(Some(fates)) = of_device(device, deadline) {
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

/// None where it is down.
fn of_device(device: &Device, deadline: Instant) -> Result<Option<BTreeMap<Type, Fate>>, CheckError> {
    let mut links = LinkReader::open()?;
    let link = links.link(&device.name)?;
    if !link.up || link.carrier == Some(false) {
        return Ok(None);
    }
    let socket = PacketSocket::open(link.ifindex)?;
    let levels = stack::levels(&link, &mut links)?;
    let tagged = has_room_for_a_tag(&link, &levels, &mut FeatureReader::open().ok());
    let ends = Ends::of(&socket, &link, tagged)?;
    let mut questions = questions(&Limits::of(&link), &ends);
    let mut asking = Asking::new(&link.name, &socket, &levels, Watch::new(links), deadline);
    asking.ask_all(&mut questions)?;
    let pauses = asking.into_pauses();
    let fate = |question: &Question| match question.refused {
        Some(_) => Fate::Refused,
        None => checked::through_the_stack(&question.fates(&levels, &pauses)).0,
    };
    Ok(Some(questions.iter().map(|question| (question.kind, fate(question))).collect()))
}
