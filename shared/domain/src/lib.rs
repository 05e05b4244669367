//! What the city is and what its messages mean: contracts, decoding, areas and layers, classes, rules as documents.
//!
//! This crate is pure: it knows no clock, no socket, no file, no thread. Text goes in, values or a reason come out, so it
//! cannot fail for want of the world. Services decide with it; `bus`, `store` and `runtime` carry its values.
//!
//! Invariants (each stands where it holds and is tested there):
//! * `DOM-1` a message is either decoded whole or rejected with one [`Reason`](reject::Reason) that names the field.
//! * `DOM-2` a value is rounded to fixed point once, at decode; sums are then independent of order.
//! * `DOM-3` what is in force for a record is a function of its append time and the control topics alone.

pub mod alert;
pub mod city;
pub mod class;
pub mod control;
pub mod crs;
pub mod decode;
pub mod delivery;
pub mod entity;
pub mod generation;
pub mod identity;
mod json;
pub mod layer;
pub mod locate;
pub mod mapping;
pub mod observation;
pub mod origin;
pub mod reject;
pub mod report;
pub mod retention;
pub mod rule;
mod strict;
pub mod survey;
pub mod text;
pub mod time;
pub mod value;
