//! Cutting rings to a box, after Sutherland and Hodgman: a ring comes out as one ring whose pieces may be joined along the
//! box's border. The box is larger than the tile, so those joints are never seen.

/// `[west, north, east, south]`, in the units of the points.
pub(super) type Frame = [f64; 4];

type Point = [f64; 2];

/// Whether two frames share a point.
pub(super) fn touches(a: &Frame, b: &Frame) -> bool {
    a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3]
}

/// Whether `inner` lies in `outer` entirely.
pub(super) fn holds(outer: &Frame, inner: &Frame) -> bool {
    outer[0] <= inner[0] && outer[1] <= inner[1] && inner[2] <= outer[2] && inner[3] <= outer[3]
}

/// The part of a ring inside the frame; empty when nothing is.
pub(super) fn clip(ring: &[Point], frame: &Frame) -> Vec<Point> {
    let mut points = ring.to_vec();
    points = cut(&points, |p| p[0] >= frame[0], |a, b| at_x(a, b, frame[0]));
    points = cut(&points, |p| p[0] <= frame[2], |a, b| at_x(a, b, frame[2]));
    points = cut(&points, |p| p[1] >= frame[1], |a, b| at_y(a, b, frame[1]));
    cut(&points, |p| p[1] <= frame[3], |a, b| at_y(a, b, frame[3]))
}

fn cut(ring: &[Point], inside: impl Fn(&Point) -> bool, border: impl Fn(Point, Point) -> Point) -> Vec<Point> {
    let mut kept = Vec::with_capacity(ring.len() + 4);
    let Some(mut before) = ring.last().copied() else { return kept };
    for point in ring.iter().copied() {
        if inside(&point) != inside(&before) {
            kept.push(border(before, point));
        }
        if inside(&point) {
            kept.push(point);
        }
        before = point;
    }
    kept
}

fn at_x(a: Point, b: Point, x: f64) -> Point {
    [x, a[1] + (b[1] - a[1]) * (x - a[0]) / (b[0] - a[0])]
}

fn at_y(a: Point, b: Point, y: f64) -> Point {
    [a[0] + (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]), y]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOX: Frame = [0.0, 0.0, 10.0, 10.0];

    fn surface(ring: &[Point]) -> f64 {
        let next = ring.iter().skip(1).chain(ring.first());
        ring.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f64>().abs() / 2.0
    }

    #[test]
    fn a_square_over_the_corner_leaves_a_quarter() {
        let ring = [[5.0, 5.0], [15.0, 5.0], [15.0, 15.0], [5.0, 15.0]];
        assert!((surface(&clip(&ring, &BOX)) - 25.0).abs() < 1e-9);
    }

    #[test]
    fn outside_leaves_nothing_and_around_leaves_the_box() {
        assert!(clip(&[[20.0, 20.0], [30.0, 20.0], [30.0, 30.0]], &BOX).is_empty());
        let around = [[-5.0, -5.0], [15.0, -5.0], [15.0, 15.0], [-5.0, 15.0]];
        assert!((surface(&clip(&around, &BOX)) - 100.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn what_is_left_lies_inside(ring in proptest::collection::vec([-20.0..30.0f64, -20.0..30.0f64], 3..20)) {
            for [x, y] in clip(&ring, &BOX) {
                prop_assert!((-1e-9..=10.0 + 1e-9).contains(&x) && (-1e-9..=10.0 + 1e-9).contains(&y));
            }
        }

        #[test]
        fn what_lies_inside_is_left_as_it_is(ring in proptest::collection::vec([0.0..10.0f64, 0.0..10.0f64], 3..20)) {
            prop_assert_eq!(clip(&ring, &BOX), ring);
        }
    }
}
