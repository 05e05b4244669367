//! Areas on the ground.
//!
//! Knows rings only, and reads them as drawn: what is wound the other way counts the other way.

use crate::distance::EARTH_RADIUS_M;

/// Signed area of a ring in m² on a sphere of the Earth's mean radius; its edges are straight in degrees, as everywhere here.
/// Counter-clockwise is above 0. A ring that crosses itself counts each loop by its own sense.
pub fn signed_area_m2(ring: &[[f64; 2]]) -> f64 {
    let Some(first) = ring.first() else { return 0.0 };
    // Longitudes of a closed ring add up to nothing, so any height may be the one areas are counted from; one near the ring
    // keeps the figures small.
    let base = first[1].to_radians().sin();
    let under = |(a, b): (&[f64; 2], &[f64; 2])| {
        let [east, half] = [(b[0] - a[0]).to_radians(), (b[1] - a[1]).to_radians() * 0.5];
        let mean = ((a[1] + b[1]) * 0.5).to_radians().sin();
        let height = if half == 0.0 { mean } else { mean * half.sin() / half };
        east * (height - base)
    };
    let sum: f64 = ring.iter().zip(ring.iter().skip(1).chain(ring.first())).map(under).sum();
    -sum * EARTH_RADIUS_M * EARTH_RADIUS_M
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metres_per_degree;

    #[test]
    fn a_square_of_a_hundred_metres_has_a_hectare() {
        let [per_lon, per_lat] = metres_per_degree(31.2);
        let [w, h] = [50.0 / per_lon, 50.0 / per_lat];
        let square = [[121.0 - w, 31.2 - h], [121.0 + w, 31.2 - h], [121.0 + w, 31.2 + h], [121.0 - w, 31.2 + h]];
        assert!((signed_area_m2(&square) - 10_000.0).abs() < 0.01, "{}", signed_area_m2(&square));
        let mut other = square;
        other.reverse();
        assert!((signed_area_m2(&other) + 10_000.0).abs() < 0.01);
        assert_eq!(signed_area_m2(&[]), 0.0);
    }

    #[test]
    fn the_map_of_the_world_has_the_surface_of_the_earth() {
        let world = [[-180.0, -90.0], [180.0, -90.0], [180.0, 90.0], [-180.0, 90.0]];
        let sphere = 4.0 * std::f64::consts::PI * EARTH_RADIUS_M * EARTH_RADIUS_M;
        assert!((signed_area_m2(&world) / sphere - 1.0).abs() < 1e-12);
    }
}
