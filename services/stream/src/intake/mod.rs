//! One worker's way of a record: decode, admit, place, rules, windows. Knows no Kafka and no timely: records come in
//! borrowed, what follows from them is appended to an [`Outbox`].
//!
//! `INT-1` nothing is allocated for an ordinary observation: text stays in the message, names become numbers.
//! `INT-2` read = accepted + duplicate + late + rejected + markers.

mod ahead;
mod alerts;
mod flush;
mod observe;
mod order;
mod outbox;
mod part;
mod reading;
mod recall;
mod repeats;
mod report;
mod saved;
mod sight;
mod sketch;

pub(crate) use outbox::{EntityRow, Outbox};
pub(crate) use repeats::{SeenId, SourceIds};
pub(crate) use saved::{Copy, SavedPart};

use crate::{
    intern::{Kinds, View},
    rules::Change,
    shared::Shared,
    watermark::Stamp,
    windows::{AHEAD, At, KEEP_MS, LIVE, Rollup},
};
use gridwarden_domain::{
    control::Timeline,
    decode::{Admission, admit},
    locate::Places,
    reject::Reason,
};
use gridwarden_runtime::crashes;
use gridwarden_store::read::LogRecord;
use outbox::Tally;
use part::PartState;
use reading::{Reading, Said};
use smallvec::SmallVec;
use std::sync::Arc;

/// A record, borrowed.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    /// Its partition's number.
    pub(crate) part: u16,
    /// Offset.
    pub(crate) offset: i64,
    /// Append time.
    pub(crate) appended: i64,
    /// Value.
    pub(crate) payload: Option<&'a [u8]>,
    /// Header `feed`.
    pub(crate) feed: Option<&'a [u8]>,
    /// Header `end`.
    pub(crate) end: Option<&'a [u8]>,
    /// Header `content-type`.
    pub(crate) content_type: Option<&'a [u8]>,
    /// Whether the header `simulated` is there.
    pub(crate) simulated: bool,
    /// Header `origin`.
    pub(crate) origin: Option<&'a [u8]>,
    /// Whether it comes from the archive: its value is the archive's row.
    pub(crate) archived: bool,
    /// Header by which a test asks for a panic.
    #[cfg(debug_assertions)]
    pub(crate) fault: Option<&'a [u8]>,
}

impl<'a> Record<'a> {
    /// A record without headers: part, offset, append time, value.
    pub(crate) fn plain(part: u16, offset: i64, appended: i64, payload: Option<&'a [u8]>) -> Self {
        Self {
            part,
            offset,
            appended,
            payload,
            feed: None,
            end: None,
            content_type: None,
            simulated: false,
            origin: None,
            archived: false,
            #[cfg(debug_assertions)]
            fault: None,
        }
    }

    /// A record as the archive holds it.
    pub(crate) fn archived(part: u16, record: &LogRecord<'a>) -> Self {
        Self {
            feed: Some(record.feed),
            simulated: record.simulated,
            origin: record.origin,
            archived: true,
            ..Self::plain(part, record.offset, record.appended_ms, Some(record.row))
        }
    }

    fn at(&self) -> At {
        At::new(self.part, self.offset)
    }
}

/// What becomes of a record that can be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Accepted,
    /// Older than `max_age`.
    Late,
    /// Its id was there before.
    Repeat,
}

/// What is known of a record that was admitted.
#[derive(Clone, Copy)]
struct Admitted {
    time: i64,
    feed: u16,
    domain: u8,
    for_windows: bool,
    for_rules: bool,
    /// Whether nothing behind it was told not to come any more.
    for_together: bool,
}

/// Where a record is on its way.
struct Way<'a> {
    shared: &'a Shared,
    record: &'a Record<'a>,
    part: &'a mut PartState,
    stamp: Stamp,
    out: &'a mut Outbox,
}

impl Way<'_> {
    /// Whether a record of the same origin was taken before, within the age ids are known for (`RPL-1`).
    #[inline]
    fn was_taken_before(&self, origin: Option<u64>) -> bool {
        origin.is_some_and(|origin| self.part.ids.knows(origin, self.record.appended, self.shared.world.max_age_ms))
    }

    /// What is rejected is so before it is a repeat: whoever archives it sees it in that order too.
    #[cold]
    fn repeat(&self, time: i64) -> Result<Fate, Reason> {
        match admit(time, self.record.appended, None) {
            Admission::Reject(reason) => Err(reason),
            Admission::Accept | Admission::Late => Ok(Fate::Repeat),
        }
    }
}

