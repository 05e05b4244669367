//! Archived records into windows, as the stream would have made them had it known all of them. Pure.

use super::Span;
use crate::{
    intern::{MetricNames, View, Views},
    shared::Part,
    sink::area_metric,
    windows::{
        At, Delta, Row, Tree, WIDTH, Windows, deltas,
        sketch::{Cell, Sketch, Sketches, push_sketch},
    },
};
use gridwarden_domain::{
    control::Timeline,
    locate::{LayerSet, Place, Places},
    value::{Fixed, SCALE},
};
use gridwarden_store::{
    Block,
    read::{Archived, SameId, WindowKey},
    rows::{AreaMetricRow, AreaMetrics, AreaSketches, metric_version},
};
use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;
use std::sync::Arc;

/// The one domain there is: all of it is the past.
const PAST: u8 = 1;

/// A record's place: topic (as asked for), partition, offset.
type Where = (u64, u32, u64);

/// Counts one span.
pub(super) struct Counter<'s> {
    timeline: Arc<Timeline>,
    span: &'s Span,
    /// Numbers of partitions, as the stream's, by topic (from 1) and partition.
    parts: HashMap<(u64, u32), u16>,
    names: MetricNames,
    views: Views,
    windows: Windows,
    sketches: &'s Sketches,
    left_out: HashSet<Where>,
    /// Records counted.
    pub(super) records: u64,
    /// Repeats left out.
    pub(super) repeats: u64,
}

impl<'s> Counter<'s> {
    pub(super) fn new(timeline: Arc<Timeline>, (parts, sketches): (&[Part], &'s Sketches), span: &'s Span) -> Self {
        let number =
            |(number, part): (u16, &Part)| ((u64::from(part.topic) + 1, part.partition.unsigned_abs()), number);
        Self {
            timeline,
            span,
            parts: (0u16..).zip(parts).map(number).collect(),
            names: MetricNames::default(),
            views: Views::default(),
            windows: Windows::default(),
            sketches,
            left_out: HashSet::new(),
            records: 0,
            repeats: 0,
        }
    }

    /// Of records with one id in one partition those count that come later than `max_age` after the last one that counts.
    pub(super) fn leave_out(&mut self, same: &[SameId], max_age_ms: i64) {
        self.left_out.clear();
        for same in same {
            let mut counts: Option<i64> = None;
            for (offset, appended) in &same.records {
                if counts.is_some_and(|last| appended.saturating_sub(last) <= max_age_ms) {
                    self.left_out.insert((same.topic, same.partition, *offset));
                } else {
                    counts = Some(*appended);
                }
            }
        }
    }

    /// Counts a record.
    pub(super) fn take(&mut self, record: &Archived) {
        if self.left_out.contains(&(record.topic, record.partition, record.offset)) {
            self.repeats += 1;
            return;
        }
        self.records += 1;
        // Names beyond the stream's limits have no windows there either.
        let Some(kind) = self.names.kind(&record.kind) else { return };
        let mut values: SmallVec<[(u32, Fixed); 8]> = SmallVec::new();
        for (name, number) in record.names.iter().zip(&record.numbers) {
            values.extend(self.names.value(kind, name).zip(Fixed::from_f64(*number)));
        }
        // A topic that is no more has no number; its records are none of the last ones.
        let part = self.parts.get(&(record.topic, record.partition)).copied().unwrap_or(0);
        let at = At::new(part, record.offset as i64);
        let groups = deltas((record.time_ms, at, PAST), (self.names.count(kind), Fixed(SCALE)), &values);
        let sketched = self.sketched(record, (self.names.count(kind), &values));
        self.spread(record, &groups, &sketched);
    }

    /// Cells for the sketches of a record's metrics.
    fn sketched(&self, record: &Archived, (count, values): (u32, &[(u32, Fixed)])) -> Vec<(u32, Vec<Cell>)> {
        if !self.sketches.of_kind(&record.kind) {
            return Vec::new();
        }
        let all = std::iter::once((count, Fixed(SCALE))).chain(values.iter().copied());
        let cells = |(metric, value): (u32, Fixed)| {
            let kept = self.sketches.of_metric(&self.names.name(metric)?)?;
            Some((metric, kept.cells(value, &record.source).collect()))
        };
        all.filter_map(cells).collect()
    }

    /// Every area, above or not, gets the record once.
    fn spread(&mut self, record: &Archived, groups: &[Delta], sketched: &[(u32, Vec<Cell>)]) {
        let mut seen: SmallVec<[u32; 32]> = SmallVec::new();
        for (view, places) in self.located(record) {
            for place in places.iter().flat_map(|place| view.up(view.place(*place))) {
                let Some(area) = view.area(place).filter(|area| !seen.contains(&area.area)) else { continue };
                seen.push(area.area);
                for group in groups {
                    let delta = group.in_area(area);
                    self.windows.apply(&delta);
                    let first = u32::from(group.group) * WIDTH as u32;
                    for (metric, cells) in
                        sketched.iter().filter(|(metric, _)| metric / WIDTH as u32 * WIDTH as u32 == first)
                    {
                        let add = |sketch: &mut Sketch| sketch.add_event(cells.iter().copied());
                        self.windows.sketch(&delta, (metric - first) as usize, add);
                    }
                }
            }
        }
    }

    /// Where a record lies, by versions of the layers: those of its append, or of a later moment the span asks for.
    fn located(&self, record: &Archived) -> SmallVec<[(Arc<View>, Places); 2]> {
        let own: SmallVec<[(&str, i64); 2]> = self.span.own_moments().collect();
        let mut found = SmallVec::new();
        let mut look = |moment: i64, wants: &dyn Fn(&str) -> bool| {
            let set = self.timeline.layers_at(record.appended_ms.max(moment));
            let mut places = Places::new();
            locate(set, record, &mut places);
            places.retain(|place| layer_of(set, *place).is_some_and(wants));
            if !places.is_empty() {
                found.push((self.views.of(set), places));
            }
        };
        for (layer, _) in &own {
            look(self.span.layers_of(layer), &|name| name == *layer);
        }
        let only = self.span.layer();
        if only.is_empty() {
            look(self.span.layers_of(""), &|name| own.iter().all(|(layer, _)| *layer != name));
        }
        found
    }

    /// The rows of what was counted, all of them closed; begins anew.
    pub(super) fn rows(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        self.windows.advance(PAST, i64::MAX);
        self.windows.emit_closed(usize::MAX, &mut rows);
        self.windows = Windows::default();
        rows
    }

    /// Writes rows down; what is written is not gone.
    pub(super) fn fill(&self, page: &mut Page, rows: &[Row], generation: u32) {
        page.clear();
        self.views.names.with(|areas| {
            for row in rows {
                let Some(area) = areas.get(row.area as usize) else { continue };
                let Some(metric) = self.names.name(row.metric) else { continue };
                let Ok(start_s) = u32::try_from(row.start_ms / 1000) else { continue };
                let key = WindowKey {
                    layer: area.layer.to_string(),
                    level: area.level.to_string(),
                    code: area.code.to_string(),
                    metric: metric.to_string(),
                    window_s: row.window_s,
                    start_s,
                };
                page.gone.remove(&key);
                let written = row_of(&key, row, generation);
                page.windows.push(&written);
                if let Some(sketch) = &row.sketch {
                    page.sketches_gone.remove(&key);
                    push_sketch(&mut page.sketches, &written, sketch, generation);
                }
            }
        });
    }
}

fn row_of<'k>(key: &'k WindowKey, row: &Row, generation: u32) -> AreaMetricRow<'k> {
    let names = (&*key.layer, &*key.level, &*key.code, &*key.metric);
    area_metric(names, key.start_s, (row, metric_version(generation, row.aggregate.count)))
}

