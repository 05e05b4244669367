//! How state is written down: plain records of their own, in postcard's stable wire format, apart from what works with them.
//! A change here is a new [`FORMAT`](super::manifest::FORMAT), and the version before it must still be read.
//!
//! Numbers are written as they were; [`Names`] says what they stood for.

#[cfg(test)]
mod golden;
mod names;
mod part;
mod windows;

pub(crate) use names::{AreaForm, DomainForm, KindForm, Names};
pub(crate) use part::{
    EntityForm, EntityView, HeldForm, KeptForm, LaneForm, OrderedForm, PartForm, PhaseForm, StateForm, TimerForm,
};
pub(crate) use windows::{EntryForm, EntryView, ShardForm, ShardHead, SketchForm, SketchView, write_shard};

use serde::{Serialize, de::DeserializeOwned};

/// Why a piece cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub(crate) struct FormError {
    what: &'static str,
    source: postcard::Error,
}

fn append<T: Serialize>(what: &'static str, form: &T, into: Vec<u8>) -> Result<Vec<u8>, FormError> {
    postcard::to_extend(form, into).map_err(|source| FormError { what, source })
}

/// Nothing of ours can fail to be written; should it, what comes out is empty, and refused when it is read.
fn or_nothing(written: Result<Vec<u8>, FormError>) -> Vec<u8> {
    written.unwrap_or_else(|error| {
        tracing::error!(%error, "state cannot be written down");
        Vec::new()
    })
}

/// Writes a piece.
pub(crate) fn write<T: Serialize>(what: &'static str, form: &T) -> Vec<u8> {
    or_nothing(append(what, form, Vec::new()))
}

/// Reads a piece.
pub(crate) fn read<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, FormError> {
    postcard::from_bytes(bytes).map_err(|source| FormError { what, source })
}

/// Reads a piece that others stand behind, and hands those out too.
fn read_some<'b, T: DeserializeOwned>(what: &'static str, bytes: &'b [u8]) -> Result<(T, &'b [u8]), FormError> {
    postcard::take_from_bytes(bytes).map_err(|source| FormError { what, source })
}

/// An item of a list.
pub(crate) enum Item<'w, T> {
    /// To be written.
    New(T),
    /// Written before, by [`write`].
    Written(&'w [u8]),
}

/// Writes a list, item by item, as `Vec` would be, behind what is written already.
fn append_list<T: Serialize>(items: impl ExactSizeIterator<Item = T>, into: Vec<u8>) -> Result<Vec<u8>, FormError> {
    append_items(items.map(Item::New), into)
}

/// The same of items some of which are written already, in room for `room` bytes, about.
pub(crate) fn write_items<'w, T: Serialize>(items: impl ExactSizeIterator<Item = Item<'w, T>>, room: usize) -> Vec<u8> {
    or_nothing(append_items(items, Vec::with_capacity(room)))
}

/// Writes one item of a list behind others.
pub(crate) fn write_item<T: Serialize>(item: &T, into: Vec<u8>) -> Vec<u8> {
    or_nothing(append("item", item, into))
}

fn append_items<'w, T: Serialize>(
    mut items: impl ExactSizeIterator<Item = Item<'w, T>>,
    into: Vec<u8>,
) -> Result<Vec<u8>, FormError> {
    let length = append("length", &items.len(), into)?;
    items.try_fold(length, append_item)
}

fn append_item<T: Serialize>(mut out: Vec<u8>, item: Item<'_, T>) -> Result<Vec<u8>, FormError> {
    match item {
        Item::New(item) => append("item", &item, out),
        Item::Written(written) => {
            out.extend_from_slice(written);
            Ok(out)
        }
    }
}
