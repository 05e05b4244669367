//! Reading: what a record says, taken out of its bytes. A function of the record and of what is fixed for the life of the
//! process, so that records can be read before their turn.

use super::{Record, recall::recall, repeats};
use crate::shared::World;
use gridwarden_domain::{
    decode::content_type,
    mapping::Target,
    observation::ObservationRef,
    origin::Origin,
    reject::{Code, Reason},
    report::Report,
};
use gridwarden_runtime::crashes::{self, Quarantine};

/// What a record says.
pub(super) enum Said<'a> {
    /// [`Reading::observation`].
    Observation,
    Report(Box<Report>),
    /// A marker: the feed with this name ends.
    End(&'a [u8]),
    /// It repeats another of its origin, and says nothing more.
    Repeat,
}

/// A record and what it says, or why it is rejected.
pub(super) struct Reading<'a> {
    pub(super) record: Record<'a>,
    /// Number of its topic.
    pub(super) topic: u16,
    /// Number of its feed.
    pub(super) feed: u16,
    pub(super) said: Result<Said<'a>, Reason>,
    /// Means something after [`Said::Observation`] only. Never moved: it is large.
    pub(super) observation: ObservationRef<'a>,
    /// Where its kind stands with this worker, if that is known already.
    pub(super) kind: Option<u16>,
    /// The number its entity most likely has.
    pub(super) guess: Option<u32>,
    /// Of a message sent again: the fingerprint of its origin.
    pub(super) origin: Option<u64>,
}

impl<'a> Reading<'a> {
    /// A place to read records into.
    pub(super) fn blank(record: Record<'a>) -> Self {
        let (observation, said) = (ObservationRef::empty(), Ok(Said::Observation));
        Self { record, topic: 0, feed: 0, said, observation, kind: None, guess: None, origin: None }
    }

    /// Reads a record over another that has had its turn.
    #[inline]
    pub(super) fn renew(&mut self, world: &World, record: Record<'a>) {
        (self.record, self.feed, self.kind, self.guess, self.origin) = (record, 0, None, None, None);
        self.topic = world.parts.get(usize::from(record.part)).map_or(0, |part| part.topic);
        self.said = self.read(world);
    }

    #[inline]
    fn read(&mut self, world: &World) -> Result<Said<'a>, Reason> {
        let record = &self.record;
        crashes::in_hand(world.identity(record.part, record.offset));
        if world.is_poison(record.part, record.offset) {
            return Err(Quarantine::reason());
        }
        #[cfg(debug_assertions)]
        crashes::fault_point(record.fault, "stream");
        let Some(payload) = record.payload else {
            let none = || Reason::new(Code::EmptyPayload, "", "the record has no value");
            return record.end.map(Said::End).ok_or_else(none);
        };
        let encoding = content_type(record.content_type)?;
        self.feed = world.feeds.find(record.feed)?;
        if let Some(header) = record.origin {
            self.origin = Some(repeats::fingerprint_of_origin(&Origin::parse(header)?));
        }
        if record.archived {
            return recall(payload, &mut self.observation);
        }
        let crs = world.feeds.get(self.feed).map(|feed| feed.crs).unwrap_or_default();
        let Some(topic) = world.topics.get(usize::from(self.topic)) else {
            return Err(Reason::new(Code::WrongType, "", "the topic is not read here"));
        };
        match topic.decoder.target() {
            Target::Observations => topic
                .decoder
                .observation_over((encoding, crs), payload, &mut self.observation)
                .map(|()| Said::Observation),
            Target::Reports => {
                topic.decoder.report_as(encoding, payload, crs).map(|report| Said::Report(Box::new(report)))
            }
        }
    }
}