/// A worker's partitions and what it knows.
pub(crate) struct Intake {
    /// By partition number; none for those of other workers.
    parts: Vec<Option<Box<PartState>>>,
    mind: Mind,
    newest: i64,
}

/// What a worker knows, over all its partitions.
struct Mind {
    kinds: Kinds,
    /// Entities more that may be remembered: a party that invents ids must not fill the memory.
    room: usize,
    rollups: Vec<(Arc<View>, Rollup)>,
    timeline: Arc<Timeline>,
    /// Counts timelines, so that partitions see that theirs is old.
    epoch: u64,
    places: Places,
    chain: SmallVec<[u32; 32]>,
    changes: Vec<Change>,
    tally: Tally,
    /// Records too late for rules that nobody was told of yet.
    stepped_back: u64,
    /// Whether windows are counted.
    counts: bool,
}

impl Intake {
    /// For the partitions with these numbers.
    pub(crate) fn new(shared: &Shared, parts: &[u16], most_entities: usize) -> Self {
        let mut states: Vec<Option<Box<PartState>>> = Vec::new();
        states.resize_with(shared.world.parts.len(), || None);
        for part in parts {
            if let Some(state) = states.get_mut(usize::from(*part)) {
                *state = Some(Box::new(PartState::new(shared.world.lateness_ms)));
            }
        }
        let mind = Mind {
            kinds: Kinds::new(Arc::clone(&shared.lore.names), shared.world.sketches.clone()),
            room: most_entities,
            rollups: Vec::new(),
            timeline: Arc::default(),
            epoch: 0,
            places: Places::new(),
            chain: SmallVec::new(),
            changes: Vec::new(),
            tally: Tally::default(),
            stepped_back: 0,
            counts: true,
        };
        Self { parts: states, mind, newest: 0 }
    }

    /// The same for rules alone: nothing is counted for windows.
    pub(crate) fn without_windows(mut self) -> Self {
        self.mind.counts = false;
        self
    }

    /// What is in force, for the records that follow.
    pub(crate) fn set_timeline(&mut self, timeline: Arc<Timeline>) {
        if !Arc::ptr_eq(&self.mind.timeline, &timeline) {
            self.mind.timeline = timeline;
            self.mind.epoch += 1;
        }
    }

    /// Takes records as far as what is in force for them is known; how many. Ends stand behind the records they were read
    /// with: they count once all of those are taken, or a partition would be idle whose records are still held.
    pub(crate) fn take_known<'a>(
        &mut self,
        shared: &Shared,
        records: impl Iterator<Item = Record<'a>>,
        known_until: i64,
        ends: impl Iterator<Item = (u16, i64)>,
        out: &mut Outbox,
    ) -> usize {
        let mut taken = 0;
        let mut beyond = false;
        let mut known = records.take_while(|record| {
            beyond = record.appended > known_until;
            !beyond
        });
        let mut readings: SmallVec<[Reading<'a>; AHEAD]> = SmallVec::new();
        loop {
            let mut read = 0;
            for record in known.by_ref().take(AHEAD) {
                if readings.len() == read {
                    readings.push(Reading::blank(record));
                }
                if let Some(reading) = readings.get_mut(read) {
                    reading.renew(&shared.world, record);
                }
                read += 1;
            }
            let readings = readings.get_mut(..read).unwrap_or_default();
            // What goes wrong while looking ahead is no single record's.
            crashes::put_down();
            self.mind.look_ahead(&self.parts, readings);
            for reading in readings {
                self.take(shared, reading, out);
            }
            crashes::put_down();
            taken += read;
            if read < AHEAD {
                break;
            }
        }
        if beyond {
            return taken;
        }
        for (part, end) in ends {
            self.end_reached(part, end);
        }
        taken
    }

    #[inline]
    fn take(&mut self, shared: &Shared, reading: &Reading<'_>, out: &mut Outbox) {
        let record = &reading.record;
        crashes::in_hand(shared.world.identity(record.part, record.offset));
        let Some(Some(part)) = self.parts.get_mut(usize::from(record.part)) else { return };
        let stamp = part.clock.appended(record.appended);
        part.next = Some(record.offset + 1);
        self.newest = record.appended;
        let said = out.alerts.len();
        self.mind.take(Way { shared, record, part, stamp, out: &mut *out }, reading);
        // `RUL-1`: not in the order in which any partition first met the rules.
        if let Some(of_record @ [_, _, ..]) = out.alerts.get_mut(said..) {
            of_record.sort_by(|one, other| one.rule.cmp(&other.rule));
        }
    }

    /// Takes the number of records kept from rules since this was last asked for, because a broker's clock stepped back.
    pub(crate) fn take_stepped_back(&mut self) -> u64 {
        std::mem::take(&mut self.mind.stepped_back)
    }

    /// Append time of the record taken last; 0 before the first.
    pub(crate) fn newest(&self) -> i64 {
        self.newest
    }
}

