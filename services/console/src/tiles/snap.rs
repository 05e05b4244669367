//! Simplifying: every point goes to a grid of a quarter pixel, then what repeats or lies on a straight line goes away. A
//! point shared by neighbours goes to the same place for both, so no gap opens between them at any zoom.

/// Grid in tile units: 4096 to a tile of 512 pixels, so two units are a quarter of a pixel.
const GRID: f64 = 2.0;

/// The ring on the grid; empty when less than a triangle is left.
pub(super) fn snap(ring: &[[f64; 2]]) -> Vec<(i32, i32)> {
    let mut points: Vec<(i32, i32)> = Vec::with_capacity(ring.len());
    for [x, y] in ring {
        push(&mut points, (((x / GRID).round() * GRID) as i32, ((y / GRID).round() * GRID) as i32));
    }
    close(&mut points);
    if points.len() < 3 { Vec::new() } else { points }
}

/// Adds a point; a middle point that lies between its neighbours goes away.
fn push(points: &mut Vec<(i32, i32)>, point: (i32, i32)) {
    if points.last() == Some(&point) {
        return;
    }
    while let [.., before, middle] = points.as_slice() {
        if !is_between(*before, *middle, point) {
            break;
        }
        points.pop();
    }
    if points.last() != Some(&point) {
        points.push(point);
    }
}

/// The same across the ring's seam.
fn close(points: &mut Vec<(i32, i32)>) {
    loop {
        let before = points.len();
        if let [first, second, .., before_last, last] = points.as_slice() {
            if first == last || is_between(*before_last, *last, *first) {
                points.pop();
            } else if is_between(*last, *first, *second) {
                points.remove(0);
            }
        }
        if points.len() == before {
            return;
        }
    }
}

/// Whether the three lie on a line, be it there and back.
fn is_between(a: (i32, i32), b: (i32, i32), c: (i32, i32)) -> bool {
    let wide = |(x, y): (i32, i32)| (i64::from(x), i64::from(y));
    let (a, b, c) = (wide(a), wide(b), wide(c));
    (b.0 - a.0) * (c.1 - a.1) == (b.1 - a.1) * (c.0 - a.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn straight_lines_lose_their_inner_points() {
        let ring = [[0.0, 0.0], [4.0, 0.1], [8.0, 0.0], [8.0, 8.0], [0.0, 8.0], [0.0, 4.0]];
        assert_eq!(snap(&ring), [(0, 0), (8, 0), (8, 8), (0, 8)]);
    }

    #[test]
    fn what_is_smaller_than_the_grid_is_nothing() {
        assert!(snap(&[[0.1, 0.1], [0.4, 0.1], [0.4, 0.4]]).is_empty());
        assert!(snap(&[[0.0, 0.0], [10.0, 0.0], [20.0, 0.0]]).is_empty());
    }

    proptest! {
        #[test]
        fn a_ring_on_the_grid_has_no_repeats_and_enough_points(
            ring in proptest::collection::vec([-100.0..4200.0f64, -100.0..4200.0f64], 0..40),
        ) {
            let snapped = snap(&ring);
            prop_assert!(snapped.is_empty() || snapped.len() >= 3);
            let next = snapped.iter().skip(1).chain(snapped.first());
            for (a, b) in snapped.iter().zip(next) {
                prop_assert_ne!(a, b);
            }
        }
    }
}
