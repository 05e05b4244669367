//! The protocol of checkpoints and alerts, explored: every order of what two processes of different generations may do, each
//! killed at any moment, none told when the other takes over. Decisions are the real ones ([`Facts`], [`Fences`]).
//!
//! What must hold in every state: what the newest claimant has said is heard, nothing is heard twice, and behind a checkpoint
//! that counts nothing is missing. That is 920,000 states.

use super::protocol::{Facts, Health, Mark, Prune, Step};
use gridwarden_domain::generation::Fences;
use stateright::{Checker, HasDiscoveries, Model, Property};
use std::collections::{BTreeMap, BTreeSet};

const CRASHES: u8 = 1;
const GENERATIONS: u32 = 3;
const MANIFESTS: usize = 2;

/// What may be wrong, to see that the exploration finds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Bug {
    None,
    /// The manifest does not wait for the alerts before the cut.
    ManifestBeforeAlerts,
    /// `alerts.v1` is read before the fence stands.
    LearnsBeforeTheFence,
    /// The newest manifest counts, whoever wrote it and whenever.
    NewestManifestCounts,
    /// There are no fences at all, and what is known decides alone.
    NoFence,
    /// Who reads from a place on does not know which fence stands before it.
    ForgetsTheFenceBefore,
    /// The place in `alerts.v1` is that of the start, though not all before it is decided again.
    PlaceOfTheStart,
    /// The place in `alerts.v1` is that of the manifest's writing, not of the cut.
    PlaceOfTheManifest,
}

/// An entry of `alerts.v1`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
enum Entry {
    Fence(u32),
    Alert { generation: u32, record: u8 },
}

/// What a manifest holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Default)]
struct Saved {
    offset: u8,
    /// From where `alerts.v1` may hold later alerts.
    place: Place,
}

/// A place in `alerts.v1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
struct Place {
    next: usize,
    /// The highest fence that stands before it.
    fence: u32,
}

/// A checkpoint on its way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
struct Draft {
    saved: Saved,
    /// Alerts before the cut that are not acknowledged.
    owing: usize,
    /// It was looked whether there is a newer claim.
    looked: bool,
}

/// A process that has claimed.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
struct Process {
    last: Mark,
    offset: u8,
    /// Where the log ended when the fence stood.
    end: u8,
    known: BTreeSet<u8>,
    waiting: Vec<u8>,
    /// From where it read `alerts.v1`.
    from: Place,
    /// Behind its own last acknowledged entry, or the end it read to.
    next: usize,
    draft: Option<Draft>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
enum Slot {
    Down,
    /// What it will claim, with the state it has loaded.
    Looked(Mark, Option<Mark>, Option<Saved>),
    Claimed(Process),
    Fenced(Process),
    Running(Process),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    claims: BTreeMap<u32, Option<Mark>>,
    manifests: BTreeMap<Mark, Saved>,
    topic: Vec<Entry>,
    /// Records in the log.
    log: u8,
    slots: [Slot; 2],
    crashes: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Do {
    Append,
    Look,
    Claim,
    Fence,
    Learn,
    Read,
    Say,
    Cut,
    LookForClaims,
    Write,
    Prune,
    Crash,
}

const ALL: [Do; 11] = [
    Do::Look,
    Do::Claim,
    Do::Fence,
    Do::Learn,
    Do::Read,
    Do::Say,
    Do::Cut,
    Do::LookForClaims,
    Do::Write,
    Do::Prune,
    Do::Crash,
];

struct Protocol {
    bug: Bug,
    /// Records that come in the end; each raises one alert.
    records: u8,
}

impl State {
    fn facts(&self) -> Facts {
        Facts { claims: self.claims.clone(), manifests: self.manifests.keys().copied().collect(), floor: 0 }
    }

    /// Records whose alerts a reader of the topic hears, from a place on.
    fn hears(&self, from: Place) -> Vec<u8> {
        let (mut fences, mut heard) = (Fences::default(), Vec::new());
        fences.raise(0, from.fence);
        for entry in self.topic.iter().skip(from.next) {
            match entry {
                Entry::Fence(generation) => fences.note(0, generation.to_string().as_bytes()),
                Entry::Alert { generation, record } if fences.hear(0, *generation) => heard.push(*record),
                Entry::Alert { .. } => {}
            }
        }
        heard
    }

