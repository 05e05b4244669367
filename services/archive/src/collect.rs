//! From records to rows on the shelves: judge, place, encode.

use crate::blocks::{DAY_MS, Limits, Shelf};
use crate::insert::Work;
use crate::judge::{Envelope, Feeds, Verdict, judge};
use crate::metrics::Metrics;
use crate::replays::{Taken, Turn};
use crate::rows::{place_observation, place_report};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gridwarden_bus::{Record, headers, rejects, sources::Source};
use gridwarden_domain::control::Timeline;
use gridwarden_domain::identity::RecordId;
use gridwarden_domain::locate::Places;
use gridwarden_domain::observation::ObservationRef;
use gridwarden_domain::origin::Origin;
use gridwarden_domain::reject::{Reason, Reject};
use gridwarden_domain::report::Report;
use gridwarden_runtime::crashes::{self, Quarantine};
use gridwarden_runtime::seeded::seeded;
use gridwarden_store::read::OffsetRange;
use gridwarden_store::rows::{
    GapKind, GapRow, Gaps, MarkerRow, Markers, ObservationRow, Observations, RejectRow, Rejects, ReplayRow, Replays,
    ReportRow, Reports, Said,
};
use std::collections::BTreeMap;

/// What is the same for all records of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Moment<'t> {
    /// What is in force.
    pub(crate) timeline: &'t Timeline,
    /// The wall clock, epoch milliseconds.
    pub(crate) now_ms: i64,
}

/// A reject for the topic.
pub(crate) struct ForTopic {
    pub(crate) reject: Reject,
    /// Bytes of the message; the reject may hold fewer.
    pub(crate) length: usize,
}

/// Rows being collected.
pub(crate) struct Collector {
    observations: Shelf<Observations>,
    reports: Shelf<Reports>,
    rejects: Shelf<Rejects>,
    markers: Shelf<Markers>,
    gaps: Shelf<Gaps>,
    /// Messages sent again that can be taken; handed over before everything else (`ARC-9`).
    replays: Shelf<Replays>,
    taken: Taken,
    /// Records that made processes panic.
    quarantine: Quarantine,
    /// The rejects of each day's block, for the topic.
    for_topic: BTreeMap<i64, Vec<ForTopic>>,
    feeds: Feeds,
    metrics: Metrics,
    places: Places,
}

/// A row's place in the log and in time.
#[derive(Clone, Copy)]
struct Place {
    record: RecordId,
    appended_ms: i64,
}

/// How a record came.
#[derive(Clone, Copy)]
struct Whence<'a> {
    feed: &'a str,
    late: bool,
    simulated: bool,
}

/// What is kept of a message that is rejected.
#[derive(Clone, Copy)]
struct Kept<'a> {
    payload: &'a [u8],
    key: Option<&'a [u8]>,
    headers: &'a [(&'a str, &'a [u8])],
    /// Where it stood first, when it was sent again.
    origin: Option<Origin>,
}

impl Collector {
    pub(crate) fn new(limits: Limits, feeds: Feeds, known: (Taken, Quarantine), metrics: Metrics) -> Self {
        let (taken, quarantine) = known;
        // Rejects are kept twice until they are acknowledged, and each is a message of its own.
        let of_rejects = Limits { rows: limits.rows.min(10_000), bytes: limits.bytes.min(8 << 20), ..limits };
        Self {
            observations: Shelf::new(limits),
            reports: Shelf::new(limits),
            rejects: Shelf::new(of_rejects),
            markers: Shelf::new(limits),
            gaps: Shelf::new(limits),
            replays: Shelf::new(limits),
            taken,
            quarantine,
            for_topic: BTreeMap::new(),
            feeds,
            metrics,
            places: Places::new(),
        }
    }

