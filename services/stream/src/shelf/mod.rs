//! The shelf of rules: every version of every rule, who wrote it when, and what may be written next. The log `rules.v1` is the shelf; this
//! reads it, decides ([`decide`]) and appends ([`log`]).
//!
//! * `SHF-1` nothing is changed and nothing deleted: a change is a new version, going back as well.
//! * `SHF-2` a version's number is one above the newest's.
//! * `SHF-3` a wish that was decided on another state of the shelf than the one it is appended to is told so.

mod decide;
mod diff;
mod history;
mod log;

pub use decide::{MAX_ACTIVE, Refusal, Wish, decide};
pub use diff::{Difference, differences};
pub use history::{Shelf, Version, state_name};
pub use log::{ShelfError, Written, read, write};