    fn heard(&self) -> BTreeSet<u8> {
        self.hears(Place::default()).into_iter().collect()
    }
}

impl Protocol {
    fn base(&self, facts: &Facts) -> (u32, Option<Mark>) {
        let mut found = BTreeMap::new();
        let start = loop {
            match facts.start(&found) {
                Step::Begin(start) => break start,
                Step::Look(mark) => found.insert(mark, Health::Whole),
            };
        };
        let newest = facts.manifests.last().copied();
        (start.generation, if self.bug == Bug::NewestManifestCounts { newest } else { start.base })
    }

    fn look(&self, state: &State) -> Slot {
        let (generation, base) = self.base(&state.facts());
        let saved = base.and_then(|base| state.manifests.get(&base)).copied();
        Slot::Looked(Mark { generation, number: base.map_or(0, |base| base.number) }, base, saved)
    }

    fn claim(state: &mut State, last: Mark, base: Option<Mark>, saved: Option<Saved>) -> Slot {
        if last.generation > GENERATIONS || state.claims.contains_key(&last.generation) {
            return Slot::Down;
        }
        state.claims.insert(last.generation, base);
        let Saved { offset, place: from } = saved.unwrap_or_default();
        let known = BTreeSet::new();
        Slot::Claimed(Process { last, offset, end: 0, known, waiting: Vec::new(), from, next: from.next, draft: None })
    }

    fn run(&self, state: &mut State, mut process: Process, what: Do) -> Option<Slot> {
        let generation = process.last.generation;
        match what {
            Do::Read if process.offset < state.log => {
                let record = process.offset;
                process.offset += 1;
                if process.known.insert(record) {
                    process.waiting.push(record);
                }
            }
            Do::Say if !process.waiting.is_empty() => {
                let record = process.waiting.remove(0);
                state.topic.push(Entry::Alert { generation, record });
                process.next = state.topic.len();
                if let Some(draft) = &mut process.draft {
                    draft.owing = draft.owing.saturating_sub(1);
                }
            }
            Do::Cut if process.draft.is_none() && state.manifests.len() < MANIFESTS => {
                // What stood there at the start is decided again once the log is read to its end.
                let settled = process.offset >= process.end || self.bug == Bug::PlaceOfTheStart;
                let behind = Place { next: process.next, fence: generation };
                let place = if settled { behind } else { process.from };
                let saved = Saved { offset: process.offset, place };
                process.draft = Some(Draft { saved, owing: process.waiting.len(), looked: false });
            }
            Do::LookForClaims => {
                let taken_over = state.facts().taken_over(generation).is_some();
                let draft = process.draft.as_mut().filter(|draft| !draft.looked)?;
                draft.looked = true;
                if taken_over {
                    return Some(Slot::Down);
                }
            }
            Do::Write => {
                let draft = process.draft.filter(|draft| draft.looked)?;
                if draft.owing > 0 && self.bug != Bug::ManifestBeforeAlerts {
                    return None;
                }
                let late = self.bug == Bug::PlaceOfTheManifest;
                let end = Place { next: state.topic.len(), fence: generation };
                let place = if late { end } else { draft.saved.place };
                process.last.number += 1;
                process.draft = None;
                state.manifests.insert(process.last, Saved { place, ..draft.saved });
            }
            Do::Prune => match state.facts().prune(generation) {
                Prune::TakenOver(_) => return Some(Slot::Down),
                Prune::Nothing => return None,
                Prune::Older { manifests, claims, .. } => {
                    if manifests.is_empty() && claims.is_empty() {
                        return None;
                    }
                    state.manifests.retain(|mark, _| !manifests.contains(mark));
                    state.claims.retain(|claim, _| !claims.contains(claim));
                }
            },
            _ => return None,
        }
        Some(Slot::Running(process))
    }

    fn learn(&self, state: &State, mut process: Process) -> Process {
        let forgets = self.bug == Bug::ForgetsTheFenceBefore;
        let from = Place { fence: if forgets { 0 } else { process.from.fence }, ..process.from };
        process.known = state.hears(from).into_iter().collect();
        process.next = state.topic.len();
        process.end = state.log;
        process
    }

