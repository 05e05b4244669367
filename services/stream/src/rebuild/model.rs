//! Log, archive, checkpoint and alerts, explored: every order of appending, retention, two archives of which neither knows the other,
//! inserts that are sent, committed, answered or lost in any order, a stream that is killed, loses its checkpoint, and goes on through
//! the archive. What the stream decides is the real decision ([`decide`]).
//!
//! What must hold in every state: the archive passes over nothing in silence; read through its view each record is there once; the state
//! of a stream is that of the records before its offset, each once, but those it has told are lost; no alert of them is missing behind
//! a checkpoint, and none is said twice. That is 3,100,000 states.

use super::decide::{Facts, From, Log, decide};
use gridwarden_store::read::{Shelf, Stretch};
use stateright::{Checker, HasDiscoveries, Model, Property};

/// Records ever appended.
const RECORDS: u8 = 2;
/// Records are of two kinds, and those of a kind are inserted together, as observations and rejects are: blocks of later records may
/// arrive before those of earlier ones.
const KINDS: [Set; 2] = [0b0101, 0b1010];
/// Blocks under way to ClickHouse at once.
const FLYING: usize = 2;
const ARCHIVES: u8 = 2;
const STREAMS: u8 = 2;

/// What may be wrong, to see that the exploration finds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Bug {
    None,
    /// The archive goes on behind the highest offset it finds.
    HighWater,
    /// The archive takes a block for committed that was never answered.
    UnansweredIsDone,
    /// A row that stands twice counts twice.
    RowsCount,
    /// What the log lacks is passed over, as it was before there was a way through the archive.
    SkipsToTheLog,
    /// What leaves the log while the archive is read is passed over.
    DoesNotLookAgain,
    /// A checkpoint taken while the archive is read names the end of that way.
    PlaceOfTheEnd,
    /// A checkpoint does not wait for the alerts before it.
    CheckpointBeforeAlerts,
    /// What stands in the topic of alerts is not read at a start.
    KnowsNoAlerts,
}

/// Offsets as bits.
type Set = u8;

fn bit(offset: u8) -> Set {
    1 << offset
}

fn below(offset: u8) -> Set {
    bit(offset) - 1
}

/// An archive that runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Archive {
    /// What it found at its start, and what was answered since.
    held: Set,
    /// What it has read.
    next: u8,
    /// Records of blocks that are not answered yet.
    waiting: Set,
}

/// A block under way, and the archive that waits for its answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Flight {
    of: Option<usize>,
    block: Set,
}

/// A stream that runs, or its checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Stream {
    /// Without a state it began here.
    from: u8,
    next: u8,
    /// Records in its state, and those that are there twice.
    seen: Set,
    twice: Set,
    /// Records it has told are lost.
    told: Set,
    /// Up to where it reads the archive; none: it reads the log.
    lane: Option<u8>,
    /// Alerts it knows to be said, and those it has yet to say.
    known: Set,
    unsaid: Set,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    begin: u8,
    end: u8,
    /// How often each record stands in ClickHouse.
    rows: [u8; RECORDS as usize],
    flights: Vec<Flight>,
    archives: [Option<Archive>; 2],
    starts: u8,
    /// What an archive has told is lost.
    lost: Set,
    stream: Option<Stream>,
    stream_starts: u8,
    checkpoint: Option<Stream>,
    checkpoint_lost: bool,
    /// Alerts said, and those said twice.
    said: Set,
    said_twice: Set,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Do {
    Append,
    Retain,
    StartArchive(usize),
    KillArchive(usize),
    Take(usize),
    Send(usize, Set),
    /// A block arrives; whether its answer does.
    Commit(usize, bool),
    Drop(usize),
    StartStream,
    KillStream,
    Read,
    Say,
    Save,
    LoseCheckpoint,
}

struct Ground {
    bug: Bug,
}

impl State {
    fn there(&self) -> Set {
        (0..RECORDS).zip(self.rows).filter(|(_, copies)| *copies > 0).fold(0, |there, (offset, _)| there | bit(offset))
    }

