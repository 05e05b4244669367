//! A rule set made ready: every rule can be found by what it looks at.

use super::{fence::Border, threshold::Levels};
use crate::{
    cluster::{Ask, Authority, Tail},
    intern::{MetricNames, View, Views},
};
use gridwarden_domain::{
    alert::AreaRef,
    control::RuleSet,
    rule::{Condition, Fence, Rule, Shape},
    value::Fixed,
};
use gridwarden_geo::{
    IndexOptions,
    fence::{Fence as Geometry, ShapeIndex},
};
use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// What the index of fences may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Memory of the spatial index, in MiB.
    pub(crate) shapes_mib: usize,
}

/// A rule, ready.
pub(crate) struct Ready {
    /// The document.
    pub(crate) rule: Arc<Rule>,
    /// Kinds it looks at; any when empty.
    kinds: SmallVec<[u16; 4]>,
    sources: Option<HashSet<Box<str>>>,
    areas: Option<HashSet<u32>>,
    /// What it does.
    pub(crate) body: Body,
}

/// What a rule does.
pub(crate) enum Body {
    /// A threshold on this value.
    Threshold(Box<str>, Levels),
    /// A fence.
    Fence(Border),
    /// Silence for so many milliseconds of event time.
    Silence(i64),
}

impl Body {
    /// How long an offence must hold, in milliseconds of event time.
    pub(crate) fn hold_ms(&self) -> i64 {
        match self {
            Self::Threshold(_, levels) => levels.hold_ms,
            Self::Fence(border) => border.hold_ms,
            Self::Silence(after_ms) => *after_ms,
        }
    }
}

/// A threshold to compare a value with.
#[derive(Clone, Copy)]
pub(crate) struct Watch {
    /// The rule.
    pub(crate) slot: u32,
    levels: Levels,
}

impl Watch {
    /// Whether the value is beyond the level.
    #[inline]
    pub(crate) fn offends(&self, value: Fixed) -> bool {
        self.levels.offends(value)
    }
}

/// Whom a rule may concern.
#[derive(Clone, Copy)]
pub(crate) struct Who<'a> {
    /// Entity id.
    pub(crate) source: &'a str,
    /// Kind.
    pub(crate) kind: u16,
    /// Areas the position lies in, of every level.
    pub(crate) areas: &'a [u32],
}

impl Ready {
    /// Whether the rule looks at it.
    pub(crate) fn concerns(&self, who: &Who<'_>) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&who.kind))
            && self.sources.as_ref().is_none_or(|sources| sources.contains(who.source))
            && self.is_in_areas(who.areas)
    }

    /// Whether the rule looks at one of the areas.
    pub(crate) fn is_in_areas(&self, areas: &[u32]) -> bool {
        self.areas.as_ref().is_none_or(|wanted| areas.iter().any(|area| wanted.contains(area)))
    }

    /// Whether the rule looks at certain areas only.
    pub(crate) fn is_limited_to_areas(&self) -> bool {
        self.areas.is_some()
    }
}

/// A rule set for one version of the layers.
pub(crate) struct Book {
    set: Arc<RuleSet>,
    view: Arc<View>,
    /// By slot.
    rules: Vec<Option<Ready>>,
    /// Thresholds and silences limited neither to sources nor to areas.
    plain: Vec<u32>,
    by_source: HashMap<Box<str>, Vec<u32>>,
    /// Thresholds and silences limited to areas, and fences around areas, by area.
    by_area: HashMap<u32, Vec<u32>>,
    shapes: Option<ShapeIndex>,
    /// The rule of each shape.
    shape_slots: Vec<u32>,
    /// Exit fences for which the first position counts: asked about each entity once.
    pub(crate) exit_first: Vec<u32>,
    /// Whether there is any rule on silence.
    pub(crate) has_silences: bool,
    /// Whether there is any fence.
    pub(crate) has_fences: bool,
    /// Whether any rule asks for areas.
    pub(crate) uses_areas: bool,
}

impl Book {
    /// The rule in a slot.
    #[inline]
    pub(crate) fn rule(&self, slot: u32) -> Option<&Ready> {
        self.rules.get(slot as usize)?.as_ref()
    }

