//! Puts a book together.

use super::{
    book::Book,
    books::Limits,
    fence::Border,
    hold::Hold,
    ready::{Body, Chosen, Gathering, Ready, sense},
    rest::Nature,
    shapes::Drawn,
    threshold::Levels,
    ways::Routes,
};
use crate::{
    intern::{MetricNames, Views},
    shard::shard_of_rule,
};
use gridwarden_domain::{
    alert::AreaRef,
    crs::Crs,
    rule::{
        Condition, Crossing, Fence, Hours, Rule, Select, Shape,
        together::{Density, Place, Proximity, Window},
    },
};
use hashbrown::HashSet;
use jiff::tz::TimeZone;
use smallvec::SmallVec;
use std::sync::Arc;

/// Puts a book together.
pub(super) struct Binder<'a> {
    book: Book,
    fences: Drawn,
    places: Drawn,
    ways: Routes,
    views: &'a Views,
    names: &'a MetricNames,
    zone: &'a TimeZone,
}

impl<'a> Binder<'a> {
    pub(super) fn new(book: Book, (views, names): (&'a Views, &'a MetricNames), zone: &'a TimeZone) -> Self {
        let (fences, places, ways) = Default::default();
        Self { book, fences, places, ways, views, names, zone }
    }

    pub(super) fn add(&mut self, rule: &Arc<Rule>, slot: u32) {
        let body = match &rule.condition {
            Condition::Threshold(threshold) => match Levels::of(threshold) {
                Some(levels) => Body::Threshold(threshold.value.as_str().into(), levels),
                None => {
                    tracing::warn!(rule = rule.id, "the level is out of range, the rule does nothing");
                    return;
                }
            },
            Condition::Fence(fence) => {
                self.add_way(fence, slot);
                // Who crosses a fence is nowhere: it is asked along the way.
                let crossed = fence.on == Crossing::Cross;
                let shapes = if crossed { 0..0 } else { self.fences.add(fence.crs, &fence.shape, slot) };
                Body::Fence(Border::of(fence, shapes))
            }
            Condition::Silence(_) => Body::Silence,
            Condition::Density(_) | Condition::Proximity(_) | Condition::Cluster(_) | Condition::Window(_) => {
                Body::Together(self.gathering(rule))
            }
        };
        let hold = Hold { ms: hold_ms(&rule.condition), hours: hours(rule, self.zone) };
        let ready = Ready { rule: Arc::clone(rule), chosen: self.chosen(&rule.select), hold, body };
        self.file(&ready, slot);
        let rules = &mut self.book.rules;
        rules.resize_with(rules.len().max(slot as usize + 1), || None);
        if let Some(place) = rules.get_mut(slot as usize) {
            *place = Some(ready);
        }
    }

    fn add_way(&mut self, fence: &Fence, slot: u32) {
        match (&fence.shape, fence.on) {
            (Shape::Area(area), Crossing::Cross) => self.ways.add_area(&self.book.view.set, area, slot),
            (shape, Crossing::Cross) => self.ways.add(fence.crs, shape, slot),
            (_, Crossing::Speed) => self.ways.add_speed(slot),
            _ => {}
        }
    }

    fn chosen(&self, select: &Select) -> Chosen {
        Chosen {
            kinds: select.kinds.iter().filter_map(|kind| self.names.kind(kind)).collect(),
            sources: some_set(select.sources.iter().map(|source| source.as_str().into())),
            areas: some_set(select.areas.iter().flat_map(|area| self.areas(area))),
        }
    }

    fn gathering(&self, rule: &Rule) -> Gathering {
        let to = match &rule.condition {
            Condition::Proximity(Proximity { to: Some(to), .. }) => Some(self.chosen(to)),
            _ => None,
        };
        Gathering { sense: sense(rule), shard: shard_of_rule(&rule.id), to }
    }

    fn areas(&self, area: &AreaRef) -> SmallVec<[u32; 1]> {
        let found = self.views.names.find(&area.layer, &area.code);
        // A name nobody bears: selects nothing, rather than everything.
        if found.is_empty() { SmallVec::from_elem(u32::MAX, 1) } else { found }
    }

    fn file(&mut self, ready: &Ready, slot: u32) {
        self.book.uses_areas |= ready.chosen.areas.is_some();
        self.book.has_silences |= matches!(ready.body, Body::Silence);
        match (&ready.body, &ready.rule.condition) {
            (Body::Fence(border), Condition::Fence(fence)) => {
                self.book.has_fences = true;
                if border.asks_first_outside() {
                    self.book.exit_first.push(slot);
                }
                if let Shape::Area(area) = &fence.shape
                    && fence.on != Crossing::Cross
                {
                    self.book.uses_areas = true;
                    for number in self.areas(area) {
                        self.book.by_area.entry(number).or_default().push(slot);
                    }
                }
            }
            (Body::Together(_), condition) => {
                self.book.together.push(slot);
                if let Condition::Density(Density { place, crs, .. }) | Condition::Window(Window { place, crs, .. }) =
                    condition
                {
                    self.file_place(place, *crs, slot);
                }
            }
            _ => self.file_selected(ready, slot),
        }
    }

    fn file_place(&mut self, place: &Place, crs: Option<Crs>, slot: u32) {
        match (place, place.shape()) {
            (Place::Each(layer), _) => self.book.each.push((layer.clone(), slot)),
            (Place::Area(area), _) => {
                for number in self.areas(area) {
                    self.book.by_area.entry(number).or_default().push(slot);
                }
            }
            (_, Some(shape)) => drop(self.places.add(crs, &shape, slot)),
            (_, None) => {}
        }
    }

    /// Where a rule is found that looks at whatever entities it selects.
    fn file_selected(&mut self, ready: &Ready, slot: u32) {
        match (&ready.chosen.sources, &ready.chosen.areas) {
            (Some(sources), _) => {
                for source in sources {
                    self.book.by_source.entry(source.clone()).or_default().push(slot);
                }
            }
            (None, Some(areas)) => {
                for area in areas {
                    self.book.by_area.entry(*area).or_default().push(slot);
                }
            }
            (None, None) => self.book.plain.push(slot),
        }
    }

    pub(super) fn bind(mut self, limits: Limits) -> Book {
        let natures = self.book.rules.iter().map(|ready| ready.as_ref().map(Nature::of).unwrap_or_default());
        self.book.natures = natures.collect();
        self.book.shapes = self.fences.bind(limits.shapes_mib);
        self.book.places = self.places.bind(limits.shapes_mib);
        self.book.ways = self.ways.bind();
        self.book
    }
}

/// How long an offence must hold, in milliseconds of event time.
fn hold_ms(condition: &Condition) -> i64 {
    let seconds = match condition {
        Condition::Threshold(threshold) => threshold.hold_s,
        Condition::Fence(fence) => fence.hold_s,
        Condition::Silence(silence) => silence.after_s,
        Condition::Density(density) => density.hold_s,
        Condition::Proximity(proximity) => proximity.hold_s,
        Condition::Cluster(_) | Condition::Window(_) => 0,
    };
    i64::from(seconds) * 1000
}

/// The hours a rule looks in; none when it always does.
fn hours(rule: &Rule, zone: &TimeZone) -> Option<Arc<Hours>> {
    rule.schedule.as_ref().map(|schedule| Arc::new(Hours::of(schedule, zone)))
}

fn some_set<T: Eq + std::hash::Hash>(items: impl Iterator<Item = T>) -> Option<HashSet<T>> {
    let set: HashSet<T> = items.collect();
    (!set.is_empty()).then_some(set)
}
