//! From the newest checkpoint that counts and is whole to state, and the claim on it.

use super::{
    form::{EntityForm, Names, OrderedForm, PartForm, ShardForm, read},
    lay::{self, LayError},
    manifest::{Manifest, Section, Slice, hash},
    names,
    protocol::{Facts, Health, Mark, Start, Step},
};
use crate::{rules::together::Saved, together::Waiting};
use gridwarden_runtime::{
    clock::now_ms,
    objects::{ObjectError, Objects},
};
use std::collections::BTreeMap;

/// State of a checkpoint, numbered as it was.
#[derive(Default)]
pub(crate) struct State {
    /// What the numbers stood for.
    pub(crate) names: Names,
    /// Partitions and their entities, page by page.
    pub(crate) parts: BTreeMap<u16, (PartForm, Vec<Vec<EntityForm>>)>,
    /// Rules in the order of event time, by partition.
    pub(crate) ordered: BTreeMap<u16, OrderedForm>,
    /// Windows: start of the minute, shard.
    pub(crate) windows: Vec<((i64, u16), ShardForm)>,
    /// Rules over several entities, by shard.
    pub(crate) together: Vec<(u16, Vec<Saved>)>,
    /// What waited for them in each worker.
    pub(crate) waiting: Vec<Waiting>,
}

/// Where a process begins, claimed.
pub(crate) struct Loaded {
    /// The generation claimed and its base.
    pub(crate) start: Start,
    /// The base's manifest and state; none: from the log's beginning.
    pub(crate) base: Option<(Manifest, State)>,
}

/// Whether there was ever a claim.
pub(crate) async fn is_claimed(objects: &Objects) -> Result<bool, LayError> {
    Ok(lay::facts(objects).await?.newest_claim().is_some())
}

/// Loads and claims. Another process that claims at the same moment makes it look again. `floor`: the highest generation
/// heard of elsewhere, for the first claim.
pub(crate) async fn load(objects: &Objects, floor: u32) -> Result<Loaded, LayError> {
    loop {
        let facts = Facts { floor, ..lay::facts(objects).await? };
        let mut found = BTreeMap::new();
        let mut base = None;
        let start = loop {
            match facts.start(&found) {
                Step::Begin(start) => break start,
                Step::Look(mark) => {
                    let health = match look(objects, mark).await? {
                        Ok(whole) => {
                            base = Some(whole);
                            Health::Whole
                        }
                        Err(words) => Health::Damaged(words),
                    };
                    found.insert(mark, health);
                }
            }
        };
        if lay::claim(objects, start.generation, start.base, now_ms()).await? {
            return Ok(Loaded { start, base });
        }
    }
}

/// Loads the base another process has claimed. Outer error: the store does not answer. Inner error: what is damaged, in words.
pub(crate) async fn load_base(objects: &Objects, base: Mark) -> Result<Result<(Manifest, State), String>, ObjectError> {
    look(objects, base).await
}

/// Outer error: the store does not answer. Inner error: what is damaged, in words.
async fn look(objects: &Objects, mark: Mark) -> Result<Result<(Manifest, State), String>, ObjectError> {
    let Some(bytes) = objects.get(&names::manifest(mark)).await? else {
        return Ok(Err("its manifest is gone".to_owned()));
    };
    let manifest = match Manifest::parse(&bytes) {
        Ok(manifest) => manifest,
        Err(words) => return Ok(Err(words)),
    };
    let mut bodies = Vec::with_capacity(manifest.objects.len());
    for name in &manifest.objects {
        match objects.get(name).await? {
            Some(body) => bodies.push(body),
            None => return Ok(Err(format!("its object {name} is gone"))),
        }
    }
    Ok(state(&manifest, &bodies).map(|state| (manifest, state)))
}

fn state(manifest: &Manifest, bodies: &[Vec<u8>]) -> Result<State, String> {
    let mut state = State::default();
    let mut pages: BTreeMap<(u16, u32), Vec<EntityForm>> = BTreeMap::new();
    for (section, slice) in &manifest.sections {
        let bytes = cut(slice, bodies).ok_or_else(|| format!("{section:?} is not as it was written"))?;
        let unreadable = |error: super::form::FormError| format!("{section:?} cannot be read: {error}");
        match *section {
            Section::Names => state.names = read("names", bytes).map_err(unreadable)?,
            Section::Part(part) => {
                state.parts.insert(part, (read("partition", bytes).map_err(unreadable)?, Vec::new()));
            }
            Section::Entities(part, page) => {
                pages.insert((part, page), read("entities", bytes).map_err(unreadable)?);
            }
            Section::Windows(start, shard) | Section::More(start, shard) => {
                state.windows.push(((start, shard), ShardForm::read(bytes).map_err(unreadable)?));
            }
            Section::Together(shard) => state.together.push((shard, read("rules", bytes).map_err(unreadable)?)),
            Section::Ordered(part) => {
                state.ordered.insert(part, read("order", bytes).map_err(unreadable)?);
            }
            Section::Waiting(_) => {
                state.waiting.append(&mut read("sightings", bytes).map_err(unreadable)?);
            }
        }
    }
    for ((part, page), entities) in pages {
        let known = state.parts.get_mut(&part).filter(|(_, pages)| pages.len() == page as usize);
        let Some((_, pages)) = known else { return Err(format!("entities {page} of partition {part} stand alone")) };
        pages.push(entities);
    }
    for (number, (form, pages)) in &state.parts {
        let entities: usize = pages.iter().map(Vec::len).sum();
        if entities != form.entities as usize {
            return Err(format!("partition {number} has {entities} entities, it had {}", form.entities));
        }
    }
    Ok(state)
}

fn cut<'b>(slice: &Slice, bodies: &'b [Vec<u8>]) -> Option<&'b [u8]> {
    let from = usize::try_from(slice.from).ok()?;
    let end = from.checked_add(usize::try_from(slice.length).ok()?)?;
    let bytes = bodies.get(slice.object as usize)?.get(from..end)?;
    (hash(bytes) == slice.hash).then_some(bytes)
}
