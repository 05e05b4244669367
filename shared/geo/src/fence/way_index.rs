//! Many fences at once, asked by ways: which of them a straight way from one position to the next touches.

use super::Fence;
use rstar::{AABB, RTree, primitives::GeomWithData, primitives::Rectangle};

/// A fence's bounds, with its number.
type Bounds = GeomWithData<Rectangle<[f64; 2]>, u32>;

/// Fences, found by way.
pub struct WayIndex {
    fences: Vec<Fence>,
    tree: RTree<Bounds>,
}

impl WayIndex {
    /// Builds the index; fence `i` is reported as `i`.
    pub fn build(fences: Vec<Fence>) -> Self {
        let bounds = |(number, fence): (u32, &Fence)| {
            let [west, south, east, north] = fence.bounds();
            // Without points there is nothing to meet: bounds that no way touches.
            (west <= east).then(|| Bounds::new(Rectangle::from_corners([west, south], [east, north]), number))
        };
        let tree = RTree::bulk_load((0u32..).zip(&fences).filter_map(bounds).collect());
        Self { fences, tree }
    }

    /// Reports every fence the way touches, in any order, with whether it contains its begin and its end.
    pub fn along(&self, from: [f64; 2], to: [f64; 2], mut hit: impl FnMut(u32, [bool; 2])) {
        let around = AABB::from_corners(from, to);
        for bounds in self.tree.locate_in_envelope_intersecting(&around) {
            if let Some(fence) = self.fences.get(bounds.data as usize).filter(|fence| fence.meets(from, to)) {
                hit(bounds.data, [fence.contains(from), fence.contains(to)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offset_m;

    #[test]
    fn agrees_with_asking_every_fence() {
        let mut fences = vec![Fence::polygon(Vec::new())];
        for i in 0..300u32 {
            let centre = [121.0 + f64::from(i % 20) * 0.01, 31.0 + f64::from(i / 20) * 0.01];
            fences.push(match i % 3 {
                0 => Fence::polygon(vec![[10.0, 130.0, 250.0].map(|b| offset_m(centre, b, 600.0)).to_vec()]),
                1 => Fence::strip([centre, offset_m(centre, f64::from(i) * 7.0, 1_500.0)], f64::from(i + 1)),
                _ => Fence::circle(centre, 100.0 + f64::from(i)),
            });
        }
        let index = WayIndex::build(fences.clone());
        let (mut last, mut met) = ([121.0, 31.0], 0);
        for i in 0..2_000u32 {
            let i = f64::from(i);
            let next = [120.95 + (i * 0.618_034).fract() * 0.3, 30.95 + (i * 0.414_214).fract() * 0.25];
            let mut found = Vec::new();
            index.along(last, next, |number, ends| found.push((number, ends)));
            found.sort_unstable();
            let all = (0u32..).zip(&fences).filter(|(_, fence)| fence.meets(last, next));
            let expected: Vec<(u32, [bool; 2])> =
                all.map(|(number, fence)| (number, [last, next].map(|end| fence.contains(end)))).collect();
            assert_eq!(found, expected, "from {last:?} to {next:?}");
            (last, met) = (next, met + found.len());
        }
        assert!(met > 2_000, "{met}");
    }
}
