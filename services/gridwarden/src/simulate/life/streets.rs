//! Streets as a graph: what starts where another ends.

use super::Point;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;

/// Metres in a degree of latitude.
pub(super) const METRES_PER_DEGREE: f64 = 111_320.0;

/// Metres between two near points (flat earth: streets are short).
pub(super) fn metres(a: Point, b: Point) -> f64 {
    let x = (b[0] - a[0]) * a[1].to_radians().cos();
    let y = b[1] - a[1];
    x.hypot(y) * METRES_PER_DEGREE
}

/// Corners closer than this many degrees are the same.
const GRAIN: f64 = 1e7;

fn corner(point: Point) -> (i64, i64) {
    ((point[0] * GRAIN).round() as i64, (point[1] * GRAIN).round() as i64)
}

/// One straight piece of a street.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Segment {
    pub(super) from: Point,
    pub(super) to: Point,
    pub(super) metres: f64,
}

/// All streets, as directed straight pieces, and which of them start at a corner.
#[derive(Default)]
pub(crate) struct Streets {
    segments: Vec<Segment>,
    starting: HashMap<(i64, i64), Vec<usize>>,
}

impl Streets {
    /// Builds the graph from lines; every piece can be used in both directions.
    pub(crate) fn from_lines(lines: impl IntoIterator<Item = Vec<Point>>) -> Self {
        let mut streets = Self::default();
        for line in lines {
            for pair in line.windows(2) {
                if let &[a, b] = pair {
                    streets.add(a, b);
                    streets.add(b, a);
                }
            }
        }
        streets
    }

    fn add(&mut self, from: Point, to: Point) {
        let metres = metres(from, to);
        if metres > 0.5 && metres.is_finite() {
            self.starting.entry(corner(from)).or_default().push(self.segments.len());
            self.segments.push(Segment { from, to, metres });
        }
    }

    /// Whether there is nowhere to go.
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// The piece with this number.
    pub(super) fn segment(&self, index: usize) -> Option<Segment> {
        self.segments.get(index).copied()
    }

    /// A random piece.
    pub(super) fn any(&self, rng: &mut ChaCha8Rng) -> Option<usize> {
        (!self.segments.is_empty()).then(|| rng.random_range(0..self.segments.len()))
    }

    /// A piece that starts where `index` ends; back the same way only at a dead end.
    pub(super) fn next(&self, index: usize, rng: &mut ChaCha8Rng) -> Option<usize> {
        let here = self.segment(index)?;
        let choices = self.starting.get(&corner(here.to))?;
        let onward = |next: &usize| self.segment(*next).is_some_and(|s| corner(s.to) != corner(here.from));
        let onwards = choices.iter().filter(|next| onward(next)).count();
        match onwards {
            0 => choices.first().copied(),
            n => choices.iter().filter(|next| onward(next)).nth(rng.random_range(0..n)).copied(),
        }
    }

    /// A random place on a street.
    pub(super) fn somewhere(&self, rng: &mut ChaCha8Rng) -> Option<Point> {
        let part = rng.random_range(0.0..1.0);
        let Segment { from, to, .. } = self.any(rng).and_then(|index| self.segment(index))?;
        Some([from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn the_next_piece_starts_where_the_last_ended() {
        let cross = vec![vec![[0.0, 0.0], [0.01, 0.0], [0.02, 0.0]], vec![[0.01, -0.01], [0.01, 0.0], [0.01, 0.01]]];
        let streets = Streets::from_lines(cross);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut at = streets.any(&mut rng).expect("streets");
        for _ in 0..1_000 {
            let next = streets.next(at, &mut rng).expect("a way on");
            assert_eq!(streets.segment(at).expect("here").to, streets.segment(next).expect("next").from);
            at = next;
        }
    }

    #[test]
    fn a_dead_end_is_left_the_way_it_was_entered() {
        let streets = Streets::from_lines([vec![[0.0, 0.0], [0.01, 0.0]]]);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let back = streets.next(0, &mut rng).expect("back");
        assert_eq!(streets.segment(back).expect("segment").to, [0.0, 0.0]);
    }
}
