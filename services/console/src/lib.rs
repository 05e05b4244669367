//! Placeholder while the pieces come.
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "tests"))]
pub mod atlas;
pub mod catalogue;
pub mod config;
pub mod session;
pub mod tiles;