    /// Takes a record that ClickHouse does not hold yet.
    pub(crate) fn add(&mut self, source: &Source, record: &Record<'_>, moment: Moment<'_>) {
        let said = record.headers();
        let envelope = Envelope {
            payload: record.payload,
            feed: said.get(headers::FEED),
            content_type: said.get(headers::CONTENT_TYPE),
            end: said.get(headers::END),
            origin: said.get(headers::ORIGIN),
            #[cfg(debug_assertions)]
            fault: said.get(headers::FAULT),
            appended_ms: record.appended_ms,
        };
        let id = RecordId { topic_id: source.meta.id, partition: record.partition, offset: record.offset };
        let place = Place { record: id, appended_ms: record.appended_ms };
        let origin = envelope.origin.and_then(|header| Origin::parse(header).ok());
        let simulated = said.get(headers::SIMULATED).is_some();
        self.metrics.in_flight.inc();
        crashes::in_hand(id);
        match self.judge(source, &envelope, id) {
            Verdict::Marker { feed } => {
                let row = MarkerRow { record: place.record, appended_ms: place.appended_ms, feed };
                self.markers.push((place.record, place.appended_ms), false, &row, moment.now_ms);
            }
            Verdict::Reject(reason) => {
                let headers = rejects::KEPT_HEADERS.map(|name| (name, said.get(name)));
                let headers: Vec<(&str, &[u8])> =
                    headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
                let (payload, key) = (record.payload.unwrap_or_default(), record.key);
                self.reject(place, &source.topic, (reason, Kept { payload, key, headers: &headers, origin }), moment);
            }
            _ if origin.is_some_and(|origin| self.again(place, &origin, moment) == Turn::Repeat) => {}
            Verdict::Observation { feed, said, late } => {
                self.observation(place, Whence { feed, late, simulated }, &said, moment);
            }
            Verdict::Report { feed, said, late } => self.report(place, Whence { feed, late, simulated }, &said, moment),
        }
    }