    fn step(&self, state: &mut State, slot: Slot, what: Do) -> Option<Slot> {
        match (slot, what) {
            (Slot::Down, Do::Look) => Some(self.look(state)),
            (Slot::Down, _) => None,
            (_, Do::Crash) => {
                state.crashes = state.crashes.checked_sub(1)?;
                Some(Slot::Down)
            }
            (Slot::Looked(last, base, saved), Do::Claim) => Some(Self::claim(state, last, base, saved)),
            (Slot::Claimed(process), Do::Learn) if self.bug == Bug::LearnsBeforeTheFence => {
                Some(Slot::Fenced(self.learn(state, process)))
            }
            (Slot::Claimed(process), Do::Fence) if self.bug != Bug::LearnsBeforeTheFence => {
                if self.bug != Bug::NoFence {
                    state.topic.push(Entry::Fence(process.last.generation));
                }
                Some(Slot::Fenced(process))
            }
            (Slot::Fenced(process), Do::Fence) if self.bug == Bug::LearnsBeforeTheFence => {
                state.topic.push(Entry::Fence(process.last.generation));
                Some(Slot::Running(process))
            }
            (Slot::Fenced(process), Do::Learn) if self.bug != Bug::LearnsBeforeTheFence => {
                Some(Slot::Running(self.learn(state, process)))
            }
            (Slot::Running(process), _) => self.run(state, process, what),
            _ => None,
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = (usize, Do);

    fn init_states(&self) -> Vec<State> {
        vec![State {
            claims: BTreeMap::new(),
            manifests: BTreeMap::new(),
            topic: Vec::new(),
            log: 0,
            slots: [Slot::Down, Slot::Down],
            crashes: CRASHES,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<(usize, Do)>) {
        for (slot, _) in state.slots.iter().enumerate() {
            actions.extend(ALL.map(|what| (slot, what)));
        }
        if state.log < self.records {
            actions.push((0, Do::Append));
        }
    }

    fn next_state(&self, state: &State, (slot, what): (usize, Do)) -> Option<State> {
        let mut next = state.clone();
        if what == Do::Append {
            next.log += 1;
            return Some(next);
        }
        let after = self.step(&mut next, state.slots.get(slot)?.clone(), what)?;
        *next.slots.get_mut(slot)? = after;
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("what the newest claimant has said is heard", |_: &Self, state: &State| {
                let newest = state.facts().newest_claim();
                let heard = state.heard();
                state.slots.iter().all(|slot| match slot {
                    Slot::Running(process) if Some(process.last.generation) == newest => {
                        let said = (0..process.offset).filter(|record| !process.waiting.contains(record));
                        said.into_iter().all(|record| heard.contains(&record))
                    }
                    _ => true,
                })
            }),
            Property::always("behind a checkpoint that counts nothing is missing", |_: &Self, state: &State| {
                let heard = state.heard();
                let saved = state.facts().counting().into_iter().filter_map(|mark| state.manifests.get(&mark));
                saved.into_iter().all(|saved| (0..saved.offset).all(|record| heard.contains(&record)))
            }),
            Property::always("no alert is heard twice", |_: &Self, state: &State| {
                state.hears(Place::default()).len() == state.heard().len()
            }),
            Property::sometimes("all is said after a crash", |model: &Self, state: &State| {
                state.crashes < CRASHES && state.heard().len() == usize::from(model.records)
            }),
        ]
    }
}

/// States explored, and the names of the properties that do not hold.
fn explore(bug: Bug, records: u8) -> (usize, Vec<&'static str>) {
    // Which process stands where says nothing.
    let turned = |state: &State| {
        let mut state = state.clone();
        state.slots.sort_unstable();
        state
    };
    let builder =
        Protocol { bug, records }.checker().threads(2).symmetry_fn(turned).finish_when(HasDiscoveries::AnyFailures);
    let checker = builder.spawn_dfs().join();
    let mut broken: Vec<&'static str> = checker.discoveries().into_keys().collect();
    broken.retain(|name| !name.starts_with("all is said"));
    broken.sort_unstable();
    (checker.unique_state_count(), broken)
}

#[test]
#[allow(clippy::print_stdout, reason = "how much was explored is for whoever reads the test's output")]
fn no_order_of_things_loses_an_alert() {
    let (states, broken) = explore(Bug::None, 1);
    println!("explored {states} states");
    assert_eq!(broken, Vec::<&str>::new());
    assert!(states > 100_000, "the exploration has become small: {states}");
}

#[test]
fn what_is_wrong_is_found() {
    for bug in [
        Bug::ManifestBeforeAlerts,
        Bug::LearnsBeforeTheFence,
        Bug::NewestManifestCounts,
        Bug::NoFence,
        Bug::ForgetsTheFenceBefore,
        Bug::PlaceOfTheStart,
        Bug::PlaceOfTheManifest,
    ] {
        let (_, broken) = explore(bug, 1);
        assert!(!broken.is_empty(), "{bug:?} goes unseen");
    }
}
