//! Checkpoints: the stream's state of one moment, so that a restart goes on from there instead of from the log's beginning.
//!
//! ```text
//!  keeper     orders one every so often ─▶ source: notes offsets, copies its partitions ─┐ pieces
//!             the manifest last, removes old   owner: copies windows once all of it came ┼─▶ desk: writes them as they come
//!  scribe     does what a keeper in another    alerts: says when those before are there ─┘
//!             process orders
//!  protocol   decides: where to begin, what counts, what may go        pure
//!  form       how state is written down          manifest   what a checkpoint is made of
//!  load       reads the newest that counts and is whole         loans      reads windows back that were lent to it
//! ```
//! Invariants: `CKP-1…3` [`protocol`], `CKP-4` [`manifest`], `CKP-5` copies are of one moment, `CKP-6` [`loans`].

mod desk;
mod form;
mod keeper;
mod lay;
mod load;
mod loans;
mod manifest;
#[cfg(test)]
mod model;
mod names;
mod pace;
mod pieces;
mod protocol;
mod renumber;
mod scribe;

pub(crate) use desk::{Desk, Part};
#[cfg(test)]
pub(crate) use form::read;
pub(crate) use form::{
    AreaForm, DomainForm, EntityForm, EntityView, EntryForm, EntryView, HeldForm, Item, KeptForm, KindForm, LaneForm,
    Names, OrderedForm, PartForm, PhaseForm, ShardForm, ShardHead, SketchForm, SketchView, StateForm, TimerForm, write,
    write_item, write_items, write_shard,
};
pub(crate) use keeper::{Asked, Keeper, Order};
pub(crate) use lay::claim_hash;
pub(crate) use load::{Loaded, State, is_claimed, load, load_base};
pub(crate) use loans::{Back, Lender, Loans};
#[cfg(test)]
pub(crate) use manifest::FORMAT;
pub(crate) use manifest::{AlertPlace, Manifest, Place, Section};
pub(crate) use pace::{Pace, Turn};
pub(crate) use pieces::{Body, Pieces, PiecesOut, Said, Speaker, way};
pub(crate) use protocol::{Mark, Why};
pub(crate) use renumber::Renumber;
pub(crate) use scribe::{Ordered, Scribe};
