//! A rule set made ready: every rule can be found by what it looks at.

use super::{
    EntityRules,
    fence::Border,
    ready::{Body, Gathering, Ready, Watch},
    rest::{self, Nature},
    shapes::Shapes,
    ways::Ways,
};
use crate::intern::{MetricNames, View};
use gridwarden_domain::{control::RuleSet, rule::Condition};
use gridwarden_geo::Ahead;
use hashbrown::HashMap;
use std::sync::Arc;

/// A rule set for one version of the layers.
pub(crate) struct Book {
    pub(super) set: Arc<RuleSet>,
    pub(super) view: Arc<View>,
    /// By slot.
    pub(super) rules: Vec<Option<Ready>>,
    /// The same, as short as can be.
    pub(super) natures: Vec<Nature>,
    /// Thresholds and silences limited neither to sources nor to areas.
    pub(super) plain: Vec<u32>,
    pub(super) by_source: HashMap<Box<str>, Vec<u32>>,
    /// Thresholds and silences limited to areas, and fences around areas, by area.
    pub(super) by_area: HashMap<u32, Vec<u32>>,
    /// Of fences.
    pub(super) shapes: Shapes,
    /// Of fences about ways.
    pub(super) ways: Ways,
    /// Of densities.
    pub(super) places: Shapes,
    /// Densities in each area of a layer.
    pub(super) each: Vec<(String, u32)>,
    /// Rules over several entities.
    pub(super) together: Vec<u32>,
    /// Of rules that look in the order of event time: by how long they wait, in seconds, a book of their own.
    pub(super) ordered: Vec<(u32, Arc<Book>)>,
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
    /// Without any rule yet.
    pub(super) fn empty(set: &Arc<RuleSet>, view: &Arc<View>) -> Self {
        Self {
            set: Arc::clone(set),
            view: Arc::clone(view),
            rules: Vec::new(),
            natures: Vec::new(),
            plain: Vec::new(),
            by_source: HashMap::new(),
            by_area: HashMap::new(),
            shapes: Shapes::default(),
            ways: Ways::default(),
            places: Shapes::default(),
            each: Vec::new(),
            together: Vec::new(),
            ordered: Vec::new(),
            exit_first: Vec::new(),
            has_silences: false,
            has_fences: false,
            uses_areas: false,
        }
    }

    /// The rule in a slot.
    #[inline]
    pub(crate) fn rule(&self, slot: u32) -> Option<&Ready> {
        self.rules.get(slot as usize)?.as_ref()
    }

    #[inline]
    fn nature(&self, slot: u32) -> Nature {
        self.natures.get(slot as usize).copied().unwrap_or_default()
    }

    /// Whether the rule in a slot is a fence.
    #[inline]
    pub(super) fn is_fence(&self, slot: u32) -> bool {
        self.nature(slot).is_fence
    }

    /// Whether an entity that is inside of these fences, in rising order, is where it was, and nothing comes of it (`FEN-1`).
    #[inline]
    pub(super) fn stays(&self, inside: &[u32], state: &EntityRules) -> bool {
        rest::stays(|slot| self.nature(slot), inside, state)
    }

