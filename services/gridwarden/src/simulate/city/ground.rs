//! The ground: a warped, shaken grid whose cells share their borders point by point (`SIM-1`).

use super::Point;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Where the made-up city lies. Nobody lives there under that name.
const ORIGIN: Point = [104.0, 30.6];

const METRES_PER_DEGREE: f64 = 111_320.0;

/// Points on the border between two corners.
const BORDER_POINTS: usize = 3;

/// A cell by column (west → east) and row (south → north).
pub(super) type Cell = (usize, usize);

/// Corners and borders of all cells.
pub(super) struct Ground {
    /// Cells in a row.
    pub(super) columns: usize,
    /// Rows.
    pub(super) rows: usize,
    corners: Vec<Point>,
    east: Vec<[Point; BORDER_POINTS]>,
    north: Vec<[Point; BORDER_POINTS]>,
}

/// Seven decimals of a degree are a centimetre: finer than any device, and short in a file.
fn rounded(point: Point) -> Point {
    point.map(|degrees| (degrees * 1e7).round() / 1e7)
}

fn between(a: Point, b: Point, part: f64) -> Point {
    [a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part]
}

impl Ground {
    /// About `cells` cells of about `cell_m` metres, as square as the number allows.
    pub(super) fn new(seed: u64, cells: u32, cell_m: f64) -> Self {
        let columns = f64::from(cells).sqrt().round().max(4.0) as usize;
        let rows = (cells as usize).div_ceil(columns).max(4);
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x6772_6f75_6e64);
        let step = [cell_m / (METRES_PER_DEGREE * ORIGIN[1].to_radians().cos()), cell_m / METRES_PER_DEGREE];
        let mut corners = Vec::with_capacity((columns + 1) * (rows + 1));
        for row in 0..=rows {
            for column in 0..=columns {
                let (x, y) = warped(column as f64, row as f64, columns as f64, rows as f64);
                let shake = |rng: &mut ChaCha8Rng| rng.random_range(-0.2..0.2);
                let (x, y) = (x + shake(&mut rng), y + shake(&mut rng));
                corners.push(rounded([ORIGIN[0] + x * step[0], ORIGIN[1] + y * step[1]]));
            }
        }
        let mut ground = Self { columns, rows, corners, east: Vec::new(), north: Vec::new() };
        ground.east = ground.borders(&mut rng, step, (1, 0));
        ground.north = ground.borders(&mut rng, step, (0, 1));
        ground
    }

    fn borders(&self, rng: &mut ChaCha8Rng, step: Point, to: (usize, usize)) -> Vec<[Point; BORDER_POINTS]> {
        let mut borders = Vec::with_capacity(self.corners.len());
        for row in 0..=self.rows {
            for column in 0..=self.columns {
                let a = self.corner(column, row);
                let b = self.corner((column + to.0).min(self.columns), (row + to.1).min(self.rows));
                borders.push(std::array::from_fn(|i| {
                    let on = between(a, b, (i + 1) as f64 / (BORDER_POINTS + 1) as f64);
                    let bend = |rng: &mut ChaCha8Rng, step: f64| rng.random_range(-0.06..0.06) * step;
                    rounded([on[0] + bend(rng, step[0]), on[1] + bend(rng, step[1])])
                }));
            }
        }
        borders
    }

    /// Number of cells.
    pub(super) fn len(&self) -> usize {
        self.columns * self.rows
    }

    /// All cells, row by row from the south-west.
    pub(super) fn cells(&self) -> impl Iterator<Item = Cell> + use<> {
        let (columns, rows) = (self.columns, self.rows);
        (0..rows).flat_map(move |row| (0..columns).map(move |column| (column, row)))
    }

    /// Number of a cell in the order of [`Ground::cells`].
    pub(super) fn number(&self, (column, row): Cell) -> usize {
        row * self.columns + column
    }

    fn corner(&self, column: usize, row: usize) -> Point {
        self.corners.get(row * (self.columns + 1) + column).copied().unwrap_or(ORIGIN)
    }

    /// The points from one corner to the next one east (`true`) or north, both corners included.
    fn border(&self, column: usize, row: usize, eastward: bool) -> Vec<Point> {
        let (borders, end) = if eastward {
            (&self.east, self.corner(column + 1, row))
        } else {
            (&self.north, self.corner(column, row + 1))
        };
        let bends = borders.get(row * (self.columns + 1) + column).into_iter().flatten().copied();
        std::iter::once(self.corner(column, row)).chain(bends).chain([end]).collect()
    }

    /// The four sides of a cell, counter-clockwise from its south-west corner, each with both its ends.
    pub(super) fn sides(&self, (column, row): Cell) -> [Vec<Point>; 4] {
        let mut sides = [
            self.border(column, row, true),
            self.border(column + 1, row, false),
            self.border(column, row + 1, true),
            self.border(column, row, false),
        ];
        for side in sides.iter_mut().skip(2) {
            side.reverse();
        }
        sides
    }

    /// The cells across the four sides, in the order of [`Ground::sides`]; `None` beyond the city's edge.
    pub(super) fn neighbours(&self, (column, row): Cell) -> [Option<Cell>; 4] {
        [
            row.checked_sub(1).map(|south| (column, south)),
            (column + 1 < self.columns).then_some((column + 1, row)),
            (row + 1 < self.rows).then_some((column, row + 1)),
            column.checked_sub(1).map(|west| (west, row)),
        ]
    }

    /// The outline of a cell, closed.
    pub(super) fn ring(&self, cell: Cell) -> Vec<Point> {
        let mut ring = Vec::with_capacity(4 * (BORDER_POINTS + 1) + 1);
        for side in self.sides(cell) {
            ring.extend(side.iter().take(BORDER_POINTS + 1));
        }
        ring.push(self.corner(cell.0, cell.1));
        ring
    }

    /// The middle of a cell.
    pub(super) fn middle(&self, (column, row): Cell) -> Point {
        let south = between(self.corner(column, row), self.corner(column + 1, row), 0.5);
        let north = between(self.corner(column, row + 1), self.corner(column + 1, row + 1), 0.5);
        rounded(between(south, north, 0.5))
    }

    /// A point near the middle of a cell, inside it.
    pub(super) fn near_middle(&self, cell: Cell, rng: &mut ChaCha8Rng) -> Point {
        let toward = self.corner(cell.0 + rng.random_range(0..2_usize), cell.1 + rng.random_range(0..2_usize));
        rounded(between(self.middle(cell), toward, rng.random_range(0.0..0.5)))
    }

    /// Streets run through the middles of every second row and column of cells.
    pub(super) fn streets(&self) -> Vec<Vec<Point>> {
        let across = (0..self.rows)
            .step_by(2)
            .map(|row| (0..self.columns).map(|column| self.middle((column, row))).collect::<Vec<Point>>());
        let along = (0..self.columns)
            .step_by(2)
            .map(|column| (0..self.rows).map(|row| self.middle((column, row))).collect::<Vec<Point>>());
        across.chain(along).collect()
    }
}

/// Bends the grid as a whole, so that rows and columns are no straight lines; never by more than a cell's own width apart.
fn warped(x: f64, y: f64, columns: f64, rows: f64) -> (f64, f64) {
    let (u, v) = (x / columns * std::f64::consts::TAU, y / rows * std::f64::consts::TAU);
    let (wide, high) = (columns / 40.0, rows / 40.0);
    (x + wide * (v * 1.5).sin() + wide * 0.6 * (u + v).cos(), y + high * (u * 1.3).sin() + high * 0.6 * (u - v).cos())
}
