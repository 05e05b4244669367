//! Distances on the ground.

/// Mean radius of the Earth in metres (IUGG).
pub(crate) const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// Whether `[lon, lat]` can be degrees; NaN cannot.
#[inline]
pub fn is_in_degrees([lon, lat]: [f64; 2]) -> bool {
    lon.abs() <= 180.0 && lat.abs() <= 90.0
}

/// Distance between two positions in metres along the great circle (haversine).
#[inline]
pub fn distance_m(a: [f64; 2], b: [f64; 2]) -> f64 {
    let [lon_a, lat_a] = a;
    let [lon_b, lat_b] = b;
    let half_lat = ((lat_b - lat_a).to_radians() * 0.5).sin();
    let half_lon = ((lon_b - lon_a).to_radians() * 0.5).sin();
    let h = half_lat * half_lat + lat_a.to_radians().cos() * lat_b.to_radians().cos() * half_lon * half_lon;
    // Rounding can push h a hair above 1 for antipodes.
    2.0 * EARTH_RADIUS_M * h.sqrt().min(1.0).asin()
}

/// Metres per degree of longitude and of latitude at a latitude.
#[inline]
pub fn metres_per_degree(lat: f64) -> [f64; 2] {
    let per_degree = EARTH_RADIUS_M.to_radians();
    [per_degree * lat.to_radians().cos(), per_degree]
}

/// The position `metres` away from `from` in direction `bearing` (degrees clockwise from north). Longitudes may leave
/// −180…180 near the date line.
pub fn offset_m(from: [f64; 2], bearing: f64, metres: f64) -> [f64; 2] {
    let [lon, lat] = from;
    let (sin_lat, cos_lat) = lat.to_radians().sin_cos();
    let (sin_d, cos_d) = (metres / EARTH_RADIUS_M).sin_cos();
    let (sin_b, cos_b) = bearing.to_radians().sin_cos();
    let sin_to = (sin_lat * cos_d + cos_lat * sin_d * cos_b).clamp(-1.0, 1.0);
    let east = (sin_b * sin_d * cos_lat).atan2(cos_d - sin_lat * sin_to);
    [lon + east.to_degrees(), sin_to.asin().to_degrees()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_degrees() {
        assert!([[180.0, 90.0], [-180.0, -90.0], [0.0, 0.0]].into_iter().all(is_in_degrees));
        assert!(![[180.1, 0.0], [0.0, -90.1], [f64::NAN, 0.0], [0.0, f64::NAN]].into_iter().any(is_in_degrees));
    }

    #[test]
    fn a_degree_of_latitude_is_111_km() {
        let d = distance_m([121.0, 31.0], [121.0, 32.0]);
        assert!((d - 111_195.0).abs() < 1.0, "{d}");
    }

    #[test]
    fn offset_and_distance_agree() {
        for bearing in [0.0, 37.0, 90.0, 200.0, 300.0] {
            let to = offset_m([121.0, 31.0], bearing, 12_345.0);
            assert!((distance_m([121.0, 31.0], to) - 12_345.0).abs() < 1e-3);
        }
    }

    #[test]
    fn antipodes_are_half_the_circumference() {
        let d = distance_m([0.0, 0.0], [180.0, 0.0]);
        assert!((d - std::f64::consts::PI * EARTH_RADIUS_M).abs() < 1.0);
    }
}