    /// Every rule of the set, with the book it stands in.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Self, u32, &Ready)> {
        let books = std::iter::once(self).chain(self.ordered.iter().map(|(_, book)| &**book));
        books.flat_map(|book| book.slots().map(move |(slot, ready)| (book, slot, ready)))
    }

    /// Whether any rule looks at a kind.
    pub(super) fn has_kind(&self, kind: u16) -> bool {
        self.slots().any(|(_, ready)| ready.chosen.has_kind(kind))
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
            let looks = **of == *value && ready.chosen.has_kind(kind);
            looks.then_some(Watch { slot: *slot, levels: *levels })
        };
        self.plain.iter().filter_map(watch).collect()
    }

    /// The silences that look at a kind without regard to source and area.
    pub(crate) fn silences(&self, kind: u16) -> Box<[u32]> {
        let looks = |slot: &&u32| {
            self.rule(**slot).is_some_and(|ready| matches!(ready.body, Body::Silence) && ready.chosen.has_kind(kind))
        };
        self.plain.iter().filter(looks).copied().collect()
    }

    /// Whether any fence about ways looks at a kind.
    pub(crate) fn has_ways_of(&self, kind: u16) -> bool {
        self.ways.slots().any(|slot| self.rule(slot).is_some_and(|ready| ready.chosen.has_kind(kind)))
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
        self.shapes.outside_m(border.shapes.clone(), position)
    }

    /// Fences with a shape of their own that contain the position, some more than once.
    #[inline]
    pub(crate) fn shapes_at(&self, position: [f64; 2], hit: impl FnMut(u32)) {
        self.shapes.at(position, hit);
    }

    /// Asks for what [`Book::shapes_at`] will look at: a position's turn comes later.
    #[inline]
    pub(crate) fn ask_shapes(&self, position: [f64; 2]) -> Ahead {
        self.shapes.ask(position)
    }

    /// The same further on, in [`gridwarden_geo::fence::STEPS`].
    #[inline]
    pub(crate) fn ask_shapes_next(&self, step: u8, asked: Ahead) -> Ahead {
        self.shapes.ask_next(step, asked)
    }

    /// Densities with a shape of their own that contain the position, some more than once.
    pub(crate) fn places_at(&self, position: [f64; 2], hit: impl FnMut(u32)) {
        self.places.at(position, hit);
    }

    /// Densities in each area of a layer.
    pub(crate) fn each_of(&self, layer: &str) -> impl Iterator<Item = u32> {
        self.each.iter().filter(move |(of, _)| of == layer).map(|(_, slot)| *slot)
    }

    /// Whether there is any rule over several entities.
    #[inline]
    pub(crate) fn has_together(&self) -> bool {
        !self.together.is_empty()
    }

    fn gatherings(&self) -> impl Iterator<Item = (u32, &Ready, &Gathering)> {
        self.together.iter().filter_map(|slot| {
            let ready = self.rule(*slot)?;
            let Body::Together(gathering) = &ready.body else { return None };
            Some((*slot, ready, gathering))
        })
    }

    /// The proximities and clusters that may look at observations of a kind.
    pub(crate) fn gatherings_of(&self, kind: u16) -> Box<[u32]> {
        let looks = |(slot, ready, gathering): (u32, &Ready, &Gathering)| {
            let sees = match &ready.rule.condition {
                Condition::Cluster(cluster) => cluster.when.is_some(),
                condition => matches!(condition, Condition::Proximity(_)),
            };
            (sees && gathering.has_kind(ready, kind)).then_some(slot)
        };
        self.gatherings().filter_map(looks).collect()
    }

    /// The rules over several entities that look at reports.
    pub(crate) fn gatherings_of_reports(&self) -> impl Iterator<Item = u32> {
        self.gatherings().filter(|(_, ready, _)| ready.classes().is_some()).map(|(slot, ..)| slot)
    }

    /// The shards whose rules over several entities may look at observations of a kind, one bit each.
    pub(crate) fn shards_of(&self, kind: u16) -> u64 {
        let looks = |ready: &Ready, gathering: &Gathering| match &ready.rule.condition {
            Condition::Cluster(cluster) if cluster.when.is_none() => false,
            Condition::Window(window) if window.reports.is_some() => false,
            _ => gathering.has_kind(ready, kind),
        };
        let shards = self.gatherings().filter(|(_, ready, gathering)| looks(ready, gathering));
        shards.fold(0, |shards, (.., gathering)| shards | 1 << gathering.shard)
    }

    /// The same for reports.
    pub(crate) fn shards_of_reports(&self) -> u64 {
        let of = |slot| match &self.rule(slot)?.body {
            Body::Together(gathering) => Some(1 << gathering.shard),
            _ => None,
        };
        self.gatherings_of_reports().filter_map(of).fold(0, |shards, shard| shards | shard)
    }
}
