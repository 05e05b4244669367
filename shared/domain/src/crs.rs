//! Coordinate reference systems a source, a layer or a rule may speak. Inside Gridwarden every position is WGS-84; what is not
//! named here is rejected, never guessed.

use gridwarden_geo::shift;
use serde::{Deserialize, Serialize};

/// The reference system of a position as sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Crs {
    /// GPS; the default.
    #[default]
    #[serde(rename = "WGS-84")]
    Wgs84,
    /// China Geodetic Coordinate System 2000; taken as equal to WGS-84 (they differ by centimetres).
    #[serde(rename = "CGCS2000")]
    Cgcs2000,
    /// The shifted system of Chinese public maps.
    #[serde(rename = "GCJ-02")]
    Gcj02,
    /// Baidu's system, a shift of GCJ-02.
    #[serde(rename = "BD-09")]
    Bd09,
}

impl Crs {
    /// Reads the name used in contracts; `None` for any other.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "WGS-84" => Some(Self::Wgs84),
            "CGCS2000" => Some(Self::Cgcs2000),
            "GCJ-02" => Some(Self::Gcj02),
            "BD-09" => Some(Self::Bd09),
            _ => None,
        }
    }

    /// The name used in contracts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wgs84 => "WGS-84",
            Self::Cgcs2000 => "CGCS2000",
            Self::Gcj02 => "GCJ-02",
            Self::Bd09 => "BD-09",
        }
    }

    /// Whether positions in it can be used as they are.
    pub fn is_wgs84_compatible(self) -> bool {
        matches!(self, Self::Wgs84 | Self::Cgcs2000)
    }

    /// A point `[lon, lat]` in this system, in WGS-84.
    pub fn to_wgs84(self, point: [f64; 2]) -> [f64; 2] {
        match self {
            Self::Wgs84 | Self::Cgcs2000 => point,
            Self::Gcj02 => shift::wgs_of_gcj(point),
            Self::Bd09 => shift::wgs_of_gcj(shift::gcj_of_bd(point)),
        }
    }

    /// A point `[lon, lat]` in WGS-84, in this system.
    pub fn of_wgs84(self, point: [f64; 2]) -> [f64; 2] {
        match self {
            Self::Wgs84 | Self::Cgcs2000 => point,
            Self::Gcj02 => shift::gcj_of_wgs(point),
            Self::Bd09 => shift::bd_of_gcj(shift::gcj_of_wgs(point)),
        }
    }

    /// A ring drawn in this system, in WGS-84. Long edges get points between, so that the ring lies where it was drawn; an edge two
    /// rings share gets the same ones in both.
    pub fn ring_to_wgs84(self, ring: &[[f64; 2]]) -> Vec<[f64; 2]> {
        self.along(ring, ring.first())
    }

    /// A line drawn in this system, in WGS-84; the same as of rings, but for the way back to its begin.
    pub fn line_to_wgs84(self, line: &[[f64; 2]]) -> Vec<[f64; 2]> {
        self.along(line, None)
    }

    fn along(self, points: &[[f64; 2]], end: Option<&[f64; 2]>) -> Vec<[f64; 2]> {
        // What is straight in a shifted system is curved outside. Pieces of these lengths leave the curve by less than 2 cm: GCJ-02
        // has waves of 13 m every 37 km, BD-09 of 40 m every 13 km.
        let piece = match self {
            Self::Wgs84 | Self::Cgcs2000 => return points.to_vec(),
            Self::Gcj02 => 0.005,
            Self::Bd09 => 0.001,
        };
        let mut converted = Vec::with_capacity(points.len());
        for (from, to) in points.iter().zip(points.iter().skip(1).chain(end)) {
            converted.push(self.to_wgs84(*from));
            converted.extend(between(*from, *to, piece).into_iter().map(|point| self.to_wgs84(point)));
        }
        if end.is_none() {
            converted.extend(points.last().map(|last| self.to_wgs84(*last)));
        }
        converted
    }
}

/// Points that cut an edge into pieces of so many degrees at most; the same seen from either end.
fn between(from: [f64; 2], to: [f64; 2], piece: f64) -> Vec<[f64; 2]> {
    let (low, high, turned) = if from <= to { (from, to, false) } else { (to, from, true) };
    let [east, north] = [high[0] - low[0], high[1] - low[1]];
    // A ring has at most 360 degrees to go, whatever its file says.
    let pieces = (east.abs().max(north.abs()).min(360.0) / piece).ceil() as u32;
    let point = |number: u32| {
        let part = f64::from(number) / f64::from(pieces);
        [low[0] + east * part, low[1] + north * part]
    };
    let mut points: Vec<[f64; 2]> = (1..pieces).map(point).collect();
    if turned {
        points.reverse();
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_geo::distance_m;

    const EVERY: [Crs; 4] = [Crs::Wgs84, Crs::Cgcs2000, Crs::Gcj02, Crs::Bd09];

    #[test]
    fn names_and_points_come_back() {
        let point = [121.4737, 31.2304];
        for crs in EVERY {
            assert_eq!(Crs::parse(crs.as_str()), Some(crs));
            assert!(distance_m(crs.to_wgs84(crs.of_wgs84(point)), point) < 0.01, "{crs:?}");
        }
        assert_eq!(Crs::parse("EPSG:4547"), None);
    }

    #[test]
    fn a_ring_lies_where_it_was_drawn() {
        let [a, b, c] = [[121.4, 31.2], [121.52, 31.21], [121.45, 31.3]];
        for crs in [Crs::Gcj02, Crs::Bd09] {
            let ring = crs.ring_to_wgs84(&[a, b, c]);
            // Between the points that were drawn the edge was straight in its own system.
            let most = (0..1_000)
                .map(|n| f64::from(n) / 1_000.0)
                .map(|part| crs.to_wgs84([a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part]))
                .map(|point| off_edges(&ring, point))
                .fold(0.0, f64::max);
            assert!(most < 0.02, "{crs:?}: {most} m");
            let line = crs.line_to_wgs84(&[a, b, c]);
            assert!(
                ring.starts_with(&line) && line.last() == Some(&crs.to_wgs84(c)),
                "a ring is a line that comes back"
            );
            let other = crs.ring_to_wgs84(&[c, b, a]);
            assert!(other.iter().all(|point| ring.contains(point)), "the same edges the other way round");
        }
        assert_eq!(Crs::Cgcs2000.ring_to_wgs84(&[a, b, c]), [a, b, c]);
    }

    /// Metres from a point to the nearest edge.
    fn off_edges(ring: &[[f64; 2]], point: [f64; 2]) -> f64 {
        let cos = point[1].to_radians().cos();
        let flat = |p: [f64; 2]| [(p[0] - point[0]) * 111_320.0 * cos, (p[1] - point[1]) * 110_574.0];
        let edges = ring.iter().zip(ring.iter().skip(1).chain(ring.first()));
        let off = |(from, to): (&[f64; 2], &[f64; 2])| {
            let ([ax, ay], [bx, by]) = (flat(*from), flat(*to));
            let [dx, dy] = [bx - ax, by - ay];
            let part = (-(ax * dx + ay * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
            (ax + dx * part).hypot(ay + dy * part)
        };
        edges.map(off).fold(f64::INFINITY, f64::min)
    }
}
