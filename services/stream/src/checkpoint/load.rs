//! From the newest checkpoint that counts and is whole to state, and the claim on it.

use super::{
    form::{EntityForm, FormError, Names, OrderedForm, PartForm, ShardForm, read},
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
use rayon::prelude::*;
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

/// A section, read.
enum Piece {
    Names(Names),
    Part(u16, PartForm),
    Entities((u16, u32), Vec<EntityForm>),
    Windows((i64, u16), ShardForm),
    Together(u16, Vec<Saved>),
    Ordered(u16, OrderedForm),
    Waiting(Vec<Waiting>),
}

/// Sections stand for themselves: every core reads its share of them, then they are put together.
fn state(manifest: &Manifest, bodies: &[Vec<u8>]) -> Result<State, String> {
    let piece = |(section, slice): &(Section, Slice)| {
        let bytes = cut(slice, bodies).ok_or_else(|| format!("{section:?} is not as it was written"))?;
        read_piece(*section, bytes).map_err(|error| format!("{section:?} cannot be read: {error}"))
    };
    let pieces: Vec<Piece> = manifest.sections.par_iter().map(piece).collect::<Result<_, String>>()?;
    let mut state = State::default();
    let mut pages: BTreeMap<(u16, u32), Vec<EntityForm>> = BTreeMap::new();
    for piece in pieces {
        match piece {
            Piece::Names(names) => state.names = names,
            Piece::Part(part, form) => {
                state.parts.insert(part, (form, Vec::new()));
            }
            Piece::Entities(place, entities) => {
                pages.insert(place, entities);
            }
            Piece::Windows(place, form) => state.windows.push((place, form)),
            Piece::Together(shard, rules) => state.together.push((shard, rules)),
            Piece::Ordered(part, form) => {
                state.ordered.insert(part, form);
            }
            Piece::Waiting(mut sightings) => state.waiting.append(&mut sightings),
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

fn read_piece(section: Section, bytes: &[u8]) -> Result<Piece, FormError> {
    Ok(match section {
        Section::Names => Piece::Names(read("names", bytes)?),
        Section::Part(part) => Piece::Part(part, read("partition", bytes)?),
        Section::Entities(part, page) => Piece::Entities((part, page), read("entities", bytes)?),
        Section::Windows(start, shard) | Section::More(start, shard) => {
            Piece::Windows((start, shard), ShardForm::read(bytes)?)
        }
        Section::Together(shard) => Piece::Together(shard, read("rules", bytes)?),
        Section::Ordered(part) => Piece::Ordered(part, read("order", bytes)?),
        Section::Waiting(_) => Piece::Waiting(read("sightings", bytes)?),
    })
}

fn cut<'b>(slice: &Slice, bodies: &'b [Vec<u8>]) -> Option<&'b [u8]> {
    let from = usize::try_from(slice.from).ok()?;
    let end = from.checked_add(usize::try_from(slice.length).ok()?)?;
    let bytes = bodies.get(slice.object as usize)?.get(from..end)?;
    (hash(bytes) == slice.hash).then_some(bytes)
}
