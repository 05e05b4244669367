//! What all workers share: names, what is in force, where to put alerts and rows.

use crate::{
    checkpoint::Names,
    cluster::{Authority, Others, Seat, Status},
    feeds::{Domains, Feeds},
    intern::{MetricNames, Views, Whereabouts},
    metrics::Metrics,
    rules::{Books, Limits},
    shard::shard_of_rule,
    windows::sketch::Sketches,
};
use gridwarden_domain::{
    alert::Alert,
    decode::Decoder,
    identity::{RecordId, TopicId},
    rule::is_together,
    time,
};
use gridwarden_runtime::crashes::Quarantine;
use jiff::tz::TimeZone;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// A topic read.
pub(crate) struct Topic {
    /// Name, without prefix.
    pub(crate) name: String,
    /// Its id.
    pub(crate) id: TopicId,
    /// Reads its messages.
    pub(crate) decoder: Decoder,
}

/// A partition read; its number is its place in [`World::parts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Number of the topic in [`World::topics`].
    pub(crate) topic: u16,
    /// Partition.
    pub(crate) partition: i32,
}

/// What the city and Kafka say; fixed for the life of the process.
pub(crate) struct World {
    /// Topics read.
    pub(crate) topics: Vec<Topic>,
    /// All partitions of all topics.
    pub(crate) parts: Vec<Part>,
    /// Feeds.
    pub(crate) feeds: Feeds,
    /// Watermark domains.
    pub(crate) domains: Domains,
    /// How long stragglers are waited for.
    pub(crate) lateness_ms: i64,
    /// Age beyond which a live record is late.
    pub(crate) max_age_ms: i64,
    /// How much is remembered.
    pub(crate) remembered: Remembered,
    /// The city's time zone, an IANA name.
    pub(crate) timezone: String,
    /// Metrics with sketches.
    pub(crate) sketches: Sketches,
    /// Records that made processes panic.
    pub(crate) quarantine: Quarantine,
    /// Whether the city is made up.
    pub(crate) simulated: bool,
    /// The generation this process has claimed.
    pub(crate) generation: u32,
}

/// How many ids are remembered to know a repeat by, and how many records to put in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remembered {
    /// Of each source and kind.
    pub(crate) of_source: usize,
    /// Of reports in each partition.
    pub(crate) reports: usize,
    /// Records that may wait for their turn in each partition.
    pub(crate) reordered: usize,
}

impl World {
    /// The city's time zone; a city folder without one this build knows is refused before.
    pub(crate) fn zone(&self) -> TimeZone {
        time::zone(&self.timezone).unwrap_or(TimeZone::UTC)
    }

    /// The number of a topic.
    pub(crate) fn topic(&self, name: &str) -> Option<u16> {
        self.topics.iter().position(|topic| topic.name == name).and_then(|number| u16::try_from(number).ok())
    }

    /// All partitions, by number: topic, partition.
    pub(crate) fn partitions(&self) -> Vec<(&str, i32)> {
        let name = |part: &Part| self.topics.get(usize::from(part.topic)).map_or("", |topic| topic.name.as_str());
        self.parts.iter().map(|part| (name(part), part.partition)).collect()
    }

    /// Topic and partition of a number.
    pub(crate) fn name_of(&self, part: u16) -> (&str, i32) {
        let part = self.parts.get(usize::from(part));
        let topic = part.and_then(|part| self.topics.get(usize::from(part.topic)));
        (topic.map_or("", |topic| topic.name.as_str()), part.map_or(-1, |part| part.partition))
    }

    /// The number of a partition.
    pub(crate) fn part(&self, topic: &str, partition: i32) -> Option<u16> {
        let topic = self.topic(topic)?;
        let found = self.parts.iter().position(|part| part.topic == topic && part.partition == partition);
        found.and_then(|number| u16::try_from(number).ok())
    }

    /// Whether a record is left out (`PSN-2`).
    #[inline]
    pub(crate) fn is_poison(&self, part: u16, offset: i64) -> bool {
        !self.quarantine.is_empty() && self.quarantine.holds(self.identity(part, offset))
    }

    /// Whether this process decides what becomes of an alert. One whose partition is read no more is the first's.
    pub(crate) fn is_watched(&self, alert: &Alert, seat: Seat) -> bool {
        if is_together(&alert.kind) {
            return seat.owns(shard_of_rule(&alert.rule));
        }
        let cause = alert.cause;
        let topic = self.topics.iter().position(|topic| topic.id == cause.topic_id);
        let part = |topic: &u16| self.parts.contains(&Part { topic: *topic, partition: cause.partition });
        match topic.and_then(|topic| u16::try_from(topic).ok()).filter(part) {
            Some(topic) => seat.reads(topic, cause.partition),
            None => seat.leads(),
        }
    }

    /// The identity of a record in a partition.
    pub(crate) fn identity(&self, part: u16, offset: i64) -> RecordId {
        let part = self.parts.get(usize::from(part));
        let topic = part.and_then(|part| self.topics.get(usize::from(part.topic)));
        RecordId {
            topic_id: topic.map_or(TopicId(0), |topic| topic.id),
            partition: part.map_or(-1, |part| part.partition),
            offset,
        }
    }
}

/// Names and ready-made rules; grows as the process learns.
pub(crate) struct Lore {
    /// Kinds and metrics.
    pub(crate) names: Arc<MetricNames>,
    /// Areas.
    pub(crate) views: Views,
    /// Rules.
    pub(crate) books: Books,
    /// Where sources were first seen.
    pub(crate) whereabouts: Whereabouts,
}

