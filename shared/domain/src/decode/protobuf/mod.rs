//! Observations in Protobuf (`infra/schema/proto/observation.proto`): the same decoded form, the same limits, the same reasons.
//!
//! A reader of the wire format of its own: text stays in the message, which generated code does not offer, and every field is known
//! to be there once, never, or twice.

mod fill;
mod reasons;
#[cfg(test)]
mod tests;
mod wire;
mod write;

pub(super) use fill::fill;
pub(super) use reasons::observation;
pub use write::protobuf_of;
