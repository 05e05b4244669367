//! Ways: the straight line from an entity's last position to the one that comes, and the fences it touches.
//!
//! A way is made of two positions in the order of event time, not too far apart. What comes out of order is part of none.

use super::{Fix, shapes::geometry};
use gridwarden_domain::{alert::AreaRef, crs::Crs, locate::LayerSet, rule::Shape};
use gridwarden_geo::fence::{Fence as Geometry, WayIndex};
use smallvec::SmallVec;
use std::ops::Range;

/// A way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// Where it begins.
    pub(crate) from: Fix,
    /// Where it ends.
    pub(crate) to: Fix,
}

impl Way {
    /// The way between two positions of an entity; none when the second is not the later one.
    pub(super) fn between(from: Option<Fix>, to: Fix) -> Option<Self> {
        let from = from.filter(|from| from.time < to.time)?;
        // The shorter way would lead over the date line.
        ((from.position[0] - to.position[0]).abs() < 180.0).then_some(Self { from, to })
    }

    /// How long it took, in milliseconds of event time.
    pub(super) fn took_ms(&self) -> i64 {
        self.to.time.saturating_sub(self.from.time)
    }

    /// How fast it was gone, in km/h.
    pub(super) fn kmh(&self) -> f64 {
        gridwarden_geo::distance_m(self.from.position, self.to.position) / self.took_ms() as f64 * 3_600.0
    }
}

/// Of a shape: the rule, and between which event times it is there.
type Of = (u32, Range<i64>);

/// Shapes on their way into an index.
#[derive(Default)]
pub(super) struct Routes {
    geometry: Vec<Geometry>,
    of: Vec<Of>,
    speeds: Vec<u32>,
}

/// The fences about ways.
#[derive(Default)]
pub(super) struct Ways {
    index: Option<WayIndex>,
    of: Vec<Of>,
    slots: Vec<u32>,
}

impl Routes {
    /// Adds what a rule about crossings draws.
    pub(super) fn add(&mut self, crs: Option<Crs>, shape: &Shape, slot: u32) {
        self.geometry.extend(geometry(crs, shape));
        self.of.resize(self.geometry.len(), (slot, i64::MIN..i64::MAX));
    }

    /// Adds an area a rule about crossings names: the outlines of all that lies in it.
    pub(super) fn add_area(&mut self, layers: &LayerSet, area: &AreaRef, slot: u32) {
        let Some(layer) = layers.layers.iter().find(|layer| layer.head.layer == area.layer) else { return };
        let area_at = |at: u32| layer.areas.get(at as usize);
        let named = |at: u32| area_at(at).is_some_and(|of| of.code == area.code);
        for at in layer.leaves().iter().copied() {
            let within = named(at) || layer.ancestors(at).any(named);
            if let Some(leaf) = area_at(at).filter(|_| within) {
                self.geometry.push(Geometry::polygon(layer.outline(at)));
                self.of.push((slot, leaf.valid_from.unwrap_or(i64::MIN)..leaf.valid_to.unwrap_or(i64::MAX)));
            }
        }
    }

    /// Adds a rule about speed: it needs ways, and has its shapes elsewhere.
    pub(super) fn add_speed(&mut self, slot: u32) {
        self.speeds.push(slot);
    }

    pub(super) fn bind(self) -> Ways {
        let mut slots: Vec<u32> = self.of.iter().map(|(slot, _)| *slot).chain(self.speeds).collect();
        slots.sort_unstable();
        slots.dedup();
        let index = (!self.geometry.is_empty()).then(|| WayIndex::build(self.geometry));
        Ways { index, of: self.of, slots }
    }
}

impl Ways {
    /// The rules about ways.
    pub(super) fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.slots.iter().copied()
    }

    /// The rules whose fence a way leads in, out of or through: it touches the fence, and not both its ends lie inside.
    pub(super) fn crossed(&self, way: &Way) -> SmallVec<[u32; 4]> {
        let mut met: SmallVec<[(u32, [bool; 2]); 4]> = SmallVec::new();
        let Some(index) = &self.index else { return SmallVec::new() };
        index.along(way.from.position, way.to.position, |shape, ends| {
            if let Some((slot, there)) = self.of.get(shape as usize)
                && there.contains(&way.to.time)
            {
                met.push((*slot, ends));
            }
        });
        // A fence of several shapes is their union: inside one of them is inside.
        met.sort_unstable();
        let mut crossed = SmallVec::new();
        for of_rule in met.chunk_by(|one, other| one.0 == other.0) {
            let inside = |end: usize| of_rule.iter().any(|(_, ends)| ends.get(end) == Some(&true));
            if let Some((slot, _)) = of_rule.first().filter(|_| !(inside(0) && inside(1))) {
                crossed.push(*slot);
            }
        }
        crossed
    }
}
