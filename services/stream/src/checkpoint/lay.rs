//! The object store as checkpoints use it: facts out, claims and removals in.

use super::{
    manifest::hash,
    names::{self, CLAIMS, MANIFESTS, PIECES},
    protocol::{Facts, Mark, Prune},
};
use gridwarden_runtime::objects::{Created, ObjectError, Objects};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A claim as it is written.
#[derive(Serialize, Deserialize)]
struct Claim {
    base: Option<Mark>,
    /// When, epoch milliseconds; for people.
    claimed_at: i64,
    /// The process; for people.
    process: u32,
}

/// Why checkpoints cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayError {
    /// The store.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    /// A claim is not what a claim is: which process may go on cannot be told.
    #[error("object {name} is no claim: {source}")]
    Claim {
        /// Its name.
        name: String,
        /// Why not.
        source: serde_json::Error,
    },
}

/// What lies there.
pub(crate) async fn facts(objects: &Objects) -> Result<Facts, LayError> {
    let mut facts = Facts::default();
    for name in objects.list(CLAIMS).await? {
        let Some(generation) = names::claimed(&name) else { continue };
        // One that went in between was of no use.
        let Some(body) = objects.get(&name).await? else { continue };
        let claim: Claim = serde_json::from_slice(&body).map_err(|source| LayError::Claim { name, source })?;
        facts.claims.insert(generation, claim.base);
    }
    facts.manifests = objects.list(MANIFESTS).await?.iter().filter_map(|name| names::marked(name)).collect();
    Ok(facts)
}

/// Claims a generation; false when another process was first.
pub(crate) async fn claim(objects: &Objects, generation: u32, base: Option<Mark>, now: i64) -> Result<bool, LayError> {
    let claim = Claim { base, claimed_at: now, process: std::process::id() };
    let name = names::claim(generation);
    let body = serde_json::to_vec(&claim).map_err(|source| LayError::Claim { name: name.clone(), source })?;
    Ok(objects.create(&name, body).await? == Created::New)
}

/// The hash of a claim as it lies there; none when it does not. Claims say when and by whom: no two are alike.
pub(crate) async fn claim_hash(objects: &Objects, generation: u32) -> Result<Option<u128>, LayError> {
    Ok(objects.get(&names::claim(generation)).await?.map(|body| hash(&body)))
}

/// Removes what is not needed any more. `pieces`: those the kept checkpoints name.
pub(crate) async fn remove(objects: &Objects, prune: &Prune, pieces: &BTreeSet<&str>) -> Result<(), ObjectError> {
    let Prune::Older { manifests, claims, kept } = prune else { return Ok(()) };
    // A manifest goes before what it names.
    for mark in manifests {
        objects.remove(&names::manifest(*mark)).await?;
    }
    for generation in claims {
        objects.remove(&names::claim(*generation)).await?;
    }
    let Some(newest) = kept.first() else { return Ok(()) };
    for name in objects.list(PIECES).await? {
        let old = names::marked(&name).is_some_and(|mark| mark <= *newest);
        if old && !pieces.contains(name.as_str()) {
            objects.remove(&name).await?;
        }
    }
    Ok(())
}
