//! Where to write an area's name.

use super::{bounds, edges};

/// Latitudes tried, as fractions of the area's height; the middle is preferred.
const SLICES: [f64; 9] = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9];

/// A point inside the area, in the middle of its widest slice; `None` when there is no inside.
pub fn label_point(rings: &[Vec<[f64; 2]>]) -> Option<[f64; 2]> {
    let [_, south, _, north] = bounds(rings)?;
    let mut best: Option<(f64, [f64; 2])> = None;
    for slice in SLICES {
        let lat = south + (north - south) * slice;
        let Some((west, east)) = widest(rings, lat) else {
            continue;
        };
        // A slice off the middle must be clearly wider to win.
        let score = (east - west) * (1.0 - (slice - 0.5).abs());
        let point = [(west + east) * 0.5, lat];
        if best.is_none_or(|(known, _)| score > known) && super::contains(rings, point) {
            best = Some((score, point));
        }
    }
    best.map(|(_, point)| point)
}

fn widest(rings: &[Vec<[f64; 2]>], lat: f64) -> Option<(f64, f64)> {
    let mut crossings: Vec<f64> = rings
        .iter()
        .flat_map(|ring| edges(ring))
        .filter(|edge| edge.low[1] <= lat && lat < edge.high[1])
        .map(|edge| {
            let t = (lat - edge.low[1]) / (edge.high[1] - edge.low[1]);
            edge.low[0] + t * (edge.high[0] - edge.low[0])
        })
        .collect();
    crossings.sort_by(f64::total_cmp);
    let spans = crossings.chunks_exact(2).filter_map(|pair| match pair {
        [west, east] => Some((*west, *east)),
        _ => None,
    });
    spans.max_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_of_a_crescent_lies_in_it() {
        let ring = vec![[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0], [0.0, 3.5], [3.5, 3.5], [3.5, 0.5], [0.0, 0.5]];
        let rings = [ring];
        let point = label_point(&rings).unwrap();
        assert!(crate::ring::contains(&rings, point));
        assert_eq!(label_point(&[]), None);
    }
}
