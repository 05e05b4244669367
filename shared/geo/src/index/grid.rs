//! The raster's geometry: which square a point falls into, which squares an edge touches.

use crate::ring::Edge;

/// By how much, in squares, a square is taken larger than it is when asking which edges touch it. Far above any rounding of
/// the way from degrees to squares.
const MARGIN: f64 = 0.001;
/// The same for tracing, where errors of an edge's slope come on top.
const TRACE_MARGIN: f64 = 0.01;
/// Edges that rise less than this (in squares) are not cut at row borders: cutting them would magnify rounding.
const FLAT: f64 = 0.01;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Grid {
    west: f64,
    south: f64,
    /// Squares per degree.
    per_lon: f64,
    per_lat: f64,
    pub(super) columns: u32,
    pub(super) rows: u32,
}

impl Grid {
    pub(super) fn new(bounds: [f64; 4], columns: u32, rows: u32) -> Self {
        let [west, south, east, north] = bounds;
        // A little less than the whole raster, so that the far borders fall into the last squares whatever the rounding.
        let per_degree =
            |count: u32, span: f64| f64::from(count) * (1.0 - 1e-6) / span.max(super::size::MIN_SQUARE_DEGREES);
        Self {
            west,
            south,
            per_lon: per_degree(columns, east - west),
            per_lat: per_degree(rows, north - south),
            columns,
            rows,
        }
    }

    /// The number of the square a point falls into; `None` outside the raster or for NaN.
    #[inline]
    pub(super) fn square(&self, lon: f64, lat: f64) -> Option<usize> {
        let [x, y] = self.scaled([lon, lat]);
        if !(x >= 0.0 && y >= 0.0) {
            return None;
        }
        // Saturating: what is too far ends beyond the last column or row.
        let (column, row) = (x as u32, y as u32);
        (column < self.columns && row < self.rows).then(|| row as usize * self.columns as usize + column as usize)
    }

    #[inline]
    fn scaled(&self, [lon, lat]: [f64; 2]) -> [f64; 2] {
        [(lon - self.west) * self.per_lon, (lat - self.south) * self.per_lat]
    }

    pub(super) fn number(&self, column: u32, row: u32) -> u32 {
        row * self.columns + column
    }

    pub(super) fn centre(&self, column: u32, row: u32) -> [f64; 2] {
        [self.west + (f64::from(column) + 0.5) / self.per_lon, self.south + (f64::from(row) + 0.5) / self.per_lat]
    }

    /// A longitude no point of the column lies to the east of.
    pub(super) fn east_of(&self, column: u32) -> f64 {
        self.west + (f64::from(column) + 1.0 + MARGIN) / self.per_lon
    }

    /// Visits every square the edge touches, as (row, first column, last column), and perhaps some it does not.
    pub(super) fn trace(&self, edge: &Edge, mut visit: impl FnMut(u32, u32, u32)) {
        let [low_x, low_y] = self.scaled(edge.low);
        let [high_x, high_y] = self.scaled(edge.high);
        let rise = high_y - low_y;
        let at = |y: f64| low_x + ((y - low_y) / rise).clamp(0.0, 1.0) * (high_x - low_x);
        let first = within(low_y - TRACE_MARGIN, self.rows);
        let last = within(high_y + TRACE_MARGIN, self.rows);
        for row in first..=last {
            let (from, to) = if rise > FLAT {
                let bottom = f64::from(row);
                (at(bottom - TRACE_MARGIN), at(bottom + 1.0 + TRACE_MARGIN))
            } else {
                (low_x, high_x)
            };
            let west = within(from.min(to) - TRACE_MARGIN, self.columns);
            let east = within(from.max(to) + TRACE_MARGIN, self.columns);
            visit(row, west, east);
        }
    }

    /// For every row whose centre line the edge spans: (row, number of columns whose centres lie to the west of it).
    pub(super) fn flips(&self, edge: &Edge, mut visit: impl FnMut(u32, u32)) {
        let [low_x, low_y] = self.scaled(edge.low);
        let [high_x, high_y] = self.scaled(edge.high);
        // One row more on both sides: rounding; whether it is spanned is then asked exactly.
        let first = within(low_y - 1.0, self.rows);
        let last = within(high_y + 1.0, self.rows);
        for row in first..=last {
            let [_, lat] = self.centre(0, row);
            if !(edge.low[1] <= lat && lat < edge.high[1]) {
                continue;
            }
            let t = ((f64::from(row) + 0.5 - low_y) / (high_y - low_y)).clamp(0.0, 1.0);
            let guess = low_x + t * (high_x - low_x) + 0.5;
            let mut column = guess.clamp(0.0, f64::from(self.columns)) as u32;
            while column > 0 && !edge.is_west(self.centre(column - 1, row)) {
                column -= 1;
            }
            while column < self.columns && edge.is_west(self.centre(column, row)) {
                column += 1;
            }
            visit(row, column);
        }
    }
}

fn within(value: f64, count: u32) -> u32 {
    (value.max(0.0) as u32).min(count.saturating_sub(1))
}