    /// The slots in use.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (u32, &Ready)> {
        (0u32..).zip(&self.rules).filter_map(|(slot, rule)| Some((slot, rule.as_ref()?)))
    }

    /// The thresholds that look at a metric without regard to source and area.
    pub(crate) fn watches(&self, metric: u32, names: &MetricNames) -> Box<[Watch]> {
        let Some((kind, Some(value))) = names.parts(metric) else { return Box::default() };
        let watch = |slot: &u32| {
            let ready = self.rule(*slot)?;
            let Body::Threshold(of, levels) = &ready.body else { return None };
            let looks = **of == *value && (ready.kinds.is_empty() || ready.kinds.contains(&kind));
            looks.then_some(Watch { slot: *slot, levels: *levels })
        };
        self.plain.iter().filter_map(watch).collect()
    }

    /// The silences that look at a kind without regard to source and area.
    pub(crate) fn silences(&self, kind: u16) -> Box<[u32]> {
        let looks = |slot: &&u32| {
            self.rule(**slot).is_some_and(|ready| {
                matches!(ready.body, Body::Silence(_)) && (ready.kinds.is_empty() || ready.kinds.contains(&kind))
            })
        };
        self.plain.iter().filter(looks).copied().collect()
    }

    /// The thresholds and silences that look at a source by name.
    pub(crate) fn of_source(&self, source: &str) -> &[u32] {
        if self.by_source.is_empty() {
            return &[];
        }
        self.by_source.get(source).map_or(&[], Vec::as_slice)
    }

    /// The rules that look at an area.
    pub(crate) fn of_area(&self, area: u32) -> &[u32] {
        self.by_area.get(&area).map_or(&[], Vec::as_slice)
    }

    /// How far a position lies outside a fence with shapes of its own, in metres; 0 inside.
    pub(crate) fn outside_m(&self, border: &Border, position: [f64; 2]) -> f64 {
        let Some(shapes) = &self.shapes else { return f64::INFINITY };
        border.shapes.clone().map(|shape| shapes.outside_m(shape, position)).fold(f64::INFINITY, f64::min)
    }

    /// Fences with a shape of their own that contain the position, some more than once.
    #[inline]
    pub(crate) fn shapes_at(&self, position: [f64; 2], mut hit: impl FnMut(u32)) {
        let Some(shapes) = &self.shapes else { return };
        let [lon, lat] = position;
        shapes.locate(lon, lat, |shape| {
            if let Some(slot) = self.shape_slots.get(shape as usize) {
                hit(*slot);
            }
        });
    }
}

/// Puts a book together.
struct Binder<'a> {
    book: Book,
    geometry: Vec<Geometry>,
    views: &'a Views,
    names: &'a MetricNames,
}

