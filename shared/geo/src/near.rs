//! Positions found by nearness: a grid whose cells are as wide as the reach asked for, so that whatever is near lies in a cell or
//! in one of those about it.

use crate::metres_per_degree;
use hashbrown::HashMap;

/// A little more than needed, so that rounding never cuts anything off.
const SPARE: f64 = 1.01;
/// Nearer to a pole than this all meridians are near each other.
const POLAR: f64 = 89.0;

/// A longitude in −180…180.
fn ordinary_lon(lon: f64) -> f64 {
    (lon + 180.0).rem_euclid(360.0) - 180.0
}

/// Numbered positions, found by nearness.
///
/// `GEO-3` [`Near::around`] reports whatever is within reach; what it reports besides must be measured by who asks.
#[derive(Clone, Debug)]
pub struct Near {
    reach_m: f64,
    /// Height of a row of cells, in degrees.
    row: f64,
    cells: HashMap<(i32, i32), Vec<u32>>,
}

impl Near {
    /// None yet. `reach_m`: how far apart what is asked for may be, in metres, above 0.
    pub fn new(reach_m: f64) -> Self {
        let [_, per_lat] = metres_per_degree(0.0);
        Self { reach_m, row: reach_m * SPARE / per_lat, cells: HashMap::new() }
    }

    /// Puts a number at a position.
    pub fn insert(&mut self, number: u32, position: [f64; 2]) {
        self.cells.entry(self.cell(position)).or_default().push(number);
    }

    /// Takes a number away from the position it was put at.
    pub fn remove(&mut self, number: u32, position: [f64; 2]) {
        let cell = self.cell(position);
        let Some(numbers) = self.cells.get_mut(&cell) else { return };
        numbers.retain(|known| *known != number);
        if numbers.is_empty() {
            self.cells.remove(&cell);
        }
    }

    /// Reports every number within reach of a position, and some beyond, each once.
    pub fn around(&self, position: [f64; 2], mut found: impl FnMut(u32)) {
        let [lon, lat] = [ordinary_lon(position[0]), position[1]];
        let row = self.row_of(lat);
        // By the row nearest to a pole, where the reach is widest.
        let reach = self.degrees(row - 1).max(self.degrees(row + 1));
        for row in row - 1..=row + 1 {
            let columns = self.columns(row);
            let width = 360.0 / f64::from(columns);
            let first = ((lon - reach + 180.0) / width).floor() as i32;
            let last = ((lon + reach + 180.0) / width).floor() as i32;
            for column in first..=last.min(first + columns - 1) {
                let numbers = self.cells.get(&(row, column.rem_euclid(columns)));
                numbers.into_iter().flatten().for_each(|number| found(*number));
            }
        }
    }

    fn cell(&self, [lon, lat]: [f64; 2]) -> (i32, i32) {
        let row = self.row_of(lat);
        let columns = self.columns(row);
        let column = ((ordinary_lon(lon) + 180.0) / 360.0 * f64::from(columns)).floor() as i32;
        (row, column.rem_euclid(columns))
    }

    fn row_of(&self, lat: f64) -> i32 {
        (lat / self.row).floor() as i32
    }

    /// The reach in degrees of longitude, at the edge of a row that is nearer to a pole; all of them there.
    fn degrees(&self, row: i32) -> f64 {
        let (low, high) = (f64::from(row) * self.row, f64::from(row + 1) * self.row);
        let lat = low.abs().max(high.abs());
        if lat >= POLAR {
            return 360.0;
        }
        self.reach_m * SPARE / metres_per_degree(lat)[0]
    }

    /// How many cells a row has.
    fn columns(&self, row: i32) -> i32 {
        ((360.0 / self.degrees(row)).floor() as i32).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{distance_m, offset_m};

    /// Against measuring them all, at the equator, in a city, over the date line, near the poles.
    #[test]
    fn whatever_is_within_reach_is_reported_once() {
        for centre in [[0.0, 0.0], [121.47, 31.23], [179.9999, -12.0], [-180.0, 60.0], [10.0, 88.99], [0.0, -89.9]] {
            for reach in [1.0, 250.0, 9_000.0] {
                let mut near = Near::new(reach);
                let put = |number: u32| {
                    let bearing = f64::from(number) * 137.508;
                    let [lon, lat] = offset_m(centre, bearing, reach * 3.0 * (f64::from(number) / 400.0).sqrt());
                    [ordinary_lon(lon), lat]
                };
                let positions: Vec<[f64; 2]> = (0..400).map(put).collect();
                (0u32..).zip(&positions).for_each(|(number, position)| near.insert(number, *position));
                for (asked, position) in (0u32..).zip(&positions) {
                    let mut found = Vec::new();
                    near.around(*position, |number| found.push(number));
                    found.sort_unstable();
                    assert!(found.windows(2).all(|two| two[0] != two[1]), "twice at {position:?}");
                    let wanted = (0u32..).zip(&positions).filter(|(_, other)| distance_m(*position, **other) <= reach);
                    for (number, _) in wanted {
                        assert!(found.contains(&number), "{number} is near {asked} at {centre:?}, {reach} m");
                    }
                }
            }
        }
    }

    #[test]
    fn who_is_taken_away_is_not_found() {
        let mut near = Near::new(10.0);
        near.insert(1, [121.0, 31.0]);
        near.insert(2, [121.0, 31.0]);
        near.remove(1, [121.0, 31.0]);
        let mut found = Vec::new();
        near.around([121.0, 31.0], |number| found.push(number));
        assert_eq!(found, [2]);
        near.remove(2, [121.0, 31.0]);
        assert!(near.cells.is_empty());
    }
}
