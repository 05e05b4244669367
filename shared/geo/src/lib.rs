//! Geometry of the city: which areas contain a point, fences, distances. Pure numbers in, pure numbers out.
//!
//! This crate knows no layer, no rule, no clock and does no I/O. Positions are WGS-84 degrees as `[lon, lat]`.
//!
//! Invariants (each stands where it holds and is tested there):
//! * `GEO-1` [`AreaIndex::locate`] answers exactly what the even–odd rule says of every area's rings, for every point; the
//!   raster is only a shorter way to the same answer.
//! * `GEO-2` one convention for borders (half-open, see [`ring`]): areas that share a border share no point of it, and leave
//!   none out.

pub mod ahead;
pub mod cover;
mod distance;
mod error;
pub mod fence;
mod index;
mod near;
pub mod ring;
pub mod shift;
mod surface;

pub use distance::{distance_m, is_in_degrees, metres_per_degree, offset_m};
pub use error::BuildError;
pub use index::{Ahead, AreaIndex, FORMAT as AREA_INDEX_FORMAT, IndexOptions};
pub use near::Near;
pub use surface::signed_area_m2;