impl Binder<'_> {
    fn add(&mut self, rule: &Arc<Rule>, slot: u32) {
        let body = match &rule.condition {
            Condition::Threshold(threshold) => match Levels::of(threshold) {
                Some(levels) => Body::Threshold(threshold.value.as_str().into(), levels),
                None => {
                    tracing::warn!(rule = rule.id, "the level is out of range, the rule does nothing");
                    return;
                }
            },
            Condition::Fence(fence) => Body::Fence(Border::of(fence, self.shapes(fence, slot))),
            Condition::Silence(silence) => Body::Silence(i64::from(silence.after_s) * 1000),
        };
        let select = &rule.select;
        let ready = Ready {
            rule: Arc::clone(rule),
            kinds: select.kinds.iter().filter_map(|kind| self.names.kind(kind)).collect(),
            sources: some_set(select.sources.iter().map(|source| source.as_str().into())),
            areas: some_set(select.areas.iter().flat_map(|area| self.areas(area))),
            body,
        };
        self.file(&ready, slot);
        let rules = &mut self.book.rules;
        rules.resize_with(rules.len().max(slot as usize + 1), || None);
        if let Some(place) = rules.get_mut(slot as usize) {
            *place = Some(ready);
        }
    }

    fn areas(&self, area: &AreaRef) -> SmallVec<[u32; 1]> {
        let found = self.views.names.find(&area.layer, &area.code);
        // A name nobody bears: selects nothing, rather than everything.
        if found.is_empty() { SmallVec::from_elem(u32::MAX, 1) } else { found }
    }

    fn file(&mut self, ready: &Ready, slot: u32) {
        self.book.uses_areas |= ready.areas.is_some();
        self.book.has_silences |= matches!(ready.body, Body::Silence(_));
        match (&ready.body, &ready.rule.condition) {
            (Body::Fence(border), Condition::Fence(fence)) => {
                self.book.has_fences = true;
                if border.asks_first_outside() {
                    self.book.exit_first.push(slot);
                }
                if let Shape::Area(area) = &fence.shape {
                    self.book.uses_areas = true;
                    for number in self.areas(area) {
                        self.book.by_area.entry(number).or_default().push(slot);
                    }
                }
            }
            _ => self.file_selected(ready, slot),
        }
    }

    /// Puts a fence's own shapes into the index: their numbers.
    fn shapes(&mut self, fence: &Fence, slot: u32) -> Range<u32> {
        let crs = fence.crs.unwrap_or_default();
        let first = self.geometry.len() as u32;
        match &fence.shape {
            Shape::Area(_) => {}
            Shape::Polygon(rings) => {
                self.geometry.push(Geometry::polygon(rings.iter().map(|ring| crs.ring_to_wgs84(ring)).collect()));
            }
            Shape::Circle { centre, radius_m } => {
                self.geometry.push(Geometry::circle(crs.to_wgs84(*centre), *radius_m))
            }
            Shape::Line { points, reach_m } => {
                let points = crs.line_to_wgs84(points);
                let pieces = points.iter().zip(points.iter().skip(1));
                self.geometry.extend(pieces.map(|(from, to)| Geometry::strip([*from, *to], *reach_m)));
            }
        }
        self.book.shape_slots.resize(self.geometry.len(), slot);
        first..self.geometry.len() as u32
    }

    /// Where a rule is found that looks at whatever entities it selects.
    fn file_selected(&mut self, ready: &Ready, slot: u32) {
        match (&ready.sources, &ready.areas) {
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

    fn bind(mut self, limits: Limits) -> Book {
        if !self.geometry.is_empty() {
            let options = IndexOptions { max_mib: limits.shapes_mib };
            match ShapeIndex::build(self.geometry, &options) {
                Ok(shapes) => self.book.shapes = Some(shapes),
                Err(error) => tracing::error!(%error, "fences with a shape of their own are not looked at"),
            }
        }
        self.book
    }
}

fn some_set<T: Eq + std::hash::Hash>(items: impl Iterator<Item = T>) -> Option<HashSet<T>> {
    let set: HashSet<T> = items.collect();
    (!set.is_empty()).then_some(set)
}

/// Books made so far, shared between workers, and the slots of rules: one per rule id, for the life of the process.
pub(crate) struct Books {
    limits: Limits,
    inner: Mutex<Shelf>,
    /// Who gives out slots, when this process does not.
    authority: Option<Authority>,
}

#[derive(Default)]
struct Shelf {
    slots: HashMap<String, u32>,
    made: Vec<Arc<Book>>,
}

impl Shelf {
    /// A rule's slot, made if need be.
    fn slot(&mut self, rule: &str) -> u32 {
        let next = self.slots.len() as u32;
        *self.slots.entry_ref(rule).or_insert(next)
    }

    fn by_slot(&self) -> Vec<String> {
        let mut rules = vec![String::new(); self.slots.len()];
        for (rule, slot) in &self.slots {
            if let Some(place) = rules.get_mut(*slot as usize) {
                place.clone_from(rule);
            }
        }
        rules
    }
}

impl Books {
    /// For saving: rules by slot.
    pub(crate) fn saved(&self) -> Vec<String> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).by_slot()
    }

    /// For another process: the rules from slot `from` on, with those that are wanted.
    pub(crate) fn tail(&self, from: u32, wanted: &[String]) -> Vec<String> {
        let mut shelf = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.iter().for_each(|rule| {
            shelf.slot(rule);
        });
        shelf.by_slot().split_off((from as usize).min(shelf.slots.len()))
    }

    /// Has the rules of a set numbered by the process that gives out slots.
    fn learn(&self, shelf: &mut Shelf, set: &RuleSet) {
        let Some(authority) = &self.authority else { return };
        let new = |rule: &&Arc<Rule>| !shelf.slots.contains_key(rule.id.as_str());
        let wanted: Vec<String> = set.rules.iter().filter(new).map(|rule| rule.id.clone()).collect();
        if wanted.is_empty() {
            return;
        }
        let from = shelf.slots.len() as u32;
        if let Tail::Rules { rules, .. } = authority.ask(Ask::Rules { from, wanted }) {
            rules.iter().for_each(|rule| {
                shelf.slot(rule);
            });
        }
    }

    /// None made yet, rules with the slots they had.
    pub(crate) fn restored(limits: Limits, rules: &[String]) -> Self {
        let slots = (0u32..).zip(rules).map(|(slot, rule)| (rule.clone(), slot)).collect();
        Self { limits, inner: Mutex::new(Shelf { slots, made: Vec::new() }), authority: None }
    }

    /// The same, with slots given out by another process.
    pub(crate) fn asking(self, authority: Option<Authority>) -> Self {
        Self { authority, ..self }
    }

    /// The book of a rule set and a version of the layers, made by the first who asks.
    pub(crate) fn of(&self, set: &Arc<RuleSet>, view: &Arc<View>, shared: (&Views, &MetricNames)) -> Arc<Book> {
        let mut shelf = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |book: &&Arc<Book>| {
            (Arc::ptr_eq(&book.set, set) || book.set.revision == set.revision) && Arc::ptr_eq(&book.view, view)
        };
        if let Some(book) = shelf.made.iter().find(same) {
            return Arc::clone(book);
        }
        shelf.made.retain(|book| Arc::strong_count(book) > 1);
        self.learn(&mut shelf, set);
        let (views, names) = shared;
        let mut binder = Binder { book: empty(set, view), geometry: Vec::new(), views, names };
        for rule in &set.rules {
            binder.add(rule, shelf.slot(&rule.id));
        }
        let book = Arc::new(binder.bind(self.limits));
        shelf.made.push(Arc::clone(&book));
        book
    }
}

fn empty(set: &Arc<RuleSet>, view: &Arc<View>) -> Book {
    Book {
        set: Arc::clone(set),
        view: Arc::clone(view),
        rules: Vec::new(),
        plain: Vec::new(),
        by_source: HashMap::new(),
        by_area: HashMap::new(),
        shapes: None,
        shape_slots: Vec::new(),
        exit_first: Vec::new(),
        has_silences: false,
        has_fences: false,
        uses_areas: false,
    }
}