    /// What becomes of a record; one that made processes panic is not even looked at (`PSN-2`).
    fn judge<'a>(&self, source: &Source, envelope: &Envelope<'a>, record: RecordId) -> Verdict<'a> {
        if !self.quarantine.is_empty() && self.quarantine.holds(record) {
            return Verdict::Reject(Quarantine::reason());
        }
        #[cfg(debug_assertions)]
        crashes::fault_point(envelope.fault, "archive");
        judge(&source.decoder, &self.feeds, envelope)
    }

    /// A message that was sent again and can be taken.
    fn again(&mut self, at: Place, origin: &Origin, moment: Moment<'_>) -> Turn {
        let turn = self.taken.turn(origin, at.record);
        let repeat = turn == Turn::Repeat;
        let row = ReplayRow { record: at.record, appended_ms: at.appended_ms, origin: origin.record, repeat };
        self.replays.push((at.record, at.appended_ms), repeat, &row, moment.now_ms);
        turn
    }

    /// Notes offsets at which the log holds no record, seen at the record that follows them.
    pub(crate) fn gap(&mut self, source: &Source, follower: &Record<'_>, gap: OffsetRange, now_ms: i64) {
        let (topic_id, partition) = (source.meta.id, follower.partition);
        let noted_ms = follower.appended_ms;
        let row = GapRow { topic_id, partition, first: gap.first, end: gap.end, kind: GapKind::Empty, noted_ms };
        let record = RecordId { topic_id, partition, offset: gap.first };
        self.gaps.push((record, noted_ms), false, &row, now_ms);
        self.metrics.gaps.inc_by((gap.end - gap.first).max(0).unsigned_abs());
    }

    fn observation(&mut self, at: Place, whence: Whence<'_>, said: &ObservationRef<'_>, moment: Moment<'_>) {
        let Whence { feed, late, simulated } = whence;
        let in_force_at = if seeded("control-on-arrival-archive") { i64::MAX } else { at.appended_ms };
        let (position, areas) = place_observation(moment.timeline, said, in_force_at, &mut self.places);
        if areas.is_empty() {
            self.metrics.nowhere.with_label_values(&["observations"]).inc();
        }
        let row = ObservationRow {
            record: at.record,
            appended_ms: at.appended_ms,
            feed,
            said: Said::of(said),
            position,
            areas: &areas,
            late,
            simulated,
        };
        self.observations.push((at.record, at.appended_ms), late, &row, moment.now_ms);
    }

    fn report(&mut self, at: Place, whence: Whence<'_>, said: &Report, moment: Moment<'_>) {
        let Whence { feed, late, simulated } = whence;
        let areas = place_report(moment.timeline, said, at.appended_ms, &mut self.places);
        if areas.is_empty() {
            self.metrics.nowhere.with_label_values(&["reports"]).inc();
        }
        let (record, appended_ms) = (at.record, at.appended_ms);
        let row = ReportRow { record, appended_ms, feed, report: said, areas: &areas, late, simulated };
        self.reports.push((at.record, at.appended_ms), late, &row, moment.now_ms);
    }

    fn reject(&mut self, at: Place, topic: &str, (reason, kept): (Reason, Kept<'_>), moment: Moment<'_>) {
        let payload = kept.payload;
        let origin = kept.origin.map_or(at.record, |origin| origin.record);
        let first_seen = kept.origin.map_or(moment.now_ms, |origin| origin.first_seen);
        let row = RejectRow {
            record: at.record,
            topic,
            reason: &reason,
            appended_ms: at.appended_ms,
            first_seen_ms: first_seen,
            payload,
            origin,
            key: kept.key,
            headers: kept.headers,
        };
        self.rejects.push((at.record, at.appended_ms), false, &row, moment.now_ms);
        let short = |bytes: &&[u8]| bytes.len() <= rejects::MAX_KEPT_BESIDE;
        let headers = kept.headers.iter().filter(|(_, value)| short(value));
        let reject = Reject {
            origin,
            again: kept.origin.map(|_| at.record),
            topic: topic.to_owned(),
            reason,
            appended_at: at.appended_ms,
            first_seen,
            key_base64: kept.key.filter(short).map(|key| STANDARD.encode(key)),
            headers_base64: headers.map(|(name, value)| ((*name).to_owned(), STANDARD.encode(value))).collect(),
            payload_base64: STANDARD.encode(payload.get(..rejects::MAX_KEPT).unwrap_or(payload)),
        };
        let for_topic =
            ForTopic { reject: rejects::cut(reject, rejects::MAX_KEPT, payload.len()), length: payload.len() };
        self.for_topic.entry(at.appended_ms.div_euclid(DAY_MS)).or_default().push(for_topic);
    }

    /// A block that is due.
    pub(crate) fn take_due(&mut self, now_ms: i64) -> Option<Work> {
        let rows_due = self.observations.is_due(now_ms) || self.reports.is_due(now_ms);
        if (rows_due || self.replays.is_due(now_ms))
            && let Some(filled) = self.replays.take_any()
        {
            return Some(Work::Replays(filled));
        }
        if let Some(filled) = self.observations.take_due(now_ms) {
            return Some(Work::Observations(filled));
        }
        if let Some(filled) = self.reports.take_due(now_ms) {
            return Some(Work::Reports(filled));
        }
        if let Some(filled) = self.markers.take_due(now_ms) {
            return Some(Work::Markers(filled));
        }
        if let Some(filled) = self.gaps.take_due(now_ms) {
            return Some(Work::Gaps(filled));
        }
        let filled = self.rejects.take_due(now_ms)?;
        let rejects = self.for_topic.remove(&filled.day).unwrap_or_default();
        Some(Work::Rejects(filled, rejects))
    }

    /// Any block, for the end.
    pub(crate) fn take_any(&mut self) -> Option<Work> {
        if let Some(filled) = self.replays.take_any() {
            return Some(Work::Replays(filled));
        }
        if let Some(filled) = self.observations.take_any() {
            return Some(Work::Observations(filled));
        }
        if let Some(filled) = self.reports.take_any() {
            return Some(Work::Reports(filled));
        }
        if let Some(filled) = self.markers.take_any() {
            return Some(Work::Markers(filled));
        }
        if let Some(filled) = self.gaps.take_any() {
            return Some(Work::Gaps(filled));
        }
        let filled = self.rejects.take_any()?;
        let rejects = self.for_topic.remove(&filled.day).unwrap_or_default();
        Some(Work::Rejects(filled, rejects))
    }
}