fn empty_row(key: &WindowKey, generation: u32) -> AreaMetricRow<'_> {
    AreaMetricRow {
        layer: &key.layer,
        level: &key.level,
        code: &key.code,
        metric: &key.metric,
        window_s: key.window_s,
        start_s: key.start_s,
        version: metric_version(generation, 0),
        count: 0,
        sum: 0,
        min: Fixed(0),
        max: Fixed(0),
        last: Fixed(0),
        last_ms: 0,
        closed: true,
    }
}

/// Rows on their way, and the windows and sketches nothing was written for yet: in the end they are empty now.
#[derive(Default)]
pub(super) struct Page {
    pub(super) windows: Block<AreaMetrics>,
    pub(super) sketches: Block<AreaSketches>,
    pub(super) gone: HashSet<WindowKey>,
    pub(super) sketches_gone: HashSet<WindowKey>,
}

impl Page {
    fn clear(&mut self) {
        self.windows.clear();
        self.sketches.clear();
    }

    /// Writes down up to `most` windows and sketches that are empty now (`REC-2`); false when there were none.
    pub(super) fn fill_gone(&mut self, most: usize, generation: u32) -> bool {
        self.clear();
        for key in take(&mut self.gone, most) {
            self.windows.push(&empty_row(&key, generation));
        }
        for key in take(&mut self.sketches_gone, most) {
            push_sketch(&mut self.sketches, &empty_row(&key, generation), &Sketch::default(), generation);
        }
        !self.windows.is_empty() || !self.sketches.is_empty()
    }
}

fn take(keys: &mut HashSet<WindowKey>, most: usize) -> Vec<WindowKey> {
    keys.extract_if(|_| true).take(most).collect()
}

fn layer_of(set: &LayerSet, place: Place) -> Option<&str> {
    set.layers.get(usize::from(place.layer)).map(|layer| layer.head.layer.as_str())
}

/// By its position; what has none, by the lowest area of each layer it was archived with.
fn locate(set: &LayerSet, record: &Archived, places: &mut Places) {
    if let (Some(lon), Some(lat)) = (record.lon, record.lat) {
        set.locate(lon, lat, record.time_ms, places);
        return;
    }
    let mut seen: SmallVec<[&str; 4]> = SmallVec::new();
    for (layer, code) in record.area_layers.iter().zip(&record.area_codes) {
        if !seen.contains(&layer.as_str()) {
            seen.push(layer);
            set.by_code(&format!("{layer}/{code}"), record.time_ms, places);
        }
    }
}
