//! Whose rows are written first: those of few areas, for all look at the city and few at a cell.
//!
//! A city has one row at its head where it has fifty thousand at its foot; if all were written together, the first would wait for
//! the last.

use serde::{Deserialize, Serialize};

/// So many areas of a level are few, and so many are some.
const FEW: usize = 128;
const SOME: usize = 4_096;

/// When windows of an area are written, among others that changed. It is a matter of time alone: a key in another lane is as true.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum Lane {
    /// Of a level with few areas: the city, its districts and streets.
    First,
    /// Of one with some thousands.
    Second,
    /// All others.
    Last,
}

impl Lane {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 3] = [Self::First, Self::Second, Self::Last];

    /// The lane of a level with so many areas.
    pub(crate) fn of(areas: usize) -> Self {
        if areas <= FEW {
            Self::First
        } else if areas <= SOME {
            Self::Second
        } else {
            Self::Last
        }
    }
}

/// Something of each lane.
#[derive(Default)]
pub(super) struct ByLane<T> {
    first: T,
    second: T,
    last: T,
}

impl<T> ByLane<T> {
    pub(super) fn of(&self, lane: Lane) -> &T {
        match lane {
            Lane::First => &self.first,
            Lane::Second => &self.second,
            Lane::Last => &self.last,
        }
    }

    #[inline]
    pub(super) fn of_mut(&mut self, lane: Lane) -> &mut T {
        match lane {
            Lane::First => &mut self.first,
            Lane::Second => &mut self.second,
            Lane::Last => &mut self.last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Lane;

    #[test]
    fn the_fewer_areas_a_level_has_the_sooner_they_are_written() {
        let lanes = [1, 128, 129, 4_096, 4_097, 1_000_000].map(Lane::of);
        assert_eq!(lanes, [Lane::First, Lane::First, Lane::Second, Lane::Second, Lane::Last, Lane::Last]);
        assert!(lanes.is_sorted() && Lane::ALL.is_sorted());
    }
}
