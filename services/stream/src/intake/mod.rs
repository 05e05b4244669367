//! One worker's way of a record: decode, admit, place, rules, windows. Knows no Kafka and no timely: records come in
//! borrowed, what follows from them is appended to an [`Outbox`].
//!
//! `INT-1` nothing is allocated for an ordinary observation: text stays in the message, names become numbers.
//! `INT-2` read = accepted + late + rejected + markers.

mod alerts;
mod flush;
mod observe;
mod outbox;
mod part;
mod report;

pub(crate) use outbox::{EntityRow, Outbox};

use crate::{
    intern::{Entities, Kinds, View},
    rules::Change,
    shared::Shared,
    watermark::Stamp,
    windows::{At, KEEP_MS, LIVE, Rollup},
};
use gridwarden_domain::{
    control::Timeline,
    decode::{Admission, admit, content_type},
    locate::Places,
    mapping::Target,
    reject::Reason,
};
use outbox::Tally;
use part::PartState;
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
}

impl Record<'_> {
    fn at(&self) -> At {
        At::new(self.part, self.offset)
    }
}

/// What is known of a record that was admitted.
#[derive(Clone, Copy)]
struct Admitted {
    time: i64,
    feed: u16,
    domain: u8,
    for_windows: bool,
    for_rules: bool,
}

/// Where a record is on its way.
struct Way<'a> {
    shared: &'a Shared,
    record: &'a Record<'a>,
    part: &'a mut PartState,
    stamp: Stamp,
    out: &'a mut Outbox,
}

/// A worker's partitions and what it knows.
pub(crate) struct Intake {
    /// By partition number; none for those of other workers.
    parts: Vec<Option<Box<PartState>>>,
    mind: Mind,
}

/// What a worker knows, over all its partitions.
struct Mind {
    kinds: Kinds,
    entities: Entities,
    rollups: Vec<(Arc<View>, Rollup)>,
    timeline: Arc<Timeline>,
    /// Counts timelines, so that partitions see that theirs is old.
    epoch: u64,
    places: Places,
    chain: SmallVec<[u32; 32]>,
    changes: Vec<Change>,
    /// Entities whose latest state is still to be written.
    dirty: Vec<u32>,
    tally: Tally,
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
            kinds: Kinds::new(Arc::clone(&shared.lore.names)),
            entities: Entities::new(most_entities),
            rollups: Vec::new(),
            timeline: Arc::default(),
            epoch: 0,
            places: Places::new(),
            chain: SmallVec::new(),
            changes: Vec::new(),
            dirty: Vec::new(),
            tally: Tally::default(),
        };
        Self { parts: states, mind }
    }

    /// What is in force, for the records that follow.
    pub(crate) fn set_timeline(&mut self, timeline: Arc<Timeline>) {
        if !Arc::ptr_eq(&self.mind.timeline, &timeline) {
            self.mind.timeline = timeline;
            self.mind.epoch += 1;
        }
    }

    /// Takes a record.
    pub(crate) fn take(&mut self, shared: &Shared, record: &Record<'_>, out: &mut Outbox) {
        let Some(Some(part)) = self.parts.get_mut(usize::from(record.part)) else { return };
        let stamp = part.clock.appended(record.appended);
        part.next = Some(record.offset + 1);
        self.mind.take(Way { shared, record, part, stamp, out });
    }
}

impl Mind {
    fn take(&mut self, mut way: Way<'_>) {
        self.tally.read += 1;
        if way.part.is_outdated(way.record.appended, self.epoch) {
            self.renew(&mut way);
        }
        let clock = way.part.clock.rules();
        self.fire(&mut way, LIVE, clock);
        let topic = way.shared.world.parts.get(usize::from(way.record.part)).map_or(0, |part| part.topic);
        let Some(known) = way.shared.world.topics.get(usize::from(topic)) else { return };
        if way.record.payload.is_none()
            && let Some(feed) = way.record.end
        {
            self.tally.markers += 1;
            let feed = way.shared.world.feeds.find(Some(feed));
            let domain = way.part.domain(feed, topic, way.shared);
            if domain != LIVE {
                way.part.clock.end(domain);
            }
            return;
        }
        let result = match (content_type(way.record.content_type), known.decoder.target()) {
            (Err(reason), _) => Err(reason),
            (Ok(_), Target::Observations) => self.observe(&mut way, topic, &known.decoder),
            (Ok(_), Target::Reports) => self.report(&mut way, topic, &known.decoder),
        };
        match result {
            Ok(true) => self.tally.accepted += 1,
            Ok(false) => self.tally.late += 1,
            Err(reason) => self.tally.reject(&way.shared.metrics, &reason),
        }
    }

    /// Admits an event time: none when it is late.
    #[inline]
    fn admit(&mut self, way: &mut Way<'_>, topic: u16, feed: u16, time: i64) -> Result<Option<Admitted>, Reason> {
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
            let clock = way.part.clock.historical(domain, time);
            self.fire(way, domain, clock);
            clock
        };
        let for_windows = time >= clock.saturating_sub(KEEP_MS);
        let for_rules = way.stamp == Stamp::Steady;
        self.tally.too_late_for_windows += u64::from(!for_windows);
        self.tally.too_late_for_rules += u64::from(!for_rules);
        Ok(Some(Admitted { time, feed, domain, for_windows, for_rules }))
    }
}

#[cfg(test)]
mod tests;