    /// As the store tells it.
    fn shelf(&self, from: u8, to: u8) -> Shelf {
        let held = (from..to).filter(|offset| self.there() & bit(*offset) != 0);
        let stretch = |offset: u8| Stretch {
            first: i64::from(offset),
            end: i64::from(offset) + 1,
            records: 1,
            oldest_ms: 0,
            newest_ms: 0,
        };
        Shelf { stretches: held.map(stretch).collect(), empty: Vec::new() }
    }
}

impl Ground {
    /// Goes on where a stream stands, or begins; whether it may.
    fn decide(&self, state: &State, stream: &mut Stream, has_state: bool) -> bool {
        let shelf = state.shelf(if has_state { stream.next } else { 0 }, state.begin);
        let log = Log { begin: i64::from(state.begin), end: i64::from(state.end) };
        let next = has_state.then_some(i64::from(stream.next));
        let Ok(decision) = decide(&Facts { next, log, shelf: &shelf }) else { return false };
        let (from, lane) = match decision.from {
            From::Log(from) => (from as u8, None),
            From::Archive(from, to) => (from as u8, Some(to as u8)),
        };
        if !has_state {
            (stream.from, stream.next) = (from, from);
        }
        let missing = (below(state.begin) & !below(stream.next)) & !state.there();
        assert_eq!(u64::from(missing.count_ones()), decision.lost, "RBD-2");
        stream.told |= missing;
        stream.lane = lane;
        if lane.is_none() || self.bug == Bug::SkipsToTheLog {
            (stream.next, stream.lane) = (stream.next.max(state.begin), None);
        }
        true
    }

    fn start_stream(&self, state: &mut State) -> Option<()> {
        let saved = state.checkpoint;
        let fresh = Stream { from: 0, next: 0, seen: 0, twice: 0, told: 0, lane: None, known: 0, unsaid: 0 };
        let mut stream = saved.unwrap_or(fresh);
        stream.known = if self.bug == Bug::KnowsNoAlerts { 0 } else { state.said };
        if !self.decide(state, &mut stream, saved.is_some()) {
            return None;
        }
        state.stream = Some(stream);
        state.stream_starts += 1;
        Some(())
    }

    /// Reads one offset, from wherever it is to be read.
    fn read(&self, state: &mut State) -> Option<()> {
        let mut stream = state.stream?;
        let copies = match stream.lane {
            Some(to) if stream.next >= to => {
                if self.bug == Bug::DoesNotLookAgain {
                    (stream.next, stream.lane) = (stream.next.max(state.begin), None);
                } else {
                    self.decide(state, &mut stream, true);
                }
                state.stream = Some(stream);
                return Some(());
            }
            Some(_) if self.bug == Bug::RowsCount => *state.rows.get(usize::from(stream.next))?,
            Some(_) => (*state.rows.get(usize::from(stream.next))?).min(1),
            None if stream.next < state.begin => {
                // It left the log under the reader: the process ends.
                state.stream = None;
                return Some(());
            }
            None if stream.next < state.end => 1,
            None => return None,
        };
        let record = bit(stream.next);
        if copies > 0 {
            if stream.seen & record != 0 || copies > 1 {
                stream.twice |= record;
            }
            stream.seen |= record;
            stream.unsaid |= record & !stream.known;
        }
        stream.next += 1;
        state.stream = Some(stream);
        Some(())
    }

    fn take(&self, state: &mut State, which: usize) -> Option<()> {
        let archive = state.archives.get_mut(which)?.as_mut()?;
        if archive.next < state.begin {
            *state.archives.get_mut(which)? = None;
            return Some(());
        }
        let missing = (archive.next..state.end).find(|offset| archive.held & bit(*offset) == 0)?;
        (archive.next, archive.waiting) = (missing + 1, archive.waiting | bit(missing));
        Some(())
    }

    fn commit(&self, state: &mut State, which: usize, answered: bool) -> Option<()> {
        let flight = (which < state.flights.len()).then(|| state.flights.remove(which))?;
        for (_, copies) in (0..RECORDS).zip(&mut state.rows).filter(|(offset, _)| flight.block & bit(*offset) != 0) {
            *copies = (*copies + 1).min(2);
        }
        if let Some(archive) = flight.of.filter(|_| answered).and_then(|of| state.archives.get_mut(of)?.as_mut()) {
            (archive.held, archive.waiting) = (archive.held | flight.block, archive.waiting & !flight.block);
        }
        Some(())
    }