impl Mind {
    #[inline]
    fn take(&mut self, mut way: Way<'_>, reading: &Reading<'_>) {
        self.tally.read += 1;
        if way.part.is_outdated(way.record.appended, self.epoch) {
            self.renew(&mut way);
        }
        let (highest, clock) = (way.part.clock.newest(), way.part.clock.rules());
        self.turn((&mut way, LIVE), highest, clock);
        let fate = match &reading.said {
            Ok(Said::Observation) if way.was_taken_before(reading.origin) => way.repeat(reading.observation.time_ms),
            Ok(Said::Report(report)) if way.was_taken_before(reading.origin) => way.repeat(report.time),
            // What was archived as a repeat is one, however much is remembered here.
            Ok(Said::Repeat) => Ok(Fate::Repeat),
            Ok(Said::Observation) => self.observe(&mut way, reading),
            Ok(Said::Report(report)) => self.report(&mut way, (reading.topic, reading.feed), report),
            Ok(Said::End(feed)) => {
                self.tally.markers += 1;
                self.end(&mut way, reading.topic, feed);
                return;
            }
            Err(reason) => {
                self.tally.reject(reason);
                return;
            }
        };
        if let (Some(origin), Ok(_)) = (reading.origin, &fate) {
            way.part.ids.remember(origin, way.record.appended, way.shared.world.remembered.reports);
        }
        match fate {
            Ok(Fate::Accepted) => self.tally.accepted += 1,
            Ok(Fate::Late) => self.tally.late += 1,
            Ok(Fate::Repeat) => self.tally.duplicate += 1,
            Err(reason) => self.tally.reject(&reason),
        }
    }

    /// A feed ends in this partition: its clock has come to the end of time, holds included.
    #[cold]
    fn end(&mut self, way: &mut Way<'_>, topic: u16, feed: &[u8]) {
        // A name that cannot be read is that of no feed.
        let feed = way.shared.world.feeds.find(Some(feed)).unwrap_or(0);
        let domain = way.part.domain(feed, topic, way.shared);
        if domain != LIVE {
            self.turn((&mut *way, domain), i64::MAX, i64::MAX);
            way.part.ordered.end(domain);
            way.part.clock.end(domain);
        }
    }

    /// Admits an event time: none when it is late.
    #[inline]
    fn admit(&mut self, way: &mut Way<'_>, (topic, feed): (u16, u16), time: i64) -> Result<Option<Admitted>, Reason> {
        let domain = way.part.domain(feed, topic, way.shared);
        let max_age = (domain == LIVE).then_some(way.shared.world.max_age_ms);
        match admit(time, way.record.appended, max_age) {
            Admission::Reject(reason) => return Err(reason),
            Admission::Late => return Ok(None),
            Admission::Accept => {}
        }
        let clock = if domain == LIVE {
            way.part.clock.rules()
        } else {
            let (highest, clock) = way.part.clock.historical(domain, time);
            self.turn((&mut *way, domain), highest, clock);
            clock
        };
        let for_windows = time >= clock.saturating_sub(KEEP_MS);
        let for_rules = way.stamp == Stamp::Steady;
        let for_together = for_rules && time >= clock;
        Ok(Some(Admitted { time, feed, domain, for_windows, for_rules, for_together }))
    }

    /// Counts what an accepted record is too late for.
    #[inline]
    fn note(&mut self, admitted: Admitted) {
        self.tally.too_late_for_windows += u64::from(!admitted.for_windows);
        self.tally.too_late_for_rules += u64::from(!admitted.for_rules);
        self.stepped_back += u64::from(!admitted.for_rules);
    }
}

#[cfg(test)]
pub(crate) mod tests;
