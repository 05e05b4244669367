//! The two shifted systems of Chinese public maps: GCJ-02, and BD-09 upon it. Degrees in, degrees out, as `[lon, lat]`.
//!
//! Neither is published by those who made it. The formulas are those everybody uses (the `eviltransform` project, 2013), and
//! the ways back are found by iteration of the ways there, so that they fit each other:
//! * `SHF-1` there and back again moves a point by less than a centimetre, for both systems.
//!
//! GCJ-02 shifts only inside a rectangle about China ([`is_shifted`]). Within a kilometre of that rectangle's border, which runs
//! through seas and other countries, two points may have the same place in GCJ-02: the one inside is taken.

use std::f64::consts::PI;

/// Semi-major axis of the ellipsoid the shift is computed on (Krasovsky 1940), in metres.
const AXIS_M: f64 = 6_378_245.0;
/// Its first eccentricity, squared.
const ECCENTRICITY_2: f64 = 0.006_693_421_622_965_943;

/// Steps after which an iteration has long come to its end: each makes the error a hundred times smaller at least.
const STEPS: usize = 16;
/// Where an iteration stops, in degrees: a thousandth of a millimetre.
const NEAR: f64 = 1e-11;

/// Whether GCJ-02 differs from WGS-84 at a point in WGS-84.
pub fn is_shifted([lon, lat]: [f64; 2]) -> bool {
    (72.004..=137.8347).contains(&lon) && (0.8293..=55.8271).contains(&lat)
}

/// From WGS-84 to GCJ-02.
pub fn gcj_of_wgs(point: [f64; 2]) -> [f64; 2] {
    if is_shifted(point) { shifted(point) } else { point }
}

/// From GCJ-02 to WGS-84.
pub fn wgs_of_gcj(point: [f64; 2]) -> [f64; 2] {
    let inside = back(point, shifted);
    if is_shifted(inside) { inside } else { point }
}

/// From GCJ-02 to BD-09.
pub fn bd_of_gcj([lon, lat]: [f64; 2]) -> [f64; 2] {
    const WAVE: f64 = PI * 3000.0 / 180.0;
    let radius = lon.hypot(lat) + 0.000_02 * (lat * WAVE).sin();
    let angle = lat.atan2(lon) + 0.000_003 * (lon * WAVE).cos();
    [radius * angle.cos() + 0.0065, radius * angle.sin() + 0.006]
}

/// From BD-09 to GCJ-02.
pub fn gcj_of_bd(point: [f64; 2]) -> [f64; 2] {
    back(point, bd_of_gcj)
}

/// The point that `there` moves to `point`. `there` moves by much less than it moves neighbours apart, so each step comes closer.
fn back(point: [f64; 2], there: fn([f64; 2]) -> [f64; 2]) -> [f64; 2] {
    let mut guess = point;
    for _ in 0..STEPS {
        let moved = there(guess);
        let off = [point[0] - moved[0], point[1] - moved[1]];
        guess = [guess[0] + off[0], guess[1] + off[1]];
        if off[0].abs() < NEAR && off[1].abs() < NEAR {
            break;
        }
    }
    guess
}

/// GCJ-02's shift, wherever the point lies.
fn shifted([lon, lat]: [f64; 2]) -> [f64; 2] {
    let (east, north) = (lon - 105.0, lat - 35.0);
    let root = east.abs().sqrt();
    let common = 20.0 * (6.0 * east * PI).sin() + 20.0 * (2.0 * east * PI).sin();
    let metres_north = -100.0
        + 2.0 * east
        + 3.0 * north
        + 0.2 * north * north
        + 0.1 * east * north
        + 0.2 * root
        + (common
            + 20.0 * (north * PI).sin()
            + 40.0 * (north / 3.0 * PI).sin()
            + 160.0 * (north / 12.0 * PI).sin()
            + 320.0 * (north / 30.0 * PI).sin())
            * 2.0
            / 3.0;
    let metres_east = 300.0
        + east
        + 2.0 * north
        + 0.1 * east * east
        + 0.1 * east * north
        + 0.1 * root
        + (common
            + 20.0 * (east * PI).sin()
            + 40.0 * (east / 3.0 * PI).sin()
            + 150.0 * (east / 12.0 * PI).sin()
            + 300.0 * (east / 30.0 * PI).sin())
            * 2.0
            / 3.0;
    let latitude = lat.to_radians();
    let flat = 1.0 - ECCENTRICITY_2 * latitude.sin().powi(2);
    let meridian = AXIS_M * (1.0 - ECCENTRICITY_2) / (flat * flat.sqrt());
    let parallel = AXIS_M / flat.sqrt() * latitude.cos();
    [lon + (metres_east / parallel).to_degrees(), lat + (metres_north / meridian).to_degrees()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance_m;
    use proptest::prelude::*;

    fn near(got: [f64; 2], expected: [f64; 2]) {
        let off = distance_m(got, expected);
        assert!(off < 0.001, "{got:?}, {expected:?}: {off} m");
    }

    /// The figures `eviltransform` and `gcoord` publish of themselves.
    #[test]
    fn published_figures() {
        for (wgs, gcj) in [
            ([121.5272106, 31.1774276], [121.531541859215, 31.17530398364597]),
            ([113.912316, 22.543847], [113.9171764808363, 22.540796131694766]),
            ([116.377817, 39.911954], [116.38404722455657, 39.91334545536069]),
            ([-104.9903, 39.7392], [-104.9903, 39.7392]),
            ([153.0251, -27.4698], [153.0251, -27.4698]),
        ] {
            near(gcj_of_wgs(wgs), gcj);
            near(wgs_of_gcj(gcj), wgs);
        }
        near(bd_of_gcj(gcj_of_wgs([116.403988, 39.914266])), [116.41661560068297, 39.92196580126834]);
    }

    proptest! {
        /// `SHF-1`, all over the shifted rectangle but for a kilometre at its border.
        #[test]
        fn there_and_back_is_less_than_a_centimetre(lon in 72.02f64..137.82, lat in 0.84f64..55.81) {
            let point = [lon, lat];
            let gcj = gcj_of_wgs(point);
            // In most places by some hundred metres; where its waves meet, over the sea, by twenty.
            prop_assert!(distance_m(point, gcj) < 1_500.0, "{}", distance_m(point, gcj));
            prop_assert!(distance_m(wgs_of_gcj(gcj), point) < 0.01);
            let bd = bd_of_gcj(gcj);
            prop_assert!(distance_m(gcj_of_bd(bd), gcj) < 0.01);
            prop_assert!(distance_m(wgs_of_gcj(gcj_of_bd(bd)), point) < 0.01);
        }

        /// Elsewhere GCJ-02 is WGS-84.
        #[test]
        fn nothing_moves_outside(lon in -180.0f64..71.9, lat in -90.0f64..90.0) {
            prop_assert_eq!(gcj_of_wgs([lon, lat]), [lon, lat]);
            prop_assert_eq!(wgs_of_gcj([lon, lat]), [lon, lat]);
        }
    }
}