impl Lore {
    /// With the numbers names were saved with; `authority` gives out new ones, when this process does not. Fences drawn may take
    /// so many MiB; hours of rules are in the city's time zone.
    pub(crate) fn restored(names: &Names, fences_mib: usize, zone: TimeZone, authority: Option<Authority>) -> Self {
        Self {
            names: Arc::new(MetricNames::restored(&names.kinds).asking(authority.clone())),
            views: Views::restored(&names.areas).asking(authority.clone()),
            books: Books::restored(Limits { shapes_mib: fences_mib }, &names.rules).in_zone(zone).asking(authority),
            whereabouts: Whereabouts::default(),
        }
    }
}

/// How far a worker is.
pub(crate) struct Progress {
    /// Whether it reads the past.
    pub(crate) past: AtomicBool,
    /// Whether its windows are made faster than ClickHouse takes them.
    pub(crate) pressed: AtomicBool,
    /// The dataflow's time its windows have come to; [`NO_TIME`] before the first.
    pub(crate) frontier: AtomicU64,
    /// The live watermark of its windows; [`i64::MIN`] before it is known.
    pub(crate) watermark: AtomicI64,
    /// How many sightings wait for rules over several entities.
    pub(crate) waiting: AtomicU64,
}

/// No time.
const NO_TIME: u64 = u64::MAX;

impl Progress {
    /// Until it is known better.
    pub(crate) fn in_the_past() -> Self {
        Self {
            past: AtomicBool::new(true),
            pressed: AtomicBool::new(false),
            frontier: AtomicU64::new(NO_TIME),
            watermark: AtomicI64::new(i64::MIN),
            waiting: AtomicU64::new(0),
        }
    }
}

/// Everything workers share.
pub(crate) struct Shared {
    /// Fixed.
    pub(crate) world: World,
    /// Learnt.
    pub(crate) lore: Lore,
    /// Counted.
    pub(crate) metrics: Metrics,
    /// By worker of this process.
    pub(crate) progress: Vec<Progress>,
    /// How all other processes are.
    pub(crate) others: Others,
}

impl Shared {
    /// The dataflow's time all workers have come to; none while one has seen no time yet, or sees none any more.
    pub(crate) fn frontier(&self) -> Option<u64> {
        let times = self.progress.iter().map(|progress| progress.frontier.load(Ordering::Relaxed));
        let times: Option<Vec<u64>> = times.map(|time| (time != NO_TIME).then_some(time)).collect();
        times?.into_iter().min()
    }

    /// A worker's windows have come to a time.
    pub(crate) fn set_frontier(&self, worker: usize, time: Option<u64>) {
        if let Some(progress) = self.progress.get(worker) {
            progress.frontier.store(time.unwrap_or(NO_TIME), Ordering::Relaxed);
        }
    }

    /// The live watermark all windows have come to, in all processes; none while one owner does not know it.
    pub(crate) fn watermark(&self) -> Option<i64> {
        self.own_watermark().map(|own| own.min(self.others.watermark())).filter(|watermark| *watermark != i64::MIN)
    }

    fn own_watermark(&self) -> Option<i64> {
        let lowest = self.progress.iter().map(|progress| progress.watermark.load(Ordering::Relaxed)).min();
        lowest.filter(|watermark| *watermark != i64::MIN)
    }

    /// Whether any worker reads the past: then windows wait until they are closed.
    pub(crate) fn in_the_past(&self) -> bool {
        self.is_in_the_past() || self.others.in_the_past()
    }

    fn is_in_the_past(&self) -> bool {
        self.progress.iter().any(|progress| progress.past.load(Ordering::Relaxed))
    }

    /// Whether reading should wait until ClickHouse has taken some of the past.
    pub(crate) fn is_pressed(&self) -> bool {
        self.presses() || self.others.is_pressed()
    }

    fn presses(&self) -> bool {
        self.progress.iter().any(|progress| progress.pressed.load(Ordering::Relaxed))
    }

    /// How this process is, for the others.
    pub(crate) fn status(&self) -> Status {
        Status { past: self.is_in_the_past(), pressed: self.presses(), watermark: self.own_watermark() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{alerts::alert, intake::tests::shared};
    use gridwarden_domain::alert::Transition;

    #[test]
    fn every_alert_is_watched_by_one_process_the_one_that_reads_what_caused_it() {
        let world = shared().world;
        let seats = [0, 1].map(|process| Seat { process, processes: 2, workers: 1 });
        let watching = |topic: u128, partition| {
            let cause = RecordId { topic_id: TopicId(topic), partition, offset: 5 };
            seats.map(|seat| world.is_watched(&Alert { cause, ..alert(0, 1, Transition::Raised) }, seat))
        };
        assert_eq!(watching(1, 0), [true, false]);
        assert_eq!(watching(1, 1), [false, true]);
        assert_eq!(watching(2, 0), [false, true], "topics are shifted against each other");
        for gone in [watching(1, 9), watching(7, 0)] {
            assert_eq!(gone, [true, false], "nobody reads it: the first decides");
        }
        for rule in ["crowd", "crowd-2", "crowd-3"] {
            let (rule, kind) = (rule.to_owned(), "density".to_owned());
            let of_rule = Alert { rule, kind, ..alert(0, 1, Transition::Raised) };
            let by = seats.map(|seat| world.is_watched(&of_rule, seat));
            assert_eq!(
                by,
                seats.map(|seat| seat.owns(shard_of_rule(&of_rule.rule))),
                "its rule decides, not its cause"
            );
            assert_ne!(by[0], by[1]);
        }
    }
}