    fn step(&self, state: &mut State, what: Do) -> Option<()> {
        match what {
            Do::Append => state.end = (state.end < RECORDS).then_some(state.end + 1)?,
            Do::Retain => state.begin = (state.begin < state.end).then_some(state.begin + 1)?,
            Do::StartArchive(which) => {
                let held = state.there();
                let slot = state.archives.get_mut(which)?;
                if slot.is_some() || state.starts == ARCHIVES {
                    return None;
                }
                // What is gone was told, and accepted.
                state.lost |= below(state.begin) & !held;
                let first_missing = (state.begin..RECORDS).find(|offset| held & bit(*offset) == 0).unwrap_or(RECORDS);
                let behind_highest = (0..=RECORDS).rev().find(|end| *end == 0 || held & bit(end - 1) != 0).unwrap_or(0);
                let next = if self.bug == Bug::HighWater { behind_highest.max(state.begin) } else { first_missing };
                *slot = Some(Archive { held, next, waiting: 0 });
                state.starts += 1;
            }
            Do::KillArchive(which) => {
                state.archives.get_mut(which)?.take()?;
                // Whoever waited is gone; what it sent is not.
                state.flights.iter_mut().filter(|flight| flight.of == Some(which)).for_each(|flight| flight.of = None);
            }
            Do::Take(which) => self.take(state, which)?,
            Do::Send(which, kind) => {
                let archive = state.archives.get_mut(which)?.as_mut()?;
                let flight = Flight { of: Some(which), block: archive.waiting & kind };
                if flight.block == 0 || state.flights.len() == FLYING || state.flights.contains(&flight) {
                    return None;
                }
                if self.bug == Bug::UnansweredIsDone {
                    (archive.held, archive.waiting) = (archive.held | flight.block, archive.waiting & !flight.block);
                }
                state.flights.push(flight);
            }
            Do::Commit(which, answered) => self.commit(state, which, answered)?,
            Do::Drop(which) => {
                (which < state.flights.len()).then(|| state.flights.remove(which))?;
            }
            Do::StartStream if state.stream.is_none() && state.stream_starts < STREAMS => self.start_stream(state)?,
            Do::StartStream => return None,
            Do::KillStream => state.stream = state.stream.take().map(|_| None)?,
            Do::Read => self.read(state)?,
            Do::Say => {
                let stream = state.stream.as_mut()?;
                let first = stream.unsaid & stream.unsaid.wrapping_neg();
                if first == 0 {
                    return None;
                }
                state.said_twice |= state.said & first;
                state.said |= first;
                stream.unsaid &= !first;
            }
            Do::Save => {
                let stream = state.stream?;
                if stream.unsaid != 0 && self.bug != Bug::CheckpointBeforeAlerts {
                    return None;
                }
                let next = stream.lane.filter(|_| self.bug == Bug::PlaceOfTheEnd).unwrap_or(stream.next);
                let saved = Stream { next, lane: None, known: 0, unsaid: 0, ..stream };
                if state.checkpoint == Some(saved) {
                    return None;
                }
                state.checkpoint = Some(saved);
            }
            Do::LoseCheckpoint => {
                if state.checkpoint_lost {
                    return None;
                }
                state.checkpoint.take()?;
                state.checkpoint_lost = true;
            }
        }
        state.flights.sort_unstable();
        Some(())
    }
}

