//! Observations that were not read from the contract's JSON but built (by a mapping, a producer): the same limits, checked
//! by the same functions.

use super::check;
use crate::{
    crs::Crs,
    observation::{Observation, ObservationRef},
    reject::Reason,
};
use std::borrow::Cow;

/// Checks an observation as if it had been read from a message.
pub fn observation_of<'a>(owned: Observation, default_crs: Crs) -> Result<ObservationRef<'a>, Reason> {
    if let Some(id) = &owned.id {
        check::line("id", id, check::MAX_ID)?;
    }
    check::line("source", &owned.source, check::MAX_ID)?;
    check::kind(&owned.kind)?;
    let time_ms = check::time(owned.time)?;
    let crs = owned.crs.unwrap_or(default_crs);
    let position = owned.position.map(|position| check::position("position", position, crs)).transpose()?;
    check::count("values", owned.values.len(), check::MAX_ENTRIES)?;
    let mut values = super::tree::Values::new();
    for (name, number) in owned.values {
        let path = format!("values.{name}");
        check::name(&path, &name)?;
        values.push((Cow::Owned(name), check::value(&path, number)?));
    }
    check::count("attributes", owned.attributes.len(), check::MAX_ENTRIES)?;
    let mut attributes = super::tree::Texts::new();
    for (name, text) in owned.attributes {
        let path = format!("attributes.{name}");
        check::name(&path, &name)?;
        check::longest(&path, &text, check::MAX_ATTRIBUTE)?;
        attributes.push((Cow::Owned(name), Cow::Owned(text)));
    }
    Ok(ObservationRef {
        id: owned.id.map(Cow::Owned),
        source: Cow::Owned(owned.source),
        kind: Cow::Owned(owned.kind),
        time_ms,
        position,
        values,
        attributes,
    })
}
