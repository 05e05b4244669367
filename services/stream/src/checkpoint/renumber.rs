//! From the numbers of a checkpoint to those of this process.
//!
//! Kinds, metrics, areas and rules get the numbers they had: their tables are filled from the checkpoint before anything
//! else asks. Topics, partitions and feeds are numbered by the city, which may have changed.

use super::form::{HeldForm, Names, PhaseForm, StateForm, TimerForm};
use crate::{
    shared::World,
    windows::{At, LIVE},
};

/// The number of a partition that is not read any more.
pub(crate) const GONE: u16 = u16::MAX;

/// Old numbers → new ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Renumber {
    parts: Vec<u16>,
    feeds: Vec<u16>,
    domains: Vec<(u8, u8)>,
}

impl Renumber {
    /// From what the numbers stood for. A feed the city does not know any more is the live one without a name.
    pub(crate) fn new(names: &Names, world: &World) -> Self {
        let topic = |number: u16| names.topics.get(usize::from(number)).map(String::as_str);
        let feed = |name: &String| world.feeds.find(Some(name.as_bytes())).unwrap_or(0);
        let part = |(number, partition): &(u16, i32)| topic(*number).and_then(|name| world.part(name, *partition));
        let feeds: Vec<u16> = names.feeds.iter().map(feed).collect();
        let domain = |form: &super::form::DomainForm| {
            let feed = feeds.get(usize::from(form.feed)).copied().unwrap_or(0);
            let topic = topic(form.topic).and_then(|name| world.topic(name))?;
            let historical = world.feeds.get(feed).is_some_and(|feed| feed.historical);
            let domain = if historical { world.domains.historical(feed, topic) } else { LIVE };
            Some((form.domain, domain))
        };
        Self {
            parts: names.parts.iter().map(|saved| part(saved).unwrap_or(GONE)).collect(),
            domains: names.domains.iter().filter_map(domain).collect(),
            feeds,
        }
    }

    /// For tests: so many partitions, numbered as they were.
    #[cfg(test)]
    pub(crate) fn same(parts: u16) -> Self {
        Self { parts: (0..parts).collect(), ..Self::default() }
    }

    /// A partition's number; [`GONE`] if it is not read any more.
    pub(crate) fn part(&self, number: u16) -> u16 {
        self.parts.get(usize::from(number)).copied().unwrap_or(GONE)
    }

    /// A feed's number.
    pub(crate) fn feed(&self, number: u16) -> u16 {
        self.feeds.get(usize::from(number)).copied().unwrap_or(0)
    }

    /// A domain's number.
    pub(crate) fn domain(&self, number: u8) -> u8 {
        let known = self.domains.iter().find(|(old, _)| *old == number);
        known.map_or(LIVE, |(_, new)| *new)
    }

    /// Domains as one bit each.
    pub(crate) fn domains(&self, bits: u64) -> u64 {
        let set = |number: &u8| bits & (1 << number) != 0;
        (0..64).filter(set).fold(0, |new, number| new | 1 << self.domain(number).min(63))
    }

    /// A hold.
    pub(crate) fn timer(&self, timer: TimerForm) -> TimerForm {
        TimerForm { domain: self.domain(timer.domain), ..timer }
    }

    /// How far an offence has come.
    pub(crate) fn phase(&self, form: PhaseForm) -> PhaseForm {
        match form {
            PhaseForm::Pending(since, first) => PhaseForm::Pending(since, self.at(At(first)).0),
            PhaseForm::Ordered(lanes) => {
                let lanes = lanes.into_iter().map(|(reorder_s, state)| (reorder_s, self.state(state)));
                PhaseForm::Ordered(lanes.collect())
            }
            as_it_is @ (PhaseForm::Open(..) | PhaseForm::Told(..) | PhaseForm::Way(..)) => as_it_is,
        }
    }

    /// What rules remember of an entity.
    pub(crate) fn state(&self, state: StateForm) -> StateForm {
        let held = state.held.into_iter().map(|held| HeldForm { phase: self.phase(held.phase), ..held });
        StateForm { held: held.collect(), ..state }
    }

    /// A place in the logs.
    pub(crate) fn at(&self, at: At) -> At {
        if at == At(0) { at } else { At::new(self.part(at.part()), at.offset()) }
    }
}