impl Model for Ground {
    type State = State;
    type Action = Do;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            begin: 0,
            end: 0,
            rows: [0; RECORDS as usize],
            flights: Vec::new(),
            archives: [None, None],
            starts: 0,
            lost: 0,
            stream: None,
            stream_starts: 0,
            checkpoint: None,
            checkpoint_lost: false,
            said: 0,
            said_twice: 0,
        }]
    }

    fn actions(&self, _: &State, actions: &mut Vec<Do>) {
        for which in 0..2 {
            actions.extend([Do::StartArchive(which), Do::KillArchive(which), Do::Take(which), Do::Drop(which)]);
            actions.extend(KINDS.map(|kind| Do::Send(which, kind)));
            actions.extend([true, false].map(|answered| Do::Commit(which, answered)));
        }
        actions.extend([
            Do::Append,
            Do::Retain,
            Do::StartStream,
            Do::KillStream,
            Do::Read,
            Do::Say,
            Do::Save,
            Do::LoseCheckpoint,
        ]);
    }

    fn next_state(&self, state: &State, what: Do) -> Option<State> {
        let mut next = state.clone();
        self.step(&mut next, what).map(|()| next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        /// A state that says of every record before its offset what became of it, and counts none twice.
        fn is_true(stream: &Stream) -> bool {
            let wanted = below(stream.next) & !below(stream.from);
            stream.twice == 0 && stream.seen & !wanted == 0 && (stream.seen | stream.told) & wanted == wanted
        }
        vec![
            Property::always("the archive passes over nothing in silence", |_: &Self, state: &State| {
                let all = |archive: &Archive| {
                    let read = below(archive.next);
                    read & !(state.there() | state.lost | archive.waiting | below(state.begin)) == 0
                };
                state.archives.iter().flatten().all(all)
            }),
            Property::always("a state is that of the log, but for what it told", |_: &Self, state: &State| {
                state.stream.iter().chain(&state.checkpoint).all(is_true)
            }),
            Property::always("behind a checkpoint no alert is missing", |_: &Self, state: &State| {
                state.checkpoint.iter().all(|saved| saved.seen & !state.said == 0)
            }),
            Property::always("no alert is said twice", |_: &Self, state: &State| state.said_twice == 0),
            Property::sometimes("all of it comes back from the archive", |_: &Self, state: &State| {
                state.checkpoint_lost
                    && state.begin == RECORDS
                    && state.stream.is_some_and(|stream| stream.seen == below(RECORDS) && stream.told == 0)
                    && state.rows.iter().any(|copies| *copies > 1)
            }),
        ]
    }
}

/// States explored, and the names of the properties that do not hold.
fn explore(bug: Bug) -> (usize, Vec<&'static str>) {
    // Which archive stands where says nothing.
    let turned = |state: &State| {
        let mut state = state.clone();
        if state.archives[1] < state.archives[0] {
            state.archives.swap(0, 1);
            for flight in &mut state.flights {
                flight.of = flight.of.map(|of| 1 - of);
            }
            state.flights.sort_unstable();
        }
        state
    };
    let builder = Ground { bug }.checker().threads(2).symmetry_fn(turned).finish_when(HasDiscoveries::AnyFailures);
    let checker = builder.spawn_dfs().join();
    let mut broken: Vec<&'static str> = checker.discoveries().into_keys().collect();
    let comes_back = broken.iter().any(|name| name.starts_with("all of it"));
    broken.retain(|name| !name.starts_with("all of it"));
    if broken.is_empty() && !comes_back {
        broken.push("nothing ever comes back");
    }
    broken.sort_unstable();
    (checker.unique_state_count(), broken)
}

#[test]
#[allow(clippy::print_stdout, reason = "how much was explored is for whoever reads the test's output")]
fn no_order_of_things_makes_a_state_that_the_log_would_not() {
    let (states, broken) = explore(Bug::None);
    println!("explored {states} states");
    assert_eq!(broken, Vec::<&str>::new());
    assert!(states > 100_000, "the exploration has become small: {states}");
}

#[test]
fn what_is_wrong_is_found() {
    for bug in [
        Bug::HighWater,
        Bug::UnansweredIsDone,
        Bug::RowsCount,
        Bug::SkipsToTheLog,
        Bug::DoesNotLookAgain,
        Bug::PlaceOfTheEnd,
        Bug::CheckpointBeforeAlerts,
        Bug::KnowsNoAlerts,
    ] {
        let (_, broken) = explore(bug);
        assert!(!broken.is_empty(), "{bug:?} goes unseen");
    }
}
