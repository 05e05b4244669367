//! The shapes rules draw, in one index: which rules' shapes hold a position.

use gridwarden_domain::{crs::Crs, rule::Shape};
use gridwarden_geo::{
    Ahead, IndexOptions,
    fence::{Fence as Geometry, ShapeIndex},
};
use std::ops::Range;

/// Shapes on their way into an index.
#[derive(Default)]
pub(super) struct Drawn {
    geometry: Vec<Geometry>,
    /// The rule of each shape.
    slots: Vec<u32>,
}

/// Shapes and the rules they are of.
#[derive(Default)]
pub(super) struct Shapes {
    index: Option<ShapeIndex>,
    slots: Vec<u32>,
}

/// What a rule draws, on WGS-84; nothing when it is an area.
pub(super) fn geometry(crs: Option<Crs>, shape: &Shape) -> Vec<Geometry> {
    let crs = crs.unwrap_or_default();
    match shape {
        Shape::Area(_) => Vec::new(),
        Shape::Polygon(rings) => vec![Geometry::polygon(rings.iter().map(|ring| crs.ring_to_wgs84(ring)).collect())],
        Shape::Circle { centre, radius_m } => vec![Geometry::circle(crs.to_wgs84(*centre), *radius_m)],
        Shape::Line { points, reach_m } => {
            let points = crs.line_to_wgs84(points);
            let pieces = points.iter().zip(points.iter().skip(1));
            pieces.map(|(from, to)| Geometry::strip([*from, *to], *reach_m)).collect()
        }
    }
}

impl Drawn {
    /// Adds what a rule draws: the numbers of its shapes; none when it is an area.
    pub(super) fn add(&mut self, crs: Option<Crs>, shape: &Shape, slot: u32) -> Range<u32> {
        let first = self.geometry.len() as u32;
        self.geometry.extend(geometry(crs, shape));
        self.slots.resize(self.geometry.len(), slot);
        first..self.geometry.len() as u32
    }

    pub(super) fn bind(self, max_mib: usize) -> Shapes {
        if self.geometry.is_empty() {
            return Shapes::default();
        }
        let index = ShapeIndex::build(self.geometry, &IndexOptions { max_mib });
        let index = index.inspect_err(|error| tracing::error!(%error, "rules with a shape of their own do nothing"));
        Shapes { index: index.ok(), slots: self.slots }
    }
}

impl Shapes {
    /// How far a position lies outside all of some shapes, in metres; 0 inside.
    pub(super) fn outside_m(&self, shapes: Range<u32>, position: [f64; 2]) -> f64 {
        let Some(index) = &self.index else { return f64::INFINITY };
        shapes.map(|shape| index.outside_m(shape, position)).fold(f64::INFINITY, f64::min)
    }

    /// Asks for what [`Shapes::at`] will look at, see [`ShapeIndex::ask`].
    #[inline]
    pub(super) fn ask(&self, [lon, lat]: [f64; 2]) -> Ahead {
        self.index.as_ref().map(|index| index.ask(lon, lat)).unwrap_or_default()
    }

    /// The same further on, see [`ShapeIndex::ask_next`].
    #[inline]
    pub(super) fn ask_next(&self, step: u8, asked: Ahead) -> Ahead {
        self.index.as_ref().map(|index| index.ask_next(step, asked)).unwrap_or_default()
    }

    /// Rules with a shape that contains the position, some more than once.
    #[inline]
    pub(super) fn at(&self, position: [f64; 2], mut hit: impl FnMut(u32)) {
        let Some(index) = &self.index else { return };
        let [lon, lat] = position;
        index.locate(lon, lat, |shape| {
            if let Some(slot) = self.slots.get(shape as usize) {
                hit(*slot);
            }
        });
    }
}
