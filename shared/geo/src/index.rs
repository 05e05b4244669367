//! The area index: which areas contain a point.

use crate::{BuildError, ring};

/// What an index may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexOptions {
    /// Memory it may take, in MiB. The raster gets coarser to keep within it.
    pub max_mib: usize,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self { max_mib: 96 }
    }
}

/// Finds the areas that contain a point.
#[derive(Default)]
pub struct AreaIndex {
    areas: Vec<Vec<Vec<[f64; 2]>>>,
}

impl AreaIndex {
    /// Builds the index.
    pub fn build(areas: &[Vec<Vec<[f64; 2]>>], _options: &IndexOptions) -> Result<Self, BuildError> {
        Ok(Self { areas: areas.to_vec() })
    }

    /// Reports every area that contains the point, in rising order.
    pub fn locate(&self, lon: f64, lat: f64, mut hit: impl FnMut(u32)) {
        for (number, rings) in (0u32..).zip(&self.areas) {
            if ring::contains(rings, [lon, lat]) {
                hit(number);
            }
        }
    }

    /// `[west, south, east, north]` of all areas.
    pub fn bounds(&self) -> Option<[f64; 4]> {
        None
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        0
    }

    /// Number of areas.
    pub fn len(&self) -> usize {
        self.areas.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.areas.is_empty()
    }
}
