//! The stream.

mod intern;
mod rules;
mod shard;
mod watermark;
mod windows;
